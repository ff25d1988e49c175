//! Reads a recipe, and refuses fields that do not go together.

use super::error::{contradiction, invalid, missing};
use super::fields::Fields;
use super::scheme::BodyPath;
use super::{
    Dedupe, Encoding, Events, Kind, Problem, Recipe, RecipeError, Scheme, SecretEncoding, Signing,
    TokenPlace,
};
use super::{answer, event, timestamp};
use crate::crypto::mac::Hash;
use crate::crypto::public_key::PublicKeyAlgorithm;
use crate::crypto::secret::trimmed;
use crate::providers::Provider;
use crate::providers::path::Path;
use crate::providers::template::{SignedTemplate, TemplateError};
use serde_json::{Map, Value};

const FIELDS: [&str; 23] = [
    "auth",
    "algorithm",
    "encoding",
    "signature_header",
    "signature_prefix",
    "delimiter",
    "timestamp_header",
    "timestamp_path",
    "timestamp_prefix",
    "timestamp_format",
    "timestamp_tolerance",
    "secret_encoding",
    "signed",
    "public_url",
    "token_header",
    "token_path",
    "handshake",
    "verify_token",
    "event",
    "body",
    "forward_headers",
    "response",
    "dedupe",
];

/// The fields of signatures alone: a token has no use for them.
pub const OF_SIGNATURES: [&str; 11] = [
    "algorithm",
    "encoding",
    "signature_header",
    "delimiter",
    "timestamp_header",
    "timestamp_path",
    "timestamp_prefix",
    "timestamp_format",
    "timestamp_tolerance",
    "secret_encoding",
    "signed",
];

const OF_TOKENS: [&str; 2] = ["token_header", "token_path"];

