//! Registering with Studio Server: by a double that takes the requests of WoodWing's article, and nothing that differs.

use crate::support::aws::Aws;
use crate::support::operator::Operator;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::routing::post;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const PASSWORD: &str = "hunter2-password";
const TICKET: &str = "e08d86e5day6tiSYTRJXtHHsXSnak97bmYIDY4os";
const TOKEN: &str = "f65b957c-f3e3-988a-8be5-56ddba21c41f";
const CREATED: &str = "com.woodwing.studio/object/created";

#[derive(Default)]
struct Studio {
    registrations: Vec<Value>,
    /// It answers updates with 1, and does nothing.
    is_deaf: bool,
}

type Shared = Arc<Mutex<Studio>>;

async fn start() -> (Shared, String) {
    let shared = Shared::default();
    let routes = Router::new()
        .route("/StudioServer/index.php", post(log_on))
        .route("/StudioServer/pluginindex.php", post(plugin))
        .route("/Other/index.php", post(log_on))
        .with_state(Arc::clone(&shared));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/StudioServer", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (shared, url)
}

fn refused(message: &str) -> String {
    json!({"error": {"message": message}, "id": 1}).to_string()
}

async fn log_on(RawQuery(query): RawQuery, body: String) -> String {
    let call: Value = serde_json::from_str(&body).unwrap();
    let request = &call["params"]["req"];
    let expected = json!({
        "method": "LogOn", "id": "1", "jsonrpc": "2.0",
        "params": {"req": {
            "User": "admin", "Password": request["Password"], "ClientName": request["ClientName"],
            "ClientAppName": request["ClientAppName"], "__classname__": "WflLogOnRequest",
        }},
    });
    if query.as_deref() != Some("protocol=JSON") || call != expected {
        return refused("not as in the article");
    }
    if request["Password"] != PASSWORD {
        return refused("Invalid user name or password (S1053)");
    }
    json!({"id": "1", "result": {"Ticket": TICKET, "Publications": []}, "jsonrpc": "2.0"})
        .to_string()
}

async fn plugin(State(shared): State<Shared>, RawQuery(query): RawQuery, body: String) -> String {
    let call: Value = serde_json::from_str(&body).unwrap();
    let mut studio = shared.lock().unwrap();
    let method = call["method"].as_str().unwrap();
    let listed = call["params"].is_array();
    let request = if listed {
        &call["params"][0]
    } else {
        &call["params"]["req"]
    };
    let class = format!("WhReg{method}Request");
    let as_a_list = [
        "CreateWebhookRegistration",
        "UpdateWebhookRegistration",
        "DeleteWebhookRegistration",
    ];
    if query.as_deref() != Some("plugin=Webhooks&interface=reg&protocol=JSON")
        || request["__classname__"] != *class
        || request["Ticket"] != TICKET
        || listed != as_a_list.contains(&method)
        || call["jsonrpc"] != "2.0"
    {
        return refused("not as in the article");
    }
    let info = &request["Registration"];
    let well_formed = info["__classname__"] == "WhRegWebhookRegistrationInfo"
        && info["Triggers"].as_array().is_some_and(|all| {
            all.iter()
                .all(|it| it["__classname__"] == "WhRegTrigger" && it["EntityName"] == "object")
        });
    let id = request["Id"].as_u64().or(info["Id"].as_u64());
    let known = studio
        .registrations
        .iter()
        .position(|it| it["Id"].as_u64() == id);
    let result = match method {
        "GetTriggerOptions" => json!({"Options": [{
            "Entity": {"Name": "object", "DisplayName": "Object"},
            "EventTypes": [{"Name": CREATED}, {"Name": "com.woodwing.studio/object/saved"}],
        }]}),
        "ListWebhookRegistrations" => json!({"Registrations": studio.registrations}),
        "CreateWebhookRegistration" if well_formed => {
            let mut info = info.clone();
            info["Id"] = json!(studio.registrations.len() + 5);
            studio.registrations.push(info.clone());
            if info["SecretToken"].is_null() {
                info["SecretToken"] = json!(TOKEN);
            }
            json!({"Registration": info})
        }
        "GetWebhookRegistration" => match known {
            Some(known) => {
                let mut info = studio.registrations[known].clone();
                info["SecretToken"] = Value::Null;
                json!({"Registration": info})
            }
            None => return refused("Record not found (S1029)"),
        },
        "UpdateWebhookRegistration" if well_formed => {
            if let Some(known) = known.filter(|_| !studio.is_deaf) {
                studio.registrations[known] = info.clone();
            }
            return "1".to_owned();
        }
        "DeleteWebhookRegistration" => {
            studio.registrations.remove(known.unwrap());
            json!({})
        }
        _ => return refused("not as in the article"),
    };
    json!({"id": call["id"], "result": result, "jsonrpc": "2.0"}).to_string()
}

async fn secrets(aws: &Aws, source: &str) -> Value {
    let read = json!({"SecretId": "sources"});
    let read = aws.call("secretsmanager.GetSecretValue", &read).await;
    let document: Value = serde_json::from_str(read["SecretString"].as_str().unwrap()).unwrap();
    document["sources"][source]["secrets"].clone()
}

#[tokio::test]
async fn a_source_is_registered_and_its_token_is_stored_and_never_shown() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let (studio, url) = start().await;
    let login = ["--server", &url, "--user", "admin"];
    let run = async |words: &[&str], input: &str| {
        let command = [&["woodwing"][..], words, &login].concat();
        let said = operator.run_with(&command, input).await;
        for secret in [PASSWORD, TICKET, TOKEN, "own-token"] {
            let all = format!("{} {}", said.output, said.notes);
            assert!(!all.contains(secret), "{secret} is shown: {all}");
        }
        said
    };
    let options = run(&["trigger-options"], PASSWORD).await.json();
    assert_eq!(
        (options.len(), &options[0]["trigger"]),
        (2, &json!(CREATED))
    );

    let register = ["register", "--source", "content", "--trigger", CREATED];
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

    let own = [&register[..], &["--secret-stdin"]].concat();
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
        run(&["get", "5"], PASSWORD).await.json()[0]["name"],
        "other"
    );
    studio.lock().unwrap().is_deaf = true;
    let deaf = run(&["update", "5", "--url", "https://example.com/"], PASSWORD).await;
    assert!(deaf.error().contains("has not changed"));

    run(&["unregister", "5"], PASSWORD).await.json();
    assert!(run(&["get", "5"], PASSWORD).await.error().contains("S1029"));
    assert!(run(&["list"], "wrong").await.error().contains("S1053"));
    assert!(run(&["list"], "").await.error().contains("no password"));
    let unknown = [
        "register",
        "--source",
        "content",
        "--trigger",
        "com.example/no",
    ];
    assert!(
        run(&unknown, PASSWORD)
            .await
            .error()
            .contains("there is no trigger")
    );
    let other = ["register", "--source", "studio"];
    assert!(
        run(&other, PASSWORD)
            .await
            .error()
            .contains("another vendor")
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
    let (studio, url) = start().await;
    // More than Secrets Manager keeps.
    let filler = json!({"studio": {"vendor": "creative-force", "secrets": ["x".repeat(65_400)]}});
    aws.put_sources(&filler).await;
    let register = [
        "woodwing", "register", "--source", "content", "--server", &url, "--user", "admin",
    ];
    let said = operator.run_with(&register, PASSWORD).await;
    assert!(
        said.error().contains("the registration is taken back"),
        "{said:?}"
    );
    assert!(studio.lock().unwrap().registrations.is_empty());
}
