//! The screens: a file for each. A screen is a shell that is there at once, and panels that ask AWS.

mod delivery;
mod endpoint;
mod endpoints;
mod event;
mod events;
mod overview;

use super::Console;
use axum::Router;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .merge(overview::router())
        .merge(events::router())
        .merge(event::router())
        .merge(endpoints::router())
        .merge(endpoint::router())
        .merge(delivery::router())
}
