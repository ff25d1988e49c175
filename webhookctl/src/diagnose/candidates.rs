//! Other schemes than the source's with which the request may verify, and the least change that one of them
//! takes.

use super::change::Change;
use super::observed::{self, Signature, Time};
use super::{Finding, Request, Suspect, urls};
use http::HeaderName;
use http::header::AUTHORIZATION;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use webhook_gateway::providers::recipe::{Kind, OF_SIGNATURES, Recipe, Scheme};
use webhook_gateway::providers::{Verified, presets};

/// Signed texts that no preset has, or that a preset has with a header of its own name.
const TEMPLATES: [&str; 21] = [
    "{body}",
    "{timestamp}.{body}",
    "{timestamp}{body}",
    "{timestamp}:{body}",
    "{timestamp}-{body}",
    "{timestamp}_{body}",
    "{timestamp}|{body}",
    "{timestamp}\n{body}",
    "{body}{timestamp}",
    "{body}.{timestamp}",
    "v0:{timestamp}:{body}",
    "{url}{body}",
    "{url}.{body}",
    "{body}{url}",
    "{url}{timestamp}{body}",
    "{timestamp}{url}{body}",
    "{method}{body}",
    "{method}{url}{body}",
    "{method}{url}{body}{timestamp}",
    "{timestamp}{method}{url}{body}",
    "{timestamp}.{url}.{body}",
];

/// The same for hashes without a key.
const HASHES: [&str; 4] = [
    "{body}{secret}",
    "{body}{timestamp}{secret}",
    "{secret}{body}",
    "{secret}{timestamp}{body}",
];

/// Fields of a timestamp in a header.
const OF_TIMES: [&str; 4] = [
    "timestamp_header",
    "timestamp_prefix",
    "timestamp_format",
    "timestamp_tolerance",
];

/// How a request may have been signed.
#[derive(Debug, Clone)]
struct Target<'o> {
    auth: &'static str,
    signature: &'o Signature,
    signed: &'o str,
    time: Option<&'o Time>,
    secret_encoding: &'static str,
    url: Option<&'o str>,
}

/// The fields of the source's recipe, and those of its preset.
struct Base {
    fields: Map<String, Value>,
    preset: Map<String, Value>,
}

/// The finding of the least change with which the request verifies.
pub(super) fn best(suspect: &Suspect<'_>, request: &Request) -> Option<Finding> {
    let base = Base {
        fields: Recipe::fields_of_source(suspect.provider, suspect.fields).ok()?,
        preset: Recipe::fields_of_source(suspect.provider, &Map::new()).unwrap_or_default(),
    };
    let url = suspect.recipe();
    let url = url.as_ref().map_or(suspect.payload_url, |recipe| {
        recipe.url(suspect.payload_url)
    });
    let urls = urls::variants(url, suspect, request);
    let mut changes = tokens(suspect, &base, request);
    changes.extend(by_key(suspect, &base, request, &urls));
    changes.extend(schemes(suspect, &base, request, &urls));
    changes.extend(switches(suspect, request, &urls));
    changes.sort_by_key(|(cost, _)| *cost);
    let mut changes = changes.into_iter();
    changes.find_map(|(_, change)| change.finding(suspect, request))
}

/// A change with its cost. Of equal ones, the first in the order they were made in is tried first.
type Costed = (usize, Change);

fn costed(change: Change) -> Costed {
    (change.cost(), change)
}

/// Every signature that the headers show, with every template, time, secret encoding and URL.
fn schemes(suspect: &Suspect<'_>, base: &Base, request: &Request, urls: &[String]) -> Vec<Costed> {
    let delimiter = base.text("delimiter").into_iter().collect::<Vec<_>>();
    let signatures = observed::signatures(&request.headers, &delimiter);
    let times = observed::times(&request.headers, &delimiter);
    let templates = templates(base, request);
    let mut all = Vec::new();
    for signature in &signatures {
        for (auth, signed) in &templates {
            let no_time = [None];
            let with_time: Vec<_> = times
                .iter()
                .filter(|time| time.goes_with(signature))
                .map(Some)
                .collect();
            let times = match signed.contains("{timestamp}") {
                true => &with_time[..],
                false => &no_time[..],
            };
            let urls = urls
                .iter()
                .filter(|_| signed.contains("{url}"))
                .map(|url| Some(url.as_str()));
            let urls: Vec<_> = std::iter::once(None).chain(urls).collect();
            for time in times.iter().copied() {
                for secret_encoding in ["raw", "base64", "hex"] {
                    for url in urls.iter().copied() {
                        let target = Target {
                            auth,
                            signature,
                            signed,
                            time,
                            secret_encoding,
                            url,
                        };
                        all.push(costed(base.change(&target, suspect)));
                    }
                }
            }
        }
    }
    all
}

