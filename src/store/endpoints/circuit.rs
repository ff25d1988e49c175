//! How an endpoint is doing: its failures in a row, whether its circuit is open, whether it hangs or is slow,
//! and which probe has the lease of what is held for it. An item of its own beside the endpoint; the operator
//! only resets it.
//!
//! Four questions have a counter each:
//!
//! * How much is left of a delivery's schedule: `failures` of the delivery.
//! * Whether the circuit opens: `failures` in a row.
//! * Whether the endpoint is disabled: `failing_since`, the time without a success.
//! * How often a delivery was tried: `attempts` of the delivery.
//!
//! A wait that the endpoint asks for counts for the last two.

use crate::aws::dynamodb::{Item, number, text, update_if};
use crate::aws::error::AwsError;
use crate::lease::{Attributes, Claim, Lease};
use crate::store::endpoints::key;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::{SignedDuration, Timestamp};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// So many failures in a row open the circuit.
pub const MAX_FAILURES: u64 = 10;

/// An endpoint is disabled when it was tried and no attempt succeeded for so long.
pub const DISABLE_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// An endpoint is quick again when a success comes and no attempt was slow for so long.
const QUICK_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// For so long, the invocation that writes an event of an endpoint has the claim to notify the operator of
/// it. It is longer than any invocation lasts.
const CLAIM: SignedDuration = SignedDuration::from_secs(90);

/// How often a message comes only because a notice could not be given: 15 hours in all.
const MAX_NOTIFICATIONS: u32 = 20;

/// The wait before the first probe of an open circuit; it doubles with each that fails.
const FIRST_PROBE: Duration = Duration::from_secs(60);

/// The longest wait between two probes.
const LONGEST_PROBE: Duration = Duration::from_secs(3600);

/// A probe is lost if its message has not come for so long after it was due. A message that an invocation
/// could not finish, or that Lambda held while it was throttled, comes 6 minutes later; a probe that comes
/// writes a new time.
const PROBE_OVERDUE: SignedDuration = SignedDuration::from_mins(30);

/// The written time may be so much earlier than the message is due: a probe that comes every second does not
/// write every second. It is well below [`PROBE_OVERDUE`].
const PROBE_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// The lease of a probe.
const PROBE: Attributes = Attributes {
    owner: "probe",
    due_at: "probe_due_at",
};

/// How an endpoint is doing. Times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Circuit {
    /// Failures in a row. A wait that the endpoint asks for is none.
    pub failures: u64,
    /// How often in a row its probe was asked to wait.
    #[serde(skip_serializing_if = "is_zero")]
    pub asked: u64,
    /// When the first attempt since the last success was.
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
    /// There while the endpoint is not known to be quick: one invocation at a time tries it. Until this time,
    /// one has its trial, or attempts of one hang.
    #[serde(rename = "slow_until", skip_serializing_if = "Option::is_none")]
    pub hanging_until: Option<i64>,
    /// The time at which the endpoint was found to be slow: deliveries for it are held, and its probe alone
    /// tries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_since: Option<i64>,
    /// When an attempt was last seen to be slow, until the endpoint is known to be quick again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_at: Option<i64>,
    /// The id of the probe that has the lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// When the message of that probe is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_due_at: Option<i64>,
    /// The event of which the operator is still to be notified.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "known_transition"
    )]
    pub notice: Option<Transition>,
}

/// An event of an endpoint, which happens once, and of which the operator is notified once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// What happened.
    pub news: EndpointEvent,
    /// When, in milliseconds.
    pub happened_at: i64,
    /// Until when an invocation has the claim to notify the operator, in milliseconds.
    pub claimed_until: i64,
    /// Whether its event is on the events queue already.
    #[serde(default)]
    pub is_queued: bool,
    /// How often it could not be given.
    #[serde(default)]
    pub failures: u32,
}

