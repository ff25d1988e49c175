//! The Webhooks plug-in of WoodWing Studio Server, by its JSON-RPC interface, as
//! [WoodWing's article](https://helpcenter.woodwing.com) shows its requests and answers. What is registered is left to the
//! commands.

use crate::Result;
use crate::output::chain;
use reqwest::redirect::Policy;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The class of a registration.
const REGISTRATION: &str = "WhRegWebhookRegistrationInfo";

/// A Studio Server, with a ticket of a user who logged on.
pub(super) struct Server {
    http: reqwest::Client,
    url: String,
    ticket: String,
}

/// A registration as the server has it. Its token is told only once, to who creates it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Registration {
    pub(super) id: Option<u64>,
    pub(super) name: String,
    pub(super) url: String,
    /// Event types, by the entity that they are of.
    pub(super) triggers: Triggers,
}

/// Event types, by the entity that they are of. In which order they come says nothing.
pub(super) type Triggers = BTreeMap<String, BTreeSet<String>>;

impl Server {
    /// Logs on. Neither the password nor the ticket is in any error.
    pub(super) async fn log_on(url: &str, user: &str, password: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        let mut server = Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            ticket: String::new(),
        };
        let request = json!({
            "method": "LogOn", "id": "1", "jsonrpc": "2.0",
            "params": {"req": {
                "User": user, "Password": password, "ClientName": "webhookctl", "ClientAppName": "webhookctl",
                "__classname__": "WflLogOnRequest",
            }},
        });
        let answer = server.post("index.php?protocol=JSON", &request).await;
        let answer = answer.map_err(|error| format!("{user} cannot log on: {error}"))?;
        let ticket = answer["Ticket"]
            .as_str()
            .filter(|ticket| !ticket.is_empty());
        let ticket =
            ticket.ok_or_else(|| format!("{user} cannot log on: the answer has no ticket"))?;
        ticket.clone_into(&mut server.ticket);
        Ok(server)
    }

    /// The event types that there are, by the entity that they are of.
    pub(super) async fn trigger_options(&self) -> Result<Triggers> {
        let answer = self.ask("GetTriggerOptions", json!({})).await?;
        let options = answer["Options"].as_array().into_iter().flatten();
        let types = |option: &Value| {
            let types = option["EventTypes"].as_array().into_iter().flatten();
            types
                .filter_map(|it| it["Name"].as_str().map(str::to_owned))
                .collect()
        };
        let entity = |option: &Value| option["Entity"]["Name"].as_str().map(str::to_owned);
        Ok(options
            .filter_map(|it| Some((entity(it)?, types(it))))
            .collect())
    }

    /// The ids and the names of what is registered.
    pub(super) async fn list(&self) -> Result<Vec<(u64, String)>> {
        let answer = self.ask("ListWebhookRegistrations", json!({})).await?;
        let all = answer["Registrations"].as_array().into_iter().flatten();
        let one = |it: &Value| Some((it["Id"].as_u64()?, it["Name"].as_str()?.to_owned()));
        Ok(all.filter_map(one).collect())
    }

    /// A registration.
    pub(super) async fn get(&self, id: u64) -> Result<Registration> {
        let answer = self
            .ask("GetWebhookRegistration", json!({"Id": id}))
            .await?;
        read(&answer["Registration"]).ok_or_else(|| {
            format!("there is no registration {id}: see `webhookctl woodwing list`").into()
        })
    }

    /// Registers; the registration, and its token: the server's own, if none is given.
    pub(super) async fn create(
        &self,
        registration: &Registration,
        token: Option<&str>,
    ) -> Result<(Registration, String)> {
        let request = json!({"Registration": written(registration, token)});
        let answer = self
            .tell("CreateWebhookRegistration", Some(""), request)
            .await?;
        let created = read(&answer["Registration"]).filter(|it| it.id.is_some());
        let created = created.ok_or(
            "the answer to the registration has no id: look for it by `webhookctl woodwing list`",
        )?;
        let made = answer["Registration"]["SecretToken"].as_str();
        let token = token.or(made).filter(|token| !token.is_empty());
        match token {
            Some(token) => Ok((created, token.to_owned())),
            None => {
                self.delete(created.id.unwrap_or_default()).await?;
                Err("the server made no SecretToken; the registration is taken back".into())
            }
        }
    }

    /// Changes a registration, and keeps its token. The answer says nothing but 1.
    ///
    /// The article's example repeats the class of the request that creates one; the interface names the class of each
    /// request by its method, here as in every other example.
    pub(super) async fn update(&self, registration: &Registration) -> Result<()> {
        let mut info = written(registration, None);
        info["Id"] = json!(registration.id);
        let request = json!({"Registration": info});
        self.tell("UpdateWebhookRegistration", None, request)
            .await?;
        Ok(())
    }

    /// Removes a registration.
    pub(super) async fn delete(&self, id: u64) -> Result<()> {
        self.tell("DeleteWebhookRegistration", Some(""), json!({"Id": id}))
            .await?;
        Ok(())
    }

    /// A method whose parameters are the member `req`.
    async fn ask(&self, method: &str, request: Value) -> Result<Value> {
        let params = json!({"req": self.of_class(method, request)});
        let call = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 1});
        self.call(&call).await
    }

    /// A method whose parameters are a list.
    async fn tell(&self, method: &str, id: Option<&str>, request: Value) -> Result<Value> {
        let params = json!([self.of_class(method, request)]);
        let mut call = json!({"jsonrpc": "2.0", "method": method, "params": params});
        if let Some(id) = id {
            call["id"] = json!(id);
        }
        self.call(&call).await
    }

    fn of_class(&self, method: &str, mut request: Value) -> Value {
        request["Ticket"] = json!(self.ticket);
        request["__classname__"] = json!(format!("WhReg{method}Request"));
        request
    }

    async fn call(&self, call: &Value) -> Result<Value> {
        let path = "pluginindex.php?plugin=Webhooks&interface=reg&protocol=JSON";
        self.post(path, call).await
    }

    async fn post(&self, path: &str, call: &Value) -> Result<Value> {
        let url = format!("{}/{path}", self.url);
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json");
        let answer = request.body(call.to_string()).send().await;
        let answer = answer.map_err(|error| {
            let why = chain(&error.without_url());
            format!(
                "Studio Server at {} does not answer ({why}): check --server",
                self.url
            )
        })?;
        let status = answer.status();
        let text = answer
            .text()
            .await
            .map_err(|error| chain(&error.without_url()))?;
        result(status.as_u16(), &text, &self.url).map_err(Into::into)
    }
}

