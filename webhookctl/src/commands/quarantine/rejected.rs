//! Rejected requests, as the journal keeps them.

use super::{QuarantineRow, Which};
use crate::Result;
use crate::document::Document;
use crate::ledger::LedgerReader;
use crate::output::Output;
use crate::stack::Stack;
use jiff::{SignedDuration, Timestamp};
use webhook_gateway::crypto::mac::sha256;
use webhook_gateway::store::journal::{Journal, KeptRejected, days};

/// A rejected request, as it came.
pub(crate) struct Request {
    /// The path, and the query if it had one.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) raw: Vec<u8>,
}

/// The journal keeps a rejected request for this long.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The selected requests, the newest first.
pub(super) async fn list(
    which: &Which,
    stack: &Stack,
    output: &Output,
) -> Result<Vec<QuarantineRow>> {
    let kept = kept(which, &stack.journal()?, stack, output).await?;
    Ok(kept.iter().map(QuarantineRow::rejected).collect())
}

/// The request of this id.
pub(crate) async fn one(id: &str, journal: &Journal) -> Result<KeptRejected> {
    let mut parts = id.split('/');
    let (source, day) = (parts.next().unwrap_or_default(), parts.next());
    let day = day.and_then(|day| day.parse().ok()).ok_or_else(|| {
        format!("{id:?} is not the id of a rejected request: see `webhookctl quarantine list --rejected`")
    })?;
    let kept = journal.rejected(source, day).await?;
    let one = kept.into_iter().find(|kept| kept.id == id);
    Ok(one.ok_or(
        "this request is not kept any more: a newer one took its place, or its 7 days are over",
    )?)
}

/// The requests of these ids, the newest first.
pub(super) async fn these(
    ids: &[String],
    which: &Which,
    journal: &Journal,
) -> Result<Vec<KeptRejected>> {
    let mut these = Vec::new();
    for id in ids {
        let kept = one(id, journal).await?;
        match &which.source {
            Some(source) if *source != kept.source => {
                return Err(format!("the request {id} is of the source {}", kept.source).into());
            }
            _ => these.push(kept),
        }
    }
    these.sort_by_key(|request| std::cmp::Reverse(request.at));
    Ok(these)
}

/// The headers and the body of a request.
pub(crate) async fn request(
    kept: &KeptRejected,
    journal: &Journal,
    recorded: &LedgerReader,
) -> Result<Request> {
    let request = journal.rejected_request(kept).await;
    let request = request?;
    let request = request.ok_or("a newer request took its place")?;
    let raw = recorded.bytes(request.body).await?;
    if request.digest.is_some_and(|digest| digest != sha256(&raw)) {
        return Err(
            "its body is missing: it was not stored in time, or a newer request overwrote it"
                .into(),
        );
    }
    let (target, headers) = (request.target, request.headers);
    Ok(Request {
        target,
        headers,
        raw,
    })
}

impl Request {
    /// The query, as it was sent.
    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// The requests of the selected source, or of all configured sources.
pub(super) async fn kept(
    which: &Which,
    journal: &Journal,
    stack: &Stack,
    output: &Output,
) -> Result<Vec<KeptRejected>> {
    let sources = match &which.source {
        Some(source) => vec![source.clone()],
        None => Document::of(stack).await?.sources.keys().cloned().collect(),
    };
    let since = which.since(KEPT, output)?;
    let mut all = Vec::new();
    for source in &sources {
        for day in days(since, Timestamp::now()) {
            let kept = journal.rejected(source, day).await;
            all.extend(kept?);
        }
    }
    all.retain(|request| request.at >= since);
    all.sort_by_key(|request| std::cmp::Reverse(request.at));
    Ok(all)
}