/// All templates, the source's own first, each with its kind.
fn templates(base: &Base, request: &Request) -> Vec<(&'static str, String)> {
    let mut all: Vec<(&str, String)> = Vec::new();
    let mut add = |auth, signed: String| {
        let one = (auth, signed);
        if !all.contains(&one) {
            all.push(one);
        }
    };
    let kind = |auth: Option<&str>| if auth == Some("hash") { "hash" } else { "hmac" };
    add(
        kind(base.text("auth")),
        base.text("signed").unwrap_or("{body}").to_owned(),
    );
    for signed in TEMPLATES {
        add("hmac", signed.to_owned());
    }
    for signed in HASHES {
        add("hash", signed.to_owned());
    }
    for preset in presets::all() {
        let fields = Recipe::fields_of_source(preset.name(), &Map::new()).unwrap_or_default();
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        if let Some(signed) = text("signed").filter(|signed| !signed.contains("{form}")) {
            add(kind(text("auth")), signed.to_owned());
        }
    }
    let is_id =
        |name: &str| name.ends_with("id") || name.contains("delivery") || name.contains("nonce");
    for name in request
        .headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| is_id(name))
    {
        add("hmac", format!("{{header:{name}}}.{{timestamp}}.{{body}}"));
        add("hmac", format!("{{header:{name}}}.{{body}}"));
    }
    all
}

impl Time {
    /// Whether a recipe can have both: a time among signatures is in the header of the signature.
    fn goes_with(&self, signature: &Signature) -> bool {
        match self.header == signature.header {
            true => self.delimiter.is_some() && self.delimiter == signature.delimiter,
            false => self.delimiter.is_none(),
        }
    }
}

impl Base {
    fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    fn is_signed(&self) -> bool {
        matches!(self.text("auth"), None | Some("hmac" | "hash"))
    }

    /// The value of a field of signatures, if the source is signed by a secret.
    fn signed_text(&self, field: &str, default: &'static str) -> &str {
        match self.is_signed() {
            true => self.text(field).unwrap_or(default),
            false => default,
        }
    }

    fn headers(&self) -> Vec<&str> {
        let headers = self
            .fields
            .get("signature_header")
            .filter(|_| self.is_signed());
        match headers {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            name => name.and_then(Value::as_str).into_iter().collect(),
        }
    }

    /// What makes the source verify as the target.
    fn change(&self, target: &Target<'_>, suspect: &Suspect<'_>) -> Change {
        let mut change = Change::default();
        self.change_auth(target, &mut change);
        self.change_signature(target, &mut change);
        if target.secret_encoding != self.signed_text("secret_encoding", "raw") {
            let what = match target.secret_encoding {
                "raw" => {
                    "the text of the secret itself is the key, and the source decodes it".to_owned()
                }
                encoding => format!("the secret is the key in {}", shown(encoding)),
            };
            change.set("secret_encoding", target.secret_encoding, what);
        }
        if target.signed != self.signed_text("signed", "{body}") {
            let was = self.signed_text("signed", "{body}");
            let what = format!(
                "the provider signs {}, and the source expects {was}",
                target.signed
            );
            change.set("signed", target.signed, what);
        }
        self.change_time(target, &mut change);
        if let Some(url) = target.url {
            let what = format!(
                "the provider signed the URL {url}, and the source has {}",
                self.text("public_url").unwrap_or(suspect.payload_url)
            );
            change.set("public_url", url, what);
        }
        change
    }

