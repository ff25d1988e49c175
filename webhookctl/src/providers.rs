//! What only the tool knows of the providers: the form of their secrets, their content type, and the
//! Payload URLs that they accept.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Map;
use webhook_gateway::providers::mapping::BodyKind;
use webhook_gateway::providers::presets::Preset;
use webhook_gateway::providers::recipe::{CUSTOM, Kind, Recipe, Scheme, SecretEncoding};
use webhook_gateway::providers::{self, Provider, presets};

/// The name of a preset, or `custom`, from the command line.
pub(crate) fn name(text: &str) -> Result<String, String> {
    match text {
        CUSTOM => Ok(text.to_owned()),
        _ => preset(text).map(|preset| preset.name().to_owned()),
    }
}

/// A preset, from the command line.
pub(crate) fn preset(text: &str) -> Result<Preset, String> {
    if let Some(preset) = presets::find(text) {
        return Ok(preset);
    }
    let near = presets::all().map(|preset| preset.name());
    let near: Vec<_> = near.filter(|name| is_near(name, text)).collect();
    let near = match near.is_empty() {
        true => String::new(),
        false => format!("; did you mean {}?", near.join(" or ")),
    };
    Err(format!(
        "there is no preset of this name: `webhookctl provider list` lists them, and a source with \
         --provider custom takes a recipe of its own{near}"
    ))
}

/// The recipe of a preset, with a verify token where it needs one.
pub(crate) fn recipe(preset: Preset) -> Option<Recipe> {
    let token = Map::from_iter([("verify_token".to_owned(), "token".into())]);
    let bare = Recipe::of_source(preset.name(), &Map::new());
    bare.or_else(|_| Recipe::of_source(preset.name(), &token))
        .ok()
}

/// The steps of a setup, numbered, with a Payload URL.
pub(crate) fn setup(steps: &[String], payload_url: &str) -> Vec<String> {
    let steps = steps.iter().enumerate();
    let step = |(at, step): (usize, &String)| {
        format!(
            "  {}. {}",
            at + 1,
            step.replace("{payload_url}", payload_url)
        )
    };
    steps.map(step).collect()
}

/// Whether a name begins as another one does, whatever stands between its words.
fn is_near(name: &str, text: &str) -> bool {
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    let (name, text) = (letters(name), letters(text));
    let length = text.len().min(4);
    length >= 3 && name.get(..length) == text.get(..length)
}

/// A new secret, in the form of the provider's own secrets or of those that its recipe reads.
pub(crate) fn generate_secret(provider: &str, recipe: &Recipe) -> crate::Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let base64 = STANDARD.encode(random);
    Ok(match (provider.parse(), recipe.scheme()) {
        (Ok(Provider::CreativeForce), _) => base64,
        (Ok(Provider::WoodWing), _) => uuid::Uuid::new_v4().to_string(),
        (_, Scheme::Basic) => format!("webhooks:{}", hex::encode(random)),
        (_, Scheme::Signed(signing)) => match (signing.kind, signing.secret_encoding) {
            (Kind::PublicKey(_), _) => {
                let why = "the provider signs with its private key: give its public key by --secret-stdin";
                return Err(why.into());
            }
            (_, SecretEncoding::Base64) if is_standard(provider) => format!("whsec_{base64}"),
            (_, SecretEncoding::Base64) => base64,
            (_, SecretEncoding::Hex | SecretEncoding::Raw) => hex::encode(random),
        },
        (_, Scheme::Token(_) | Scheme::Open) => hex::encode(random),
    })
}

/// Whether a provider's secrets are written as Standard Webhooks says.
fn is_standard(provider: &str) -> bool {
    matches!(provider, "standard-webhooks" | "svix")
}

/// The content type that the provider sends.
pub(crate) fn content_type(provider: &str, recipe: &Recipe) -> &'static str {
    match (provider.parse(), recipe.body()) {
        (Ok(Provider::WoodWing), _) => "application/cloudevents+json",
        (_, BodyKind::Json) => "application/json",
        (_, BodyKind::Form | BodyKind::FormField(_)) => "application/x-www-form-urlencoded",
        (_, BodyKind::Any) => "application/octet-stream",
    }
}

/// Why the provider would not accept a Payload URL, if it would not. Only one provider has rules for it.
pub(crate) fn payload_url_problem(provider: &str, url: &str) -> Option<String> {
    let problem = match provider.parse() {
        Ok(Provider::CreativeForce) => providers::payload_url_problem(url)?,
        _ => return None,
    };
    Some(format!(
        "{provider} does not accept the Payload URL {url}: {problem}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_generated_secret_has_the_providers_form_and_is_fresh() {
        for preset in presets::all() {
            let recipe = recipe(preset).unwrap();
            let make = || generate_secret(preset.name(), &recipe);
            if preset.name() == "sendgrid" {
                assert!(make().unwrap_err().to_string().contains("--secret-stdin"));
                continue;
            }
            let secret = make().unwrap();
            assert_ne!(secret, make().unwrap());
            assert!(
                !recipe.secret(&secret).unwrap().is_short(),
                "{}",
                preset.name()
            );
            match preset.name() {
                "creative-force" => assert_eq!(STANDARD.decode(secret).unwrap().len(), 32),
                "woodwing" => {
                    let groups: Vec<_> = secret.split('-').map(str::len).collect();
                    assert_eq!(groups, [8, 4, 4, 4, 12]);
                }
                "svix" => assert!(secret.starts_with("whsec_")),
                "creads" | "people-force" | "github" => {
                    assert_eq!(hex::decode(secret).unwrap().len(), 32);
                }
                _ => {}
            }
        }
        let fields = json!({"auth": "basic", "event": {"type": "a"}});
        let basic = Recipe::of_source(CUSTOM, fields.as_object().unwrap()).unwrap();
        let secret = generate_secret(CUSTOM, &basic).unwrap();
        assert!(basic.secret(&secret).is_ok());
    }

    #[test]
    fn a_content_type_is_that_of_the_body() {
        let of = |name| content_type(name, &recipe(presets::find(name).unwrap()).unwrap());
        assert_eq!(of("woodwing"), "application/cloudevents+json");
        assert_eq!(of("github"), "application/json");
        assert_eq!(of("twilio"), "application/x-www-form-urlencoded");
    }

    #[test]
    fn a_preset_is_found_by_its_name_and_a_near_one_is_named() {
        assert_eq!(name("stripe"), Ok("stripe".to_owned()));
        assert_eq!(name("custom"), Ok("custom".to_owned()));
        assert!(preset("custom").is_err());
        let error = name("GitHub").unwrap_err();
        assert!(error.contains("did you mean github?"), "{error}");
        let error = name("acme").unwrap_err();
        assert!(
            error.contains("provider list") && !error.contains("mean"),
            "{error}"
        );
    }

    #[test]
    fn only_the_provider_with_rules_for_payload_urls_refuses_one() {
        let url = "http://localhost:4566/webhooks/studio";
        for provider in Provider::ALL {
            let problem = payload_url_problem(provider.name(), url);
            assert_eq!(
                problem.is_some(),
                provider == Provider::CreativeForce,
                "{provider}"
            );
        }
    }
}
