//! `webhookctl listen`: events as they are published, and signed copies of them for a consumer that somebody
//! writes. `listener` owns the queue and the subscription, `inbox` reads the queue, `forward` posts the
//! copies, `keys` reads the terminal and `signals` the end. This file joins them in a loop.

mod event;
mod forward;
mod inbox;
mod keys;
mod leftovers;
mod listener;
mod signals;

use crate::Result;
use crate::commands::source::note_unknown;
use crate::commands::subscription::note_unmatched;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use event::Event;
use forward::Forward;
use inbox::Inbox;
use keys::{Key, Keys};
use listener::Listener;
use reqwest::Url;
use serde_json::json;
use signals::Signals;
use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

/// The most events that wait for the copies before them. While so many wait, none is received.
const MAX_WAITING: usize = 100;

/// Shows events as they are published, and posts signed copies of them to a consumer on your machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Each event is a line: when it was published, its source, its type and its id. The first ones come after up to
half a minute, because a new subscription takes so long to apply.

With --forward, each copy is a request as an endpoint gets it: the event in structured JSON, signed by the
Standard Webhooks specification. The secret is generated for this session and shown once, at the start. Copies
are posted one after the other. Each has 20 seconds; no redirect is followed, and no copy is repeated by
itself. In a terminal, r posts the last event again, and q ends the command.

The command has a queue and a subscription of its own, and removes them at its end. If it is killed, the
subscription ends by itself within 5 minutes, and the next `webhookctl listen` removes the queue.

With --json: first {\"listener\": …, \"queue_url\": …, \"secret\": …}, then for each event {\"at\": …,
\"source\": …, \"type\": …, \"id\": …}, and for each copy {\"forwarded\": …, \"webhook_id\": …,
\"status\": …, \"duration_ms\": …, \"error\": …}. Members without a value are null.

Examples:
  webhookctl listen
  webhookctl listen --event 'io.creativeforce.product.*' --source studio
  webhookctl listen --forward http://localhost:3000/hook")]
pub(crate) struct Listen {
    /// Shows events of this type, with `*` for any characters. The flag can be repeated.
    #[arg(long = "event", value_name = "PATTERN", default_value = "*")]
    events: Vec<String>,
    /// Shows events of this source. The flag can be repeated. By default events of all sources are shown.
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<String>,
    /// Posts a signed copy of each event to this URL.
    #[arg(long, value_name = "URL")]
    forward: Option<Url>,
    /// Allows a URL that is not on this machine. Whoever answers there sees the events.
    #[arg(long, requires = "forward")]
    allow_remote: bool,
}

pub(crate) async fn run(arguments: Listen, stack: &Stack, output: &Output) -> Result<()> {
    let forward = arguments
        .forward
        .map(|url| Forward::to(&url, arguments.allow_remote))
        .transpose()?;
    // An older stack denies its functions the queue.
    stack.listener_queue_prefix()?;
    let mut signals = Signals::receive()?;
    leftovers::remove(stack, output).await;
    note_unmatched(&arguments.events, output);
    note_unknown(&arguments.sources, stack, output).await;
    let listener = Listener::create(arguments.events, arguments.sources, stack).await?;
    let ended = listen(&listener, forward.as_ref(), stack, &mut signals, output).await;
    let removed = tokio::select! {
        removed = listener.remove() => removed,
        () = signals.next() => Err(listener.left_behind("interrupted")),
    };
    match (ended, removed) {
        (Err(error), Err(left)) => {
            output.note(&left.to_string());
            Err(error)
        }
        (ended, removed) => ended.and(removed),
    }
}

/// Shows and forwards events until the operator ends it.
async fn listen(
    listener: &Listener,
    forward: Option<&Forward>,
    stack: &Stack,
    signals: &mut Signals,
    output: &Output,
) -> Result<()> {
    let inbox = Inbox::of(listener, stack.payloads()?);
    let mut keys = Keys::of_terminal();
    begin(listener, forward, &keys, output)?;
    let mut keeping = pin!(listener.keep_alive(output));
    let mut receiving = pin!(inbox.next(Vec::new(), output));
    let mut posting = None;
    let mut waiting: VecDeque<Arc<Event>> = VecDeque::new();
    let mut last = None;
    loop {
        if posting.is_none()
            && let Some(forward) = forward
            && let Some(event) = waiting.pop_front()
        {
            posting = Some(Box::pin(forward.post(event)));
        }
        tokio::select! {
            () = signals.next() => return Ok(()),
            failed = &mut keeping => return failed,
            received = &mut receiving, if waiting.len() < MAX_WAITING => {
                let mut shown = Vec::new();
                for event in received? {
                    event.show(output)?;
                    shown.push(event.receipt.clone());
                    let event = Arc::new(event);
                    last = Some(Arc::clone(&event));
                    waiting.extend(forward.map(|_| event));
                }
                receiving.set(inbox.next(shown, output));
            }
            posted = finished(&mut posting) => {
                posting = None;
                output.result(&posted.text(), &posted)?;
            }
            key = keys.next() => match (key, &last) {
                (Key::Quit, _) => return Ok(()),
                (Key::Again, _) if forward.is_none() => output.note("there is no --forward to post to"),
                (Key::Again, None) => output.note("there is no event yet"),
                (Key::Again, Some(event)) => waiting.push_back(Arc::clone(event)),
            },
        }
    }
}

/// Shows the listener and its secret, and says what to expect.
fn begin(
    listener: &Listener,
    forward: Option<&Forward>,
    keys: &Keys,
    output: &Output,
) -> Result<()> {
    let started = json!({
        "listener": listener.name,
        "queue_url": listener.queue_url,
        "secret": forward.map(Forward::secret),
    });
    output.details(&started, &["listener", "secret"])?;
    let end = match (keys.are_read(), forward.is_some()) {
        (true, true) => "r posts the last event again, and q ends the command",
        (true, false) => "q ends the command",
        (false, _) => "Ctrl-C ends the command",
    };
    output.note(&format!(
        "the first events come after up to half a minute; {end}"
    ));
    Ok(())
}

/// The result of some work, if there is any.
async fn finished<F: Future + Unpin>(work: &mut Option<F>) -> F::Output {
    match work {
        Some(work) => work.await,
        None => pending().await,
    }
}
