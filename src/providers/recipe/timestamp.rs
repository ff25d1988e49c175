//! Reads what a recipe says of the signed timestamp.

use super::error::{contradiction, invalid, missing};
use super::fields::Fields;
use super::scheme::BodyPath;
use super::{RecipeError, Signing, TimestampPlace, TimestampRule};
use crate::providers::path::Path;
use crate::providers::time::TimeFormat;
use jiff::{SignedDuration, Span, SpanRelativeTo};

/// How far a signed timestamp may be from the clock, if a recipe says nothing else.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Where the signed timestamp is, if there is one.
pub(super) fn rule(
    fields: &Fields<'_>,
    signing: &Signing,
) -> Result<Option<TimestampRule>, RecipeError> {
    let formats = [
        ("seconds", TimeFormat::Seconds),
        ("milliseconds", TimeFormat::Milliseconds),
        ("rfc3339", TimeFormat::Rfc3339),
    ];
    let expected = "seconds, milliseconds or rfc3339";
    let format = fields.one_of("timestamp_format", &formats, expected)?;
    let tolerance = tolerance(fields)?;
    let has_timestamp = signing.template.has_timestamp();
    let place = match fields.text("timestamp_path")? {
        Some(path) => in_body(fields, path, signing)?,
        None if has_timestamp => in_header(fields, signing)?,
        None => {
            let because =
                "the timestamp is not signed; put {timestamp} into signed, or name timestamp_path";
            let names = [
                "timestamp_header",
                "timestamp_prefix",
                "timestamp_format",
                "timestamp_tolerance",
            ];
            return fields.forbid(&names, because).map(|()| None);
        }
    };
    Ok(Some(TimestampRule {
        place,
        format: format.unwrap_or(TimeFormat::Seconds),
        tolerance: tolerance.unwrap_or(Some(TOLERANCE)),
    }))
}

fn in_body(
    fields: &Fields<'_>,
    path: &str,
    signing: &Signing,
) -> Result<TimestampPlace, RecipeError> {
    let because = "a timestamp is in one place, a header or the body";
    fields.forbid(&["timestamp_header", "timestamp_prefix"], because)?;
    if signing.template.has_timestamp() {
        return Err(contradiction(
            "timestamp_path",
            "the {timestamp} of signed is in a header",
        ));
    }
    let is_json = matches!(fields.text("body")?, None | Some("json"));
    if !is_json || !signing.template.has_body() {
        let because = "the timestamp is in a body that is signed and JSON, and this one is not";
        return Err(contradiction("timestamp_path", because));
    }
    let path = Path::parse(path).map(|path| TimestampPlace::Body(BodyPath(path)));
    path.ok_or_else(|| invalid("timestamp_path", "a path such as $.webhookTimestamp"))
}

fn in_header(fields: &Fields<'_>, signing: &Signing) -> Result<TimestampPlace, RecipeError> {
    let header = fields.header("timestamp_header")?;
    let because = "the {timestamp} of signed is in a header; name it";
    let name = header.ok_or_else(|| missing("timestamp_header", because))?;
    let prefix = fields
        .text("timestamp_prefix")?
        .unwrap_or_default()
        .to_owned();
    if signing.headers.contains(&name) {
        let because = "a header with a signature and a timestamp needs a delimiter between them";
        signing
            .delimiter
            .as_ref()
            .ok_or_else(|| missing("delimiter", because))?;
        if prefix.is_empty() {
            let because =
                "it tells the timestamp from the signatures in the same header, such as t=";
            return Err(missing("timestamp_prefix", because));
        }
    }
    Ok(TimestampPlace::Header { name, prefix })
}

/// The tolerance, `None` within if the check is off. A number without a unit is seconds.
fn tolerance(fields: &Fields<'_>) -> Result<Option<Option<SignedDuration>>, RecipeError> {
    let Some(value) = fields.get("timestamp_tolerance") else {
        return Ok(None);
    };
    let text = value.as_str().unwrap_or_default();
    let seconds = value.as_i64().or_else(|| text.parse().ok());
    let tolerance = seconds.map(SignedDuration::from_secs).or_else(|| {
        let span: Span = text.parse().ok()?;
        span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
    });
    match tolerance {
        Some(SignedDuration::ZERO) => Ok(Some(None)),
        Some(tolerance) if tolerance.is_positive() => Ok(Some(Some(tolerance))),
        _ => {
            let expected = "a duration such as 5m, or 0 for no check";
            Err(invalid("timestamp_tolerance", expected))
        }
    }
}
