//! The flags that `endpoint create` and `endpoint update` share.

use super::parse;
use crate::Result;
use crate::commands::source::read_secret;
use clap::Args;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use webhook_gateway::delivery::signing;
use webhook_gateway::store::endpoints::{Endpoint, Format, Scheme};

#[derive(Debug, Default, Args)]
pub(crate) struct Settings {
    /// The event types that go to the endpoint, with `*` for any characters. By default all do.
    #[arg(long = "event", value_name = "PATTERN", value_parser = parse::pattern)]
    events: Vec<String>,
    /// The sources whose events go to the endpoint. By default those of all sources do.
    #[arg(long = "source", value_name = "NAME", value_parser = parse::source)]
    sources: Vec<String>,
    /// A further header of each request.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = parse::header)]
    headers: Vec<(String, String)>,
    /// The name of a further header whose value, a credential, is read from standard input.
    #[arg(long, value_name = "NAME", value_parser = parse::header_name)]
    header_stdin: Option<String>,
    /// The purpose of the endpoint.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    description: Option<String>,
    /// The timeout of an attempt, 1s to 30s. The default is 20s.
    #[arg(long, value_name = "DURATION", value_parser = parse::timeout)]
    timeout: Option<u64>,
    /// The waits between attempts, such as 5s,5m,2h. By default there are 11 waits over 2.8 days.
    #[arg(long, value_name = "WAITS", value_parser = parse::waits)]
    retry: Option<parse::Waits>,
    /// Makes a single attempt.
    #[arg(long, conflicts_with = "retry")]
    no_retry: bool,
    /// The most deliveries per second, 1 to 1000. By default there is no limit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: Option<u32>,
    /// The format of the body: the event as a CloudEvent, or the provider's own bytes. The default is
    /// cloudevents.
    #[arg(
        long,
        value_parser = PossibleValuesParser::new(["cloudevents", "raw"]).try_map(parse::named::<Format>),
    )]
    format: Option<Format>,
    /// The signature scheme of requests. The default is standard-webhooks.
    #[arg(
        long,
        value_name = "SCHEME",
        value_parser = PossibleValuesParser::new(["standard-webhooks", "hmac-sha256-hex"])
            .try_map(parse::named::<Scheme>),
    )]
    signature: Option<Scheme>,
    /// The header with the signature, for hmac-sha256-hex.
    #[arg(long, value_name = "NAME", value_parser = parse::header_name)]
    signature_header: Option<String>,
    /// The text before the signature, such as sha256=, for hmac-sha256-hex.
    #[arg(long, value_name = "TEXT", value_parser = parse::prefix)]
    signature_prefix: Option<String>,
}

impl Settings {
    /// Reads the header whose value is on standard input. An argument would be in the shell's history and
    /// in the list of processes.
    pub(crate) fn read(&mut self) -> Result<()> {
        if let Some(name) = self.header_stdin.take() {
            let value = parse::printable(&read_secret()?)?;
            self.headers.push((name, value));
        }
        Ok(())
    }

    /// Changes the settings that the flags name.
    pub(crate) fn apply(self, endpoint: &mut Endpoint) -> Result<()> {
        if !self.events.is_empty() {
            endpoint.events = self.events;
        }
        if !self.sources.is_empty() {
            endpoint.sources = self.sources;
        }
        if !self.headers.is_empty() {
            endpoint.headers = self.headers;
        }
        if let Some(description) = self.description {
            endpoint.description = Some(description);
        }
        if let Some(timeout) = self.timeout {
            endpoint.timeout = timeout;
        }
        if let Some(parse::Waits(retry)) = self.retry {
            endpoint.retry = retry;
        }
        if self.no_retry {
            endpoint.retry.clear();
        }
        endpoint.rate = self.rate.or(endpoint.rate);
        endpoint.format = self.format.unwrap_or(endpoint.format);
        endpoint.signature = self.signature.unwrap_or(endpoint.signature);
        sign(endpoint, self.signature_header, self.signature_prefix)?;
        check_headers(endpoint)
    }
}

/// Sets the header and the prefix of the signature. Only one scheme has them.
fn sign(endpoint: &mut Endpoint, header: Option<String>, prefix: Option<String>) -> Result<()> {
    match endpoint.signature {
        Scheme::StandardWebhooks if header.is_some() || prefix.is_some() => {
            return Err(
                "--signature-header and --signature-prefix need --signature hmac-sha256-hex: \
                    standard-webhooks has its own headers"
                    .into(),
            );
        }
        Scheme::StandardWebhooks => {
            endpoint.signature_header = None;
            endpoint.signature_prefix = None;
        }
        Scheme::HmacSha256Hex => {
            endpoint.signature_header = header.or(endpoint.signature_header.take());
            endpoint.signature_prefix = prefix.or(endpoint.signature_prefix.take());
            if endpoint.signature_header.is_none() {
                return Err(
                    "hmac-sha256-hex needs --signature-header with the header that the receiver \
                    reads, such as X-Signature"
                        .into(),
                );
            }
        }
    }
    Ok(())
}