/// Reads a transition. One that this version does not know is ignored: the rest of the circuit matters more
/// than one notification.
fn known_transition<'de, D>(deserializer: D) -> Result<Option<Transition>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Known(Transition),
        Unknown(IgnoredAny),
    }
    Ok(match Stored::deserialize(deserializer)? {
        Stored::Known(transition) => Some(transition),
        Stored::Unknown(_) => {
            tracing::error!("the notice that is due is of an unknown form");
            None
        }
    })
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Circuit {
    /// The `kind` of a circuit among the items of the endpoints table.
    pub(crate) const KIND: &'static str = "circuit";

    /// Reads an item: the endpoint's id, and its circuit.
    pub(crate) fn read(item: Item) -> Option<(String, Self)> {
        let id = item.get("id")?.as_s().ok()?.clone();
        // An item that cannot be read is as if nothing was seen yet.
        Some((id, serde_dynamo::from_item(item).unwrap_or_default()))
    }

    /// Whether a success would clear nothing. The wait that the endpoint asked for is over only when a probe
    /// succeeds: any other success was under way before.
    pub fn has_nothing_to_clear(&self, is_probed: bool) -> bool {
        self.failures == 0
            && self.asked == 0
            && self.failing_since.is_none()
            && self.opened_at.is_none()
            && (self.wait_until.is_none() || !is_probed)
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.opened_at.is_some()
    }

    /// How long the endpoint is to be left alone from now, by what it asked for and by its failed probes. One
    /// that asks again and again, whatever it asks for, is in the end tried as seldom as one that fails.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let asked = self.wait_until.unwrap_or_default() - now.as_millisecond();
        let asked = Duration::from_millis(u64::try_from(asked).unwrap_or_default());
        let doublings = if self.is_open() {
            Some(self.probes)
        } else {
            self.asked.checked_sub(MAX_FAILURES)
        };
        let probe = doublings.map_or(Duration::ZERO, |doublings| {
            let doublings = u32::try_from(doublings).unwrap_or(u32::MAX);
            let probe = FIRST_PROBE.saturating_mul(2_u32.saturating_pow(doublings));
            probe.min(LONGEST_PROBE)
        });
        asked.max(probe)
    }

    /// For how long from now no other invocation tries the endpoint: one has its trial, or attempts of one
    /// hang.
    pub fn hanging_for(&self, now: Timestamp) -> Option<Duration> {
        let left = self.hanging_until?.saturating_sub(now.as_millisecond());
        let left = Duration::from_millis(u64::try_from(left).ok()?);
        (!left.is_zero()).then_some(left)
    }

    /// The lease of its probe.
    pub fn lease(&self) -> Lease<'_> {
        let due_at = self
            .probe_due_at
            .and_then(|at| Timestamp::from_millisecond(at).ok());
        Lease {
            owner: self.probe.as_deref(),
            due_at,
        }
    }

    /// Whether its probe is lost: the message is long overdue, or nobody wrote when it is due.
    pub fn is_probe_lost(&self, now: Timestamp) -> bool {
        self.lease().is_lost(now, PROBE_OVERDUE)
    }

    /// Whether the lease says that the probe is due at about that time, or later.
    pub fn is_probe_due_by(&self, due: Timestamp) -> bool {
        self.lease().is_due_by(due, PROBE_SLACK)
    }

    /// Whether it is known to be slow.
    pub fn is_slow(&self) -> bool {
        self.slow_since.is_some()
    }

    /// Whether an attempt was slow within the last minute. One quick answer does not make an endpoint quick
    /// that answers late now and then.
    pub fn was_slow_lately(&self, now: Timestamp) -> bool {
        let age = self
            .slow_at
            .map(|at| now.as_millisecond().saturating_sub(at));
        age.is_some_and(|age| age < QUICK_AFTER.as_millis() as i64)
    }

    /// Whether there were enough failures to open it.
    pub fn should_open(&self) -> bool {
        !self.is_open() && self.failures >= MAX_FAILURES
    }

    /// Whether no attempt succeeded for so long that the endpoint is to be disabled.
    pub fn should_disable(&self, now: Timestamp) -> bool {
        let since = self.failing_since.unwrap_or(i64::MAX);
        self.failures.saturating_add(self.asked) >= MAX_FAILURES
            && now.as_millisecond().saturating_sub(since) >= DISABLE_AFTER.as_millis() as i64
    }
}