/// What an answer comes to.
fn result(status: u16, text: &str, url: &str) -> std::result::Result<Value, String> {
    if !(200..300).contains(&status) {
        return Err(format!(
            "Studio Server at {url} answers HTTP {status}: check --server, which ends in /StudioServer"
        ));
    }
    let Ok(mut answer) = serde_json::from_str::<Value>(text) else {
        return Err(format!(
            "Studio Server at {url} answers no JSON: check --server, and on its Server Plug-ins page that the plug-in Webhooks is enabled"
        ));
    };
    match &answer["error"] {
        Value::Null => {}
        error => {
            let message = error["message"].as_str().or(error.as_str());
            return Err(format!(
                "Studio Server refuses: {}",
                message.unwrap_or("for no reason that it gives")
            ));
        }
    }
    match answer.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Ok(answer),
    }
}

fn written(registration: &Registration, token: Option<&str>) -> Value {
    let triggers = registration.triggers.iter().map(|(entity, types)| {
        json!({"EntityName": entity, "EventTypes": types, "__classname__": "WhRegTrigger"})
    });
    json!({
        "Name": registration.name, "Url": registration.url, "SecretToken": token,
        "Triggers": triggers.collect::<Vec<_>>(), "__classname__": REGISTRATION,
    })
}

fn read(info: &Value) -> Option<Registration> {
    let triggers = info["Triggers"].as_array().into_iter().flatten();
    let trigger = |it: &Value| {
        let types = it["EventTypes"].as_array()?.iter();
        let types = types.filter_map(|it| it.as_str().map(str::to_owned));
        Some((it["EntityName"].as_str()?.to_owned(), types.collect()))
    };
    Some(Registration {
        id: info["Id"].as_u64(),
        name: info["Name"].as_str()?.to_owned(),
        url: info["Url"].as_str()?.to_owned(),
        triggers: triggers.filter_map(trigger).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_none_says_what_to_check() {
        let of = |status, text| result(status, text, "http://studio");
        assert_eq!(of(200, r#"{"result":{"a":1},"id":1}"#), Ok(json!({"a": 1})));
        assert_eq!(of(200, "1"), Ok(json!(1)));
        for (status, text, expected) in [
            (404, "", "HTTP 404"),
            (302, "", "HTTP 302"),
            (200, "<html>", "plug-in Webhooks is enabled"),
            (200, "", "plug-in Webhooks is enabled"),
            (
                200,
                r#"{"error":{"message":"Invalid ticket"}}"#,
                "Invalid ticket",
            ),
            (200, r#"{"error":"no"}"#, "refuses: no"),
        ] {
            let error = of(status, text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
