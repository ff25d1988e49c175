//! The operator's tool with the AWS of one test, which it takes for the local stack.

use crate::aws::Aws;
use crate::function::Function;
use crate::template::Template;
use crate::webhook::{creative_force, signed};
use crate::{PATIENCE, tool};
use serde_json::{Map, Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Runs a command at a terminal of its own, as the session's leader, and writes everything that the terminal
/// shows. It types each text as soon as the terminal has shown what asks for it. The command must leave the
/// terminal as it was.
const TERMINAL: &str = r#"
import json, os, pty, select, sys, termios, time

steps, command = json.loads(sys.argv[1]), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
before = termios.tcgetattr(terminal)
seen, answered, deadline = b"", 0, time.monotonic() + 20
while True:
    if steps:
        asks, typed = (text.encode() for text in steps[0])
        at = seen.find(asks, answered)
        shows = termios.tcgetattr(terminal)[3] & termios.ECHO
        if at >= 0 and (not shows or time.monotonic() > deadline):
            os.write(terminal, typed)
            answered = at + len(asks)
            del steps[0]
    if not select.select([terminal], [], [], 0.02 if steps else None)[0]:
        continue
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    seen += part
sys.stdout.buffer.write(seen)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
if termios.tcgetattr(terminal) != before:
    sys.exit("the terminal is not as it was")
sys.exit(code)
"#;

/// A folder in which the tool finds the stack.
pub struct Operator {
    home: tempfile::TempDir,
}

/// The exit code of the tool, and its output.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: Option<i32>,
    pub output: String,
    pub notes: String,
}

impl CommandOutput {
    /// Whether the tool succeeded.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// The lines of the output as JSON; asserts success.
    pub fn json(&self) -> Vec<Value> {
        assert!(self.is_success(), "{self:?}");
        self.lines()
    }

    /// The lines of the output as JSON. The command may have failed in part.
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.output.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The error of a rejected or failed command, in `--json`.
    pub fn error(&self) -> String {
        assert!(matches!(self.code, Some(1 | 2)), "{self:?}");
        let error: Value = serde_json::from_str(self.notes.lines().last().unwrap()).unwrap();
        error["error"].as_str().unwrap().to_owned()
    }
}

impl Operator {
    /// The operator of this AWS, whose key encrypts the endpoints' secrets.
    pub async fn of(aws: &Aws) -> Self {
        Self::behind(aws, aws.url()).await
    }

    /// The same, for a stack that may use a consumer's key.
    pub async fn allowing(aws: &Aws, key: &str) -> Self {
        Self::with(aws, aws.url(), json!({"AllowedConsumerKeyArns": key})).await
    }

    /// The same, behind a proxy at this endpoint.
    pub async fn behind(aws: &Aws, endpoint: &str) -> Self {
        Self::with(aws, endpoint, json!({})).await
    }

    async fn with(aws: &Aws, endpoint: &str, mut outputs: Value) -> Self {
        let mut key = aws.call("TrentService.CreateKey", &json!({})).await;
        let all = outputs.as_object_mut().unwrap();
        all.extend(Template::deployed().outputs(aws.url()));
        all.extend([
            ("AwsEndpointUrl".to_owned(), json!(endpoint)),
            ("AwsRegion".to_owned(), json!("us-east-1")),
            ("SecretsKeyArn".to_owned(), key["KeyMetadata"]["Arn"].take()),
        ]);
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".local")).unwrap();
        std::fs::write(home.path().join(".local/outputs.json"), outputs.to_string()).unwrap();
        Self { home }
    }

    /// Runs the tool with `--json` to its end.
    pub async fn run(&self, arguments: &[&str]) -> CommandOutput {
        self.run_with(arguments, "").await
    }

    /// The same, with a standard input.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> CommandOutput {
        finish_with(self.start(arguments), input).await
    }

    /// Runs a command line that the tool printed, with `--json`.
    pub async fn follow(&self, command: &str, input: &str) -> CommandOutput {
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.run_with(&words, input).await
    }

    /// Starts the tool with `--json`.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let arguments = [&["--json"], arguments].concat();
        self.command(&arguments).spawn().unwrap()
    }

    /// Runs the tool to its end, without `--json`.
    pub async fn run_plain(&self, arguments: &[&str], input: &str) -> CommandOutput {
        finish_with(self.command(arguments).spawn().unwrap(), input).await
    }

    /// Runs the tool at a terminal and types a text, if there is one, as soon as the tool asks for it and the
    /// terminal no longer shows typed text. Returns everything that the terminal has shown.
    pub async fn run_at_terminal(
        &self,
        arguments: &[&str],
        asks: &str,
        typed: &str,
    ) -> CommandOutput {
        let steps = [(asks, typed)];
        let steps = if typed.is_empty() { &[] } else { &steps[..] };
        self.type_at_terminal(arguments, steps).await
    }

    /// The same, with several texts to type: each as soon as the terminal has shown, after the one before,
    /// what asks for it.
    pub async fn type_at_terminal(
        &self,
        arguments: &[&str],
        steps: &[(&str, &str)],
    ) -> CommandOutput {
        let mut command = Command::new(tool("python3"));
        command.args(["-c", TERMINAL, &json!(steps).to_string()]);
        command.arg(crate::binary("webhookctl"));
        let tool = self.prepare(command.args(arguments)).spawn().unwrap();
        finish(tool).await
    }

    /// The tool with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(crate::binary("webhookctl"));
        self.prepare(command.args(arguments));
        command
    }

    fn prepare<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .current_dir(self.home.path())
            .env_remove("WEBHOOK_GATEWAY_STACK")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
    }

    /// Changes an output of the stack.
    pub fn set_output(&self, name: &str, value: &str) {
        self.edit_outputs(|outputs| {
            outputs.insert(name.to_owned(), json!(value));
        });
    }

    /// Removes an output of the stack, as an older template does not have it.
    pub fn remove_output(&self, name: &str) {
        self.edit_outputs(|outputs| {
            outputs.remove(name);
        });
    }

    fn edit_outputs(&self, edit: impl FnOnce(&mut Map<String, Value>)) {
        let file = self.home.path().join(".local/outputs.json");
        let mut outputs: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        edit(outputs.as_object_mut().unwrap());
        std::fs::write(file, outputs.to_string()).unwrap();
    }
}