/// Rejects too many headers, and a header that is set twice: receivers differ in which value they read.
fn check_headers(endpoint: &Endpoint) -> Result<()> {
    signing::check_headers(&endpoint.headers)?;
    let headers = endpoint.headers.iter().map(|(name, _)| name);
    let names: Vec<_> = headers.chain(&endpoint.signature_header).collect();
    for (at, name) in names.iter().enumerate() {
        let later = names.iter().skip(at + 1);
        if later
            .into_iter()
            .any(|other| other.eq_ignore_ascii_case(name))
        {
            return Err(format!("the header {name} is set twice").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::named;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn before() -> Endpoint {
        named("search", "https://a.example/")
    }

    fn applied(endpoint: &Endpoint, flags: &[&str]) -> std::result::Result<Endpoint, String> {
        let line = ["webhookctl"].into_iter().chain(flags.iter().copied());
        let line = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        let mut endpoint = endpoint.clone();
        let applied = line.settings.apply(&mut endpoint);
        applied
            .map(|()| endpoint)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn no_flag_changes_nothing() {
        assert_eq!(applied(&before(), &[]), Ok(before()));
    }

    #[test]
    fn each_flag_changes_its_own_member() {
        let mut expected = before();
        expected.events = vec!["a.*".to_owned(), "b".to_owned()];
        expected.sources = vec!["studio".to_owned()];
        expected.headers = vec![("X-Env".to_owned(), "test".to_owned())];
        expected.description = Some("for search".to_owned());
        expected.timeout = 5;
        expected.retry = vec![5, 300];
        expected.rate = Some(1000);
        expected.format = Format::Raw;
        expected.signature = Scheme::HmacSha256Hex;
        expected.signature_header = Some("X-Signature".to_owned());
        expected.signature_prefix = Some("sha256=".to_owned());
        let flags = "--event a.* --event b --source studio --header X-Env:test --timeout 5s --retry 5s,5m \
            --rate 1000 --format raw --signature hmac-sha256-hex --signature-header X-Signature \
            --signature-prefix sha256=";
        let mut flags: Vec<_> = flags.split(' ').collect();
        flags.extend(["--description", "for search"]);
        let changed = applied(&before(), &flags).unwrap();
        assert_eq!(changed, expected);
        assert_eq!(applied(&changed, &[]), Ok(expected));

        let once = applied(&changed, &["--no-retry"]).unwrap();
        assert_eq!(once.retry, [0_u64; 0]);
    }

    #[test]
    fn where_a_signature_stands_is_said_exactly_where_it_is_open() {
        let refused = |flags: &[&str]| applied(&before(), flags).unwrap_err();
        let hmac = ["--signature", "hmac-sha256-hex"];
        assert!(refused(&hmac).contains("needs --signature-header"));
        for flag in ["--signature-header", "--signature-prefix"] {
            assert!(refused(&[flag, "X"]).contains("need --signature"), "{flag}");
        }
        let hmac = [&hmac[..], &["--signature-header", "X-Signature"]].concat();
        let endpoint = applied(&before(), &hmac).unwrap();
        let back = applied(&endpoint, &["--signature", "standard-webhooks"]);
        assert_eq!(back, Ok(before()));
    }

    #[test]
    fn headers_are_as_many_and_as_long_as_requests_take() {
        let many: Vec<_> = (0..33)
            .map(|number| format!("--header=X-{number}: a"))
            .collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(applied(&before(), &many[..32]).is_ok());
        let refused = applied(&before(), &many).unwrap_err();
        assert!(refused.contains("at most 32"), "{refused}");
        let long = format!("--header=X-Long: {}", "a".repeat(8192));
        let refused = applied(&before(), &[&long]).unwrap_err();
        assert!(refused.contains("at most 8192"), "{refused}");
        assert!(!refused.contains("aaa"), "{refused}");
    }

    #[test]
    fn a_header_is_there_once() {
        let hmac = "--signature hmac-sha256-hex --signature-header X-Signature --header";
        let hmac: Vec<_> = hmac.split(' ').chain(["x-signature: a"]).collect();
        let twice = ["--header", "X-Env: a", "--header", "x-env: b"];
        for flags in [&hmac[..], &twice] {
            let refused = applied(&before(), flags).unwrap_err();
            assert!(refused.contains("twice"), "{refused}");
        }
    }

    #[test]
    fn what_no_flag_takes_is_refused() {
        for flags in [
            ["--rate", "0"],
            ["--rate", "1001"],
            ["--timeout", "500ms"],
            ["--retry", "13h"],
            ["--format", "xml"],
            ["--signature", "none"],
            ["--event", ""],
            ["--source", ""],
            ["--header", "Host: a"],
            ["--signature-prefix", "ä"],
            ["--description", ""],
            ["--signature-prefix", ""],
        ] {
            let refused = applied(&before(), &flags).unwrap_err();
            assert!(refused.contains(flags[0]), "{refused}");
        }
    }
}
