//! The configured sources and their secrets: one JSON object. `cache` reads it from Secrets Manager.

mod cache;

pub use cache::Sources;

use crate::aws::error::AwsError;
use crate::crypto::secret::{Matched, Secret, invisible, trimmed};
use crate::providers::presets::{self, Preset};
use crate::providers::recipe::{
    Authenticity, CUSTOM, Dedupe, Recipe, RecipeError, Scheme, SecretError,
};
use crate::providers::verify::VerifyError;
use crate::providers::{Incoming, Verified};
use crate::raw::RawObject;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// How long a delivery with an id of its own counts as the same.
const ID_WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long equal bodies without an id count as the same: "A to B, back to A, to B again" sends equal ones. A
/// provider's own repetitions of one request are minutes apart.
const CONTENT_WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// The longest gap that a source may declare.
const MAX_GAP: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The fields of an entry beside those of its recipe.
const OWN: [&str; 7] = [
    "provider",
    "secrets",
    "unsigned",
    "origins",
    "dedupe_window",
    "silent_after",
    "waiting",
];

/// The longest name of a source; it stands in the path and in every key of the ledger.
const MAX_NAME_BYTES: usize = 64;

/// A place that one account of a provider sends its webhooks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Whose webhooks these are: the name of a preset, or `custom`.
    pub provider: &'static str,
    /// How they are authenticated and read.
    pub recipe: Recipe,
    /// What makes a webhook authentic.
    pub authentication: Authentication,
    /// How long an equal id counts as the same delivery; of a source that knows copies by their bodies, how
    /// long an equal body does, unless it tells of what [happens
    /// once](crate::providers::Provider::happens_once).
    pub dedupe_window: SignedDuration,
    /// The origins that may send webhooks, for the handshake of CloudEvents; `*` is any.
    pub origins: Vec<String>,
    /// How long it sends nothing at most, as long as all is well; none if that tells nothing.
    pub silent_after: Option<SignedDuration>,
    /// Whether it has no secret yet, and waits for the provider to send one.
    pub waits: bool,
}

/// How a source tells authentic webhooks from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// As the recipe says, with one of these secrets. There is at least one, unless the source waits for it.
    Signed(Vec<Secret>),
    /// Not at all, because the operator said so.
    Unsigned,
}

/// Why a source answers 503; the others go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The name would be ambiguous in the ledger, or does not fit into a path.
    #[error("a source's name has 1 to {MAX_NAME_BYTES} letters, digits, '-', '_' or '.'")]
    Name,
    /// The entry is JSON, but not what can be read.
    #[error(
        "the source cannot be read: it has half of a surrogate pair, a number beyond all bounds, \
         or nests too deep"
    )]
    Unreadable,
    /// Two entries have the name, and nothing tells which is meant.
    #[error("the source stands twice in the document")]
    Twice,
    /// The entry is not an object.
    #[error("the source is not a JSON object")]
    NotAnObject,
    /// The provider is missing or unknown.
    #[error("provider: it must be custom, or one that `webhookctl provider list` shows")]
    Provider,
    /// A field of the recipe is not as it should be.
    #[error("{0}")]
    Recipe(#[from] RecipeError),
    /// A secret is none of the recipe.
    #[error("secrets: {0}")]
    Secret(#[from] SecretError),
    /// There are secrets, and nothing is verified with them.
    #[error(
        "secrets: with auth none, nothing is verified with them; remove them, or set another auth"
    )]
    UselessSecrets,
    /// `waiting` is not a boolean.
    #[error("waiting must be true or false")]
    Waiting,
    /// The secrets are not strings in a list.
    #[error("secrets must be a list of strings")]
    Secrets,
    /// A secret has an invisible character.
    #[error(
        "a secret has the invisible character U+{:04X}, which came along when it was copied: \
         enter the secret again",
        u32::from(*.0)
    )]
    Invisible(char),
    /// Nothing could make a webhook authentic.
    #[error(
        "the source has no usable secret; add one, or \"unsigned\": true if the provider cannot sign"
    )]
    NoSecret,
    /// `unsigned` is not a boolean.
    #[error("unsigned must be true or false")]
    Unsigned,
    /// The window is not a duration, or not a positive one.
    #[error("dedupe_window must be a duration such as \"1h\" or \"30d\"")]
    DedupeWindow,
    /// The origins are not strings in a list.
    #[error("origins must be a list of strings")]
    Origins,
    /// The silence threshold is not a duration from 1 s to 30 days.
    #[error("silent_after must be a duration from \"1s\" to \"30d\", such as \"2h\"")]
    SilentAfter,
}

