//! The document of the sources in Secrets Manager. An edited document is written only if no other operator
//! wrote one in between.

use crate::Result;
use crate::find::Unknown;
use crate::stack::Stack;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use jiff::Timestamp;
use serde_json::{Map, Value};
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::store::sources::SourcesError;

/// The [most](https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html) that Secrets
/// Manager keeps in one secret.
const MAX_BYTES: usize = 65_536;

/// The label of the version that is in force.
const CURRENT: &str = "AWSCURRENT";

/// The label of a version that is written but not in force yet.
const WRITTEN: &str = "webhookctl";

/// The sources as they were read, with all members, even unknown ones.
#[derive(Debug)]
pub(crate) struct Document {
    client: Client,
    secret_arn: String,
    version: String,
    others: Map<String, Value>,
    /// The time of the last change.
    pub(crate) changed_at: Option<Timestamp>,
    /// The entries by name.
    pub(crate) sources: Map<String, Value>,
}

impl Document {
    /// The sources of a stack.
    pub(crate) async fn of(stack: &Stack) -> Result<Self> {
        let secret_arn = stack.sources_secret()?.to_owned();
        Self::read(stack.secrets_manager(), secret_arn).await
    }

    async fn read(client: Client, secret_arn: String) -> Result<Self> {
        let answer = get(&client, &secret_arn).await?;
        let version = answer.version_id().unwrap_or_default().to_owned();
        let text = answer.secret_string().unwrap_or_default();
        let (others, sources) = parse(text).map_err(|error| repair(&error, &secret_arn))?;
        let changed_at = answer.created_date();
        let changed_at =
            changed_at.and_then(|at| Timestamp::from_millisecond(at.to_millis().ok()?).ok());
        Ok(Self {
            client,
            secret_arn,
            version,
            others,
            changed_at,
            sources,
        })
    }

    /// The entry of this name.
    pub(crate) fn entry(&self, name: &str) -> Result<&Value> {
        let entry = self.sources.get(name);
        Ok(entry.ok_or_else(|| Unknown::Source(name.to_owned()))?)
    }

    /// Writes the sources, unless another operator wrote them after these were read.
    ///
    /// A put alone would overwrite the other operator's change. The label of the version in force moves
    /// only from the version that the call names. Therefore the new version is stored without that label
    /// first, and then takes it.
    pub(crate) async fn write(mut self) -> Result<()> {
        let sources = std::mem::take(&mut self.sources);
        self.others.insert("sources".to_owned(), sources.into());
        let text = serde_json::to_string_pretty(&self.others)?;
        if text.len() > MAX_BYTES {
            let size = text.len();
            return Err(format!(
                "the sources would take {size} bytes, but Secrets Manager stores at most {MAX_BYTES}. \
                    Delete a source or drop previous secrets first. Nothing was changed"
            )
            .into());
        }
        let put = self.client.put_secret_value().secret_id(&self.secret_arn);
        let put = put.secret_string(text).version_stages(WRITTEN).send().await;
        let put = put.map_err(|error| {
            let why = AwsError::from(error);
            format!("the sources cannot be written: {why}; nothing was changed")
        })?;
        self.put_in_force(put.version_id().unwrap_or_default())
            .await
    }

    async fn put_in_force(&self, written: &str) -> Result<()> {
        let move_label = self.client.update_secret_version_stage();
        let move_label = move_label
            .secret_id(&self.secret_arn)
            .version_stage(CURRENT);
        let moved = move_label
            .move_to_version_id(written)
            .remove_from_version_id(&self.version)
            .send()
            .await;
        let Err(error) = moved.map_err(AwsError::from) else {
            return Ok(());
        };
        // The error may be that of a second try, after the answer to the first was lost.
        let in_force = get(&self.client, &self.secret_arn).await.map_err(|unreadable| {
            format!("it is not known whether the sources were changed ({error}; {unreadable}): check them \
                before you try again")
        })?;
        let in_force = in_force.version_id();
        if in_force == Some(written) {
            return Ok(());
        }
        self.forget(written).await;
        if in_force == Some(&*self.version) {
            return Err(
                format!("the sources cannot be changed: {error}; nothing was changed").into(),
            );
        }
        Err("another operator changed the sources at the same time. Nothing was changed: run the command \
            again".into())
    }

