//! The events: `webhookctl event list`, and the rejected requests: `webhookctl quarantine list --rejected`.
//! The filters are in the URL, therefore a link shows the same events to somebody else. The live tail asks
//! again for the newest events.

use crate::console::Console;
use crate::console::html::{
    LOADED, SIGNS, answer, badge, dash, dot, empty, list, loading, member, page, problem, scroll,
    since_field, string, text, time, url,
};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

/// The rows of a page.
const PAGE: &str = "50";

/// The rejected requests of a page, whose list has no pages.
const REJECTED_PAGE: &str = "100";

/// The deliveries of an event that are shown as dots.
const MAX_DOTS: usize = 12;

const STATES: [&str; 5] = [
    "accepted",
    "duplicate",
    "conflict",
    "quarantined",
    "rejected",
];

/// The filters, as the URL has them. Those that are empty select everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Filter {
    source: String,
    r#type: String,
    state: String,
    /// How far back; a day if it is empty.
    since: String,
    until: String,
    /// The place at which the page continues a list.
    after: String,
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/events", get(events))
        .route("/panels/events", get(rows))
        .route("/panels/source-names", get(source_names))
}

impl Filter {
    fn since(&self) -> &str {
        match &*self.since {
            "" => "1d",
            since => since,
        }
    }