/// An event of an endpoint of which the operator is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointEvent {
    /// An endpoint was disabled.
    Disabled,
    /// Its circuit opened.
    Opened,
    /// Its circuit closed, after a success.
    Recovered,
}

impl EndpointEvent {
    /// One word for logs, metrics and ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Opened => "opened",
            Self::Recovered => "recovered",
        }
    }
}

impl Transition {
    /// What happens now. Whoever writes it has the claim to notify the operator.
    pub fn new(news: EndpointEvent, now: Timestamp) -> Self {
        Self {
            news,
            happened_at: now.as_millisecond(),
            claimed_until: claim(now),
            is_queued: false,
            failures: 0,
        }
    }

    /// After how long the notice is tried again that could not be given: 1 minute, then 2, 4, … up to an
    /// hour. None after 20 failures: no message comes for it any more, and the endpoint's next delivery gives
    /// it.
    pub fn again_after(&self) -> Option<Duration> {
        let doublings = self.failures.saturating_sub(1);
        let wait = FIRST_PROBE.saturating_mul(2_u32.saturating_pow(doublings));
        (self.failures <= MAX_NOTIFICATIONS).then(|| wait.min(LONGEST_PROBE))
    }

    /// Whether the claim to notify the operator is over.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.claimed_until <= now.as_millisecond()
    }
}

/// Until when a claim lasts that is taken now.
fn claim(now: Timestamp) -> i64 {
    now.as_millisecond()
        .saturating_add(CLAIM.as_millis() as i64)
}

impl Transition {
    /// The transition as an attribute of a circuit.
    pub(crate) fn attribute(&self) -> AttributeValue {
        AttributeValue::M(HashMap::from([
            ("news".to_owned(), text(self.news.name())),
            ("happened_at".to_owned(), number(self.happened_at)),
            ("claimed_until".to_owned(), number(self.claimed_until)),
            ("is_queued".to_owned(), AttributeValue::Bool(self.is_queued)),
            ("failures".to_owned(), number(self.failures.into())),
        ]))
    }
}

/// What the attempts of an invocation say of an endpoint's pace. `delivery/hanging.rs` decides which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// Nothing new.
    #[default]
    AsKnown,
    /// One succeeded, and none was slow for a while: the endpoint is quick.
    Quick,
    /// One succeeded and none was slow, but one was a short time ago: one invocation at a time tries the
    /// endpoint.
    Recovering,
    /// It is not known to be quick: another invocation may try it next.
    Unsure,
    /// One was slow, and the endpoint was known to be quick: one invocation at a time tries it from now on.
    Doubtful,
    /// One was slow during its trial: the endpoint is slow.
    Slow,
}

impl Pace {
    /// The attributes to set, after others.
    fn set(self) -> &'static str {
        match self {
            Self::AsKnown | Self::Quick => "",
            Self::Recovering | Self::Unsure => ", slow_until = :now",
            Self::Doubtful => ", slow_until = :now, slow_at = :now",
            Self::Slow => {
                ", slow_until = :now, slow_at = :now, slow_since = if_not_exists(slow_since, :now)"
            }
        }
    }

    /// The attributes to remove, after others.
    fn remove(self) -> &'static str {
        match self {
            Self::Quick => ", slow_until, slow_since, slow_at",
            Self::Recovering => ", slow_since",
            Self::AsKnown | Self::Unsure | Self::Doubtful | Self::Slow => "",
        }
    }
}

