//! The commands: a folder for each noun and a file for each command, with its help, its arguments and its
//! function.

pub(crate) mod completions;
pub(crate) mod console;
pub(crate) mod dead_letter;
pub(crate) mod delivery;
pub(crate) mod doctor;
pub(crate) mod endpoint;
pub(crate) mod event;
pub(crate) mod listen;
pub(crate) mod provider;
pub(crate) mod quarantine;
pub(crate) mod reconcile;
pub(crate) mod send;
pub(crate) mod source;
pub(crate) mod status;
pub(crate) mod subscription;
pub(crate) mod woodwing;
