//! `webhookctl send`: signs payloads as their provider would, posts them and prints the answers.

use crate::document::Document;
use crate::output::{Output, chain};
use crate::stack::Stack;
use crate::{Result, providers, web};
use clap::Args;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url, redirect};
use serde::Serialize;
use serde_json::Value;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use webhook_gateway::crypto::secret::Secret;
use webhook_gateway::providers::Incoming;
use webhook_gateway::providers::recipe::{Recipe, Scheme, TokenPlace};
use webhook_gateway::providers::sign::SignError;
use webhook_gateway::store::sources::{Authentication, Source};

/// The time that API Gateway waits for the function.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
#[command(after_help = "\
The newest secret of the source signs, in the way of its recipe and with the time of now. Headers that a
recipe reads or signs beside that, such as X-GitHub-Event, are given by --header. The command fails unless
every answer is 2xx or, with --forge, 401.

With --json: {\"file\": …, \"status\": 200, \"answer\": \"accepted\", \"id\": …, \"error\": …} for each file.
Members without a value are null.

Examples:
  webhookctl send --source studio payload.json
  webhookctl send --source studio --header 'X-CF-Event: Task completed' task.json product.json
  webhookctl send --source code --header 'X-GitHub-Event: issues' tests/payloads/github/issues.json
  printf '{}' | webhookctl send --source partners -
  webhookctl send --source hr --forge payload.json")]
pub(crate) struct Send {
    /// The name of the source to send to.
    #[arg(long, value_name = "NAME")]
    source: String,
    /// The content type. The default is the provider's own.
    #[arg(long, value_name = "TYPE")]
    content_type: Option<HeaderValue>,
    /// A further header.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Signs with a wrong secret, to see that the gateway rejects it.
    #[arg(long)]
    forge: bool,
    /// The files of the payloads. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The answer to a file.
#[derive(Debug, Serialize)]
struct Sent {
    file: String,
    status: Option<u16>,
    answer: Option<String>,
    id: Option<String>,
    error: Option<String>,
}

impl Sent {
    pub(crate) const COLUMNS: &[&str] = &["file", "status", "answer", "error", "id"];
}

/// Sends the payloads of a source.
struct Sender {
    client: Client,
    url: Url,
    /// The URL as the provider signs it.
    payload_url: String,
    recipe: Recipe,
    secret: Option<Secret>,
    headers: HeaderMap,
}

pub(crate) async fn run(arguments: Send, stack: &Stack, output: &Output) -> Result<()> {
    let name = &arguments.source;
    let document = Document::of(stack).await?;
    let source = Source::parse(name, document.entry(name)?)
        .map_err(|error| format!("the source {name} is disabled: {error}"))?;
    let content_type = providers::content_type(source.provider, &source.recipe);
    let (recipe, secret) = (source.recipe.clone(), secret(source, arguments.forge)?);
    let payload_url = stack.payload_url(name)?;
    let url = payload_url.parse()?;
    let sender = Sender {
        client: client(&url)?,
        url,
        payload_url,
        recipe,
        secret,
        headers: headers(content_type, arguments.content_type, arguments.headers),
    };
    let mut sent = Vec::new();
    for file in &arguments.files {
        sent.push(sender.send(file).await);
    }
    output.list(&sent, Sent::COLUMNS)?;
    judge(&sent, arguments.forge)
}

impl Sender {
    async fn send(&self, file: &Path) -> Sent {
        let name = file.display().to_string();
        let body = match read(file) {
            Ok(body) => body,
            Err(error) => return Sent::failed(name, &error),
        };
        match self.post(body).await {
            Ok((status, answer)) => Sent::answered(name, status, &answer),
            Err(error) => Sent::failed(name, &*error),
        }
    }

    async fn post(&self, body: Vec<u8>) -> Result<(u16, Vec<u8>)> {
        let mut request = self.client.post(self.url.clone());
        if let Some(secret) = &self.secret {
            let incoming = Incoming {
                method: "POST",
                query: self.url.query().unwrap_or_default(),
                headers: &self.headers,
                body: &body,
            };
            let now = Timestamp::now();
            let signed = match self.recipe.sign(&incoming, secret, &self.payload_url, now) {
                // The payload brings its token.
                Err(SignError::InBody) => Vec::new(),
                signed => signed?,
            };
            for (name, value) in signed {
                request = request.header(name, value);
            }
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await;
        let answer = answer.map_err(|error| chain(&error))?;
        Ok((answer.status().as_u16(), web::body(answer).await?))
    }
}

impl Sent {
    fn failed(file: String, error: &dyn std::error::Error) -> Self {
        Self {
            file,
            status: None,
            answer: None,
            id: None,
            error: Some(chain(error)),
        }
    }

    /// The answer of the gateway, its problem document, or an answer of API Gateway.
    fn answered(file: String, status: u16, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name| body.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            file,
            status: Some(status),
            answer: text("status")
                .or_else(|| text("title"))
                .or_else(|| text("message")),
            id: text("id"),
            error: None,
        }
    }
}

/// The secret that signs, if the source is signed. For a forgery it is a wrong one.
fn secret(source: Source, forge: bool) -> Result<Option<Secret>> {
    match source.authentication {
        Authentication::Signed(_) if forge => {
            let is_in_body = matches!(source.recipe.scheme(), Scheme::Token(TokenPlace::Body(_)));
            if is_in_body {
                return Err("the token is in the body: forge the payload itself".into());
            }
            let wrong = providers::generate_secret(source.provider, &source.recipe)?;
            Ok(Some(source.recipe.secret(&wrong)?))
        }
        Authentication::Signed(secrets) => Ok(secrets.into_iter().next()),
        Authentication::Unsigned if forge => {
            Err("the source is unsigned: it has no signature to forge".into())
        }
        Authentication::Unsigned => Ok(None),
    }
}

fn headers(
    usual: &'static str,
    content_type: Option<HeaderValue>,
    others: Vec<(HeaderName, HeaderValue)>,
) -> HeaderMap {
    let content_type = content_type.unwrap_or(HeaderValue::from_static(usual));
    let mut headers: HeaderMap = [(CONTENT_TYPE, content_type)].into_iter().collect();
    for (name, value) in others {
        headers.append(name, value);
    }
    headers
}

/// A client that connects to the gateway directly. Not every resolver knows the names below `localhost`.
fn client(url: &Url) -> reqwest::Result<Client> {
    let mut client = Client::builder()
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy();
    if let Some(host) = url.host_str().filter(|host| host.ends_with(".localhost")) {
        // Port 0 leaves it to the URL.
        client = client.resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    }
    client.build()
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return std::fs::read(file);
    }
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body)?;
    Ok(body)
}

