//! `webhookctl source diagnose`: why a request was rejected, and the command that repairs the source.

use super::{entry, handshake};
use crate::commands::quarantine::rejected;
use crate::diagnose::{self, Diagnosis, Offers, Request, Suspect, host};
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use crate::{Result, settings, time};
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use webhook_gateway::crypto::secret::trimmed;
use webhook_gateway::store::journal::{Journal, KeptRejected, days};
use webhook_gateway::store::sources::{Authentication, Source, SourceError};

/// The journal keeps a rejected request for this long.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The most rejected requests that are tried with the secrets of handshakes.
const MOST_TRIED: usize = 200;

/// Explains why a rejected request was rejected, and prints the command with which it verifies.
#[derive(Debug, Args)]
#[command(after_help = "\
The request is the newest rejected one of the source that was not released yet. The command tries the
secrets of the source and those of other sources, other encodings, prefixes, headers, algorithms, signed
texts and URLs, the presets of other providers, the tolerance of the timestamp, and the usual changes of a
body on its way. Each explanation was tried: after the printed command, the same request verifies, and
`webhookctl quarantine release --rejected` accepts it. The command changes nothing itself. It fails if no
explanation fits, and names the causes that are left.

A provider such as Asana offers its secret in a handshake, which the gateway keeps while the source waits for
a secret. The secrets of all these handshakes are tried with all rejected requests. Anybody can offer a
secret: of several that verify requests, the command prefers none, and shows when each came.

