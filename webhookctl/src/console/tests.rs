//! The console over its own router, with the answers of commands given.

use super::guard::Session;
use super::{Console, Runner, router};
use crate::output::Output;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use scraper::{Html, Selector};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::task::LocalSet;
use tower::ServiceExt;

const PORT: u16 = 4000;
const OWN: &str = "127.0.0.1:4000";

/// A console whose commands have given answers.
pub(super) struct Page {
    router: Router,
    session: Arc<Session>,
    cookie: Option<String>,
    /// The commands that were run.
    pub(super) ran: Arc<Mutex<Vec<String>>>,
}

/// A response.
pub(super) struct Seen {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) html: String,
}

/// What the commands print, by the beginning of the command line: objects, or an error.
pub(super) type Answers = BTreeMap<&'static str, Result<Vec<Value>, &'static str>>;

impl Page {
    /// A console that is opened already.
    pub(super) fn with(answers: Answers, read_only: bool) -> Self {
        let mut page = Self::closed(answers, read_only);
        page.cookie = Some(page.session.cookie());
        page
    }

    fn closed(answers: Answers, read_only: bool) -> Self {
        let ran = Arc::new(Mutex::new(Vec::new()));
        let log = ran.clone();
        let runner = Runner::new(None, move |words, output: Output| {
            let line = words.join(" ");
            log.lock().unwrap().push(line.clone());
            let known = answers
                .iter()
                .rev()
                .find(|(begin, _)| line.starts_with(*begin));
            let answer = known
                .map(|(_, answer)| answer.clone())
                .unwrap_or(Ok(Vec::new()));
            Box::pin(async move {
                for row in answer? {
                    output.json(&row)?;
                }
                Ok(())
            })
        });
        let session = Arc::new(Session::new(PORT).unwrap());
        let console = Console {
            runner,
            jobs: Arc::default(),
            session: session.clone(),
            read_only,
        };
        Self {
            router: router(console),
            session,
            cookie: None,
            ran,
        }
    }

    pub(super) async fn get(&self, path: &str) -> Seen {
        self.send("GET", path, &[(HOST.as_str(), OWN)], "").await
    }

    /// A form that the page itself sends.
    pub(super) async fn post(&self, path: &str, form: &str) -> Seen {
        let token = self.session.form_token().to_owned();
        let headers = [
            (HOST.as_str(), OWN),
            (ORIGIN.as_str(), "http://127.0.0.1:4000"),
            ("x-form-token", &*token),
        ];
        self.send("POST", path, &headers, form).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], form: &str) -> Seen {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Body::from(form.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let html = to_bytes(body, usize::MAX).await.unwrap();
        Seen {
            status: parts.status,
            headers: parts.headers,
            html: String::from_utf8(html.to_vec()).unwrap(),
        }
    }
}

impl Seen {
    /// The text of each element that a selector finds.
    pub(super) fn texts(&self, selector: &str) -> Vec<String> {
        let html = Html::parse_document(&self.html);
        let selector = Selector::parse(selector).unwrap();
        let found = html.select(&selector);
        found
            .map(|element| element.text().collect::<String>().trim().to_owned())
            .collect()
    }
}

/// Runs a test where the runner can run.
pub(super) async fn local(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn the_printed_link_opens_the_console_once() {
    local(async {
        let mut page = Page::closed(Answers::new(), false);
        let link = page.session.url();
        let path = link
            .strip_prefix("http://127.0.0.1:4000")
            .unwrap()
            .to_owned();
        assert_eq!(page.get("/").await.status, StatusCode::FORBIDDEN);
        let wrong = page.get(&format!("/?token={}", "0".repeat(64))).await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN);
        let opened = page.get(&path).await;
        assert_eq!(opened.status, StatusCode::SEE_OTHER);
        // The token is gone from the address bar.
        assert_eq!(opened.headers[LOCATION], "/");
        let cookie = opened.headers[SET_COOKIE].to_str().unwrap().to_owned();
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert_eq!(page.get(&path).await.status, StatusCode::FORBIDDEN);
        page.cookie = cookie.split(';').next().map(str::to_owned);
        assert_eq!(page.get("/").await.status, StatusCode::OK);
        page.cookie = Some(format!("console-{PORT}=x"));
        assert_eq!(page.get("/").await.status, StatusCode::FORBIDDEN);
    })
    .await;
}

#[tokio::test]
async fn a_foreign_page_cannot_act() {
    local(async {
        let page = Page::with(Answers::new(), false);
        let token = page.session.form_token().to_owned();
        let own = "http://127.0.0.1:4000";
        let act = |headers: Vec<(&'static str, String)>| {
            let page = &page;
            async move {
                let headers: Vec<_> = headers
                    .iter()
                    .map(|(name, value)| (*name, &**value))
                    .collect();
                page.send("POST", "/actions/pause", &headers, "endpoint=search")
                    .await
                    .status
            }
        };
        let headers = |host: &str, origin: Option<&str>, token: Option<&str>| {
            let mut headers = vec![("host", host.to_owned())];
            headers.extend(origin.map(|origin| ("origin", origin.to_owned())));
            headers.extend(token.map(|token| ("x-form-token", token.to_owned())));
            headers
        };
        let token = Some(&*token);
        for foreign in [
            headers(
                "attacker.example:4000",
                Some("http://attacker.example:4000"),
                token,
            ),
            headers("127.0.0.1", Some("http://127.0.0.1"), token),
            headers("127.0.0.1:4001", Some("http://127.0.0.1:4001"), token),
            headers(OWN, Some("http://attacker.example"), token),
            headers(OWN, Some("http://localhost:4000"), token),
            headers(OWN, Some("https://127.0.0.1:4000"), token),
            headers(OWN, Some("null"), token),
            headers(OWN, None, token),
            headers(OWN, Some(own), None),
            headers(OWN, Some(own), Some("")),
            headers(OWN, Some(own), Some("x")),
        ] {
            assert_eq!(
                act(foreign.clone()).await,
                StatusCode::FORBIDDEN,
                "{foreign:?}"
            );
        }
        assert!(page.ran.lock().unwrap().is_empty());
        assert_eq!(act(headers(OWN, Some(own), token)).await, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn every_answer_protects_the_page() {
    local(async {
        let page = Page::with(Answers::new(), false);
        for path in ["/", "/console.js", "/nothing", "/panels/status"] {
            let seen = page.get(path).await;
            let policy = seen.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'self'"), "{policy}");
            for (name, value) in [
                ("x-frame-options", "DENY"),
                ("cache-control", "no-store"),
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
            ] {
                assert_eq!(seen.headers[name], value, "{path}");
            }
            // The policy forbids them; the page needs none.
            assert!(!seen.html.contains(" style="), "{path}");
            assert!(seen.texts("script:not([src]), style").is_empty(), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_read_only_console_has_no_actions() {
    local(async {
        let page = Page::with(Answers::new(), true);
        let seen = page.post("/actions/pause", "endpoint=search").await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
        let seen = page.get("/actions/pause?endpoint=search").await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
        assert!(page.ran.lock().unwrap().is_empty());
    })
    .await;
}
