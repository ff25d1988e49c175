//! What each action will do: a pure function of its name and parameters. What comes after `--` in a command
//! is no flag, whatever it begins with; a flag has its value after `=`.

use super::runner::words;
use serde::Deserialize;

/// The parameters of an action. Each action takes some of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Parameters {
    /// The id of an event, delivery, webhook or message.
    pub(super) id: String,
    /// The name of a source.
    pub(super) source: String,
    /// The id or the name of an endpoint.
    pub(super) endpoint: String,
    /// Where an event is replayed to: `all`, `events`, or the id of an endpoint.
    pub(super) to: String,
    pub(super) state: String,
    pub(super) since: String,
    pub(super) reason: String,
    /// How long the previous secrets keep signing.
    pub(super) overlap: String,
}

/// What an action will do.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) title: String,
    /// What happens, in one or two sentences.
    pub(super) effect: &'static str,
    pub(super) command: Vec<String>,
    /// The command that counts what the action will do, if it is about more than one thing.
    pub(super) dry_run: Option<Vec<String>>,
    /// What becomes of each thing that is counted.
    pub(super) done: &'static str,
    /// What the dialog asks for.
    pub(super) field: Option<Field>,
}

/// A parameter that the dialog asks for.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// The values with their names; none if any text will do.
    pub(super) choices: &'static [(&'static str, &'static str)],
}

const REASON: Field = Field {
    name: "reason",
    label: "Reason, which the endpoint shows until it is resumed (optional)",
    choices: &[],
};

const OVERLAP: Field = Field {
    name: "overlap",
    label: "The previous secrets keep signing",
    choices: &[
        (
            "",
            "for the default: 1 day, or not at all if the header has room for one signature",
        ),
        ("0s", "not at all: the new secret alone signs, at once"),
        ("1h", "for 1 hour"),
        ("7d", "for 7 days"),
        ("30d", "for 30 days"),
    ],
};

impl Parameters {
    /// Each with its name.
    pub(super) fn members(&self) -> [(&'static str, &str); 8] {
        [
            ("endpoint", &*self.endpoint),
            ("id", &self.id),
            ("overlap", &self.overlap),
            ("reason", &self.reason),
            ("since", &self.since),
            ("source", &self.source),
            ("state", &self.state),
            ("to", &self.to),
        ]
    }
}

impl Plan {
    /// The plan of an action, or what its parameters lack.
    pub(super) fn of(name: &str, given: &Parameters) -> Result<Self, String> {
        match name {
            "pause" | "resume" | "enable" | "ping" | "rotate" => Self::of_endpoint(name, given),
            "replay" => Self::replay(given),
            "resend" => Self::resend(given),
            "release" => Self::release(given),
            "release-rejected" => Self::release_rejected(given),
            "redrive" => Ok(Self::redrive(given)),
            "repair" => Self::repair(given),
            _ => Err(format!("there is no action {name}")),
        }
    }

    fn of_endpoint(name: &str, given: &Parameters) -> Result<Self, String> {
        let (verb, title, effect) = match name {
            "pause" => (
                "pause",
                "Pause the endpoint",
                "Its deliveries are held until it is resumed. Nothing is lost.",
            ),
            "resume" => (
                "resume",
                "Resume the endpoint",
                "Its held deliveries are sent now, the oldest first.",
            ),
            "enable" => (
                "enable",
                "Enable the endpoint",
                "Its failures are reset, and its held deliveries are sent now, the oldest first.",
            ),
            "ping" => (
                "ping",
                "Ping the endpoint",
                "It gets one signed test event, in any state. The answer is shown here.",
            ),
            _ => (
                "rotate-secret",
                "Rotate the secret of the endpoint",
                "A new secret is made, signs at once, and is shown once, here. Give it to the receiver \
                    while the previous secrets still sign.",
            ),
        };
        let (field, value) = match name {
            "pause" => (Some(REASON), &*given.reason),
            "rotate" => (Some(OVERLAP), &*given.overlap),
            _ => (None, ""),
        };
        let mut command = words(&["endpoint", verb]);
        if let Some(field) = field.as_ref().filter(|_| !value.is_empty()) {
            command.push(flag(field.name, value));
        }
        command.extend(words(&["--", need("endpoint", &given.endpoint)?]));
        Ok(Self {
            title: format!("{title} {}", given.endpoint),
            effect,
            command,
            dry_run: None,
            done: "",
            field,
        })
    }

    fn replay(given: &Parameters) -> Result<Self, String> {
        let to = match need("recipient", &given.to)? {
            "all" => "--all".to_owned(),
            "events" => flag("queue", "events"),
            endpoint => flag("endpoint", endpoint),
        };
        let id = flag("id", need("event", &given.id)?);
        let mut command = words(&["event", "replay", &id, &to]);
        if !given.source.is_empty() {
            command.push(flag("source", &given.source));
        }
        Ok(Self::counted(
            format!("Replay the event {}", given.id),
            "The event is sent again with the same id, marked as replayed.",
            command,
        ))
    }