/// Fails unless all answers are as expected.
fn judge(sent: &[Sent], forged: bool) -> Result<()> {
    let as_expected = |sent: &&Sent| match sent.status {
        Some(status) if forged => status == 401,
        Some(status) => (200..300).contains(&status),
        None => false,
    };
    let (right, all) = (sent.iter().filter(as_expected).count(), sent.len());
    let wrong = all - right;
    match (wrong, forged) {
        (0, _) => Ok(()),
        (_, true) => Err(format!("{wrong} of {all} were not rejected with 401").into()),
        // The gateway may have read the sources just before the change, and reads them again within a minute.
        (_, false) => Err(format!(
            "{wrong} of {all} were not accepted. If the source was changed within the last minute, try \
                again in a moment"
        )
        .into()),
    }
}

fn header(text: &str) -> std::result::Result<(HeaderName, HeaderValue), &'static str> {
    let (name, value) = text.split_once(':').ok_or("a header is NAME: VALUE")?;
    let name = name
        .trim()
        .parse()
        .map_err(|_| "this is not the name of a header")?;
    let value = value.trim().parse();
    Ok((
        name,
        value.map_err(|_| "this is not the value of a header")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::Write;
    use std::net::TcpListener;

    fn recipe(provider: &str) -> Recipe {
        Recipe::of_source(provider, &Default::default()).unwrap()
    }

    fn source(entry: Value) -> Source {
        Source::parse("it", &entry).unwrap()
    }

    fn answered(status: u16, body: &str) -> Sent {
        Sent::answered("it".to_owned(), status, body.as_bytes())
    }

    /// Answers one request with 200, and gives it back in lower case, as the names of headers have none.
    fn receiver() -> (Url, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("http://api.localhost:{port}/webhooks/it");
        let answer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"{\"a\":1}") {
                let mut bytes = [0; 1024];
                let count = stream.read(&mut bytes).unwrap();
                request.extend(&bytes[..count]);
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: \
                35\r\n\r\n{\"status\":\"accepted\",\"id\":\"studio\"}";
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap().to_lowercase()
        });
        (url.parse().unwrap(), answer)
    }

    #[tokio::test]
    async fn a_payload_is_posted_with_the_providers_signature_over_its_bytes() {
        let (url, received) = receiver();
        let sender = Sender {
            client: client(&url).unwrap(),
            payload_url: url.to_string(),
            url,
            recipe: recipe("people-force"),
            secret: Secret::new("s"),
            headers: headers("application/json", None, vec![header("X-More: 1").unwrap()]),
        };
        let (status, answer) = sender.post(b"{\"a\":1}".to_vec()).await.unwrap();
        let sent = Sent::answered("it".to_owned(), status, &answer);
        assert_eq!(
            (sent.status, sent.answer.as_deref()),
            (Some(200), Some("accepted"))
        );

        let request = received.join().unwrap();
        // printf '{"a":1}' | openssl dgst -sha256 -hmac s
        let signature = "x-peopleforce-signature: \
            sha256=37beaf650f70b40ec9706929c2e9d835cbd63729988f48781e6383a147215f07\r\n";
        for part in [
            "post /webhooks/it http/1.1\r\n",
            signature,
            "content-type: application/json\r\n",
            "x-more: 1\r\n",
        ] {
            assert!(request.contains(part), "{part} is not in {request}");
        }
    }

    #[test]
    fn an_answer_is_read_whoever_gave_it() {
        let accepted = answered(200, r#"{"status":"accepted","id":"a"}"#);
        assert_eq!(accepted.answer.as_deref(), Some("accepted"));
        assert_eq!(accepted.id.as_deref(), Some("a"));
        let refused = answered(
            401,
            r#"{"type":"about:blank","title":"Unauthorized","status":401}"#,
        );
        assert_eq!(refused.answer.as_deref(), Some("Unauthorized"));
        let before = answered(404, r#"{"message":"Not Found"}"#);
        assert_eq!(before.answer.as_deref(), Some("Not Found"));
        assert_eq!(answered(502, "<html>").answer, None);
    }

    #[test]
    fn the_newest_secret_signs_unless_it_is_a_forgery() {
        let signed = source(json!({"provider": "creads", "secrets": ["new", "old"]}));
        let newest = Secret::new("new");
        assert_eq!(secret(signed.clone(), false).unwrap(), newest);
        assert_ne!(secret(signed, true).unwrap(), newest);

        let in_body = source(json!({"provider": "microsoft-graph", "secrets": ["state"]}));
        assert!(secret(in_body, true).is_err());
        let decoded = source(
            json!({"provider": "svix", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}),
        );
        assert!(secret(decoded, true).unwrap().is_some());
        let unsigned = source(json!({"provider": "creads", "unsigned": true}));
        assert_eq!(secret(unsigned.clone(), false).unwrap(), None);
        assert!(secret(unsigned, true).is_err());
    }

    #[test]
    fn every_answer_has_to_be_the_expected_one() {
        let of = |statuses: &[u16]| -> Vec<Sent> {
            statuses
                .iter()
                .map(|&status| answered(status, ""))
                .collect()
        };
        assert!(judge(&of(&[200, 202]), false).is_ok());
        assert!(judge(&of(&[401, 401]), true).is_ok());
        for (statuses, forged) in [
            (&[200, 401][..], false),
            (&[401, 200], true),
            (&[301], false),
        ] {
            assert!(judge(&of(statuses), forged).is_err());
        }
        let unread = Sent::failed("it".to_owned(), &io::Error::other("gone"));
        assert!(judge(std::slice::from_ref(&unread), false).is_err());
        assert!(judge(&[unread], true).is_err());
    }

    #[test]
    fn a_content_type_that_is_given_replaces_the_providers() {
        let own = headers("application/cloudevents+json", None, Vec::new());
        assert_eq!(own[CONTENT_TYPE], "application/cloudevents+json");
        let given = headers(
            "application/cloudevents+json",
            Some(HeaderValue::from_static("text/plain")),
            Vec::new(),
        );
        assert_eq!(given[CONTENT_TYPE], "text/plain");
    }

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let (name, value) = header("X-CF-Event: Task: completed").unwrap();
        assert_eq!(
            (name.as_str(), value),
            ("x-cf-event", HeaderValue::from_static("Task: completed"))
        );
        for wrong in ["X-CF-Event", ": x", "a b: c", "a: b\nc"] {
            assert!(header(wrong).is_err(), "{wrong:?}");
        }
    }
}
