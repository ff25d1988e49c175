//! Which connections are made, and which are used again.

use super::*;
use futures_util::future::join_all;
use std::io::{Read, Write};

const URL: &str = "http://hooks.example.com/";

async fn post(sender: &Sender<Recorded>, endpoint: &str, url: &str) -> Result<u16, SendError> {
    let request = Request {
        endpoint: endpoint.to_owned(),
        ..request(url)
    };
    sender
        .post(request, &Notify::new())
        .await
        .map(|reply| reply.status)
}

/// A sender to a server that always gives this answer, and the number of its connections.
async fn answered(with: &'static str) -> (Sender<Recorded>, Arc<AtomicUsize>) {
    let (address, connections) = server(move |stream| answer(stream, with)).await;
    (sender(Recorded::leading_to(address), None), connections)
}

#[tokio::test]
async fn a_connection_is_used_again_by_the_same_endpoint_at_the_same_place_only() {
    let (sender, connections) = answered(OK).await;
    for (endpoint, url, expected) in [
        ("a", URL, 1),
        ("a", "http://hooks.example.com:80/another?path", 1),
        ("b", URL, 2),
        ("a", URL, 2),
        ("a", "http://hooks.example.com:8080/", 3),
        ("a", "http://other.example.com/", 4),
        ("a", URL, 4),
    ] {
        assert_eq!(post(&sender, endpoint, url).await.unwrap(), 200);
        let made = connections.load(Ordering::SeqCst);
        assert_eq!(made, expected, "{endpoint} {url}");
    }
    assert_eq!(sender.network.lookups(), 7, "one for each attempt");
}

#[tokio::test]
async fn a_connection_is_used_again_only_if_its_address_was_just_checked() {
    let other = [93, 184, 215, 15].into();
    let (address, connections) = server(|stream| answer(stream, OK)).await;
    let answers = [vec![PUBLIC.into()], vec![other], vec![other, PUBLIC.into()]];
    let network = Recorded::leading_to(address).resolving(answers.map(Some));
    let sender = sender(network, None);
    for expected in [1, 2, 2] {
        post(&sender, "a", URL).await.unwrap();
        assert_eq!(connections.load(Ordering::SeqCst), expected);
    }
    assert_eq!(sender.network.dialled(), [PUBLIC.into(), other]);
}

#[tokio::test]
async fn an_address_that_became_private_is_refused_although_a_connection_is_open() {
    let (address, _) = server(|stream| answer(stream, OK)).await;
    let answers = [
        vec![PUBLIC.into()],
        vec![PUBLIC.into(), [10, 0, 0, 1].into()],
    ];
    let network = Recorded::leading_to(address).resolving(answers.map(Some));
    let mut sender = sender(network, None);
    post(&sender, "a", URL).await.unwrap();
    sender.policy = Policy::Public;
    assert_eq!(post(&sender, "a", URL).await.unwrap_err().class(), "guard");
}

#[tokio::test]
async fn an_idle_connection_is_forgotten_after_ten_seconds() {
    let (sender, connections) = answered(OK).await;
    for (idle, expected) in [(0, 1), (9, 1), (9, 1), (10, 2)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(idle)).await;
        tokio::time::resume();
        post(&sender, "a", URL).await.unwrap();
        assert_eq!(connections.load(Ordering::SeqCst), expected, "{idle} s");
    }
}