/// The configuration cannot be read: no source is known.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// Secrets Manager did not give it.
    #[error("the sources cannot be read: {0}")]
    Unreadable(#[from] AwsError),
    /// The secret is not JSON. Its text is a secret, so only the place is named.
    #[error("the sources are not JSON at line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// The secret is JSON, but not what it should be.
    #[error("the sources are not an object of the form {{\"sources\": {{…}}}}")]
    NoSources,
    /// The last refresh failed, and it is too soon for another one.
    #[error("the sources could not be refreshed a moment ago")]
    NotRefreshed,
}

/// All sources by name, with those that are not usable and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SourceTable(HashMap<String, Result<Arc<Source>, SourceError>>);

impl SourceTable {
    /// Reads the configuration. One malformed source disables itself, not the others.
    pub fn parse(json: &str) -> Result<Self, SourcesError> {
        // Some editors put a byte order mark before it.
        let json = json.trim_start_matches('\u{feff}');
        let json = serde_json::from_str::<&RawValue>(json);
        let json = json.map_err(|error| SourcesError::NotJson {
            line: error.line(),
            column: error.column(),
        })?;
        let last_first = members(json).unwrap_or_default().into_iter().rev();
        let mut sources = last_first.filter(|(name, _)| name == "sources");
        let sources = sources.next().and_then(|(_, sources)| members(sources));
        let mut table = HashMap::new();
        for (name, entry) in sources.ok_or(SourcesError::NoSources)? {
            let entry = serde_json::from_str(entry.get()).map_err(|_| SourceError::Unreadable);
            let source = entry.and_then(|entry| Source::parse(&name, &entry).map(Arc::new));
            table
                .entry(name)
                .and_modify(|source| *source = Err(SourceError::Twice))
                .or_insert(source);
        }
        Ok(Self(table))
    }

    /// The source of this name, if there is one.
    pub fn get(&self, name: &str) -> Option<&Result<Arc<Source>, SourceError>> {
        self.0.get(name)
    }

    fn log_unusable(&self) {
        for (name, source) in &self.0 {
            if let Err(error) = source {
                tracing::error!(source = name, %error, "source is disabled");
            }
        }
    }
}

impl Source {
    /// Reads one entry. No error holds any of its text, as that may be a secret in the wrong place.
    pub fn parse(name: &str, entry: &Value) -> Result<Self, SourceError> {
        if !is_source_name(name) {
            return Err(SourceError::Name);
        }
        let entry = entry.as_object().ok_or(SourceError::NotAnObject)?;
        let provider = entry.get("provider").and_then(Value::as_str);
        let provider = provider.and_then(known).ok_or(SourceError::Provider)?;
        let mut fields = entry.clone();
        fields.retain(|name, _| !OWN.contains(&name.as_str()));
        let recipe = Recipe::of_source(provider, &fields)?;
        let waits = boolean(entry, "waiting").ok_or(SourceError::Waiting)?;
        let authentication = authentication(entry, &recipe, waits)?;
        let dedupe_window = match entry.get("dedupe_window") {
            None | Some(Value::Null) => default_window(&recipe),
            Some(value) => duration(value).ok_or(SourceError::DedupeWindow)?,
        };
        let origins = strings(entry, "origins").ok_or(SourceError::Origins)?;
        let origins = origins.into_iter().map(str::to_owned).collect();
        let silent_after = match entry.get("silent_after") {
            None | Some(Value::Null) => None,
            Some(value) => Some(gap(value).ok_or(SourceError::SilentAfter)?),
        };
        let has_none =
            matches!(&authentication, Authentication::Signed(secrets) if secrets.is_empty());
        Ok(Self {
            provider,
            recipe,
            authentication,
            dedupe_window,
            origins,
            silent_after,
            waits: waits && has_none,
        })
    }
}

impl Source {
    /// How long a webhook is taken for a duplicate of an equal one: of one with the same id, or else with the
    /// same body. The ledger takes no longer window than its items are kept.
    pub fn window(&self, has_id: bool, happens_once: bool) -> SignedDuration {
        let (is_by_id, has_ids) = (self.recipe.dedupe() == Dedupe::Id, self.recipe.has_ids());
        match (is_by_id && has_id, happens_once) {
            (true, _) => self.dedupe_window,
            (false, true) => SignedDuration::MAX,
            // Even where the provider has ids, a body without one may be a change that happened again.
            (false, false) if is_by_id && has_ids => self.dedupe_window.min(CONTENT_WINDOW),
            (false, false) => self.dedupe_window,
        }
    }

