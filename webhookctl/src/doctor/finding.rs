//! What a check finds, and how it is printed.

use crate::Result;
use crate::output::Output;
use serde::Serialize;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it is to be.
    Ok,
    /// To be looked at, or not known.
    Warning,
    /// To be mended.
    Wrong,
}

/// What a check finds of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    pub(crate) check: &'static str,
    pub(crate) subject: String,
    pub(crate) what: String,
    pub(crate) to_do: Option<String>,
}

impl Finding {
    /// It is as it is to be.
    pub(crate) fn ok(check: &'static str, subject: &str, what: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            check,
            subject: subject.to_owned(),
            what: what.into(),
            to_do: None,
        }
    }

    /// Somebody should look at it.
    pub(crate) fn warning(
        check: &'static str,
        subject: &str,
        what: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            to_do: Some(to_do.into()),
            ..Self::ok(check, subject, what)
        }
    }

    /// Somebody has to mend it.
    pub(crate) fn wrong(
        check: &'static str,
        subject: &str,
        what: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Wrong,
            ..Self::warning(check, subject, what, to_do)
        }
    }
}

/// Prints findings, those of a check under its name.
pub(crate) fn print(findings: &[Finding], output: Output) -> Result<()> {
    if output.json {
        return findings.iter().try_for_each(|it| output.say("", it));
    }
    output.text(&lines(findings))
}

fn lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut check = "";
    for finding in findings {
        if finding.check != check {
            check = finding.check;
            text += &format!("{check}\n");
        }
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Wrong => "WRONG",
        };
        text += &format!("  {level:<8} {}: {}\n", finding.subject, finding.what);
        if let Some(to_do) = &finding.to_do {
            text += &format!("           -> {to_do}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_grouped_by_their_check_and_say_what_to_do() {
        let findings = [
            Finding::ok("sources", "studio", "signed"),
            Finding::wrong("sources", "hr", "no secret", "rotate it"),
            Finding::warning("queues", "quarantine", "3 messages", "look at them"),
        ];
        let expected = "\
sources
  ok       studio: signed
  WRONG    hr: no secret
           -> rotate it
queues
  warning  quarantine: 3 messages
           -> look at them
";
        assert_eq!(lines(&findings), expected);
    }
}
