//! The progress of a long command: a bar on a terminal, a line every few seconds elsewhere, nothing with
//! --json.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// The pause between two lines.
const PAUSE: Duration = Duration::from_secs(5);

/// The progress of a command.
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines {
        output: Output,
        /// The rest of the sentence that begins with the number.
        done: &'static str,
        /// The number of all, if it is known.
        all: Option<usize>,
        written_at: Instant,
    },
    Silent,
}

impl Progress {
    /// The progress of so many. `done` is the rest of a sentence that begins with two numbers.
    pub(crate) fn begin(all: usize, done: &'static str, output: &Output) -> Self {
        Self::of(Some(all), done, output)
    }

    /// The progress of a number that is not known before the end.
    pub(crate) fn counting(done: &'static str, output: &Output) -> Self {
        Self::of(None, done, output)
    }

    fn of(all: Option<usize>, done: &'static str, output: &Output) -> Self {
        if output.json && !output.is_taken() {
            return Self::Silent;
        }
        if output.is_taken() || !io::stderr().is_terminal() {
            return Self::Lines {
                output: output.clone(),
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

    /// Shows that so many are done.
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
}

/// A bar makes room for the result.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
