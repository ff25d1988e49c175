//! The actions that were started, with what they printed so far. The page asks for it until they end.

use super::runner::{Answer, Runner};
use std::sync::{Arc, Mutex, PoisonError};

/// How many actions are remembered.
const KEPT: usize = 50;

/// The actions of this run of the console.
#[derive(Default)]
pub(super) struct Jobs {
    all: Mutex<Vec<Arc<Job>>>,
}

/// An action that was started.
pub(super) struct Job {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) command: Vec<String>,
    state: Mutex<State>,
}

/// How far an action is.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// What it printed so far.
    pub(super) answer: Answer,
    pub(super) is_done: bool,
}

impl Jobs {
    /// Starts an action. It goes on when its page is closed.
    pub(super) fn start(&self, title: String, command: Vec<String>, runner: &Runner) -> Arc<Job> {
        let job = Arc::new(Job {
            id: uuid::Uuid::new_v4().simple().to_string(),
            title,
            command: command.clone(),
            state: Mutex::default(),
        });
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == KEPT {
            all.remove(0);
        }
        all.push(job.clone());
        tokio::spawn(job.clone().follow(runner.clone()));
        job
    }

    /// Forgets an action that must not be shown again.
    pub(super) fn forget(&self, id: &str) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|job| job.id != id);
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Job>> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|job| job.id == id).cloned()
    }
}

impl Job {
    /// How far it is now.
    pub(super) fn state(&self) -> State {
        self.locked(|state| state.clone())
    }

    async fn follow(self: Arc<Self>, runner: Runner) {
        let (mut lines, end) = runner.start(self.command.clone());
        let mut end = std::pin::pin!(end);
        let ended = loop {
            tokio::select! {
                biased;
                Some(line) = lines.recv() => self.locked(|state| state.answer.add(line)),
                ended = &mut end => break ended,
            }
        };
        self.locked(|state| {
            while let Ok(line) = lines.try_recv() {
                state.answer.add(line);
            }
            state.answer.error = ended.err();
            state.is_done = true;
        });
    }

    fn locked<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
