//! A double of WoodWing Studio Server with its plug-in Webhooks. It accepts exactly the requests of
//! WoodWing's article. It can give every answer that such a server, or a proxy before it, can give.

use crate::aws::Aws;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

pub const PASSWORD: &str = "hunter2-password";
pub const TICKET: &str = "e08d86e5day6tiSYTRJXtHHsXSnak97bmYIDY4os";
pub const TOKEN: &str = "f65b957c-f3e3-988a-8be5-56ddba21c41f";
pub const CREATED: &str = "com.woodwing.studio/object/created";
pub const SAVED: &str = "com.woodwing.studio/object/saved";

/// The way in which the answer to a call is lost. The call is made all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// A proxy before the server answers in its place.
    BadGateway,
    /// The answer reports success and contains nothing else.
    NoId,
    /// The connection ends before the answer does.
    BrokenOff,
    /// The answer is longer than the client's limit.
    TooLong,
}

/// The behaviour of the server.
#[derive(Debug, Default)]
pub struct Ways {
    /// It reports updates and removals as done, and does nothing.
    pub is_deaf: bool,
    /// Ids are texts.
    pub text_ids: bool,
    /// Its list has only names and ids.
    pub bare_list: bool,
    /// It registers another URL than the requested one.
    pub url: Option<String>,
    /// It registers only the first event type.
    pub fewer: bool,
    /// It ignores the given token and makes its own, or none.
    pub token: Option<Value>,
    /// The way in which the answers to these methods are lost.
    pub losses: Vec<(&'static str, Loss)>,
    /// It rejects every method of the plug-in with these words.
    pub refusal: Option<String>,
}

#[derive(Default)]
struct Shared {
    ways: Ways,
    registrations: Vec<Value>,
    logged_on: usize,
    next_id: u64,
}

/// A running server.
pub struct Studio {
    url: String,
    shared: Arc<Mutex<Shared>>,
}

impl Studio {
    pub async fn start() -> Self {
        let shared = Arc::new(Mutex::new(Shared {
            next_id: 5,
            ..Shared::default()
        }));
        let routes = Router::new()
            .route("/StudioServer/index.php", post(log_on))
            .route("/StudioServer/pluginindex.php", post(plugin))
            .route("/Other/index.php", post(log_on))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/StudioServer", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, shared }
    }

    /// The value of `--server`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes the server's behaviour from now on.
    pub fn set(&self, change: impl FnOnce(&mut Ways)) {
        change(&mut self.shared.lock().unwrap().ways);
    }

    /// The server's registrations.
    pub fn registrations(&self) -> Vec<Value> {
        self.shared.lock().unwrap().registrations.clone()
    }

    /// The number of log-ons.
    pub fn logged_on(&self) -> usize {
        self.shared.lock().unwrap().logged_on
    }

    /// Registers a URL, as another user could have done before.
    pub fn register(&self, name: &str, url: &str) {
        let triggers = json!([{"EntityName": "object", "EventTypes": [CREATED]}]);
        let info = json!({"Name": name, "Url": url, "Triggers": triggers});
        self.shared.lock().unwrap().add(info);
    }
}

impl Shared {
    fn add(&mut self, mut info: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        info["Id"] = match self.ways.text_ids {
            true => json!(id.to_string()),
            false => json!(id),
        };
        self.registrations.push(info.clone());
        info
    }

