//! Tests of the documentation: every command line in documents, help and messages can be parsed, every
//! command has an example, and docs/cli.md is up to date.

use crate::Cli;
use crate::commands::provider::show::ProviderDetails;
use clap::{CommandFactory, Parser};
use webhook_gateway::providers::recipe::Recipe;
use webhook_gateway::providers::{Incoming, presets};
use webhook_gateway::store::sources::Source;

/// The commands that are named anywhere, each with its place.
fn named() -> Vec<(String, String)> {
    let root = testkit::root();
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let mut named = Vec::new();
    let mut add = |place: &str, commands: Vec<String>| {
        named.extend(
            commands
                .into_iter()
                .map(|command| (place.to_owned(), command)),
        );
    };
    let mut names = vec!["README.md".to_owned(), "SECURITY.md".to_owned()];
    let docs = std::fs::read_dir(root.join("docs")).unwrap();
    let docs = docs.map(|file| format!("docs/{}", file.unwrap().file_name().to_string_lossy()));
    // The reference is the help itself, which is read below.
    let is_text = |name: &String| name.ends_with(".md") && name != "docs/cli.md";
    names.extend(docs.filter(is_text));
    for name in &names {
        let text = read(name);
        add(name, quoted(&text));
        add(name, lines(&text));
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
    let commands =
        quoted.filter(|command| command.starts_with("webhookctl ") && !command.contains("\n\n"));
    commands.map(|command| command.replace('\n', " ")).collect()
}

/// The commands that stand alone on their lines.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    let commands = lines.filter(|command| command.starts_with("webhookctl "));
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
            .flat_map(|command| sources(&command.unwrap().path()))
            .collect();
    }
    let text = std::fs::read_to_string(path).unwrap();
    // Comments name commands without their arguments.
    let says = text
        .lines()
        .filter(|command| !command.trim().starts_with("//"));
    let says = says.collect::<Vec<_>>().join("\n");
    // A string continues after a backslash at the end of its line.
    let says = says.split("\\\n").map(str::trim_start).collect();
    vec![(path.display().to_string(), says)]
}

/// The words of a command, as a shell splits them, without pipes and redirections, and with a value for
/// each placeholder.
fn words(command: &str) -> Vec<String> {
    let words = shlex::split(command).unwrap_or_else(|| panic!("not balanced: {command}"));
    let is_of_the_shell = |word: &String| ["#", "|", "<", ">", "&&"].contains(&&**word);
    let words = words.into_iter().take_while(|word| !is_of_the_shell(word));
    let value = |word: String| match &*word {
        "T" | "…" => "2h".to_owned(),
        "N" => "7".to_owned(),
        _ if word.starts_with('{') => "7".to_owned(),
        _ => word,
    };
    words.map(value).collect()
}

/// Whether these words are only the name of a command.
fn is_name(words: &[String]) -> bool {
    let cli = Cli::command();
    let mut at = Some(&cli);
    for word in &words[1..] {
        at = at.and_then(|command| command.find_subcommand(word));
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

/// The number of examples in a command's help that are of this command.
fn examples(path: &str, command: &clap::Command) -> usize {
    let help = command.get_after_help().map(ToString::to_string);
    let lines = lines(&help.unwrap_or_default());
    let examples = lines.iter().filter(|line| {
        let words = words(line);
        words.join(" ").starts_with(path) && Cli::try_parse_from(&words).is_ok()
    });
    examples.count()
}

fn leaves(path: &str, command: &clap::Command) -> Vec<(String, clap::Command)> {
    if !command.has_subcommands() {
        return vec![(path.to_owned(), command.clone())];
    }
    let subcommands = command.get_subcommands();
    let leaves =
        subcommands.flat_map(|command| leaves(&format!("{path} {}", command.get_name()), command));
    leaves.collect()
}

#[test]
fn the_help_of_every_command_has_an_example_of_it() {
    let leaves = leaves("webhookctl", &Cli::command());
    assert!(leaves.len() > 40, "{}", leaves.len());
    for (path, command) in leaves {
        // A help text may have examples of other commands too.
        assert!(examples(&path, &command) > 0, "{path}");
    }
}

/// The reference of all commands: what `--help` prints.
fn reference() -> String {
    fn add(path: &str, command: &clap::Command, text: &mut String) {
        let level = "#"
            .repeat(path.split(' ').count() + 1)
            .chars()
            .take(4)
            .collect::<String>();
        let mut own = command.clone().mut_args(|argument| {
            let is_everywhere = path != "webhookctl" && argument.is_global_set();
            let is_help = argument.get_id() == "help";
            argument.hide(is_everywhere || is_help)
        });
        let help = own.render_help().to_string();
        let help: Vec<_> = help.trim_end().lines().map(str::trim_end).collect();
        *text += &format!("\n{level} {path}\n\n```text\n{}\n```\n", help.join("\n"));
        for command in command
            .get_subcommands()
            .filter(|command| command.get_name() != "help")
        {
            add(&format!("{path} {}", command.get_name()), command, text);
        }
    }
    let mut cli = Cli::command();
    cli.build();
    let mut text = "# Commands of webhookctl\n\nGenerated from the tool's own help by \
                    `UPDATE_DOCS=1 cargo test -p webhookctl cli`.\n"
        .to_owned();
    add("webhookctl", &cli, &mut text);
    text
}

#[test]
fn the_reference_of_the_cli_is_up_to_date() {
    let file = testkit::root().join("docs/cli.md");
    let reference = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &reference).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == reference,
        "docs/cli.md is out of date: UPDATE_DOCS=1 cargo test -p webhookctl cli"
    );
}

