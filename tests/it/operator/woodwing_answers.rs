//! Registering with a Studio Server that answers in other ways than its article shows: a registration is as
//! it was asked for and its token is stored, or it is taken back, or named.
//!
//! Seen to fail: all of them, with the tool that takes each answer for what it should be.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::operator::{CommandOutput, Operator};
use testkit::studio::{CREATED, Loss, PASSWORD, SAVED, Studio, TOKEN, secrets};

/// An operator with a Studio Server.
struct Desk {
    aws: Aws,
    operator: Operator,
    studio: Studio,
}

impl Desk {
    async fn start() -> Self {
        let aws = Aws::start().await;
        Self {
            operator: Operator::of(&aws).await,
            studio: Studio::start().await,
            aws,
        }
    }

    async fn run(&self, words: &[&str]) -> CommandOutput {
        self.run_with(words, PASSWORD).await
    }

    async fn run_with(&self, words: &[&str], input: &str) -> CommandOutput {
        let login = ["--server", self.studio.url(), "--user", "admin"];
        let command = [&["woodwing"][..], words, &login].concat();
        self.operator.run_with(&command, input).await
    }

    fn payload_url(&self, source: &str) -> String {
        format!("{}/webhooks/{source}", self.aws.url())
    }
}

const REGISTER: [&str; 3] = ["create", "--source", "content"];

