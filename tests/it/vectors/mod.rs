//! Vectors from outside our code: signatures by `openssl`, events by hand, invocations as AWS sends them.
//! Each file states its origin.

mod events;
mod normalize;
mod official;
mod signature;
mod strict;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeSet, fs, path::PathBuf};
use webhook_gateway::providers::Provider;

/// A body, in one of the forms of a vector.
#[derive(Debug, Deserialize)]
enum Body {
    #[serde(rename = "body")]
    Text(String),
    #[serde(rename = "body_base64")]
    Base64(String),
    #[serde(rename = "body_repeated")]
    Repeated { text: String, times: usize },
    /// The name of a file among the provider's payloads.
    #[serde(rename = "payload")]
    Payload(String),
}

impl Body {
    fn bytes(&self, provider: Provider) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Base64(text) => STANDARD.decode(text).unwrap(),
            Self::Repeated { text, times } => text.repeat(*times).into_bytes(),
            Self::Payload(name) => read(&format!("tests/payloads/{provider}/{name}")),
        }
    }
}

fn read(path: &str) -> Vec<u8> {
    fs::read(in_project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn parse<T: DeserializeOwned>(path: &str) -> T {
    serde_json::from_slice(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in a folder that end in `suffix`, without it.
fn names(folder: &str, suffix: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(in_project(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| name.strip_suffix(suffix).map(str::to_owned))
        .collect()
}

fn in_project(path: &str) -> PathBuf {
    testkit::root().join(path)
}

/// The header that a provider signs in.
fn signature_header(provider: Provider) -> &'static str {
    match provider {
        Provider::CreativeForce => "x-cf-signature",
        Provider::WoodWing => "x-hook-signature",
        Provider::Creads => "x-partners-signature",
        Provider::PeopleForce => "x-peopleforce-signature",
    }
}

/// Fails with all errors at once.
#[track_caller]
fn assert_none(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} wrong:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
