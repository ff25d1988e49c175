//! The operator's tool with the AWS of one test, which it takes for the local stack.

use crate::aws::Aws;
use crate::function::Function;
use crate::template::Template;
use crate::tool;
use crate::webhook::{creative_force, signed};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// Runs a command at a terminal of its own, as the session's leader, and writes everything that the terminal
/// shows.
const TERMINAL: &str = r#"
import os, pty, select, sys, termios, time

asks, typed, command = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
seen, deadline = b"", time.monotonic() + 20
is_to_type = bool(typed)
while True:
    shows = termios.tcgetattr(terminal)[3] & termios.ECHO
    if is_to_type and asks in seen and (not shows or time.monotonic() > deadline):
        os.write(terminal, typed)
        is_to_type = False
    if not select.select([terminal], [], [], 0.02 if is_to_type else None)[0]:
        continue
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    seen += part
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
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
        let mut command = Command::new(tool("python3"));
        command.args(["-c", TERMINAL, asks, typed]);
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
        let file = self.home.path().join(".local/outputs.json");
        let mut outputs: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        outputs[name] = json!(value);
        std::fs::write(file, outputs.to_string()).unwrap();
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