    fn change_auth(&self, target: &Target<'_>, change: &mut Change) {
        let was = self.text("auth").unwrap_or("hmac");
        if was != target.auth {
            let what = match target.auth {
                "hash" => "the signature is a plain hash with the secret in its text, and no HMAC",
                _ => "the webhooks are signed with an HMAC",
            };
            change.set("auth", target.auth, what.to_owned());
        }
        if !self.is_signed() {
            for field in ["token_header", "token_path", "signature_prefix"] {
                if self.fields.contains_key(field) && !self.preset.contains_key(field) {
                    change.unset.push(field);
                }
            }
        }
        let algorithm = match target.signature.bytes {
            20 => "sha1",
            64 => "sha512",
            _ => "sha256",
        };
        let was = self.signed_text("algorithm", "sha256");
        if was != algorithm {
            let what = format!(
                "the signature has the {} bytes of {algorithm}, and the source expects {was}",
                target.signature.bytes
            );
            change.set("algorithm", algorithm, what);
        }
    }

    fn change_signature(&self, target: &Target<'_>, change: &mut Change) {
        let signature = target.signature;
        let headers = self.headers();
        let name = signature.header.as_str();
        if !headers
            .iter()
            .any(|header| header.eq_ignore_ascii_case(name))
        {
            let what = match headers.first() {
                Some(was) => {
                    format!(
                        "the signature is in the header {name}, and the source looks for it in {was}"
                    )
                }
                None => format!("the signature is in the header {name}"),
            };
            change.set("signature_header", name, what);
        }
        let was = self.signed_text("encoding", "hex");
        if was != signature.encoding {
            let what = format!(
                "the signature is in {}, and the source expects {}",
                shown(signature.encoding),
                shown(was)
            );
            change.set("encoding", signature.encoding, what);
        }
        let was = self.signed_text("signature_prefix", "");
        if was != signature.prefix {
            let before = |prefix: &str| match prefix {
                "" => "nothing".to_owned(),
                prefix => format!("{prefix:?}"),
            };
            let what = format!(
                "{} stands before the signature, and the source expects {}",
                before(&signature.prefix),
                before(was)
            );
            change.set("signature_prefix", &*signature.prefix, what);
        }
        let was = self.text("delimiter").filter(|_| self.is_signed());
        match (was, signature.delimiter.as_deref()) {
            (was, now) if was == now => {}
            (_, Some(delimiter)) => {
                let what = format!("the header has several parts, with {delimiter:?} between them");
                change.set("delimiter", delimiter, what);
            }
            (_, None) => {
                change
                    .reasons
                    .push(("delimiter", "the header has one part".to_owned()));
                change.remove("delimiter", &self.preset);
            }
        }
    }

    fn change_time(&self, target: &Target<'_>, change: &mut Change) {
        let has = |field: &str| self.is_signed() && self.fields.contains_key(field);
        let Some(time) = target.time else {
            // A time in the body goes with a template without one.
            if !has("timestamp_path") {
                for field in OF_TIMES.into_iter().filter(|field| has(field)) {
                    change.remove(field, &self.preset);
                }
            }
            return;
        };
        if has("timestamp_path") {
            change.remove("timestamp_path", &self.preset);
        }
        let name = time.header.as_str();
        let was = self.signed_text("timestamp_header", "");
        if !was.eq_ignore_ascii_case(name) {
            let what = format!("the signed timestamp is in the header {name}");
            change.set("timestamp_header", name, what);
        }
        if self.signed_text("timestamp_prefix", "") != time.prefix {
            let what = format!("{:?} stands before the timestamp", time.prefix);
            change.set("timestamp_prefix", &*time.prefix, what);
        }
        let was = self.signed_text("timestamp_format", "seconds");
        if was != time.format {
            let what = format!(
                "the timestamp is in {}, and the source expects {was}",
                time.format
            );
            change.set("timestamp_format", time.format, what);
        }
    }
}

fn shown(encoding: &str) -> &str {
    match encoding {
        "hex" => "hexadecimal digits",
        "base64" => "Base64",
        "base64url" => "Base64 for URLs",
        other => other,
    }
}

