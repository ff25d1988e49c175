//! The screens: a file for each. A screen is a shell that is there at once, and panels that ask AWS.

mod dead_letters;
mod delivery;
mod diagnose;
mod doctor;
mod endpoint;
mod endpoints;
mod event;
mod events;
mod overview;
mod quarantine;
mod request;
mod sources;

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
        .merge(quarantine::router())
        .merge(diagnose::router())
        .merge(sources::router())
        .merge(dead_letters::router())
        .merge(doctor::router())
}
