//! Creative Force: <https://help.creativeforce.io/en/articles/4106909-webhooks>.
//!
//! ```text
//! X-CF-Signature: hex(HMAC-SHA256(secret, body))
//! body:           {"PayloadId": GUID, "EventGroupName": "product", "Action": "ProductReset", …}
//! ```
//!
//! The document spells groups and actions in several ways, and what arrives in more; the catalogue below
//! gives every action one name. The header `X-CF-Event` is not covered by the signature and decides nothing.

use super::attribute::is_rfc3339;
use super::json::Object;
use super::{MAX_NAME_BYTES, NormalizeError, Normalized, delivery_id, identifier, words};
use jiff::Timestamp;
use std::borrow::Cow;

/// The groups of the document and their actions, without the group's name in front.
const CATALOGUE: [(&str, &[&str]); 7] = [
    (
        "product",
        &[
            "reset",
            "status-changed",
            "style-guide-changed",
            "category-changed",
            "ignored",
            "color-reference-migrated",
            "properties-updated",
            "deleted",
            "activated",
            "status-changed-via-kelvin",
            "style-guide-changed-via-kelvin",
            "category-changed-via-kelvin",
            "ignored-via-kelvin",
            "properties-updated-via-kelvin",
            "deleted-via-kelvin",
            "activated-via-kelvin",
            "enable-production-type",
            "disable-production-type",
            "imported",
            "color-reference-created",
            "color-reference-updated",
            "color-reference-deleted",
            "completed",
            "move-to-another-job",
            "apply-updates",
            "added-to-bundle",
            "removed-from-bundle",
            "triggered-copywriting",
            "delivered-copywriting",
            "delivery-copywriting-failed",
            "ignore-deliver-copywriting",
        ],
    ),
    (
        "sample",
        &[
            "location-changed",
            "added-to-container",
            "released-from-container",
            "checked-in",
            "checked-out",
        ],
    ),
    (
        "user",
        &[
            "logged-in",
            "logged-out",
            "password-changed",
            "avatar-updated",
            "invitation-completed",
            "updated",
            "deleted",
            "invitation-deleted",
            "disabled",
            "enabled",
            "invited",
            "re-invited",
            "product-vendor-added",
            "studio-sign-up-completed",
            "setting-migrate-color-reference-ecomm",
            "setting-source-e-comm-color-reference-editorial",
        ],
    ),
    (
        "task",
        &[
            "completed",
            "created",
            "started",
            "bypassed",
            "reset",
            "assigned",
            "unassigned",
            "rejected",
            "approved",
            "waiting-for-color-reference",
            "process-without-color-reference",
            "failed",
            "copywriting-task-edit-made",
            "ready-to-work",
            "soft-rejected",
            "copywriting-dreem-generate-text",
            "copywriting-dreem-adjust-text",
        ],
    ),
    (
        "work-unit",
        &[
            "status-changed",
            "reset",
            "enabled",
            "disabled",
            "changed-source",
            "completed",
            "bypass-external-post",
            "change-post-vendor",
            "created",
            "deleted",
            "copywriting-production-layout-state-changed",
        ],
    ),
    (
        "job",
        &[
            "status-changed",
            "created",
            "updated",
            "deleted",
            "deadline-updated",
        ],
    ),
    ("session", &["added-to-session", "removed-from-session"]),
];

/// What the document calls an action in one place only, by its letters: typing errors and other tenses.
const ALIASES: [(&str, &str); 4] = [
    ("waitingforcolorteference", "waiting-for-color-reference"),
    ("bypassexternapost", "bypass-external-post"),
    ("addtosession", "added-to-session"),
    ("removefromsession", "removed-from-session"),
];

/// What Creative Force refuses anywhere in a Payload URL.
const FORBIDDEN_IN_URL: [&str; 10] = [
    "localhost",
    "creativeforce.io",
    "metadata.google",
    "burpcollaborator.net",
    ".local",
    ".internal",
    "ram.aliyuncs.com",
    "fuf.me",
    "localtest.me",
    "ulh.us",
];