/// Headers that hold a secret itself.
fn tokens(suspect: &Suspect<'_>, base: &Base, request: &Request) -> Vec<Costed> {
    let mut all = Vec::new();
    for (header, value) in &request.headers {
        let Some(value) = value.to_str().ok().filter(|_| *header != AUTHORIZATION) else {
            continue;
        };
        let prefixes = suspect
            .secrets
            .iter()
            .filter_map(|secret| value.strip_suffix(secret.trim()));
        for prefix in prefixes.collect::<BTreeSet<_>>() {
            let mut change = Change::default();
            let is_token = base.text("auth") == Some("token");
            if !is_token {
                let what = "the provider sends the secret itself, and no signature".to_owned();
                change.set("auth", "token", what);
                for field in OF_SIGNATURES.into_iter().chain(["signature_prefix"]) {
                    if suspect.fields.contains_key(field) {
                        change.unset.push(field);
                    }
                }
            }
            let was = base
                .text("token_header")
                .filter(|_| is_token)
                .unwrap_or_default();
            if !was.eq_ignore_ascii_case(header.as_str()) {
                let what = format!("the token is in the header {header}");
                change.set("token_header", header.as_str(), what);
            }
            let was = base
                .text("signature_prefix")
                .filter(|_| is_token)
                .unwrap_or_default();
            if was != prefix {
                let what = format!("{prefix:?} stands before the token");
                change.set("signature_prefix", prefix, what);
            }
            all.push(costed(change));
        }
    }
    all
}

/// Another header, encoding or algorithm of a signature by a private key.
fn by_key(suspect: &Suspect<'_>, base: &Base, request: &Request, urls: &[String]) -> Vec<Costed> {
    let recipe = suspect.recipe();
    let is_by_key = recipe.is_some_and(|recipe| {
        matches!(recipe.scheme(), Scheme::Signed(signing) if matches!(signing.kind, Kind::PublicKey(_)))
    });
    if !is_by_key {
        return Vec::new();
    }
    let mut all = Vec::new();
    let was = (
        base.fields
            .get("signature_header")
            .and_then(Value::as_str)
            .unwrap_or_default(),
        base.text("encoding").unwrap_or("hex"),
        base.text("algorithm").unwrap_or_default(),
    );
    let headers = request.headers.keys().map(HeaderName::as_str);
    let urls = urls.iter().filter(|_| {
        base.text("signed")
            .is_some_and(|signed| signed.contains("{url}"))
    });
    let urls: Vec<_> = std::iter::once(None).chain(urls.map(Some)).collect();
    for header in headers {
        for encoding in ["hex", "base64", "base64url"] {
            for algorithm in ["ed25519", "ecdsa-p256-sha256", "rsa-sha256"] {
                for url in &urls {
                    let mut change = Change::default();
                    if !was.0.eq_ignore_ascii_case(header) {
                        let what = format!("the signature is in the header {header}");
                        change.set("signature_header", header, what);
                    }
                    if was.1 != encoding {
                        let what = format!("the signature is in {}", shown(encoding));
                        change.set("encoding", encoding, what);
                    }
                    if was.2 != algorithm {
                        change.set(
                            "algorithm",
                            algorithm,
                            format!("the algorithm is {algorithm}"),
                        );
                    }
                    if let Some(url) = url {
                        change.set(
                            "public_url",
                            url.as_str(),
                            format!("the provider signed the URL {url}"),
                        );
                    }
                    all.push(costed(change));
                }
            }
        }
    }
    all
}

/// The presets of other providers.
fn switches(suspect: &Suspect<'_>, request: &Request, urls: &[String]) -> Vec<Costed> {
    let mut all = Vec::new();
    for preset in presets::all().filter(|preset| preset.name() != suspect.provider) {
        let title = preset
            .about()
            .map_or_else(|| preset.name().to_owned(), |about| about.title);
        let change = Change {
            provider: Some(preset.name()),
            reasons: vec![(
                "provider",
                format!(
                    "the request is signed as {title} signs, and the source is for {}",
                    suspect.provider
                ),
            )],
            ..Change::default()
        };
        let (provider, fields) = change.applied(suspect.provider, suspect.fields);
        let Ok(recipe) = Recipe::of_source(provider, &fields) else {
            continue;
        };
        let penalty = if reads(&recipe, request) { 0 } else { 8 };
        let urls = urls.iter().filter(|_| recipe.signs_url());
        for url in std::iter::once(None).chain(urls.map(Some)) {
            let mut change = change.clone();
            if let Some(url) = url {
                change.set(
                    "public_url",
                    url.as_str(),
                    format!("the provider signed the URL {url}"),
                );
            }
            all.push((change.cost() + penalty, change));
        }
    }
    all
}

/// Whether a recipe finds the type of the event in a request.
fn reads(recipe: &Recipe, request: &Request) -> bool {
    let webhook = Verified::recorded(&request.body);
    let content = recipe.content(webhook);
    content.is_ok_and(|content| recipe.event(&content, &request.headers).is_ok())
}