#[tokio::test]
async fn ten_idle_connections_are_kept_for_an_endpoint() {
    let together = Arc::new(tokio::sync::Barrier::new(12));
    let (address, connections) = server(move |mut stream| {
        let together = together.clone();
        async move {
            while read_request(&mut stream).await.is_some() {
                together.wait().await;
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let sender = sender(Recorded::leading_to(address), None);
    for expected in [12, 14] {
        join_all((0..12).map(|_| post(&sender, "a", URL))).await;
        assert_eq!(connections.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn a_connection_is_not_used_again_if_the_reply_says_so_or_was_cut_off() {
    let cut_off = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 16385\r\n\r\n{}",
        "a".repeat(16385)
    );
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 16384\r\n\r\n{}",
        "a".repeat(16384)
    );
    for (with, expected) in [
        ("HTTP/1.1 204 X\r\n\r\n", 1),
        (whole.leak(), 1),
        (
            "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            1,
        ),
        (
            "HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            2,
        ),
        ("HTTP/1.0 200 X\r\ncontent-length: 0\r\n\r\n", 2),
        (
            "HTTP/1.1 204 X\r\n\r\nHTTP/1.1 204 nobody asked for\r\n\r\n",
            2,
        ),
        (cut_off.leak(), 2),
        (
            "HTTP/1.1 200 X\r\ncontent-length: 0\r\nServer : x\r\n\r\n",
            2,
        ),
        (
            "HTTP/1.1 200 X\r\ncontent-length: 0\r\na: b\r\n c\r\n\r\n",
            2,
        ),
        ("HTTP/1.1 200 X\r\ncontent-length: 0\r\njunk\r\n\r\n", 2),
    ] {
        let (sender, connections) = answered(with).await;
        post(&sender, "a", URL).await.unwrap();
        post(&sender, "a", URL).await.unwrap();
        let made = connections.load(Ordering::SeqCst);
        assert_eq!(made, expected, "{}", &with[..40.min(with.len())]);
    }
}

#[tokio::test]
async fn a_connection_closed_while_it_was_idle_is_replaced_within_the_attempt() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (close, may_close) = std::sync::mpsc::channel();
    let (closed, was_closed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            assert_ne!(stream.read(&mut [0; 1000]).unwrap(), 0);
            stream.write_all(OK.as_bytes()).unwrap();
            may_close.recv().unwrap();
            drop(stream);
            closed.send(()).unwrap();
        }
    });
    let sender = sender(Recorded::leading_to(address), None);
    for attempt in 1..=3 {
        assert_eq!(post(&sender, "a", URL).await.unwrap(), 200);
        assert_eq!(sender.idle.lock().await.len(), 1, "it seems to be open");
        // The runtime stands still, as if it was frozen, so that it does not hear of the end.
        close.send(()).unwrap();
        was_closed.recv().unwrap();
        assert_eq!(sender.network.dialled().len(), attempt);
        assert_eq!(sender.network.lookups(), attempt);
    }
}

#[tokio::test]
async fn a_new_connection_that_closes_is_not_tried_again() {
    let (address, connections) = server(|stream| async move { drop(stream) }).await;
    let sender = sender(Recorded::leading_to(address), None);
    assert_eq!(post(&sender, "a", URL).await.unwrap_err().class(), "reset");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses_or_does_not_answer() {
    let addresses: Vec<IpAddr> = (1..=10)
        .map(|number| [93, 184, 215, number].into())
        .collect();
    let (address, _) = server(|stream| answer(stream, OK)).await;
    let mut network = Recorded::leading_to(address).resolving([Some(addresses.clone())]);
    network.silent = addresses[..1].to_vec();
    network.refusing = addresses[1..9].to_vec();
    let sender = sender(network, None);
    assert_eq!(post(&sender, "a", URL).await.unwrap(), 200);
    assert_eq!(sender.network.dialled(), addresses);
}

#[tokio::test(start_paused = true)]
async fn connecting_takes_five_seconds_at_most_and_never_longer_than_the_deadline() {
    for (timeout, expected, class) in [
        (AMPLE, 5, "unreachable"),
        (Duration::from_secs(3), 3, "timeout"),
    ] {
        let addresses = vec![PUBLIC.into(), [93, 184, 215, 15].into()];
        let mut network = Recorded::leading_to(([127, 0, 0, 1], 1).into());
        network.silent = addresses.clone();
        let sender = sender(network.resolving([Some(addresses)]), None);
        let start = Instant::now();
        let request = Request {
            timeout,
            ..request(URL)
        };
        assert_eq!(
            sender
                .post(request, &Notify::new())
                .await
                .err()
                .unwrap()
                .class(),
            class
        );
        assert_eq!(start.elapsed().as_secs(), expected);
    }
}

#[tokio::test]
async fn a_port_that_nobody_listens_at_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = Sender::new(Policy::Unrestricted)
        .post(request(&url), &Notify::new())
        .await
        .err()
        .unwrap();
    assert_eq!(error.class(), "refused");
}

#[tokio::test]
async fn an_address_is_called_without_a_look_up_but_not_by_a_public_sender() {
    let (address, _) = server(|stream| answer(stream, OK)).await;
    let mut sender = sender(Recorded::leading_to(address), None);
    for (url, dialled) in [
        ("http://127.0.0.1/", IpAddr::from([127, 0, 0, 1])),
        ("http://[::1]/", IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])),
    ] {
        assert_eq!(post(&sender, "a", url).await.unwrap(), 200);
        assert_eq!(sender.network.dialled().last(), Some(&dialled));
    }
    sender.policy = Policy::Public;
    let error = post(&sender, "a", "http://127.0.0.1/").await.unwrap_err();
    assert_eq!(
        (error.class(), sender.network.dialled().len()),
        ("guard", 2)
    );
    assert_eq!(sender.network.lookups(), 0);
}

