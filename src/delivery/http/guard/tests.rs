use super::*;
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Case {
    id: String,
    stage: String,
    url: String,
    refusal: Option<String>,
    #[serde(default)]
    resolves_to: Vec<IpAddr>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../../tests/vectors/ssrf.json")).unwrap()
}

fn parse(url: &str) -> Result<Target, Denied> {
    Target::parse(url, Policy::Public)
}

#[test]
fn every_vector_has_its_verdict_and_its_reason() {
    let mut reasons = BTreeSet::new();
    for case in cases() {
        let found = match case.stage.as_str() {
            "url" => parse(&case.url).map(drop),
            _ => {
                parse(&case.url).unwrap();
                check_addresses(&case.resolves_to, Policy::Public)
            }
        };
        let refusal = found.err().map(|denied| format!("{denied:?}"));
        assert_eq!(refusal, case.refusal, "{}: {}", case.id, case.url);
        reasons.extend(refusal);
    }
    assert_eq!(
        reasons.len(),
        10,
        "each reason has its vectors: {reasons:?}"
    );
}

#[test]
fn a_target_is_what_the_request_needs() {
    let target = parse(
        "HTTPS://Bücher.Example.:8443/a b|c/..?q='#@10.0.0.1"
            .replace(' ', "%20")
            .as_str(),
    )
    .unwrap();
    assert!(target.is_https());
    assert_eq!(
        *target.host(),
        Host::Domain("xn--bcher-kva.example".to_owned())
    );
    assert_eq!(target.port(), 8443);
    assert_eq!(target.host_header(), "xn--bcher-kva.example:8443");
    assert_eq!(target.path(), "/?q=%27");
    let target = parse("https://example.com:443").unwrap();
    assert_eq!(
        (target.port(), target.host_header().to_str().unwrap()),
        (443, "example.com")
    );
    assert_eq!(target.path(), "/");
}

#[test]
fn what_only_some_readers_take_for_an_address_or_a_url_is_refused() {
    assert_eq!(parse("https://127.0.0.0o1/"), Err(Denied::IpAddress));
    assert_eq!(parse("https://example.1a/"), Err(Denied::IpAddress));
    assert_eq!(parse("https://127.0.0.1../"), Err(Denied::Invalid));
    assert_eq!(parse("https://example.com/\u{1}"), Err(Denied::Invalid));
}

#[test]
fn a_label_is_one_that_a_certificate_can_name() {
    for label in ["-a", "a-", "-", "a*b", "a,b"] {
        let url = format!("https://{label}.example.com/");
        assert_eq!(parse(&url), Err(Denied::Invalid), "{url}");
    }
    parse("https://_a-1.example.com/").unwrap();
}

#[test]
fn a_name_is_as_long_as_dns_allows_and_no_longer() {
    let labels = format!("{0}.{0}.{0}.", "a".repeat(62));
    let longest = format!("{labels}{}.example", "a".repeat(56));
    assert_eq!(longest.len(), 253);
    assert!(parse(&format!("https://{longest}/")).is_ok());
    let longer = parse(&format!("https://a{longest}/"));
    assert!(matches!(longer, Err(Denied::Invalid)));
}

#[test]
fn empty_credentials_are_credentials() {
    for url in [
        "https://@example.com/",
        "https://:@example.com/",
        "https://a@example.com",
    ] {
        assert_eq!(parse(url), Err(Denied::Credentials), "{url}");
        assert_eq!(
            Target::parse(url, Policy::Unrestricted),
            Err(Denied::Credentials)
        );
    }
    parse("https://example.com/@me?to=@you").unwrap();
}

#[test]
fn no_forbidden_name_is_called_nor_one_below_it_but_one_beside_it_is() {
    for name in FORBIDDEN_NAMES {
        let upper = name.to_uppercase();
        for url in [format!("https://{upper}"), format!("https://a.b.{name}./")] {
            assert_eq!(parse(&url), Err(Denied::Forbidden), "{url}");
        }
        parse(&format!("https://a{name}.example/")).unwrap();
        parse(&format!("https://{name}.example/")).unwrap();
    }
    parse("https://notfuf.me/").unwrap();
}

