//! The fields of a source's recipe as an operator writes them: `encoding=base64`, or a file.

use crate::Result;
use serde_json::{Map, Value};
use std::path::Path;
use std::str::FromStr;
use webhook_gateway::providers::recipe::Recipe;

/// The members of a source that have flags or commands of their own, and the way to change them.
const OWN: [(&str, &str); 7] = [
    ("provider", "use --provider"),
    (
        "secrets",
        "a secret is never an argument: use --secret-stdin, or `webhookctl source rotate-secret`",
    ),
    ("unsigned", "use --unsigned of `webhookctl source create`"),
    ("origins", "use --origin"),
    ("dedupe_window", "use --dedupe-window"),
    ("silent_after", "use --silent-after"),
    ("waiting", "use --waiting of `webhookctl source create`"),
];

/// The members of a field that is an object are written as `event.type`.
const SEPARATOR: char = '.';

/// A field, such as `encoding` or `event.type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    name: String,
    member: Option<String>,
}

/// A field and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) field: Field,
    pub(crate) value: Value,
}

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, member) = match text.split_once(SEPARATOR) {
            Some((name, member)) => (name, Some(member)),
            None => (text, None),
        };
        if name.is_empty() || member.is_some_and(str::is_empty) {
            return Err("name a field, such as encoding or event.type".to_owned());
        }
        if let Some((_, advice)) = OWN.iter().find(|(own, _)| *own == name) {
            return Err(format!("{name}: {advice}"));
        }
        Ok(Self {
            name: name.to_owned(),
            member: member.map(str::to_owned),
        })
    }
}

/// JSON is taken as JSON, and anything else as text.
impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (field, value) = text
            .split_once('=')
            .ok_or("write FIELD=VALUE, such as encoding=base64")?;
        Ok(Self {
            field: field.trim().parse()?,
            value: serde_json::from_str(value).unwrap_or_else(|_| value.into()),
        })
    }
}

impl Setting {
    /// A setting of a field that is no object.
    pub(crate) fn of(name: &str, value: Value) -> Self {
        Self {
            field: Field {
                name: name.to_owned(),
                member: None,
            },
            value,
        }
    }

    /// Writes the value in its place.
    pub(crate) fn apply(self, entry: &mut Map<String, Value>) {
        let Field { name, member } = self.field;
        let Some(member) = member else {
            entry.insert(name, self.value);
            return;
        };
        let object = entry.entry(name).or_insert(Value::Null);
        if !object.is_object() {
            *object = Map::new().into();
        }
        if let Some(members) = object.as_object_mut() {
            members.insert(member, self.value);
        }
    }

    /// The argument of `--set` that stands for it, quoted for a shell.
    pub(crate) fn argument(&self) -> String {
        let Field { name, member } = &self.field;
        let member = member.as_ref().map(|member| format!("{SEPARATOR}{member}"));
        let value = match &self.value {
            // A text that is JSON too needs its quotes.
            Value::String(text) if serde_json::from_str::<Value>(text).is_err() => text.clone(),
            value => value.to_string(),
        };
        quoted(&format!("{name}{}={value}", member.unwrap_or_default()))
    }
}

impl Field {
    /// Removes the field, and an object that has no more members.
    pub(crate) fn clear(&self, entry: &mut Map<String, Value>) {
        let Some(member) = &self.member else {
            entry.remove(&self.name);
            return;
        };
        let Some(members) = entry.get_mut(&self.name).and_then(Value::as_object_mut) else {
            return;
        };
        members.remove(member);
        if members.is_empty() {
            entry.remove(&self.name);
        }
    }
}

/// Leaves the fields of an entry that stay when its source takes another provider: its own ones, and what the
/// operator chose for the source rather than for the provider.
pub(crate) fn keep_for(provider: &str, entry: &mut Map<String, Value>) {
    let preset = Recipe::fields_of_source(provider, &Map::new()).unwrap_or_default();
    let is_hub = preset.get("handshake").and_then(Value::as_str) == Some("hub");
    let own = OWN.map(|(name, _)| name);
    entry.retain(|name, _| match name.as_str() {
        "public_url" => true,
        "verify_token" => is_hub,
        name => own.contains(&name),
    });
}

