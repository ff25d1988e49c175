//! A change of a source's fields, its command, and its reasons.

use super::{Finding, Outcome, Request, Suspect, outcome, seconds, tolerance};
use crate::settings::{self, Setting, quoted};
use jiff::SignedDuration;
use serde_json::{Map, Value};

/// A change that one command makes.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    /// The preset that takes the place of the present one.
    pub(super) provider: Option<&'static str>,
    pub(super) set: Vec<Setting>,
    pub(super) unset: Vec<&'static str>,
    /// What is wrong, each with a sentence.
    pub(super) reasons: Vec<(&'static str, String)>,
}

impl Change {
    /// Sets a field, for a reason.
    pub(super) fn set(&mut self, field: &'static str, value: impl Into<Value>, reason: String) {
        self.set.push(Setting::of(field, value.into()));
        self.reasons.push((field, reason));
    }

    /// Removes a field, whether the preset or the source has it.
    pub(super) fn remove(&mut self, field: &'static str, preset: &Map<String, Value>) {
        match preset.contains_key(field) {
            true => self.set.push(Setting::of(field, Value::Null)),
            false => self.unset.push(field),
        }
    }

    /// The same with a tolerance that the skew is within.
    pub(super) fn with_tolerance(mut self, skew: SignedDuration) -> Self {
        let by = seconds(skew);
        let reason = match skew.is_negative() {
            true => format!(
                "the signed timestamp is {by} after the clock of the gateway: the clock of the provider is \
                 fast"
            ),
            false => format!(
                "the signed timestamp is {by} before the request came: the provider sent it late, or its \
                 clock is slow"
            ),
        };
        self.set.push(tolerance(skew));
        self.reasons.push(("timestamp_tolerance", reason));
        self
    }

    /// How much of the source it changes.
    pub(super) fn cost(&self) -> usize {
        let nulls = self.set.iter().filter(|one| one.value.is_null()).count();
        let switch = if self.provider.is_some() { 5 } else { 0 };
        switch + 2 * (self.set.len() - nulls) + nulls + self.unset.len()
    }

    /// The provider and the fields after it, as `webhookctl source update` makes them.
    pub(super) fn applied<'p>(
        &self,
        provider: &'p str,
        fields: &Map<String, Value>,
    ) -> (&'p str, Map<String, Value>) {
        let mut fields = fields.clone();
        let provider = self.provider.unwrap_or(provider);
        if self.provider.is_some() {
            settings::keep_for(provider, &mut fields);
        }
        for field in &self.unset {
            fields.remove(*field);
        }
        for setting in &self.set {
            setting.clone().apply(&mut fields);
        }
        (provider, fields)
    }

    pub(super) fn outcome(&self, suspect: &Suspect<'_>, request: &Request) -> Outcome {
        let (provider, fields) = self.applied(suspect.provider, suspect.fields);
        outcome(suspect, provider, &fields, suspect.secrets, request)
    }

    /// The command that makes it.
    fn command(&self, source: &str) -> String {
        let mut words = vec![format!("webhookctl source update {}", quoted(source))];
        words.extend(self.provider.map(|name| format!("--provider {name}")));
        words.extend(
            self.set
                .iter()
                .map(|one| format!("--set {}", one.argument())),
        );
        words.extend(self.unset.iter().map(|field| format!("--unset {field}")));
        words.join(" ")
    }

    /// The finding, if the request verifies with the change.
    pub(super) fn finding(self, suspect: &Suspect<'_>, request: &Request) -> Option<Finding> {
        match self.outcome(suspect, request) {
            Outcome::Verified(_) => Some(self.told(suspect.name)),
            Outcome::Skewed(skew) => {
                let change = self.with_tolerance(skew);
                let is_right = matches!(change.outcome(suspect, request), Outcome::Verified(_));
                is_right.then(|| change.told(suspect.name))
            }
            Outcome::Not(_) | Outcome::Unusable => None,
        }
    }

    fn told(&self, source: &str) -> Finding {
        let whats = self.reasons.iter().map(|(_, what)| what.as_str());
        let has = |cause| self.reasons.iter().any(|(name, _)| *name == cause);
        let to_do = if has("provider") {
            Some("check that this provider is the sender: its events get other types".to_owned())
        } else if has("timestamp_tolerance") {
            Some(
                "correct the clock of the sender if you can: within the tolerance, only the ledger \
                 prevents replays"
                    .to_owned(),
            )
        } else if has("auth") {
            Some(
                "a token proves less than a signature: sign the webhooks if the provider can"
                    .to_owned(),
            )
            .filter(|_| self.set.iter().any(|one| one.value == "token"))
        } else {
            None
        };
        Finding {
            causes: self.reasons.iter().map(|(name, _)| *name).collect(),
            what: whats.collect::<Vec<_>>().join("; "),
            command: Some(self.command(source)),
            to_do,
        }
    }
}
