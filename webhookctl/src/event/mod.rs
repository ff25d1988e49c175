//! `webhookctl event`: what was accepted, what happened to it, and sending it again. What became of it at one endpoint is
//! left to `delivery`, and what was not understood to `quarantine`.

mod checkpoint;
mod chosen;
mod copies;
mod duplicates;
mod explain;
pub(crate) mod index;
mod list;
mod parties;
mod reasons;
mod replay;
mod show;
mod steps;
mod target;

pub(crate) use index::{Filter, Index, Kind};

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
An event is meant by its id, as consumers see it, or by its key in the ledger: the name of its source, a # and the id.

Examples:
  webhookctl event list --source studio --since 2h
  webhookctl event explain 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11
  webhookctl event replay --source studio --since 3d --endpoint search --dry-run")]
pub(crate) enum Command {
    /// Lists events, the newest first.
    #[command(after_help = "\
They are read from the journal of what was published, from now back to --since, 1 MB at a time; the ledger is not scanned.
A thousand events are some 60 KB of it, or 8 read units. What was accepted a moment ago and is not published yet is not
listed, and what became of the quarantined ones is told by `webhookctl quarantine list`.

--state duplicate lists the webhooks that were answered 200 and dropped as copies, each with the time when it came and
the event that it was taken for. They are no events: only the log of the ingress function has them, a line each, for
as long as it is kept (LogRetentionDays), some seconds after they came. To search it is free, and takes the longer the more was
logged. A webhook is also listed as a copy of itself if its own record was written and DynamoDB's answer was lost.

With --json: {\"id\": …, \"type\": …, \"source\": …, \"provider\": …, \"state\": …, \"accepted_at\": …, \"published_at\": …,
\"key\": …} each; of duplicates {\"at\": …, \"id\": …, \"source\": …, \"provider\": …, \"state\": \"duplicate\"}, whose id is that of
the event. As a table, these are 100 at most unless --limit says otherwise.

Examples:
  webhookctl event list
  webhookctl event list --type 'io.creativeforce.product.*' --since 2026-11-22 --until 2026-11-23
  webhookctl event list --state quarantined --json | jq -r .id
  webhookctl event list --state duplicate --source hr --since 2h")]
    List(list::List),
    /// Shows an event: the webhook as it came, the CloudEvent that was made of it, and every delivery.
    #[command(after_help = "\
Signatures are not kept. --raw writes the exact bytes of the body, and nothing else; to a terminal only with --force.

With --json: what `event list --json` has, with \"reason\": …, \"released_as\": …, \"headers\": {…}, \"body\": … (or
\"body_base64\", if it is not UTF-8), \"event\": {…} (null for what is not understood) and \"deliveries\": […], each as
`delivery list --json` has it.

Examples:
  webhookctl event show 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11
  webhookctl event show 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11 --source studio --raw > body.json")]
    Show(show::Show),
    /// Explains what happened to an event, in order, and why any endpoint did not get it.
    #[command(after_help = "\
Filters are those of today: an endpoint that was changed since the event is said to be. Copies that the provider sent are
found in the log of the ingress function.

With --json: what `event list --json` has, with \"secret_position\": …, \"steps\": [{\"at\": …, \"what\": …}] and \"endpoints\":
[{\"endpoint\": …, \"name\": …, \"state\": …, \"reason\": …, \"attempts\": …, \"last\": …, \"updated_at\": …,
\"next_attempt_at\": …}], whose state is that of the delivery, on-its-way, or none.

Example:
  webhookctl event explain 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11")]
    Explain(explain::Explain),
    /// Sends events again, from the ledger: to an endpoint, to a queue, or to all that want them.
    #[command(after_help = "\
The event keeps its id, and carries \"replayed\": true. Events are counted first, then sent, the oldest first, at --rate. An
endpoint gets those that it wants by type and source, whether or not it had them before, and whether or not it existed
then; one that is paused or disabled, when it is active again. A request has the same `webhook-id` as the first time.

Whoever is interrupted runs the same command again, within 7 days: it goes on where it stopped, with the same span of
time, and at most ten events go twice. What the ledger has forgotten is named; what is quarantined is not sent.

--queue takes `events`, the name of a subscription (which gets what it wants), or the URL of a queue (which gets all).

With --json: {\"replayed\": …, \"of\": …, \"forgotten\": …, \"unwanted\": …}, counted over all runs; with --dry-run {\"key\": …,
\"id\": …, \"type\": …, \"source\": …, \"provider\": …, \"accepted_at\": <milliseconds>} each.

Examples:
  webhookctl event replay --id 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11 --all
  webhookctl event replay --source studio --since 3d --endpoint search --dry-run
  webhookctl event replay --type 'io.peopleforce.*' --since 2026-11-01 --until 2026-11-08 --queue payroll --rate 50")]
    Replay(replay::Replay),
}

pub(crate) async fn run(command: Command, stack: &Stack, output: Output) -> Result<()> {
    match command {
        Command::List(arguments) => list::run(arguments, stack, output).await,
        Command::Show(arguments) => show::run(arguments, stack, output).await,
        Command::Explain(arguments) => explain::run(arguments, stack, output).await,
        Command::Replay(arguments) => replay::run(arguments, stack, output).await,
    }
}
