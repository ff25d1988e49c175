//! The history of an event in the deployed gateway, and the operator's repairs. Both rely on data that the
//! functions' own permissions let them write. The integration tests have each case in detail.
//!
//! Seen to fail: without the ingress function's permissions on the journal.

use crate::support::endpoint::event;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::inbox::Queue;
use crate::support::source::{CREATIVE_FORCE, product_reset, send};
use crate::support::unique;
use serde_json::{Value, json};

/// Runs a command until it prints this many lines.
async fn lines(gateway: &Gateway, command: &[&str], count: usize) -> Vec<Value> {
    eventually(&format!("{count} lines of {command:?}"), || async {
        let lines = gateway.webhookctl(command).await.json();
        (lines.len() == count).then_some(lines)
    })
    .await
}

/// A member of each line.
fn column<'l>(lines: &'l [Value], member: &str) -> Vec<&'l str> {
    let texts = lines.iter().map(|line| line[member].as_str().unwrap());
    texts.collect()
}

#[tokio::test]
async fn an_event_is_listed_explained_and_replayed_to_a_later_endpoint() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let ids = source.events(2).await;
    assert_eq!(
        source.post(product_reset(&ids[0], "")).await.outcome().0,
        "duplicate"
    );
    let list = ["--json", "event", "list", "--source", &source.name];
    let listed = lines(&gateway, &list, 2).await;
    assert_eq!(column(&listed, "id"), [&*ids[1], &*ids[0]]);
    assert_eq!(column(&listed, "state"), ["accepted", "accepted"]);

    let show = ["--json", "event", "show", &ids[0]];
    let shown = gateway.webhookctl(&show).await.json().remove(0);
    assert_eq!(shown["body"], product_reset(&ids[0], ""));
    let published = source.message(Queue::Events, &ids[0]).await;
    assert_eq!(shown["event"], published.json());

    let endpoint = gateway.new_endpoint(&source, &[]).await;
    let explain = ["--json", "event", "explain", &ids[0]];
    let explained = eventually("the duplicate in the log", || async {
        let explained = gateway.webhookctl(&explain).await.json().remove(0);
        let steps = explained["steps"].as_array().unwrap().clone();
        let is_told = column(&steps, "what")
            .iter()
            .any(|text| text.contains("duplicate"));
        is_told.then_some(explained)
    })
    .await;
    let steps = explained["steps"].as_array().unwrap();
    for what in ["received", "the secret at position 0", "published"] {
        assert!(
            column(steps, "what").iter().any(|text| text.contains(what)),
            "{what}: {explained:#}"
        );
    }
    let accounts = explained["endpoints"].as_array().unwrap();
    let account = accounts
        .iter()
        .find(|account| account["endpoint"] == endpoint.id);
    let reason = account.unwrap()["reason"].as_str().unwrap();
    assert!(reason.contains("created later"), "{reason}");

    let replay = ["--json", "event", "replay", "--source", &source.name];
    let replay = [
        &replay[..],
        &["--since", "1h", "--endpoint", &endpoint.name],
    ]
    .concat();
    let counted = gateway
        .webhookctl(&[&replay[..], &["--dry-run"]].concat())
        .await;
    assert!(counted.is_success(), "{counted:?}");
    assert!(endpoint.receiver.requests().is_empty());
    let replayed = gateway.webhookctl(&replay).await.json().remove(0);
    assert_eq!(replayed["replayed"], json!(2));
    let requests = endpoint.requests(2).await;
    for request in &requests {
        assert!(ids.contains(&event(request)));
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["replayed"], json!(true));
    }
    endpoint.delete().await;
}

#[tokio::test]
async fn what_a_wrong_secret_of_ours_refused_is_accepted_once_it_is_right() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let (id, right) = (unique(), unique());
    let body = product_reset(&id, "");
    let list = ["--json", "quarantine", "list", "--rejected"];
    let list = [&list[..], &["--source", &source.name]].concat();
    // The gateway drops a rejected request that it cannot keep in time. All of these requests are the same
    // webhook.
    let listed = eventually("a request that is kept", || async {
        let refused = source.known(|| source.signed_with(&right, body.as_bytes()));
        assert_eq!(refused.await.status, 401);
        let listed = gateway.webhookctl(&list).await.json();
        Some(listed).filter(|rows| !rows.is_empty())
    })
    .await;
    assert_eq!(listed[0]["state"], "rejected");
    let release = ["--json", "quarantine", "release", "--rejected"];
    let release = [&release[..], &["--source", &source.name, "--since", "1d"]].concat();
    let kept = gateway.webhookctl(&release).await;
    let outcomes = kept.lines();
    assert_eq!(kept.code, Some(1));
    assert!(
        column(&outcomes, "outcome")
            .iter()
            .all(|text| *text == "kept"),
        "{kept:?}"
    );

    let rotate = ["source", "rotate-secret", &source.name, "--secret-stdin"];
    let guard = gateway.change().await;
    assert!(gateway.webhookctl_with(&rotate, &right).await.is_success());
    drop(guard);
    for outcome in ["released", "released-before"] {
        let released = gateway.webhookctl(&release).await.json();
        assert!(
            column(&released, "outcome").contains(&outcome),
            "{released:?}"
        );
        assert!(column(&released, "event").iter().all(|text| *text == id));
    }
    source.message(Queue::Events, &id).await;
    let again = eventually("the rotated secret", || async {
        let answer = send(source.signed_with(&right, body.as_bytes())).await;
        Some(answer).filter(|answer| answer.status == 200)
    });
    assert_eq!(again.await.outcome(), ("duplicate", &*id));
    assert_eq!(source.messages(Queue::Events).len(), 1);
}

#[tokio::test]
async fn what_is_quarantined_is_listed_and_shown_with_its_bytes() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let answer = source.post("{\"PayloadId\":").await;
    let (outcome, id) = answer.outcome();
    assert_eq!(outcome, "quarantined");
    let list = ["--json", "quarantine", "list", "--source", &source.name];
    let listed = lines(&gateway, &list, 1).await;
    assert_eq!(
        (&listed[0]["id"], &listed[0]["state"]),
        (&json!(id), &json!("quarantined"))
    );
    let show = ["--json", "quarantine", "show", id];
    let shown = gateway.webhookctl(&show).await.json().remove(0);
    assert_eq!(shown["body"], "{\"PayloadId\":");
    assert_eq!(shown["today"]["outcome"], "kept");
}

#[tokio::test]
async fn the_doctor_finds_the_stack_itself_in_order_and_a_source_that_is_not() {
    let gateway = Gateway::find().await;
    let source = gateway.new_source(CREATIVE_FORCE);
    let guard = gateway.change().await;
    let broken = json!({"provider": "creative-force", "secrets": []});
    gateway
        .edit_sources(|sources| {
            sources.insert(source.name.clone(), broken);
        })
        .await;
    drop(guard);
    let doctor = gateway.webhookctl(&["--json", "doctor"]).await;
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    let found = doctor.lines();
    // `doctor` also finds the faults that other tests cause in their sources, endpoints and queues.
    for check in ["version", "timing", "event sources", "tables"] {
        let levels = found.iter().filter(|finding| finding["check"] == check);
        let levels: Vec<_> = levels.map(|finding| &finding["level"]).collect();
        assert!(
            !levels.is_empty() && levels.iter().all(|level| *level == "ok"),
            "{check}: {found:#?}"
        );
    }
    let is_it = |finding: &&Value| finding["subject"] == source.name;
    let about = found.iter().find(is_it).unwrap();
    assert_eq!(about["level"], "wrong", "{about}");
}
