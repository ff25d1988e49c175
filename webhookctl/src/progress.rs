//! How far a long command is: a bar on a terminal, a line every few seconds elsewhere, nothing among JSON.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// How often a line is written.
const PAUSE: Duration = Duration::from_secs(5);

/// How far it is.
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines {
        output: Output,
        /// What is said of how many are done.
        done: &'static str,
        /// How many there are, if that is known.
        all: Option<usize>,
        written_at: Instant,
    },
    Silent,
}

impl Progress {
    /// Of so many that go onto a queue.
    pub(crate) fn begin(all: usize, output: Output) -> Self {
        Self::of(Some(all), "are on the queue", output)
    }

    /// Of what is counted as it comes.
    pub(crate) fn counting(done: &'static str, output: Output) -> Self {
        Self::of(None, done, output)
    }

    fn of(all: Option<usize>, done: &'static str, output: Output) -> Self {
        if output.json {
            return Self::Silent;
        }
        if !io::stderr().is_terminal() {
            return Self::Lines {
                output,
                done,
                all,
                written_at: Instant::now(),
            };
        }
        let (bar, style) = match all {
            Some(all) => (
                ProgressBar::new(all as u64),
                ProgressStyle::with_template("{bar:40} {pos} of {len}, {eta} left"),
            ),
            None => (
                ProgressBar::no_length().with_message(done),
                ProgressStyle::with_template("{spinner} {pos} {msg}"),
            ),
        };
        Self::Bar(match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }

    /// So many are done.
    pub(crate) fn at(&mut self, count: usize) {
        match self {
            Self::Bar(bar) => bar.set_position(count as u64),
            Self::Lines {
                output,
                done,
                all,
                written_at,
            } => {
                if written_at.elapsed() >= PAUSE {
                    *written_at = Instant::now();
                    let all = all.map_or(String::new(), |all| format!(" of {all}"));
                    output.note(&format!("{count}{all} {done}"));
                }
            }
            Self::Silent => {}
        }
    }

    /// Makes room for the result.
    pub(crate) fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