/// The words of a command of the tool, after its name. Only single quotes keep words together.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, part) in command.split('\'').enumerate() {
        let mut pieces = if at % 2 == 1 {
            vec![part]
        } else {
            part.split(' ').collect()
        }
        .into_iter();
        words
            .last_mut()
            .unwrap()
            .push_str(pieces.next().unwrap_or_default());
        words.extend(pieces.map(str::to_owned));
    }
    words.split_off(1)
}

/// A running `webhookctl listen --json`.
pub struct Listening {
    tool: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it printed first: its name, its queue and its secret.
    pub started: Value,
}

impl Listening {
    /// The started tool, once it listens.
    pub async fn of(mut tool: Child) -> Self {
        let mut lines = BufReader::new(tool.stdout.take().unwrap()).lines();
        let Ok(Some(first)) = lines.next_line().await else {
            panic!("it does not listen: {:?}", finish(tool).await);
        };
        Self {
            tool,
            lines,
            started: serde_json::from_str(&first).unwrap(),
        }
    }

    /// The name of its subscription.
    pub fn name(&self) -> &str {
        self.started["listener"].as_str().unwrap()
    }

    /// The URL of its queue.
    pub fn queue_url(&self) -> &str {
        self.started["queue_url"].as_str().unwrap()
    }

    /// The secret that signs its copies.
    pub fn secret(&self) -> &str {
        self.started["secret"].as_str().unwrap()
    }

    /// The next line that it prints.
    pub async fn line(&mut self) -> Value {
        let next = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = next.expect("a line").unwrap().expect("a line");
        serde_json::from_str(&line).unwrap()
    }

    /// Sends a signal, such as `-INT`, and waits for the end. The lines that were not read are lost.
    pub async fn end(self, signal: &str) -> CommandOutput {
        let pid = self.tool.id().unwrap().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().await;
        assert!(sent.unwrap().success());
        self.finish().await
    }

    /// Waits for the end.
    pub async fn finish(mut self) -> CommandOutput {
        // It must not wait for somebody to read what it prints.
        while let Ok(Some(_)) = self.lines.next_line().await {}
        finish(self.tool).await
    }
}

/// Gives a started tool its standard input, and waits for its end.
pub async fn finish_with(mut tool: Child, input: &str) -> CommandOutput {
    let mut stdin = tool.stdin.take().unwrap();
    // A tool that reads no input may have ended already.
    stdin.write_all(input.as_bytes()).await.ok();
    drop(stdin);
    finish(tool).await
}

/// Waits for the end of a started tool.
pub async fn finish(tool: Child) -> CommandOutput {
    let done = tool.wait_with_output().await.unwrap();
    CommandOutput {
        code: done.status.code(),
        output: String::from_utf8(done.stdout).unwrap(),
        notes: String::from_utf8(done.stderr).unwrap(),
    }
}

/// Sends webhooks of Creative Force with these ids, and publishes them.
pub async fn accept(aws: &mut Aws, ingress: &mut Function, ids: &[&str]) {
    for id in ids {
        let webhook = signed("studio", &creative_force(id, ""));
        ingress.accept(&webhook).await;
    }
    aws.drain_stream(ingress).await;
}

/// A member of each of these objects.
pub fn column<'a>(objects: &'a [Value], name: &str) -> Vec<&'a str> {
    objects
        .iter()
        .map(|object| object[name].as_str().unwrap())
        .collect()
}
