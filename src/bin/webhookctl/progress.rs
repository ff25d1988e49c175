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
        all: usize,
        written_at: Instant,
    },
    Silent,
}

impl Progress {
    pub(crate) fn begin(all: usize, output: Output) -> Self {
        if output.json {
            return Self::Silent;
        }
        if !io::stderr().is_terminal() {
            return Self::Lines {
                output,
                all,
                written_at: Instant::now(),
            };
        }
        let bar = ProgressBar::new(all as u64);
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {eta} left");
        Self::Bar(match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }

    /// So many are done.
    pub(crate) fn at(&mut self, done: usize) {
        match self {
            Self::Bar(bar) => bar.set_position(done as u64),
            Self::Lines {
                output,
                all,
                written_at,
            } => {
                if written_at.elapsed() >= PAUSE {
                    *written_at = Instant::now();
                    output.note(&format!("{done} of {all} are on the queue"));
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