/// The fields of an entry that its recipe is made of.
pub(crate) fn of_recipe(entry: &Map<String, Value>) -> Map<String, Value> {
    let own = OWN.map(|(name, _)| name);
    let is_of_recipe = |name: &String| !own.contains(&name.as_str());
    let fields = entry.iter().filter(|(name, _)| is_of_recipe(name));
    fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The settings of a file: each member of its JSON object is one.
pub(crate) fn read(file: &Path) -> Result<Vec<Setting>> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    let text = text.trim_start_matches('\u{feff}');
    let value = serde_json::from_str(text)
        .map_err(|error| format!("{shown}: it is not JSON: {error}; correct the file"))?;
    let Value::Object(members) = value else {
        return Err(format!(
            "{shown}: it must be a JSON object of fields, such as {{\"encoding\": \"base64\"}}"
        )
        .into());
    };
    let setting = |(name, value): (String, Value)| {
        let field: Field = name
            .parse()
            .map_err(|error| format!("{shown}: {error}; remove it from the file"))?;
        Ok(Setting { field, value })
    };
    members.into_iter().map(setting).collect()
}

/// A word as a shell takes it unchanged.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.,:/=@+%".contains(&b);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn applied(entry: Value, settings: &[&str]) -> Value {
        let mut members = entry.as_object().unwrap().clone();
        for setting in settings {
            setting.parse::<Setting>().unwrap().apply(&mut members);
        }
        members.into()
    }

    #[test]
    fn a_value_is_json_or_text_and_stands_in_its_place() {
        let set = applied(
            json!({"provider": "custom", "event": {"id": "{$.id}"}, "response": 1}),
            &[
                "encoding=base64",
                "signature_prefix=sha256=",
                "delimiter= ",
                "timestamp_tolerance=0",
                r#"signature_header=["X-A", "X-B"]"#,
                "event.type=com.acme.{$.type}",
                "event.subject=null",
                "response.status=204",
                r#"timestamp_prefix="1""#,
                "token_header=",
            ],
        );
        let expected = json!({
            "provider": "custom", "encoding": "base64", "signature_prefix": "sha256=", "delimiter": " ",
            "timestamp_tolerance": 0, "signature_header": ["X-A", "X-B"],
            "event": {"id": "{$.id}", "type": "com.acme.{$.type}", "subject": null},
            "response": {"status": 204}, "timestamp_prefix": "1", "token_header": "",
        });
        assert_eq!(set, expected);
    }

    #[test]
    fn a_field_that_has_its_own_flag_says_which() {
        for (text, advice) in [
            ("secrets=hunter2", "--secret-stdin"),
            ("provider=stripe", "--provider"),
            ("silent_after=2h", "--silent-after"),
            ("waiting=true", "--waiting"),
            ("encoding", "FIELD=VALUE"),
            ("=x", "name a field"),
            ("event.=x", "name a field"),
        ] {
            let error = text.parse::<Setting>().unwrap_err();
            assert!(error.contains(advice), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_field_is_cleared_with_the_object_that_held_nothing_else() {
        let mut entry = json!({"event": {"type": "a"}, "encoding": "hex", "body": "json"});
        let members = entry.as_object_mut().unwrap();
        for field in ["event.type", "encoding", "event.id", "absent"] {
            field.parse::<Field>().unwrap().clear(members);
        }
        assert_eq!(entry, json!({"body": "json"}));
    }

    #[test]
    fn an_argument_is_read_back_as_the_same_setting() {
        for value in [
            json!("base64"),
            json!("v1,"),
            json!("it's {url}{body}"),
            json!("123"),
            json!("null"),
            json!(null),
            json!(["X-A", "X-B"]),
            json!(""),
            json!("sha256 "),
            json!("{\"a\": 1}"),
        ] {
            let setting = Setting::of("signed", value);
            let words = shlex::split(&setting.argument()).unwrap();
            assert_eq!(words.len(), 1, "{words:?}");
            assert_eq!(words[0].parse::<Setting>().unwrap(), setting);
        }
    }

    #[test]
    fn a_file_has_fields_and_no_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recipe.json");
        let read_text = |text: &str| {
            std::fs::write(&file, text).unwrap();
            read(&file).map_err(|error| error.to_string())
        };
        let settings =
            read_text("\u{feff}{\"event\": {\"type\": \"a\"}, \"body\": \"any\"}").unwrap();
        assert_eq!(settings.len(), 2);
        for (text, says) in [
            ("{", "not JSON"),
            ("[]", "a JSON object"),
            (r#"{"secrets": ["s"]}"#, "secrets: a secret is never"),
        ] {
            let error = read_text(text).unwrap_err();
            assert!(
                error.contains(says) && error.contains("recipe.json"),
                "{error}"
            );
        }
        let missing = read(&folder.path().join("none.json"))
            .unwrap_err()
            .to_string();
        assert!(missing.contains("none.json"), "{missing}");
    }
}