/// The failures among the attempts of an invocation, and the waits that the endpoint asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many failures there were in a row.
    pub count: u64,
    /// Whether the probe of an open circuit is among them.
    pub is_probe: bool,
    /// Until when the endpoint asked to be left alone, in milliseconds.
    pub wait_until: Option<i64>,
    /// Whether it asked that of a probe.
    pub is_asked_again: bool,
}

impl Failures {
    /// Whether there was none.
    pub fn is_none(&self) -> bool {
        self.count == 0 && self.wait_until.is_none()
    }
}

/// The circuits in their table.
#[derive(Debug)]
pub struct Circuits {
    client: Client,
    table: String,
}

fn unwritten(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the circuit was not written")
}

impl Circuits {
    /// The circuits in the endpoints table, of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Counts failures, and waits that the endpoint asked for; the circuit as it is then.
    pub async fn count(
        &self,
        id: &str,
        failures: Failures,
        pace: Pace,
        now: Timestamp,
    ) -> Result<Circuit, AwsError> {
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
        set += pace.set();
        set += " ADD failures :count";
        if failures.is_probe {
            set += ", probes :one";
        }
        if failures.is_asked_again {
            set += ", asked :one";
        }
        if failures.is_probe || failures.is_asked_again {
            update = update.expression_attribute_values(":one", number(1));
        }
        let answer = update
            .update_expression(set)
            .send()
            .await
            .map_err(unwritten)?;
        Ok(circuit_of(answer.attributes.unwrap_or_default()))
    }

    /// Forgets the failures of an endpoint after a success, and the wait that it asked for after the success
    /// of a probe. If its circuit is open, closes it and writes this event. The circuit as it is then; none
    /// if another closed it.
    pub async fn clear(
        &self,
        id: &str,
        seen: &Circuit,
        is_probed: bool,
        pace: Pace,
        recovered: Transition,
    ) -> Result<Option<Circuit>, AwsError> {
        let mut remove = "REMOVE failures, asked, failing_since".to_owned();
        if is_probed {
            remove += ", wait_until";
        }
        remove += pace.remove();
        let mut update = self.update(id).return_values(ReturnValue::AllNew);
        let mut set = pace.set().to_owned();
        if !set.is_empty() {
            let now = number(recovered.happened_at);
            update = update.expression_attribute_values(":now", now);
        }
        if seen.is_open() {
            remove += ", opened_at, probes";
            set = format!(", notice = :notice{set}");
            update = update
                .condition_expression("attribute_exists(opened_at)")
                .expression_attribute_values(":notice", recovered.attribute());
        }
        let expression = match set.strip_prefix(", ") {
            Some(set) => format!("SET {set} {remove}"),
            None => remove,
        };
        let answer = applied(update.update_expression(expression)).await?;
        Ok(answer.map(circuit_of))
    }

    /// Writes that attempts hang until a time; if they were a trial, that the endpoint is slow.
    pub async fn mark_hanging(
        &self,
        id: &str,
        is_trial: bool,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let mut set = "SET slow_until = :until, slow_at = :now".to_owned();
        if is_trial {
            set += ", slow_since = if_not_exists(slow_since, :now)";
        }
        let update = self
            .update(id)
            .update_expression(set)
            .expression_attribute_values(":until", number(until.as_millisecond()))
            .expression_attribute_values(":now", number(now.as_millisecond()));
        update.send().await.map_err(unwritten)?;
        Ok(())
    }

    /// Claims the trial of an endpoint that is not known to be quick; false if another invocation was faster.
    pub async fn claim_trial(
        &self,
        id: &str,
        seen: i64,
        until: Timestamp,
    ) -> Result<bool, AwsError> {
        let update = self
            .update(id)
            .update_expression("SET slow_until = :until")
            .condition_expression("slow_until = :seen")
            .expression_attribute_values(":seen", number(seen))
            .expression_attribute_values(":until", number(until.as_millisecond()));
        Ok(applied(update).await?.is_some())
    }

