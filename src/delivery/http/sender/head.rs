//! The head of a reply that is not well formed. The status stands once the head is there, whatever else is
//! wrong with it: folded lines ([RFC 9112, 5.2](https://www.rfc-editor.org/rfc/rfc9112#section-5.2)), lines
//! that are none, too many of them, a length that is no number. Only what the gateway needs is read. Pure.

/// What the gateway needs of a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    pub(super) location: Option<String>,
    /// Where the body begins.
    pub(super) length: usize,
}

/// The final head at the beginning of what was received; none if its end is not there, or if it is not
/// HTTP/1.
pub(super) fn read(received: &[u8]) -> Option<Head> {
    let mut length = 0;
    let mut lines: Vec<String> = Vec::new();
    for line in received.split_inclusive(|byte| *byte == b'\n') {
        length += line.len();
        let line = String::from_utf8_lossy(line.strip_suffix(b"\n")?);
        let line = line.strip_suffix('\r').unwrap_or(&line);
        match lines.last_mut() {
            Some(_) if line.is_empty() => {
                let head = finished(&std::mem::take(&mut lines), length)?;
                // 101 is the last of its connection. The others of its class come before the reply.
                if head.status == 101 || head.status >= 200 {
                    return Some(head);
                }
            }
            Some(before) if line.starts_with([' ', '\t']) => {
                before.push(' ');
                before.push_str(line.trim());
            }
            None if line.is_empty() => {}
            _ => lines.push(line.to_owned()),
        }
    }
    None
}

fn finished(lines: &[String], length: usize) -> Option<Head> {
    let (first, fields) = lines.split_first()?;
    let field = |wanted: &str| {
        let fields = fields.iter().filter_map(|line| line.split_once(':'));
        let mut values = fields.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        values.next().map(|(_, value)| value.trim().to_owned())
    };
    Some(Head {
        status: status(first)?,
        retry_after: field("retry-after"),
        location: field("location"),
        length,
    })
}

/// The status of a status line, of whatever minor version and reason.
fn status(line: &str) -> Option<u16> {
    let (_minor, rest) = line.strip_prefix("HTTP/1.")?.split_once(' ')?;
    let digits = rest
        .trim_start()
        .split(|character: char| !character.is_ascii_digit());
    let digits = digits.take(1).find(|digits| digits.len() == 3)?;
    digits.parse().ok().filter(|status| *status >= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(text: &str) -> Option<u16> {
        read(text.as_bytes()).map(|head| head.status)
    }

    #[test]
    fn a_status_stands_once_its_head_is_there() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", Some(200)),
            ("HTTP/1.1 200\r\n\r\n", Some(200)),
            ("HTTP/1.1  204  \r\n\r\n", Some(204)),
            ("HTTP/1.0 503 b\u{e4}d\n\n", Some(503)),
            ("\r\n\r\nHTTP/1.1 202 X\r\n\r\n", Some(202)),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 410 X\r\n\r\n",
                Some(410),
            ),
            ("HTTP/1.1 101 X\r\n\r\n", Some(101)),
            ("HTTP/1.1 200 OK\r\n", None),
            ("HTTP/1.1 200 OK\r\na: b\r\n \r", None),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
            ("HTTP/1.1 2000 X\r\n\r\n", None),
            ("HTTP/1.1 99 X\r\n\r\n", None),
            ("HTTP/2 200\r\n\r\n", None),
            ("SSH-2.0-OpenSSH_9.9\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(status_of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_fields_that_are_needed_are_found_among_any_others() {
        let text = "HTTP/1.1 429 X\r\nServer : x\r\njunk\r\n: nameless\r\nX:\0\r\nRetry-After\t:\r\n\t60\r\n\
                    retry-after: 7\r\nLOCATION: https://a.example/\r\n  b\r\n\r\nbody";
        let head = read(text.as_bytes()).unwrap();
        assert_eq!(head.retry_after.as_deref(), Some("60"));
        assert_eq!(head.location.as_deref(), Some("https://a.example/ b"));
        assert_eq!(&text[head.length..], "body");
    }
}
