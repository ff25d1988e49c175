//! `webhookctl status`: how sources and endpoints are doing, on one screen. `snapshot` is read each time,
//! `counts` adds up the metrics, and `view` is the printed rows.

mod counts;
mod next_attempt;
mod snapshot;
mod view;

use crate::Result;
use crate::hint::Kind;
use crate::metrics::{Query, Values, ask};
use crate::output::Output;
use crate::rate_limit::interrupted;
use crate::stack::Stack;
use crate::time;
use clap::Args;
use jiff::Timestamp;
use snapshot::Snapshot;
use std::io::{self, IsTerminal};
use std::pin::pin;
use std::time::{Duration, Instant};
use view::{EndpointView, SourceView};

/// CloudWatch charges for each metric that is asked for, and has them by the minute.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Shows how sources and endpoints are doing.
#[derive(Debug, Args)]
#[command(after_help = "\
Counts are of the last hour and of the last day, as far as CloudWatch has heard of it, which takes a minute or
two. The success is the part of the attempts that the endpoint took; p50 and p99 are how long they took in the
last hour that had any. If they cannot be read, the rest is shown, and the command fails. The state of an
endpoint is active, paused, disabled, open (its circuit), waiting (as it asked for) or slow. The next attempt
is found among the newest 100 deliveries; an endpoint that is left alone is tried by then at the latest.

It costs 4 metrics for each source and each endpoint, $0.01 for a thousand, which --watch asks for once a
minute; and some 20 read units for each endpoint, and one for each 20 deliveries that are held, of which
10,000 are counted at most.

With --json: {\"kind\": \"source\", \"name\": …, \"provider\": …, \"last_event_at\": …, \"hour\":
{\"accepted\": 2, \"duplicates\": 0, \"quarantined\": 0, \"rejected\": 0}, \"day\": {…}} and {\"kind\":
\"endpoint\", \"id\": …, \"name\": …, \"state\": …, \"hour\": {\"delivered\": 2, \"failed\": 0, \"success\":
1.0}, \"day\": {…}, \"p50_ms\": …, \"p99_ms\": …, \"held\": 0, \"more_held\": false, \"next_attempt_at\": …}
each.

Examples:
  webhookctl status
  webhookctl status --watch
  webhookctl status --json | jq -c 'select(.kind == \"endpoint\" and .held > 0)'")]
pub(crate) struct Status {
    /// Shows it again and again, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// The pause between two screens, 1s or longer.
    #[arg(long, value_name = "DURATION", default_value = "5s", requires = "watch", value_parser = interval)]
    interval: Duration,
}

/// What was last counted, and when.
struct Counted {
    queries: Vec<Query>,
    values: Vec<Values>,
    at: Instant,
}

pub(crate) async fn run(arguments: Status, stack: &Stack, output: Output) -> Result<()> {
    let mut counted = None;
    let mut interrupted = pin!(interrupted());
    loop {
        let known = Snapshot::of(stack).await?;
        let queries = known.queries(stack)?;
        let values = count(queries, &mut counted, stack).await;
        if let Err(error) = &values
            && arguments.watch
        {
            output.note(error);
        }
        if arguments.watch && !output.json {
            begin_screen(output)?;
        }
        let uncounted = values.as_ref().err().cloned();
        let values = values.ok();
        output.list(&known.sources(values), SourceView::COLUMNS)?;
        if !output.json {
            output.text("")?;
        }
        output.list(&known.endpoints(values), EndpointView::COLUMNS)?;
        if !arguments.watch {
            return uncounted.map_or(Ok(()), |error| Err(error.into()));
        }
        tokio::select! {
            () = &mut interrupted => return Ok(()),
            () = tokio::time::sleep(arguments.interval) => {}
        }
    }
}

fn interval(text: &str) -> std::result::Result<Duration, String> {
    match time::seconds(text)? {
        0 => Err("the shortest interval is 1s".to_owned()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// The values of the metrics, which may be as old as they are, or why there are none.
async fn count<'c>(
    queries: Vec<Query>,
    counted: &'c mut Option<Counted>,
    stack: &Stack,
) -> std::result::Result<&'c [Values], String> {
    let max_age = if stack.is_local {
        Duration::ZERO
    } else {
        MAX_AGE
    };
    let is_fresh = |counted: &Counted| counted.queries == queries && counted.at.elapsed() < max_age;
    if !counted.as_ref().is_some_and(is_fresh) {
        let span = counts::span(Timestamp::now());
        *counted = None;
        let values = ask(&stack.cloudwatch(), &queries, span).await;
        let values = values.map_err(|error| match Kind::of(&error) {
            Kind::Denied => format!("{error}; this takes the permission cloudwatch:GetMetricData"),
            kind => format!("{error}{}", kind.hint()),
        })?;
        *counted = Some(Counted {
            queries,
            values,
            at: Instant::now(),
        });
    }
    Ok(counted.as_ref().map_or(&[], |counted| &*counted.values))
}

/// Takes the screen of a terminal; elsewhere, sets off from what came before.
fn begin_screen(output: Output) -> Result<()> {
    match io::stdout().is_terminal() {
        true => output.bytes(b"\x1b[2J\x1b[H"),
        false => output.bytes(b"\n"),
    }
}
