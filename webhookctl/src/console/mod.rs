//! The console: a web page for the operator, served on loopback. A screen is the answer of commands of this
//! tool as HTML, and an action is a command. The path of a request: `guard` lets it in, `pages` picks the
//! screen, `runner` runs the command behind it, and `html` has the parts that screens are made of. What an
//! action does is in `plan`, its dialog in `action`, and those that run in `jobs`.

mod action;
mod assets;
mod chart;
mod guard;
#[cfg(test)]
mod hostile;
mod html;
mod jobs;
mod pages;
mod plan;
mod runner;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub(crate) use runner::Runner;

use crate::Result;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use guard::Session;
use jobs::Jobs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Console {
    runner: Runner,
    jobs: Arc<Jobs>,
    session: Arc<Session>,
    /// Whether actions are left out.
    read_only: bool,
}

/// The console on its port.
pub(crate) struct Server {
    listener: TcpListener,
    console: Console,
}

impl Server {
    /// Binds a port on 127.0.0.1; 0 is a free one.
    pub(crate) async fn bind(port: u16, read_only: bool, runner: Runner) -> Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
        let listener = listener.map_err(|error| {
            format!(
                "port {port} of 127.0.0.1 cannot be used: {error}; choose another one with --port"
            )
        })?;
        let session = Session::new(listener.local_addr()?.port())?;
        let console = Console {
            runner,
            jobs: Arc::default(),
            session: Arc::new(session),
            read_only,
        };
        Ok(Self { listener, console })
    }

    /// The URL that opens the console once.
    pub(crate) fn url(&self) -> String {
        self.console.session.url()
    }

    /// Serves until `end`.
    pub(crate) async fn serve(self, end: impl Future<Output = ()>) -> Result<()> {
        let router = router(self.console);
        // Open pages would keep a graceful shutdown waiting.
        tokio::select! {
            ended = axum::serve(self.listener, router) => Ok(ended?),
            () = end => Ok(()),
        }
    }
}

/// All paths, behind the guard.
fn router(console: Console) -> Router {
    Router::new()
        .merge(assets::router())
        .merge(pages::router())
        .merge(action::router())
        .layer(from_fn_with_state(console.session.clone(), guard::check))
        .layer(from_fn(guard::protect))
        .with_state(console)
}

/// Whether this machine shows a browser: not over SSH, and not on a server.
pub(crate) fn has_browser() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match cfg!(any(windows, target_os = "macos")) {
        true => !is_set("SSH_CONNECTION"),
        false => is_set("DISPLAY") || is_set("WAYLAND_DISPLAY"),
    }
}
