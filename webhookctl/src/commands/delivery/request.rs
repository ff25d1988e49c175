//! The last request of a delivery: with its body, and without credentials.

use crate::body::Body;
use serde::{Serialize, Serializer};
use webhook_gateway::delivery::http::guard::without_query;
use webhook_gateway::delivery::signing::{ID, TIMESTAMP};
use webhook_gateway::store::deliveries::Sent;

/// The headers whose values are shown: the gateway's own headers, except the signature.
const OURS: [&str; 4] = ["content-type", "user-agent", ID, TIMESTAMP];

/// A request as it was sent.
#[derive(Serialize)]
pub(crate) struct Request {
    method: &'static str,
    url: String,
    #[serde(serialize_with = "as_map")]
    headers: Vec<(String, String)>,
    #[serde(flatten)]
    body: Body,
}

impl Request {
    pub(crate) fn of(sent: &Sent, body: Option<Vec<u8>>) -> Self {
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in &sent.headers {
            let is_ours = OURS.iter().any(|own| name.eq_ignore_ascii_case(own));
            let value = if is_ours { value } else { "[redacted]" };
            match headers.iter_mut().find(|(before, _)| before == name) {
                Some((_, before)) => *before += &format!(", {value}"),
                None => headers.push((name.clone(), value.to_owned())),
            }
        }
        Self {
            method: "POST",
            url: without_query(&sent.url),
            headers,
            body: Body::of(body),
        }
    }

    /// The request as text.
    pub(crate) fn text(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| (name, value));
        let body = self.body.after_headers(headers);
        format!("{} {}\n{body}", self.method, self.url)
    }
}

/// Names and values, in the order in which they were sent.
fn as_map<S: Serializer>(
    headers: &[(String, String)],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().map(|(name, value)| (name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::delivery;
    use webhook_gateway::store::deliveries::State;

    #[test]
    fn a_request_reads_as_it_was_sent() {
        let sent = delivery(State::Exhausted).request.unwrap();
        let request = Request::of(&sent, Some(b"{}".into()));
        let expected = "\
POST https://example.com/hook
content-type: application/cloudevents+json
webhook-id: ep_1_1790000000000_d
authorization: [redacted]

{}";
        assert_eq!(request.text(), expected);
    }

    #[test]
    fn a_header_that_was_sent_twice_has_both_values() {
        let twice = |value: &str| ("x-more".to_owned(), value.to_owned());
        let sent = Sent {
            url: "https://example.com/a?key=hunter2".to_owned(),
            headers: vec![twice("1"), twice("2")],
        };
        let request = Request::of(&sent, None);
        // Whoever wrote them: an older version stored the values, and the query.
        let values = "[redacted], [redacted]".to_owned();
        assert_eq!(request.headers, [("x-more".to_owned(), values)]);
        assert_eq!(request.url, "https://example.com/a");
    }
}
