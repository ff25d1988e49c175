//! `webhookctl provider show`: a preset, and what to enter where at its provider.

use crate::output::Output;
use crate::{Result, providers, words};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use webhook_gateway::providers::handshake::Handshake;
use webhook_gateway::providers::presets::{About, Evidence, Preset};
use webhook_gateway::providers::recipe::Recipe;

/// Shows how a provider authenticates its webhooks, and what to enter where in its settings.
#[derive(Debug, Args)]
#[command(after_help = "\
`webhookctl source create code --provider github` shows the same steps with the Payload URL of the source.

The evidence is published-vector (the provider publishes a signed example, and the gateway verifies it),
official-document (the provider documents it), or third-party (others say so: check it with a live
webhook).

With --json: {\"name\": …, \"title\": …, \"evidence\": …, \"authentication\": …, \"authenticity\": …,
\"handshake\": …, \"not_covered_by_the_signature\": […], \"dedupe\": …, \"documentation\": …, \"setup\": […],
\"facts\": {…}, \"recipe\": {…}}. In the setup, {payload_url} stands for the Payload URL. The recipe is a file
for --from of `source create`.

Examples:
  webhookctl provider show github
  webhookctl provider show stripe --json | jq .recipe")]
pub(crate) struct Show {
    /// The name of the preset.
    #[arg(value_name = "NAME", value_parser = providers::preset)]
    provider: Preset,
}

/// A preset.
#[derive(Debug, Serialize)]
pub(crate) struct ProviderDetails {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) authentication: String,
    authenticity: Option<&'static str>,
    pub(crate) handshake: Option<&'static str>,
    pub(crate) evidence: &'static str,
    not_covered_by_the_signature: Vec<String>,
    dedupe: Option<&'static str>,
    pub(crate) documentation: String,
    pub(crate) setup: Vec<String>,
    pub(crate) facts: Facts,
    recipe: Map<String, Value>,
}

/// How a provider sends.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    pub(crate) timeout: Option<String>,
    pub(crate) retries: Option<String>,
    pub(crate) notes: Vec<String>,
}

pub(crate) fn run(arguments: &Show, output: &Output) -> Result<()> {
    let details = ProviderDetails::of(arguments.provider);
    if output.json {
        return output.json(&details);
    }
    output.details(&details, ProviderDetails::COLUMNS)?;
    output.text(&details.steps())
}

impl ProviderDetails {
    pub(crate) const COLUMNS: &[&str] = &[
        "name",
        "title",
        "authentication",
        "authenticity",
        "handshake",
        "not_covered_by_the_signature",
        "dedupe",
        "evidence",
        "documentation",
        "facts.timeout",
        "facts.retries",
    ];

    pub(crate) fn of(preset: Preset) -> Self {
        let name = preset.name();
        let About {
            title,
            evidence,
            documentation,
            setup,
            facts,
        } = preset.about().unwrap_or_else(|| About {
            title: name.to_owned(),
            evidence: Evidence::ThirdParty,
            documentation: String::new(),
            setup: Vec::new(),
            facts: Default::default(),
        });
        let recipe = Recipe::fields_of_source(name, &Map::new()).unwrap_or_default();
        let valid = providers::recipe(preset);
        let valid = valid.as_ref();
        let handshake = valid.and_then(Recipe::handshake);
        Self {
            name,
            title,
            authentication: words::authentication(&recipe),
            authenticity: valid.map(|recipe| words::authenticity(recipe.authenticity())),
            handshake: handshake.map(Handshake::name),
            evidence: evidence.name(),
            not_covered_by_the_signature: words::headers(
                &valid.map(Recipe::uncovered_headers).unwrap_or_default(),
            ),
            dedupe: valid.map(words::dedupe),
            documentation,
            setup,
            facts: Facts {
                timeout: facts.timeout,
                retries: facts.retries,
                notes: facts.notes,
            },
            recipe,
        }
    }

    /// The steps of the setup and the notes, below the details.
    fn steps(&self) -> String {
        let mut lines = vec![String::new(), "Setup:".to_owned()];
        lines.extend(providers::setup(&self.setup, "https://…/webhooks/NAME"));
        if !self.facts.notes.is_empty() {
            lines.extend([String::new(), "Facts:".to_owned()]);
            let notes = self.facts.notes.iter();
            lines.extend(notes.map(|note| format!("  * {note}")));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use webhook_gateway::providers::presets;

    #[test]
    fn every_preset_tells_all_that_a_table_and_an_operator_need() {
        for preset in presets::all() {
            let details = ProviderDetails::of(preset);
            assert!(details.authenticity.is_some(), "{}", details.name);
            assert!(
                details.documentation.starts_with("https://"),
                "{}",
                details.name
            );
            assert!(!details.setup.is_empty(), "{}", details.name);
            assert!(
                !details.steps().contains("{payload_url}"),
                "{}",
                details.name
            );
        }
        let github = ProviderDetails::of(presets::find("github").unwrap());
        assert_eq!(
            github.not_covered_by_the_signature,
            ["x-github-delivery", "x-github-event"]
        );
        assert_eq!(
            (github.dedupe, github.handshake),
            (Some("by the body"), None)
        );
        let meta = ProviderDetails::of(presets::find("meta").unwrap());
        assert_eq!(meta.handshake, Some("hub"));
    }

    #[test]
    fn the_shown_recipe_is_that_of_a_custom_source() {
        for name in ["github", "stripe", "twilio", "gitlab"] {
            let details = ProviderDetails::of(presets::find(name).unwrap());
            let recipe = Recipe::of_source("custom", &details.recipe);
            assert_eq!(recipe, Recipe::of_source(name, &Map::new()), "{name}");
        }
    }
}