pub(super) fn normalize<'a>(payload: &Object<'a>) -> Result<Normalized<'a>, NormalizeError> {
    let id = payload.string("PayloadId").and_then(delivery_id);
    let group = group_name(&payload.string("EventGroupName").unwrap_or_default());
    let group = group.ok_or(NormalizeError::NoType {
        member: "EventGroupName",
    })?;
    let action = action_name(&group, &payload.string("Action").unwrap_or_default());
    let action = action.ok_or(NormalizeError::NoType { member: "Action" })?;
    let actor = payload
        .object("Actor")
        .and_then(|actor| actor.scalar("UserId"));
    Ok(Normalized {
        id: Some(id.ok_or(NormalizeError::NoId {
            member: "PayloadId",
        })?),
        source: None,
        event_type: event_type(&group, &action).into(),
        subject: subject(&group, payload).map(Cow::Owned),
        time: time(payload),
        actor: actor.and_then(identifier),
        members: Vec::new(),
        data: Some(payload.text()),
    })
}

pub(super) fn event_types() -> Vec<String> {
    let types = |(group, actions): &(&str, &[&str])| -> Vec<String> {
        actions
            .iter()
            .map(|action| event_type(group, action))
            .collect()
    };
    CATALOGUE.iter().flat_map(types).collect()
}

/// The member that says what the catalogue does not have: the action, or even its group.
pub(super) fn type_path(event_type: &str) -> &'static str {
    let is_of = |group: &str| event_type.starts_with(&self::event_type(group, ""));
    match CATALOGUE.iter().any(|(group, _)| is_of(group)) {
        true => "$.Action",
        false => "$.EventGroupName",
    }
}

fn event_type(group: &str, action: &str) -> String {
    format!("io.creativeforce.{group}.{action}")
}

fn group_name(spelled: &str) -> Option<String> {
    let words = words(spelled);
    let letters = words.concat();
    let known = CATALOGUE
        .iter()
        .map(|(group, _)| *group)
        .find(|group| is_spelled(group, &letters));
    known.map(str::to_owned).or_else(|| name(&words))
}

/// The catalogue's name of an action, or the one its words make.
fn action_name(group: &str, spelled: &str) -> Option<String> {
    let words = words(spelled);
    let letters = words.concat();
    let short = letters
        .strip_prefix(&group.replace('-', ""))
        .unwrap_or(&letters);
    let actions = CATALOGUE
        .iter()
        .find(|(known, _)| *known == group)
        .map_or(&[][..], |group| group.1);
    let aliased = |letters: &str| {
        ALIASES
            .iter()
            .find(|(alias, _)| *alias == letters)
            .map(|(_, action)| *action)
    };
    let known = |letters: &str| {
        let action = actions
            .iter()
            .copied()
            .find(|action| is_spelled(action, letters));
        action.or_else(|| aliased(letters).filter(|action| actions.contains(action)))
    };
    if let Some(action) = known(&letters).or_else(|| known(short)) {
        return Some(action.to_owned());
    }
    let group: Vec<String> = group.split('-').map(str::to_owned).collect();
    match words.strip_prefix(&group[..]) {
        Some(rest) if !rest.is_empty() => name(rest),
        _ => name(&words),
    }
}

/// Whether a name in kebab-case has these letters.
fn is_spelled(name: &str, letters: &str) -> bool {
    name.chars().filter(|&c| c != '-').eq(letters.chars())
}

fn name(words: &[String]) -> Option<String> {
    let name = words.join("-");
    (!name.is_empty() && name.len() <= MAX_NAME_BYTES).then_some(name)
}

/// `<group>/<its id>`: a product's `ProductId`, a work unit's `WorkUnitId`, …
fn subject(group: &str, payload: &Object<'_>) -> Option<String> {
    let pascal_case = group.split('-').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(letters)
            .collect::<String>()
    });
    let member = format!("{}Id", pascal_case.collect::<String>());
    let id = identifier(payload.scalar(&member)?)?;
    Some(format!("{group}/{id}"))
}

