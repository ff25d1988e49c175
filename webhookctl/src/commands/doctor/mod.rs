//! `webhookctl doctor`: checks a stack. `facts` reads its state, and `checks` judges it.

mod checks;
pub(crate) mod facts;
mod finding;

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use facts::Facts;
use finding::Level;

/// Checks a stack.
#[derive(Debug, Args)]
#[command(after_help = "\
Each error and each warning is followed by the action to take; findings that are ok are only counted. If the
operator lacks a permission, a warning names it. A missing resource is an error. If AWS is out of reach or the
credentials are expired, the first line says so. Exit code: 0 if everything could be checked and nothing is
wrong, 1 otherwise. The command changes nothing, and makes about thirty calls. It reads 4 metrics, about 3
read units for each endpoint, and one for each 20 held deliveries, of which it counts at most 10,000.

With --json: {\"level\": …, \"check\": …, \"subject\": …, \"what\": …, \"to_do\": …} for each finding.
\"to_do\" is null if there is nothing to do.

Examples:
  webhookctl doctor
  webhookctl doctor --all
  webhookctl doctor --json | jq -c 'select(.level != \"ok\")'")]
pub(crate) struct Doctor {
    /// Lists the findings that are ok, too. With --json, everything is always listed.
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(Doctor { all }: Doctor, stack: &Stack, output: &Output) -> Result<()> {
    let found = checks::all(&Facts::of(stack).await);
    finding::print(&found.all, all, output)?;
    let wrong = found.all.iter().filter(|wrong| wrong.level == Level::Wrong);
    verdict(wrong.count(), found.unread()).map_or(Ok(()), |problem| Err(problem.into()))
}

/// The error about the numbers of things that are wrong and that could not be checked.
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