/// Fields that take the place of others in a preset.
const EXCLUSIVE: [(&str, &[&str]); 4] = [
    ("token_path", &["token_header", "signature_prefix"]),
    ("token_header", &["token_path"]),
    ("timestamp_path", &["timestamp_header", "timestamp_prefix"]),
    ("timestamp_header", &["timestamp_path"]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Auth {
    Hmac,
    Hash,
    Token,
    Basic,
    PublicKey,
    None,
}

/// The fields of a preset with those of a source in their places. None of them is null.
pub(super) fn merged(
    mut preset: Map<String, Value>,
    source: &Map<String, Value>,
) -> Map<String, Value> {
    let auth = |fields: &Map<String, Value>| {
        let auth = fields.get("auth").and_then(Value::as_str);
        auth.map(str::to_owned)
    };
    if let Some(chosen) = auth(source) {
        let was = auth(&preset).unwrap_or_else(|| "hmac".to_owned());
        if !(is_signed(&chosen) && is_signed(&was)) && chosen != was {
            let of_auth = [
                &OF_SIGNATURES[..],
                &OF_TOKENS,
                &["auth", "signature_prefix"],
            ]
            .concat();
            preset.retain(|name, _| !of_auth.contains(&name.as_str()));
        } else if (chosen == "public-key") != (was == "public-key") {
            preset.remove("algorithm");
        }
    }
    for (field, others) in EXCLUSIVE {
        if source.get(field).is_some_and(|value| !value.is_null()) {
            preset.retain(|name, _| !others.contains(&name.as_str()));
        }
    }
    for (name, value) in source {
        match (preset.get_mut(name), value) {
            (Some(Value::Object(members)), Value::Object(others)) if name == "event" => {
                members.extend(others.clone());
            }
            _ => _ = preset.insert(name.clone(), value.clone()),
        }
    }
    if let Some(Value::Object(members)) = preset.get_mut("event") {
        members.retain(|_, value| !value.is_null());
    }
    preset.retain(|_, value| !value.is_null());
    preset
}

/// Whether an `auth` is by signatures, which have most fields in common.
fn is_signed(auth: &str) -> bool {
    !matches!(auth, "token" | "basic" | "none")
}

/// The recipe of merged fields. The events of some providers are made in code.
pub(super) fn recipe(
    fields: &Map<String, Value>,
    code: Option<Provider>,
) -> Result<Recipe, RecipeError> {
    let fields = Fields::of("", fields, &FIELDS)?;
    let body = event::body(&fields)?;
    let scheme = scheme(&fields)?;
    let signs_form = matches!(&scheme, Scheme::Signed(signing) if signing.template.has_form());
    if signs_form && !body.is_form() {
        let because = "{form} needs a form: set body to form, or to form:FIELD";
        return Err(contradiction("signed", because));
    }
    let events = match code {
        None => Events::Mapped(event::mapping(&fields, &body)?),
        Some(provider) => {
            let because = "the gateway reads the webhooks of this provider in code; for an own mapping, take \
                           the provider custom";
            fields.forbid(&["event", "body"], because)?;
            Events::Code(provider)
        }
    };
    let mut recipe = Recipe {
        handshake: answer::handshake(&fields)?,
        forwarded: event::forwarded(&fields, &scheme)?,
        public_url: public_url(&fields)?,
        response: answer::response(&fields)?,
        dedupe: Dedupe::Body,
        scheme,
        body,
        events,
    };
    event::forbid_secret_headers(&recipe)?;
    recipe.dedupe = event::dedupe(&fields, &recipe)?;
    Ok(recipe)
}

fn scheme(fields: &Fields<'_>) -> Result<Scheme, RecipeError> {
    let kinds = [
        ("hmac", Auth::Hmac),
        ("hash", Auth::Hash),
        ("token", Auth::Token),
        ("basic", Auth::Basic),
        ("public-key", Auth::PublicKey),
        ("none", Auth::None),
    ];
    let expected = "hmac, hash, token, basic, public-key or none";
    let auth = fields
        .one_of("auth", &kinds, expected)?
        .unwrap_or(Auth::Hmac);
    match auth {
        Auth::Token => token(fields).map(Scheme::Token),
        Auth::Basic | Auth::None => {
            let because = "this auth has no signature and no token";
            fields.forbid(&OF_SIGNATURES, because)?;
            fields.forbid(&OF_TOKENS, because)?;
            fields.forbid(&["signature_prefix"], because)?;
            Ok(if auth == Auth::Basic {
                Scheme::Basic
            } else {
                Scheme::Open
            })
        }
        Auth::Hmac | Auth::Hash | Auth::PublicKey => {
            fields.forbid(&OF_TOKENS, "it goes with auth token only")?;
            signing(fields, auth).map(|signing| Scheme::Signed(Box::new(signing)))
        }
    }
}

fn token(fields: &Fields<'_>) -> Result<TokenPlace, RecipeError> {
    fields.forbid(
        &OF_SIGNATURES,
        "it goes with signatures, not with auth token",
    )?;
    let Some(path) = fields.text("token_path")? else {
        let because = "auth token needs token_header or token_path, where the token is";
        return Ok(TokenPlace::Header {
            name: fields
                .header("token_header")?
                .ok_or_else(|| missing("token_header", because))?,
            prefix: fields
                .text("signature_prefix")?
                .unwrap_or_default()
                .to_owned(),
        });
    };
    let because = "a token is in one place, token_header or token_path";
    if fields.header("token_header")?.is_some() {
        return Err(contradiction("token_path", because));
    }
    fields.forbid(&["signature_prefix"], "a token in the body has no prefix")?;
    let expected = "a path such as $.token or $.value[*].clientState";
    let path = Path::parse_with_each(path).ok_or_else(|| invalid("token_path", expected))?;
    Ok(TokenPlace::Body(BodyPath(path)))
}

fn signing(fields: &Fields<'_>, auth: Auth) -> Result<Signing, RecipeError> {
    let encodings = [
        ("hex", Encoding::Hex),
        ("base64", Encoding::Base64),
        ("base64url", Encoding::Base64Url),
    ];
    let encoding = fields.one_of("encoding", &encodings, "hex, base64 or base64url")?;
    let encodings = [
        ("raw", SecretEncoding::Raw),
        ("base64", SecretEncoding::Base64),
        ("hex", SecretEncoding::Hex),
    ];
    let secret_encoding = fields.one_of("secret_encoding", &encodings, "raw, base64 or hex")?;
    let headers = fields.headers("signature_header")?;
    if headers.is_empty() {
        let because = "a signature is in a header; name it";
        return Err(missing("signature_header", because));
    }
    let template = template(fields, auth)?;
    let signing = Signing {
        kind: kind(fields, auth)?,
        encoding: encoding.unwrap_or(Encoding::Hex),
        prefix: fields
            .text("signature_prefix")?
            .unwrap_or_default()
            .to_owned(),
        delimiter: fields.some_text("delimiter")?.map(str::to_owned),
        timestamp: None,
        secret_encoding: secret_encoding.unwrap_or(SecretEncoding::Raw),
        headers,
        template,
    };
    let timestamp = timestamp::rule(fields, &signing)?;
    Ok(Signing {
        timestamp,
        ..signing
    })
}

fn kind(fields: &Fields<'_>, auth: Auth) -> Result<Kind, RecipeError> {
    if auth == Auth::PublicKey {
        let algorithms = [
            ("ed25519", PublicKeyAlgorithm::Ed25519),
            ("ecdsa-p256-sha256", PublicKeyAlgorithm::EcdsaP256Sha256),
            ("rsa-sha256", PublicKeyAlgorithm::RsaSha256),
        ];
        let expected = "ed25519, ecdsa-p256-sha256 or rsa-sha256 for a public key";
        let algorithm = fields.one_of("algorithm", &algorithms, expected)?;
        let because = "a public key needs ed25519, ecdsa-p256-sha256 or rsa-sha256";
        return algorithm
            .map(Kind::PublicKey)
            .ok_or_else(|| missing("algorithm", because));
    }
    let hashes = [
        ("sha256", Hash::Sha256),
        ("sha1", Hash::Sha1),
        ("sha512", Hash::Sha512),
    ];
    let expected = "sha256, sha1 or sha512; other algorithms need auth public-key";
    let hash = fields
        .one_of("algorithm", &hashes, expected)?
        .unwrap_or(Hash::Sha256);
    Ok(match auth {
        Auth::Hash => Kind::Hash(hash),
        _ => Kind::Hmac(hash),
    })
}

fn template(fields: &Fields<'_>, auth: Auth) -> Result<SignedTemplate, RecipeError> {
    let template = match fields.text("signed")? {
        None => SignedTemplate::body(),
        Some(text) => {
            SignedTemplate::parse(text).map_err(|error| template_error("signed", error))?
        }
    };
    match (auth, template.has_secret()) {
        (Auth::Hash, false) => {
            let because = "a hash has no key; put {secret} where the provider puts the secret";
            Err(missing("signed", because))
        }
        (Auth::Hmac | Auth::PublicKey, true) => {
            let because =
                "the secret is the key, and no part of the text; {secret} needs auth hash";
            Err(contradiction("signed", because))
        }
        _ => Ok(template),
    }
}

fn public_url(fields: &Fields<'_>) -> Result<Option<String>, RecipeError> {
    let Some(text) = fields.text("public_url")? else {
        return Ok(None);
    };
    let url = url::Url::parse(text).ok();
    let is_http = url.is_some_and(|url| matches!(url.scheme(), "https" | "http"));
    match is_http && text == trimmed(text) {
        true => Ok(Some(text.to_owned())),
        false => Err(invalid(
            "public_url",
            "the whole URL as the provider calls it, from https://",
        )),
    }
}

pub(super) fn template_error(field: &str, error: TemplateError) -> RecipeError {
    RecipeError {
        field: field.to_owned(),
        problem: Problem::Template(error),
    }
}
