//! A request as API Gateway hands it on, in the [payload format
//! 2.0](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
//! Whatever a sender puts into it, it is read: odd parts are left out, or are errors to answer.

use super::IngressError;
use crate::raw::{RawObject, Text};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::value::RawValue;
use std::borrow::Cow;

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
    request_context: RequestContext<'a>,
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

/// The part of the event that a sender has no hand in.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    #[serde(borrow)]
    http: Http<'a>,
    #[serde(borrow)]
    time_epoch: Option<&'a RawValue>,
}

#[derive(serde::Deserialize)]
struct Http<'a> {
    #[serde(borrow)]
    method: Option<&'a RawValue>,
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
        let RequestContext { http, time_epoch } = event.request_context;
        let source = event
            .path_parameters
            .and_then(|parameters| member(parameters, "source"));
        let source = source.and_then(text).unwrap_or_default();
        let query: String = event.raw_query_string.and_then(value).unwrap_or_default();
        let path: String = event.raw_path.and_then(value).unwrap_or_default();
        let received_at = time_epoch.and_then(value);
        let is_base64 = optional(event.is_base64_encoded);
        let body = optional(event.body);
        Some(Self {
            method: http.method.and_then(value).unwrap_or_default(),
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
    let mut last_first = members.into_iter().rev();
    last_first
        .find(|(member, _)| text(member).is_some_and(|member| member == name))
        .map(|(_, value)| value)
}

fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    let Text(text) = serde_json::from_str(json.get()).ok()?;
    Some(text)
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
    let Some(RawObject(members)) = serde_json::from_str(json.get()).ok() else {
        return HeaderMap::new();
    };
    let mut headers = HeaderMap::try_with_capacity(members.len()).unwrap_or_default();
    // One that the map has no room for is left out too.
    let mut append = |name: HeaderName, value: &str| {
        let value = HeaderValue::from_bytes(value.as_bytes()).ok();
        value.map(|value| headers.try_append(name, value))
    };
    for (name, values) in members {
        let name = text(name).and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        let Some(name) = name else { continue };
        if let Some(value) = text(values) {
            append(name, &value);
            continue;
        }
        for value in value::<Vec<String>>(values).unwrap_or_default() {
            append(name.clone(), &value);
        }
    }
    headers
}
