//! A headless Chromium that is driven by ChromeDriver, and the console in it.

use crate::support::gateway::Gateway;
use crate::support::{PATIENCE, eventually};
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{Mutex, MutexGuard};

/// [axe-core](https://github.com/dequelabs/axe-core) 4.14.1, under the Mozilla Public License 2.0.
const AXE: &str = include_str!("axe-4.14.1.min.js");

/// What Chromium needs to run without a screen, as any user, and without calls of its own to the Internet.
const OPTIONS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// One browser at a time: several would slow each other beyond what a test waits for.
static BROWSER: Mutex<()> = Mutex::const_new(());

/// The console of a run, open in a browser.
pub(super) struct Screen {
    client: Client,
    pub(super) url: String,
    /// The printed link, which is used up.
    pub(super) link: String,
    _console: Process,
    _driver: Process,
    _alone: MutexGuard<'static, ()>,
}

/// A process that ends with its test.
struct Process {
    _child: Child,
    /// Read no further, but open: a process that cannot write would end.
    _output: Lines<BufReader<ChildStdout>>,
}

/// The colours that the system prefers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scheme {
    Light,
    Dark,
}

/// A command of ChromeDriver that WebDriver does not have.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

/// Starts a process and waits for the line that has `mark`; returns the text after it.
async fn start(mut command: Command, mark: &str) -> (Process, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = lines(child.stdout.take().unwrap());
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let line = output.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("ended without the line {mark}"));
            if let Some((_, rest)) = line.split_once(mark) {
                break rest.to_owned();
            }
        }
    });
    let found = found.await.unwrap();
    let process = Process {
        _child: child,
        _output: output,
    };
    (process, found)
}

fn lines<R: AsyncRead>(output: R) -> Lines<BufReader<R>> {
    BufReader::new(output).lines()
}

impl Screen {
    /// Starts the console with these options, and opens its link.
    pub(super) async fn open(gateway: &Gateway, options: &[&str]) -> Self {
        let alone = BROWSER.lock().await;
        let mut console = gateway.command();
        console.args(["console", "--no-open"]).args(options);
        let (console, rest) = start(console, "http://").await;
        let link = format!("http://{rest}");
        let url = link.split("/?").next().unwrap().to_owned();
        let mut driver = Command::new("chromedriver");
        driver.arg("--port=0");
        let (driver, port) = start(driver, "started successfully on port ").await;
        let port = port.trim_end_matches('.');
        let capabilities = json!({
            "goog:chromeOptions": {"args": OPTIONS},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let screen = Self {
            client,
            url,
            link,
            _console: console,
            _driver: driver,
            _alone: alone,
        };
        screen.client.goto(&screen.link).await.unwrap();
        screen
    }

    /// Ends the browser, which would outlive its driver.
    pub(super) async fn close(self) {
        self.client.close().await.unwrap();
    }

    // ---- What the operator does ----

    /// Goes to a path, and waits until all its panels are there.
    pub(super) async fn goto(&self, path: &str) {
        let url = format!("{}{path}", self.url);
        self.client.goto(&url).await.unwrap();
        self.settled().await;
    }

    /// Waits until nothing loads.
    pub(super) async fn settled(&self) {
        eventually("all panels of the page", || async {
            let busy = "return document.readyState === 'complete'
                && !document.querySelector('[aria-busy=true]')";
            (self.run(busy).await == json!(true)).then_some(())
        })
        .await;
    }

    /// Clicks the button, link or summary with this text.
    pub(super) async fn press(&self, text: &str) {
        let path =
            format!("//*[self::button or self::a or self::summary][normalize-space()=\"{text}\"]");
        let found = self.client.wait().at_most(PATIENCE);
        let found = found.for_element(Locator::XPath(&path)).await;
        let found = found.unwrap_or_else(|error| panic!("{text}: {error}"));
        // A user scrolls a button away from the bar, which stays at the top.
        let scroll = "arguments[0].scrollIntoView({block: 'center'})";
        let button = serde_json::to_value(&found).unwrap();
        self.client.execute(scroll, vec![button]).await.unwrap();
        found.click().await.unwrap();
    }

    /// Presses keys, wherever the focus is.
    pub(super) async fn keys(&self, keys: &str) {
        let pressed = keys
            .chars()
            .flat_map(|key| [KeyAction::Down { value: key }, KeyAction::Up { value: key }]);
        let actions = pressed.fold(KeyActions::new("keyboard".to_owned()), |actions, action| {
            actions.then(action)
        });
        self.client.perform_actions(actions).await.unwrap();
    }

    // ---- What the operator sees ----

    /// The visible text of the elements that a CSS selector finds.
    pub(super) async fn texts(&self, selector: &str) -> Vec<String> {
        let script =
            "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText.trim())";
        let found = self.client.execute(script, vec![json!(selector)]).await;
        serde_json::from_value(found.unwrap()).unwrap()
    }

    /// Waits until the text of an element that a selector finds has a part.
    pub(super) async fn shows(&self, selector: &str, part: &str) -> String {
        let what = format!("{part:?} in {selector}");
        eventually(&what, || async {
            let texts = self.texts(selector).await;
            texts.into_iter().find(|text| text.contains(part))
        })
        .await
    }

    /// Waits until the element with this text has the focus.
    pub(super) async fn focuses(&self, text: &str) {
        eventually(&format!("the focus on {text}"), || async {
            let focused = self.run("return document.activeElement.innerText").await;
            (focused == json!(text)).then_some(())
        })
        .await;
    }

    /// Waits until the address has a part, and the page is there.
    pub(super) async fn comes_to(&self, part: &str) {
        eventually(&format!("the address {part}"), || async {
            self.path().await.contains(part).then_some(())
        })
        .await;
        self.settled().await;
    }

    /// The path and query of the page.
    pub(super) async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.as_str().strip_prefix(&self.url).unwrap().to_owned()
    }

    /// The result of a script.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// What axe-core finds wrong: the rule, and the elements.
    pub(super) async fn violations(&self) -> Vec<String> {
        self.client.execute(AXE, Vec::new()).await.unwrap();
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document).then(found => done(found.violations.map(one =>
                `${one.id}: ${one.nodes.map(node => node.html.slice(0, 160)).join(' | ')}`)));";
        let found = self.client.execute_async(script, Vec::new()).await;
        serde_json::from_value(found.unwrap()).unwrap()
    }

