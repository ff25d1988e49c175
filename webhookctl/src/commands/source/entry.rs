//! The entry of a source in the document, and the secrets in it.

use crate::{Result, providers, settings};
use serde_json::{Map, Value, json};
use std::io::{self, IsTerminal, Read};
use webhook_gateway::crypto::secret::{invisible, trimmed};
use webhook_gateway::providers::presets::{self, Preset};
use webhook_gateway::providers::recipe::{CUSTOM, Recipe};
use webhook_gateway::store::sources::{Source, SourceError};

/// An entry with the given members.
pub(crate) fn new(
    provider: &str,
    secret: Option<&str>,
    window: Option<&str>,
    silent_after: Option<&str>,
    origins: &[String],
) -> Map<String, Value> {
    let mut entry = Map::new();
    let mut set = |name: &str, value: Value| entry.insert(name.to_owned(), value);
    set("provider", provider.into());
    if let Some(secret) = secret {
        set("secrets", json!([secret]));
    }
    if let Some(window) = window {
        set("dedupe_window", window.into());
    }
    if let Some(gap) = silent_after {
        set("silent_after", gap.into());
    }
    if !origins.is_empty() {
        set("origins", origins.into());
    }
    entry
}

/// The provider that an entry names, even if the rest of the entry is not valid.
pub(crate) fn provider(entry: &Value) -> Option<&'static str> {
    match entry.get("provider")?.as_str()? {
        CUSTOM => Some(CUSTOM),
        name => presets::find(name).map(Preset::name),
    }
}

/// The provider and the recipe of a valid source, whose secrets alone may be missing or useless.
pub(crate) fn rotatable(name: &str, entry: &Value) -> Result<(&'static str, Recipe)> {
    match Source::parse(name, entry) {
        Ok(_) | Err(SourceError::NoSecret | SourceError::Secret(_)) => {
            let provider = provider(entry).ok_or(SourceError::Provider)?;
            let members = entry.as_object().ok_or(SourceError::NotAnObject)?;
            let recipe = Recipe::of_source(provider, &settings::of_recipe(members))?;
            Ok((provider, recipe))
        }
        Err(error) => Err(format!(
            "{error}: correct the source {name} by `webhookctl source update {name}`, or delete it and \
             create it again"
        )
        .into()),
    }
}

/// Puts a new secret first and keeps some of the present ones. Without a new one, it keeps only the first
/// of these. Returns the number of secrets. A source with a secret is neither unsigned
/// nor waiting any more.
pub(crate) fn rotate(entry: &mut Value, new: Option<&str>, keep: usize) -> Result<usize> {
    let secrets = rotated(entry, new, keep)?;
    let count = secrets.len();
    if let Some(entry) = entry.as_object_mut() {
        entry.insert("secrets".to_owned(), secrets.into());
        entry.remove("unsigned");
        entry.remove("waiting");
    }
    Ok(count)
}

fn rotated(entry: &Value, new: Option<&str>, keep: usize) -> Result<Vec<String>> {
    let present = entry.get("secrets").and_then(Value::as_array);
    let present = present.into_iter().flatten().filter_map(Value::as_str);
    let mut present: Vec<&str> = present
        .map(trimmed)
        .filter(|present| !present.is_empty())
        .collect();
    match new {
        Some(new) if present.first() == Some(&new) => {
            return Err("this is already the newest secret of the source".into());
        }
        Some(new) => {
            present.retain(|&secret| secret != new);
            present.truncate(keep);
            present.insert(0, new);
        }
        None if present.is_empty() => {
            return Err("the source has no secret: rotate it without --drop-previous".into());
        }
        None => present.truncate(1),
    }
    Ok(present.into_iter().map(str::to_owned).collect())
}

/// A secret that is typed or piped, or a generated one.
pub(crate) fn new_secret(provider: &str, recipe: &Recipe, from_stdin: bool) -> Result<String> {
    if from_stdin {
        read_secret()
    } else {
        providers::generate_secret(provider, recipe)
    }
}

