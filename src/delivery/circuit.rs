//! How an endpoint is doing: its failures in a row, whether its circuit is open, and which probe has the charge of
//! what is held for it. Kept beside the endpoint, as an item of its own; no operator writes it but to clear it.

use crate::causes::Causes;
use crate::endpoints::key;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// So many failures in a row open the circuit.
pub const MAX_FAILURES: u64 = 10;

/// Nothing but failures for so long disable the endpoint.
pub const PATIENCE: SignedDuration = SignedDuration::from_hours(5 * 24);

/// The wait before the first probe of an open circuit; it doubles with each that fails.
const FIRST_PROBE: Duration = Duration::from_secs(60);

/// The longest wait between two probes.
const LONGEST_PROBE: Duration = Duration::from_secs(3600);

/// A probe is lost if its message has not come for so long after it was due. A message that an invocation could not
/// finish, or that Lambda held while it was throttled, comes 6 minutes later; a probe that comes notes a new time.
const PROBE_OVERDUE: SignedDuration = SignedDuration::from_mins(30);

/// The noted time may be so much earlier than the message is due: a probe that comes every second is not noted every
/// second. It is well below [`PROBE_OVERDUE`].
const PROBE_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// How an endpoint is doing. Times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Circuit {
    /// Failures in a row.
    pub failures: u64,
    /// When the first of them was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<i64>,
    /// When the circuit opened; closed if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<i64>,
    /// The probes that failed since then.
    pub probes: u64,
    /// Until when the endpoint asked to be left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_until: Option<i64>,
    /// Until when attempts that hang are known to: others are not added to them. What is over still tells that
    /// attempts hung, and none has succeeded since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_until: Option<i64>,
    /// The id of the probe in charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// When the message of that probe is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_due_at: Option<i64>,
    /// What the operator is still to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

impl Circuit {
    /// The `kind` of a circuit among the items of the endpoints table.
    pub(crate) const KIND: &'static str = "circuit";

    /// Reads an item, and whose it is.
    pub(crate) fn read(item: HashMap<String, AttributeValue>) -> Option<(String, Self)> {
        let id = item.get("id")?.as_s().ok()?.clone();
        // Whatever cannot be read is as if nothing was seen yet.
        Some((id, serde_dynamo::from_item(item).unwrap_or_default()))
    }

    /// Whether nothing was seen that a success would make forgotten. What the endpoint asked for is over only when a
    /// probe succeeds: any other success was under way before.
    pub fn is_clean(&self, is_probed: bool) -> bool {
        self.failures == 0
            && self.opened_at.is_none()
            && self.slow_until.is_none()
            && (self.wait_until.is_none() || !is_probed)
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.opened_at.is_some()
    }

    /// How long the endpoint is to be left alone from now, by what it asked for and by its failed probes.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let asked = self.wait_until.unwrap_or_default() - now.as_millisecond();
        let asked = Duration::from_millis(u64::try_from(asked).unwrap_or_default());
        let doubled = u32::try_from(self.probes).unwrap_or(u32::MAX);
        let probe = FIRST_PROBE.saturating_mul(2_u32.saturating_pow(doubled));
        let probe = if self.is_open() {
            probe.min(LONGEST_PROBE)
        } else {
            Duration::ZERO
        };
        asked.max(probe)
    }

    /// How long the endpoint is known to be slow from now.
    pub fn slow(&self, now: Timestamp) -> Option<Duration> {
        let left = self.slow_until?.saturating_sub(now.as_millisecond());
        let left = Duration::from_millis(u64::try_from(left).ok()?);
        (!left.is_zero()).then_some(left)
    }

    /// Whether the probe in charge is lost: its message is long overdue, or nobody noted when it is due.
    pub fn is_probe_lost(&self, now: Timestamp) -> bool {
        self.probe.is_some() && !self.notes(now, PROBE_OVERDUE)
    }

    /// Whether it is noted that the probe in charge is due at about that time, or later.
    pub fn notes_probe(&self, due: Timestamp) -> bool {
        self.notes(due, PROBE_SLACK)
    }

    fn notes(&self, due: Timestamp, slack: SignedDuration) -> bool {
        let noted = self.probe_due_at.map(SignedDuration::from_millis);
        noted.is_some_and(|noted| due.as_duration().saturating_sub(noted) <= slack)
    }

    /// Whether the failures call for opening it.
    pub fn is_to_open(&self) -> bool {
        !self.is_open() && self.failures >= MAX_FAILURES
    }

    /// Whether there were nothing but failures for so long that the endpoint is to be disabled.
    pub fn is_beyond_patience(&self, now: Timestamp) -> bool {
        let since = self.failing_since.unwrap_or(i64::MAX);
        self.failures >= MAX_FAILURES
            && now.as_millisecond().saturating_sub(since) >= PATIENCE.as_millis() as i64
    }
}

