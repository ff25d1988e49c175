//! The handshake of
//! [CloudEvents](https://github.com/cloudevents/spec/blob/ce%40v1.0.2/cloudevents/http-webhook.md#4-abuse-protection):
//! before it sends webhooks, a sender asks by `OPTIONS` whether it may.

use super::{IngressError, response};
use crate::store::sources::Source;
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use http::header::{HeaderMap, HeaderName, HeaderValue};

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");

/// Consents at once or not at all. No callback of the sender's choice is ever called.
pub(super) fn consent(
    source: &Source,
    headers: &HeaderMap,
) -> Result<ApiGatewayV2httpResponse, IngressError> {
    let origin = headers
        .get(REQUEST_ORIGIN)
        .cloned()
        .unwrap_or(HeaderValue::from_static(""));
    // The names of hosts have no case.
    let allows = |allowed: &String| {
        allowed == "*" || allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes())
    };
    if origin.is_empty() || !source.origins.iter().any(allows) {
        return Err(IngressError::Origin(
            String::from_utf8_lossy(origin.as_bytes()).into_owned(),
        ));
    }
    Ok(response::consent(origin))
}
