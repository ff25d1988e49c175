//! Every vector of `ssrf.json`, by the connections that are made.

use super::tls::{acceptor, certificate, trusting};
use super::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    stage: String,
    url: String,
    verdict: String,
    #[serde(default)]
    resolves_to: Vec<IpAddr>,
    resolves_sequence: Option<Vec<Vec<IpAddr>>>,
    dns_error: Option<String>,
    first_connect: Option<String>,
    connect_to: Option<Vec<IpAddr>>,
    status: Option<u16>,
    location: Option<String>,
}

impl Case {
    fn target(&self) -> Result<Target, Denied> {
        Target::parse(&self.url, Policy::Public)
    }

    fn network(&self, server: SocketAddr) -> Recorded {
        let found = vec![self.resolves_to.clone()];
        let found = self.resolves_sequence.clone().unwrap_or(found);
        let answers = found
            .into_iter()
            .map(|address| self.dns_error.is_none().then_some(address));
        let mut network = Recorded::leading_to(server).resolving(answers);
        // All addresses but the last refuse, so that all of them are tried.
        network.refusing = in_order(&self.resolves_to);
        if self.first_connect.is_none() {
            network.refusing.pop();
        }
        network
    }

    fn answer(&self) -> String {
        match (self.status, &self.location) {
            (Some(status), Some(location)) => {
                format!("HTTP/1.1 {status} X\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
            }
            _ => OK.to_owned(),
        }
    }

    /// The only addresses that may be connected to, all of which are.
    fn dialled(&self) -> Vec<IpAddr> {
        let none = self.stage != "redirect" && self.verdict == "deny";
        let tried = if none {
            vec![]
        } else {
            self.resolves_to.clone()
        };
        in_order(&self.connect_to.clone().unwrap_or(tried))
    }

    /// The status of the reply, or the class of the failure.
    fn outcome(&self) -> Result<u16, &'static str> {
        match (self.first_connect.is_some(), self.status) {
            _ if self.resolves_to.is_empty() => Err("dns"),
            (true, _) => Err("refused"),
            (_, Some(status)) => Ok(status),
            _ if self.verdict == "deny" => Err("guard"),
            _ => Ok(200),
        }
    }
}

/// The order in which these are tried.
fn in_order(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let addresses: Vec<_> = addresses
        .iter()
        .map(|address| (*address, 443).into())
        .collect();
    let ordered = ordered(&addresses, None);
    ordered.iter().map(SocketAddr::ip).collect()
}

#[tokio::test]
async fn every_vector_makes_the_connections_it_may_make_and_no_other() {
    let cases = include_str!("../../../../../tests/vectors/ssrf.json");
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    let targets = cases.iter().filter_map(|case| case.target().ok());
    let names: Vec<String> = targets.map(|target| target.host().to_string()).collect();
    let certificate = certificate(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let (acceptor, tls) = (acceptor(&certificate), trusting(&certificate));
    for case in cases {
        let Ok(target) = case.target() else {
            // A sender takes targets only, so that there is nothing to send.
            assert_eq!(
                (case.stage.as_str(), case.verdict.as_str()),
                ("url", "deny")
            );
            continue;
        };
        let (acceptor, text) = (acceptor.clone(), case.answer());
        let serve = move |stream| {
            let (acceptor, text) = (acceptor.clone(), text.clone());
            async move { answer(acceptor.accept(stream).await.unwrap(), text).await }
        };
        let sender = sender(case.network(server(serve).await.0), Some(tls.clone()));
        let request = Request {
            target,
            ..request("http://unused/")
        };
        let outcome = sender.post(request, &Notify::new()).await;
        let outcome = outcome
            .map(|reply| reply.status)
            .map_err(|reply| reply.class());
        assert_eq!(outcome, case.outcome(), "{}", case.id);
        assert_eq!(sender.network.dialled(), case.dialled(), "{}", case.id);
        assert_eq!(sender.network.lookups(), 1, "{}", case.id);
    }
}
