//! A request as API Gateway hands it on, in the [payload format
//! 2.0](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
//! Whatever a sender puts into it, it is read: odd parts are left out, or are errors to answer.

use super::IngressError;
use crate::raw::RawObject;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::value::RawValue;

/// A request.
#[derive(Debug)]
pub struct Request {
    /// Its method; empty if that is not readable.
    pub method: String,
    /// The name of the source in its path, which may be none.
    pub source: String,
    /// Its path, and its query if it has one.
    pub target: String,
    /// What follows the question mark of its URL, as it was sent.
    pub query: String,
    /// When API Gateway received it, if that is readable.
    pub received_at: Option<Timestamp>,
    /// Its headers, but for those that HTTP does not allow.
    pub headers: HeaderMap,
    /// The bytes of its body.
    pub body: Result<Vec<u8>, IngressError>,
    /// Whether API Gateway took the body for text, and put U+FFFD where it was none.
    pub is_text: bool,
}

/// What of the event is of use. A part that is not as it should be is found all the same.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    request_context: &'a RawValue,
    #[serde(borrow)]
    raw_path: Option<&'a RawValue>,
    #[serde(borrow)]
    raw_query_string: Option<&'a RawValue>,
    #[serde(borrow)]
    path_parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    is_base64_encoded: Option<&'a RawValue>,
    #[serde(rename = "Records")]
    _records: Option<OfAStream>,
}

/// The records of a batch, which no request has: to meet them ends the reading.
struct OfAStream;

impl<'de> Deserialize<'de> for OfAStream {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("not a request"))
    }
}

impl Request {
    /// The request that an event of Lambda's is, or `None` if it is something else. This is told by a part
    /// that a sender has no hand in.
    pub fn read(event: &str) -> Option<Self> {
        let event: Event<'_> = serde_json::from_str(event).ok()?;
        let http = member(event.request_context, "http")?;
        let RawObject(_) = serde_json::from_str(http.get()).ok()?;
        let method = member(http, "method").and_then(value);
        let source = event
            .path_parameters
            .and_then(|parameters| member(parameters, "source"));
        let source: String = source.and_then(value).unwrap_or_default();
        let query: String = event.raw_query_string.and_then(value).unwrap_or_default();
        let path: String = event.raw_path.and_then(value).unwrap_or_default();
        let received_at = member(event.request_context, "timeEpoch").and_then(value);
        let is_base64 = optional(event.is_base64_encoded);
        let body = optional(event.body);
        Some(Self {
            method: method.unwrap_or_default(),
            source: source.trim_end_matches('/').to_owned(),
            target: match &*query {
                "" => path,
                query => format!("{path}?{query}"),
            },
            query,
            received_at: received_at.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            headers: event.headers.map(headers).unwrap_or_default(),
            is_text: !matches!(is_base64, Ok(Some(true))),
            body: bytes(body, is_base64),
        })
    }
}

/// The bytes of a body.
fn bytes(
    body: Result<Option<String>, IngressError>,
    is_base64: Result<Option<bool>, IngressError>,
) -> Result<Vec<u8>, IngressError> {
    let body = body?.unwrap_or_default();
    if is_base64?.unwrap_or_default() {
        return STANDARD.decode(body).map_err(|_| IngressError::NotBase64);
    }
    Ok(body.into_bytes())
}

/// A member of an object; of several with one name the last.
fn member<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    let RawObject(members) = serde_json::from_str(object.get()).ok()?;
    let is_it = |text: &RawValue| value::<String>(text).is_some_and(|text| text == name);
    let mut last_first = members.into_iter().rev();
    last_first
        .find(|(text, _)| is_it(text))
        .map(|(_, value)| value)
}

fn value<T: DeserializeOwned>(json: &RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

/// A value that may be missing, but is nothing else.
fn optional<T: DeserializeOwned>(json: Option<&RawValue>) -> Result<Option<T>, IngressError> {
    json.map(|json| value(json).ok_or(IngressError::NotReadable))
        .transpose()
}

/// The headers that HTTP allows.
fn headers(json: &RawValue) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(RawObject(members)) = serde_json::from_str(json.get()).ok() else {
        return headers;
    };
    for (name, values) in members {
        let name: Option<String> = value(name);
        let name = name.and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        let values = match value::<String>(values) {
            Some(value) => vec![value],
            None => value::<Vec<String>>(values).unwrap_or_default(),
        };
        for value in values {
            if let (Some(name), Ok(value)) = (&name, HeaderValue::from_bytes(value.as_bytes())) {
                // One that the map has no room for is left out too.
                headers.try_append(name, value).ok();
            }
        }
    }
    headers
}
