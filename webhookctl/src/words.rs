//! How a recipe authenticates, in words.

use http::HeaderName;
use serde_json::{Map, Value};
use webhook_gateway::providers::handshake::Handshake;
use webhook_gateway::providers::recipe::{Authenticity, Dedupe, Recipe};

/// How webhooks are authenticated, from the fields of a valid recipe: `HMAC-SHA256 of the body, Base64, in
/// X-Signature`.
pub(crate) fn authentication(fields: &Map<String, Value>) -> String {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    match text("auth") {
        Some("none") => "none: anyone who knows the Payload URL can send".to_owned(),
        Some("basic") => "a user and a password (HTTP Basic)".to_owned(),
        Some("token") => token(fields),
        _ => signature(fields),
    }
}

fn token(fields: &Map<String, Value>) -> String {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    match (text("token_header"), text("token_path")) {
        (Some(header), _) => match text("signature_prefix").filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => format!("a token in {header}, after `{prefix}`"),
            None => format!("a token in {header}"),
        },
        (None, path) => format!("a token in the body, at {}", path.unwrap_or_default()),
    }
}

fn signature(fields: &Map<String, Value>) -> String {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let hash = text("algorithm").unwrap_or("sha256").to_ascii_uppercase();
    let hash = hash.replace("SHA", "SHA-");
    let kind = match (text("auth"), text("algorithm")) {
        (Some("public-key"), Some("ed25519")) => "an Ed25519 signature".to_owned(),
        (Some("public-key"), Some("rsa-sha256")) => "an RSA signature (SHA-256)".to_owned(),
        (Some("public-key"), _) => "an ECDSA signature (P-256, SHA-256)".to_owned(),
        (Some("hash"), _) => format!("a {hash} hash"),
        _ => format!("HMAC-{}", hash.replace('-', "")),
    };
    let signed = match text("signed") {
        None | Some("{body}") => "the body".to_owned(),
        Some(template) => format!("`{}`", template.escape_debug()),
    };
    let encoding = match text("encoding") {
        Some("base64") => "Base64",
        Some("base64url") => "Base64 for URLs",
        _ => "hex",
    };
    let prefix = match text("signature_prefix") {
        None | Some("") => String::new(),
        Some(prefix) => format!(" after `{prefix}`"),
    };
    let header = match fields.get("signature_header") {
        Some(Value::Array(names)) => match (names.first(), names.last()) {
            (Some(first), Some(last)) if names.len() == 2 => {
                format!("{} or {}", plain(first), plain(last))
            }
            (Some(first), Some(last)) if names.len() > 2 => {
                format!("{} to {}", plain(first), plain(last))
            }
            (first, _) => first.map(plain).unwrap_or_default().to_owned(),
        },
        name => name.map(plain).unwrap_or_default().to_owned(),
    };
    format!("{kind} of {signed}, {encoding}{prefix}, in {header}")
}

fn plain(name: &Value) -> &str {
    name.as_str().unwrap_or_default()
}

/// What an accepted webhook is proof of.
pub(crate) fn authenticity(authenticity: Authenticity) -> &'static str {
    match authenticity {
        Authenticity::Signature => {
            "signature: the sender has the secret, and the body is unchanged"
        }
        Authenticity::Token => {
            "token: the sender has the secret, but nothing shows that the body is unchanged"
        }
        Authenticity::None => "none: anyone who knows the Payload URL can have sent it",
    }
}

/// How copies of a webhook are known.
pub(crate) fn dedupe(recipe: &Recipe) -> &'static str {
    match recipe.dedupe() {
        Dedupe::Id => "by the id",
        Dedupe::Body => "by the body",
    }
}

/// The request of a handshake and its answer.
pub(crate) fn handshake(handshake: &Handshake) -> String {
    let what = match handshake {
        Handshake::Challenge => "GET ?challenge=X is answered with X",
        Handshake::Hub { .. } => {
            "GET ?hub.mode=subscribe with the verify token is answered with hub.challenge"
        }
        Handshake::ValidationToken => "GET or POST ?validationToken=X is answered with X",
        Handshake::Slack => "a signed url_verification is answered with its challenge",
        Handshake::EchoChallenge => "POST {\"challenge\": X} is answered with the same",
        Handshake::Zoom => {
            "a signed endpoint.url_validation is answered with the HMAC of its token"
        }
        Handshake::Okta => "GET with X-Okta-Verification-Challenge is answered with its value",
        Handshake::HookSecret => {
            "POST with X-Hook-Secret is answered with the same, while the source waits for its secret"
        }
        Handshake::VerificationToken => {
            "POST {\"verification_token\": X} is answered, while the source waits for its secret"
        }
        Handshake::HeaderEcho => "each answer repeats the header of the token",
        Handshake::Ping => "the provider's unsigned test is answered",
        Handshake::CloudEvents => "OPTIONS is answered, as CloudEvents webhooks ask for it",
    };
    format!("{}: {what}", handshake.name())
}

/// Names of headers as one text.
pub(crate) fn headers(names: &[&HeaderName]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use webhook_gateway::providers::presets;

    #[test]
    fn an_authentication_is_told_in_words() {
        for (preset, words) in [
            (
                "github",
                "HMAC-SHA256 of the body, hex after `sha256=`, in X-Hub-Signature-256",
            ),
            (
                "shopify",
                "HMAC-SHA256 of the body, Base64, in X-Shopify-Hmac-SHA256 or shopify-hmac-sha256",
            ),
            (
                "stripe",
                "HMAC-SHA256 of `{timestamp}.{body}`, hex after `v1=`, in Stripe-Signature",
            ),
            (
                "cloudinary",
                "a SHA-1 hash of `{body}{timestamp}{secret}`, hex, in X-Cld-Signature",
            ),
            ("hibob", "HMAC-SHA512 of the body, Base64, in Bob-Signature"),
            (
                "sendgrid",
                "an ECDSA signature (P-256, SHA-256) of `{timestamp}{body}`, Base64, in \
                 X-Twilio-Email-Event-Webhook-Signature",
            ),
            (
                "docusign",
                "HMAC-SHA256 of the body, Base64, in X-DocuSign-Signature-1 to X-DocuSign-Signature-10",
            ),
            ("gitlab", "a token in X-Gitlab-Token"),
            (
                "microsoft-graph",
                "a token in the body, at $.value[*].clientState",
            ),
        ] {
            let fields = Recipe::fields_of_source(preset, &Map::new()).unwrap();
            assert_eq!(authentication(&fields), words, "{preset}");
        }
        let of = |fields: Value| authentication(fields.as_object().unwrap());
        assert!(of(json!({"auth": "none"})).starts_with("none"));
        assert!(of(json!({"auth": "basic"})).contains("password"));
    }

    #[test]
    fn each_preset_is_told_in_words_that_name_its_headers() {
        for preset in presets::all() {
            let fields = Recipe::fields_of_source(preset.name(), &Map::new()).unwrap();
            let words = authentication(&fields);
            let header = fields
                .get("signature_header")
                .or(fields.get("token_header"));
            let named = match header {
                Some(Value::Array(names)) => words.contains(plain(&names[0])),
                Some(name) => words.contains(plain(name)),
                None => words.contains("in the body"),
            };
            assert!(named, "{}: {words}", preset.name());
        }
    }
}
