//! `webhookctl source update`: changes the settings of a source, without a new secret.

use super::silence;
use super::view::SourceView;
use crate::document::Document;
use crate::output::Output;
use crate::settings::{Field, Setting};
use crate::stack::Stack;
use crate::{Result, providers, settings};
use clap::Args;
use serde_json::{Map, Value};
use std::path::PathBuf;
use webhook_gateway::store::sources::{Source, SourceError};

/// Changes the settings of a source; its secrets stay.
#[derive(Debug, Args)]
#[command(after_help = "\
Settings that are not named stay as they are. `--no-` before the name of a flag clears its value. A source
with --silent-after is watched from now on: the gateway reports it if it sends nothing for that long. A
source that was reported is watched again from its next webhook on, or when --silent-after is set again.

--provider takes another preset as it is: fields that were set for the previous provider are removed,
except public_url. Then --from, --unset and --set change fields of the recipe. A value that is JSON is
taken as JSON, any other one as text; null removes the field of the preset, and --unset restores it. An
event field is named event.type, event.id, and so on. A change that makes no valid source is refused, and
the error names the field.

With --json: the object of `source list --json`.

Examples:
  webhookctl source update studio --silent-after 2h
  webhookctl source update studio --no-silent-after
  webhookctl source update hr --dedupe-window 2h
  webhookctl source update content --origin studio.example.com
  webhookctl source update shop --set encoding=base64 --set 'event.type=com.acme.{$.topic}'
  webhookctl source update shop --unset encoding
  webhookctl source update shop --provider stripe
  webhookctl source update shop --from recipe.json")]
pub(crate) struct Update {
    /// The name of the source.
    name: String,
    /// The longest time for which the source normally sends nothing, such as 2h or 3d, up to 30d.
    #[arg(long, value_name = "DURATION")]
    silent_after: Option<String>,
    /// Stops watching the source.
    #[arg(long, conflicts_with = "silent_after")]
    no_silent_after: bool,
    /// How long the same id counts as a duplicate, such as 30d. For providers without ids, how long the
    /// same update does, such as 10m.
    #[arg(long, value_name = "DURATION")]
    dedupe_window: Option<String>,
    /// Restores the provider's own window.
    #[arg(long, conflicts_with = "dedupe_window")]
    no_dedupe_window: bool,
    /// An origin whose validation request is accepted. `*` is any origin. The origins replace the present
    /// ones.
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// Removes the origins.
    #[arg(long, conflicts_with = "origins")]
    no_origin: bool,
    /// Takes another provider: the name of a preset, or custom.
    #[arg(long, value_name = "NAME", value_parser = providers::name)]
    provider: Option<String>,
    /// Sets a field of the recipe, such as encoding=base64 or event.type=com.acme.{$.type}.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<Setting>,
    /// Removes a field that the source has itself: that of the preset holds again.
    #[arg(long = "unset", value_name = "FIELD")]
    unset: Vec<Field>,
    /// Sets all fields of a JSON object in a file.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Update, stack: &Stack, output: &Output) -> Result<()> {
    let name = arguments.name.clone();
    let is_of_silence = arguments.silent_after.is_some() || arguments.no_silent_after;
    let is_of_window = arguments.dedupe_window.is_some();
    let mut document = Document::of(stack).await?;
    let before = document.entry(&name)?.clone();
    let mut entry = before.clone();
    let members = entry.as_object_mut().ok_or(SourceError::NotAnObject)?;
    let from = arguments.from.as_deref().map(settings::read).transpose()?;
    arguments.apply(members, from.unwrap_or_default());
    let source = Source::parse(&name, &entry)?;
    if is_of_window {
        super::check_window(&source, stack)?;
    }
    let view = SourceView::of(&name, &entry, stack)?;
    if entry == before {
        output.note("no changes");
    } else {
        document.sources.insert(name.clone(), entry);
        document.write().await?;
        super::note_cautions(&source.recipe, output);
    }
    if is_of_silence {
        // Even without a change: this begins a silence check that failed to begin before.
        silence::follow(&name, &source, stack).await?;
    }
    output.details(&view, SourceView::COLUMNS)
}