    fn resend(given: &Parameters) -> Result<Self, String> {
        if !given.id.is_empty() {
            return Ok(Self::counted(
                format!("Resend the delivery {}", given.id),
                "Its schedule begins again. The endpoint sees the same webhook-id as before.",
                words(&["delivery", "resend", "--", &given.id]),
            ));
        }
        let command = words(&[
            "delivery",
            "resend",
            &flag("endpoint", need("endpoint", &given.endpoint)?),
            &flag("state", need("state", &given.state)?),
            &flag("since", need("time", &given.since)?),
        ]);
        Ok(Self::counted(
            format!(
                "Resend the {} deliveries of {}",
                given.state, given.endpoint
            ),
            "They are put on the queue, the oldest first, ten per second. Each endpoint sees the same \
                webhook-id as before.",
            command,
        ))
    }

    fn release(given: &Parameters) -> Result<Self, String> {
        let mut command = words(&["quarantine", "release"]);
        if !given.source.is_empty() {
            command.push(flag("source", &given.source));
        }
        command.extend(words(&["--", need("webhook", &given.id)?]));
        let plan = Self::counted(
            format!("Release the webhook {}", given.id),
            "It is accepted if the present code understands it. Otherwise it stays where it is.",
            command,
        );
        Ok(plan.done("released"))
    }

    fn release_rejected(given: &Parameters) -> Result<Self, String> {
        let release = ["quarantine", "release", "--rejected"];
        let plan = match &*given.id {
            "" => {
                let source = flag("source", need("source", &given.source)?);
                let since = flag("since", need("time", &given.since)?);
                Self::counted(
                    format!("Release the rejected requests of {}", given.source),
                    "Those that the present secrets verify are accepted. The others stay where they are.",
                    words(&[&release[..], &[&*source, &*since]].concat()),
                )
            }
            id => Self::counted(
                format!("Release the rejected request {id}"),
                "It is accepted if the present secrets verify it. Otherwise it stays where it is.",
                words(&[&release[..], &["--", id]].concat()),
            ),
        };
        Ok(plan.done("released"))
    }

    fn redrive(given: &Parameters) -> Self {
        match &*given.id {
            "" => Self::counted(
                "Redrive all dead letters".to_owned(),
                "They go back to their queues. Unreadable ones stay where they are.",
                words(&["dead-letter", "redrive", "--all"]),
            ),
            id => Self::counted(
                format!("Redrive the message {id}"),
                "It goes back to its queue, and is deleted here once it is sent.",
                words(&["dead-letter", "redrive", "--", id]),
            ),
        }
    }

    fn repair(given: &Parameters) -> Result<Self, String> {
        let since = flag("since", need("time", &given.since)?);
        let plan = Self::counted(
            format!("Repair what is missing for {}", given.since),
            "Missing events are published, and missing deliveries put on the queue, with the same ids. \
                The count and the repair each scan the entire ledger again.",
            words(&["reconcile", &since, "--repair"]),
        );
        Ok(plan.done("repaired"))
    }

    /// A plan whose command has a dry run.
    fn counted(title: String, effect: &'static str, command: Vec<String>) -> Self {
        let mut dry_run = command.clone();
        dry_run.insert(2, "--dry-run".to_owned());
        Self {
            title,
            effect,
            command,
            dry_run: Some(dry_run),
            done: "sent",
            field: None,
        }
    }

    fn done(self, done: &'static str) -> Self {
        Self { done, ..self }
    }
}

fn flag(name: &str, value: &str) -> String {
    format!("--{name}={value}")
}

fn need<'v>(name: &str, value: &'v str) -> Result<&'v str, String> {
    match value {
        "" => Err(format!("choose the {name} first")),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cli;
    use clap::Parser;

    #[test]
    fn no_value_becomes_a_flag_and_each_command_is_one() {
        let hostile = "--all";
        let given = Parameters {
            id: hostile.to_owned(),
            source: hostile.to_owned(),
            endpoint: hostile.to_owned(),
            to: hostile.to_owned(),
            state: "exhausted".to_owned(),
            since: "1d".to_owned(),
            reason: hostile.to_owned(),
            overlap: "1h".to_owned(),
        };
        for name in [
            "pause",
            "resume",
            "enable",
            "ping",
            "rotate",
            "replay",
            "resend",
            "release",
            "redrive",
            "release-rejected",
            "repair",
        ] {
            let plan = Plan::of(name, &given).unwrap();
            for command in plan.dry_run.iter().chain([&plan.command]) {
                let end = command.iter().position(|word| word == "--");
                let flags = &command[..end.unwrap_or(command.len())];
                assert!(!flags.contains(&hostile.to_owned()), "{command:?}");
                let line = std::iter::once("webhookctl".to_owned()).chain(command.clone());
                assert!(Cli::try_parse_from(line).is_ok(), "{command:?}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (name, lacks) in [
            ("pause", "endpoint"),
            ("replay", "recipient"),
            ("resend", "endpoint"),
            ("release", "webhook"),
            ("release-rejected", "source"),
            ("repair", "time"),
            ("other", "no action other"),
        ] {
            let error = Plan::of(name, &Parameters::default()).unwrap_err();
            assert!(error.contains(lacks), "{error}");
        }
    }
}