    /// What reaches beyond the right edge of the window, if the page scrolls sideways.
    pub(super) async fn too_wide(&self) -> Vec<String> {
        let script = "const edge = window.innerWidth;
            if (document.documentElement.scrollWidth <= edge) return [];
            const parts = [...document.querySelectorAll('body *')];
            const wide = parts.filter(part => part.getBoundingClientRect().right > edge);
            return ['the page', ...wide.map(part => part.outerHTML.slice(0, 120))].slice(0, 20)";
        serde_json::from_value(self.run(script).await).unwrap()
    }

    /// Whether the parts of the page stand in the order in which they are read.
    pub(super) async fn is_in_order(&self) -> bool {
        let script = "const parts = [...document.querySelectorAll('main > *')];
            const tops = parts.map(part => part.getBoundingClientRect().top);
            return tops.every((top, place) => place === 0 || tops[place - 1] <= top)";
        self.run(script).await == json!(true)
    }

    pub(super) async fn look(&self, scheme: Scheme, width: u32) {
        let scheme = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    /// Writes a picture of the whole page to `target/console/NAME.png`.
    pub(super) async fn picture(&self, name: &str) {
        use base64::Engine;
        let whole = json!({"captureBeyondViewport": true});
        let shot = self.devtools("Page.captureScreenshot", whole).await;
        let bytes = base64::prelude::BASE64_STANDARD.decode(shot["data"].as_str().unwrap());
        let folder = pictures();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes.unwrap()).unwrap();
    }

    /// Asserts that no page wrote an error to the browser's console, and that every request so far went to
    /// the console of the gateway.
    pub(super) async fn assert_quiet(&self) {
        let errors: Vec<_> = self.log("browser").await;
        let severe: Vec<_> = errors
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .collect();
        assert!(severe.is_empty(), "{severe:?}");
        for entry in self.log("performance").await {
            let entry: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let message = &entry["message"];
            if message["method"] == "Network.requestWillBeSent" {
                let url = message["params"]["request"]["url"].as_str().unwrap();
                assert!(url.starts_with(&self.url), "{url}");
            }
        }
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let read = Extension {
            path: "se/log",
            body: json!({"type": kind}),
        };
        let read = self.client.issue_cmd(read).await.unwrap();
        read.as_array().unwrap().clone()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let run = Extension {
            path: "goog/cdp/execute",
            body: json!({"cmd": command, "params": parameters}),
        };
        self.client.issue_cmd(run).await.unwrap()
    }
}

/// Where the pictures of all screens go.
pub(super) fn pictures() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    testkit::root().join(target).join("console")
}
