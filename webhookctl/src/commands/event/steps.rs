//! The steps of an event through the gateway, one sentence each. Pure: from the ledger, the journal, the
//! log and the configuration of today.

use super::copies::Copies;
use super::nothing::Nothing;
use crate::{Result, time, words};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use webhook_gateway::providers::recipe::Authenticity;
use webhook_gateway::store::ledger::LedgerItem;
use webhook_gateway::store::sources::{Authentication, Source};
use webhook_gateway::store::subscriptions::Subscription;

/// The most copies with a step of their own.
const MAX_COPIES: usize = 10;

/// A step of an event.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Step {
    /// The time in milliseconds, if it is known.
    #[serde(serialize_with = "shown")]
    pub(crate) at: Option<i64>,
    pub(crate) what: String,
    /// The reason and the name of a subscription that got nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nothing: Option<(Nothing, String)>,
}

impl Step {
    fn at(milliseconds: i64, what: impl Into<String>) -> Self {
        Self {
            at: Some(milliseconds),
            what: what.into(),
            nothing: None,
        }
    }

    /// A step without a time.
    pub(crate) fn then(what: impl Into<String>) -> Self {
        Self {
            at: None,
            what: what.into(),
            nothing: None,
        }
    }
}

fn shown<S: Serializer>(at: &Option<i64>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    at.and_then(time::shown).serialize(serializer)
}

/// The steps of the HTTP path.
pub(crate) fn received(
    kept: &LedgerItem,
    source: Option<&Source>,
    again_at: Option<i64>,
) -> Vec<Step> {
    let event = &kept.event;
    let at = event.accepted_at;
    let received = format!(
        "received from the source {} ({})",
        event.source, event.provider
    );
    let mut steps = vec![Step::at(at, received)];
    match again_at {
        None => {
            steps.push(Step::at(at, signed(kept, source)));
            let proof = words::authenticity(kept.fields.authenticity);
            steps.push(Step::at(at, format!("authenticity {proof}")));
        }
        Some(again) => steps.push(Step::at(
            again,
            "the same body came again as another event: it is no longer known which secret signed this one",
        )),
    }
    steps.push(Step::at(at, verdict(kept)));
    let republished = |at| Step::at(at, "found missing, and published again by the operator");
    steps.extend(kept.republished_at.map(republished));
    steps
}

fn verdict(kept: &LedgerItem) -> String {
    let event = &kept.event;
    match (kept.state.as_str(), &kept.reason) {
        ("quarantined", reason) => format!(
            "quarantined, because {}; `webhookctl quarantine release {}` tries it with the present code",
            reason.as_deref().unwrap_or("it was not understood"),
            event.id
        ),
        ("released", _) => format!(
            "quarantined, and later released as the event {}",
            kept.released_as.as_deref().unwrap_or("of another id")
        ),
        _ if event.conflict => {
            let first = event.id.rsplit_once('#');
            let first = first.map_or("another", |(first, _)| first);
            format!(
                "accepted as {}, in conflict: the event {first} has the same id and another body",
                event.event_type
            )
        }
        _ => format!("accepted as {}", event.event_type),
    }
}

/// The secret that signed the webhook, and its position today.
fn signed(kept: &LedgerItem, source: Option<&Source>) -> String {
    let Some(matched) = &kept.matched else {
        return "unsigned: the source required no signature".to_owned();
    };
    let position = matched.position;
    let how = match kept.fields.authenticity {
        Authenticity::Token => "authenticated by",
        Authenticity::Signature | Authenticity::None => "signed with",
    };
    let then = format!("{how} the secret at position {position} of its source");
    let Some(source) = source else {
        return format!("{then}; the source is not configured any more, or cannot be read");
    };
    let Authentication::Signed(secrets) = &source.authentication else {
        return format!("{then}; the source no longer requires a signature");
    };
    match secrets.iter().position(|secret| secret.id() == matched.id) {
        Some(now) if now == position => format!("{then}, where it still is"),
        Some(now) => format!("{then}; today it is at position {now}"),
        None => format!("{then}; today that secret is not among them any more"),
    }
}

/// The copies that were answered 200 and dropped.
pub(crate) fn copied(copies: &Result<Copies>) -> Vec<Step> {
    let copies = match copies {
        Ok(copies) => copies,
        Err(error) => {
            return vec![Step::then(format!("copies are not known: {error}"))];
        }
    };
    let copy = "a copy came and was answered 200 as a duplicate";
    let first = copies.at.iter().take(MAX_COPIES);
    let mut steps: Vec<_> = first.map(|at| Step::at(*at, copy)).collect();
    if let Some(last) = copies.at.get(MAX_COPIES..).and_then(<[i64]>::last) {
        let more = copies.at.len() - MAX_COPIES;
        steps.push(Step::at(
            *last,
            format!("{more} more copies came until here"),
        ));
    }
    if !copies.is_whole {
        steps.push(Step::then(
            "there may be more copies: the log is long, and was not searched to its end",
        ));
    }
    steps
}

