//! That every command line which the project's texts name is one: those of the manual, the help, and the advice that the code
//! gives.

use crate::Cli;
use clap::{CommandFactory, Parser};

/// What names commands: where, and the commands.
fn named() -> Vec<(String, String)> {
    let root = testkit::root();
    let mut named = Vec::new();
    let mut add = |place: &str, commands: Vec<String>| {
        named.extend(commands.into_iter().map(|it| (place.to_owned(), it)));
    };
    let documents = std::fs::read_dir(root.join("docs")).unwrap();
    let documents = documents.map(|entry| entry.unwrap().path());
    let documents = documents.chain(["README.md", "SECURITY.md"].map(|name| root.join(name)));
    for path in documents {
        let (name, text) = (
            path.display().to_string(),
            std::fs::read_to_string(&path).unwrap(),
        );
        add(&name, quoted(&text));
        add(&name, lines(&text));
    }
    for (name, text) in sources(&root.join("webhookctl/src")) {
        add(&name, quoted(&text.replace("\\\"", "\"")));
    }
    for help in helps(&Cli::command()) {
        add("--help", quoted(&help));
        add("--help", lines(&help));
    }
    named
}

/// The commands between backquotes.
fn quoted(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let commands = quoted.filter(|it| it.starts_with("webhookctl ") && !it.contains("\n\n"));
    commands.map(|it| it.replace('\n', " ")).collect()
}

/// The commands that stand alone on their lines.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    let commands = lines.filter(|it| it.starts_with("webhookctl "));
    commands.map(str::to_owned).collect()
}

fn helps(command: &clap::Command) -> Vec<String> {
    let own = command.get_after_help().map(ToString::to_string);
    let theirs = command.get_subcommands().flat_map(helps);
    own.into_iter().chain(theirs).collect()
}

fn sources(path: &std::path::Path) -> Vec<(String, String)> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries
            .flat_map(|it| sources(&it.unwrap().path()))
            .collect();
    }
    let text = std::fs::read_to_string(path).unwrap();
    // What the code says of itself names commands without their arguments.
    let says = text.lines().filter(|it| !it.trim().starts_with("//"));
    let says = says.collect::<Vec<_>>().join("\n");
    vec![(path.display().to_string(), says)]
}

/// The words of a command as a shell has them, up to what the shell takes for itself, with a value for each that stands for one.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for letter in command.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            (letter, None) if letter.is_whitespace() => words.push(String::new()),
            (letter, _) => words.last_mut().unwrap().push(letter),
        }
    }
    let is_shells = |it: &String| ["#", "|", "<", ">", "&&"].contains(&&**it);
    let words = words.into_iter().filter(|it| !it.is_empty());
    let words = words.take_while(|it| !is_shells(it));
    let value = |word: String| match &*word {
        "T" | "…" => "2h".to_owned(),
        "N" => "7".to_owned(),
        _ if word.starts_with('{') => "7".to_owned(),
        _ => word,
    };
    words.map(value).collect()
}

/// Whether nothing is said but which command it is.
fn is_name(words: &[String]) -> bool {
    let cli = Cli::command();
    let mut at = Some(&cli);
    for word in &words[1..] {
        at = at.and_then(|it| it.find_subcommand(word));
    }
    at.is_some()
}

#[test]
fn every_command_that_is_named_anywhere_is_one() {
    let named = named();
    assert!(named.len() > 100, "{}", named.len());
    let mut wrong = Vec::new();
    for (place, command) in named {
        let words = words(&command);
        if let Err(error) = Cli::try_parse_from(&words)
            && !is_name(&words)
        {
            let error = error.to_string();
            let error = error.lines().take(2).collect::<String>();
            wrong.push(format!("{place}: {command}\n   {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