    /// Opens a circuit; the circuit as it is then, or none if it is open already.
    pub async fn open(&self, id: &str, opened: Transition) -> Result<Option<Circuit>, AwsError> {
        let update = self
            .update(id)
            .return_values(ReturnValue::AllNew)
            .update_expression("SET opened_at = :now, notice = :notice REMOVE probes")
            .condition_expression("attribute_not_exists(opened_at)")
            .expression_attribute_values(":now", number(opened.happened_at))
            .expression_attribute_values(":notice", opened.attribute());
        Ok(applied(update).await?.map(circuit_of))
    }

    /// Lets deliveries through again, as there is none to probe with. The next failure opens the circuit
    /// again.
    pub async fn half_open(&self, id: &str) -> Result<(), AwsError> {
        let update = self
            .update(id)
            .update_expression("REMOVE opened_at, probes");
        update.send().await.map_err(unwritten)?;
        Ok(())
    }

    /// Acquires the lease for a probe whose message is due then; false if the lease is not open to it.
    pub async fn acquire_lease(
        &self,
        id: &str,
        probe: &Claim,
        due: Timestamp,
    ) -> Result<bool, AwsError> {
        let update = self
            .update(id)
            .update_expression(format!("SET {}", PROBE.set()))
            .condition_expression(PROBE.is_open())
            .expression_attribute_values(":owner", text(&probe.id))
            .expression_attribute_values(":superseded", text(probe.superseded()))
            .expression_attribute_values(":due", number(due.as_millisecond()));
        Ok(applied(update).await?.is_some())
    }

    /// Acquires the lease for a probe in the place of one that was seen to be lost; false if that one came
    /// after all, or another took its place.
    pub async fn take_over_lease(
        &self,
        id: &str,
        seen: &Circuit,
        probe: &Claim,
        due: Timestamp,
    ) -> Result<bool, AwsError> {
        let unchanged = match seen.probe_due_at {
            Some(_) => "probe_due_at = :seen",
            None => "attribute_not_exists(probe_due_at)",
        };
        let mut update = self
            .update(id)
            .update_expression(format!("SET {}", PROBE.set()))
            .condition_expression(format!("probe = :lost AND {unchanged}"))
            .expression_attribute_values(":owner", text(&probe.id))
            .expression_attribute_values(":lost", text(probe.superseded()))
            .expression_attribute_values(":due", number(due.as_millisecond()));
        if let Some(seen) = seen.probe_due_at {
            update = update.expression_attribute_values(":seen", number(seen));
        }
        Ok(applied(update).await?.is_some())
    }

    /// Releases the lease of a probe that ends; false if the probe does not have it any more.
    pub async fn release_lease(&self, id: &str, probe: &Claim) -> Result<bool, AwsError> {
        let update = self
            .update(id)
            .update_expression(format!("REMOVE {}", PROBE.remove()))
            .condition_expression("probe = :owner")
            .expression_attribute_values(":owner", text(&probe.id));
        Ok(applied(update).await?.is_some())
    }

    /// Forgets all that was seen except the lease of the probe, as the operator says that the endpoint is
    /// well. Whether the endpoint is quick is to be seen.
    pub async fn reset(&self, id: &str, now: Timestamp) -> Result<(), AwsError> {
        let all = "SET slow_until = :now REMOVE failures, asked, failing_since, opened_at, probes, \
             wait_until, slow_since, slow_at, notice";
        let update = self
            .update(id)
            .update_expression(all)
            .expression_attribute_values(":now", number(now.as_millisecond()));
        update.send().await.map_err(unwritten)?;
        Ok(())
    }

    /// Takes the claim to notify the operator of a transition, whose claim is over; none if another was
    /// faster.
    pub async fn claim(
        &self,
        id: &str,
        transition: Transition,
        now: Timestamp,
    ) -> Result<Option<Transition>, AwsError> {
        let claimed = Transition {
            claimed_until: claim(now),
            ..transition
        };
        let is_claimed = self.replace(id, transition, Some(claimed)).await?;
        Ok(is_claimed.then_some(claimed))
    }

