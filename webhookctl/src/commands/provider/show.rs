//! `webhookctl provider show`: where to enter the Payload URL and the secret at a provider, and how the
//! provider signs.

use crate::Result;
use crate::output::Output;
use clap::Args;
use serde::Serialize;
use webhook_gateway::providers::Provider;

/// Shows where to enter the Payload URL and the secret at a provider, and how it signs.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"name\": …, \"company\": …, \"authentication\": …, \"signature_header\": …,
\"payload_url_goes_to\": …, \"secret\": …, \"content_type\": …}.

Examples:
  webhookctl provider show creative-force
  webhookctl provider show woodwing --json")]
pub(crate) struct Show {
    /// The provider: creative-force, woodwing, creads or people-force.
    #[arg(value_name = "NAME")]
    provider: Provider,
}

/// A provider.
#[derive(Debug, Serialize)]
pub(crate) struct ProviderDetails {
    pub(crate) name: &'static str,
    pub(crate) company: &'static str,
    pub(crate) authentication: String,
    signature_header: &'static str,
    payload_url_goes_to: &'static str,
    secret: &'static str,
    content_type: &'static str,
}

pub(crate) fn run(arguments: &Show, output: Output) -> Result<()> {
    output.details(
        &ProviderDetails::of(arguments.provider),
        ProviderDetails::COLUMNS,
    )
}

impl ProviderDetails {
    pub(crate) fn of(provider: Provider) -> Self {
        let (company, payload_url_goes_to, secret) = match provider {
            Provider::CreativeForce => (
                "Creative Force, photo studio production",
                "Studio settings > Integration > Webhooks > Add webhook: Payload URL, Secret, Events",
                "make one with `webhookctl source create`, and enter it there",
            ),
            Provider::WoodWing => (
                "WoodWing Studio Server, publishing",
                "`webhookctl woodwing create` registers it; the service call CreateWebhookRegistration of \
                    the Webhooks plug-in does, too",
                "the SecretToken that Studio Server makes, which `webhookctl woodwing create` stores, or \
                    one of your own",
            ),
            Provider::Creads => (
                "Creads Partners, freelance creation",
                "Developer > new webhook, in the Creads Partners application, with a developer account",
                "the secret key of the webhook: `webhookctl source create NAME --provider creads \
                 --secret-stdin`",
            ),
            Provider::PeopleForce => (
                "PeopleForce, human resources",
                "Settings > Webhooks > Add new webhook: Payload URL, Secret, Topics",
                "make one with `webhookctl source create`, and enter it there; the field is optional, but \
                    fill it in",
            ),
        };
        Self {
            name: provider.name(),
            company,
            authentication: authentication(provider),
            signature_header: signature_header(provider),
            payload_url_goes_to,
            secret,
            content_type: crate::providers::content_type(provider.name()),
        }
    }
}

/// The header that carries the signature.
pub(crate) fn signature_header(provider: Provider) -> &'static str {
    match provider {
        Provider::CreativeForce => "x-cf-signature",
        Provider::WoodWing => "x-hook-signature",
        Provider::Creads => "x-partners-signature",
        Provider::PeopleForce => "x-peopleforce-signature",
    }
}

/// The signature of the provider, in words.
fn authentication(provider: Provider) -> String {
    let header = signature_header(provider);
    let prefix = match provider {
        Provider::PeopleForce => ", after `sha256=`",
        Provider::CreativeForce | Provider::WoodWing | Provider::Creads => "",
    };
    format!("HMAC-SHA256 of the body, in hexadecimal digits{prefix}, in the header {header}")
}

impl ProviderDetails {
    pub(crate) const COLUMNS: &[&str] = &[
        "name",
        "company",
        "authentication",
        "payload_url_goes_to",
        "secret",
        "content_type",
    ];
}
