//! Who may use the console: whoever has the cookie that the printed URL gives once, from a page of the
//! console itself. A foreign page cannot act: it has another `Origin`, no cookie and no form token. A name
//! that it rebinds to 127.0.0.1 is no `Host` of the console.

use super::html;
use crate::Result;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, LOCATION, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use subtle::ConstantTimeEq;

/// The header of a request that changes something, with the form token of the page.
pub(super) const FORM_TOKEN: &str = "x-form-token";

/// What every answer says to the browser.
const PROTECTION: [(HeaderName, &str); 8] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (X_FRAME_OPTIONS, "DENY"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// The secrets of a run of the console.
pub(super) struct Session {
    port: u16,
    /// The token of the printed URL.
    once: String,
    is_used: AtomicBool,
    cookie: String,
    form_token: String,
}

/// Why a request is turned away.
type Denied = &'static str;

impl Session {
    pub(super) fn new(port: u16) -> Result<Self> {
        Ok(Self {
            port,
            once: secret()?,
            is_used: AtomicBool::new(false),
            cookie: secret()?,
            form_token: secret()?,
        })
    }

    /// The URL that opens the console once.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/?token={}", self.port, self.once)
    }

    /// The token that the page sends with each request that changes something.
    pub(super) fn form_token(&self) -> &str {
        &self.form_token
    }

    /// The cookie of a console that was opened.
    #[cfg(test)]
    pub(super) fn cookie(&self) -> String {
        format!("{}={}", self.cookie_name(), self.cookie)
    }

    /// The name has the port: consoles on two ports share their cookies.
    fn cookie_name(&self) -> String {
        format!("console-{}", self.port)
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        let mut cookies = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'));
        cookies.any(|cookie| {
            let value = cookie.trim().strip_prefix(&*name);
            let value = value.and_then(|value| value.strip_prefix('='));
            value.is_some_and(|value| is_same(value, &self.cookie))
        })
    }

    /// Whether the `Host`, and the origin if there is one, is the console itself.
    fn check_address(&self, headers: &HeaderMap) -> std::result::Result<(), Denied> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
        let own = ["127.0.0.1", "localhost"].map(|host| format!("{host}:{}", self.port));
        let host = text(HOST).ok_or("the request names no host")?;
        if !own.iter().any(|own| own == host) {
            return Err("the console is only at 127.0.0.1 and localhost");
        }
        match text(ORIGIN) {
            Some(origin) if origin.strip_prefix("http://") != Some(host) => {
                Err("another page sent this request")
            }
            _ => Ok(()),
        }
    }

    /// The check of a request that changes something.
    fn check_change(&self, headers: &HeaderMap) -> std::result::Result<(), Denied> {
        if !headers.contains_key(ORIGIN) {
            return Err("the request has no origin");
        }
        let token = headers.get(FORM_TOKEN).map(HeaderValue::as_bytes);
        match token {
            Some(token) if bool::from(token.ct_eq(self.form_token.as_bytes())) => Ok(()),
            _ => Err("the request has no form token of this console: load the page again"),
        }
    }

    /// Takes the token of the printed URL, once.
    fn open(&self, query: &str) -> std::result::Result<HeaderValue, Denied> {
        const USED: Denied = "this link was used or is of another run: use the link that \
            `webhookctl console` prints";
        let token = query.strip_prefix("token=").unwrap_or_default();
        if !is_same(token, &self.once) || self.is_used.swap(true, Ordering::SeqCst) {
            return Err(USED);
        }
        let (name, value) = (self.cookie_name(), &self.cookie);
        let cookie = format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/");
        HeaderValue::from_str(&cookie).map_err(|_| USED)
    }
}

/// Lets a request in, or answers 403.
pub(super) async fn check(
    State(session): State<Arc<Session>>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    if let Err(denied) = session.check_address(headers) {
        return forbidden(denied);
    }
    if session.has_cookie(headers) {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let checked = match is_read {
            true => Ok(()),
            false => session.check_change(headers),
        };
        return match checked {
            Ok(()) => next.run(request).await,
            Err(denied) => forbidden(denied),
        };
    }
    let is_opening = request.method() == Method::GET && request.uri().path() == "/";
    match request.uri().query() {
        Some(query) if is_opening && query.starts_with("token=") => match session.open(query) {
            Ok(cookie) => {
                let to = HeaderValue::from_static("/");
                (
                    StatusCode::SEE_OTHER,
                    [(SET_COOKIE, cookie), (LOCATION, to)],
                )
                    .into_response()
            }
            Err(denied) => forbidden(denied),
        },
        _ => forbidden("open the link that `webhookctl console` prints"),
    }
}

/// Adds the headers that protect the page.
pub(super) async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in PROTECTION {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn forbidden(why: Denied) -> Response {
    (StatusCode::FORBIDDEN, html::forbidden(why)).into_response()
}

fn is_same(given: &str, own: &str) -> bool {
    given.as_bytes().ct_eq(own.as_bytes()).into()
}

/// 256 random bits.
fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(hex::encode(bytes))
}