    /// Gives up the claim, as the notice could not be given. Another invocation takes it.
    pub async fn release(
        &self,
        id: &str,
        transition: Transition,
        released: Transition,
    ) -> Result<(), AwsError> {
        self.replace(id, transition, Some(released))
            .await
            .map(|_| ())
    }

    /// Forgets a transition, as the operator was notified.
    pub async fn notified(&self, id: &str, transition: Transition) -> Result<(), AwsError> {
        self.replace(id, transition, None).await.map(|_| ())
    }

    /// Writes another in the place of a transition, unless that is there no more.
    async fn replace(
        &self,
        id: &str,
        transition: Transition,
        by: Option<Transition>,
    ) -> Result<bool, AwsError> {
        let update = self
            .update(id)
            .condition_expression(
                "notice.news = :news AND notice.happened_at = :at \
                 AND notice.claimed_until = :until",
            )
            .expression_attribute_values(":news", text(transition.news.name()))
            .expression_attribute_values(":at", number(transition.happened_at))
            .expression_attribute_values(":until", number(transition.claimed_until));
        let update = match by {
            None => update.update_expression("REMOVE notice"),
            Some(by) => update
                .update_expression("SET notice = :notice")
                .expression_attribute_values(":notice", by.attribute()),
        };
        Ok(applied(update).await?.is_some())
    }

    fn update(&self, id: &str) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table);
        update.set_key(Some(key(Circuit::KIND, id)))
    }
}

/// Makes a conditional update; none if its condition did not hold.
async fn applied(update: UpdateItemFluentBuilder) -> Result<Option<Item>, AwsError> {
    update_if(update).await.map_err(unwritten)
}

