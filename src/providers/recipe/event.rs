//! Reads what a recipe says of the event.

use super::error::{contradiction, invalid, missing};
use super::fields::Fields;
use super::read::template_error;
use super::{Authenticity, Dedupe, Events, Recipe, RecipeError, Scheme, TokenPlace};
use crate::providers::attribute::{OWN, is_extension_name};
use crate::providers::mapping::{BodyKind, Mapping};
use crate::providers::reference::{EventTemplate, Place};
use crate::providers::time::TimeFormat;
use http::HeaderName;
use http::header::AUTHORIZATION;
use serde_json::Value;

const MEMBERS: [&str; 6] = ["type", "id", "time", "time_format", "subject", "actor"];

const MAX_FORWARDED: usize = 10;

/// The attributes that CloudEvents gives a meaning. No forwarded header takes the place of one of them, or of
/// one of the gateway's [`OWN`].
const STANDARD: [&str; 9] = [
    "id",
    "source",
    "specversion",
    "type",
    "subject",
    "time",
    "data",
    "datacontenttype",
    "dataschema",
];

pub(super) fn body(fields: &Fields<'_>) -> Result<BodyKind, RecipeError> {
    let expected = "json, form, form:FIELD with the name of a field, or any";
    match fields.text("body")? {
        None => Ok(BodyKind::Json),
        Some(text) => text.parse().map_err(|_| invalid("body", expected)),
    }
}

impl BodyKind {
    fn has(&self, place: &Place) -> bool {
        match place {
            Place::Header(_) => true,
            Place::Json(_) => matches!(self, Self::Json | Self::FormField(_)),
            Place::Field(_) => self.is_form(),
        }
    }
}

pub(super) fn mapping(fields: &Fields<'_>, body: &BodyKind) -> Result<Mapping, RecipeError> {
    let because = "a recipe says what its events are, at least event.type";
    let event = fields
        .get("event")
        .ok_or_else(|| missing("event", because))?;
    let expected = "an object with type, id, time, time_format, subject and actor";
    let event = event
        .as_object()
        .ok_or_else(|| invalid("event", expected))?;
    let event = Fields::of("event", event, &MEMBERS)?;
    let template = |member: &str| -> Result<Option<EventTemplate>, RecipeError> {
        let Some(text) = event.text(member)? else {
            return Ok(None);
        };
        let field = event.name(member);
        let template = EventTemplate::parse(text).map_err(|error| template_error(&field, error))?;
        if !template.places().all(|place| body.has(place)) {
            let because = "{$.path} needs body json or form:FIELD, and {form:FIELD} needs a form";
            return Err(contradiction(&field, because));
        }
        Ok(Some(template))
    };
    let because = "each event has a type, such as com.example.{$.type}";
    let event_type = template("type")?.ok_or_else(|| missing("event.type", because))?;
    let id = template("id")?;
    if id.as_ref().is_some_and(|id| id.places().next().is_none()) {
        let expected = "different for each event: {header:NAME}, {$.path} or {form:FIELD}";
        return Err(invalid("event.id", expected));
    }
    let formats = [
        ("seconds", TimeFormat::Seconds),
        ("milliseconds", TimeFormat::Milliseconds),
        ("rfc3339", TimeFormat::Rfc3339),
    ];
    let expected = "seconds, milliseconds or rfc3339";
    let time_format = event.one_of("time_format", &formats, expected)?;
    let time = template("time")?;
    if time.is_none() {
        event.forbid(&["time_format"], "there is no event.time to read")?;
    }
    Ok(Mapping {
        event_type,
        id,
        time,
        time_format,
        subject: template("subject")?,
        actor: template("actor")?,
    })
}

/// The forwarded headers, each with the name of its attribute.
pub(super) fn forwarded(
    fields: &Fields<'_>,
    scheme: &Scheme,
) -> Result<Vec<(HeaderName, String)>, RecipeError> {
    const FIELD: &str = "forward_headers";
    match fields.get(FIELD) {
        None => return Ok(Vec::new()),
        Some(Value::Array(names)) if names.is_empty() => return Ok(Vec::new()),
        Some(Value::Array(names)) if names.len() <= MAX_FORWARDED => {}
        Some(_) => return Err(invalid(FIELD, "a list of up to 10 names of headers")),
    }
    let mut forwarded: Vec<(HeaderName, String)> = Vec::new();
    for header in fields.headers(FIELD)? {
        let letters = header.as_str().chars().filter(char::is_ascii_alphanumeric);
        let name: String = letters.collect();
        let mut taken = STANDARD.into_iter().chain(OWN);
        let is_free =
            taken.all(|other| other != name) && forwarded.iter().all(|(_, other)| *other != name);
        if !is_extension_name(&name) || !is_free {
            let expected = "headers of different names, and none of an attribute that events have";
            return Err(invalid(FIELD, expected));
        }
        if is_secret(scheme, &header) {
            return Err(contradiction(
                FIELD,
                "a header with a secret must not get into events",
            ));
        }
        forwarded.push((header, name));
    }
    Ok(forwarded)
}

/// No event may show the token or the password of its source.
pub(super) fn forbid_secret_headers(recipe: &Recipe) -> Result<(), RecipeError> {
    let Events::Mapped(mapping) = &recipe.events else {
        return Ok(());
    };
    let mut places = mapping.templates().flat_map(EventTemplate::places);
    let shows =
        |place: &Place| matches!(place, Place::Header(name) if is_secret(&recipe.scheme, name));
    match places.any(shows) {
        true => Err(contradiction(
            "event",
            "a header with a secret must not get into events",
        )),
        false => Ok(()),
    }
}

fn is_secret(scheme: &Scheme, header: &HeaderName) -> bool {
    let is_token =
        matches!(scheme, Scheme::Token(TokenPlace::Header { name, .. }) if name == header);
    is_token || *header == AUTHORIZATION
}

pub(super) fn dedupe(fields: &Fields<'_>, recipe: &Recipe) -> Result<Dedupe, RecipeError> {
    let names = [("id", Dedupe::Id), ("body", Dedupe::Body)];
    let chosen = fields.one_of("dedupe", &names, "id or body")?;
    let is_covered = match &recipe.events {
        Events::Code(_) => recipe.authenticity() == Authenticity::Signature,
        Events::Mapped(mapping) => mapping.id.as_ref().is_some_and(|id| recipe.covers_all(id)),
    };
    let has_id = recipe.has_ids();
    match chosen {
        Some(Dedupe::Id) if !has_id => {
            let because = "there is no event.id to know copies by";
            Err(contradiction("dedupe", because))
        }
        Some(chosen) => Ok(chosen),
        None if has_id && is_covered => Ok(Dedupe::Id),
        None => Ok(Dedupe::Body),
    }
}
