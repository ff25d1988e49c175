//! Registering with Studio Server: by a double that takes the requests of WoodWing's article, and nothing
//! that differs.

use serde_json::json;
use testkit::aws::Aws;
use testkit::operator::Operator;
use testkit::studio::{CREATED, PASSWORD, Studio, TICKET, TOKEN, secrets};

#[tokio::test]
async fn a_source_is_registered_and_its_token_is_stored_and_never_shown() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let studio = Studio::start().await;
    let url = studio.url();
    let login = ["--server", url, "--user", "admin"];
    let run = async |words: &[&str], input: &str| {
        let command = [&["woodwing"][..], words, &login].concat();
        let said = operator.run_with(&command, input).await;
        for secret in [PASSWORD, TICKET, TOKEN, "own-token"] {
            let all = format!("{} {}", said.output, said.notes);
            assert!(!all.contains(secret), "{secret} is shown: {all}");
        }
        said
    };
    let options = run(&["event-types"], PASSWORD).await.json();
    assert_eq!(
        (options.len(), &options[0]["trigger"]),
        (2, &json!(CREATED))
    );

    let register = ["create", "--source", "content", "--trigger", CREATED];
    let registered = run(&register, PASSWORD).await.json().remove(0);
    assert_eq!(registered["id"], 5);
    assert_eq!(registered["triggers"]["object"], json!([CREATED]));
    assert!(
        registered["url"]
            .as_str()
            .unwrap()
            .ends_with("/webhooks/content")
    );
    assert_eq!(secrets(&aws, "content").await, json!([TOKEN]));

    let own = [&register[..], &["--another", "--secret-stdin"]].concat();
    run(&own, &format!("{PASSWORD}\nown-token\n")).await.json();
    assert_eq!(secrets(&aws, "content").await, json!(["own-token", TOKEN]));
    assert_eq!(run(&["list"], PASSWORD).await.json().len(), 2);

    let updated = run(
        &["update", "5", "--name", "other", "--source", "content"],
        PASSWORD,
    )
    .await;
    assert_eq!(updated.json()[0]["name"], "other");
    assert_eq!(
        run(&["show", "5"], PASSWORD).await.json()[0]["name"],
        "other"
    );
    studio.set(|studio| studio.is_deaf = true);
    let deaf = run(&["update", "5", "--url", "https://example.com/"], PASSWORD).await;
    assert!(deaf.error().contains("has not changed"));
    studio.set(|studio| studio.is_deaf = false);

    run(&["delete", "5"], PASSWORD).await.json();
    assert!(
        run(&["show", "5"], PASSWORD)
            .await
            .error()
            .contains("S1029")
    );
    assert!(run(&["list"], "wrong").await.error().contains("S1053"));
    assert!(run(&["list"], "").await.error().contains("no password"));
    let unknown = [
        "create",
        "--source",
        "content",
        "--trigger",
        "com.example/no",
    ];
    assert!(
        run(&unknown, PASSWORD)
            .await
            .error()
            .contains("there is no event type")
    );
    let other = ["create", "--source", "studio"];
    assert!(
        run(&other, PASSWORD)
            .await
            .error()
            .contains("another provider")
    );
    let elsewhere = url.replace("StudioServer", "Other");
    let wrong = [
        "woodwing", "list", "--server", &elsewhere, "--user", "admin",
    ];
    let wrong = operator.run_with(&wrong, PASSWORD).await.error();
    assert!(wrong.contains("check --server"), "{wrong}");
}

#[tokio::test]
async fn what_cannot_be_stored_is_taken_back() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let studio = Studio::start().await;
    let url = studio.url();
    // More than Secrets Manager keeps.
    let filler = json!({"studio": {"provider": "creative-force", "secrets": ["x".repeat(65_400)]}});
    aws.put_sources(&filler).await;
    let register = [
        "woodwing", "create", "--source", "content", "--server", url, "--user", "admin",
    ];
    let said = operator.run_with(&register, PASSWORD).await;
    assert!(
        said.error()
            .contains("the registration 5 was deleted again"),
        "{said:?}"
    );
    assert!(studio.registrations().is_empty());
}
