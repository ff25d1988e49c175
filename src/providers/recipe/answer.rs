//! Reads what a recipe says of the answers: to handshakes, and to accepted webhooks.

use super::error::{invalid, missing};
use super::fields::Fields;
use super::{RecipeError, Response};
use crate::crypto::secret::trimmed;
use crate::providers::attribute::is_media_type;
use crate::providers::handshake::Handshake;
use serde_json::Value;

/// A longer answer is none; a provider that insists on one insists on a short one.
const MAX_RESPONSE_BYTES: usize = 4_096;

pub(super) fn handshake(fields: &Fields<'_>) -> Result<Option<Handshake>, RecipeError> {
    let verify_token = fields.some_text("verify_token")?;
    if let Some("hub") = fields.text("handshake")? {
        let because =
            "the handshake hub compares it; choose a text and enter it at the provider too";
        let token = verify_token.map(trimmed).filter(|token| !token.is_empty());
        let verify_token = token
            .ok_or_else(|| missing("verify_token", because))?
            .into();
        return Ok(Some(Handshake::Hub { verify_token }));
    }
    fields.forbid(&["verify_token"], "it goes with the handshake hub only")?;
    let names = [
        ("challenge", Handshake::Challenge),
        ("validation-token", Handshake::ValidationToken),
        ("slack", Handshake::Slack),
        ("echo-challenge", Handshake::EchoChallenge),
        ("zoom", Handshake::Zoom),
        ("okta", Handshake::Okta),
        ("hook-secret", Handshake::HookSecret),
        ("verification-token", Handshake::VerificationToken),
        ("header-echo", Handshake::HeaderEcho),
        ("ping", Handshake::Ping),
        ("cloudevents", Handshake::CloudEvents),
    ];
    let Some(text) = fields.text("handshake")? else {
        return Ok(None);
    };
    let named = names.into_iter().find(|(name, _)| *name == text);
    let expected = "challenge, hub, validation-token, slack, echo-challenge, zoom, okta, hook-secret, \
                    verification-token, header-echo, ping or cloudevents";
    match named {
        Some((_, handshake)) => Ok(Some(handshake)),
        None => Err(invalid("handshake", expected)),
    }
}

pub(super) fn response(fields: &Fields<'_>) -> Result<Option<Response>, RecipeError> {
    let expected =
        "an object with a status of 2xx, and a content_type and a short body if you like";
    let wrong = || invalid("response", expected);
    let Some(response) = fields.get("response") else {
        return Ok(None);
    };
    let response = response.as_object().ok_or_else(wrong)?;
    let response = Fields::of("response", response, &["status", "content_type", "body"])?;
    let status = response.get("status").and_then(Value::as_u64);
    let status = status.filter(|status| (200..300).contains(status));
    let status = status.and_then(|status| u16::try_from(status).ok());
    let text = |field, default| match response.get(field) {
        None => Some(default),
        Some(value) => value.as_str(),
    };
    let content_type = text("content_type", "text/plain").filter(|text| is_media_type(text));
    let body = text("body", "").filter(|body| body.len() <= MAX_RESPONSE_BYTES);
    Ok(Some(Response {
        status: status.ok_or_else(wrong)?,
        content_type: content_type.ok_or_else(wrong)?.to_owned(),
        body: body.ok_or_else(wrong)?.to_owned(),
    }))
}