/// A secret that is piped, or typed without an echo.
pub(crate) fn read_secret() -> Result<String> {
    if io::stdin().is_terminal() {
        let typed = rpassword::prompt_password("Secret: ")?;
        return Ok(one_line(&typed)?.to_owned());
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(one_line(text(&bytes)?)?.to_owned())
}

/// The text of standard input.
fn text(bytes: &[u8]) -> Result<&str> {
    // With or without a byte order mark, every second byte of ASCII letters in UTF-16 is 0.
    let is_utf_16 = bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || bytes.iter().take(2).any(|byte| *byte == 0);
    if is_utf_16 {
        return Err(
            "standard input is UTF-16, as Windows PowerShell writes it: save it as UTF-8, for \
            example with `Set-Content -Encoding ascii`"
                .into(),
        );
    }
    Ok(std::str::from_utf8(bytes).map_err(|_| "standard input is not UTF-8")?)
}

/// The only line of a text, without surrounding white space, or all lines of a public key in PEM.
fn one_line(text: &str) -> Result<&str> {
    if trimmed(text).starts_with("-----BEGIN") {
        return Ok(trimmed(text));
    }
    if let Some(character) = invisible(text) {
        return Err(SourceError::Invisible(character).into());
    }
    match trimmed(text) {
        "" => Err("standard input has no secret".into()),
        secret if secret.contains(char::is_control) => {
            Err("standard input has more than one line, but a secret is one line".into())
        }
        secret => Ok(secret),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_what_was_said_and_nothing_else() {
        let of = |secret, window, gap, origins: &[String]| {
            Value::from(new("creative-force", secret, window, gap, origins))
        };
        let expected = json!({"provider": "creative-force", "secrets": ["s"]});
        assert_eq!(of(Some("s"), None, None, &[]), expected);
        let expected = json!({
            "provider": "creative-force", "dedupe_window": "1h", "silent_after": "2h", "origins": ["*"],
        });
        let any = ["*".to_owned()];
        assert_eq!(of(None, Some("1h"), Some("2h"), &any), expected);
    }

    #[test]
    fn a_new_secret_goes_first_and_the_previous_ones_are_kept_as_told() {
        for (new, keep, expected) in [
            (Some("c"), 1, &["c", "b"][..]),
            (Some("c"), 0, &["c"]),
            (Some("c"), 9, &["c", "b", "a"]),
            (Some("a"), 9, &["a", "b"]),
            (None, 1, &["b"]),
        ] {
            let mut entry = json!({"secrets": ["b", " a\n", ""], "later": 1});
            assert_eq!(rotate(&mut entry, new, keep).unwrap(), expected.len());
            assert_eq!(entry, json!({"secrets": expected, "later": 1}));
        }
        let mut entry = json!({"secrets": ["b"]});
        assert!(rotate(&mut entry, Some("b"), 1).is_err());
    }

    #[test]
    fn an_unsigned_or_a_waiting_source_becomes_a_signed_one() {
        let mut entry = json!({"unsigned": true});
        assert!(rotate(&mut entry, None, 1).is_err());
        assert_eq!(rotate(&mut entry, Some("a"), 1).unwrap(), 1);
        assert_eq!(entry, json!({"secrets": ["a"]}));
        let mut entry = json!({"waiting": true});
        assert_eq!(rotate(&mut entry, Some("a"), 1).unwrap(), 1);
        assert_eq!(entry, json!({"secrets": ["a"]}));
    }

    #[test]
    fn only_a_source_that_lacks_no_more_than_a_secret_is_rotated() {
        assert!(rotatable("hr", &json!({"provider": "creads", "secrets": []})).is_ok());
        assert!(rotatable("hr", &json!({"provider": "creads", "unsigned": true})).is_ok());
        let not_base64 = json!({"provider": "svix", "secrets": ["not Base64!"]});
        assert!(rotatable("hr", &not_base64).is_ok());
        for wrong in [
            json!({"provider": "x"}),
            json!({"provider": "creads", "secrets": "s"}),
            json!({"provider": "github", "secrets": ["s"], "encoding": "x"}),
        ] {
            assert!(rotatable("hr", &wrong).is_err());
        }
    }

    #[test]
    fn the_secret_of_every_scheme_is_rotated() {
        let own = json!({"auth": "basic", "event": {"type": "a"}});
        let own = (CUSTOM, own, false);
        let presets = presets::all().map(|preset| {
            let token = match preset.name() {
                "meta" => json!({"verify_token": "token"}),
                _ => json!({}),
            };
            (preset.name(), token, preset.name() == "sendgrid")
        });
        for (name, mut entry, is_by_key) in presets.chain([own]) {
            entry["provider"] = name.into();
            let (provider, recipe) = rotatable("a", &entry).unwrap();
            assert_eq!(provider, name);
            if is_by_key {
                assert!(new_secret(provider, &recipe, false).is_err());
                continue;
            }
            for count in [1, 2] {
                let secret = new_secret(provider, &recipe, false).unwrap();
                assert_eq!(rotate(&mut entry, Some(&secret), 1).unwrap(), count);
                let source = Source::parse("a", &entry).unwrap();
                assert_eq!(source.secrets().len(), count, "{name}");
            }
        }
    }

    #[test]
    fn a_secret_is_one_line() {
        assert_eq!(one_line(" 8/+6 zg==\r\n").unwrap(), "8/+6 zg==");
        assert_eq!(one_line("\u{feff}s3cret\r\n").unwrap(), "s3cret");
        let key = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----";
        assert_eq!(one_line(&format!("{key}\n")).unwrap(), key);
        for wrong in ["", " \n", "a\nb", "a\0"] {
            assert!(one_line(wrong).is_err(), "{wrong:?}");
        }
        for invisible in ["s3cret\u{200b}", "s3\u{ad}cret", "\u{200e}s3cret"] {
            let error = one_line(invisible).unwrap_err().to_string();
            assert!(error.contains("invisible"), "{error}");
        }
    }

    #[test]
    fn utf_16_is_named_as_such() {
        assert_eq!(text("\u{feff}clé".as_bytes()).unwrap(), "\u{feff}clé");
        for utf_16 in [&b"\xff\xfes\0"[..], b"\xfe\xff\0s", b"s\0e\0", b"\0s\0e"] {
            let error = text(utf_16).unwrap_err().to_string();
            assert!(error.contains("UTF-16"), "{error}");
        }
        let error = text(b"\xe9").unwrap_err().to_string();
        assert_eq!(error, "standard input is not UTF-8");
    }
}
