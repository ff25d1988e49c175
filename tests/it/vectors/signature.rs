//! `tests/vectors/signature`, made by `tests/vectors/make.py`: valid signatures of each provider, and invalid
//! ones with the reasons.

use super::{Body, assert_none, names, parse};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use webhook_gateway::crypto::signature::VerifyError;
use webhook_gateway::providers::Provider;
use webhook_gateway::store::sources::{Authentication, Source, SourceError};

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
        let values = headers.get_all(provider.signature_header()).iter();
        let values = values.map(HeaderValue::as_bytes);
        let entry = json!({"provider": provider.name(), "secrets": self.secrets});
        let secrets = match Source::parse("vectors", &entry).map(|source| source.authentication) {
            Ok(Authentication::Signed(secrets)) => secrets,
            Err(SourceError::NoSecret) => {
                let refusal = provider.verify(&[], values, &body).unwrap_err();
                assert_eq!(refusal, VerifyError::Mismatch, "{}", self.name);
                return Err(NO_SECRET);
            }
            other => panic!("{}: {other:?}", self.name),
        };
        match provider.verify(&secrets, values, &body) {
            Ok(verified) => {
                assert_eq!(verified.body(), body, "{}", self.name);
                Ok(verified.secret().unwrap())
            }
            Err(refusal) => Err(name(refusal)),
        }
    }
}

/// Add a new variant to `REFUSALS` as well, and then to every provider's file.
fn name(refusal: VerifyError) -> &'static str {
    match refusal {
        VerifyError::Missing => "Missing",
        VerifyError::Repeated => "Repeated",
        VerifyError::Malformed => "Malformed",
        VerifyError::Mismatch => "Mismatch",
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