    /// What an accepted webhook is proof of.
    pub fn authenticity(&self) -> Authenticity {
        match &self.authentication {
            Authentication::Signed(_) => self.recipe.authenticity(),
            Authentication::Unsigned => Authenticity::None,
        }
    }

    /// The secrets; none if nothing is verified.
    pub fn secrets(&self) -> &[Secret] {
        match &self.authentication {
            Authentication::Signed(secrets) => secrets,
            Authentication::Unsigned => &[],
        }
    }

    /// The webhook as authentic. Of a source without authentication, any is.
    pub fn verify<'a>(
        &self,
        incoming: &Incoming<'a>,
        payload_url: &str,
        now: Timestamp,
    ) -> Result<Verified<'a>, VerifyError> {
        match &self.authentication {
            Authentication::Signed(secrets) => {
                self.recipe.verify(incoming, secrets, payload_url, now)
            }
            Authentication::Unsigned => Ok(Verified::without_signature(incoming.body)),
        }
    }

    /// The secret at a position, by what tells it from others.
    pub fn matched(&self, position: usize) -> Option<Matched> {
        let id = self.secrets().get(position)?.id();
        Some(Matched { position, id })
    }
}

/// The members of an object, if it is one. A name that is no text stays as it is written, which is no
/// source's.
fn members(json: &RawValue) -> Option<Vec<(String, &RawValue)>> {
    let RawObject(members) = serde_json::from_str(json.get()).ok()?;
    let named = |(name, value): (&RawValue, _)| {
        let text = serde_json::from_str(name.get());
        (text.unwrap_or_else(|_| name.get().to_owned()), value)
    };
    Some(members.into_iter().map(named).collect())
}

/// Whether a text can be the name of a source.
pub fn is_source_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed)
}

/// The provider of this name, if there is one.
fn known(name: &str) -> Option<&'static str> {
    match name == CUSTOM {
        true => Some(CUSTOM),
        false => presets::find(name).map(Preset::name),
    }
}

/// How an entry tells authentic webhooks from others.
fn authentication(
    entry: &Map<String, Value>,
    recipe: &Recipe,
    waits: bool,
) -> Result<Authentication, SourceError> {
    let secrets = strings(entry, "secrets").ok_or(SourceError::Secrets)?;
    if let Some(character) = secrets.iter().find_map(|secret| invisible(secret)) {
        return Err(SourceError::Invisible(character));
    }
    let secrets = secrets.into_iter().filter(|text| !trimmed(text).is_empty());
    let secrets: Result<Vec<Secret>, _> = secrets.map(|text| recipe.secret(text)).collect();
    let secrets = secrets?;
    let unsigned = boolean(entry, "unsigned").ok_or(SourceError::Unsigned)?;
    let is_open = *recipe.scheme() == Scheme::Open;
    match (secrets.is_empty(), unsigned || is_open) {
        (false, _) if is_open => Err(SourceError::UselessSecrets),
        (false, _) => Ok(Authentication::Signed(secrets)),
        (true, true) => Ok(Authentication::Unsigned),
        (true, false) if waits => Ok(Authentication::Signed(secrets)),
        (true, false) => Err(SourceError::NoSecret),
    }
}

/// How long copies are known, unless the entry says it. A captured request with an id that is not signed can
/// be sent again under another one: its body is known for as long as the ledger keeps it.
fn default_window(recipe: &Recipe) -> SignedDuration {
    match (recipe.dedupe(), recipe.has_ids()) {
        (Dedupe::Id, _) => ID_WINDOW,
        (Dedupe::Body, true) => SignedDuration::MAX,
        (Dedupe::Body, false) => CONTENT_WINDOW,
    }
}

/// A boolean that may be missing; nothing if it is anything else.
fn boolean(entry: &Map<String, Value>, name: &str) -> Option<bool> {
    match entry.get(name) {
        None | Some(Value::Null) => Some(false),
        Some(value) => value.as_bool(),
    }
}

fn duration(value: &Value) -> Option<SignedDuration> {
    let span: Span = value.as_str()?.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    duration.is_positive().then_some(duration)
}

/// A duration that can be watched over, which is done in whole seconds.
fn gap(value: &Value) -> Option<SignedDuration> {
    let gap = SignedDuration::from_secs(duration(value)?.as_secs());
    (SignedDuration::from_secs(1)..=MAX_GAP)
        .contains(&gap)
        .then_some(gap)
}