/// `EventDatetimeUtc`: milliseconds since 1970, as documented, or the time as a text.
fn time<'a>(payload: &Object<'a>) -> Option<Cow<'a, str>> {
    let told = payload.scalar("EventDatetimeUtc")?;
    let time = match told.parse() {
        Ok(milliseconds) => Timestamp::from_millisecond(milliseconds)
            .ok()?
            .to_string()
            .into(),
        Err(_) => told,
    };
    Some(time).filter(|time| is_rfc3339(time))
}

/// What Creative Force would refuse about a Payload URL, if anything.
pub fn payload_url_problem(url: &str) -> Option<String> {
    let lower = url.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("https://") else {
        return Some("it must be HTTPS".to_owned());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let last_label = host
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches('.')
        .rsplit('.')
        .next();
    if host.starts_with('[')
        || last_label.is_some_and(|label| label.starts_with(|c: char| c.is_ascii_digit()))
    {
        return Some("its host must be a name, not an IP address".to_owned());
    }
    let forbidden = FORBIDDEN_IN_URL
        .iter()
        .find(|forbidden| lower.contains(**forbidden));
    forbidden.map(|forbidden| format!("it must not contain {forbidden}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(group: &str, action: &str) -> String {
        let group = group_name(group).unwrap();
        event_type(&group, &action_name(&group, action).unwrap())
    }

    /// A group and an action as the document prints them somewhere, in a list, a table or a sample.
    #[derive(serde::Deserialize)]
    struct Printed {
        group: String,
        action: String,
        r#type: String,
    }

    #[test]
    fn every_spelling_of_the_document_has_one_name_and_it_is_in_the_catalogue() {
        let printed = include_str!("../../tests/vectors/creative-force-actions.json");
        let printed: Vec<Printed> = serde_json::from_str(printed).unwrap();
        let catalogue = event_types();
        for Printed {
            group,
            action,
            r#type,
        } in &printed
        {
            assert_eq!(named(group, action), *r#type, "{group} {action}");
            assert!(catalogue.contains(r#type), "{}", r#type);
        }
        for known in catalogue {
            assert!(
                printed.iter().any(|row| row.r#type == known),
                "{known} is not in the document"
            );
        }
    }

    #[test]
    fn an_action_without_a_catalogue_entry_is_named_by_the_same_rules() {
        for (group, action, expected) in [
            (
                "PhotoReview",
                "AssetApproved",
                "io.creativeforce.photo-review.asset-approved",
            ),
            (
                "product",
                "ProductArchived",
                "io.creativeforce.product.archived",
            ),
            (
                "product",
                "ProductionTypeChanged",
                "io.creativeforce.product.production-type-changed",
            ),
            ("product", "Product", "io.creativeforce.product.product"),
            (
                "WORK-UNIT",
                "workUnit_splitUp",
                "io.creativeforce.work-unit.split-up",
            ),
            (
                "workunit",
                "STATUSCHANGED",
                "io.creativeforce.work-unit.status-changed",
            ),
            ("asset", "Checked-in", "io.creativeforce.asset.checked-in"),
        ] {
            assert_eq!(named(group, action), expected);
        }
    }

    #[test]
    fn a_url_that_creative_force_refuses_is_told_why() {
        for good in [
            "https://abc123.execute-api.eu-central-1.amazonaws.com/webhooks/studio",
            "https://hooks.example.com:8443/webhooks/studio?x=1",
        ] {
            assert_eq!(payload_url_problem(good), None, "{good}");
        }
        for (bad, problem) in [
            ("http://hooks.example.com/a", "HTTPS"),
            ("https://203.0.113.7/a", "IP"),
            ("https://[2001:db8::1]/a", "IP"),
            ("https://0x7f.1/a", "IP"),
            ("https://user@10.0.0.1:443/a", "IP"),
            ("https://hooks.example.com/webhooks/studio.local", ".local"),
            ("https://LOCALHOST:4567/payload", "localhost"),
            (
                "https://hooks.example.com/creativeforce.io",
                "creativeforce.io",
            ),
        ] {
            assert!(payload_url_problem(bad).unwrap().contains(problem), "{bad}");
        }
    }
}
