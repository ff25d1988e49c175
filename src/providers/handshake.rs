//! The handshakes by which providers check a URL before they send webhooks to it, and from time to time
//! after it.
//!
//! An answer is a pure function of the request and of its source. It calls nobody, and nothing of the
//! request is recorded, but for a secret that a source waits for. A paused source answers too.

use super::document::{self, Document};
use super::json;
use super::recipe::{Recipe, Scheme, TokenPlace};
use super::{Incoming, Verified};
use crate::crypto::mac::Hash;
use crate::crypto::secret::Secret;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use percent_encoding::percent_decode;
use serde_json::json;
use std::borrow::Cow;
use subtle::ConstantTimeEq;

/// A longer challenge is refused.
const MAX_CHALLENGE_BYTES: usize = 1_024;

/// A longer secret is refused: it would not be kept whole.
pub const MAX_SECRET_BYTES: usize = 256;

static OKTA_CHALLENGE: HeaderName = HeaderName::from_static("x-okta-verification-challenge");
/// The header that brings the secret of a source.
pub static HOOK_SECRET: HeaderName = HeaderName::from_static("x-hook-secret");
static ADOBE_CLIENT_ID: HeaderName = HeaderName::from_static("x-adobesign-clientid");

/// A handshake of the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handshake {
    /// `GET ?challenge=X` is answered with X.
    Challenge,
    /// `GET ?hub.mode=subscribe` with the right token is answered with its challenge.
    Hub {
        /// What `hub.verify_token` must equal. It is no secret: nothing is signed with it.
        verify_token: VerifyToken,
    },
    /// `GET` or `POST ?validationToken=X` is answered with X.
    ValidationToken,
    /// A signed `url_verification` is answered with its challenge.
    Slack,
    /// A body of `{"challenge": X}` and nothing else is answered with the same.
    EchoChallenge,
    /// A signed `endpoint.url_validation` is answered with the HMAC of its token.
    Zoom,
    /// `GET` with `X-Okta-Verification-Challenge` is answered with its value.
    Okta,
    /// `POST` with `X-Hook-Secret` brings the secret of a source that waits for it, until the operator takes
    /// it over.
    HookSecret,
    /// A body of `{"verification_token": X}` shows the secret of a source that waits for it.
    VerificationToken,
    /// Any request is answered with the header that it brings the token in.
    HeaderEcho,
    /// A test that the provider sends unsigned is answered.
    Ping,
    /// `OPTIONS`, which the validation of CloudEvents answers.
    CloudEvents,
}

/// A text that `hub.verify_token` must equal. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyToken(Box<str>);

/// What a source tells about itself.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its secrets.
    pub secrets: &'a [Secret],
    /// Whether it has no secret yet, and its operator wants it to take the one that the provider sends.
    pub waits: bool,
    /// The request as authentic, if it is.
    pub verified: Option<Verified<'a>>,
}

/// What becomes of a request that is a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is answered with 200.
    Answer(Answer),
    /// It is answered with this status: it has the form of the handshake, and what it asks for is not given.
    Refused(u16),
}

/// The answer to a handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The headers, content type included.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: String,
    /// What the caller does before the answer. If that fails, so does the handshake.
    pub effect: Option<Effect>,
}

/// What a handshake leaves behind. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Effect {
    /// The request is kept, with the secret in its header [`HOOK_SECRET`], until the operator takes it over.
    KeepSecret,
    /// The text is shown to the operator, who enters it at the provider and as the secret.
    ShowToken(String),
}

impl From<&str> for VerifyToken {
    fn from(token: &str) -> Self {
        Self(token.into())
    }
}

impl std::fmt::Debug for VerifyToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[REDACTED]")
    }
}

impl std::fmt::Debug for Effect {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::KeepSecret => "KeepSecret",
            Self::ShowToken(_) => "ShowToken([REDACTED])",
        })
    }
}

impl Handshake {
    /// The name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Hub { .. } => "hub",
            Self::ValidationToken => "validation-token",
            Self::Slack => "slack",
            Self::EchoChallenge => "echo-challenge",
            Self::Zoom => "zoom",
            Self::Okta => "okta",
            Self::HookSecret => "hook-secret",
            Self::VerificationToken => "verification-token",
            Self::HeaderEcho => "header-echo",
            Self::Ping => "ping",
            Self::CloudEvents => "cloudevents",
        }
    }

    /// The verify token, if it has one.
    pub(super) fn verify_token(&self) -> Option<&str> {
        match self {
            Self::Hub { verify_token } => Some(&verify_token.0),
            _ => None,
        }
    }

    /// The header that it is in, if it is in one of its own.
    pub(super) fn header(&self) -> Option<&'static HeaderName> {
        match self {
            Self::Okta => Some(&OKTA_CHALLENGE),
            Self::HookSecret => Some(&HOOK_SECRET),
            Self::HeaderEcho => Some(&ADOBE_CLIENT_ID),
            _ => None,
        }
    }
}

