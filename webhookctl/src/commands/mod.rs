//! The commands: one folder for each noun and one file for each command, with its help, its arguments and its function.

pub(crate) mod completions;
pub(crate) mod provider;
pub(crate) mod reconcile;
