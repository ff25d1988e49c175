//! The attribute of an item with what its webhook said beside its body. Most webhooks of providers that are
//! read in code have none: a secret matched, and therefore they are signed.

use super::UnreadableItem;
use crate::aws::dynamodb::{Item, text, text_of};
use crate::providers::recipe::Authenticity;
use crate::providers::recorded::RecordedFields;
use aws_sdk_dynamodb::types::AttributeValue;

/// The name of the attribute, a map.
pub(super) const FIELDS: &str = "fields";

/// The member with the forwarded headers, a map too.
pub(super) const EXTENSIONS: &str = "extensions";

/// What a webhook is proof of, if nothing else is recorded.
fn implied(is_matched: bool) -> Authenticity {
    match is_matched {
        true => Authenticity::Signature,
        false => Authenticity::None,
    }
}

/// The attribute, unless there is nothing in it. A secret has matched, or none has.
pub(super) fn attribute(fields: &RecordedFields, is_matched: bool) -> Option<AttributeValue> {
    let authenticity = fields.authenticity;
    let told = (authenticity != implied(is_matched)).then_some(authenticity.name());
    let body = (!fields.body.is_json()).then(|| fields.body.to_string());
    let members = [
        ("authenticity", told),
        ("body", body.as_deref()),
        ("subject", fields.subject.as_deref()),
        ("time", fields.time.as_deref()),
        ("actor", fields.actor.as_deref()),
    ];
    let members = members.into_iter();
    let members = members.filter_map(|(name, value)| Some((name.to_owned(), text(value?))));
    let mut map: Item = members.collect();
    if !fields.extensions.is_empty() {
        let extensions = fields.extensions.iter();
        let extensions = extensions.map(|(name, value)| (name.clone(), text(value)));
        map.insert(
            EXTENSIONS.to_owned(),
            AttributeValue::M(extensions.collect()),
        );
    }
    (!map.is_empty()).then_some(AttributeValue::M(map))
}

/// What is recorded in an item. A secret has matched, or none has.
pub(super) fn read(item: &Item, is_matched: bool) -> Result<RecordedFields, UnreadableItem> {
    let map = |item: Option<&AttributeValue>| item.and_then(|map| map.as_m().ok().cloned());
    let fields = map(item.get(FIELDS)).unwrap_or_default();
    let extensions = map(fields.get(EXTENSIONS)).unwrap_or_default();
    let extensions = extensions.keys().filter_map(|name| {
        let value = text_of(&extensions, name)?;
        Some((name.clone(), value.to_owned()))
    });
    let text = |name| text_of(&fields, name).map(str::to_owned);
    read_from(text, extensions.collect(), is_matched)
}

/// The same of members in any form.
pub(super) fn read_from(
    text: impl Fn(&'static str) -> Option<String>,
    mut extensions: Vec<(String, String)>,
    is_matched: bool,
) -> Result<RecordedFields, UnreadableItem> {
    let authenticity = text("authenticity").map(|name| name.parse());
    let authenticity = authenticity.unwrap_or(Ok(implied(is_matched)));
    let body = text("body").map(|kind| kind.parse());
    extensions.sort();
    Ok(RecordedFields {
        authenticity: authenticity.map_err(|()| UnreadableItem(FIELDS))?,
        body: body
            .transpose()
            .map_err(|_| UnreadableItem(FIELDS))?
            .unwrap_or_default(),
        subject: text("subject"),
        time: text("time"),
        actor: text("actor"),
        extensions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn what_was_recorded_is_read_back() {
        let full = RecordedFields {
            authenticity: Authenticity::Token,
            body: "form:payload".parse().unwrap(),
            subject: Some(owned("a/1")),
            time: Some(owned("2026-11-27T00:00:00Z")),
            actor: Some(owned("ada")),
            extensions: vec![(owned("xa"), owned("1")), (owned("xb"), owned("2"))],
        };
        let all = [
            Authenticity::Signature,
            Authenticity::Token,
            Authenticity::None,
        ];
        let proofs = all.map(RecordedFields::proof);
        for fields in proofs.into_iter().chain([full]) {
            for is_matched in [true, false] {
                let mut item = Item::new();
                item.extend(attribute(&fields, is_matched).map(|fields| (owned(FIELDS), fields)));
                assert_eq!(read(&item, is_matched), Ok(fields.clone()));
            }
        }
    }

    #[test]
    fn a_signed_webhook_that_code_reads_costs_nothing() {
        let signature = RecordedFields::proof(Authenticity::Signature);
        assert_eq!(attribute(&signature, true), None);
        let none = RecordedFields::proof(Authenticity::None);
        assert_eq!(attribute(&none, false), None);
    }

    #[test]
    fn what_the_ledger_never_wrote_is_unreadable() {
        for (name, value) in [
            ("authenticity", "certain"),
            ("body", "xml"),
            ("body", "form:"),
        ] {
            let members = Item::from([(owned(name), text(value))]);
            let item = Item::from([(owned(FIELDS), AttributeValue::M(members))]);
            assert_eq!(read(&item, true), Err(UnreadableItem(FIELDS)));
        }
    }
}
