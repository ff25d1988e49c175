//! The findings of checks, and how they are printed.

use crate::Result;
use crate::output::Output;
use serde::Serialize;

/// The level of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// All is well.
    Ok,
    /// An operator should look at it, or it could not be checked.
    Warning,
    /// An operator has to fix it.
    Wrong,
}

/// The result of one check of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    pub(crate) check: &'static str,
    pub(crate) subject: String,
    pub(crate) what: String,
    pub(crate) to_do: Option<String>,
}

impl Finding {
    /// All is well.
    pub(crate) fn ok(check: &'static str, subject: &str, what: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            check,
            subject: subject.to_owned(),
            what: what.into(),
            to_do: None,
        }
    }

    /// An operator should look at it.
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

    /// An operator has to fix it.
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

/// Prints the findings of each check under its name. Findings that are ok are only counted, unless `all` is
/// set.
pub(crate) fn print(findings: &[Finding], all: bool, output: &Output) -> Result<()> {
    if output.json {
        return findings.iter().try_for_each(|finding| output.json(finding));
    }
    match all {
        true => output.text(&lines(findings.iter())),
        false => output.text(&summary(findings)),
    }
}

/// The warnings and errors, and the number of ok findings of each check.
fn summary(findings: &[Finding]) -> String {
    let (well, other): (Vec<_>, Vec<_>) = findings
        .iter()
        .partition(|finding| finding.level == Level::Ok);
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for finding in &well {
        match counts.iter_mut().find(|(check, _)| *check == finding.check) {
            Some((_, count)) => *count += 1,
            None => counts.push((finding.check, 1)),
        }
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(check, count)| format!("{check} {count}"))
        .collect();
    let mut text = lines(other.into_iter());
    if !counts.is_empty() {
        text += &format!("ok: {} (--all lists them)\n", counts.join(", "));
    }
    text
}

fn lines<'f>(findings: impl Iterator<Item = &'f Finding>) -> String {
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
        assert_eq!(lines(findings.iter()), expected);
        let expected = "\
sources
  WRONG    hr: no secret
           -> rotate it
queues
  warning  quarantine: 3 messages
           -> look at them
ok: sources 1 (--all lists them)
";
        assert_eq!(summary(&findings), expected);
        assert_eq!(
            summary(&findings[..1]),
            "ok: sources 1 (--all lists them)\n"
        );
        assert_eq!(summary(&[]), "");
    }
}
