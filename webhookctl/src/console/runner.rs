//! Runs commands of this tool for the console, and takes what they print with --json.

use crate::Result;
use crate::hint;
use crate::output::{Line, Output};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::pin::Pin;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

/// A command that runs.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<()>>>>;

/// Runs command lines, which do not have the name of the tool.
#[derive(Clone)]
pub(crate) struct Runner {
    /// The name of the stack; `None` for the local one.
    stack: Option<String>,
    orders: UnboundedSender<Order>,
}

/// A command to run.
struct Order {
    command: Vec<String>,
    output: Output,
    /// Takes the end of the command, with the error as text.
    end: oneshot::Sender<End>,
}

type End = std::result::Result<(), String>;

/// What a command printed.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    /// The objects of --json.
    pub(super) rows: Vec<Value>,
    /// The same as JSON, with every number as it was written.
    pub(super) json: Vec<String>,
    pub(super) notes: Vec<String>,
    /// Why it failed, with a hint.
    pub(super) error: Option<String>,
}

impl Runner {
    /// `run` runs a command line with an output, on the thread that calls this function, which is in a
    /// `LocalSet`.
    pub(crate) fn new(
        stack: Option<String>,
        run: impl Fn(Vec<String>, Output) -> Running + 'static,
    ) -> Self {
        let (orders, mut ordered) = unbounded_channel::<Order>();
        spawn_local(async move {
            while let Some(order) = ordered.recv().await {
                let running = run(order.command, order.output);
                spawn_local(async move {
                    let end = running.await.map_err(|error| {
                        let hint = hint::Kind::of(&*error).hint();
                        format!("{error}{hint}")
                    });
                    // Whoever asked has gone if the page is closed.
                    order.end.send(end).ok();
                });
            }
        });
        Self { stack, orders }
    }

    /// The name of the stack, for a reader.
    pub(super) fn stack(&self) -> &str {
        self.stack.as_deref().unwrap_or("local stack")
    }

    /// What stands before the words of a command in a terminal.
    pub(super) fn program(&self) -> Vec<String> {
        let mut program = words(&["webhookctl"]);
        if let Some(stack) = &self.stack {
            program.extend(words(&["--stack", stack]));
        }
        program
    }

    /// The answer of a command, once it has ended.
    pub(super) async fn ask(&self, command: &[String]) -> Answer {
        let (mut lines, end) = self.start(command.to_vec());
        let end = end.await;
        let mut answer = Answer::default();
        while let Ok(line) = lines.try_recv() {
            answer.add(line);
        }
        answer.error = end.err();
        answer
    }

    /// Starts a command: what it prints, and its end.
    pub(super) fn start(
        &self,
        command: Vec<String>,
    ) -> (UnboundedReceiver<Line>, impl Future<Output = End> + use<>) {
        let (taker, lines) = unbounded_channel();
        let (end, ended) = oneshot::channel();
        let output = Output::to(taker);
        let order = Order {
            command,
            output,
            end,
        };
        self.orders.send(order).ok();
        let end = async {
            let broken =
                |_| Err("the command broke off: see the terminal of the console".to_owned());
            ended.await.unwrap_or_else(broken)
        };
        (lines, end)
    }
}

impl Answer {
    pub(super) fn add(&mut self, line: Line) {
        match line {
            Line::Result(json) => {
                self.rows.push(parsed(&json));
                self.json.push(json);
            }
            Line::Note(note) => self.notes.push(note),
        }
    }

    /// The first object, for a command that prints one.
    pub(super) fn first(&self) -> &Value {
        self.rows.first().unwrap_or(&Value::Null)
    }
}

/// An object. A member that is no value of this program, such as the number 1e999 of a payload, becomes text.
fn parsed(json: &str) -> Value {
    if let Ok(value) = serde_json::from_str(json) {
        return value;
    }
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).unwrap_or_default();
    let member = |(name, raw): (String, Box<RawValue>)| {
        let value = serde_json::from_str(raw.get());
        (name, value.unwrap_or_else(|_| raw.get().into()))
    };
    Value::Object(members.into_iter().map(member).collect())
}

/// A command line from its words.
pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