/// The table of all presets, and what to do at each provider.
fn providers() -> String {
    let all: Vec<_> = presets::all().map(ProviderDetails::of).collect();
    let mut text = format!(
        "# Providers\n\nThe gateway has {} presets. Generated from `src/providers/presets` by \
         `UPDATE_DOCS=1 cargo test --bin webhookctl`. [Sources](sources.md#any-other-provider) tells how to \
         receive the webhooks of any other provider, and [Add a preset](contributing-presets.md) how to \
         add one.\n\n\
         Evidence: *published-vector*, the provider publishes a signed example, and the gateway verifies it; \
         *official-document*, the provider documents it; *third-party*, others say so: check it with a live \
         webhook.\n\n\
         | preset | provider | authentication | handshake | evidence |\n|---|---|---|---|---|\n",
        all.len()
    );
    let cell = |text: &str| text.replace('|', "\\|").replace("\\n", "\\\\n");
    for preset in &all {
        let anchor: String = preset.name.to_owned();
        text += &format!(
            "| [`{}`](#{anchor}) | {} | {} | {} | {} |\n",
            preset.name,
            cell(&preset.title),
            cell(&preset.authentication),
            preset.handshake.unwrap_or("–"),
            preset.evidence
        );
    }
    for preset in &all {
        text += &format!(
            "\n## {}\n\n{}: [documentation]({}).\n\n",
            preset.name, preset.title, preset.documentation
        );
        for (at, step) in preset.setup.iter().enumerate() {
            let step = step.replace("{payload_url}", "`https://…/webhooks/NAME`");
            text += &format!("{}. {step}\n", at + 1);
        }
        let facts = &preset.facts;
        let timeout = facts
            .timeout
            .as_ref()
            .map(|text| format!("Timeout: {text}."));
        let retries = facts
            .retries
            .as_ref()
            .map(|text| format!("Retries: {text}."));
        let facts: Vec<_> = timeout
            .into_iter()
            .chain(retries)
            .chain(facts.notes.clone())
            .collect();
        for (at, fact) in facts.iter().enumerate() {
            text += if at == 0 { "\n" } else { "" };
            text += &format!("* {fact}\n");
        }
    }
    text
}

#[test]
fn the_page_of_the_providers_is_up_to_date() {
    let file = testkit::root().join("docs/providers.md");
    let page = providers();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "docs/providers.md is out of date: UPDATE_DOCS=1 cargo test --bin webhookctl"
    );
}

#[test]
fn the_readme_counts_the_presets() {
    let text = std::fs::read_to_string(testkit::root().join("README.md")).unwrap();
    let count = format!("{} presets", presets::all().count());
    assert!(text.contains(&count), "README.md does not say {count}");
}

/// The blocks of JSON in a document.
fn json_blocks(text: &str) -> Vec<serde_json::Value> {
    let blocks = text.split("```json\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    blocks
        .map(|block| serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}")))
        .collect()
}

#[test]
fn every_recipe_and_configuration_in_the_documents_is_valid() {
    let mut recipes = 0;
    for name in ["README.md", "docs/sources.md"] {
        let text = std::fs::read_to_string(testkit::root().join(name)).unwrap();
        for block in json_blocks(&text) {
            if let Some(sources) = block.get("sources").and_then(serde_json::Value::as_object) {
                for (source, entry) in sources {
                    let parsed = Source::parse(source, entry);
                    assert!(parsed.is_ok(), "{name}: {source}: {parsed:?}");
                }
            } else {
                let recipe = Recipe::of_source("custom", block.as_object().unwrap());
                assert!(recipe.is_ok(), "{name}: {recipe:?}");
                recipes += 1;
            }
        }
    }
    assert!(recipes >= 2);
}

#[test]
fn the_sample_requests_of_presets_and_recipes_are_authentic() {
    let read = |name: &str| {
        let text = std::fs::read_to_string(testkit::root().join("events").join(name)).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let sources = read("sources.json");
    for (file, name) in [("github", "code"), ("custom", "forms")] {
        let source = Source::parse(name, &sources["sources"][name]).unwrap();
        let event = read(&format!("ingress/{file}.json"));
        assert_eq!(event["pathParameters"]["source"], name);
        let headers = event["headers"].as_object().unwrap();
        let header = |(name, value): (&String, &serde_json::Value)| {
            let name: http::HeaderName = name.parse().unwrap();
            (name, value.as_str().unwrap().parse().unwrap())
        };
        let headers = headers.iter().map(header).collect();
        let incoming = Incoming {
            method: "POST",
            query: "",
            headers: &headers,
            body: event["body"].as_str().unwrap().as_bytes(),
        };
        let verified = source.verify(&incoming, "", jiff::Timestamp::UNIX_EPOCH);
        let webhook = verified.unwrap_or_else(|error| panic!("{file}: {error}"));
        let content = source.recipe.content(webhook).unwrap();
        assert!(source.recipe.event(&content, &headers).is_ok(), "{file}");
    }
}
