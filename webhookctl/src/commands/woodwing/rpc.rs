//! The Webhooks plug-in of WoodWing Studio Server, by its JSON-RPC interface, as [WoodWing's
//! article](https://helpcenter.woodwing.com) shows its requests and answers.

use crate::Result;
use crate::output::chain;
use crate::web::{body, is_loopback};
use reqwest::Url;
use reqwest::redirect::Policy;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most characters of a message of the server that are printed.
const MAX_MESSAGE: usize = 500;

/// The class of a registration.
const REGISTRATION: &str = "WhRegWebhookRegistrationInfo";

/// A Studio Server, with a ticket of a user who logged on.
pub(crate) struct Server {
    http: reqwest::Client,
    url: String,
    ticket: String,
}

/// The id of a registration, as the server writes it: a number, or a text.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Id(Value);

/// A registration as the server has it. The server shows its token only once, when it is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Registration {
    pub(crate) id: Option<Id>,
    pub(crate) name: String,
    pub(crate) url: String,
    /// Event types, by their entity.
    pub(crate) triggers: Triggers,
}

/// A registration in a list, of which the server may leave out parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: Option<Id>,
    pub(crate) name: Option<String>,
    pub(crate) url: Option<String>,
}

/// Event types, by their entity. In which order they come says nothing.
pub(crate) type Triggers = BTreeMap<String, BTreeSet<String>>;

impl Id {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(_) => Some(Self(value.clone())),
            Value::String(text) if !text.is_empty() => Some(Self(value.clone())),
            _ => None,
        }
    }
}

impl FromStr for Id {
    type Err = Infallible;

    /// An id as an operator types it: a number if it looks like one.
    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        let number = text.parse::<u64>();
        Ok(Self(number.map_or_else(|_| text.into(), Value::from)))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::String(text) => f.write_str(text),
            number => number.fmt(f),
        }
    }
}

/// The server may write the same id as a number in one place and as a text in another.
impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Id {}

