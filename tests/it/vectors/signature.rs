//! `tests/vectors/signature`, made by `tests/vectors/make.py`: valid signatures of each provider, and invalid
//! ones with the reasons.

use super::{Body, assert_none, names, parse};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, json};
use std::collections::BTreeSet;
use webhook_gateway::providers::recipe::Recipe;
use webhook_gateway::providers::verify::VerifyError;
use webhook_gateway::providers::{Incoming, Provider};
use webhook_gateway::store::sources::{Source, SourceError};

/// All results of `name`, and the refusal of a source without a usable secret.
const REFUSALS: [&str; 5] = ["Missing", "Repeated", "Malformed", "Mismatch", NO_SECRET];
const NO_SECRET: &str = "NoSecret";

#[derive(Deserialize)]
struct Vector {
    name: String,
    why: String,
    /// The configured secrets, blank ones included.
    secrets: Vec<String>,
    headers: Vec<(String, String)>,
    #[serde(flatten)]
    body: Body,
    verdict: Option<String>,
    secret_position: Option<usize>,
    refusal: Option<String>,
}

impl Vector {
    /// The position of the secret, or the name of the refusal.
    fn expected(&self) -> Result<usize, &str> {
        match (self.verdict.as_deref(), self.secret_position, &self.refusal) {
            (Some("accepted"), Some(position), None) => Ok(position),
            (None, None, Some(refusal)) => Err(refusal),
            _ => panic!("{} has not one verdict", self.name),
        }
    }

    fn headers(&self) -> HeaderMap {
        let header = |(name, value): &(String, String)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers.iter().map(header) {
            headers.append(name, value);
        }
        headers
    }

    /// The result for a source that is configured with the vector's secrets.
    fn verdict(&self, provider: Provider) -> Result<usize, &'static str> {
        let (headers, body) = (self.headers(), self.body.bytes(provider));
        let entry = json!({"provider": provider.name(), "secrets": self.secrets});
        let incoming = Incoming {
            method: "POST",
            query: "",
            headers: &headers,
            body: &body,
        };
        let now = Timestamp::now();
        let source = match Source::parse("vectors", &entry) {
            Ok(source) => source,
            Err(SourceError::NoSecret) => {
                let recipe = Recipe::of_source(provider.name(), &Map::new()).unwrap();
                let refusal = recipe.verify(&incoming, &[], "", now).unwrap_err();
                assert_eq!(refusal, VerifyError::Mismatch, "{}", self.name);
                return Err(NO_SECRET);
            }
            Err(error) => panic!("{}: {error}", self.name),
        };
        match source.verify(&incoming, "", now) {
            Ok(verified) => {
                assert_eq!(verified.body(), body, "{}", self.name);
                Ok(verified.secret().unwrap())
            }
            Err(refusal) => Err(name(&refusal)),
        }
    }
}

fn name(refusal: &VerifyError) -> &'static str {
    match refusal {
        VerifyError::Missing(_) => "Missing",
        VerifyError::Repeated(_) => "Repeated",
        VerifyError::Malformed(_) => "Malformed",
        VerifyError::Mismatch => "Mismatch",
        other => panic!("no signature of the body alone is refused for this: {other}"),
    }
}

fn vectors(provider: Provider) -> Vec<Vector> {
    parse(&format!("tests/vectors/signature/{provider}.json"))
}

#[test]
fn every_vector_is_accepted_or_refused_for_its_own_reason() {
    let mut failures = Vec::new();
    for provider in Provider::ALL {
        for vector in vectors(provider) {
            let (verdict, expected) = (vector.verdict(provider), vector.expected());
            if verdict != expected {
                let Vector { name, why, .. } = &vector;
                failures.push(format!(
                    "{provider}: {name} ({why}): {verdict:?}, not {expected:?}"
                ));
            }
        }
    }
    assert_none(&failures);
}

#[test]
fn every_provider_has_every_refusal_and_a_rotation() {
    let providers = Provider::ALL.map(|provider| provider.name().to_owned());
    assert_eq!(
        names("tests/vectors/signature", ".json"),
        BTreeSet::from(providers)
    );
    for provider in Provider::ALL {
        let vectors = vectors(provider);
        let found: BTreeSet<_> = vectors.iter().map(Vector::expected).collect();
        for refusal in REFUSALS {
            assert!(
                found.contains(&Err(refusal)),
                "{provider} has no vector for {refusal}"
            );
        }
        for position in [0, 1] {
            assert!(
                found.contains(&Ok(position)),
                "{provider} has none for secret {position}"
            );
        }
    }
}