    /// Removes the label from a version that did not come into force: Secrets Manager may then delete it.
    async fn forget(&self, written: &str) {
        let take_label = self.client.update_secret_version_stage();
        let take_label = take_label
            .secret_id(&self.secret_arn)
            .version_stage(WRITTEN);
        // If it stays, the next change takes it.
        take_label.remove_from_version_id(written).send().await.ok();
    }
}

async fn get(client: &Client, secret_arn: &str) -> Result<GetSecretValueOutput> {
    let answer = client.get_secret_value().secret_id(secret_arn).send().await;
    Ok(answer.map_err(|error| AwsError::from(error).context("the sources cannot be read"))?)
}

type Parts = (Map<String, Value>, Map<String, Value>);

fn parse(text: &str) -> std::result::Result<Parts, SourcesError> {
    let text = text.trim_start_matches('\u{feff}');
    let value = serde_json::from_str(text).map_err(|error| SourcesError::NotJson {
        line: error.line(),
        column: error.column(),
    })?;
    let Value::Object(mut others) = value else {
        return Err(SourcesError::NoSources);
    };
    match others.remove("sources") {
        Some(Value::Object(sources)) => Ok((others, sources)),
        _ => Err(SourcesError::NoSources),
    }
}

/// The advice about a document that cannot be parsed. Its text has secrets and must not be shown.
fn repair(error: &SourcesError, secret_arn: &str) -> String {
    format!(
        "{error}. The gateway answers every webhook 503 as soon as it reads them. Correct the text in the \
            console of Secrets Manager, or put the previous version back in force. The first command \
            finds the ids of both versions:\n  \
         aws secretsmanager list-secret-version-ids --secret-id {secret_arn}\n  \
         aws secretsmanager update-secret-version-stage --secret-id {secret_arn} --version-stage {CURRENT} \
         --remove-from-version-id ID-OF-AWSCURRENT --move-to-version-id ID-OF-AWSPREVIOUS"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_secretsmanager::error::ErrorMetadata;
    use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueOutput;
    use aws_sdk_secretsmanager::operation::update_secret_version_stage::{
        UpdateSecretVersionStageError, UpdateSecretVersionStageOutput,
    };
    use aws_sdk_secretsmanager::types::error::InvalidParameterException;
    use aws_smithy_mocks::{Rule, mock};
    use serde_json::json;

    const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:Sources-abc";

    /// A client that is answered by these rules in turn.
    fn client(rules: &[&Rule]) -> Client {
        testkit::mock!(aws_sdk_secretsmanager, rules)
    }

    fn reads(version: &'static str, text: &'static str) -> Rule {
        mock!(Client::get_secret_value)
            .match_requests(|request| request.secret_id() == Some(ARN))
            .then_output(move || {
                GetSecretValueOutput::builder()
                    .version_id(version)
                    .secret_string(text)
                    .build()
            })
    }

    fn puts(expected: Value) -> Rule {
        mock!(Client::put_secret_value)
            .match_requests(move |request| {
                let text = request.secret_string().unwrap();
                request.secret_id() == Some(ARN)
                    && serde_json::from_str::<Value>(text).unwrap() == expected
                    && request.version_stages() == ["webhookctl"]
            })
            .then_output(|| PutSecretValueOutput::builder().version_id("new").build())
    }

    fn moves(succeeds: bool) -> Rule {
        let rule = mock!(Client::update_secret_version_stage).match_requests(|request| {
            request.secret_id() == Some(ARN)
                && request.version_stage() == Some("AWSCURRENT")
                && request.move_to_version_id() == Some("new")
                && request.remove_from_version_id() == Some("read")
        });
        if succeeds {
            return rule.then_output(|| UpdateSecretVersionStageOutput::builder().build());
        }
        rule.then_error(|| {
            let message = "The staging label AWSCURRENT is currently attached to version other";
            let meta = ErrorMetadata::builder()
                .code("InvalidParameterException")
                .message(message);
            let refusal = InvalidParameterException::builder().message(message);
            UpdateSecretVersionStageError::InvalidParameterException(
                refusal.meta(meta.build()).build(),
            )
        })
    }

    fn forgets() -> Rule {
        mock!(Client::update_secret_version_stage)
            .match_requests(|request| {
                request.version_stage() == Some("webhookctl")
                    && request.remove_from_version_id() == Some("new")
                    && request.move_to_version_id().is_none()
            })
            .then_output(|| UpdateSecretVersionStageOutput::builder().build())
    }

    async fn change(rules: &[&Rule]) -> std::result::Result<(), String> {
        let document = Document::read(client(rules), ARN.to_owned()).await;
        let mut document = document.map_err(|error| error.to_string())?;
        document.sources.insert("hr".to_owned(), json!({}));
        let written = document.write().await.map_err(|error| error.to_string());
        for rule in rules {
            assert_eq!(rule.num_calls(), 1);
        }
        written
    }

    #[tokio::test]
    async fn what_is_not_known_is_kept_and_the_label_moves_from_the_version_read() {
        let read = r#"{"comment": [1], "sources": {"studio": {"provider": "x", "later": null}}}"#;
        let written = json!({"comment": [1], "sources": {"studio": {"provider": "x", "later": null},
            "hr": {}}});
        let rules = [&reads("read", read), &puts(written), &moves(true)];
        assert_eq!(change(&rules).await, Ok(()));
    }

    #[tokio::test]
    async fn a_change_of_another_operator_is_not_overwritten() {
        let rules = [
            &reads("read", r#"{"sources": {}}"#),
            &puts(json!({"sources": {"hr": {}}})),
            &moves(false),
            &reads("other", r#"{"sources": {}}"#),
            &forgets(),
        ];
        let refused = change(&rules).await.unwrap_err();
        assert!(refused.starts_with("another operator changed"), "{refused}");
    }

    #[tokio::test]
    async fn a_refused_second_try_of_a_move_that_succeeded_is_success() {
        let rules = [
            &reads("read", r#"{"sources": {}}"#),
            &puts(json!({"sources": {"hr": {}}})),
            &moves(false),
            &reads("new", r#"{"sources": {"hr": {}}}"#),
        ];
        assert_eq!(change(&rules).await, Ok(()));
    }

    #[tokio::test]
    async fn any_other_refusal_is_told_as_it_is() {
        let rules = [
            &reads("read", r#"{"sources": {}}"#),
            &puts(json!({"sources": {"hr": {}}})),
            &moves(false),
            &reads("read", r#"{"sources": {}}"#),
            &forgets(),
        ];
        let refused = change(&rules).await.unwrap_err();
        assert!(refused.contains("InvalidParameterException"), "{refused}");
    }

    #[tokio::test]
    async fn what_secrets_manager_cannot_keep_is_not_sent() {
        let read = reads("read", r#"{"sources": {}}"#);
        let mut document = Document::read(client(&[&read]), ARN.to_owned())
            .await
            .unwrap();
        let long = "x".repeat(MAX_BYTES);
        document.sources.insert("hr".to_owned(), long.into());
        let refused = document.write().await.unwrap_err().to_string();
        assert!(refused.contains("65536"), "{refused}");
    }

    #[tokio::test]
    async fn a_malformed_text_is_placed_and_never_shown() {
        for (text, place) in [
            ("{\"sources\": {\n \"hunter2\" }}", "line 2, column 12"),
            ("", "line 1, column 0"),
            (r#"["hunter2"]"#, "not an object of the form"),
            (r#"{"hunter2": {}}"#, "not an object of the form"),
            (r#"{"sources": "hunter2"}"#, "not an object of the form"),
        ] {
            let error = change(&[&reads("read", text)]).await.unwrap_err();
            assert!(error.contains(place), "{error}");
            assert!(
                error.contains("Correct the text") && error.contains(ARN),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