With --json: {\"request\": …, \"source\": …, \"at\": …, \"reason\": …, \"findings\": [{\"causes\": […],
\"what\": …, \"command\": …, \"to_do\": …}], \"left\": […]}. A finding without a command is one that no
setting can repair.

Examples:
  webhookctl source diagnose shop
  webhookctl source diagnose shop --request shop/2026-11-22/017/1790000000000
  webhookctl source diagnose shop --secret-stdin < secret
  webhookctl source diagnose shop --url https://shop.example.com/hooks/?source=shop")]
pub(crate) struct Diagnose {
    /// The name of the source.
    name: String,
    /// The id of the request in `quarantine list --rejected`. The default is the newest one.
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Also tries a secret from standard input, and does not store it.
    #[arg(long)]
    secret_stdin: bool,
    /// Also tries this URL as the one that the provider signed.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// What was found about a request.
#[derive(Debug, Serialize)]
struct Diagnosed {
    request: String,
    source: String,
    at: Option<String>,
    reason: String,
    #[serde(flatten)]
    diagnosis: Diagnosis,
}

pub(crate) async fn run(arguments: Diagnose, stack: &Stack, output: &Output) -> Result<()> {
    let name = &arguments.name;
    let document = Document::of(stack).await?;
    let configured = document.entry(name)?;
    let members = configured.as_object().ok_or(SourceError::NotAnObject)?;
    let provider = entry::provider(configured).ok_or(SourceError::Provider)?;
    let source = Source::parse(name, configured);
    if source.is_ok_and(|source| source.authentication == Authentication::Unsigned) {
        return Err(format!(
            "the source {name} is unsigned: it rejects nothing. `webhookctl source rotate-secret {name}` \
             gives it a secret"
        )
        .into());
    }
    let journal = stack.journal()?;
    let tried_secret = match arguments.secret_stdin {
        true => Some(entry::read_secret()?),
        false => None,
    };
    let others = others(&document, name);
    let hosts = hosts(&document);
    let suspect = Suspect {
        name,
        provider,
        fields: &settings::of_recipe(members),
        secrets: &secrets(configured),
        payload_url: &stack.payload_url(name)?,
        others: &others,
        tried_secret: tried_secret.as_deref(),
        tried_url: arguments.url.as_deref(),
        hosts: &hosts,
    };
    let one = match &arguments.request {
        Some(id) => Some(of_source(rejected::one(id, &journal).await?, name)?),
        None => None,
    };
    let offered = match suspect.is_offered_secrets() {
        true => offered(&suspect, one.as_ref(), &journal, stack).await?,
        false => None,
    };
    let (kept, diagnosis) = match offered {
        Some(found) => found,
        None => {
            let kept = match one {
                Some(kept) => kept,
                None => newest(name, &journal).await?,
            };
            let request = read(&kept, &journal, stack).await?;
            let diagnosis = diagnose::diagnose(&suspect, &request);
            (kept, diagnosis)
        }
    };
    let diagnosed = Diagnosed {
        request: kept.id.clone(),
        source: name.clone(),
        at: time::shown(kept.at.as_millisecond()),
        reason: kept.reason.clone(),
        diagnosis,
    };
    match output.json {
        true => output.json(&diagnosed)?,
        false => output.text(&diagnosed.text())?,
    }
    match diagnosed.diagnosis.findings.is_empty() {
        false => Ok(()),
        true => Err("no change of the source that was tried makes the request verify".into()),
    }
}

impl Diagnosed {
    fn text(&self) -> String {
        let at = self.at.as_deref().unwrap_or_default();
        let mut lines = vec![format!(
            "request {}, at {at}: {}",
            self.request, self.reason
        )];
        for finding in &self.diagnosis.findings {
            lines.push(finding.what.clone());
            lines.extend(finding.command.iter().map(|command| format!("  {command}")));
            lines.extend(finding.to_do.iter().map(|to_do| format!("  ({to_do})")));
        }
        if !self.diagnosis.left.is_empty() {
            lines.push("nothing that was tried explains it; these causes are left:".to_owned());
            lines.extend(self.diagnosis.left.iter().map(|left| format!("  * {left}")));
        }
        lines.join("\n")
    }
}

fn of_source(kept: KeptRejected, name: &str) -> Result<KeptRejected> {
    if kept.source != name {
        return Err(format!("the request {} is of the source {}", kept.id, kept.source).into());
    }
    match kept.is_handshake() {
        true => Err(format!(
            "{} is a handshake, and was not rejected: without --request, its secret is tried with all \
             requests that were",
            kept.id
        )
        .into()),
        false => Ok(kept),
    }
}

/// What the secrets of kept handshakes verify, if they verify anything: the newest request that they verify,
/// of one or of all.
async fn offered(
    suspect: &Suspect<'_>,
    one: Option<&KeptRejected>,
    journal: &Journal,
    stack: &Stack,
) -> Result<Option<(KeptRejected, Diagnosis)>> {
    let kept = unreleased(suspect.name, journal).await?;
    let (handshakes, rejected): (Vec<_>, Vec<_>) =
        kept.into_iter().partition(KeptRejected::is_handshake);
    let mut offers = Vec::new();
    for kept in &handshakes {
        // Another one may take its place meanwhile.
        offers.extend(handshake::offer(kept, journal).await.ok());
    }
    let Some(mut offers) = Offers::of(suspect, offers) else {
        return Ok(None);
    };
    let mut newest = None;
    for kept in one
        .into_iter()
        .chain(rejected.iter().filter(|_| one.is_none()))
        .take(MOST_TRIED)
    {
        let Ok(request) = read(kept, journal, stack).await else {
            continue;
        };
        if offers.verify(suspect, &request) {
            newest.get_or_insert(kept);
        }
    }
    let diagnosis = Diagnosis {
        findings: offers.findings(suspect.name),
        left: Vec::new(),
    };
    match newest {
        None if rejected.is_empty() && !handshakes.is_empty() => Err(format!(
            "the source {} kept handshakes ({}), and has rejected no request yet: as soon as the provider \
             sends a webhook, this command finds out whose secret verifies it",
            suspect.name,
            handshakes.len()
        )
        .into()),
        newest => Ok(newest.map(|kept| (kept.clone(), diagnosis))),
    }
}

/// All requests that were not released yet, handshakes included, the newest first.
async fn unreleased(name: &str, journal: &Journal) -> Result<Vec<KeptRejected>> {
    let mut all = Vec::new();
    for day in newest_days() {
        all.extend(journal.rejected(name, day).await?);
    }
    all.retain(|kept| kept.released_as.is_none());
    Ok(all)
}

/// The days of which requests are kept, the newest first.
fn newest_days() -> Vec<Date> {
    let now = Timestamp::now();
    let mut days: Vec<_> = days(now - KEPT, now).collect();
    days.reverse();
    days
}

/// The newest request that was not released yet.
async fn newest(name: &str, journal: &Journal) -> Result<KeptRejected> {
    for day in newest_days() {
        let mut kept = journal.rejected(name, day).await?.into_iter();
        let is_open = |kept: &KeptRejected| kept.released_as.is_none() && !kept.is_handshake();
        if let Some(kept) = kept.find(is_open) {
            return Ok(kept);
        }
    }
    Err(format!(
        "the source {name} rejected no request in the last 7 days, or all were released: if the provider \
         sends, it sends to another URL than `webhookctl source url {name}` prints"
    )
    .into())
}

async fn read(kept: &KeptRejected, journal: &Journal, stack: &Stack) -> Result<Request> {
    let request = rejected::request(kept, journal, &stack.ledger()?).await?;
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let header = |(name, value): &(String, String)| {
        let name: HeaderName = name.parse().ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    };
    let headers: HeaderMap = request.headers.iter().filter_map(header).collect();
    Ok(Request {
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: request.raw,
        at: kept.at,
    })
}

/// The secrets of an entry.
fn secrets(entry: &Value) -> Vec<String> {
    let secrets = entry.get("secrets").and_then(Value::as_array);
    let secrets = secrets.into_iter().flatten().filter_map(Value::as_str);
    let secrets = secrets.map(trimmed).filter(|secret| !secret.is_empty());
    secrets.map(str::to_owned).collect()
}

/// The secrets of all other sources, each with the name of its source.
fn others(document: &Document, name: &str) -> Vec<(String, String)> {
    let others = document.sources.iter().filter(|(other, _)| *other != name);
    let others = others.flat_map(|(other, entry)| {
        secrets(entry)
            .into_iter()
            .map(|secret| (other.clone(), secret))
    });
    others.collect()
}

/// The hosts of the public URLs that any source has.
fn hosts(document: &Document) -> Vec<String> {
    let urls = document.sources.values();
    let urls = urls.filter_map(|entry| entry.get("public_url")?.as_str());
    urls.filter_map(host).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::Finding;
    use serde_json::json;

    fn diagnosed(diagnosis: Diagnosis) -> Diagnosed {
        Diagnosed {
            request: "shop/2026-11-27/017/1795812345678".to_owned(),
            source: "shop".to_owned(),
            at: Some("2026-11-27T20:45:45Z".to_owned()),
            reason: "the signature matches none of the secrets".to_owned(),
            diagnosis,
        }
    }

    #[test]
    fn a_finding_ends_with_its_command() {
        let finding = Finding {
            causes: vec!["encoding"],
            what: "the signature is in Base64".to_owned(),
            command: Some("webhookctl source update shop --set encoding=base64".to_owned()),
            to_do: None,
        };
        let found = diagnosed(Diagnosis {
            findings: vec![finding],
            left: Vec::new(),
        });
        let text = found.text();
        assert!(
            text.ends_with("\n  webhookctl source update shop --set encoding=base64"),
            "{text}"
        );
        assert_eq!(json!(found)["findings"][0]["causes"], json!(["encoding"]));
        let left = diagnosed(Diagnosis {
            findings: Vec::new(),
            left: vec!["another secret".to_owned()],
        });
        assert!(
            left.text().ends_with("\n  * another secret"),
            "{}",
            left.text()
        );
    }

    #[test]
    fn secrets_are_read_as_the_gateway_reads_them() {
        let entry = json!({"secrets": ["a", " b\n", "", 1]});
        assert_eq!(secrets(&entry), ["a", "b"]);
        assert_eq!(secrets(&json!({"secrets": "a"})), [""; 0]);
    }
}
