//! A source as it is printed, without its secrets.

use super::entry;
use crate::stack::Stack;
use crate::time::exact_duration;
use crate::{Result, settings, words};
use serde::Serialize;
use serde_json::Value;
use webhook_gateway::providers::recipe::{Caution, Recipe};
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
    authentication: Option<String>,
    authenticity: Option<&'static str>,
    handshake: Option<String>,
    not_covered_by_the_signature: Vec<String>,
    cautions: Vec<String>,
    dedupe: Option<&'static str>,
    dedupe_window: Option<String>,
    silent_after: Option<String>,
    origins: Vec<String>,
    url: String,
    /// The URL that the provider signs, if it signs any.
    signed_url: Option<String>,
}

impl SourceView {
    /// The columns of a list.
    pub(crate) const LISTED: &[&str] = &[
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

    pub(crate) const COLUMNS: &[&str] = &[
        "name",
        "provider",
        "status",
        "reason",
        "secrets",
        "authentication",
        "authenticity",
        "handshake",
        "not_covered_by_the_signature",
        "cautions",
        "dedupe",
        "dedupe_window",
        "silent_after",
        "origins",
        "url",
        "signed_url",
    ];

    pub(crate) fn is_waiting(&self) -> bool {
        self.status == "waiting"
    }

    pub(crate) fn has_handshake(&self) -> bool {
        self.handshake.is_some()
    }

    pub(crate) fn of(name: &str, entry: &Value, stack: &Stack) -> Result<Self> {
        let source = Source::parse(name, entry);
        let provider = entry::provider(entry);
        let url = stack.payload_url(name)?;
        let blank = Self {
            name: name.to_owned(),
            provider,
            status: "disabled",
            reason: None,
            secrets: 0,
            authentication: None,
            authenticity: None,
            handshake: None,
            not_covered_by_the_signature: Vec::new(),
            cautions: Vec::new(),
            dedupe: None,
            dedupe_window: None,
            silent_after: None,
            origins: Vec::new(),
            url,
            signed_url: None,
        };
        let source = match source {
            Ok(source) => source,
            Err(error) => {
                return Ok(Self {
                    reason: Some(error.to_string()),
                    ..blank
                });
            }
        };
        // After the retention time, the ledger cannot detect a copy any more.
        let window = match stack.retention() {
            Ok(retention) => source.dedupe_window.min(retention),
            Err(_) => source.dedupe_window,
        };
        let members = entry
            .as_object()
            .map(settings::of_recipe)
            .unwrap_or_default();
        let fields = Recipe::fields_of_source(source.provider, &members).unwrap_or_default();
        let is_unsigned = source.authentication == Authentication::Unsigned;
        let recipe = &source.recipe;
        let cautions = recipe.cautions().into_iter();
        let cautions = cautions.filter(|caution| !matches!(caution, Caution::Uncovered(_)));
        Ok(Self {
            status: match &source.authentication {
                Authentication::Unsigned => "unsigned",
                Authentication::Signed(_) if source.waits => "waiting",
                Authentication::Signed(_) => "signed",
            },
            secrets: source.secrets().len(),
            authentication: (!is_unsigned).then(|| words::authentication(&fields)),
            authenticity: Some(words::authenticity(source.authenticity())),
            handshake: recipe.handshake().map(words::handshake),
            not_covered_by_the_signature: match is_unsigned {
                true => Vec::new(),
                false => words::headers(&recipe.uncovered_headers()),
            },
            cautions: match is_unsigned {
                true => Vec::new(),
                false => cautions.map(|caution| caution.to_string()).collect(),
            },
            dedupe: Some(words::dedupe(recipe)),
            dedupe_window: Some(exact_duration(window)),
            silent_after: source.silent_after.map(exact_duration),
            origins: source.origins.clone(),
            signed_url: recipe
                .signs_url()
                .then(|| recipe.url(&blank.url).to_owned()),
            ..blank
        })
    }
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
        let signed =
            json!({"provider": "people-force", "secrets": ["a", "b"], "dedupe_window": "90m"});
        let shown = view(signed);
        let expected = json!({
            "name": "hr", "provider": "people-force", "status": "signed", "secrets": 2,
            "dedupe": "by the body", "dedupe_window": "1h30m", "silent_after": null, "origins": [],
            "url": url, "signed_url": null, "handshake": null, "not_covered_by_the_signature": [],
        });
        for (member, expected) in expected.as_object().unwrap() {
            assert_eq!(shown[member], *expected, "{member}");
        }
        let shown = view(json!({"provider": "github", "secrets": ["a"]}));
        assert_eq!(
            shown["not_covered_by_the_signature"],
            json!(["x-github-delivery", "x-github-event"])
        );
        assert!(
            shown["authenticity"]
                .as_str()
                .unwrap()
                .starts_with("signature")
        );
        let square =
            json!({"provider": "square", "secrets": ["a"], "public_url": "https://a.example.com/"});
        assert_eq!(view(square)["signed_url"], "https://a.example.com/");
        let slack = view(json!({"provider": "slack", "secrets": ["a"]}));
        assert!(slack["handshake"].as_str().unwrap().starts_with("slack: "));
        let waiting = view(json!({"provider": "notion", "waiting": true}));
        assert_eq!(waiting["status"], "waiting");
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