#[test]
fn special_ranges_are_refused_to_their_edges() {
    for (first, last) in [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "255.255.255.255"),
    ] {
        let first: Ipv4Addr = first.parse().unwrap();
        let last: Ipv4Addr = last.parse().unwrap();
        let public = |address: u32| is_public(&Ipv4Addr::from_bits(address).into());
        assert!(
            !public(first.to_bits()) && !public(last.to_bits()),
            "{first}"
        );
        let (before, after) = (
            first.to_bits().checked_sub(1),
            last.to_bits().checked_add(1),
        );
        assert!(
            before.is_none_or(public) && after.is_none_or(public),
            "{first}"
        );
    }
    for (first, last) in [
        ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ] {
        let first: Ipv6Addr = first.parse().unwrap();
        let last: Ipv6Addr = last.parse().unwrap();
        let public = |address: u128| is_public(&Ipv6Addr::from_bits(address).into());
        assert!(
            !public(first.to_bits()) && !public(last.to_bits()),
            "{first}"
        );
        let (before, after) = (
            first.to_bits().checked_sub(1),
            last.to_bits().checked_add(1),
        );
        assert!(
            before.is_none_or(public) && after.is_none_or(public),
            "{first}"
        );
    }
}

#[test]
fn an_unrestricted_target_may_be_anywhere_but_still_is_a_url() {
    for (url, host_header) in [
        ("http://localhost:4566/a", "localhost:4566"),
        ("http://127.1/", "127.0.0.1"),
        ("https://[::1]:443/", "[::1]"),
        ("http://vault/", "vault"),
    ] {
        let target = Target::parse(url, Policy::Unrestricted).unwrap();
        assert_eq!(target.host_header(), host_header);
    }
    for (url, reason) in [
        ("ftp://localhost/", Denied::Scheme),
        ("http:localhost/", Denied::Invalid),
        ("http://local\\host/", Denied::Invalid),
        ("", Denied::Invalid),
    ] {
        assert_eq!(
            Target::parse(url, Policy::Unrestricted),
            Err(reason),
            "{url}"
        );
    }
    let loopback = [IpAddr::from([127, 0, 0, 1])];
    assert_eq!(check_addresses(&loopback, Policy::Unrestricted), Ok(()));
    assert_eq!(
        check_addresses(&[], Policy::Unrestricted),
        Err(Denied::NoAddress)
    );
}

#[test]
fn a_policy_is_read_as_it_is_written() {
    for policy in [Policy::Public, Policy::Unrestricted] {
        assert_eq!(policy.to_string().parse(), Ok(policy));
    }
    let unknown = "Public".parse::<Policy>().unwrap_err();
    assert_eq!(
        unknown.to_string(),
        r#"unknown policy "Public": use public or unrestricted"#
    );
}

#[test]
fn a_target_does_not_print_what_may_be_secret() {
    let target = parse("https://example.com/T0/B0/token?key=token").unwrap();
    assert_eq!(format!("{target:?}"), "Target(example.com:443)");
}

#[test]
fn what_is_shown_of_a_url_holds_no_query_and_no_user() {
    for (url, shown) in [
        ("https://example.com/a?key=token#b", "https://example.com/a"),
        ("https://example.com?key=token", "https://example.com"),
        (
            "https://user:password@example.com:8443/a@b",
            "https://example.com:8443/a@b",
        ),
        ("//user@example.com/a", "//example.com/a"),
        ("/a//b@c?key", "/a//b@c"),
        ("?key", ""),
        (
            "https://example.com/#access_token=x",
            "https://example.com/",
        ),
        ("", ""),
    ] {
        assert_eq!(without_query(url), shown, "{url}");
    }
}

#[test]
fn a_url_is_as_long_as_servers_take_and_no_longer() {
    let url = |length: usize| {
        let start = "https://example.com/";
        format!("{start}{}", "\u{e9}".repeat(length - start.len()))
    };
    for policy in [Policy::Public, Policy::Unrestricted] {
        assert!(Target::parse(&url(2048), policy).is_ok());
        assert_eq!(Target::parse(&url(2049), policy), Err(Denied::TooLong));
        for port in ["0", "00", "000000"] {
            let zero = Target::parse(&format!("https://example.com:{port}/a"), policy);
            assert_eq!(zero, Err(Denied::Port), "{port}");
        }
    }
    assert!(parse("https://example.com:1/0").is_ok());
}