    fn command(&self) -> Vec<String> {
        let is_rejected = self.state == "rejected";
        let mut command = match &*self.state {
            "rejected" => words(&["quarantine", "list", "--rejected", "--limit", REJECTED_PAGE]),
            // A copy goes to no endpoint.
            "duplicate" => words(&["event", "list", "--limit", PAGE]),
            _ => words(&["event", "list", "--deliveries", "--limit", PAGE]),
        };
        let of_events = [
            ("type", &*self.r#type),
            ("state", &self.state),
            ("until", &self.until),
            ("after", &self.after),
        ];
        let of_events = of_events.iter().filter(|_| !is_rejected);
        let flags = [("source", &*self.source), ("since", self.since())];
        let flags = flags.iter().chain(of_events);
        let given = flags.filter(|(_, value)| !value.is_empty());
        command.extend(given.map(|(name, value)| format!("--{name}={value}")));
        command
    }

    fn url(&self, path: &str) -> String {
        let query = [
            ("source", &*self.source),
            ("type", &self.r#type),
            ("state", &self.state),
            ("since", &self.since),
            ("until", &self.until),
            ("after", &self.after),
        ];
        url(path, &query)
    }

    /// The same from its beginning.
    fn newest(&self) -> Self {
        Self {
            after: String::new(),
            ..self.clone()
        }
    }

    /// Why the filters do not go together.
    fn problem(&self) -> Option<&'static str> {
        match (&*self.state, &*self.r#type, &*self.until) {
            ("rejected" | "duplicate", kind, _) if !kind.is_empty() => {
                Some("rejected requests and copies have no known type: clear the type")
            }
            ("rejected", _, until) if !until.is_empty() => {
                Some("rejected requests are listed from now back: clear the end of the time")
            }
            _ => None,
        }
    }
}

async fn events(State(console): State<Console>, Query(filter): Query<Filter>) -> Markup {
    let tail = filter.newest().url("/panels/events");
    let body = html! {
        div.title {
            h1 { "Events" }
            @if filter.after.is_empty() && filter.until.is_empty() {
                button #tail type="button" aria-pressed="false" data-tail=(tail) { "Live tail" }
            } @else {
                a href=(Filter { until: String::new(), ..filter.newest() }.url("/events")) { "Newest events" }
            }
        }
        (form(&filter))
        section.panel aria-label="Events" {
            div hx-get=(filter.url("/panels/events")) hx-trigger=(LOADED) aria-busy="true"
                data-panel { (loading()) }
        }
    };
    page(&console, "/events", "Events", &body)
}

fn form(filter: &Filter) -> Markup {
    html! {
        form.filters method="get" action="/events" role="search" {
            (source_field(&filter.source))
            label { "Type"
                input type="search" name="type" value=(filter.r#type) placeholder="io.acme.*"
                    autocomplete="off";
            }
            label { "State"
                select name="state" {
                    option value="" { "any but rejected" }
                    @for state in STATES { option value=(state) selected[filter.state == state] { (state) } }
                }
            }
            (since_field("Time", filter.since()))
            label { "Until"
                input type="search" name="until" value=(filter.until) placeholder="now" autocomplete="off";
            }
            button type="submit" { "Filter" }
        }
    }
}

/// The field for a source, which offers the names of those that are configured.
pub(super) fn source_field(source: &str) -> Markup {
    html! {
        label { "Source"
            input #filter type="search" name="source" value=(source) list="sources" autocomplete="off";
        }
        datalist #sources hx-get="/panels/source-names" hx-trigger="load" {}
    }
}

/// The names of the sources, for the field. Without them, it is a field as any other.
async fn source_names(State(console): State<Console>) -> Markup {
    let found = console.runner.ask(&words(&["source", "list"])).await;
    html! { @for source in &found.rows { option value=(string(source, "name")) {} } }
}

async fn rows(State(console): State<Console>, Query(filter): Query<Filter>) -> Markup {
    if let Some(why) = filter.problem() {
        return problem(why);
    }
    let command = filter.command();
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| table(&filter, found))
}

fn table(filter: &Filter, found: &Answer) -> Markup {
    let Some(last) = found.rows.last() else {
        return nothing(filter);
    };
    let older = Filter {
        after: string(last, "place").to_owned(),
        ..filter.clone()
    };
    let rows = match &*filter.state {
        "duplicate" => copies(&found.rows),
        "rejected" => rejected(&found.rows),
        _ => accepted(&found.rows),
    };
    html! {
        (scroll("Events", &rows))
        @if found.rows.len().to_string() == PAGE && !older.after.is_empty() {
            p { a href=(older.url("/events")) rel="next" { "Older events" } }
        }
    }
}

fn nothing(filter: &Filter) -> Markup {
    if !filter.after.is_empty() {
        let newest = html! { a href=(filter.newest().url("/events")) { "Newest events" } };
        return empty("There are no older events in this span of time.", newest);
    }
    let wider = Filter {
        since: "30d".to_owned(),
        ..filter.newest()
    };
    let next = html! {
        p { a href=(wider.url("/events")) { "Search the last 30 days" } }
        p.note { "An event comes from a source. To send one: "
            code { "webhookctl send --source NAME payload.json" } }
    };
    empty("No event matches.", next)
}

fn accepted(rows: &[Value]) -> Markup {
    html! {
        table.list.wide {
            thead { tr {
                th { "Accepted" } th { "Source" } th { "Type" } th { "Id" } th { "State" } th { "Deliveries" }
            } }
            tbody { @for row in rows { (event(row)) } }
        }
        ul.legend {
            @for (state, _, meaning) in SIGNS { li { (dot("a delivery", state)) (meaning) } }
        }
    }
}

fn event(row: &Value) -> Markup {
    let to = url("/event", &[("id", string(row, "key"))]);
    html! {
        tr data-key={ (string(row, "key")) "@" (string(row, "accepted_at")) } {
            td { (time(row, "accepted_at")) }
            td { (member(row, "source")) }
            td { a href=(to) { (text(string(row, "type"))) } }
            td.id { (member(row, "id")) }
            td { (badge(string(row, "state"))) }
            td { div.dots { (dots(list(row, "deliveries"))) } }
        }
    }
}

fn dots(deliveries: &[Value]) -> Markup {
    let more = deliveries.len().saturating_sub(MAX_DOTS);
    html! {
        @for at in deliveries.iter().take(MAX_DOTS) { (dot(string(at, "name"), string(at, "state"))) }
        @if more > 0 { span.note { "+" (more) } }
        @if deliveries.is_empty() { (dash()) }
    }
}

fn copies(rows: &[Value]) -> Markup {
    html! {
        table.list {
            thead { tr { th { "Came" } th { "Source" } th { "State" } th { "Duplicate of" } } }
            tbody {
                @for row in rows {
                    @let query = [("id", string(row, "id")), ("source", string(row, "source"))];
                    tr data-key=(string(row, "place")) {
                        td { (time(row, "at")) }
                        td { (member(row, "source")) }
                        td { (badge(string(row, "state"))) }
                        td.id { a href=(url("/event", &query)) { (member(row, "id")) } }
                    }
                }
            }
        }
    }
}

fn rejected(rows: &[Value]) -> Markup {
    html! {
        table.list.wide {
            thead { tr { th { "Came" } th { "Source" } th { "State" } th { "Reason" } th { "Id" } } }
            tbody {
                @for row in rows {
                    @let query = [("id", string(row, "id")), ("rejected", "1")];
                    tr data-key=(string(row, "id")) {
                        td { (time(row, "at")) }
                        td { (member(row, "source")) }
                        td { (badge(string(row, "state"))) }
                        td { (member(row, "reason")) }
                        td.id { a href=(url("/quarantine/item", &query)) { (member(row, "id")) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::console::samples::{answers, event, rejected};
    use crate::console::tests::{Answers, Page, local};

    #[tokio::test]
    async fn a_link_has_the_filters_and_the_command_gets_them() {
        local(async {
            let page = Page::with(answers(), false);
            let link = "source=studio&type=io.acme.*&state=accepted&since=3d&until=2026-11-22";
            let seen = page.get(&format!("/events?{link}")).await;
            assert!(seen.html.contains("/panels/events?source=studio"), "{}", seen.html);
            assert_eq!(seen.texts("option[selected]"), ["accepted", "last 3 days"]);
            page.get(&format!("/panels/events?{link}&after=1790000000000_0.3")).await;
            let expected = "event list --deliveries --limit 50 --source=studio --since=3d --type=io.acme.* \
                --state=accepted --until=2026-11-22 --after=1790000000000_0.3";
            assert_eq!(page.ran.lock().unwrap().last().unwrap(), expected);
            // A value stays a value.
            page.get("/panels/events?source=--json&since=%20-x").await;
            let ran = page.ran.lock().unwrap().last().unwrap().clone();
            assert!(ran.ends_with("--source=--json --since= -x"), "{ran}");
        })
        .await;
    }

    #[tokio::test]
    async fn each_delivery_is_a_sign_with_its_state_in_words() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page.get("/panels/events").await;
            assert_eq!(
                seen.texts(".dots .visually-hidden"),
                ["search: delivered.", "crm: held."]
            );
            assert_eq!(seen.texts(".dots [aria-hidden]"), ["✓", "‖"]);
            assert_eq!(seen.texts("tr .badge"), ["accepted"]);
            assert!(seen.html.contains("href=\"/event?id=studio%23evt-1\""));
        })
        .await;
    }

    #[tokio::test]
    async fn a_full_page_links_to_the_one_that_continues_it() {
        local(async {
            let full = Answers::from([("event list", Ok(vec![event(); 50]))]);
            let page = Page::with(full, false);
            let seen = page.get("/panels/events?source=studio").await;
            assert_eq!(seen.texts("a[rel=next]"), ["Older events"]);
            let older = "/events?source=studio&amp;after=1790000001500_0123abcd.7";
            assert!(seen.html.contains(older), "{}", seen.html);
            let page = Page::with(answers(), false);
            assert!(
                page.get("/panels/events")
                    .await
                    .texts("a[rel=next]")
                    .is_empty()
            );
            // The tail reads from the newest event on, on the first page only.
            assert_eq!(page.get("/events").await.texts("#tail"), ["Live tail"]);
            assert!(
                page.get("/events?after=1790000001500_0.7")
                    .await
                    .texts("#tail")
                    .is_empty()
            );
        })
        .await;
    }

    #[tokio::test]
    async fn copies_and_rejected_requests_are_listed_too() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page
                .get("/panels/events?state=duplicate&source=studio")
                .await;
            assert!(
                seen.html
                    .contains("href=\"/event?id=evt-1&amp;source=studio\"")
            );
            let seen = page.get("/panels/events?state=rejected&source=hr").await;
            let reason = rejected()["reason"].as_str().unwrap().to_owned();
            assert!(seen.texts("td").contains(&reason));
            let expected = "quarantine list --rejected --limit 100 --source=hr --since=1d";
            assert_eq!(page.ran.lock().unwrap().last().unwrap(), expected);
            let before = page.ran.lock().unwrap().len();
            for wrong in [
                "state=rejected&type=a.*",
                "state=duplicate&type=a",
                "state=rejected&until=1d",
            ] {
                let seen = page.get(&format!("/panels/events?{wrong}")).await;
                assert_eq!(seen.texts(".problem").len(), 1, "{wrong}");
            }
            assert_eq!(page.ran.lock().unwrap().len(), before);
        })
        .await;
    }

    #[tokio::test]
    async fn an_empty_list_says_what_to_do_next() {
        local(async {
            let page = Page::with(Answers::new(), false);
            let seen = page.get("/panels/events?type=a").await;
            assert!(seen.texts(".empty")[0].contains("webhookctl send"));
            assert!(seen.html.contains("/events?type=a&amp;since=30d"));
        })
        .await;
    }
}