    /// The result of a call, or the reason of its rejection.
    fn make(&mut self, method: &str, request: &Value) -> Result<Value, &'static str> {
        const DIFFERENT: &str = "not as in the article";
        let info = &request["Registration"];
        let class = format!("WhReg{method}Request");
        let well_formed = info["__classname__"] == "WhRegWebhookRegistrationInfo"
            && info["Triggers"].as_array().is_some_and(|all| {
                all.iter().all(|trigger| {
                    trigger["__classname__"] == "WhRegTrigger" && trigger["EntityName"] == "object"
                })
            });
        if request["__classname__"] != *class || request["Ticket"] != TICKET {
            return Err(DIFFERENT);
        }
        let plain = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let id = [&request["Id"], &info["Id"]];
        let id = id.iter().find(|id| !id.is_null()).map(|id| plain(id));
        let known = self
            .registrations
            .iter()
            .position(|registration| Some(plain(&registration["Id"])) == id);
        match method {
            "GetTriggerOptions" => Ok(json!({"Options": [{
                "Entity": {"Name": "object", "DisplayName": "Object"},
                "EventTypes": [{"Name": CREATED}, {"Name": SAVED}],
            }]})),
            "ListWebhookRegistrations" => {
                let bare = |registration: &Value| {
                    json!({
                        "Id": registration["Id"], "Name": registration["Name"],
                    })
                };
                let all = self.registrations.iter();
                let all: Vec<_> = match self.ways.bare_list {
                    true => all.map(bare).collect(),
                    false => all.cloned().collect(),
                };
                Ok(json!({"Registrations": all}))
            }
            "CreateWebhookRegistration" if well_formed => {
                let mut info = info.clone();
                if let Some(url) = &self.ways.url {
                    info["Url"] = json!(url);
                }
                if self.ways.fewer {
                    info["Triggers"][0]["EventTypes"]
                        .as_array_mut()
                        .unwrap()
                        .truncate(1);
                }
                let mut created = self.add(info);
                if let Some(token) = &self.ways.token {
                    created["SecretToken"] = token.clone();
                } else if created["SecretToken"].is_null() {
                    created["SecretToken"] = json!(TOKEN);
                }
                Ok(json!({"Registration": created}))
            }
            "GetWebhookRegistration" => {
                let known = known.ok_or("Record not found (S1029)")?;
                let mut info = self.registrations[known].clone();
                info["SecretToken"] = Value::Null;
                Ok(json!({"Registration": info}))
            }
            "UpdateWebhookRegistration" if well_formed => {
                if let Some(known) = known.filter(|_| !self.ways.is_deaf) {
                    self.registrations[known] = info.clone();
                }
                Ok(json!(1))
            }
            "DeleteWebhookRegistration" => {
                let known = known.ok_or("Record not found (S1029)")?;
                if !self.ways.is_deaf {
                    self.registrations.remove(known);
                }
                Ok(json!({}))
            }
            _ => Err(DIFFERENT),
        }
    }
}

fn refused(message: &str) -> Response {
    json!({"error": {"message": message}, "id": 1})
        .to_string()
        .into_response()
}

async fn log_on(
    State(shared): State<Arc<Mutex<Shared>>>,
    RawQuery(query): RawQuery,
    body: String,
) -> Response {
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
    shared.lock().unwrap().logged_on += 1;
    let result = json!({"Ticket": TICKET, "Publications": []});
    json!({"id": "1", "result": result, "jsonrpc": "2.0"})
        .to_string()
        .into_response()
}

async fn plugin(
    State(shared): State<Arc<Mutex<Shared>>>,
    RawQuery(query): RawQuery,
    body: String,
) -> Response {
    let call: Value = serde_json::from_str(&body).unwrap();
    let mut shared = shared.lock().unwrap();
    let method = call["method"].as_str().unwrap();
    let listed = call["params"].is_array();
    let request = if listed {
        &call["params"][0]
    } else {
        &call["params"]["req"]
    };
    let as_a_list = [
        "CreateWebhookRegistration",
        "UpdateWebhookRegistration",
        "DeleteWebhookRegistration",
    ];
    if query.as_deref() != Some("plugin=Webhooks&interface=reg&protocol=JSON")
        || listed != as_a_list.contains(&method)
        || call["jsonrpc"] != "2.0"
    {
        return refused("not as in the article");
    }
    if let Some(words) = &shared.ways.refusal {
        return refused(words);
    }
    let result = match shared.make(method, request) {
        Ok(result) => result,
        Err(words) => return refused(words),
    };
    let loss = shared.ways.losses.iter().find(|(loss, _)| *loss == method);
    match loss.map(|(_, loss)| *loss) {
        Some(Loss::BadGateway) => StatusCode::BAD_GATEWAY.into_response(),
        Some(Loss::NoId) => json!({"id": 1, "result": {}}).to_string().into_response(),
        Some(Loss::BrokenOff) => {
            let parts = [Ok("{"), Err(std::io::Error::other("cut off"))];
            Body::from_stream(futures_util::stream::iter(parts)).into_response()
        }
        Some(Loss::TooLong) => {
            let long = " ".repeat(5 << 20);
            format!("{long}{{\"result\":{result}}}").into_response()
        }
        None if method == "UpdateWebhookRegistration" => "1".into_response(),
        None => {
            let answer = json!({"id": call["id"], "result": result, "jsonrpc": "2.0"});
            answer.to_string().into_response()
        }
    }
}

/// The secrets of a source, in the document's form.
pub async fn secrets(aws: &Aws, source: &str) -> Value {
    let read = json!({"SecretId": "sources"});
    let read = aws.call("secretsmanager.GetSecretValue", &read).await;
    let document: Value = serde_json::from_str(read["SecretString"].as_str().unwrap()).unwrap();
    document["sources"][source]["secrets"].clone()
}