/// The circuit that an update made.
fn circuit_of(item: Item) -> Circuit {
    let circuit = Circuit::read(item);
    circuit.map(|(_, circuit)| circuit).unwrap_or_default()
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
        assert!(!failing(9, NOW).should_open());
        assert!(failing(10, NOW).should_open());
        let mut open = failing(11, NOW);
        open.opened_at = Some(NOW);
        assert!(open.is_open() && !open.should_open());
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
    fn a_notice_that_cannot_be_given_is_given_again_ever_more_seldom_and_not_without_end() {
        let mut transition = Transition::new(EndpointEvent::Opened, now());
        for (failures, minutes) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (20, 60)] {
            transition.failures = failures;
            let wait = Some(Duration::from_mins(minutes));
            assert_eq!(transition.again_after(), wait, "{failures}");
        }
        for failures in [21, u32::MAX] {
            transition.failures = failures;
            assert_eq!(transition.again_after(), None, "{failures}");
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
    fn a_turn_is_taken_for_as_long_as_was_said() {
        let mut circuit = Circuit::default();
        assert_eq!(circuit.hanging_for(now()), None);
        circuit.hanging_until = Some(NOW + 1_500);
        assert_eq!(
            circuit.hanging_for(now()),
            Some(Duration::from_millis(1_500))
        );
        assert!(circuit.wait(now()).is_zero() && !circuit.is_slow());
        circuit.hanging_until = Some(NOW);
        assert_eq!(circuit.hanging_for(now()), None);
    }

    #[test]
    fn an_endpoint_that_asks_again_and_again_is_tried_more_and_more_seldom() {
        for (asked, wait_until, seconds) in [
            (0, None, 0),
            (9, None, 0),
            (9, Some(1_000), 1),
            (10, Some(1_000), 60),
            (11, Some(1_000), 120),
            (11, Some(3_600_000), 3_600),
            (99, Some(1_000), 3_600),
        ] {
            let circuit = Circuit {
                asked,
                wait_until: wait_until.map(|after| NOW + after),
                ..Circuit::default()
            };
            let wait = circuit.wait(now());
            assert_eq!(wait, Duration::from_secs(seconds), "{asked} {wait_until:?}");
            assert!(!circuit.should_open());
        }
    }

    #[test]
    fn five_days_without_a_success_are_too_long_whatever_the_endpoint_answered() {
        let five_days = 5 * 24 * 3_600_000;
        for (failures, asked, age, is_beyond) in [
            (10, 0, five_days, true),
            (0, 10, five_days, true),
            (4, 6, five_days, true),
            (4, 5, five_days, false),
            (10, 10, five_days - 1, false),
        ] {
            let circuit = Circuit {
                asked,
                ..failing(failures, NOW - age)
            };
            let what = format!("{circuit:?}");
            assert_eq!(circuit.should_disable(now()), is_beyond, "{what}");
        }
    }

    fn read(notice: AttributeValue) -> Circuit {
        let item = HashMap::from([
            ("id".to_owned(), text("ep_1")),
            ("failures".to_owned(), number(12)),
            ("notice".to_owned(), notice),
        ]);
        Circuit::read(item).unwrap().1
    }

    #[test]
    fn a_transition_is_read_as_it_was_written() {
        for news in [
            EndpointEvent::Disabled,
            EndpointEvent::Opened,
            EndpointEvent::Recovered,
        ] {
            let transition = Transition::new(news, now());
            let circuit = read(transition.attribute());
            assert_eq!(circuit.notice, Some(transition));
            assert_eq!(json_of(news), news.name());
        }
    }

    fn json_of(news: EndpointEvent) -> serde_json::Value {
        serde_json::to_value(news).unwrap()
    }

    #[test]
    fn a_transition_of_an_unknown_form_is_none_and_the_rest_is_read() {
        let with = |name: &str, value| {
            let AttributeValue::M(mut all) =
                Transition::new(EndpointEvent::Opened, now()).attribute()
            else {
                unreachable!()
            };
            all.insert(name.to_owned(), value);
            AttributeValue::M(all)
        };
        for notice in [
            text("recovered"),
            text("exploded"),
            number(1),
            with("news", text("exploded")),
            with("news", text("Recovered")),
            with("happened_at", text("soon")),
        ] {
            let circuit = read(notice.clone());
            assert_eq!((circuit.notice, circuit.failures), (None, 12), "{notice:?}");
        }
    }

    #[test]
    fn a_claim_lasts_longer_than_an_invocation() {
        let transition = Transition::new(EndpointEvent::Opened, now());
        let after = |seconds| now() + SignedDuration::from_secs(seconds);
        assert!(!transition.is_due(now()) && !transition.is_due(after(60)));
        assert!(transition.is_due(after(90)));
    }

    #[test]
    fn nothing_but_failures_for_five_days_are_too_many() {
        let five_days = 5 * 24 * 3_600_000;
        assert!(failing(10, NOW - five_days).should_disable(now()));
        assert!(!failing(10, NOW - five_days + 1).should_disable(now()));
        assert!(!failing(9, NOW - five_days).should_disable(now()));
        assert!(!Circuit::default().should_disable(now()));
    }

    #[test]
    fn a_success_has_something_to_forget_or_not() {
        assert!(Circuit::default().has_nothing_to_clear(true));
        assert!(!failing(1, NOW).has_nothing_to_clear(false));
        let asked = Circuit {
            wait_until: Some(NOW),
            ..Circuit::default()
        };
        assert!(!asked.has_nothing_to_clear(true) && asked.has_nothing_to_clear(false));
        let charged = Circuit {
            probe: Some("p".to_owned()),
            ..Circuit::default()
        };
        assert!(charged.has_nothing_to_clear(true));
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
            assert_eq!(circuit.is_probe_due_by(now()), is_noted, "{ago}");
            assert_eq!(circuit.is_probe_lost(now()), is_lost, "{ago}");
        }
    }
}
