//! The responses on the HTTP path.

use super::IngressError;
use crate::providers::handshake::Answer;
use crate::providers::recipe::Response;
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use http::header::{self, HeaderName, HeaderValue};
use serde_json::{Value, json};

/// Seconds until a provider that asks may try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("30");

/// What the path of a source takes.
const ALLOW: HeaderValue = HeaderValue::from_static("POST, OPTIONS");

const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// A webhook is recorded. To its provider, one that is in conflict is as good as any.
///
/// The provider may insist on an answer of its own, or on a header of its request.
pub(super) fn recorded(
    outcome: &str,
    id: &str,
    insisted: Option<&Response>,
    echo: Option<(HeaderName, HeaderValue)>,
) -> ApiGatewayV2httpResponse {
    let status = if outcome == "conflict" {
        "accepted"
    } else {
        outcome
    };
    let mut response = match insisted {
        Some(insisted) => own(insisted),
        None => response(
            200,
            "application/json",
            &json!({"status": status, "id": id}),
        ),
    };
    response.headers.extend(echo);
    response
}

/// An answer as a provider insists on it.
fn own(insisted: &Response) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = insisted.status.into();
    if !insisted.body.is_empty() {
        let content_type = HeaderValue::from_str(&insisted.content_type);
        let content_type = content_type.ok().map(|value| (header::CONTENT_TYPE, value));
        response.headers.extend(content_type);
        response.body = Some(Body::Text(insisted.body.clone()));
    }
    response
}

/// A handshake is answered.
pub(super) fn handshake(answer: Answer) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = 200;
    response.headers.extend(answer.headers);
    response.body = Some(answer.body)
        .filter(|body| !body.is_empty())
        .map(Body::Text);
    response
}

/// An origin may send webhooks, at any rate.
pub(super) fn consent(origin: HeaderValue) -> ApiGatewayV2httpResponse {
    let mut response = response(200, "application/json", &json!({"status": "allowed"}));
    response.headers.insert(header::ALLOW, ALLOW);
    response.headers.insert(ALLOWED_ORIGIN, origin);
    response
        .headers
        .insert(ALLOWED_RATE, HeaderValue::from_static("*"));
    response
}

/// A request is rejected, or fails, in the form of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457).
///
/// There are providers that insist on a rejection without a body.
pub(super) fn refusal(error: &IngressError, is_bodiless: bool) -> ApiGatewayV2httpResponse {
    let status = error.status();
    let problem = json!({"type": "about:blank", "title": error.title(), "status": status});
    let mut response = response(status, "application/problem+json", &problem);
    match status {
        405 => response.headers.insert(header::ALLOW, ALLOW),
        503 => response.headers.insert(header::RETRY_AFTER, RETRY_AFTER),
        _ => None,
    };
    if is_bodiless {
        response.headers.remove(header::CONTENT_TYPE);
        response.body = None;
    }
    response
}

fn response(status: u16, content_type: &'static str, body: &Value) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = status.into();
    response
        .headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.body = Some(Body::Text(body.to_string()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sources::Source;

    #[test]
    fn a_provider_gets_the_answer_that_it_insists_on() {
        let usual = recorded("conflict", "1", None, None);
        assert_eq!(usual.status_code, 200);
        let Some(Body::Text(text)) = usual.body else {
            panic!("no body");
        };
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body, json!({"id": "1", "status": "accepted"}));

        let entry = json!({
            "provider": "creads", "secrets": ["s"],
            "response": {"status": 202, "content_type": "text/html", "body": "<ok/>"},
        });
        let source = Source::parse("s", &entry).unwrap();
        let echo = (
            HeaderName::from_static("x-id"),
            HeaderValue::from_static("7"),
        );
        let own = recorded("accepted", "1", source.recipe.response(), Some(echo));
        assert_eq!(own.status_code, 202);
        assert_eq!(own.body, Some(Body::Text("<ok/>".to_owned())));
        assert_eq!(own.headers[header::CONTENT_TYPE], "text/html");
        assert_eq!(own.headers["x-id"], "7");
    }

    #[test]
    fn a_rejection_has_no_body_where_the_provider_insists_on_none() {
        let error = IngressError::Altered("x".to_owned());
        for (is_bodiless, content_type) in [(false, true), (true, false)] {
            let response = refusal(&error, is_bodiless);
            assert_eq!(response.status_code, 401);
            assert_eq!(response.body.is_none(), is_bodiless);
            assert_eq!(
                response.headers.contains_key(header::CONTENT_TYPE),
                content_type
            );
        }
        let xero = json!({"provider": "xero", "secrets": ["s"]});
        let xero = Source::parse("s", &xero).unwrap();
        assert!(xero.recipe.response().unwrap().body.is_empty());
    }
}