#[tokio::test]
async fn an_id_is_a_number_or_a_text() {
    for (text_ids, bare_list) in [(true, false), (true, true), (false, true)] {
        let desk = Desk::start().await;
        desk.studio.set(|studio| {
            studio.text_ids = text_ids;
            studio.bare_list = bare_list;
        });
        let id = if text_ids { json!("5") } else { json!(5) };
        let registered = desk.run(&REGISTER).await.json().remove(0);
        assert_eq!(registered["id"], id);
        assert_eq!(secrets(&desk.aws, "content").await, json!([TOKEN]));
        let listed = desk.run(&["list"]).await.json();
        assert_eq!(listed, [json!({"id": id, "name": "content"})]);
        let update = ["update", "5", "--name", "other", "--trigger", CREATED];
        let updated = desk.run(&update).await.json().remove(0);
        assert_eq!((&updated["id"], &updated["name"]), (&id, &json!("other")));
        assert_eq!(desk.run(&["show", "5"]).await.json()[0], updated);
        desk.run(&["delete", "5"]).await.json();
        assert_eq!(desk.studio.registrations(), [] as [Value; 0]);
    }
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_is_taken_back_or_named() {
    let desk = Desk::start().await;
    let elsewhere = "https://elsewhere.example/webhooks/content";
    desk.studio.register("other", elsewhere);
    for (id, loss) in [
        (6, Loss::BadGateway),
        (7, Loss::NoId),
        (8, Loss::BrokenOff),
        (9, Loss::TooLong),
    ] {
        let create = "CreateWebhookRegistration";
        desk.studio
            .set(|studio| studio.losses = vec![(create, loss)]);
        let error = desk.run(&REGISTER).await.error();
        let expected = format!("the registration {id} was deleted again");
        assert!(error.contains(&expected), "{loss:?}: {error}");
        let left = desk.studio.registrations();
        assert_eq!((left.len(), &left[0]["Url"]), (1, &json!(elsewhere)));
        assert_eq!(secrets(&desk.aws, "content").await, Value::Null);
    }
    desk.studio.set(|studio| studio.is_deaf = true);
    let error = desk.run(&REGISTER).await.error();
    assert!(error.contains("woodwing delete 10 --server"), "{error}");
    desk.studio.set(|studio| {
        studio.is_deaf = false;
        studio
            .losses
            .push(("ListWebhookRegistrations", Loss::BadGateway));
    });
    // Whether the URL is registered is asked for before anything is made.
    let error = desk.run(&REGISTER).await.error();
    assert!(error.contains("nothing was registered"), "{error}");
    assert_eq!(desk.studio.registrations().len(), 2);
}

#[tokio::test]
async fn what_is_registered_otherwise_than_asked_for_is_taken_back() {
    let desk = Desk::start().await;
    type Change = fn(&Studio);
    let all = ["--trigger", CREATED, "--trigger", SAVED];
    let changes: [(Change, &str); 4] = [
        (
            |server| server.set(|studio| studio.fewer = true),
            "has not registered for",
        ),
        (
            |server| server.set(|studio| studio.url = Some("https://evil.example".to_owned())),
            "instead of",
        ),
        (
            |server| server.set(|studio| studio.token = Some(json!(null))),
            "no SecretToken",
        ),
        (
            |server| server.set(|studio| studio.token = Some(json!(""))),
            "no SecretToken",
        ),
    ];
    for (change, why) in changes {
        desk.studio.set(|studio| *studio = Default::default());
        change(&desk.studio);
        let error = desk.run(&[&REGISTER[..], &all].concat()).await.error();
        assert!(error.contains(why), "{error}");
        assert!(error.contains("was deleted again"), "{error}");
        assert_eq!(desk.studio.registrations(), [] as [Value; 0], "{why}");
        assert_eq!(secrets(&desk.aws, "content").await, Value::Null, "{why}");
    }
    let own = [&REGISTER[..], &["--secret-stdin"]].concat();
    desk.studio.set(|studio| *studio = Default::default());
    desk.studio
        .set(|studio| studio.token = Some(json!("another")));
    let error = desk.run_with(&own, &format!("{PASSWORD}\nown\n")).await;
    let error = error.error();
    assert!(error.contains("another token"), "{error}");
    assert_eq!(desk.studio.registrations(), [] as [Value; 0]);
    assert_eq!(secrets(&desk.aws, "content").await, Value::Null);
}

#[tokio::test]
async fn a_url_is_registered_once_unless_another_is_asked_for() {
    for bare_list in [false, true] {
        let desk = Desk::start().await;
        desk.studio.set(|studio| studio.bare_list = bare_list);
        desk.run(&REGISTER).await.json();
        let error = desk.run(&REGISTER).await.error();
        assert!(error.contains("already registered, as 5"), "{error}");
        assert_eq!(desk.studio.registrations().len(), 1);
        // A registration that was there before stays, whatever becomes of another.
        let another = [&REGISTER[..], &["--another"]].concat();
        let create = "CreateWebhookRegistration";
        desk.studio
            .set(|studio| studio.losses = vec![(create, Loss::BadGateway)]);
        desk.run(&another).await.error();
        assert_eq!(desk.studio.registrations().len(), 1);
        desk.studio.set(|studio| studio.losses.clear());
        desk.run(&another).await.json();
        assert_eq!(desk.studio.registrations().len(), 2);
    }
}

#[tokio::test]
async fn a_registration_moves_to_no_source_that_lacks_its_token() {
    let desk = Desk::start().await;
    let woodwing = |secrets: Value| json!({"provider": "woodwing", "secrets": secrets});
    let mut unsigned = woodwing(json!([]));
    unsigned["unsigned"] = json!(true);
    desk.aws
        .put_sources(&json!({
            "content": woodwing(json!([TOKEN])), "other": woodwing(json!(["b"])), "open": unsigned,
            "broken": woodwing(json!([])), "studio": {"provider": "creative-force", "secrets": ["c"]},
        }))
        .await;
    desk.studio.register("it", &desk.payload_url("content"));
    let url = || desk.studio.registrations()[0]["Url"].clone();
    let update = async |source| desk.run(&["update", "5", "--source", source]).await;
    for (source, why) in [
        ("typo", "there is no source typo"),
        ("broken", "disabled"),
        ("studio", "another provider"),
    ] {
        let error = update(source).await.error();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(desk.studio.logged_on(), 0);
    let error = update("other").await.error();
    assert!(error.contains("does not show its token"), "{error}");
    assert_eq!(url(), json!(desk.payload_url("content")));
    assert_eq!(update("content").await.json()[0]["url"], url());
    update("open").await.json();
    assert_eq!(url(), json!(desk.payload_url("open")));
    // After the gateway got another domain.
    desk.studio
        .register("moved", "https://old.example/webhooks/content");
    let moved = ["update", "6", "--source", "content"];
    let moved = desk.run(&moved).await.json().remove(0);
    assert_eq!(moved["url"], json!(desk.payload_url("content")));
}

#[tokio::test]
async fn what_became_of_a_change_is_read_back_when_its_answer_is_lost() {
    let desk = Desk::start().await;
    desk.studio.register("it", "https://a.example/");
    let lost = |method| {
        desk.studio
            .set(|studio| studio.losses = vec![(method, Loss::BadGateway)])
    };
    lost("UpdateWebhookRegistration");
    let update = ["update", "5", "--name", "new"];
    assert_eq!(desk.run(&update).await.json()[0]["name"], "new");
    desk.studio.set(|studio| studio.is_deaf = true);
    let update = ["update", "5", "--name", "newer"];
    assert!(desk.run(&update).await.error().contains("HTTP 502"));
    lost("GetWebhookRegistration");
    desk.run(&update).await.error();
    desk.studio.set(|studio| studio.losses.clear());
    let error = desk.run(&["delete", "5"]).await.error();
    assert!(
        error.contains("has not deleted the registration"),
        "{error}"
    );
    desk.studio.set(|studio| studio.is_deaf = false);
    lost("DeleteWebhookRegistration");
    desk.run(&["delete", "5"]).await.json();
    assert_eq!(desk.studio.registrations(), [] as [Value; 0]);
}

#[tokio::test]
async fn a_password_goes_nowhere_by_plain_http_and_no_server_steers_the_terminal() {
    let desk = Desk::start().await;
    let list = ["woodwing", "list", "--user", "admin", "--server"];
    for (server, why) in [
        ("http://studio.example/StudioServer", "--insecure-http"),
        ("http://10.255.255.1/StudioServer", "--insecure-http"),
        (
            "http://127.0.0.1.studio.example/StudioServer",
            "--insecure-http",
        ),
        ("https://admin:hunter2-password@studio.example/", "--user"),
    ] {
        let list = [&list[..], &[server]].concat();
        let error = desk.operator.run_with(&list, PASSWORD).await.error();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains(PASSWORD), "{error}");
    }
    let words = "\u{1b}]0;x\u{7}\u{1b}[2J \u{9b}31m \u{202e}txet\nnote: all is well";
    desk.studio
        .set(|studio| studio.refusal = Some(words.to_owned()));
    let list = [&list[..], &[desk.studio.url()]].concat();
    let said = desk.operator.run_plain(&list, PASSWORD).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!said.notes.contains(steers), "{said:?}");
    let lines = said.notes.lines().collect::<Vec<_>>();
    assert!(!lines.contains(&"note: all is well"), "{said:?}");
    let error = desk.operator.run_with(&list, PASSWORD).await.error();
    assert!(error.ends_with(words), "{error:?}");
}
