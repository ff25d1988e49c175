//! `webhookctl source update`: what a source declares, changed without a new secret.

use super::view::View;
use super::watch;
use crate::Result;
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use serde_json::{Map, Value};
use webhook_gateway::store::sources::{Source, SourceError};

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The source's name.
    name: String,
    /// The longest that it normally sends nothing, such as 2h or 3d, up to 30d; `none` for a source that is not watched.
    #[arg(long, value_name = "DURATION")]
    silent_after: Option<String>,
    /// How long the same id counts as a duplicate, such as 30d; of providers without ids, how long the same update does, such
    /// as 10m. `default` for the provider's.
    #[arg(long, value_name = "DURATION")]
    dedupe_window: Option<String>,
    /// An origin that may ask whether it may send; `*` is any. These take the place of the present ones.
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// Removes the origins.
    #[arg(long, conflicts_with = "origins")]
    no_origins: bool,
}

pub(super) async fn run(arguments: Update, stack: &Stack, output: Output) -> Result<()> {
    let name = arguments.name.clone();
    let is_of_silence = arguments.silent_after.is_some();
    let window = arguments.dedupe_window.as_deref();
    let is_of_window = window.is_some_and(|it| it != "default");
    let mut document = Document::of(stack).await?;
    let before = document.entry(&name)?.clone();
    let mut entry = before.clone();
    let members = entry.as_object_mut().ok_or(SourceError::NotAnObject)?;
    arguments.apply(members);
    let source = Source::parse(&name, &entry)?;
    if is_of_window {
        super::check_window(&source, stack)?;
    }
    let view = View::of(&name, &entry, stack)?;
    if entry == before {
        output.note("nothing was changed: it is so already");
    } else {
        document.sources.insert(name.clone(), entry);
        document.write().await?;
    }
    if is_of_silence {
        // Also where nothing was changed: that is how a watch that was not begun is made up for.
        watch::follow(&name, &source, stack).await?;
    }
    output.one(&view)
}

impl Update {
    fn apply(self, members: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Option<Value>| match value {
            Some(value) => drop(members.insert(name.to_owned(), value)),
            None => drop(members.remove(name)),
        };
        if let Some(gap) = self.silent_after {
            put("silent_after", (gap != "none").then(|| gap.into()));
        }
        if let Some(window) = self.dedupe_window {
            put(
                "dedupe_window",
                (window != "default").then(|| window.into()),
            );
        }
        if self.no_origins {
            put("origins", None);
        } else if !self.origins.is_empty() {
            put("origins", Some(self.origins.into()));
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
        let cleared = applied(
            set,
            "--silent-after none --dedupe-window default --no-origins",
        );
        assert_eq!(cleared, bare);
    }

    #[test]
    fn nothing_is_set_and_cleared_at_once() {
        assert!(
            Line::try_parse_from(["webhookctl", "a", "--no-origins", "--origin", "b"]).is_err()
        );
    }
}