impl Update {
    /// Changes an entry, with the settings of a file.
    pub(crate) fn apply(self, members: &mut Map<String, Value>, from: Vec<Setting>) {
        if let Some(provider) = self.provider {
            settings::keep_for(&provider, members);
            members.insert("provider".to_owned(), provider.into());
        }
        for setting in from {
            setting.apply(members);
        }
        for field in &self.unset {
            field.clear(members);
        }
        for setting in self.set {
            setting.apply(members);
        }
        let origins = (!self.origins.is_empty()).then(|| self.origins.into());
        for (name, value, is_cleared) in [
            (
                "silent_after",
                self.silent_after.map(Value::from),
                self.no_silent_after,
            ),
            (
                "dedupe_window",
                self.dedupe_window.map(Value::from),
                self.no_dedupe_window,
            ),
            ("origins", origins, self.no_origin),
        ] {
            if is_cleared {
                members.remove(name);
            } else if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        update: Update,
    }

    fn applied(entry: Value, line: &str) -> Value {
        let line = ["webhookctl", "studio"].into_iter().chain(line.split(' '));
        let update = Line::try_parse_from(line).unwrap().update;
        let mut entry = entry;
        update.apply(entry.as_object_mut().unwrap(), Vec::new());
        entry
    }

    #[test]
    fn what_is_not_named_stays_and_what_was_set_can_be_cleared() {
        let bare = json!({"provider": "creads", "secrets": ["s"], "later": 1});
        let line = "--silent-after 2h --dedupe-window 3h --origin a --origin b";
        let set = applied(bare.clone(), line);
        let expected = json!({
            "provider": "creads", "secrets": ["s"], "later": 1,
            "silent_after": "2h", "dedupe_window": "3h", "origins": ["a", "b"],
        });
        assert_eq!(set, expected);
        let other = applied(set.clone(), "--origin c");
        assert_eq!(other["origins"], json!(["c"]));
        assert_eq!(other["silent_after"], "2h");
        let cleared = applied(set, "--no-silent-after --no-dedupe-window --no-origin");
        assert_eq!(cleared, bare);
    }

    #[test]
    fn fields_are_set_and_unset_and_another_provider_takes_none_of_them_along() {
        let entry = json!({
            "provider": "github", "secrets": ["s"], "encoding": "base64", "event": {"type": "a"},
            "public_url": "https://a.example.com/", "silent_after": "2h",
        });
        let set = applied(
            entry.clone(),
            "--set encoding=hex --set event.id={$.id} --unset event.type",
        );
        let expected = json!({
            "provider": "github", "secrets": ["s"], "encoding": "hex", "event": {"id": "{$.id}"},
            "public_url": "https://a.example.com/", "silent_after": "2h",
        });
        assert_eq!(set, expected);
        let switched = applied(entry, "--provider stripe --set timestamp_tolerance=10m");
        let expected = json!({
            "provider": "stripe", "secrets": ["s"], "public_url": "https://a.example.com/",
            "silent_after": "2h", "timestamp_tolerance": "10m",
        });
        assert_eq!(switched, expected);
        for wrong in [
            ["--provider", "stipe"],
            ["--set", "encoding"],
            ["--set", "secrets=x"],
        ] {
            let line = ["webhookctl", "a"].into_iter().chain(wrong);
            assert!(Line::try_parse_from(line).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn nothing_is_set_and_cleared_at_once() {
        for flags in [
            ["--no-origin", "--origin", "b"],
            ["--no-silent-after", "--silent-after", "2h"],
            ["--no-dedupe-window", "--dedupe-window", "2h"],
        ] {
            let line = ["webhookctl", "a"].into_iter().chain(flags);
            assert!(Line::try_parse_from(line).is_err(), "{flags:?}");
        }
    }
}
