use super::*;
use crate::samples::{NOW, endpoint};

const MINUTE: i64 = 60_000;
const CLOCK: Clock = Clock {
    now: NOW,
    grace: 2 * MINUTE,
};

/// The event of a number, which was accepted so many minutes ago.
fn event(number: u32, ago: i64) -> EventMeta {
    EventMeta {
        key: format!("studio#{number}"),
        id: number.to_string(),
        event_type: "a.b".to_owned(),
        source: "studio".to_owned(),
        provider: "creative-force".to_owned(),
        accepted_at: NOW - ago * MINUTE,
        conflict: false,
        replayed: false,
    }
}

fn line(event: &EventMeta, state: &str) -> ItemSummary {
    ItemSummary {
        reason: None,
        released_as: None,
        event: event.clone(),
        state: state.to_owned(),
        republished_at: None,
    }
}

fn publish(published: &mut Published, event: &EventMeta, quarantined: bool) {
    let publication = Publication {
        event: event.clone(),
        at: event.accepted_at,
        quarantined,
    };
    published.insert((event.key.clone(), event.accepted_at), publication);
}

fn record(event: &EventMeta, state: State, due: Option<i64>) -> (String, DeliveryState) {
    let id = delivery_id("ep_1", event);
    let mut record = Delivery::new("ep_1", id.clone(), event.clone());
    record.state = state;
    record.next_attempt_at = due;
    (id, DeliveryState::of(record))
}

#[test]
fn what_is_recorded_is_published_quarantined_on_its_way_or_missing() {
    let events: Vec<_> = (0..7).map(|number| event(number, 10)).collect();
    let mut published = Published::new();
    publish(&mut published, &events[0], false);
    publish(&mut published, &events[1], true);
    // The same body came again since: what is in the ledger is another event.
    let before = event(2, 90);
    publish(&mut published, &before, false);
    let mut republished = line(&events[4], "accepted");
    republished.republished_at = Some(NOW - MINUTE);
    let mut in_vain = line(&events[5], "accepted");
    in_vain.republished_at = Some(NOW - 3 * MINUTE);
    let lines = vec![
        line(&events[0], "accepted"),
        line(&events[1], "quarantined"),
        line(&events[2], "accepted"),
        line(&events[3], "released"),
        republished,
        in_vain.clone(),
        line(&event(6, 1), "accepted"),
    ];
    let expected = Events {
        accepted: 7,
        published: 1,
        quarantined: 2,
        in_flight: 2,
        missing: vec![line(&events[2], "accepted"), in_vain],
    };
    assert_eq!(Events::of(lines, &published, CLOCK), expected);
}

#[test]
fn what_an_endpoint_is_owed_has_a_record_or_is_missing() {
    let events: Vec<_> = (0..8).map(|number| event(number, 90)).collect();
    let mut published = Published::new();
    for event in &events {
        publish(&mut published, event, false);
    }
    let records = HashMap::from([
        record(&events[0], State::Delivered, None),
        record(&events[1], State::Held, None),
        record(&events[2], State::Exhausted, None),
        record(&events[3], State::Skipped, None),
        record(&events[4], State::Pending, Some(NOW + MINUTE)),
        record(&events[5], State::Pending, Some(NOW - 59 * MINUTE)),
        record(&events[6], State::Pending, Some(NOW - 61 * MINUTE)),
    ]);
    let mut deliveries = Deliveries::default();
    deliveries.add(&endpoint(), &published, records, CLOCK);
    deliveries.close(0);
    let missing = std::mem::take(&mut deliveries.missing);
    let missing: Vec<_> = missing
        .iter()
        .map(|missing| (&*missing.event.id, missing.is_overdue))
        .collect();
    assert_eq!(missing, [("6", true), ("7", false)]);
    let expected = Deliveries {
        all: 8,
        delivered: 1,
        held: 1,
        exhausted: 1,
        skipped: 1,
        in_flight: 2,
        ..Deliveries::default()
    };
    assert_eq!(deliveries, expected);
}

#[test]
fn an_endpoint_is_owed_what_it_wanted_when_it_was_published() {
    type Change = fn(&mut Endpoint, &mut Publication);
    let changes: [(Change, bool); 9] = [
        (|_, _| {}, true),
        (
            |endpoint, _| endpoint.events = vec!["b.*".to_owned()],
            false,
        ),
        (
            |endpoint, _| endpoint.sources = vec!["hr".to_owned()],
            false,
        ),
        (
            |endpoint, publication| endpoint.created_at = publication.at - 29_999,
            false,
        ),
        (
            |endpoint, publication| endpoint.created_at = publication.at - 30_000,
            true,
        ),
        (
            |endpoint, publication| endpoint.selected_at = Some(publication.at),
            false,
        ),
        (|_, publication| publication.quarantined = true, false),
        (
            |_, publication| publication.at = NOW - 30 * 86_400_000,
            false,
        ),
        // It was published when it was old.
        (
            |_, publication| publication.event.accepted_at -= 40 * 86_400_000,
            true,
        ),
    ];
    for (number, (change, owed)) in changes.into_iter().enumerate() {
        let mut endpoint = endpoint();
        let mut publication = Publication {
            event: event(1, 10),
            at: event(1, 10).accepted_at,
            quarantined: false,
        };
        change(&mut endpoint, &mut publication);
        assert_eq!(is_owed(&publication, &endpoint, CLOCK), owed, "{number}");
    }
}

