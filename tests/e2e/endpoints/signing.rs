//! Signatures as receivers verify them: with the library of Standard Webhooks, and with code that was written
//! for a provider.
//!
//! Seen to fail: with the newest secret alone, with secrets that never end, and with bytes that were trimmed.

use crate::support::endpoint::verifies;
use crate::support::gateway::Gateway;
use crate::support::source::{CREATIVE_FORCE, PEOPLE_FORCE};
use crate::support::{eventually, unique};
use serde_json::json;

#[tokio::test]
async fn the_old_and_the_new_secret_verify_until_the_overlap_ends() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway.endpoint(&source, &[]).await;

    let rotated = endpoint.told("rotate-secret", &["--overlap", "24h"]).await;
    let second = rotated["secret"].as_str().unwrap().to_owned();
    assert_eq!(rotated["secrets"].as_array().unwrap().len(), 2);
    source.event().await;
    let request = endpoint.requests(1).await.remove(0);
    assert!(verifies(&request, &second));
    assert!(verifies(&request, &endpoint.secret));

    let rotated = endpoint.told("rotate-secret", &["--overlap", "0s"]).await;
    let third = rotated["secret"].as_str().unwrap().to_owned();
    assert_eq!(rotated["secrets"], json!([{"until": null}]));
    source.event().await;
    let request = endpoint.requests(2).await.remove(1);
    assert!(verifies(&request, &third));
    assert!(!verifies(&request, &second) && !verifies(&request, &endpoint.secret));

    let rotated = endpoint.told("rotate-secret", &["--overlap", "2s"]).await;
    let fourth = rotated["secret"].as_str().unwrap().to_owned();
    eventually("the end of an overlap", || async {
        let before = endpoint.receiver.requests().len();
        source.event().await;
        let request = endpoint.requests(before + 1).await.remove(before);
        assert!(verifies(&request, &fourth));
        (!verifies(&request, &third)).then_some(())
    })
    .await;
    for command in ["show", "update"] {
        let shown = endpoint.run(command, &["--json"]).await;
        for secret in [&endpoint.secret, &second, &third, &fourth] {
            assert!(!shown.output.contains(&**secret) && !shown.notes.contains(&**secret));
        }
    }
    endpoint.delete().await;
}

/// A receiver that was written for the provider accepts the request unchanged: its bytes, content type,
/// header and signature.
#[tokio::test]
async fn a_receiver_that_was_written_for_the_provider_takes_it_unchanged() {
    let gateway = Gateway::find().await;
    let source = gateway.source(PEOPLE_FORCE, &[]).await;
    let as_provider = [
        "--format",
        "raw",
        "--signature",
        "hmac-sha256-hex",
        "--signature-header",
        PEOPLE_FORCE.signature_header,
        "--signature-prefix",
        "sha256=",
        "--header",
        "X-Env: test",
        "--secret-stdin",
    ];
    let endpoint = gateway.endpoint(&source, &as_provider).await;
    // The larger body is in the bucket.
    let padding = "ü ".repeat(150_000);
    let sent = ["", &padding].map(|padding| {
        let id = unique();
        format!(
            "{{\"action\" : \"employee_create\", \"n\": 1.0, \"n\": 1e2, \"id\": \"{id}\", \
             \"text\": \"{padding}\"}}\n"
        )
    });
    let mut events = Vec::new();
    for body in &sent {
        events.push(source.post(body).await.outcome().1.to_owned());
    }
    let deliveries = endpoint.all("delivered", &events).await;
    let requests = endpoint.receiver.requests();
    for (delivery, body) in deliveries.iter().zip(&sent) {
        let of_it = |request: &&_| json!(testkit::receiver::Request::id(request)) == delivery["id"];
        let request = requests.iter().find(of_it).unwrap();
        assert!(
            request.body == body.as_bytes(),
            "the bytes are the provider's"
        );
        assert_eq!(
            request.header(PEOPLE_FORCE.signature_header),
            source.signature(&endpoint.secret, body.as_bytes())
        );
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.header("x-env"), "test");
        assert!(!request.headers.contains_key("webhook-signature"));
        let shown = endpoint.shown(delivery).await;
        assert!(shown["request"]["body"] == **body);
        let headers = shown["request"]["headers"].to_string();
        assert!(!headers.contains(request.header(PEOPLE_FORCE.signature_header)));
    }
    endpoint.delete().await;
}
