//! The secret that a provider offers in a handshake (`hook-secret`, Asana): the source that waits for it
//! keeps it, a webhook shows whose it is, and the operator takes it over. A stranger gains nothing by
//! offering one.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::function::{Answer, Function};
use testkit::operator::{Operator, column};
use testkit::tap::{Point, Tap};
use testkit::webhook::{request, sign};

const GENUINE: &str = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";
const FORGED: &str = "00000000000000000000000000000000000000000000000000000000deadbeef";

const BODY: &str = r#"{"events":[{"action":"changed","resource":{"gid":"1337"}}]}"#;

fn offer(secret: &str) -> Value {
    request("POST", "tasks", "", &[("x-hook-secret", secret)])
}

fn signed(secret: &str, body: &str) -> Value {
    let signature = sign(secret, body.as_bytes());
    request("POST", "tasks", body, &[("x-hook-signature", &signature)])
}

/// Offers a secret, which the answer must repeat.
async fn repeated(function: &mut Function, secret: &str) {
    let answer = function.invoke(&offer(secret)).await;
    let Answer::Success(response) = &answer else {
        panic!("{answer:?}");
    };
    let told = (
        &response["statusCode"],
        &response["headers"]["x-hook-secret"],
    );
    assert_eq!(told, (&json!(200), &json!(secret)), "{response}");
}

