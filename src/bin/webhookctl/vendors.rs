//! What an operator has to know of the vendors beyond what the gateway does: the form of their secrets, the type
//! their payloads are sent as, and which Payload URLs they take.

use base64::{Engine, engine::general_purpose::STANDARD};
use webhook_gateway::vendor::{self, Vendor};

/// A fresh secret, in the form that the vendor's own have.
pub(crate) fn generate_secret(vendor: Vendor) -> Result<String, getrandom::Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    Ok(match vendor {
        Vendor::CreativeForce => STANDARD.encode(random),
        Vendor::WoodWing => uuid::Uuid::new_v4().to_string(),
        Vendor::Creads | Vendor::PeopleForce => hex::encode(random),
    })
}

/// The content type that the vendor sends.
pub(crate) fn content_type(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::WoodWing => "application/cloudevents+json",
        Vendor::CreativeForce | Vendor::Creads | Vendor::PeopleForce => "application/json",
    }
}

/// Why the vendor would refuse a Payload URL, if it would. Only one has rules for it.
pub(crate) fn payload_url_problem(vendor: Vendor, url: &str) -> Option<String> {
    let problem = match vendor {
        Vendor::CreativeForce => vendor::payload_url_problem(url)?,
        Vendor::WoodWing | Vendor::Creads | Vendor::PeopleForce => return None,
    };
    Some(format!("{vendor} refuses the Payload URL {url}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_secret_has_the_vendors_form_and_is_fresh() {
        for vendor in Vendor::ALL {
            let secret = generate_secret(vendor).unwrap();
            assert_ne!(secret, generate_secret(vendor).unwrap());
            match vendor {
                Vendor::CreativeForce => assert_eq!(STANDARD.decode(secret).unwrap().len(), 32),
                Vendor::WoodWing => {
                    let groups: Vec<_> = secret.split('-').map(str::len).collect();
                    assert_eq!(groups, [8, 4, 4, 4, 12]);
                }
                Vendor::Creads | Vendor::PeopleForce => {
                    assert_eq!(hex::decode(secret).unwrap().len(), 32);
                }
            }
        }
    }

    #[test]
    fn only_the_vendor_with_rules_for_payload_urls_refuses_one() {
        let url = "http://localhost:4566/webhooks/studio";
        for vendor in Vendor::ALL {
            let problem = payload_url_problem(vendor, url);
            assert_eq!(
                problem.is_some(),
                vendor == Vendor::CreativeForce,
                "{vendor}"
            );
        }
    }
}