/// What the operator is told of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It was disabled.
    Disabled,
    /// Its circuit opened.
    Opened,
    /// Its circuit closed, after a success.
    Recovered,
}

impl News {
    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Opened => "opened",
            Self::Recovered => "recovered",
        }
    }
}

/// Failures of an endpoint in one invocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many there were in a row.
    pub count: u64,
    /// Whether the probe of an open circuit is among them.
    pub is_probe: bool,
    /// Until when the endpoint asked to be left alone, in milliseconds.
    pub wait_until: Option<i64>,
}

/// The circuits in their table.
#[derive(Debug)]
pub struct Circuits {
    client: Client,
    table: String,
}

/// A circuit was not written.
#[derive(Debug, thiserror::Error)]
#[error("the circuit was not written: {}", Causes(.0))]
pub struct CircuitError(
    /// What DynamoDB answered.
    #[from]
    pub Box<SdkError<UpdateItemError>>,
);

impl Circuits {
    /// The circuits in the endpoints table, of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Counts failures; the circuit as it is then.
    pub async fn count(
        &self,
        id: &str,
        failures: Failures,
        now: Timestamp,
    ) -> Result<Circuit, CircuitError> {
        let mut set = "SET failing_since = if_not_exists(failing_since, :now)".to_owned();
        let mut update = self
            .update(id)
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":count", AttributeValue::N(failures.count.to_string()))
            .return_values(ReturnValue::AllNew);
        if let Some(until) = failures.wait_until {
            set += ", wait_until = :until";
            update = update.expression_attribute_values(":until", number(until));
        }
        set += " ADD failures :count";
        if failures.is_probe {
            set += ", probes :one";
            update = update.expression_attribute_values(":one", number(1));
        }
        let answer = update
            .update_expression(set)
            .send()
            .await
            .map_err(Box::new)?;
        let circuit = answer.attributes.and_then(Circuit::read);
        Ok(circuit.map(|(_, circuit)| circuit).unwrap_or_default())
    }

    /// Forgets the failures of an endpoint after a success, and what it asked for after that of a probe; true if that
    /// closed its circuit.
    pub async fn clear(
        &self,
        id: &str,
        seen: &Circuit,
        is_probed: bool,
    ) -> Result<bool, CircuitError> {
        let mut all = "REMOVE failures, failing_since, slow_until".to_owned();
        if is_probed {
            all += ", wait_until";
        }
        if !seen.is_open() {
            let update = self.update(id).update_expression(all);
            update.send().await.map_err(Box::new)?;
            return Ok(false);
        }
        let update = self
            .update(id)
            .update_expression(format!("SET notice = :news {all}, opened_at, probes"))
            .condition_expression("attribute_exists(opened_at)")
            .expression_attribute_values(":news", text(News::Recovered.name()));
        applied(update).await
    }

    /// Says that attempts hang.
    pub async fn slow(&self, id: &str, until: Timestamp) -> Result<(), CircuitError> {
        let update = self
            .update(id)
            .update_expression("SET slow_until = :until")
            .expression_attribute_values(":until", number(until.as_millisecond()));
        update.send().await.map_err(Box::new)?;
        Ok(())
    }

    /// Takes the turn at an endpoint whose attempts hung until a time; false if another was faster.
    pub async fn take_turn(
        &self,
        id: &str,
        hung_until: i64,
        until: Timestamp,
    ) -> Result<bool, CircuitError> {
        let update = self
            .update(id)
            .update_expression("SET slow_until = :until")
            .condition_expression("slow_until = :seen")
            .expression_attribute_values(":seen", number(hung_until))
            .expression_attribute_values(":until", number(until.as_millisecond()));
        applied(update).await
    }

    /// Opens a circuit; false if it is open already.
    pub async fn open(&self, id: &str, now: Timestamp) -> Result<bool, CircuitError> {
        let update = self
            .update(id)
            .update_expression("SET opened_at = :now, notice = :news REMOVE probes")
            .condition_expression("attribute_not_exists(opened_at)")
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":news", text(News::Opened.name()));
        applied(update).await
    }

    /// Lets deliveries through again, since there is none to probe with; the next failure opens it again.
    pub async fn half_open(&self, id: &str) -> Result<(), CircuitError> {
        let update = self
            .update(id)
            .update_expression("REMOVE opened_at, probes");
        update.send().await.map_err(Box::new)?;
        Ok(())
    }

    /// Gives a probe the charge of an endpoint until its message is due, if no other has it, or one that it replaces;
    /// whether it has it.
    pub async fn charge(
        &self,
        id: &str,
        probe: &str,
        replaces: Option<&str>,
        due: Timestamp,
    ) -> Result<bool, CircuitError> {
        let update = self
            .update(id)
            .update_expression("SET probe = :probe, probe_due_at = :due")
            .condition_expression(
                "attribute_not_exists(probe) OR probe = :probe OR probe = :replaced",
            )
            .expression_attribute_values(":probe", text(probe))
            .expression_attribute_values(":replaced", text(replaces.unwrap_or(probe)))
            .expression_attribute_values(":due", number(due.as_millisecond()));
        applied(update).await
    }

    /// Gives a probe the charge of an endpoint in the place of one that was seen to be lost; false if that one came
    /// after all, or another took its place.
    pub async fn replace_lost_probe(
        &self,
        id: &str,
        seen: &Circuit,
        probe: &str,
        due: Timestamp,
    ) -> Result<bool, CircuitError> {
        let lost = seen.probe.as_deref().unwrap_or_default();
        let unchanged = match seen.probe_due_at {
            Some(_) => "probe_due_at = :seen",
            None => "attribute_not_exists(probe_due_at)",
        };
        let mut update = self
            .update(id)
            .update_expression("SET probe = :probe, probe_due_at = :due")
            .condition_expression(format!("probe = :lost AND {unchanged}"))
            .expression_attribute_values(":probe", text(probe))
            .expression_attribute_values(":due", number(due.as_millisecond()))
            .expression_attribute_values(":lost", text(lost));
        if let Some(seen) = seen.probe_due_at {
            update = update.expression_attribute_values(":seen", number(seen));
        }
        applied(update).await
    }

    /// Takes the charge from a probe that ends; false if it has it no more.
    pub async fn discharge(&self, id: &str, probe: &str) -> Result<bool, CircuitError> {
        let update = self
            .update(id)
            .update_expression("REMOVE probe, probe_due_at")
            .condition_expression("probe = :probe")
            .expression_attribute_values(":probe", text(probe));
        applied(update).await
    }

    /// Forgets all that was seen, but for the probe in charge: the operator says that the endpoint is well.
    pub async fn reset(&self, id: &str) -> Result<(), CircuitError> {
        let all =
            "REMOVE failures, failing_since, opened_at, probes, wait_until, slow_until, notice";
        let update = self.update(id).update_expression(all);
        update.send().await.map_err(Box::new)?;
        Ok(())
    }

    /// Forgets a notice that was given.
    pub async fn told(&self, id: &str, notice: &str) -> Result<(), CircuitError> {
        let update = self
            .update(id)
            .update_expression("REMOVE notice")
            .condition_expression("notice = :notice")
            .expression_attribute_values(":notice", text(notice));
        applied(update).await.map(|_| ())
    }

    fn update(&self, id: &str) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table);
        update.set_key(Some(key(Circuit::KIND, id)))
    }
}

