//! `webhookctl endpoint update`: changes the settings that are named.

use super::secret::NewSecret;
use super::settings::Settings;
use super::view::{EndpointDetails, EndpointView};
use super::{check_url, parse, secret};
use crate::Result;
use crate::commands::source::note_unknown;
use crate::commands::subscription::note_unmatched;
use crate::condition::Condition;
use crate::find;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use jiff::Timestamp;
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus};

/// Changes the settings of an endpoint that are named, and keeps the others.
#[derive(Debug, Args)]
#[command(after_help = "\
--event and --source replace the present values; so do --header and --header-stdin together. `--no-` before
the name of a flag clears its value.

With --json: the object of `endpoint show` without \"held\", \"more_held\" and
\"next_attempt_at\".

Examples:
  webhookctl endpoint update search --url https://search.example.com/v2/hooks --timeout 10s
  webhookctl endpoint update search --event 'io.creativeforce.product.*' --no-source --no-rate")]
pub(crate) struct Update {
    /// The id or the name of the endpoint.
    #[arg(value_name = "ENDPOINT")]
    which: String,
    /// The new name.
    #[arg(long, value_parser = parse::name)]
    name: Option<String>,
    /// The new URL.
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Sends the events of all sources.
    #[arg(long, conflicts_with = "sources")]
    no_source: bool,
    /// Removes the further headers.
    #[arg(long, conflicts_with_all = ["headers", "header_stdin"])]
    no_header: bool,
    /// Removes the description.
    #[arg(long, conflicts_with = "description")]
    no_description: bool,
    /// Removes the limit of deliveries per second.
    #[arg(long, conflicts_with = "rate")]
    no_rate: bool,
    /// Removes the text before the signature.
    #[arg(long, conflicts_with = "signature_prefix")]
    no_signature_prefix: bool,
    /// Reads a secret from standard input. It replaces the present ones at once; with `rotate-secret` they
    /// overlap.
    #[arg(long, conflicts_with = "header_stdin")]
    secret_stdin: bool,
}

pub(crate) async fn run(mut arguments: Update, stack: &Stack, output: &Output) -> Result<()> {
    let now = Timestamp::now();
    let endpoints = stack.endpoints()?;
    let mut status = find::status(&arguments.which, &endpoints).await?;
    let before = status.endpoint.clone();
    let endpoint = &mut status.endpoint;
    let from_stdin = arguments.secret_stdin;
    arguments.settings.read()?;
    arguments.apply(endpoint)?;
    if *endpoint == before && !from_stdin {
        output.note("no changes");
        return output.details(
            &EndpointDetails::of(EndpointView::of(&status, now)),
            EndpointDetails::COLUMNS,
        );
    }
    if endpoint.url != before.url {
        check_url::refuse_unless_allowed(&endpoint.url, stack).await?;
    }
    if from_stdin {
        let new = NewSecret::take(endpoint.signature, true)?;
        endpoint.secrets = vec![new.seal(&endpoint.id, stack).await?];
    } else if endpoint.signature != before.signature {
        secret::check_all(endpoint, now.as_second(), stack).await?;
    }
    endpoint.updated_at = now.as_millisecond();
    if (&endpoint.events, &endpoint.sources) != (&before.events, &before.sources) {
        endpoint.selected_at = Some(endpoint.updated_at);
    }
    endpoints.put(endpoint).await?;
    if endpoint.events != before.events {
        note_unmatched(&endpoint.events, output);
    }
    if endpoint.sources != before.sources {
        note_unknown(&endpoint.sources, stack, output).await;
    }
    if let Some(way) = waiting(&status, now) {
        output.note(&way);
    }
    output.details(
        &EndpointDetails::of(EndpointView::of(&status, now)),
        EndpointDetails::COLUMNS,
    )
}

/// The command that tries an endpoint at once, if the endpoint gets nothing at the moment.
fn waiting(status: &EndpointStatus, now: Timestamp) -> Option<String> {
    let id = &status.endpoint.id;
    match Condition::of(status, now) {
        Condition::Open | Condition::Waiting(_) => Some(format!(
            "the endpoint failed before, and is tried from time to time: `webhookctl endpoint enable {id}` \
             tries it at once"
        )),
        Condition::Disabled => Some(format!(
            "the endpoint is disabled: `webhookctl endpoint enable {id}` enables it"
        )),
        _ => None,
    }
}

impl Update {
    fn apply(self, endpoint: &mut Endpoint) -> Result<()> {
        if let Some(name) = self.name {
            endpoint.name = name;
        }
        if let Some(url) = self.url {
            endpoint.url = url;
        }
        if self.no_source {
            endpoint.sources.clear();
        }
        if self.no_header {
            endpoint.headers.clear();
        }
        if self.no_description {
            endpoint.description = None;
        }
        if self.no_rate {
            endpoint.rate = None;
        }
        if self.no_signature_prefix {
            endpoint.signature_prefix = None;
        }
        self.settings.apply(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::named;
    use crate::samples::status;
    use clap::Parser;
    use webhook_gateway::store::endpoints::State;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        update: Update,
    }

    fn parsed(line: &str) -> std::result::Result<Update, clap::Error> {
        let line = ["webhookctl"].into_iter().chain(line.split(' '));
        Ok(Line::try_parse_from(line)?.update)
    }

    #[test]
    fn what_was_set_can_be_cleared() {
        let bare = named("search", "https://a.example/");
        let mut endpoint = bare.clone();
        let set = "ep_1 --source studio --header X-Env:test --rate 5 --description why";
        let set = parsed(set).unwrap();
        set.apply(&mut endpoint).unwrap();
        assert_ne!(endpoint, bare);
        let clear = parsed("ep_1 --no-source --no-header --no-rate --no-description").unwrap();
        clear.apply(&mut endpoint).unwrap();
        assert_eq!(endpoint, bare);

        let moved = parsed("ep_1 --name find --url https://b.example/").unwrap();
        moved.apply(&mut endpoint).unwrap();
        assert_eq!(
            (&*endpoint.name, &*endpoint.url),
            ("find", "https://b.example/")
        );
    }

    #[test]
    fn what_gets_nothing_at_the_moment_can_be_tried_at_once() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let of = |state, opened_at, wait_until| {
            let status = status(|status| {
                status.endpoint.state = state;
                status.circuit.opened_at = opened_at;
                status.circuit.wait_until = wait_until;
            });
            waiting(&status, now)
        };
        let later = Some(1_790_000_000_001);
        for (state, opened_at, wait_until, is_said) in [
            (State::Active, None, None, false),
            (State::Active, Some(1), None, true),
            (State::Active, None, later, true),
            (State::Active, None, Some(1), false),
            (State::Disabled, None, None, true),
            (State::Paused, Some(1), None, false),
        ] {
            let said = of(state, opened_at, wait_until);
            let is_it = said.is_some_and(|said| said.contains("endpoint enable ep_1"));
            assert_eq!(is_it, is_said, "{state:?} {opened_at:?} {wait_until:?}");
        }
    }

    #[test]
    fn nothing_is_set_and_cleared_at_once() {
        for line in [
            "--no-source --source a",
            "--no-header --header X-Env:a",
            "--no-header --header-stdin X-Env",
            "--secret-stdin --header-stdin X-Env",
            "--no-rate --rate 1",
            "--no-description --description why",
            "--no-retry --retry 5s",
            "--no-signature-prefix --signature-prefix sha256=",
        ] {
            assert!(parsed(&format!("ep_1 {line}")).is_err(), "{line}");
        }
    }
}
