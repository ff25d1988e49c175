//! `webhookctl endpoint check-url`: whether the endpoint policy allows a URL. The commands that set a URL
//! check it too.

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use serde::Serialize;
use std::io;
use std::net::IpAddr;
use webhook_gateway::delivery::http::guard::{Policy, Target, check_addresses};

/// Checks whether the public endpoint policy allows a URL, without calling it.
#[derive(Debug, Args)]
#[command(after_help = "\
This command needs no stack. It always prints JSON: {\"url\": …, \"verdict\": \"allow\" or \"deny\",
\"reason\": …} for each URL. The reason of an allowed URL is null. The command fails if any URL is denied. A
URL that begins with a hyphen comes after `--`.

Examples:
  webhookctl endpoint check-url https://search.example.com/hooks --resolve
  webhookctl endpoint check-url - < urls
  webhookctl endpoint check-url -- -https://example.com")]
pub(crate) struct CheckUrl {
    /// The URLs. A single `-` reads them from standard input, one on each line.
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
    /// Looks up the names and checks their addresses.
    #[arg(long)]
    resolve: bool,
}

/// The verdict on a URL.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Verdict<'a> {
    url: &'a str,
    verdict: &'static str,
    reason: Option<String>,
}

/// Prints for each URL whether the public policy allows it, always as JSON.
pub(crate) async fn run(arguments: CheckUrl) -> Result<()> {
    let urls = match &*arguments.urls {
        [only] if only == "-" => lines(&io::read_to_string(io::stdin())?),
        _ => arguments.urls,
    };
    let mut denied = 0;
    for url in &urls {
        let verdict = Verdict::of(url, check(url, Policy::Public, arguments.resolve).await);
        denied += usize::from(verdict.reason.is_some());
        Output::standard(true).json(&verdict)?;
    }
    match denied {
        0 => Ok(()),
        _ => Err(format!("{denied} of {} URLs are denied", urls.len()).into()),
    }
}

/// Rejects a URL that the stack's function would not call.
pub(crate) async fn refuse_unless_allowed(url: &str, stack: &Stack) -> Result<()> {
    let policy: Policy = stack.endpoint_policy()?.parse()?;
    check(url, policy, policy == Policy::Public).await
}

async fn check(url: &str, policy: Policy, resolve: bool) -> Result<()> {
    let target = Target::parse(url, policy)?;
    if resolve {
        check_addresses(&look_up(&target).await?, policy)?;
    }
    Ok(())
}

async fn look_up(target: &Target) -> Result<Vec<IpAddr>> {
    let host = target.host().to_string();
    let found = tokio::net::lookup_host((&*host, target.port())).await;
    let found = found.map_err(|error| {
        format!("the look-up of {host} failed: {error}; check the name and this machine's network")
    })?;
    Ok(found.map(|address| address.ip()).collect())
}

impl<'a> Verdict<'a> {
    fn of(url: &'a str, checked: Result<()>) -> Self {
        let reason = checked.err().map(|error| error.to_string());
        let verdict = if reason.is_none() { "allow" } else { "deny" };
        Self {
            url,
            verdict,
            reason,
        }
    }
}

/// The URLs, one on each line. White space is kept: the check denies a URL with white space.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        check: CheckUrl,
    }

    #[test]
    fn urls_that_begin_oddly_are_urls() {
        for (line, expected) in [
            (&["", "-"][..], &["-"][..]),
            (&["", ""], &[""]),
            (&["", " x", "-", "://"], &[" x", "-", "://"]),
            (&["", "--", "-x", "--resolve"], &["-x", "--resolve"]),
        ] {
            let line = Line::try_parse_from(line).unwrap();
            assert_eq!(line.check.urls, expected);
            assert!(!line.check.resolve);
        }
        let line = Line::try_parse_from(["", "a", "--resolve"]).unwrap();
        assert!(line.check.resolve);
        assert!(Line::try_parse_from([""]).is_err());
    }

    #[test]
    fn a_line_is_taken_as_it_stands() {
        assert_eq!(lines("a\r\n\n b \n"), ["a", "", " b "]);
    }

    #[tokio::test]
    async fn a_verdict_says_why() {
        let url = "https://hooks.example.com/";
        let allowed = Verdict::of(url, check(url, Policy::Public, false).await);
        let expected = json!({"url": url, "verdict": "allow", "reason": null});
        assert_eq!(json!(allowed), expected);
        for denied in ["", "-", "http://hooks.example.com", "https://127.0.0.1/"] {
            let verdict = json!(Verdict::of(
                denied,
                check(denied, Policy::Public, false).await
            ));
            assert_eq!(verdict["verdict"], "deny", "{denied}");
            assert!(verdict["reason"].is_string());
        }
    }

    #[tokio::test]
    async fn an_endpoint_gets_what_its_stack_allows() {
        let url = "http://localhost:1/";
        let unrestricted = Stack::with_outputs(&[("EndpointPolicy", "unrestricted")]);
        assert!(refuse_unless_allowed(url, &unrestricted).await.is_ok());
        for outputs in [
            &[("EndpointPolicy", "public")][..],
            &[("EndpointPolicy", "")],
            &[],
        ] {
            let stack = Stack::with_outputs(outputs);
            assert!(refuse_unless_allowed(url, &stack).await.is_err());
        }
    }
}