/// A stack with a source of Asana that waits for its secret.
async fn waiting() -> (Aws, Operator, Function) {
    let aws = Aws::start().await;
    aws.put_sources(&json!({})).await;
    let operator = Operator::of(&aws).await;
    let create = "source create tasks --provider asana --waiting";
    operator.run(&words(create)).await.json();
    let function = aws.ingress().await;
    (aws, operator, function)
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// What `source diagnose` finds.
async fn found(operator: &Operator) -> Value {
    let found = operator.run(&words("source diagnose tasks")).await;
    assert!(!format!("{found:?}").contains(GENUINE), "{found:?}");
    found.json().remove(0)
}

async fn handshakes(aws: &Aws) -> Vec<Value> {
    let items = aws.noted("rejected#tasks").await.into_iter();
    let is_one = |item: &Value| {
        let id = item["id"]["S"].as_str().unwrap();
        id.starts_with("handshake-") && id != "handshake-count"
    };
    items.filter(is_one).collect()
}

#[tokio::test]
async fn an_offered_secret_is_taken_over_once_a_webhook_shows_whose_it_is() {
    let (aws, operator, mut function) = waiting().await;
    let none = operator.run(&words("source diagnose tasks")).await.error();
    assert!(none.contains("rejected no request"), "{none}");
    // The newest is not the provider's.
    for secret in [FORGED, GENUINE, "another-secret-of-nobody"] {
        repeated(&mut function, secret).await;
    }
    let none = operator.run(&words("source diagnose tasks")).await.error();
    assert!(none.contains("handshakes (3)"), "{none}");
    for event in [
        signed(GENUINE, BODY),
        signed(GENUINE, r#"{"events":[]}"#),
        signed("of-nobody", BODY),
    ] {
        function.answered(&event, 401).await;
    }
    assert_eq!(aws.recorded().await.len(), 0);

    let listed = operator.run(&words("quarantine list --rejected")).await;
    assert!(!format!("{listed:?}").contains(GENUINE), "{listed:?}");
    let listed = listed.json();
    let offers = listed.iter().filter(|row| row["state"] == "handshake");
    assert_eq!((listed.len(), offers.count()), (6, 3), "{listed:?}");
    for row in &listed {
        let show = [
            "quarantine",
            "show",
            "--rejected",
            row["id"].as_str().unwrap(),
        ];
        let shown = operator.run(&show).await;
        assert!(!format!("{shown:?}").contains(GENUINE), "{shown:?}");
    }

    let found = found(&operator).await;
    let findings = found["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{found}");
    let what = findings[0]["what"].as_str().unwrap();
    assert!(what.contains("verifies 2 of the 3"), "{what}");
    let command = findings[0]["command"].as_str().unwrap();
    assert!(command.contains("--from-handshake tasks/"), "{command}");
    let taken = operator.follow(command, "").await;
    assert!(!format!("{taken:?}").contains(GENUINE), "{taken:?}");
    assert!(taken.notes.contains("quarantine release"), "{taken:?}");
    assert_eq!(taken.json()[0]["secrets"], 1);
    let again = operator.follow(command, "").await.error();
    assert!(again.contains("already the newest"), "{again}");

    let release = words("quarantine release --rejected --source tasks");
    let released = operator.run(&release).await;
    assert!(released.error().contains("1 of 3"), "{released:?}");
    let outcomes = column(&released.lines(), "outcome").join(" ");
    assert_eq!(outcomes, "released released kept", "{released:?}");
    assert_eq!(aws.recorded().await.len(), 2);

    // From then on it is the source's secret, and the only one that is repeated.
    let mut function = aws.ingress().await;
    let kept = handshakes(&aws).await.len();
    function
        .answered(&signed(GENUINE, r#"{"events":[1]}"#), 200)
        .await;
    repeated(&mut function, GENUINE).await;
    function.answered(&offer(FORGED), 401).await;
    assert_eq!(handshakes(&aws).await.len(), kept);
    assert_eq!(aws.recorded().await.len(), 3);
}

#[tokio::test]
async fn a_stranger_who_offers_a_secret_and_signs_with_it_gains_nothing() {
    let (aws, operator, mut function) = waiting().await;
    for secret in [GENUINE, FORGED, FORGED] {
        repeated(&mut function, secret).await;
        function.answered(&signed(secret, BODY), 401).await;
    }
    let found = found(&operator).await;
    let findings = found["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 2, "{found}");
    for finding in findings {
        assert_eq!(finding["command"], Value::Null, "{finding}");
        let to_do = finding["to_do"].as_str().unwrap();
        assert!(to_do.contains("somebody else"), "{to_do}");
    }
    assert_eq!(aws.recorded().await.len(), 0);
    let shown = operator.run(&words("source show tasks")).await.json();
    assert_eq!(shown[0]["status"], "waiting");
    // The operator knows when the webhook was created, and takes that secret: the other one stays outside.
    let genuine = findings.iter().find(|finding| {
        let what = finding["what"].as_str().unwrap();
        what.contains("verifies 1 of the 3")
    });
    let to_do = genuine.unwrap()["to_do"].as_str().unwrap();
    let command = to_do.split('`').nth(1).unwrap();
    operator.follow(command, "").await.json();
    let release = words("quarantine release --rejected --source tasks");
    let released = operator.run(&release).await.lines();
    let outcomes = column(&released, "outcome").join(" ");
    assert_eq!(outcomes, "released kept kept");
}

#[tokio::test]
async fn only_a_handshake_of_the_source_brings_a_secret() {
    let (aws, operator, mut function) = waiting().await;
    repeated(&mut function, GENUINE).await;
    function.answered(&signed(FORGED, BODY), 401).await;
    let listed = operator
        .run(&words("quarantine list --rejected"))
        .await
        .json();
    let id = |state: &str| {
        let mut rows = listed.iter();
        let row = rows.find(|row| row["state"] == state).unwrap();
        row["id"].as_str().unwrap().to_owned()
    };
    let create = "source create others --provider asana --waiting";
    operator.run(&words(create)).await.json();
    for (source, id) in [
        ("tasks", id("rejected")),
        ("others", id("handshake")),
        ("tasks", "tasks/2026-01-01/handshake-001/1".to_owned()),
        ("tasks", "tasks".to_owned()),
    ] {
        let rotate = ["source", "rotate-secret", source, "--from-handshake", &id];
        operator.run(&rotate).await.error();
    }
    let diagnose = ["source", "diagnose", "tasks", "--request", &id("handshake")];
    let error = operator.run(&diagnose).await.error();
    assert!(error.contains("is a handshake"), "{error}");
    let diagnose = ["source", "diagnose", "tasks", "--request", &id("rejected")];
    let said = operator.run(&diagnose).await.lines().remove(0);
    assert!(said["left"].to_string().contains("no handshake"), "{said}");
    let shown = operator.run(&words("source show tasks")).await.json();
    assert_eq!(shown[0]["secrets"], 0);
    drop(aws);
}

#[tokio::test]
async fn a_handshake_whose_secret_is_not_kept_fails() {
    let aws = Aws::start().await;
    let tasks = json!({"provider": "asana", "waiting": true});
    aws.put_sources(&json!({"tasks": tasks})).await;
    let tap = Tap::start(aws.url()).await;
    let mut function = aws.ingress_behind(tap.url()).await;
    drop(tap.hold(Point::Before, "PutItem", "handshake-"));
    function.answered(&offer(GENUINE), 503).await;
    assert_eq!(handshakes(&aws).await.len(), 0);
    let lines = function.output().await;
    let line: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(
        (&line["unkept"], &line["outcome"]),
        (&json!(1), &json!("failed"))
    );
    assert!(
        line["reason"].as_str().unwrap().contains("not kept"),
        "{line}"
    );
    assert!(!lines.join("\n").contains(GENUINE));
    repeated(&mut function, GENUINE).await;
}

#[tokio::test]
async fn a_flood_of_offers_is_kept_like_any_other_and_no_more_is_repeated() {
    let aws = Aws::start().await;
    let tasks = json!({"provider": "asana", "waiting": true});
    aws.put_sources(&json!({"tasks": tasks})).await;
    let mut function = aws.ingress().await;
    let (mut repeated, mut failed) = (0, 0);
    for number in 0..130 {
        let answer = function.invoke(&offer(&format!("secret-{number}"))).await;
        match answer {
            Answer::Success(response) if response["statusCode"] == 200 => repeated += 1,
            Answer::Success(response) if response["statusCode"] == 503 => failed += 1,
            answer => panic!("{answer:?}"),
        }
    }
    assert!(repeated >= 100 && failed > 0, "{repeated} {failed}");
    let kept = handshakes(&aws).await;
    assert_eq!(kept.len(), 100);
    for item in &kept {
        let at: i64 = item["at"]["N"].as_str().unwrap().parse().unwrap();
        let until: i64 = item["expires_at"]["N"].as_str().unwrap().parse().unwrap();
        assert_eq!(until - at / 1000, 7 * 86_400);
        let secret = item["headers"]["M"]["x-hook-secret"]["S"].as_str().unwrap();
        assert!(secret.starts_with("secret-"), "{item}");
    }
}