/// The URL of a server that a password may be sent to, without the slash at its end.
fn server_url(text: &str, insecure_http: bool) -> Result<String> {
    let url = Url::parse(text).map_err(|error| {
        format!("--server is not a URL ({error}), such as https://studio.example.com/StudioServer")
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "--server contains a user or a password: name the user with --user; the password is \
            asked for"
                .into(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("--server ends in /StudioServer, without a query or a fragment".into());
    }
    match url.scheme() {
        "https" => {}
        "http" if insecure_http || is_loopback(&url) => {}
        "http" => {
            return Err(
                "--server has no TLS: anyone on the network path can read the password and the token. Use \
                    https, or --insecure-http"
                    .into(),
            );
        }
        scheme => return Err(format!("--server has the scheme {scheme} instead of https").into()),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

impl Server {
    /// Logs on. Neither the password nor the ticket is in any error.
    pub(crate) async fn log_on(
        url: &str,
        insecure_http: bool,
        user: &str,
        password: &str,
    ) -> Result<Self> {
        let url = server_url(url, insecure_http)?;
        let mut http = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(TIMEOUT);
        if url.starts_with("http:") {
            // A proxy could read the password.
            http = http.no_proxy();
        }
        let mut server = Self {
            http: http.build()?,
            url,
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

    /// All event types, by their entity.
    pub(crate) async fn trigger_options(&self) -> Result<Triggers> {
        let answer = self.ask("GetTriggerOptions", json!({})).await?;
        let options = answer["Options"].as_array().into_iter().flatten();
        let types = |option: &Value| {
            let types = option["EventTypes"].as_array().into_iter().flatten();
            types
                .filter_map(|answer| answer["Name"].as_str().map(str::to_owned))
                .collect()
        };
        let entity = |option: &Value| option["Entity"]["Name"].as_str().map(str::to_owned);
        Ok(options
            .filter_map(|option| Some((entity(option)?, types(option))))
            .collect())
    }

    /// The registrations.
    pub(crate) async fn list(&self) -> Result<Vec<Listed>> {
        let answer = self.ask("ListWebhookRegistrations", json!({})).await?;
        let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
        let one = |value: &Value| Listed {
            id: Id::read(&value["Id"]),
            name: text(value, "Name"),
            url: text(value, "Url"),
        };
        match &answer["Registrations"] {
            Value::Array(all) => Ok(all.iter().map(one).collect()),
            Value::Null => Ok(Vec::new()),
            _ => Err("the answer to the list of registrations is not a list".into()),
        }
    }

    /// The ids of the registrations of a URL.
    pub(crate) async fn ids_of(&self, url: &str) -> Result<Vec<Id>> {
        let mut ids = Vec::new();
        for listed in self.list().await? {
            let of = match (listed.url, &listed.id) {
                (Some(of), _) => of,
                (None, Some(id)) => self.get(id).await?.url,
                (None, None) => continue,
            };
            if of == url {
                let name = listed.name.unwrap_or_default();
                let id = listed.id.ok_or_else(|| {
                    format!("the registration {name:?} of this URL has no id: look for it in Studio Server")
                })?;
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// A registration.
    pub(crate) async fn get(&self, id: &Id) -> Result<Registration> {
        let answer = self
            .ask("GetWebhookRegistration", json!({"Id": id}))
            .await?;
        read(&answer["Registration"]).ok_or_else(|| {
            format!("there is no registration {id}: see `webhookctl woodwing list`").into()
        })
    }

    /// Creates a registration. Returns its id, and its token if the server sends it. [`Self::get`] reads
    /// the registration back.
    pub(crate) async fn create(
        &self,
        registration: &Registration,
        token: Option<&str>,
    ) -> Result<(Id, Option<String>)> {
        let request = json!({"Registration": written(registration, token)});
        let answer = self
            .tell("CreateWebhookRegistration", Some(""), request)
            .await?;
        let created = &answer["Registration"];
        let id = Id::read(&created["Id"]).ok_or("the answer to the registration has no id")?;
        let token = created["SecretToken"].as_str();
        let token = token.filter(|token| !token.is_empty());
        Ok((id, token.map(str::to_owned)))
    }

    /// Changes a registration, and keeps its token. The answer is only a 1.
    ///
    /// The article's example repeats the class of the request that creates one; the interface names the class
    /// of each request by its method, here as in every other example.
    pub(crate) async fn update(&self, registration: &Registration) -> Result<()> {
        let mut info = written(registration, None);
        info["Id"] = json!(registration.id);
        let request = json!({"Registration": info});
        self.tell("UpdateWebhookRegistration", None, request)
            .await?;
        Ok(())
    }

    /// Deletes a registration. Whatever the server answers, this fails if the registration still exists.
    pub(crate) async fn delete(&self, id: &Id) -> Result<()> {
        let request = json!({"Id": id});
        let answer = self.tell("DeleteWebhookRegistration", Some(""), request);
        let answer = answer.await;
        match (answer, self.list().await) {
            (_, Ok(left)) if left.iter().all(|left| left.id.as_ref() != Some(id)) => Ok(()),
            (Err(error), _) => Err(error),
            (Ok(_), Ok(_)) => {
                Err("Studio Server answered, but has not deleted the registration".into())
            }
            (Ok(_), Err(error)) => {
                Err(format!("it is not known whether the registration is deleted: {error}").into())
            }
        }
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
        let text = body(answer).await.map_err(|why| {
            format!(
                "the answer of Studio Server at {} broke off: {why}",
                self.url
            )
        })?;
        let text = String::from_utf8_lossy(&text);
        result(status.as_u16(), &text, &self.url).map_err(Into::into)
    }
}

/// The result of an answer.
fn result(status: u16, text: &str, url: &str) -> std::result::Result<Value, String> {
    if !(200..300).contains(&status) {
        return Err(format!(
            "Studio Server at {url} answers HTTP {status}: check --server, which ends in /StudioServer"
        ));
    }
    // PHP writes a byte order mark before its answers if one of its files begins with one.
    let text = text.trim_start_matches('\u{feff}');
    let Ok(mut answer) = serde_json::from_str::<Value>(text) else {
        return Err(format!(
            "the answer of Studio Server at {url} is not JSON: check --server, and check on its Server \
                Plug-ins page that the plug-in Webhooks is enabled"
        ));
    };
    match &answer["error"] {
        Value::Null => {}
        error => {
            let message = error["message"].as_str().or(error.as_str());
            let message = message.unwrap_or("it gives no reason");
            let message: String = message.chars().take(MAX_MESSAGE).collect();
            return Err(format!("Studio Server refuses: {message}"));
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
    let trigger = |value: &Value| {
        let types = value["EventTypes"].as_array()?.iter();
        let types = types.filter_map(|value| value.as_str().map(str::to_owned));
        Some((value["EntityName"].as_str()?.to_owned(), types.collect()))
    };
    Some(Registration {
        id: Id::read(&info["Id"]),
        name: info["Name"].as_str().unwrap_or_default().to_owned(),
        url: info["Url"].as_str()?.to_owned(),
        triggers: triggers.filter_map(trigger).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_to_nobody_by_plain_http_but_as_it_is_said() {
        let url = |text, insecure| server_url(text, insecure).map_err(|error| error.to_string());
        for (text, expected) in [
            (
                "https://a.example/StudioServer/",
                "https://a.example/StudioServer",
            ),
            (
                "http://127.0.0.1:1/StudioServer",
                "http://127.0.0.1:1/StudioServer",
            ),
            (
                "http://localhost/StudioServer",
                "http://localhost/StudioServer",
            ),
        ] {
            assert_eq!(url(text, false).as_deref(), Ok(expected));
        }
        let plain = "http://a.example/StudioServer";
        assert!(url(plain, false).unwrap_err().contains("--insecure-http"));
        assert_eq!(url(plain, true).as_deref(), Ok(plain));
        for (text, why) in [
            ("https://admin:hunter2@a.example/StudioServer", "--user"),
            ("https://admin@a.example/StudioServer", "--user"),
            ("http://localhost@a.example/StudioServer", "--user"),
            ("ftp://a.example/StudioServer", "ftp"),
            ("https://a.example/StudioServer?a=b", "query"),
            ("a.example", "not a URL"),
        ] {
            let refused = url(text, true).unwrap_err();
            assert!(
                refused.contains(why) && !refused.contains("hunter2"),
                "{refused}"
            );
        }
    }

    #[test]
    fn an_id_is_a_number_or_a_text() {
        let id = |value| Id::read(&value);
        assert_eq!(id(json!(5)), id(json!("5")));
        assert_eq!(id(json!("5")), Some("5".parse().unwrap()));
        assert_eq!(json!(id(json!("5"))), json!("5"));
        assert_eq!(json!("5".parse::<Id>().unwrap()), json!(5));
        assert_eq!(json!("a-5".parse::<Id>().unwrap()), json!("a-5"));
        for none in [json!(null), json!(""), json!({}), json!(true)] {
            assert_eq!(id(none), None);
        }
    }

    #[test]
    fn an_answer_that_is_none_says_what_to_check() {
        let of = |status, text| result(status, text, "http://studio");
        assert_eq!(of(200, r#"{"result":{"a":1},"id":1}"#), Ok(json!({"a": 1})));
        assert_eq!(of(200, "1"), Ok(json!(1)));
        assert_eq!(of(200, "\u{feff}{\"result\":1}"), Ok(json!(1)));
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
