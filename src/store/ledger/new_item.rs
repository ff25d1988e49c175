//! How a new webhook is named in the ledger: by the provider's id, or by its content. Pure.

use super::NewItem;
use crate::crypto::mac::sha256;
use crate::event::{EventMeta, QUARANTINED};
use crate::providers::recipe::{Dedupe, Events};
use crate::providers::recorded::RecordedFields;
use crate::providers::{NormalizeError, Verified};
use crate::store::sources::Source;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

/// The headers that are kept with every webhook. Signatures are not among them.
pub const KEPT_HEADERS: [&str; 4] = [
    "content-type",
    "content-encoding",
    "user-agent",
    "x-cf-event",
];

/// What the recipe of a source reads in a webhook.
struct Understood {
    id: Option<String>,
    event_type: String,
    fields: RecordedFields,
    dedupe_window: SignedDuration,
}

impl NewItem {
    /// The item of an authentic webhook of this source, except for its body.
    pub fn of(
        name: String,
        source: &Source,
        webhook: Verified<'_>,
        headers: &HeaderMap,
        accepted_at: Timestamp,
    ) -> Self {
        let digest = sha256(webhook.body());
        let matched = webhook
            .secret()
            .and_then(|position| source.matched(position));
        let (understood, reason) = match understood(source, webhook, headers) {
            Ok(understood) => (understood, None),
            Err(error) => (not_understood(source), Some(error.to_string())),
        };
        let Understood {
            id,
            event_type,
            fields,
            dedupe_window,
        } = understood;
        // Without an id of its own, a webhook is known by its content, and each time that it happens anew,
        // after the window, is an event of its own.
        let content = || format!("sha256:{}", hex::encode(digest));
        let occurrence = || format!("{}:{}", content(), accepted_at.as_millisecond());
        Self {
            event: EventMeta {
                key: match &id {
                    Some(id) if source.recipe.dedupe() == Dedupe::Id => format!("{name}#{id}"),
                    _ => format!("{name}#{}", content()),
                },
                id: id.unwrap_or_else(occurrence),
                event_type,
                source: name,
                provider: source.provider.to_owned(),
                accepted_at: accepted_at.as_millisecond(),
                conflict: false,
                replayed: false,
            },
            reason,
            digest,
            matched,
            dedupe_window,
            came_at: accepted_at,
            headers: kept_headers(source, headers),
            fields,
        }
    }
}

fn understood(
    source: &Source,
    webhook: Verified<'_>,
    headers: &HeaderMap,
) -> Result<Understood, NormalizeError> {
    let recipe = &source.recipe;
    let content = recipe.content(webhook)?;
    let event = recipe.event(&content, headers)?;
    let happens_once = match recipe.events() {
        Events::Code(provider) => provider.happens_once(&event),
        Events::Mapped(_) => false,
    };
    Ok(Understood {
        fields: recipe.recorded_fields(&event, headers, source.authenticity()),
        dedupe_window: source.window(event.id.is_some(), happens_once),
        id: event.id.map(String::from),
        event_type: event.event_type.into_owned(),
    })
}

fn not_understood(source: &Source) -> Understood {
    Understood {
        id: None,
        event_type: QUARANTINED.to_owned(),
        fields: RecordedFields::proof(source.authenticity()),
        dedupe_window: source.window(false, false),
    }
}