/// Whether a conditional update was made.
async fn applied(update: UpdateItemFluentBuilder) -> Result<bool, CircuitError> {
    let answer: Result<UpdateItemOutput, _> = update.send().await;
    match answer {
        Ok(_) => Ok(true),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(CircuitError(Box::new(error))),
        },
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(NOW).unwrap()
    }

    fn failing(failures: u64, since: i64) -> Circuit {
        Circuit {
            failures,
            failing_since: Some(since),
            ..Circuit::default()
        }
    }

    #[test]
    fn ten_failures_in_a_row_open_a_circuit() {
        assert!(!failing(9, NOW).is_to_open());
        assert!(failing(10, NOW).is_to_open());
        let mut open = failing(11, NOW);
        open.opened_at = Some(NOW);
        assert!(open.is_open() && !open.is_to_open());
    }

    #[test]
    fn probes_of_an_open_circuit_wait_twice_as_long_each_up_to_an_hour() {
        let mut circuit = failing(10, NOW);
        assert_eq!(circuit.wait(now()), Duration::ZERO);
        circuit.opened_at = Some(NOW);
        for (probes, minutes) in [
            (0, 1),
            (1, 2),
            (2, 4),
            (5, 32),
            (6, 60),
            (63, 60),
            (u64::MAX, 60),
        ] {
            circuit.probes = probes;
            assert_eq!(
                circuit.wait(now()),
                Duration::from_mins(minutes),
                "{probes}"
            );
        }
    }

    #[test]
    fn what_the_endpoint_asks_for_is_waited_for() {
        let mut circuit = Circuit {
            wait_until: Some(NOW + 90_000),
            ..Circuit::default()
        };
        assert_eq!(circuit.wait(now()), Duration::from_secs(90));
        circuit.opened_at = Some(NOW);
        assert_eq!(circuit.wait(now()), Duration::from_secs(90));
        circuit.probes = 1;
        assert_eq!(circuit.wait(now()), Duration::from_secs(120));
        circuit.wait_until = Some(NOW - 1);
        assert_eq!(circuit.wait(now()), Duration::from_secs(120));
    }

    #[test]
    fn an_endpoint_is_slow_for_as_long_as_was_said() {
        let mut circuit = Circuit::default();
        assert_eq!(circuit.slow(now()), None);
        circuit.slow_until = Some(NOW + 1_500);
        assert_eq!(circuit.slow(now()), Some(Duration::from_millis(1_500)));
        assert!(!circuit.is_clean(false) && circuit.wait(now()).is_zero());
        circuit.slow_until = Some(NOW);
        assert_eq!(circuit.slow(now()), None);
    }

    #[test]
    fn nothing_but_failures_for_five_days_are_too_many() {
        let five_days = 5 * 24 * 3_600_000;
        assert!(failing(10, NOW - five_days).is_beyond_patience(now()));
        assert!(!failing(10, NOW - five_days + 1).is_beyond_patience(now()));
        assert!(!failing(9, NOW - five_days).is_beyond_patience(now()));
        assert!(!Circuit::default().is_beyond_patience(now()));
    }

    #[test]
    fn a_success_has_something_to_forget_or_not() {
        assert!(Circuit::default().is_clean(true));
        assert!(!failing(1, NOW).is_clean(false));
        let asked = Circuit {
            wait_until: Some(NOW),
            ..Circuit::default()
        };
        assert!(!asked.is_clean(true) && asked.is_clean(false));
        let charged = Circuit {
            probe: Some("p".to_owned()),
            ..Circuit::default()
        };
        assert!(charged.is_clean(true));
    }

    #[test]
    fn a_probe_is_lost_half_an_hour_after_its_message_was_due() {
        let mut circuit = Circuit::default();
        assert!(!circuit.is_probe_lost(now()), "there is none");
        circuit.probe = Some("p".to_owned());
        assert!(circuit.is_probe_lost(now()), "nobody noted when it is due");
        let minute = 60_000;
        for (ago, is_noted, is_lost) in [
            (-12 * 60 * minute, true, false),
            (0, true, false),
            (5 * minute, true, false),
            (5 * minute + 1, false, false),
            (30 * minute, false, false),
            (30 * minute + 1, false, true),
        ] {
            circuit.probe_due_at = Some(NOW - ago);
            assert_eq!(circuit.notes_probe(now()), is_noted, "{ago}");
            assert_eq!(circuit.is_probe_lost(now()), is_lost, "{ago}");
        }
    }
}