#[tokio::test]
async fn an_attempt_may_move_between_threads() {
    fn is_send(_: impl Send) {}
    is_send(Sender::new(Policy::Public).post(request(URL), &Notify::new()));
}

#[tokio::test]
async fn a_connection_closed_while_a_request_is_sent_is_replaced_within_the_attempt() {
    let (address, connections) = server(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        // The second request is read, and the connection closed.
        read_request(&mut stream).await;
    })
    .await;
    let sender = sender(Recorded::leading_to(address), None);
    for expected in [1, 2, 3] {
        assert_eq!(post(&sender, "a", URL).await.unwrap(), 200);
        assert_eq!(connections.load(Ordering::SeqCst), expected);
    }
    assert_eq!(sender.network.lookups(), 3, "it is one attempt");
}

#[tokio::test]
async fn a_kept_connection_that_ends_amid_an_answer_is_not_replaced() {
    let (address, connections) = server(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 O").await.unwrap();
    })
    .await;
    let sender = sender(Recorded::leading_to(address), None);
    assert_eq!(post(&sender, "a", URL).await.unwrap(), 200);
    assert_eq!(post(&sender, "a", URL).await.unwrap_err().class(), "reset");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn each_address_has_a_quarter_of_a_second_to_itself() {
    let addresses: Vec<IpAddr> = (1..=4)
        .map(|number| [93, 184, 215, number].into())
        .collect();
    let mut network = Recorded::leading_to(([127, 0, 0, 1], 1).into());
    network.silent = addresses.clone();
    let sender = sender(network.resolving([Some(addresses.clone())]), None);
    let start = Instant::now();
    post(&sender, "a", URL).await.unwrap_err();
    let dialled = sender.network.dialled.lock().unwrap();
    let times = dialled
        .iter()
        .map(|(address, at)| (*address, (*at - start).as_millis() / 10 * 10));
    let expected = addresses.into_iter().zip([0, 250, 500, 750]);
    assert!(times.eq(expected), "{dialled:?}");
}

#[tokio::test]
async fn the_address_that_was_good_is_the_first_the_next_time() {
    let (dead, good) = ([93, 184, 215, 1].into(), [93, 184, 215, 2].into());
    let closing = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let (address, _) = server(move |stream| answer(stream, closing)).await;
    let answers = [vec![dead, good], vec![dead, good], vec![dead]];
    let mut network = Recorded::leading_to(address).resolving(answers.map(Some));
    network.refusing = vec![dead];
    let sender = sender(network, None);
    for _ in 0..2 {
        assert_eq!(post(&sender, "a", URL).await.unwrap(), 200);
    }
    assert_eq!(sender.network.dialled(), [dead, good, good]);
    // Nothing but what was just looked up is called.
    let error = post(&sender, "a", URL).await.unwrap_err();
    assert_eq!(error.class(), "refused");
    assert_eq!(sender.network.dialled()[3..], [dead]);
}

#[test]
fn the_families_take_turns() {
    let addresses = |hosts: &[&str]| -> Vec<SocketAddr> {
        let address = |host: &&str| SocketAddr::new(host.parse().unwrap(), 443);
        hosts.iter().map(address).collect()
    };
    for (found, good, expected) in [
        (
            &["::1", "::2", "1.1.1.1"][..],
            None,
            &["::1", "1.1.1.1", "::2"][..],
        ),
        (&["1.1.1.1", "::1", "::2"], None, &["1.1.1.1", "::1", "::2"]),
        (
            &["1.1.1.1", "1.1.1.2"],
            Some("1.1.1.2"),
            &["1.1.1.2", "1.1.1.1"],
        ),
        (&["::1", "1.1.1.1"], Some("9.9.9.9"), &["::1", "1.1.1.1"]),
        (&[], None, &[]),
    ] {
        let good = good.map(|text: &str| text.parse().unwrap());
        assert_eq!(ordered(&addresses(found), good), addresses(expected));
    }
}
