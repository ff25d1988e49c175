//! Endpoints and subscriptions that did not get an event, grouped by the reason.

use serde::Serialize;
use std::collections::BTreeMap;
use webhook_gateway::event::EventMeta;

/// The most names on a line.
const MAX_NAMES: usize = 5;

/// The reason why an endpoint or a subscription got nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Nothing {
    Source,
    Type,
    CreatedLater,
    Expired,
}

impl Nothing {
    fn reason(self, event: &EventMeta) -> String {
        match self {
            Self::Source => format!("their sources do not include {}", event.source),
            Self::Type => format!("none of their patterns matches {}", event.event_type),
            Self::CreatedLater => format!(
                "they were created later: `webhookctl event replay --id {} --endpoint NAME` sends it",
                event.id
            ),
            Self::Expired => {
                "the event is older than 30 days: its deliveries are not kept any more".to_owned()
            }
        }
    }
}

/// All endpoints or all subscriptions that got nothing for one reason.
#[derive(Debug, Serialize)]
pub(crate) struct Group {
    /// `endpoints` or `subscriptions`.
    of: &'static str,
    nothing: Nothing,
    reason: String,
    names: Vec<String>,
}

/// Names, grouped by the reason why they got nothing.
#[derive(Debug, Default)]
pub(crate) struct Groups<'n>(BTreeMap<Nothing, Vec<&'n str>>);

impl<'n> Groups<'n> {
    pub(crate) fn of(named: impl Iterator<Item = (Nothing, &'n str)>) -> Self {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (nothing, name) in named {
            groups.entry(nothing).or_default().push(name);
        }
        // A name that is alone keeps its own line, with its filters.
        groups.retain(|_, names| names.len() > 1);
        Self(groups)
    }

    /// The groups, with their reasons.
    pub(crate) fn named(&self, of: &'static str, event: &EventMeta) -> Vec<Group> {
        let groups = self.0.iter().map(|(nothing, names)| Group {
            of,
            nothing: *nothing,
            reason: nothing.reason(event),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        });
        groups.collect()
    }
}

impl Group {
    pub(crate) fn is(&self, of: &str, nothing: Nothing) -> bool {
        self.of == of && self.nothing == nothing
    }

    /// How many, why, and the first names.
    pub(crate) fn line(&self) -> String {
        let Self {
            of, reason, names, ..
        } = self;
        let first = names[..names.len().min(MAX_NAMES)].join(", ");
        let more = match names.len().saturating_sub(MAX_NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let count = names.len();
        format!("{count} {of}: nothing, because {reason} ({first}{more})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::item;

    #[test]
    fn one_line_has_all_that_got_nothing_for_one_reason() {
        let event = item("studio#1", "1").event;
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let named = names.map(|name| (Nothing::Source, name));
        let alone = [(Nothing::Type, "alone")];
        let groups = Groups::of(named.into_iter().chain(alone));
        let expected = "7 endpoints: nothing, because their sources do not include studio (a, b, c, d, e and \
            2 more)";
        assert_eq!(groups.named("endpoints", &event)[0].line(), expected);
        let groups = groups.named("endpoints", &event);
        assert!(groups[0].is("endpoints", Nothing::Source));
        assert_eq!(groups.len(), 1);
        let two = Groups::of(named.into_iter().take(2));
        let two = two.named("subscriptions", &event);
        assert!(two[0].line().ends_with("(a, b)"));
    }
}
