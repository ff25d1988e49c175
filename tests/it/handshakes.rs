//! Every case of `tests/vectors/handshakes.json`, with the real binary: the exact answer, and nothing that is
//! written anywhere, but for a secret that a source waits for.

use serde_json::{Map, Value};
use testkit::aws::Aws;
use testkit::cases::{cases, event_of, source_with_handshake};
use testkit::function::{Answer, Function};
use testkit::tap::Tap;

/// The calls that leave something behind.
const WRITES: [&str; 5] = ["PutItem", "UpdateItem", "Write", "SendMessage", "PUT "];

/// The outcome in the line of the last request, and whether any line has this text.
async fn logged(function: &Function, text: &str) -> (String, bool) {
    let lines = function.output().await;
    let mut outcomes = lines.iter().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        Some(line["outcome"].as_str()?.to_owned())
    });
    let has_text = lines.iter().any(|line| line.contains(text));
    (outcomes.next_back().unwrap_or_default(), has_text)
}

/// Whether an answer has the headers and the body that a case expects.
fn has_all(response: &Value, expected: &Value) -> bool {
    let headers = expected["headers"].as_array().into_iter().flatten();
    let mut headers = headers.map(|pair| (pair[0].as_str().unwrap(), &pair[1]));
    let body = response["body"].as_str().unwrap_or_default();
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    headers.all(|(name, value)| response["headers"][name] == *value)
        && expected.get("body").is_none_or(|text| *text == body)
        && expected
            .get("json")
            .is_none_or(|expected| *expected == json)
}

#[tokio::test]
async fn each_handshake_is_answered_as_its_case_says_and_leaves_nothing_behind() {
    let aws = Aws::start().await;
    let tap = Tap::start(aws.url()).await;
    let cases = cases("handshakes.json");
    let name = |number: usize| format!("handshake-{number}");
    let sources = cases.iter().enumerate();
    let sources = sources.map(|(number, case)| (name(number), source_with_handshake(case)));
    let sources: Map<String, Value> = sources.collect();
    aws.put_sources(&Value::Object(sources)).await;
    let mut function = aws.ingress_behind(tap.url()).await;
    let (mut faults, mut answered) = (Vec::new(), 0);
    for (number, case) in cases.iter().enumerate() {
        tap.called();
        let answer = function.invoke(&event_of(case, &name(number))).await;
        let Answer::Success(response) = answer else {
            panic!("{}: {answer:?}", case.name);
        };
        let calls = tap.called();
        let is_write = |name: &str| WRITES.iter().any(|write| name.contains(write));
        let writes = calls.iter().filter(|call| is_write(&call.operation));
        let expected = &case.expect;
        let shown = expected["shows"].as_str();
        let (outcome, is_shown) = logged(&function, shown.unwrap_or("never said")).await;
        // One counts the requests that are kept, and one keeps it.
        let expected_writes = if expected.get("keeps").is_some() {
            2
        } else {
            0
        };
        let is_right = if expected["answered"] == true {
            answered += 1;
            response["statusCode"] == 200
                && has_all(&response, expected)
                && outcome == "handshake"
                && writes.count() == expected_writes
                && is_shown == shown.is_some()
        } else {
            let status = expected.get("status");
            outcome != "handshake"
                && status.is_none_or(|status| response["statusCode"] == *status)
                && has_all(&response, expected)
        };
        if !is_right {
            faults.push(format!(
                "{} ({}): {outcome} {response}\n  {expected}",
                case.name, case.why
            ));
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        cases.len(),
        faults.join("\n")
    );
    assert!(
        cases.len() > 150 && answered > 40,
        "{} {answered}",
        cases.len()
    );
}
