//! The cost of a rejected request, and the time that its sender waits, with the real binary.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Instant;
use testkit::aws::Aws;
use testkit::eventually;
use testkit::function::{Answer, Function};
use testkit::tap::{Called, Point, Tap};
use testkit::units::units;
use testkit::webhook::{SECRET, creative_force, request, sign, signed};

/// A request with a well-formed, wrong signature.
fn forged(source: &str, body: &str) -> Value {
    let signature = sign("another secret", body.as_bytes());
    request("POST", source, body, &[("x-cf-signature", &signature)])
}

/// Asserts that a request is rejected like any other.
async fn refused(function: &mut Function, event: &Value, status: u64) {
    let Answer::Success(response) = function.invoke(event).await else {
        panic!("no response");
    };
    let title = if status == 401 {
        "Unauthorized"
    } else {
        "Service Unavailable"
    };
    let problem = json!({"type": "about:blank", "title": title, "status": status});
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    assert_eq!((&response["statusCode"], body), (&json!(status), problem));
}

/// The lines of rejected requests.
async fn lines(function: &Function) -> Vec<Value> {
    let lines = function.output().await;
    let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["outcome"] == "rejected")
        .collect()
}

/// Text that compression hardly shortens.
fn noise(bytes: usize) -> String {
    let mut noise = String::new();
    for number in 0_u32.. {
        noise += &sign("noise", &number.to_be_bytes());
        if noise.len() >= bytes {
            break;
        }
    }
    noise.truncate(bytes);
    noise
}

#[tokio::test]
async fn a_request_that_is_refused_costs_two_write_units_at_most_whatever_its_size() {
    let aws = Aws::start().await;
    let studio = json!({"provider": "creative-force", "secrets": [SECRET]});
    let broken = json!({"provider": "creative-force", "secrets": [" "]});
    aws.put_sources(&json!({"studio": studio, "broken": broken}))
        .await;
    let tap = Tap::start(aws.url()).await;
    let mut function = aws.ingress_behind(tap.url()).await;
    let long = "x".repeat(9_000);
    let mut wide = forged("studio", "wide");
    for name in [
        "user-agent",
        "content-type",
        "x-cf-event",
        "x-hook-signature",
        "x-partners-signature",
        "x-peopleforce-signature",
    ] {
        wide["headers"][name] = json!(long);
    }
    let without = |body: &str| request("POST", "studio", body, &[]);
    for (event, status) in [
        (forged("studio", "{}"), 401),
        (forged("studio", &creative_force("p-1", "")), 401),
        (forged("studio", &noise(1_000)), 401),
        (forged("studio", &noise(10_000)), 401),
        (forged("studio", &noise(350 * 1024)), 401),
        (forged("studio", &noise(4_500_000)), 401),
        (forged("studio", &"x".repeat(4_500_000)), 401),
        (without(&noise(100_000)), 401),
        (wide, 401),
        (signed("broken", &noise(100_000)), 503),
    ] {
        tap.called();
        refused(&mut function, &event, status).await;
        let called = tap.called();
        let writes = |call: &Called| units(&call.operation, &call.request, &call.answer).writes;
        let writes: f64 = called.iter().map(writes).sum();
        let bytes = event["body"].as_str().unwrap().len();
        // One call counts the request, and one keeps it.
        assert!((1.0..=2.0).contains(&writes), "{writes} for {bytes} bytes");
        let objects = called
            .iter()
            .filter(|call| call.operation.starts_with("PUT "));
        assert!(objects.count() <= 1, "{called:?}");
    }
    let kept = aws.noted("rejected#").await;
    let kept = kept.iter().filter(|item| !item["at"].is_null());
    assert_eq!(kept.count(), 10);
}

