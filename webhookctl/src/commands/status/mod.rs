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
use view::{EndpointView, GatewayView, SourceView};

pub(crate) use next_attempt::{NEWEST, next_attempt};

/// How long metrics are reused: CloudWatch charges for each one, and has new values every minute.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Shows how sources and endpoints are doing.
#[derive(Debug, Args)]
#[command(after_help = "\
Counts cover the last hour and the last day; CloudWatch has them after a minute or two. Success is the share
of attempts that the endpoint answered with 2xx. p50 and p99 are the durations of attempts in the last hour
with any. The last table has the time from the acceptance of an event to the end of its first attempt, for all
endpoints together; without an endpoint it is left out. If the counts cannot be read, the command shows the
rest and fails. The condition of an endpoint is active, paused, disabled, open (its circuit is open), waiting
(it asked for a wait) or slow. The time of the next attempt comes from the newest 100 deliveries or from the
endpoint's wait.

The command reads 4 metrics for each source and each endpoint and 2 for all endpoints together, at $0.01 for a
thousand metrics; --watch reads them once a minute. It also needs about 20 read units for each endpoint, and
one for each 20 held deliveries, of which it counts at most 10,000.

With --json: {\"kind\": \"source\", \"name\": …, \"provider\": …, \"last_event_at\": …, \"silent_after\": …,
\"silent_since\": …, \"hour\": {\"accepted\": 2, \"duplicates\": 0, \"quarantined\": 0, \"rejected\": 0},
\"day\": {…}, \"hours\": […]} and {\"kind\": \"endpoint\", \"id\": …, \"name\": …, \"condition\": …,
\"hour\": {\"delivered\": 2, \"failed\": 0, \"success\": 1.0}, \"day\": {…}, \"p50_ms\": …, \"p99_ms\": …,
\"held\": 0, \"more_held\": false, \"next_attempt_at\": …, \"hours\": […]} for each, and {\"kind\":
\"gateway\", \"first_attempt\": {\"p50_ms\": …, \"p99_ms\": …}, \"hours\": […]}. \"hours\" has the last 24
hours of the clock in UTC, the present one last, each with its begin in \"at\" and its counts and durations.

Examples:
  webhookctl status
  webhookctl status --watch
  webhookctl status --json | jq -c 'select(.kind == \"endpoint\" and .held > 0)'")]
pub(crate) struct Status {
    /// Repeats until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// The pause between two screens, 1s or longer.
    #[arg(long, value_name = "DURATION", default_value = "5s", requires = "watch", value_parser = interval)]
    interval: Duration,
}

/// The last metrics and the time at which they were read.
struct Counted {
    queries: Vec<Query>,
    values: Vec<Values>,
    at: Instant,
}

pub(crate) async fn run(arguments: Status, stack: &Stack, output: &Output) -> Result<()> {
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
        if let Some(gateway) = known.gateway(values) {
            if !output.json {
                output.text("")?;
            }
            output.list(&[gateway], GatewayView::COLUMNS)?;
        }
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

/// The values of the metrics, new or reused, or the reason why there are none.
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
            Kind::Denied => format!("{error}; this needs the permission cloudwatch:GetMetricData"),
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

/// Clears the screen of a terminal. Elsewhere, an empty line separates the repetitions.
fn begin_screen(output: &Output) -> Result<()> {
    match io::stdout().is_terminal() {
        true => output.bytes(b"\x1b[2J\x1b[H"),
        false => output.bytes(b"\n"),
    }
}
