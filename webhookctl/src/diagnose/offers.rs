//! The secrets that were offered in handshakes while the source waited for one. Anybody who knows the URL can
//! offer a secret: only one that verifies what was rejected is worth a word, and only a single one of them a
//! command.

use super::{Finding, Outcome, Request, Suspect, judged};
use crate::settings::quoted;
use crate::time;
use jiff::Timestamp;
use webhook_gateway::crypto::secret::Secret;
use webhook_gateway::providers::handshake::Handshake;
use webhook_gateway::providers::recipe::Recipe;

/// A handshake that offered a secret. `Debug` does not show it.
pub(crate) struct Offer {
    /// The id that it is kept by.
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) secret: String,
    /// What the sender calls itself.
    pub(crate) user_agent: Option<String>,
}

/// What each of the offered secrets verifies.
pub(crate) struct Offers {
    recipe: Recipe,
    /// The newest offer of each secret, and how many requests it verifies.
    offers: Vec<(Offer, Secret, usize)>,
    tried: usize,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Offer({}, [REDACTED])", self.id)
    }
}

impl Suspect<'_> {
    /// Whether the provider of the source offers its secret in a handshake.
    pub(crate) fn is_offered_secrets(&self) -> bool {
        let recipe = self.recipe();
        recipe.is_some_and(|recipe| recipe.handshake() == Some(&Handshake::HookSecret))
    }
}

impl Offers {
    /// The offers to a source, the newest first.
    pub(crate) fn of(suspect: &Suspect<'_>, newest_first: Vec<Offer>) -> Option<Self> {
        let recipe = suspect.recipe()?;
        let mut offers: Vec<(Offer, Secret, usize)> = Vec::new();
        for offer in newest_first {
            let secret = recipe.secret(&offer.secret).ok();
            let is_new = offers
                .iter()
                .all(|(other, ..)| other.secret != offer.secret);
            if let Some(secret) = secret.filter(|_| is_new) {
                offers.push((offer, secret, 0));
            }
        }
        Some(Self {
            recipe,
            offers,
            tried: 0,
        })
    }

    /// Tries the secrets with a request that the source rejects. Returns whether one of them verifies it.
    pub(crate) fn verify(&mut self, suspect: &Suspect<'_>, request: &Request) -> bool {
        if matches!(suspect.outcome(request), Outcome::Verified(_)) {
            return false;
        }
        self.tried += 1;
        let mut is_verified = false;
        for (_, secret, verified) in &mut self.offers {
            let secret = std::slice::from_ref(secret);
            let outcome = judged(&self.recipe, secret, suspect.payload_url, request);
            if matches!(outcome, Outcome::Verified(_)) {
                *verified += 1;
                is_verified = true;
            }
        }
        is_verified
    }

    /// What was found.
    pub(crate) fn findings(&self, source: &str) -> Vec<Finding> {
        let right = self.offers.iter().filter(|(.., verified)| *verified > 0);
        let right: Vec<_> = right.collect();
        let others = self.offers.len() - right.len();
        let finding = |(offer, _, verified): &&(Offer, Secret, usize)| {
            let agent = match &offer.user_agent {
                Some(agent) => format!(" (user agent {agent:?})"),
                None => String::new(),
            };
            let what = format!(
                "the secret of the handshake {}, which came at {}{agent}, verifies {verified} of the {} \
                 rejected requests",
                offer.id,
                time::shown(offer.at.as_millisecond()).unwrap_or_default(),
                self.tried
            );
            let command = format!(
                "webhookctl source rotate-secret {} --from-handshake {}",
                quoted(source),
                quoted(&offer.id)
            );
            let caution = "anybody who knows the Payload URL can offer a secret and sign with it";
            let (command, to_do) = match (right.len(), others) {
                (1, 0) => (
                    Some(command),
                    format!(
                        "check that you created the webhook at the provider at that time: {caution}"
                    ),
                ),
                (1, others) => (
                    Some(command),
                    format!(
                        "check that you created the webhook at the provider at that time: {caution}, and the \
                     secrets of other handshakes ({others}) verify nothing"
                    ),
                ),
                _ => (
                    None,
                    format!(
                        "somebody else offers secrets, too: {caution}. If you created the webhook at the \
                     provider at that time, take this secret: `{command}`. If no time fits, delete the \
                     webhook there, and create a source of another name"
                    ),
                ),
            };
            Finding {
                causes: vec!["secret"],
                what,
                command,
                to_do: Some(to_do),
            }
        };
        right.iter().map(finding).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{configured, sent_by};
    use super::*;
    use serde_json::json;

    const GENUINE: &str = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";
    const FORGED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    fn offer(number: i64, secret: &str) -> Offer {
        Offer {
            id: format!("shop/2025-11-27/handshake-00{number}/{number}"),
            at: Timestamp::from_second(1_764_244_800 + number).unwrap(),
            secret: secret.to_owned(),
            user_agent: None,
        }
    }

    /// The findings about requests that were signed with these secrets, after these offers.
    fn found(newest_first: Vec<Offer>, secrets: &[&'static str]) -> Vec<Finding> {
        let of = configured(&json!({"provider": "asana"}));
        let suspect = of.suspect();
        assert!(suspect.is_offered_secrets());
        let mut offers = Offers::of(&suspect, newest_first).unwrap();
        for secret in secrets {
            offers.verify(&suspect, &sent_by("asana", secret));
        }
        offers.findings("shop")
    }

    #[test]
    fn only_an_offer_that_verifies_a_request_is_proposed_however_new_another_one_is() {
        assert_eq!(found(vec![offer(1, GENUINE)], &[]), []);
        assert_eq!(found(vec![offer(1, FORGED)], &[GENUINE]), []);
        let offers = vec![offer(3, FORGED), offer(2, GENUINE), offer(1, GENUINE)];
        let found = found(offers, &[GENUINE, GENUINE, "of-nobody"]);
        assert_eq!(found.len(), 1, "{found:?}");
        let command = "webhookctl source rotate-secret shop --from-handshake \
                       shop/2025-11-27/handshake-002/2";
        assert_eq!(found[0].command.as_deref(), Some(command));
        assert!(found[0].what.contains("verifies 2 of the 3"), "{found:?}");
        let to_do = found[0].to_do.as_deref().unwrap();
        assert!(to_do.contains("(1) verify nothing"), "{to_do}");
        assert!(!format!("{found:?}").contains(GENUINE));
    }

    #[test]
    fn of_two_offers_that_verify_requests_neither_is_proposed() {
        let offers = vec![offer(2, FORGED), offer(1, GENUINE)];
        let found = found(offers, &[FORGED, FORGED, GENUINE]);
        assert_eq!(found.len(), 2);
        for finding in &found {
            assert_eq!(finding.command, None);
            let to_do = finding.to_do.as_deref().unwrap();
            assert!(to_do.contains("--from-handshake shop/"), "{to_do}");
        }
    }

    #[test]
    fn what_the_secrets_of_the_source_verify_is_no_matter_of_an_offer() {
        let of = configured(&json!({"provider": "asana", "secrets": [GENUINE]}));
        let suspect = of.suspect();
        let mut offers = Offers::of(&suspect, vec![offer(1, GENUINE)]).unwrap();
        assert!(!offers.verify(&suspect, &sent_by("asana", GENUINE)));
        assert_eq!(offers.findings("shop"), []);
        assert!(!format!("{:?}", offer(1, GENUINE)).contains(GENUINE));
    }
}
