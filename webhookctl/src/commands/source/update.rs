//! `webhookctl source update`: changes the settings of a source, without a new secret.

use super::silence;
use super::view::SourceView;
use crate::Result;
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use serde_json::{Map, Value};
use webhook_gateway::store::sources::{Source, SourceError};

/// Changes the settings of a source; its secrets stay.
#[derive(Debug, Args)]
#[command(after_help = "\
Settings that are not named stay as they are. `--no-` before the name of a flag clears its value. A source
with --silent-after is watched from now on: the gateway reports it if it sends nothing for that long. A source
that was reported is watched again from its next webhook on, or when --silent-after is set again.

With --json: the object of `source list --json`.

Examples:
  webhookctl source update studio --silent-after 2h
  webhookctl source update studio --no-silent-after
  webhookctl source update hr --dedupe-window 2h
  webhookctl source update content --origin studio.example.com")]
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
}

pub(crate) async fn run(arguments: Update, stack: &Stack, output: Output) -> Result<()> {
    let name = arguments.name.clone();
    let is_of_silence = arguments.silent_after.is_some() || arguments.no_silent_after;
    let is_of_window = arguments.dedupe_window.is_some();
    let mut document = Document::of(stack).await?;
    let before = document.entry(&name)?.clone();
    let mut entry = before.clone();
    let members = entry.as_object_mut().ok_or(SourceError::NotAnObject)?;
    arguments.apply(members);
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
    }
    if is_of_silence {
        // Even without a change: this begins a silence check that failed to begin before.
        silence::follow(&name, &source, stack).await?;
    }
    output.details(&view, SourceView::COLUMNS)
}

impl Update {
    fn apply(self, members: &mut Map<String, Value>) {
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
        update.apply(entry.as_object_mut().unwrap());
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