/// The headers that are kept, and those that the event is made of: it may have to be made again.
fn kept_headers(source: &Source, headers: &HeaderMap) -> Vec<(String, String)> {
    let of_event = source.recipe.event_headers();
    let of_event = of_event.into_iter().map(|name| name.as_str());
    let of_event = of_event.filter(|name| !KEPT_HEADERS.contains(name));
    let names = KEPT_HEADERS.into_iter().chain(of_event);
    let value = |name: &str| {
        let value = String::from_utf8_lossy(headers.get(name)?.as_bytes());
        Some((name.to_owned(), value.into_owned()))
    };
    names.filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const RETENTION: SignedDuration = SignedDuration::MAX;

    fn window(source: Value, body: &str) -> SignedDuration {
        let source = Source::parse("s", &source).unwrap();
        let webhook = Verified::recorded(body.as_bytes());
        NewItem::of(
            "s".to_owned(),
            &source,
            webhook,
            &HeaderMap::new(),
            Timestamp::UNIX_EPOCH,
        )
        .dedupe_window
    }

    fn creads(event: &str, gid: Value) -> String {
        json!({"event": event, "resource_type": "Project", "resource_gid": gid}).to_string()
    }

    fn people_force(action: &str, id: Value) -> String {
        json!({"action": action, "data": {"id": id}}).to_string()
    }

    #[test]
    fn a_creation_is_a_copy_however_late_it_comes_and_a_change_for_minutes() {
        let minutes = SignedDuration::from_mins;
        for (provider, body, expected) in [
            ("creads", creads("resource.created", json!("5")), RETENTION),
            ("creads", creads("resource.deleted", json!(5)), RETENTION),
            (
                "creads",
                creads("resource.updated", json!("5")),
                minutes(10),
            ),
            (
                "creads",
                creads("resource.restored", json!("5")),
                minutes(10),
            ),
            (
                "creads",
                creads("resource.un-deleted", json!("5")),
                minutes(10),
            ),
            // Nothing is named that could happen only once.
            (
                "creads",
                creads("resource.deleted", json!(null)),
                minutes(10),
            ),
            (
                "creads",
                creads("resource.created", json!(" ")),
                minutes(10),
            ),
            ("creads", "not understood".to_owned(), minutes(10)),
            (
                "people-force",
                people_force("employee_create", json!(7)),
                RETENTION,
            ),
            (
                "people-force",
                people_force("leave_request_destroy", json!(7)),
                RETENTION,
            ),
            (
                "people-force",
                people_force("employee_delete", json!("7")),
                RETENTION,
            ),
            (
                "people-force",
                people_force("employee_update", json!(7)),
                minutes(10),
            ),
            (
                "people-force",
                people_force("employee_terminate", json!(7)),
                minutes(10),
            ),
            (
                "people-force",
                people_force("leave_request_approve", json!(7)),
                minutes(10),
            ),
            (
                "people-force",
                people_force("workflow", json!(7)),
                minutes(10),
            ),
            (
                "people-force",
                people_force("employee_create", json!(null)),
                minutes(10),
            ),
        ] {
            for (configured, changed) in [(None, expected), (Some("3h"), minutes(180))] {
                let mut source = json!({"provider": provider, "unsigned": true});
                source["dedupe_window"] = json!(configured);
                // What is configured is the window of what may happen again.
                let expected = if expected == RETENTION {
                    RETENTION
                } else {
                    changed
                };
                assert_eq!(window(source, &body), expected, "{provider} {body}");
            }
        }
    }

    #[test]
    fn an_id_is_known_for_long_and_a_body_without_its_id_for_minutes() {
        let (days, minutes) = (
            |days: i64| SignedDuration::from_hours(24 * days),
            SignedDuration::from_mins,
        );
        let creative_force = |id: Value| {
            json!({"PayloadId": id, "EventGroupName": "job", "Action": "Deleted"}).to_string()
        };
        let woodwing = |id: Value| {
            let event_type = "com.woodwing.studio/object/created";
            json!({"specversion": "1.0", "id": id, "source": "s", "type": event_type}).to_string()
        };
        for (provider, with_id, without) in [
            (
                "creative-force",
                creative_force(json!("1")),
                creative_force(json!(null)),
            ),
            ("woodwing", woodwing(json!("1")), woodwing(json!(""))),
        ] {
            for (configured, of_id, of_body) in [
                (None, days(30), minutes(10)),
                (Some("7d"), days(7), minutes(10)),
                (Some("5m"), minutes(5), minutes(5)),
            ] {
                let mut source = json!({"provider": provider, "unsigned": true});
                source["dedupe_window"] = json!(configured);
                assert_eq!(window(source.clone(), &with_id), of_id, "{with_id}");
                assert_eq!(window(source, &without), of_body, "{without}");
            }
        }
    }
}
