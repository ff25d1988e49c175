//! The files of the page, inside the program: nothing is loaded from elsewhere.

use super::Console;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

/// The path, media type and content of each file. [htmx](https://htmx.org) 2.0.11 has the 0BSD license.
const FILES: [(&str, &str, &[u8]); 4] = [
    (
        "/htmx.js",
        "text/javascript",
        include_bytes!("assets/htmx-2.0.11.min.js"),
    ),
    (
        "/console.js",
        "text/javascript",
        include_bytes!("assets/console.js"),
    ),
    (
        "/console.css",
        "text/css",
        include_bytes!("assets/console.css"),
    ),
    (
        "/icon.svg",
        "image/svg+xml",
        include_bytes!("assets/icon.svg"),
    ),
];

pub(super) fn router() -> Router<Console> {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, kind, content)| {
            router.route(
                path,
                get(move || async move { ([(CONTENT_TYPE, kind)], content) }),
            )
        })
}
