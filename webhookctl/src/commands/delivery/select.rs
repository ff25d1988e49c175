//! The deliveries of an endpoint, selected by state and time.

use crate::Result;
use crate::output::Output;
use crate::time;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use webhook_gateway::store::deliveries::{Deliveries, Delivery, RETENTION, State};

const STATES: [State; 5] = [
    State::Pending,
    State::Delivered,
    State::Held,
    State::Exhausted,
    State::Skipped,
];

/// Deliveries, page by page, the newest first.
pub(crate) struct Pages<'a> {
    deliveries: &'a Deliveries,
    endpoint: &'a str,
    state: Option<State>,
    since: Option<Timestamp>,
    place: Place,
}

enum Place {
    Start,
    After(String),
    End,
}

impl<'a> Pages<'a> {
    /// The deliveries to the endpoint of this id.
    pub(crate) fn new(
        deliveries: &'a Deliveries,
        endpoint: &'a str,
        state: Option<State>,
        since: Option<Timestamp>,
    ) -> Self {
        Self {
            deliveries,
            endpoint,
            state,
            since,
            place: Place::Start,
        }
    }

    /// The selected deliveries of the next page, possibly none; `None` after the last page.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Delivery>>> {
        let after = match &self.place {
            Place::Start => None,
            Place::After(id) => Some(&**id),
            Place::End => return Ok(None),
        };
        let page = self.deliveries.page(self.endpoint, self.since, after).await;
        let (mut records, last) = page?;
        self.place = last.map_or(Place::End, Place::After);
        records.retain(|record| self.state.is_none_or(|state| record.state == state));
        Ok(Some(records))
    }

    /// Whether no page is left.
    pub(crate) fn is_at_end(&self) -> bool {
        matches!(self.place, Place::End)
    }
}

/// Rejects a time in the future. Writes a note about a time before the oldest record that is kept.
pub(crate) fn check_since(since: Option<Timestamp>, output: &Output) -> Result<()> {
    let (Some(since), now) = (since, Timestamp::now()) else {
        return Ok(());
    };
    time::refuse_wrong_order(since, None, now)?;
    if since < now - RETENTION {
        let days = RETENTION.as_hours() / 24;
        output.note(&format!(
            "deliveries are kept for {days} days: of older ones, only those that are still held are found"
        ));
    }
    Ok(())
}

/// The parser of a state's name.
pub(crate) fn state() -> impl TypedValueParser<Value = State> {
    let named = |name: String| STATES.into_iter().find(|state| state.name() == name);
    PossibleValuesParser::new(STATES.map(State::name))
        .map(move |name| named(name).unwrap_or(State::Pending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::delivery;
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::operation::query::QueryOutput;
    use aws_sdk_dynamodb::types::AttributeValue;
    use aws_smithy_mocks::{Rule, mock};
    use std::collections::HashMap;

    fn page(after: Option<&'static str>, states: &[(&str, State)], last: Option<&str>) -> Rule {
        let key = |id: &str| {
            let text = |text: &str| AttributeValue::S(text.to_owned());
            HashMap::from([
                ("endpoint".to_owned(), text("ep_1")),
                ("id".to_owned(), text(id)),
            ])
        };
        let item = |(id, state): &(&str, State)| {
            let mut record = delivery(*state);
            record.id = (*id).to_owned();
            serde_dynamo::to_item(record).unwrap()
        };
        let items: Vec<_> = states.iter().map(item).collect();
        let (after, last) = (after.map(key), last.map(key));
        mock!(Client::query)
            .match_requests(move |request| {
                request.table_name() == Some("deliveries")
                    && request.exclusive_start_key() == after.as_ref()
                    && request.scan_index_forward() == Some(false)
            })
            .then_output(move || {
                let answer = QueryOutput::builder().set_items(Some(items.clone()));
                answer.set_last_evaluated_key(last.clone()).build()
            })
    }

    #[tokio::test]
    async fn every_page_is_read_and_only_the_state_that_is_meant_is_kept() {
        let rules = [
            page(
                None,
                &[("d", State::Exhausted), ("c", State::Held)],
                Some("c"),
            ),
            page(Some("c"), &[("b", State::Delivered)], Some("b")),
            page(Some("b"), &[("a", State::Exhausted)], None),
        ];
        let client = testkit::mock!(aws_sdk_dynamodb, &rules);
        let deliveries = Deliveries::new(client, "deliveries".to_owned());
        let mut pages = Pages::new(&deliveries, "ep_1", Some(State::Exhausted), None);
        let mut ids = Vec::new();
        while let Some(records) = pages.next().await.unwrap() {
            ids.push(
                records
                    .into_iter()
                    .map(|record| record.id)
                    .collect::<Vec<_>>(),
            );
            assert_eq!(pages.is_at_end(), ids.len() == 3);
        }
        assert_eq!(ids, [vec!["d"], vec![], vec!["a"]]);
    }
}