/// The strings of a list that may be missing; nothing if it is anything else.
fn strings<'a>(entry: &'a Map<String, Value>, name: &str) -> Option<Vec<&'a str>> {
    match entry.get(name) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(value) => value.as_array()?.iter().map(Value::as_str).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn source(entry: Value) -> Result<Source, SourceError> {
        Source::parse("studio", &entry)
    }

    #[test]
    fn the_documented_configuration_is_read() {
        let table = SourceTable::parse(
            r#"{"sources": {
                "studio": {"provider": "creative-force", "secrets": ["current", " previous\n", ""]},
                "hr": {"provider": "people-force", "secrets": ["s"], "dedupe_window": "90m"},
                "hr-test": {"provider": "people-force", "unsigned": true},
                "content": {"provider": "woodwing", "secrets": ["s"], "origins": ["studio.example.com"],
                    "silent_after": "2h"},
                "later": {"provider": "creads", "secrets": ["s"], "not_known_yet": 1},
                "shop": {"provider": "shopify", "secrets": ["s"]},
                "own": {"provider": "custom", "auth": "token", "token_header": "X-Token", "secrets": ["s"],
                    "event": {"type": "com.example.{$.type}", "id": "{$.id}"}}}}"#,
        )
        .unwrap();
        let get = |name| table.get(name).unwrap().clone().unwrap();
        let secrets = |texts: &[&str]| {
            Authentication::Signed(
                texts
                    .iter()
                    .map(|text| Secret::new(text).unwrap())
                    .collect(),
            )
        };
        assert_eq!(
            get("studio").authentication,
            secrets(&["current", "previous"])
        );
        assert_eq!(get("studio").dedupe_window, ID_WINDOW);
        assert_eq!(get("hr").dedupe_window, SignedDuration::from_mins(90));
        assert_eq!(get("hr-test").authentication, Authentication::Unsigned);
        assert_eq!(get("hr-test").dedupe_window, CONTENT_WINDOW);
        assert_eq!(get("content").origins, ["studio.example.com"]);
        assert_eq!(
            get("content").silent_after,
            Some(SignedDuration::from_hours(2))
        );
        assert_eq!(get("hr").silent_after, None);
        let unknown = table.get("later").unwrap().as_ref().unwrap_err();
        assert!(
            unknown.to_string().starts_with("not_known_yet: "),
            "{unknown}"
        );
        assert_eq!(get("shop").provider, "shopify");
        assert_eq!(get("shop").authenticity(), Authenticity::Signature);
        assert_eq!(get("own").provider, "custom");
        assert_eq!(get("own").authenticity(), Authenticity::Token);
        assert_eq!(get("hr-test").authenticity(), Authenticity::None);
        assert_eq!(table.get("other"), None);
    }

    #[test]
    fn a_body_is_known_for_as_long_as_it_is_kept_where_its_id_is_not_signed() {
        let (minutes, hours) = (SignedDuration::from_mins, SignedDuration::from_hours);
        let (always, never) = (SignedDuration::MAX, minutes(10));
        for (entry, with_id, without) in [
            (json!({"provider": "github"}), always, always),
            (
                json!({"provider": "github", "dedupe_window": "2h"}),
                hours(2),
                hours(2),
            ),
            (
                json!({"provider": "github", "dedupe": "id"}),
                ID_WINDOW,
                never,
            ),
            (json!({"provider": "stripe"}), ID_WINDOW, never),
            (
                json!({"provider": "stripe", "dedupe": "body"}),
                always,
                always,
            ),
            (json!({"provider": "dropbox"}), never, never),
        ] {
            let mut entry = entry;
            entry["secrets"] = json!(["s"]);
            let source = source(entry.clone()).unwrap();
            let windows = [true, false].map(|has_id| source.window(has_id, false));
            assert_eq!(windows, [with_id, without], "{entry}");
        }
    }

    #[test]
    fn a_source_waits_for_a_secret_only_while_it_has_none() {
        let notion = |entry: Value| {
            let mut entry = entry;
            entry["provider"] = json!("notion");
            source(entry)
        };
        let waiting = notion(json!({"waiting": true})).unwrap();
        assert!(waiting.waits && waiting.secrets().is_empty());
        assert_eq!(waiting.authenticity(), Authenticity::Signature);
        assert!(
            !notion(json!({"waiting": true, "secrets": ["s"]}))
                .unwrap()
                .waits
        );
        assert_eq!(
            notion(json!({"waiting": false})),
            Err(SourceError::NoSecret)
        );
        assert_eq!(notion(json!({"waiting": "yes"})), Err(SourceError::Waiting));
        let open = json!({"auth": "none", "signature_header": null, "signature_prefix": null});
        assert_eq!(
            notion(open.clone()).unwrap().authentication,
            Authentication::Unsigned
        );
        let mut useless = open;
        useless["secrets"] = json!(["s"]);
        assert_eq!(notion(useless), Err(SourceError::UselessSecrets));
    }

    #[test]
    fn a_secret_that_its_recipe_cannot_use_disables_the_source() {
        for (entry, expected) in [
            (
                json!({"provider": "standard-webhooks", "secrets": ["whsec_"]}),
                SecretError::Empty,
            ),
            (
                json!({"provider": "standard-webhooks", "secrets": ["whsec_?"]}),
                SecretError::NotBase64,
            ),
            (
                json!({"provider": "sendgrid", "secrets": ["AAAA"]}),
                SecretError::NotAPublicKey,
            ),
            (
                json!({"provider": "meta", "secrets": ["t"], "verify_token": "t"}),
                SecretError::VerifyToken,
            ),
        ] {
            assert_eq!(source(entry), Err(SourceError::Secret(expected)));
        }
    }

    #[test]
    fn a_malformed_source_disables_itself_for_its_own_reason() {
        for (entry, reason) in [
            (json!("secret"), SourceError::NotAnObject),
            (json!({"secrets": ["s"]}), SourceError::Provider),
            (
                json!({"provider": "acme", "secrets": ["s"]}),
                SourceError::Provider,
            ),
            (json!({"provider": "creads"}), SourceError::NoSecret),
            (
                json!({"provider": "creads", "secrets": []}),
                SourceError::NoSecret,
            ),
            (
                json!({"provider": "creads", "secrets": ["", " \n"]}),
                SourceError::NoSecret,
            ),
            (
                json!({"provider": "creads", "unsigned": false}),
                SourceError::NoSecret,
            ),
            (
                json!({"provider": "creads", "secrets": "s"}),
                SourceError::Secrets,
            ),
            (
                json!({"provider": "creads", "secrets": [1]}),
                SourceError::Secrets,
            ),
            (
                json!({"provider": "creads", "unsigned": "yes"}),
                SourceError::Unsigned,
            ),
            (
                json!({"provider": "creads", "secrets": ["s"], "dedupe_window": 3600}),
                SourceError::DedupeWindow,
            ),
            (
                json!({"provider": "creads", "secrets": ["s"], "dedupe_window": "0s"}),
                SourceError::DedupeWindow,
            ),
            (
                json!({"provider": "creads", "secrets": ["s"], "dedupe_window": "-1h"}),
                SourceError::DedupeWindow,
            ),
            (
                json!({"provider": "creads", "secrets": ["s"], "origins": "*"}),
                SourceError::Origins,
            ),
            (
                json!({"provider": "creads", "secrets": ["s"], "silent_after": "500ms"}),
                SourceError::SilentAfter,
            ),
            (
                json!({"provider": "creads", "secrets": ["s"], "silent_after": "31d"}),
                SourceError::SilentAfter,
            ),
            (
                json!({"provider": "creads", "secrets": ["s"], "silent_after": 7200}),
                SourceError::SilentAfter,
            ),
        ] {
            assert_eq!(source(entry.clone()), Err(reason), "{entry}");
        }
        let good = json!({"provider": "creads", "secrets": ["s"]});
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        for name in ["", "a#b", "a/b", "é", &long] {
            assert_eq!(Source::parse(name, &good), Err(SourceError::Name), "{name}");
        }
    }

    #[test]
    fn a_source_with_secrets_asks_for_a_signature_whatever_else_it_says() {
        let source = source(json!({"provider": "creads", "secrets": ["s"], "unsigned": true}));
        assert!(matches!(
            source.unwrap().authentication,
            Authentication::Signed(_)
        ));
    }

    #[test]
    fn a_day_is_a_duration() {
        for (text, hours) in [("30d", 720), ("1h", 1), ("1d 12h", 36), ("PT2H", 2)] {
            assert_eq!(
                duration(&json!(text)),
                Some(SignedDuration::from_hours(hours)),
                "{text}"
            );
        }
    }

    #[test]
    fn an_error_shows_nothing_of_the_configuration() {
        for json in [
            "{\"sources\": {\"a\": hunter2}}",
            "{\"sources\": \"hunter2\"}",
            "hunter2",
        ] {
            let error = SourceTable::parse(json).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
    }
}
