//! PeopleForce: <https://developer.peopleforce.io/docs/starting-with-webhooks>.
//!
//! ```text
//! X-PeopleForce-Signature: "sha256=" hex(HMAC-SHA256(secret, body))
//! body: {"action": "employee_create", "data": {"id": 130333, "attributes": {…}, "meta": {"updated_at": …}}}
//! ```
//!
//! No delivery id is sent: two webhooks are the same if their bodies are. No retries are documented either,
//! and the payloads are personal data.

use super::attribute::is_rfc3339;
use super::json::Object;
use super::{MAX_NAME_BYTES, NormalizeError, Normalized, identifier, is_name};

/// The member that says what happened.
pub(super) const TYPE_PATH: &str = "$.action";

const ACTIONS: [&str; 26] = [
    "employee_create",
    "employee_update",
    "employee_start",
    "employee_terminate",
    "employee_termination_revert",
    "employee_position_create",
    "employee_position_update",
    "employee_salary_create",
    "employee_salary_update",
    "employee_additional_compensation_create",
    "employee_additional_compensation_update",
    "employee_employment_status_create",
    "employee_employment_status_update",
    "leave_request_create",
    "leave_request_approve",
    "leave_request_reject",
    "leave_request_withdraw",
    "leave_request_destroy",
    "applicant_create",
    "applicant_destroy",
    "vacancy_create",
    "vacancy_application_create",
    "vacancy_application_movement",
    "vacancy_offer_accept",
    "vacancy_offer_reject",
    "workflow",
];

pub(super) fn normalize<'a>(payload: &Object<'a>) -> Result<Normalized<'a>, NormalizeError> {
    let action = payload
        .string("action")
        .filter(|action| action.len() <= MAX_NAME_BYTES);
    let action = action.filter(|action| is_name(action));
    let action = action.ok_or(NormalizeError::NoType { member: "action" })?;
    let data = payload.object("data");
    let id = data
        .as_ref()
        .and_then(|data| data.scalar("id"))
        .and_then(identifier);
    let meta = data.as_ref().and_then(|data| data.object("meta"));
    let time = meta.and_then(|meta| meta.string("updated_at"));
    Ok(Normalized {
        id: None,
        source: None,
        event_type: event_type(&action).into(),
        subject: id.map(|id| format!("{}/{id}", entity(&action)).into()),
        time: time.filter(|time| is_rfc3339(time)),
        actor: None,
        members: Vec::new(),
        data: Some(payload.text()),
    })
}

pub(super) fn event_types() -> Vec<String> {
    ACTIONS.iter().map(|action| event_type(action)).collect()
}

/// Whether an event of this type happens to a record once. An employee can be terminated and a request
/// approved again, after that was taken back.
pub(super) fn happens_once(event_type: &str) -> bool {
    let verb = event_type.rsplit('_').next();
    matches!(verb, Some("create" | "delete" | "destroy"))
}

fn event_type(action: &str) -> String {
    format!("io.peopleforce.{action}")
}

/// What an action is about: all but the verb, which is its last word in all actions but one.
fn entity(action: &str) -> &str {
    let entity = action.strip_suffix("_termination_revert");
    let entity = entity.or_else(|| action.rsplit_once('_').map(|(entity, _)| entity));
    entity.unwrap_or(action)
}
