//! What becomes of a request, whatever the endpoint does.

use super::*;

/// Passes while an endpoint is waited for in vain.
const SHORT: Duration = Duration::from_millis(200);

async fn post_to<S: Future<Output = ()> + Send + 'static>(
    timeout: Duration,
    serve: impl Fn(TcpStream) -> S + Send + 'static,
) -> Result<Reply, SendError> {
    let sender = sender(Recorded::leading_to(server(serve).await.0), None);
    let request = Request {
        timeout,
        ..request("http://hooks.example.com/")
    };
    sender.post(request, &Notify::new()).await
}

async fn replied(answer: impl Into<Vec<u8>>) -> Result<Reply, SendError> {
    let answer = answer.into();
    post_to(AMPLE, move |mut stream| {
        let answer = answer.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(&answer).await.ok();
            stream.shutdown().await.ok();
        }
    })
    .await
}

fn class(result: Result<Reply, SendError>) -> &'static str {
    result.map_or_else(|error| error.class(), |_| "replied")
}

#[tokio::test]
async fn the_request_is_what_the_caller_said_and_nothing_else() {
    let (seen, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let (address, _) = server(move |mut stream| {
        let seen = seen.clone();
        async move { seen.send(read_request(&mut stream).await.unwrap()).unwrap() }
    })
    .await;
    let sender = sender(Recorded::leading_to(address), None);
    let mut request = request("http://hooks.example.com:8080/a/b?c=d#e");
    request.headers.insert("webhook-id", "m1".parse().unwrap());
    request
        .headers
        .insert("host", "other.example.com".parse().unwrap());
    sender.post(request, &Notify::new()).await.err().unwrap();
    let text = String::from_utf8(requests.recv().await.unwrap()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.split("\r\n").collect();
    lines[1..].sort_unstable();
    let expected = [
        "POST /a/b?c=d HTTP/1.1",
        "content-length: 2",
        "host: hooks.example.com:8080",
        "webhook-id: m1",
    ];
    assert_eq!((lines.as_slice(), body), (&expected[..], "{}"));
}

#[tokio::test]
async fn a_reply_is_passed_on_as_it_is() {
    for (answer, status, retry_after, body) in [
        (OK, 200, None, "ok"),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, None, ""),
        (
            "HTTP/1.1 429 X\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n",
            429,
            Some("7"),
            "",
        ),
        (
            "HTTP/1.1 503 X\r\nretry-after: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n",
            503,
            Some("Wed, 21 Oct 2026 07:28:00 GMT"),
            "",
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
             HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 X\r\n\r\n",
            201,
            None,
            "",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nuntil the end",
            200,
            None,
            "until the end",
        ),
        ("HTTP/1.0 500 X\r\n\r\nold", 500, None, "old"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nch\r\n4\r\nunks\r\n0\r\na: b\r\n\r\n",
            200,
            None,
            "chunks",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
            101,
            None,
            "",
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
            302,
            None,
            "",
        ),
    ] {
        let reply = replied(answer)
            .await
            .unwrap_or_else(|error| panic!("{answer}: {error}"));
        assert_eq!(reply.status, status);
        assert_eq!(reply.retry_after.as_deref(), retry_after);
        assert_eq!(String::from_utf8(reply.body).unwrap(), body);
    }
}

#[tokio::test]
async fn what_is_not_a_reply_has_its_reason() {
    let large = with_header_of(MAX_HEADER_BYTES + 1);
    for (answer, expected) in [
        ("", "reset"),
        ("HTTP/1.1 200 OK\r\ncontent-le", "reset"),
        ("HTTP/1.1 200 OK\r\njunk\r\n", "protocol"),
        ("SSH-2.0-OpenSSH_9.9\r\n", "protocol"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "protocol"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "protocol"),
        ("HTTP/2 200\r\n\r\n", "protocol"),
        (&large, "protocol"),
    ] {
        let start: String = answer.chars().take(80).collect();
        assert_eq!(class(replied(answer).await), expected, "{start:?}");
    }
}

/// What may be wrong with the end of a reply.
const FAULTY_BODIES: [&str; 7] = [
    "content-length: 9\r\n\r\nhalf",
    "content-length: 100\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\n4\r\nha",
    "transfer-encoding: chunked\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\nno size\r\n",
    "transfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\0:\r\n\r\n",
];

#[tokio::test]
async fn a_status_stands_whatever_becomes_of_the_body() {
    for status in [200, 410, 429, 503] {
        for end in FAULTY_BODIES {
            let answer = format!("HTTP/1.1 {status} X\r\nretry-after: 7\r\n{end}");
            let reply = replied(answer).await;
            let reply = reply.unwrap_or_else(|error| panic!("{end:?}: {error}"));
            assert_eq!(reply.status, status, "{end:?}");
            assert_eq!(reply.retry_after.as_deref(), Some("7"), "{end:?}");
        }
    }
    let reset = post_to(AMPLE, |mut stream| async move {
        read_request(&mut stream).await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
        stream.write_all(answer).await.unwrap();
        // The reset must not overtake what was sent before it.
        tokio::time::sleep(SHORT).await;
        stream.set_zero_linger().unwrap();
    });
    assert_eq!(reset.await.map(|reply| reply.status).ok(), Some(200));
}

#[tokio::test]
async fn a_status_stands_however_the_head_is_spelled() {
    let some = "a: b\r\n".repeat(120);
    let many = "a: b\r\n".repeat(5000);
    for fields in [
        "x-folded: a\r\n  b\r\n",
        "x-folded:\r\n\tb\r\n",
        "Server : x\r\n",
        "junk\r\n",
        ": nameless\r\n",
        "näme: x\r\n",
        "x: \0\r\n",
        "x: a\rb\r\n",
        "content-length: 2\r\ncontent-length: 3\r\n",
        "content-length: many\r\n",
        &some,
        &many,
    ] {
        let answer = format!("HTTP/1.1 429 X\r\n{fields}Retry-After:\r\n 60\r\n\r\n");
        let start: String = answer.chars().take(80).collect();
        let reply = replied(answer).await;
        let reply = reply.unwrap_or_else(|error| panic!("{start:?}: {error}"));
        assert_eq!(reply.status, 429, "{start:?}");
        assert_eq!(reply.retry_after.as_deref(), Some("60"), "{start:?}");
    }
    let chunked = "transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let chunked = format!("HTTP/1.0 200 X\r\n{chunked}");
    for (answer, body) in [
        (&*chunked, "ab"),
        ("HTTP/1.1 200\nServer : x\n\nit is well", "it is well"),
        (
            "HTTP/1.1 103 X\r\nServer : x\r\n\r\nHTTP/1.1 200 X\r\n\r\n",
            "",
        ),
    ] {
        let reply = replied(answer).await;
        let reply = reply.unwrap_or_else(|error| panic!("{answer:?}: {error}"));
        assert_eq!(reply.status, 200, "{answer:?}");
        assert!(String::from_utf8_lossy(&reply.body).contains(body));
    }
}

#[tokio::test]
async fn a_head_that_is_not_well_formed_is_waited_for_to_its_end() {
    let reply = post_to(AMPLE, |mut stream| async move {
        read_request(&mut stream).await;
        let parts = [
            "HTTP/1.1 200 OK\r\nServer : x\r\n",
            "retry-after",
            ": 7\r\n\r",
            "\n",
        ];
        for part in parts {
            stream.write_all(part.as_bytes()).await.unwrap();
            tokio::time::sleep(SHORT / 10).await;
        }
        // It is not closed: nothing but the end of the head is waited for.
        read_request(&mut stream).await;
    });
    let reply = reply.await.ok().unwrap();
    assert_eq!(
        (reply.status, reply.retry_after.as_deref()),
        (200, Some("7"))
    );
    let start = "HTTP/1.1 200 OK\r\njunk\r\n";
    let endless = post_to(SHORT, move |stream| dribble(stream, start, "a: b\r\n"));
    assert_eq!(class(endless.await), "timeout");
}

#[tokio::test]
async fn names_of_headers_are_spelled_as_the_operator_spells_them() {
    let (seen, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let (address, _) = server(move |mut stream| {
        let seen = seen.clone();
        async move {
            while let Some(request) = read_request(&mut stream).await {
                seen.send(request).unwrap();
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let sender = sender(Recorded::leading_to(address), None);
    for _ in 0..2 {
        let mut request = request("http://hooks.example.com/");
        for name in ["x-cf-signature", "x-hmac-sha256", "webhook-id"] {
            request.headers.insert(name, "a".parse().unwrap());
        }
        request.spelled = ["X-CF-Signature", "x-HMAC-sha256"]
            .map(str::to_owned)
            .into();
        sender.post(request, &Notify::new()).await.ok().unwrap();
        let text = String::from_utf8(requests.recv().await.unwrap()).unwrap();
        for line in [
            "X-CF-Signature: a",
            "x-HMAC-sha256: a",
            "webhook-id: a",
            "content-length: 2",
        ] {
            let line = format!("\r\n{line}\r\n");
            assert!(text.contains(&line), "{line:?}: {text}");
        }
    }
}

/// A reply whose header section, with the empty line after it, has this length.
fn with_header_of(bytes: usize) -> String {
    let filled = |length| format!("HTTP/1.1 204 X\r\na: {}\r\n\r\n", "b".repeat(length));
    filled(bytes - filled(0).len())
}

#[tokio::test]
async fn a_header_section_up_to_the_limit_is_read() {
    let reply = replied(with_header_of(MAX_HEADER_BYTES)).await;
    assert_eq!(reply.ok().unwrap().status, 204);
}

#[tokio::test]
async fn an_endpoint_that_accepts_and_says_nothing_times_out() {
    let silent = post_to(SHORT, |mut stream| async move {
        while read_request(&mut stream).await.is_some() {}
    });
    assert_eq!(class(silent.await), "timeout");
}

/// Writes byte after byte, long before and long after the deadline.
async fn dribble(mut stream: TcpStream, at_once: &str, then: &str) {
    read_request(&mut stream).await;
    stream.write_all(at_once.as_bytes()).await.ok();
    for byte in then.bytes().cycle() {
        tokio::time::sleep(SHORT / 20).await;
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
    }
}

#[tokio::test]
async fn the_deadline_is_over_the_whole_head_however_busy_the_endpoint_seems() {
    let header = post_to(SHORT, |stream| {
        dribble(stream, "HTTP/1.1 200 OK\r\n", "a: b\r\n")
    });
    assert_eq!(class(header.await), "timeout");
    let body = "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n";
    for timeout in [SHORT, AMPLE] {
        let reply = post_to(timeout, move |stream| dribble(stream, body, "a")).await;
        let reply = reply.ok().unwrap();
        assert_eq!(reply.status, 200);
        assert!(reply.body.starts_with(b"a"));
    }
    let storm = post_to(SHORT, |mut stream| async move {
        read_request(&mut stream).await;
        let hint = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        while stream.write_all(hint).await.is_ok() {}
    });
    assert_eq!(class(storm.await), "timeout");
}

#[tokio::test]
async fn a_body_without_end_is_cut_off_and_its_connection_closed() {
    let (closed, mut was_closed) = tokio::sync::mpsc::unbounded_channel();
    let reply = post_to(AMPLE, move |mut stream| {
        let closed = closed.clone();
        async move {
            read_request(&mut stream).await;
            let mut chunk = b"HTTP/1.1 202 X\r\n\r\n".to_vec();
            while stream.write_all(&chunk).await.is_ok() {
                chunk = vec![b'a'; 1000];
            }
            closed.send(()).unwrap();
        }
    });
    let reply = reply.await.ok().unwrap();
    assert_eq!((reply.status, reply.body.len()), (202, MAX_BODY_BYTES));
    was_closed.recv().await.unwrap();
}

#[tokio::test]
async fn an_early_reply_counts_and_its_connection_is_closed_with_the_request_unread() {
    let (go_on, may_go_on) = tokio::sync::watch::channel(false);
    let (closed, mut was_closed) = tokio::sync::mpsc::unbounded_channel();
    let serve = move |mut stream: TcpStream| {
        let (mut may_go_on, closed) = (may_go_on.clone(), closed.clone());
        async move {
            stream.read_exact(&mut [0; 100]).await.unwrap();
            let reply = b"HTTP/1.1 413 X\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(reply).await.unwrap();
            may_go_on.wait_for(|is_open| *is_open).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.ok();
            closed.send(()).unwrap();
        }
    };
    let sender = sender(Recorded::leading_to(server(serve).await.0), None);
    let request = Request {
        body: vec![b'a'; 32 << 20].into(),
        ..request("http://hooks.example.com/")
    };
    assert_eq!(
        sender
            .post(request, &Notify::new())
            .await
            .ok()
            .unwrap()
            .status,
        413
    );
    go_on.send(true).unwrap();
    let closed = tokio::time::timeout(AMPLE, was_closed.recv()).await;
    assert!(closed.is_ok(), "the rest of the request is kept waiting");
}

#[test]
fn every_failure_has_a_word_of_its_own_and_tells_no_address() {
    use tokio_rustls::rustls::CertificateError;
    let other = CertificateError::NotValidForNameContext {
        expected: ServerName::try_from("10.0.0.1").unwrap(),
        presented: vec!["10.0.0.2".to_owned()],
    };
    for (error, class) in [
        (SendError::from(Denied::NotPublic), "guard"),
        (SendError::from(Denied::NoAddress), "dns"),
        (SendError::Dns, "dns"),
        (SendError::Refused, "refused"),
        (SendError::Unreachable, "unreachable"),
        (SendError::NoRoots, "tls"),
        (SendError::Certificate(other), "tls"),
        (SendError::Tls, "tls"),
        (SendError::Timeout, "timeout"),
        (SendError::Reset, "reset"),
        (SendError::Protocol, "protocol"),
    ] {
        assert_eq!(error.class(), class);
        assert!(!error.to_string().contains("10.0"), "{error}");
    }
}