impl Recipe {
    /// What becomes of a request if it is a handshake; `None` if it is a webhook, or nothing known.
    ///
    /// A `POST` is verified before: what a provider signed is a webhook, whatever else it looks like,
    /// unless the handshake itself is signed.
    pub fn answer(&self, incoming: &Incoming<'_>, facts: Facts<'_>) -> Option<Reply> {
        let is_get = incoming.method == "GET";
        let is_post = incoming.method == "POST";
        // Bodies and headers of a POST that a secret vouches for are those of a webhook.
        let is_unsigned = facts
            .verified
            .and_then(|webhook| webhook.secret())
            .is_none();
        match self.handshake()? {
            Handshake::Challenge if is_get => query(incoming, "challenge").map(in_text),
            Handshake::Hub { verify_token } if is_get => hub(incoming, &verify_token.0),
            Handshake::ValidationToken if is_get || is_post && is_unsigned => {
                query(incoming, "validationToken").map(in_text)
            }
            Handshake::Slack if is_post => slack(incoming, facts.verified?),
            Handshake::Zoom if is_post => zoom(incoming, facts.verified?, facts.secrets),
            Handshake::EchoChallenge if is_post && is_unsigned => {
                let challenge = only_member(incoming.body, "challenge")?;
                Some(reply(challenge, |text| {
                    in_json(&json!({"challenge": text}))
                }))
            }
            Handshake::Okta if is_get => {
                let challenge = header(incoming, &OKTA_CHALLENGE)?;
                Some(reply(challenge, |text| {
                    in_json(&json!({"verification": text}))
                }))
            }
            Handshake::HookSecret if is_post && is_unsigned => self.hook_secret(incoming, facts),
            Handshake::VerificationToken if is_post && facts.waits && facts.secrets.is_empty() => {
                let token = only_member(incoming.body, "verification_token")?;
                Some(reply(token, |text| Answer {
                    effect: Some(Effect::ShowToken(text.to_owned())),
                    ..Answer::default()
                }))
            }
            Handshake::HeaderEcho if !is_post => {
                let echo = self.echo(incoming, facts.secrets)?;
                Some(Reply::Answer(Answer {
                    headers: vec![echo],
                    ..Answer::default()
                }))
            }
            Handshake::Ping if is_unsigned && is_ping(incoming) => {
                Some(Reply::Answer(Answer::default()))
            }
            _ => None,
        }
    }

    /// The header that every answer repeats, that to a webhook too, if the handshake is `header-echo` and
    /// the header equals a secret.
    pub fn echo(
        &self,
        incoming: &Incoming<'_>,
        secrets: &[Secret],
    ) -> Option<(HeaderName, HeaderValue)> {
        if *self.handshake()? != Handshake::HeaderEcho {
            return None;
        }
        let name = match self.scheme() {
            Scheme::Token(TokenPlace::Header { name, .. }) => name,
            _ => &ADOBE_CLIENT_ID,
        };
        let value = incoming.headers.get(name)?;
        has_secret(secrets, value.as_bytes()).then(|| (name.clone(), value.clone()))
    }

    /// The answer to a provider that offers a secret: a source that waits for one keeps it, and any other
    /// one repeats none but its own.
    fn hook_secret(&self, incoming: &Incoming<'_>, facts: Facts<'_>) -> Option<Reply> {
        let offered = header(incoming, &HOOK_SECRET)?;
        let waits = facts.waits && facts.secrets.is_empty();
        let usable = offered.and_then(|text| {
            let value = HeaderValue::from_str(&text).map_err(|_| 400_u16)?;
            let secret = self.secret(&text).map_err(|_| 400_u16)?;
            let is_fit = text.len() <= MAX_SECRET_BYTES && !text.contains(char::is_control);
            is_fit.then_some((value, secret)).ok_or(400)
        });
        let (value, secret) = match usable {
            Ok(usable) => usable,
            Err(status) => return waits.then_some(Reply::Refused(status)),
        };
        if !waits && !has_secret(facts.secrets, secret.as_bytes()) {
            return None;
        }
        Some(Reply::Answer(Answer {
            headers: vec![(HOOK_SECRET.clone(), value)],
            body: String::new(),
            effect: waits.then_some(Effect::KeepSecret),
        }))
    }
}

/// Whether a text is one of the secrets. Without a lazy `any`, as the time must not tell secrets apart.
fn has_secret(secrets: &[Secret], text: &[u8]) -> bool {
    let equals = |secret: &Secret| bool::from(secret.as_bytes().ct_eq(text));
    let secrets = secrets.iter();
    secrets.fold(false, |found, secret| found | equals(secret))
}

/// The challenge of a request, or why it is refused.
type Challenge<'a> = Result<Cow<'a, str>, u16>;