#[test]
fn what_was_published_a_moment_ago_is_on_its_way() {
    let mut published = Published::new();
    publish(&mut published, &event(1, 1), false);
    let mut deliveries = Deliveries::default();
    deliveries.add(&endpoint(), &published, HashMap::new(), CLOCK);
    deliveries.close(0);
    assert_eq!((deliveries.all, deliveries.in_flight), (1, 1));
}

#[test]
fn what_was_replayed_counts_though_it_was_not_owed() {
    let mut late = endpoint();
    late.created_at = NOW;
    let mut published = Published::new();
    publish(&mut published, &event(1, 10), false);
    let records = HashMap::from([record(&event(1, 10), State::Delivered, None)]);
    let mut deliveries = Deliveries::default();
    deliveries.add(&late, &published, records, CLOCK);
    deliveries.close(0);
    assert_eq!((deliveries.all, deliveries.delivered), (1, 1));
}

#[test]
fn while_there_are_messages_nobody_knows_what_is_missing_but_how_much_at_least() {
    for (messages, missing, doubtful, surely) in [
        (0, 5, 0, 0),
        (1, 0, 5, 5),
        (3, 0, 5, 4),
        (7, 0, 5, 0),
        (900, 0, 5, 0),
    ] {
        let mut deliveries = Deliveries {
            in_flight: 2,
            ..Deliveries::default()
        };
        for number in 0..5 {
            deliveries.miss(&endpoint(), String::new(), event(number, 10), false);
        }
        deliveries.close(messages);
        let found = (
            deliveries.missing.len(),
            deliveries.doubtful,
            deliveries.surely_missing,
        );
        assert_eq!(found, (missing, doubtful, surely), "{messages}");
    }
}

/// A number that looks random, and the next one of its kind.
fn random(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// What may have happened, and what was lost of it.
#[derive(Default)]
struct Past {
    lines: Vec<ItemSummary>,
    published: Published,
    records: HashMap<String, DeliveryState>,
    quarantined: usize,
    lost: Vec<String>,
    undelivered: Vec<String>,
}

impl Past {
    fn of(mut seed: u64) -> Self {
        let mut past = Self::default();
        for number in 0..random(&mut seed) as u32 % 40 {
            past.accept(number, &mut seed);
        }
        past
    }

    fn accept(&mut self, number: u32, seed: &mut u64) {
        use State::{Delivered, Exhausted, Held, Pending, Skipped};
        let event = event(number, 3 + random(seed) as i64 % 5_000);
        let state = ["accepted", "quarantined", "released"][random(seed) as usize % 3];
        self.lines.push(line(&event, state));
        let is_published = random(seed) % 4 != 3;
        if is_published {
            publish(&mut self.published, &event, state != "accepted");
        } else if state != "released" {
            self.lost.push(event.id);
            return;
        }
        if state != "accepted" {
            self.quarantined += 1;
            return;
        }
        let states = [Delivered, Held, Exhausted, Skipped, Pending];
        match states.get(random(seed) as usize % 6) {
            Some(state) => self.records.extend([record(&event, *state, Some(NOW))]),
            None => self.undelivered.push(event.id),
        }
    }
}

fn sorted<'a>(ids: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut ids: Vec<_> = ids.collect();
    ids.sort();
    ids
}

#[test]
fn in_any_past_both_equations_hold_and_just_what_was_lost_is_missing() {
    for seed in 0..500 {
        let past = Past::of(seed);
        let it = Events::of(past.lines, &past.published, CLOCK);
        let missing = sorted(it.missing.iter().map(|missing| &missing.event.id));
        assert_eq!(missing, sorted(past.lost.iter()));
        assert_eq!(it.quarantined, past.quarantined);
        let all = it.published + it.quarantined + it.in_flight + it.missing.len();
        assert_eq!(it.accepted, all);

        let mut it = Deliveries::default();
        it.add(&endpoint(), &past.published, past.records, CLOCK);
        it.close(0);
        let missing = sorted(it.missing.iter().map(|missing| &missing.event.id));
        assert_eq!(missing, sorted(past.undelivered.iter()));
        let done = it.delivered + it.held + it.exhausted + it.skipped;
        assert_eq!(it.all, done + it.in_flight + it.doubtful + it.missing.len());
    }
}
