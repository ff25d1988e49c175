//! The HTTPS client of all AWS clients. It trusts Amazon's own certificate authorities.
//!
//! The certificates of AWS come from [Amazon's authorities](https://www.amazontrust.com/repository/). The
//! system knows 140 others. To read those takes longer than the rest of a function's start, in CPU time.

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use base64::{Engine, engine::general_purpose::STANDARD};
use memchr::memmem;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// The files with the authorities of the system, on Lambda and on Debian.
const SYSTEM: [&str; 2] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
];

/// The regions where AWS may use other authorities begin like this: those of the partitions besides `aws`.
const OTHER_PARTITIONS: [&str; 5] = ["cn-", "us-gov-", "us-iso", "eu-iso", "eusc-"];

/// The certificates of Amazon's authorities have one of these names.
const AMAZON: [&[u8]; 2] = [b"Amazon", b"Starfield Services"];

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The client that the SDK would make, apart from its authorities.
pub(super) fn client() -> SharedHttpClient {
    let trust_store = trust_store();
    Builder::new().build_with_connector_fn(move |settings, components| {
        let tls = TlsContext::builder().with_trust_store(trust_store.clone());
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        let mut connector = connector.tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        if let Ok(tls) = tls.build() {
            connector.set_tls_context(tls);
        }
        connector.build()
    })
}

/// Amazon's authorities of those that the system knows, or all of the system's.
fn trust_store() -> TrustStore {
    let mut variables = std::env::vars_os();
    if variables
        .any(|(name, value)| leads_elsewhere(&name.to_string_lossy(), &value.to_string_lossy()))
    {
        return TrustStore::default();
    }
    let mut files = SYSTEM.iter();
    let system = files.find_map(|file| std::fs::read_to_string(file).ok());
    match amazon_of(&system.unwrap_or_default()) {
        amazon if amazon.is_empty() => TrustStore::default(),
        amazon => TrustStore::empty().with_pem_certificate(amazon),
    }
}

/// Whether a variable of the environment names other authorities than Amazon's, or a host that may have a
/// certificate of others.
fn leads_elsewhere(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    match &*name {
        "AWS_REGION" => OTHER_PARTITIONS
            .iter()
            .any(|beginning| value.starts_with(beginning)),
        "SSL_CERT_FILE" | "SSL_CERT_DIR" => true,
        name if name.starts_with("AWS_ENDPOINT_URL") => value.starts_with("https:"),
        name => name.ends_with("_PROXY"),
    }
}

/// The certificates of Amazon's authorities among others, all in PEM.
fn amazon_of(certificates: &str) -> String {
    let blocks = certificates.split_inclusive(END);
    let blocks = blocks.filter_map(|block| Some(&block[block.find(BEGIN)?..]));
    blocks
        .filter(|block| der(block).is_some_and(is_amazon))
        .flat_map(|block| [block, "\n"])
        .collect()
}

fn der(block: &str) -> Option<Vec<u8>> {
    let digits = block.strip_prefix(BEGIN)?.strip_suffix(END)?;
    STANDARD.decode(digits.lines().collect::<String>()).ok()
}

/// Whether a certificate is one of Amazon's, and one that the client can use: it ends the process if not.
fn is_amazon(der: Vec<u8>) -> bool {
    let mut names = AMAZON.iter();
    names.any(|name| memmem::find(&der, name).is_some())
        && RootCertStore::empty()
            .add(CertificateDer::from(der))
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

    fn authority(name: &str) -> String {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .pem()
    }

    #[test]
    fn other_authorities_are_trusted_where_they_may_be_needed() {
        for (name, value, expected) in [
            ("AWS_REGION", "eu-central-1", false),
            ("AWS_REGION", "us-east-1", false),
            ("AWS_REGION", "cn-north-1", true),
            ("AWS_REGION", "us-gov-west-1", true),
            ("AWS_REGION", "eusc-de-east-1", true),
            ("SSL_CERT_FILE", "/var/task/ca.pem", true),
            ("SSL_CERT_DIR", "/var/task/ca", true),
            ("HTTPS_PROXY", "http://proxy.example.com", true),
            ("https_proxy", "http://proxy.example.com", true),
            ("AWS_ENDPOINT_URL", "http://localhost:4566", false),
            ("AWS_ENDPOINT_URL_SQS", "https://localhost:4566", true),
            (
                "EVENTS_QUEUE_URL",
                "https://sqs.eu-central-1.amazonaws.com/1/e",
                false,
            ),
        ] {
            assert_eq!(leads_elsewhere(name, value), expected, "{name}={value}");
        }
    }

    #[test]
    fn of_the_authorities_of_a_system_only_amazons_are_trusted() {
        let amazon = ["Amazon Root CA 5", "Starfield Services Root CA"].map(authority);
        let other = ["Starfield Root CA", "Example Root CA"].map(authority);
        let system = format!(
            "# A comment\n{}{}# Another\n{}{}",
            other[0], amazon[0], amazon[1], other[1]
        );
        let plain = |pem: &str| pem.replace("\r\n", "\n");
        assert_eq!(plain(&amazon_of(&system)), plain(&amazon.concat()));
        let unusable = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode("Amazon"));
        for none in ["", "no certificate", END, BEGIN, &unusable, &other.concat()] {
            assert_eq!(amazon_of(none), "", "{none}");
        }
    }
}
