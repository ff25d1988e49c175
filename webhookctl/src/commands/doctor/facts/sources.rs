//! The sources as they are configured, with the ids of their secrets, and the times of their last webhooks.

use super::{Fact, read};
use crate::Result;
use crate::document::Document;
use crate::stack::Stack;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::HashMap;
use webhook_gateway::store::journal::SourceActivity;
use webhook_gateway::store::sources::{self, Authentication, SourceError};

/// The sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sources {
    /// The time of the last change to any of them.
    pub(crate) changed_at: Option<Timestamp>,
    pub(crate) all: Vec<Source>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) url: String,
    /// The number of its blank secrets.
    pub(crate) blank: usize,
    /// The number of its secrets that can be guessed.
    pub(crate) short: usize,
    /// Its provider and secrets, or why it is disabled.
    pub(crate) usable: std::result::Result<(&'static str, Secrets), SourceError>,
}

/// The secrets of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// The ids of its secrets, the newest first.
    Signed(Vec<String>),
    /// It has none: its webhooks are not signed.
    Unsigned,
}

pub(crate) async fn sources(stack: &Stack) -> Fact<Sources> {
    read(
        "sources",
        "secretsmanager:GetSecretValue",
        configured(stack).await,
    )
}

async fn configured(stack: &Stack) -> Result<Sources> {
    let document = Document::of(stack).await?;
    let all = document.sources.iter();
    let all = all.map(|(name, entry)| Ok(Source::read(name, entry, stack.payload_url(name)?)));
    Ok(Sources {
        changed_at: document.changed_at,
        all: all.collect::<Result<_>>()?,
    })
}

impl Source {
    fn read(name: &str, entry: &Value, url: String) -> Self {
        let secrets = entry.get("secrets").and_then(Value::as_array);
        let texts = secrets.into_iter().flatten().filter_map(Value::as_str);
        let blank = texts.filter(|text| text.trim().is_empty()).count();
        let usable = sources::Source::parse(name, entry);
        let secrets = usable.as_ref().map_or(&[][..], sources::Source::secrets);
        let short = secrets.iter().filter(|secret| secret.is_short()).count();
        let usable = usable.map(|source| {
            let secrets = match source.authentication {
                Authentication::Signed(secrets) => {
                    Secrets::Signed(secrets.iter().map(|secret| secret.id()).collect())
                }
                Authentication::Unsigned => Secrets::Unsigned,
            };
            (source.provider, secrets)
        });
        Self {
            name: name.to_owned(),
            url,
            blank,
            short,
            usable,
        }
    }
}

pub(crate) async fn heard(stack: &Stack) -> Fact<HashMap<String, SourceActivity>> {
    read(
        "sources",
        "dynamodb:Query on the journal",
        noted(stack).await,
    )
}

async fn noted(stack: &Stack) -> Result<HashMap<String, SourceActivity>> {
    let journal = stack.journal()?;
    Ok(journal.activity().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_source_is_known_by_the_ids_of_its_secrets_and_not_by_them() {
        let entry = json!({"provider": "creads", "secrets": ["hunter2", " ", "hunter3"]});
        let source = Source::read("partners", &entry, String::new());
        assert_eq!((source.blank, source.short), (1, 2));
        assert!(matches!(&source.usable, Ok(("creads", Secrets::Signed(ids))) if ids.len() == 2));
        assert!(!format!("{source:?}").contains("hunter"));
        let unusable = Source::read("partners", &json!({"provider": "creads"}), String::new());
        assert_eq!(unusable.usable, Err(SourceError::NoSecret));
    }
}