/// The answer to a challenge that is fit to be repeated.
fn reply(challenge: Challenge<'_>, answer: impl FnOnce(&str) -> Answer) -> Reply {
    match challenge {
        Err(status) => Reply::Refused(status),
        Ok(text) if text.is_empty() || text.len() > MAX_CHALLENGE_BYTES => Reply::Refused(400),
        Ok(text) if text.contains(char::is_control) => Reply::Refused(400),
        Ok(text) => Reply::Answer(answer(&text)),
    }
}

fn in_text(challenge: Challenge<'_>) -> Reply {
    reply(challenge, |text| Answer {
        headers: vec![
            (CONTENT_TYPE, HeaderValue::from_static("text/plain")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ],
        body: text.to_owned(),
        effect: None,
    })
}

fn in_json(value: &serde_json::Value) -> Answer {
    Answer {
        headers: vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        body: value.to_string(),
        effect: None,
    }
}

fn hub(incoming: &Incoming<'_>, verify_token: &str) -> Option<Reply> {
    if query(incoming, "hub.mode")?.ok()? != "subscribe" {
        return None;
    }
    let challenge = query(incoming, "hub.challenge")?;
    let token = query(incoming, "hub.verify_token").and_then(Result::ok);
    let token = token.unwrap_or_default();
    match bool::from(token.as_bytes().ct_eq(verify_token.as_bytes())) {
        true => Some(in_text(challenge)),
        false => Some(Reply::Refused(403)),
    }
}

fn slack(incoming: &Incoming<'_>, _: Verified<'_>) -> Option<Reply> {
    let document = Document::from_body(incoming.body).ok()?;
    let text = |name| document.member(name).and_then(json::text_of);
    if text("type")? != "url_verification" {
        return None;
    }
    Some(in_text(text("challenge").ok_or(400)))
}

fn zoom(incoming: &Incoming<'_>, webhook: Verified<'_>, secrets: &[Secret]) -> Option<Reply> {
    let secret = secrets.get(webhook.secret()?)?;
    let document = Document::from_body(incoming.body).ok()?;
    let event = document.member("event").and_then(json::text_of)?;
    if event != "endpoint.url_validation" {
        return None;
    }
    let payload = document.member("payload");
    let token = payload.and_then(|payload| document::member_of(payload, "plainToken"));
    let token = token.and_then(json::text_of).ok_or(400);
    // The same secret signs `v0:<time>:<body>`: the answer to such a token would be the signature of a
    // webhook.
    let token = token.and_then(|text| {
        if text.contains(':') {
            Err(400)
        } else {
            Ok(text)
        }
    });
    Some(reply(token, |text| {
        let tag = Hash::Sha256.hmac(secret.as_bytes(), |sink| sink(text.as_bytes()));
        let encrypted = hex::encode(tag.as_bytes());
        in_json(&json!({"plainToken": text, "encryptedToken": encrypted}))
    }))
}

/// Whether it is a test that a provider is known to send: of `HiBob` a text, as such or in JSON; of
/// `WooCommerce` a form with the number of the webhook; of others a GET or HEAD.
fn is_ping(incoming: &Incoming<'_>) -> bool {
    const TEXT: &str = "Ping test";
    let is_number = |id: &[u8]| (1..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit);
    let body = incoming.body.trim_ascii();
    match incoming.method {
        "GET" | "HEAD" => true,
        "POST" => {
            body == TEXT.as_bytes()
                || serde_json::from_slice(body).is_ok_and(|text: String| text == TEXT)
                || body.strip_prefix(b"webhook_id=").is_some_and(is_number)
                || matches!(only_member(body, "text"), Some(Ok(text)) if text == TEXT)
        }
        _ => false,
    }
}

/// The value of a parameter in the query, decoded once. `None` if it is not there.
fn query<'a>(incoming: &Incoming<'a>, name: &str) -> Option<Challenge<'a>> {
    let mut values = incoming.query.split('&').filter_map(|parameter| {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (decoded(key).ok()? == name).then_some(value)
    });
    let value = values.next()?;
    Some(match values.next() {
        Some(_) => Err(400),
        None => decoded(value),
    })
}

fn decoded(text: &str) -> Challenge<'_> {
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| 400)
}

/// The value of a header, `None` if it is not there.
fn header<'a>(incoming: &Incoming<'a>, name: &HeaderName) -> Option<Challenge<'a>> {
    let mut values = incoming.headers.get_all(name).iter();
    let value = values.next()?;
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| 400);
    Some(match values.next() {
        Some(_) => Err(400),
        None => text.map(Cow::Borrowed),
    })
}

/// The text of a member, if the body is an object with this member and nothing else.
fn only_member<'a>(body: &'a [u8], name: &str) -> Option<Challenge<'a>> {
    // Nobody vouches for it, and it is short.
    if body.len() > 8 * MAX_CHALLENGE_BYTES {
        return None;
    }
    let Document::Object(object) = Document::from_body(body).ok()? else {
        return None;
    };
    let text = object.string(name).filter(|_| object.len() == 1)?;
    Some(Ok(text))
}
