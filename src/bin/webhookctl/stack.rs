//! Which gateway is meant, and how it is reached: by the outputs of its stack, or by those that `make up` left of the
//! local one. What stands behind an output is left to others.

use crate::Result;
use crate::output::{Output, explain};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation as cloudformation;
use aws_sdk_secretsmanager::config::{Credentials, SharedCredentialsProvider};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The environment variable that names the stack.
pub(crate) const VARIABLE: &str = "WEBHOOK_GATEWAY_STACK";

/// Where `make up` writes the outputs of the local stack.
const LOCAL_OUTPUTS: &str = ".local/outputs.json";

/// A gateway.
#[derive(Debug)]
pub(crate) struct Stack {
    outputs: HashMap<String, String>,
    /// How its AWS is called.
    pub(crate) aws: SdkConfig,
    /// Whether it is the local one, which no vendor can reach.
    pub(crate) is_local: bool,
}

impl Stack {
    /// The stack of this name, or else the local one; which that is, is said.
    pub(crate) async fn find(name: Option<&str>, output: Output) -> Result<Self> {
        match name.filter(|name| !name.is_empty()) {
            Some(name) => Self::deployed(name).await,
            None => Self::local(&std::env::current_dir()?, output),
        }
    }

    async fn deployed(name: &str) -> Result<Self> {
        let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let region = aws.region().ok_or(
            "no AWS region is set: set AWS_REGION, or AWS_PROFILE to a profile that has one",
        )?;
        let client = cloudformation::Client::new(&aws);
        let answer = client.describe_stacks().stack_name(name).send().await;
        let answer = answer.map_err(|error| {
            let why = explain(&error);
            format!("the stack {name} cannot be read in {region}: {why}; check AWS_PROFILE and AWS_REGION")
        })?;
        let outputs = answer.stacks().iter().flat_map(|stack| stack.outputs());
        let outputs = outputs.filter_map(|output| {
            Some((
                output.output_key()?.to_owned(),
                output.output_value()?.to_owned(),
            ))
        });
        Ok(Self {
            outputs: outputs.collect(),
            aws,
            is_local: false,
        })
    }

    fn local(folder: &Path, output: Output) -> Result<Self> {
        let mut files = folder.ancestors().map(|it| it.join(LOCAL_OUTPUTS));
        let file = files.find(|file| file.is_file()).ok_or_else(|| {
            format!(
                "no stack: name one by --stack or {VARIABLE}, or start the local one by `make up`"
            )
        })?;
        output.note(&format!("this is the local stack of {}", file.display()));
        let stale = |error| {
            let file = file.display();
            format!("{file} is not as `make up` writes it ({error}): run `make down` and `make up`")
        };
        let outputs = serde_json::from_slice(&fs::read(&file)?).map_err(stale)?;
        Self::from_local_outputs(outputs)
    }

    /// The local AWS has one user, and nothing of the operator's own settings applies to it.
    fn from_local_outputs(outputs: HashMap<String, String>) -> Result<Self> {
        let mut stack = Self {
            outputs,
            aws: SdkConfig::builder().build(),
            is_local: true,
        };
        let user = Credentials::new("test", "test", None, None, "local");
        stack.aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(stack.output("AwsEndpointUrl")?)
            .region(Region::new(stack.output("AwsRegion")?.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(user))
            .build();
        Ok(stack)
    }

    /// An output by its name.
    pub(crate) fn output(&self, name: &str) -> Result<&str> {
        let output = self.outputs.get(name).ok_or_else(|| {
            format!("the stack has no output {name}: is it a webhook gateway, deployed from the current template?")
        })?;
        Ok(output)
    }

    /// The Payload URL of a source.
    pub(crate) fn payload_url(&self, source: &str) -> Result<String> {
        Ok(format!("{}/{source}", self.output("WebhookUrl")?))
    }

    /// A local stack with these outputs.
    #[cfg(test)]
    pub(crate) fn with_outputs(outputs: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let aws = [
            ("AwsEndpointUrl", "http://localhost:1"),
            ("AwsRegion", "us-east-1"),
        ];
        let outputs = outputs.iter().chain(&aws).map(owned).collect();
        Self::from_local_outputs(outputs).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_secretsmanager::config::ProvideCredentials;

    const OUTPUT: Output = Output { json: true };

    fn scratch(name: &str, outputs: &str) -> std::path::PathBuf {
        let id = std::process::id();
        let folder = std::env::temp_dir().join(format!("webhookctl-{id}-{name}"));
        fs::create_dir_all(folder.join(".local")).unwrap();
        fs::create_dir_all(folder.join("below/it")).unwrap();
        fs::write(folder.join(LOCAL_OUTPUTS), outputs).unwrap();
        folder
    }

    #[tokio::test]
    async fn the_local_stack_is_found_in_a_folder_above() {
        let outputs = r#"{"AwsEndpointUrl": "http://localhost:4567", "AwsRegion": "us-east-1",
                          "WebhookUrl": "http://localhost:4567/webhooks"}"#;
        let folder = scratch("found", outputs);
        let stack = Stack::local(&folder.join("below/it"), OUTPUT).unwrap();
        fs::remove_dir_all(folder).unwrap();

        assert!(stack.is_local);
        let url = stack.payload_url("studio").unwrap();
        assert_eq!(url, "http://localhost:4567/webhooks/studio");
        assert_eq!(stack.aws.endpoint_url(), Some("http://localhost:4567"));
        let provider = stack.aws.credentials_provider().unwrap();
        let user = provider.provide_credentials().await.unwrap();
        assert_eq!(
            (user.access_key_id(), user.secret_access_key()),
            ("test", "test")
        );
    }

    #[test]
    fn a_stack_that_is_not_there_or_not_ours_says_what_to_do() {
        let none = Stack::local(Path::new("/"), OUTPUT).unwrap_err();
        assert!(none.to_string().contains("make up"), "{none}");

        let folder = scratch("stale", "{");
        let stale = Stack::local(&folder, OUTPUT).unwrap_err();
        fs::remove_dir_all(folder).unwrap();
        assert!(stale.to_string().contains("make down"), "{stale}");

        let other = Stack::with_outputs(&[]);
        let error = other.output("WebhookUrl").unwrap_err();
        assert!(error.to_string().contains("WebhookUrl"), "{error}");
    }
}
