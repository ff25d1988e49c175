//! Which lines the functions log. The level is the one that Lambda is configured with, but only for the
//! gateway's own code: at `DEBUG` and `TRACE`, libraries print requests, answers and headers, with bodies and
//! secrets.

use lambda_runtime::tracing::subscriber::filter::{LevelFilter, Targets};
use lambda_runtime::tracing::subscriber::layer::SubscriberExt;
use lambda_runtime::tracing::subscriber::util::SubscriberInitExt;
use lambda_runtime::tracing::subscriber::{fmt, registry};

/// The most that libraries log.
const LIBRARIES: LevelFilter = LevelFilter::INFO;

/// Where the gateway's own lines come from: this library and its two functions.
const OWN: [&str; 3] = ["webhook_gateway", "ingress", "delivery"];

/// Starts the log of a function, on standard output, in the level and the format that Lambda asks for.
pub fn init() {
    let asked_for = |name| std::env::var(name).unwrap_or_default();
    let lines = fmt::layer().with_target(false).without_time();
    let log = registry().with(filter(level(&asked_for("AWS_LAMBDA_LOG_LEVEL"))));
    if asked_for("AWS_LAMBDA_LOG_FORMAT").eq_ignore_ascii_case("json") {
        log.with(lines.json()).init();
    } else {
        log.with(lines).init();
    }
}

/// The level of a name. An empty name would be `ERROR`.
fn level(name: &str) -> LevelFilter {
    let name = Some(name).filter(|name| !name.is_empty());
    let level = name.and_then(|name| name.parse().ok());
    level.unwrap_or(LevelFilter::INFO)
}

fn filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LIBRARIES))
        .with_targets(OWN.map(|target| (target, level)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_runtime::tracing::Level;

    #[test]
    fn libraries_log_no_more_than_info_whatever_is_asked_for() {
        for target in [
            "lambda_runtime::layers::api_response",
            "aws_smithy_runtime::client::orchestrator",
            "hyper::proto::h1::io",
            "rustls::client::hs",
            "webhook",
        ] {
            let finest = filter(LevelFilter::TRACE);
            assert!(!finest.would_enable(target, &Level::TRACE), "{target}");
            assert!(!finest.would_enable(target, &Level::DEBUG), "{target}");
            assert!(finest.would_enable(target, &Level::INFO), "{target}");
            let coarse = filter(LevelFilter::ERROR);
            assert!(!coarse.would_enable(target, &Level::WARN), "{target}");
        }
    }

    #[test]
    fn own_lines_follow_the_level() {
        for target in ["webhook_gateway::ingress::fanout", "ingress", "delivery"] {
            assert!(filter(LevelFilter::DEBUG).would_enable(target, &Level::DEBUG));
            assert!(!filter(LevelFilter::INFO).would_enable(target, &Level::DEBUG));
        }
    }

    #[test]
    fn without_a_level_it_is_info() {
        for (name, expected) in [
            ("", LevelFilter::INFO),
            ("LOUD", LevelFilter::INFO),
            ("DEBUG", LevelFilter::DEBUG),
            ("ERROR", LevelFilter::ERROR),
        ] {
            assert_eq!(level(name), expected, "{name}");
        }
    }
}
