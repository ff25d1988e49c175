//! I12: no line of the ingress function contains a secret, a signature or a body, whatever the request and
//! the log level are.
//!
//! Seen to fail: with the level `TRACE` for the libraries.

use testkit::aws::Aws;
use testkit::function::{Answer, Function};
use testkit::proxy::{Call, Fault, Proxy};
use testkit::spellings;
use testkit::webhook::{SECRET, creative_force, request, sign, signed};

/// The text in every body.
const BODY: &str = "canary-of-the-body";

/// The text in a signature that matches no secret.
const SIGNATURE: &str = "canary-of-the-signature";

/// Requests with every possible outcome, and the signatures of the valid ones.
fn requests(id: &str) -> (Vec<serde_json::Value>, Vec<String>) {
    let new = creative_force(id, BODY);
    let authentic = [
        new.clone(),
        new.clone(),
        format!("{new} "),
        creative_force(
            &format!("{id}-large"),
            &format!("{BODY}{}", "x".repeat(300_000)),
        ),
        format!("{BODY} is no JSON"),
        format!(r#"{{"PayloadId":"{id}","Note":"{BODY}"}}"#),
    ];
    let mut requests: Vec<_> = authentic
        .iter()
        .map(|body| signed("studio", body))
        .collect();
    let forged = [("x-cf-signature", SIGNATURE)];
    requests.push(request("POST", "studio", &new, &forged));
    requests.push(request("POST", "unknown", &new, &forged));
    let signatures = authentic.map(|body| sign(SECRET, body.as_bytes()));
    (requests, signatures.to_vec())
}

async fn check(function: &Function, signatures: &[String], what: &str) {
    let texts = [BODY, SIGNATURE, SECRET].map(str::to_owned);
    let canaries = texts
        .iter()
        .chain(signatures)
        .flat_map(|text| spellings(text));
    let output = function.output().await;
    for canary in canaries {
        let found = output.iter().find(|line| line.contains(&canary));
        assert_eq!(found, None, "{what}: {canary}");
    }
}

#[tokio::test]
async fn no_line_tells_what_was_received() {
    let mut aws = Aws::start().await;
    let mut environment = aws.environment(aws.url());
    environment.push(("AWS_LAMBDA_LOG_LEVEL", "TRACE".to_owned()));
    let mut function = Function::start(&testkit::binary("ingress"), &environment).await;
    let (requests, signatures) = requests("p-1");
    let mut statuses = Vec::new();
    for request in &requests {
        match function.invoke(request).await {
            Answer::Success(answer) => statuses.push(answer["statusCode"].as_u64().unwrap()),
            answer => panic!("{answer:?}"),
        }
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 401, 404]);
    aws.drain_stream(&mut function).await;
    let events = aws.drain("events").await;
    assert!(events.iter().all(|event| event.text.contains(BODY)));
    assert_eq!(events.len(), 3);
    let output = function.output().await;
    assert!(
        output.iter().any(|line| line.contains("DEBUG")),
        "{output:?}"
    );
    check(&function, &signatures, "the run").await;
}

#[tokio::test]
async fn no_error_of_aws_tells_it_either() {
    let mut aws = Aws::start().await;
    let proxy = Proxy::start(aws.url()).await;
    let calls = [
        ("dynamodb", "PutItem"),
        ("dynamodb", "Query"),
        ("s3", "PutObject"),
        ("s3", "GetObject"),
        ("secretsmanager", "GetSecretValue"),
        ("sqs", "SendMessageBatch"),
    ];
    let faults = [Fault::Outage, Fault::Losses, Fault::Garbling];
    let cases = calls
        .iter()
        .flat_map(|call| faults.map(|fault| (call, fault)));
    for (case, ((service, operation), fault)) in cases.enumerate() {
        let what = format!("{fault:?} at {operation}");
        let call = Call {
            service,
            operation,
            body: None,
        };
        proxy.inject(call, fault).await;
        let mut environment = aws.environment(&proxy.url());
        environment.push(("AWS_LAMBDA_LOG_LEVEL", "TRACE".to_owned()));
        environment.push(("AWS_MAX_ATTEMPTS", "1".to_owned()));
        let mut function = Function::start(&testkit::binary("ingress"), &environment).await;
        let (requests, signatures) = requests(&format!("p-{case}"));
        for request in &requests {
            // Whatever the answer is: only the lines count.
            let _ = function.invoke(request).await;
        }
        let (batch, after) = aws.next_batch().await;
        let _ = function.invoke(&batch).await;
        aws.acknowledge(after);
        assert!(proxy.fired().await > 0, "{what} never happened");
        proxy.heal().await;
        check(&function, &signatures, &what).await;
    }
}
