//! `webhookctl completions`.

use crate::output::Output;
use crate::{Cli, Result};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Prints the completion script of a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
This command needs no stack. The script completes commands, flags, and the values of flags that have a fixed
list of values.

Examples:
  webhookctl completions bash > ~/.local/share/bash-completion/completions/webhookctl
  webhookctl completions zsh > ~/.zfunc/_webhookctl
  webhookctl completions fish > ~/.config/fish/completions/webhookctl.fish")]
pub(crate) struct Completions {
    /// The shell that reads the script.
    shell: Shell,
}

pub(crate) fn run(arguments: &Completions, output: &Output) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "webhookctl",
        &mut script,
    );
    output.bytes(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_completes_every_noun() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "webhookctl", &mut script);
            let script = String::from_utf8(script).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(
                    script.contains(command.get_name()),
                    "{shell} {}",
                    command.get_name()
                );
            }
        }
    }
}