/// The steps of publication, by the subscriptions of today.
pub(crate) fn published(
    kept: &LedgerItem,
    at: Option<Timestamp>,
    subscriptions: &[Subscription],
) -> Vec<Step> {
    let at = at.map(Timestamp::as_millisecond);
    let Some(published) = at else {
        return vec![Step::then(
            "not published, according to the journal: `webhookctl reconcile --since 1d` finds missing events",
        )];
    };
    if kept.state != "accepted" {
        return vec![Step::at(published, "published to the quarantine queue")];
    }
    let mut steps = vec![Step::at(published, "published to the events queue")];
    let event = &kept.event;
    let subscribed = subscriptions.iter().map(|subscription| {
        let is_match = subscription.matches(&event.event_type, &event.source);
        let sources = &subscription.sources;
        let nothing = match sources.is_empty() || sources.contains(&event.source) {
            true => Nothing::Type,
            false => Nothing::Source,
        };
        Step {
            at: at.filter(|_| is_match),
            what: subscribed(subscription, kept),
            nothing: (!is_match).then(|| (nothing, subscription.name.clone())),
        }
    });
    steps.extend(subscribed);
    steps
}

fn subscribed(subscription: &Subscription, kept: &LedgerItem) -> String {
    let Subscription {
        name,
        events,
        sources,
        queue_url,
        ..
    } = subscription;
    if subscription.matches(&kept.event.event_type, &kept.event.source) {
        return format!("published for the subscription {name}, as it is today, to {queue_url}");
    }
    let sources = match sources.is_empty() {
        true => "all sources".to_owned(),
        false => sources.join(", "),
    };
    format!(
        "subscription {name}: nothing, because it takes only {} of {sources}",
        events.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::item;
    use serde_json::json;
    use webhook_gateway::crypto::secret::{Matched, Secret};

    fn source(secrets: &[&str]) -> Source {
        let entry =
            json!({"provider": "creads", "secrets": secrets, "unsigned": secrets.is_empty()});
        Source::parse("studio", &entry).unwrap()
    }

    #[test]
    fn which_secret_matched_is_told_by_its_place_then_and_now() {
        let mut signed_with = item("studio#1", "1");
        assert!(signed(&signed_with, None).starts_with("unsigned"));
        signed_with.matched = Some(Matched {
            position: 0,
            id: Secret::new("hunter2").unwrap().id(),
        });
        for (secrets, expected) in [
            (&["hunter2"][..], "where it still is"),
            (&["new", "hunter2"], "today it is at position 1"),
            (&["new"], "not among them any more"),
            (&[], "no longer requires"),
        ] {
            let text = signed(&signed_with, Some(&source(secrets)));
            assert!(text.contains(expected), "{text}");
            assert!(text.contains("position 0") && !text.contains("hunter2"));
        }
        assert!(signed(&signed_with, None).contains("not configured"));
    }

    #[test]
    fn the_steps_of_the_http_path_are_in_order() {
        let told = |change: fn(&mut LedgerItem)| {
            let mut kept = item("studio#1", "1");
            change(&mut kept);
            let steps = received(&kept, None, None);
            assert!(steps[0].what.contains("studio"));
            assert!(steps.iter().all(|step| step.at == Some(1_790_000_000_000)));
            assert!(steps[2].what.starts_with("authenticity none"));
            steps[3].what.clone()
        };
        assert_eq!(told(|_| {}), "accepted as a.b");
        assert!(
            told(|kept| kept.state = "quarantined".to_owned()).contains("quarantine release 1")
        );
        let released = told(|kept| {
            kept.state = "released".to_owned();
            kept.released_as = Some("7".to_owned());
        });
        assert!(released.contains("as the event 7"));
        let conflict = told(|kept| {
            kept.event.conflict = true;
            kept.event.id = "1#0123456789abcdef".to_owned();
        });
        assert!(conflict.contains("the event 1 has the same id"));
    }

    #[test]
    fn what_came_again_says_nothing_of_the_secret_then() {
        let steps = received(&item("studio#1", "1"), None, Some(1_790_000_000_001));
        assert!(steps[1].what.contains("came again") && steps[1].at == Some(1_790_000_000_001));
        assert!(steps.iter().all(|step| !step.what.contains("unsigned")));
    }

    #[test]
    fn copies_are_told_of_up_to_a_few() {
        let of = |count, is_whole| {
            let at = (0..count).collect();
            copied(&Ok(Copies { at, is_whole }))
        };
        assert!(of(0, true).is_empty());
        assert_eq!(of(10, true).len(), 10);
        let many = of(13, false);
        assert_eq!(
            (many.len(), many[10].at, &*many[10].what),
            (12, Some(12), "3 more copies came until here")
        );
        assert!(many[11].what.contains("not searched to its end"));
        let unknown = copied(&Err("the log cannot be read".into()));
        assert!(unknown[0].what.contains("the log cannot be read"));
    }

    #[test]
    fn it_is_told_which_queues_an_event_went_onto() {
        let subscription = |name: &str, event: &str| Subscription {
            name: name.to_owned(),
            queue_url: "https://sqs.example.com/1/search".to_owned(),
            events: vec![event.to_owned()],
            sources: Vec::new(),
            expires_at: None,
        };
        let subscriptions = [subscription("search", "a.*"), subscription("hr", "b.*")];
        let at = Timestamp::from_millisecond(7).unwrap();
        let mut it = item("studio#1", "1");
        let steps = published(&it, Some(at), &subscriptions);
        assert!(steps[0].what.contains("events queue") && steps[0].at == Some(7));
        assert!(
            steps[1]
                .what
                .contains("to https://sqs.example.com/1/search")
        );
        let nothing = "subscription hr: nothing, because it takes only b.* of all sources";
        assert_eq!((steps[2].at, &*steps[2].what), (None, nothing));
        let missing = published(&it, None, &subscriptions);
        assert!(missing.len() == 1 && missing[0].what.contains("reconcile"));
        it.state = "quarantined".to_owned();
        let aside = published(&it, Some(at), &subscriptions);
        assert!(aside.len() == 1 && aside[0].what.contains("quarantine queue"));
    }
}
