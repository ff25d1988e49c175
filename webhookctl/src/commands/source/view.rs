//! A source as it is printed, without its secrets.

use super::entry;
use crate::Result;
use crate::stack::Stack;
use crate::time::exact_duration;
use serde::Serialize;
use serde_json::Value;
use webhook_gateway::providers::Provider;
use webhook_gateway::store::sources::{Authentication, Source};

/// A source that was created or changed, with its secret if it was just generated.
#[derive(Serialize)]
pub(crate) struct Changed {
    pub(crate) name: String,
    pub(crate) provider: &'static str,
    pub(crate) secrets: usize,
    pub(crate) url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
}

impl Changed {
    pub(crate) const COLUMNS: &[&str] = &["name", "provider", "secrets", "url", "secret"];
}

/// A source as it is printed.
#[derive(Serialize)]
pub(crate) struct SourceView {
    name: String,
    provider: Option<&'static str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    secrets: usize,
    dedupe_window: Option<String>,
    silent_after: Option<String>,
    origins: Vec<String>,
    url: String,
}

impl SourceView {
    pub(crate) fn of(name: &str, entry: &Value, stack: &Stack) -> Result<Self> {
        let source = Source::parse(name, entry);
        let (status, secrets) = match source.as_ref().map(|source| &source.authentication) {
            Ok(Authentication::Signed(secrets)) => ("signed", secrets.len()),
            Ok(Authentication::Unsigned) => ("unsigned", 0),
            Err(_) => ("disabled", 0),
        };
        let usable = source.as_ref().ok();
        // After the retention time, the ledger cannot detect a copy any more.
        let retention = stack.retention().ok();
        let window = |source: &Source| match retention {
            Some(retention) => source.dedupe_window.min(retention),
            None => source.dedupe_window,
        };
        Ok(Self {
            name: name.to_owned(),
            provider: entry::provider(entry).map(Provider::name),
            status,
            secrets,
            dedupe_window: usable.map(|source| exact_duration(window(source))),
            silent_after: usable
                .and_then(|source| source.silent_after)
                .map(exact_duration),
            origins: usable.map_or_else(Vec::new, |source| source.origins.clone()),
            url: stack.payload_url(name)?,
            reason: source.err().map(|error| error.to_string()),
        })
    }
}

impl SourceView {
    pub(crate) const COLUMNS: &[&str] = &[
        "name",
        "provider",
        "status",
        "reason",
        "secrets",
        "dedupe_window",
        "silent_after",
        "origins",
        "url",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stack() -> Stack {
        Stack::with_outputs(&[("WebhookUrl", "https://hooks.example.com/webhooks")])
    }

    #[test]
    fn nothing_that_is_shown_holds_a_secret() {
        for entry in [
            json!({"provider": "creads", "secrets": ["hunter2", "hunter2"]}),
            json!({"provider": "hunter2", "secrets": ["hunter2"]}),
            json!({"provider": "creads", "secrets": "hunter2"}),
            json!({"provider": "creads", "secrets": ["x"], "dedupe_window": "hunter2"}),
            json!("hunter2"),
        ] {
            let view = SourceView::of("partners", &entry, &stack()).unwrap();
            let shown = json!(view).to_string();
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_source_is_seen_as_the_gateway_takes_it() {
        let view = |entry: Value| json!(SourceView::of("hr", &entry, &stack()).unwrap());
        let url = "https://hooks.example.com/webhooks/hr";
        assert_eq!(
            view(
                json!({"provider": "people-force", "secrets": ["a", "b"], "dedupe_window": "90m"})
            ),
            json!({"name": "hr", "provider": "people-force", "status": "signed", "secrets": 2,
                   "dedupe_window": "1h30m", "silent_after": null, "origins": [], "url": url})
        );
        let unsigned = view(
            json!({"provider": "woodwing", "unsigned": true, "origins": ["*"], "silent_after": "36h"}),
        );
        assert_eq!(unsigned["status"], "unsigned");
        assert_eq!(unsigned["dedupe_window"], "30d");
        assert_eq!(unsigned["origins"], json!(["*"]));
        assert_eq!(unsigned["silent_after"], "1d12h");
        let week = Stack::with_outputs(&[
            ("WebhookUrl", "https://hooks.example.com/webhooks"),
            ("RetentionDays", "7"),
        ]);
        let entry = json!({"provider": "woodwing", "unsigned": true});
        let bounded = json!(SourceView::of("hr", &entry, &week).unwrap());
        assert_eq!(bounded["dedupe_window"], "7d");
        let disabled = view(json!({"provider": "people-force"}));
        assert_eq!(disabled["status"], "disabled");
        assert!(disabled["reason"].as_str().unwrap().contains("secret"));
    }
}