#[tokio::test]
async fn nobody_who_is_refused_waits_for_a_store_that_hangs() {
    let aws = Aws::start().await;
    let tap = Tap::start(aws.url()).await;
    let environment = aws.environment(tap.url());
    let bounded: Vec<_> = environment
        .into_iter()
        .filter(|(name, _)| *name != "REJECTED_PATIENCE_MS")
        .collect();
    let large = noise(20_000);
    // The gates never open: the calls do not end before the test.
    let mut gates = Vec::new();
    for (operation, text, body) in [
        ("UpdateItem", "rejected#", "{}"),
        ("PutItem", "rejected#", "{}"),
        ("", &*large, &*large),
    ] {
        let mut function = Function::start(&testkit::binary("ingress"), &bounded).await;
        let text: &'static str = text.to_owned().leak();
        gates.push(tap.hold(Point::Before, operation, text));
        // On a busy machine the time may end before the call begins.
        while gates.last_mut().unwrap().is_waiting() {
            refused(&mut function, &forged("studio", body), 401).await;
        }
        let lines = lines(&function).await;
        let last = lines.last().unwrap();
        assert_eq!(last["unkept"], 1, "{last}");
        let why = last["unkept_reason"].as_str().unwrap();
        assert_eq!(why, "it takes longer than 50ms");
        // No other request waits for it either.
        let genuine = signed("studio", &creative_force(operation, ""));
        let answer = function.invoke(&genuine).await;
        assert!(matches!(answer, Answer::Success(it) if it["statusCode"] == 200));
    }
}

#[tokio::test]
async fn a_flood_is_kept_in_part_and_each_that_is_not_kept_is_counted() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let started = Instant::now();
    let flood = 150;
    for number in 0..flood {
        let event = forged("studio", &creative_force(&format!("r-{number}"), ""));
        refused(&mut function, &event, 401).await;
    }
    let most = 100 + started.elapsed().as_secs() + 1;
    let items = aws.noted("rejected#").await;
    let count = items
        .iter()
        .find(|item| item["id"]["S"] == "count")
        .unwrap();
    let kept: u64 = count["count"]["N"].as_str().unwrap().parse().unwrap();
    assert!((100..=most).contains(&kept), "{kept} of {flood} in {most}");
    let lines = lines(&function).await;
    assert_eq!(lines.len(), flood);
    let unkept: u64 = lines
        .iter()
        .filter_map(|line| line["unkept"].as_u64())
        .sum();
    assert_eq!(kept + unkept, flood as u64);
    // Requests without a signature have a ring of their own. They push out no genuine request with a wrong
    // signature.
    for _ in 0..110 {
        refused(&mut function, &request("POST", "studio", "{}", &[]), 401).await;
    }
    let items = aws.noted("rejected#").await;
    let signed = items.iter().filter(|item| {
        let headers = &item["headers"]["M"];
        headers.get("x-cf-signature").is_some()
    });
    assert_eq!(signed.count(), 100);
}

#[tokio::test]
async fn only_the_newest_hundred_of_a_day_are_kept() {
    let aws = Aws::start().await;
    // A copy of the function keeps a hundred at once.
    for copy in 0..2 {
        let mut function = aws.ingress().await;
        for number in 0..75 {
            let body = creative_force(&format!("r-{copy}-{number}"), "");
            refused(&mut function, &forged("studio", &body), 401).await;
        }
    }
    let items = aws.noted("rejected#").await;
    let mut kept: Vec<i64> = items
        .iter()
        .filter_map(|item| item["at"]["N"].as_str()?.parse().ok())
        .collect();
    kept.sort_unstable();
    assert_eq!((kept.len(), items.len()), (100, 101));
    let count = items
        .iter()
        .find(|item| item["id"]["S"] == "count")
        .unwrap();
    assert_eq!(count["count"]["N"], "150");
}

#[tokio::test]
async fn a_request_is_kept_with_the_time_at_which_it_was_received() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let now = || Timestamp::now().as_millisecond();
    let begun = now();
    let received_at = begun - 600_000;
    for time in [json!(received_at), Value::Null] {
        let mut event = forged("studio", "{}");
        event["requestContext"]["timeEpoch"] = time;
        refused(&mut function, &event, 401).await;
    }
    let items = aws.noted("rejected#").await;
    let at = items.iter().filter_map(|item| item["at"]["N"].as_str());
    let mut at: Vec<i64> = at.map(|at| at.parse().unwrap()).collect();
    at.sort_unstable();
    assert_eq!(at[0], received_at);
    // Without a time, it is that of the function.
    assert!(begun <= at[1] && at[1] <= now(), "{at:?}");
}

#[tokio::test]
async fn a_new_function_is_connected_before_its_first_request() {
    let aws = Aws::start().await;
    let tap = Tap::start(aws.url()).await;
    let function = aws.ingress_behind(tap.url()).await;
    eventually("a call of the journal", || async {
        let called = tap.called();
        called
            .iter()
            .any(|call| call.request["TableName"] == "journal")
    })
    .await;
    drop(function);
}
