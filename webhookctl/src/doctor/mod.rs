//! `webhookctl doctor`: whether a stack is well. `facts` reads what there is to know and `checks` judge it; `reconcile` asks
//! whether anything was lost.

mod checks;
mod facts;
mod finding;
mod reconcile;

#[cfg(test)]
pub(crate) use checks::sample;

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use crate::time;
use clap::Args;
use facts::Facts;
use finding::Level;
use jiff::Timestamp;
use std::num::NonZeroU32;

/// Borne by most endpoints, and by door 2 in any case.
const DEFAULT_RATE: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// Checks a stack.
#[derive(Debug, Args)]
#[command(after_help = "\
Each line is ok, a warning, or wrong, with what to do under it. What may not be read is a warning that names the
permission it takes; what is missing is wrong; and if AWS is out of reach or the credentials are expired, the first line
says so. Exit code: 0 everything was checked and nothing is wrong, 1 otherwise. It changes nothing, and costs some thirty
calls.

--reconcile proves, for all that was accepted since a time, that
  accepted   = published + quarantined, and
  deliveries = delivered + held + exhausted + skipped + in flight;
or it lists what is missing, one by one, and fails. What is younger than two minutes is in flight. While there are
messages on the delivery queue, a delivery without a record is in flight or missing. An event that was published and
not noted looks missing as well, and is published twice if it is repaired, with the same id.

It reads the whole ledger, whatever the time: a read unit for each 8 KB, so 0.13 million for 1 GB; and of the journal and
of the deliveries what is as young as that: 8 and some 200 read units for a thousand events and as many deliveries.

--repair has the events published that never were, also those that the stream has forgotten after its 24 hours, and puts
the deliveries on the queue again. What was repaired is in flight, and not repaired again.

With --json: {\"level\": …, \"check\": …, \"subject\": …, \"what\": …, \"to_do\": …} each, the last null if there is nothing to do.
With --reconcile {\"since\": …, \"until\": …, \"events\": {\"accepted\": 3, …}, \"deliveries\": {\"all\": 2, …}}, then {\"missing\": \"event\" or
\"delivery\", \"id\": …, \"type\": …, \"source\": …, \"endpoint\": …, \"event\": …, \"accepted_at\": …, \"why\": …} each, and after a repair
{\"repaired\": {\"events\": 0, \"deliveries\": 0}}.

Examples:
  webhookctl doctor
  webhookctl doctor --json | jq -c 'select(.level != \"ok\")'
  webhookctl doctor --reconcile --since 2d
  webhookctl doctor --reconcile --since 2026-11-20 --repair --dry-run")]
pub(crate) struct Doctor {
    /// Proves that nothing was lost, or lists what is missing.
    #[arg(long, requires = "since")]
    reconcile: bool,
    /// Of events accepted since then: 2h or 3d before now, a date, or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = time::since, requires = "reconcile")]
    since: Option<Timestamp>,
    /// And before then.
    #[arg(long, value_name = "TIME", value_parser = time::since, requires = "reconcile")]
    until: Option<Timestamp>,
    /// Sends what is missing on its way.
    #[arg(long, requires = "reconcile")]
    repair: bool,
    /// Repairs nothing, and lists what would be.
    #[arg(long, requires = "repair")]
    dry_run: bool,
    /// How many are repaired in a second.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_RATE, requires = "repair")]
    rate: NonZeroU32,
}

pub(crate) async fn run(arguments: Doctor, stack: &Stack, output: Output) -> Result<()> {
    match arguments.since {
        Some(since) => reconcile::run(&arguments, since, stack, output).await,
        None => check(stack, output).await,
    }
}

async fn check(stack: &Stack, output: Output) -> Result<()> {
    let found = checks::all(&Facts::of(stack).await);
    finding::print(&found.all, output)?;
    let wrong = found.all.iter().filter(|it| it.level == Level::Wrong);
    verdict(wrong.count(), found.unread()).map_or(Ok(()), |problem| Err(problem.into()))
}

/// What it comes to that so many things are wrong, and so many could not be looked at.
fn verdict(wrong: usize, unread: usize) -> Option<String> {
    let wrong = match wrong {
        0 => None,
        1 => Some("1 thing is wrong".to_owned()),
        wrong => Some(format!("{wrong} things are wrong")),
    };
    let unread = match unread {
        0 => None,
        1 => Some("1 thing could not be checked".to_owned()),
        unread => Some(format!("{unread} things could not be checked")),
    };
    let parts: Vec<_> = wrong.into_iter().chain(unread).collect();
    (!parts.is_empty()).then(|| parts.join(", and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stack_that_was_looked_at_and_has_nothing_wrong_is_well() {
        let told = |wrong, unread| verdict(wrong, unread).unwrap_or_default();
        assert_eq!(told(0, 0), "");
        assert_eq!(told(2, 0), "2 things are wrong");
        assert_eq!(told(0, 1), "1 thing could not be checked");
        assert_eq!(
            told(1, 3),
            "1 thing is wrong, and 3 things could not be checked"
        );
    }
}
