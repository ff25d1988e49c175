//! `webhookctl endpoint create`: a new endpoint, with its first secret.

use super::secret::NewSecret;
use super::settings::Settings;
use super::view::{EndpointDetails, EndpointView};
use super::{check_url, parse, random_hex, tell};
use crate::Result;
use crate::commands::source::note_unknown;
use crate::commands::subscription::note_unmatched;
use crate::find::ID_PREFIX;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use jiff::Timestamp;
use webhook_gateway::store::endpoints::circuit::Circuit;
use webhook_gateway::store::endpoints::{
    DEFAULT_RETRY, DEFAULT_TIMEOUT, Endpoint, EndpointStatus, Format, Scheme, State,
};

/// Creates an endpoint, with a generated secret by default.
#[derive(Debug, Args)]
#[command(after_help = "\
The URL uses HTTPS and has a public name, unless the stack's EndpointPolicy is unrestricted. Requests are
signed by the Standard Webhooks specification, or by a header of your choice with the HMAC-SHA256 of the body
in hexadecimal digits.

With --json: the object of `endpoint show` without \"held\", \"more_held\" and
\"next_attempt_at\", and with the secret if it was generated.

Examples:
  webhookctl endpoint create --name search --url https://search.example.com/hooks
  webhookctl endpoint create --name payroll --url https://payroll.example.com/in \\
      --event 'io.peopleforce.*' --source hr
  webhookctl endpoint create --name orders --url https://orders.example.com/in \\
      --header-stdin Authorization < credential
  webhookctl endpoint create --name legacy --url https://legacy.example.com/in --format raw --timeout 5s \\
      --retry 5s,1m,1h --rate 10 --signature hmac-sha256-hex --signature-header X-Signature \\
      --secret-stdin < secret")]
pub(crate) struct Create {
    /// The name of the endpoint.
    #[arg(long, value_parser = parse::name)]
    name: String,
    /// The URL that events are posted to.
    #[arg(long)]
    url: String,
    #[command(flatten)]
    settings: Settings,
    /// Reads the secret from standard input instead of generating one.
    #[arg(long, conflicts_with = "header_stdin")]
    secret_stdin: bool,
}

pub(crate) async fn run(mut arguments: Create, stack: &Stack, output: &Output) -> Result<()> {
    let now = Timestamp::now();
    let mut endpoint = blank(id()?, arguments.name, arguments.url, now);
    arguments.settings.read()?;
    arguments.settings.apply(&mut endpoint)?;
    check_url::refuse_unless_allowed(&endpoint.url, stack).await?;
    let endpoints = stack.endpoints()?;
    refuse_twin(&endpoint, &endpoints.list().await?)?;
    let secret = NewSecret::take(endpoint.signature, arguments.secret_stdin)?;
    endpoint.secrets = vec![secret.seal(&endpoint.id, stack).await?];
    // A new endpoint has no history. The circuit is reset first: the secret is shown as soon as the
    // endpoint exists.
    let reset = stack.circuits()?.reset(&endpoint.id, now).await;
    reset?;
    let put = endpoints.put(&mut endpoint).await;
    put?;
    note_unmatched(&endpoint.events, output);
    note_unknown(&endpoint.sources, stack, output).await;
    let circuit = Circuit::default();
    let view = EndpointView::of(&EndpointStatus { endpoint, circuit }, now);
    tell(EndpointDetails::of(view), secret, output)
}

fn id() -> Result<String> {
    Ok(format!("{ID_PREFIX}{}", random_hex()?))
}

/// An endpoint with the default settings.
pub(crate) fn blank(id: String, name: String, url: String, now: Timestamp) -> Endpoint {
    Endpoint {
        id,
        version: 0,
        name,
        url,
        description: None,
        events: vec!["*".to_owned()],
        sources: Vec::new(),
        headers: Vec::new(),
        timeout: DEFAULT_TIMEOUT.as_secs(),
        retry: DEFAULT_RETRY.to_vec(),
        rate: None,
        format: Format::CloudEvents,
        signature: Scheme::StandardWebhooks,
        signature_header: None,
        signature_prefix: None,
        secrets: Vec::new(),
        state: State::Active,
        reason: None,
        created_at: now.as_millisecond(),
        updated_at: now.as_millisecond(),
        selected_at: None,
    }
}

/// Rejects an endpoint with the name and URL of another: most likely the command is run twice, and every
/// event would be delivered twice.
fn refuse_twin(new: &Endpoint, present: &[Endpoint]) -> Result<()> {
    let twin = present
        .iter()
        .find(|present| (&present.name, &present.url) == (&new.name, &new.url));
    match twin {
        Some(Endpoint { id, .. }) => Err(format!(
            "{id} already has this name and URL: change it with `webhookctl endpoint update {id}`, or \
                give the new one another name"
        )
        .into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::named;

    #[test]
    fn an_endpoint_begins_with_the_defaults() {
        let endpoint = named("search", "https://a.example/");
        assert_eq!((endpoint.timeout, endpoint.retry.len()), (20, 11));
        assert_eq!(
            (endpoint.version, &*endpoint.events),
            (0, &["*".to_owned()][..])
        );
    }

    #[test]
    fn an_id_is_fresh() {
        let new = id().unwrap();
        let digits = new.strip_prefix("ep_").unwrap();
        assert_eq!((digits.len(), hex::decode(digits).is_ok()), (16, true));
        assert_ne!(new, id().unwrap());
    }

    #[test]
    fn only_the_same_name_with_the_same_url_is_a_twin() {
        let present = [
            named("a", "https://a.example/"),
            named("b", "https://b.example/"),
        ];
        for (name, url, is_twin) in [
            ("a", "https://a.example/", true),
            ("a", "https://b.example/", false),
            ("c", "https://b.example/", false),
        ] {
            let refused = refuse_twin(&named(name, url), &present);
            assert_eq!(refused.is_err(), is_twin, "{name} {url}");
        }
    }
}
