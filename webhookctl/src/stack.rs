//! The selected stack: its outputs as typed handles. `make up` writes the outputs of the local stack to a
//! file.

use crate::Result;
use crate::ledger::LedgerReader;
use crate::output::Output;
use crate::web::{is_aws_or_loopback, is_loopback};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation as cloudformation;
use aws_sdk_secretsmanager::config::{Credentials, SharedCredentialsProvider};
use jiff::SignedDuration;
use reqwest::Url;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::aws::sqs::Queues;
use webhook_gateway::messages::Message;
use webhook_gateway::store::deliveries::Deliveries;
use webhook_gateway::store::endpoints::Endpoints;
use webhook_gateway::store::endpoints::circuit::Circuits;
use webhook_gateway::store::journal::Journal;
use webhook_gateway::store::ledger::Ledger;
use webhook_gateway::store::payloads::Payloads;
use webhook_gateway::store::subscriptions::Subscriptions;

/// The environment variable that names the stack.
pub(crate) const VARIABLE: &str = "WEBHOOK_GATEWAY_STACK";

/// Where `make up` writes the outputs of the local stack.
const LOCAL_OUTPUTS: &str = ".local/outputs.json";

/// The outputs of the local stack that are URLs: secrets are sent to the one, the other is given to
/// providers.
const LOCAL_URLS: [&str; 2] = ["AwsEndpointUrl", "WebhookUrl"];

/// The services that this tool calls, as the names of the variables `AWS_ENDPOINT_URL_SERVICE` have them.
const SERVICES: [&str; 12] = [
    "CLOUDFORMATION",
    "CLOUDWATCH",
    "CLOUDWATCH_LOGS",
    "DYNAMODB",
    "KMS",
    "LAMBDA",
    "S3",
    "SECRETS_MANAGER",
    "SQS",
    "SSO",
    "SSO_OIDC",
    "STS",
];

/// The stack has no such output.
#[derive(Debug, thiserror::Error)]
#[error(
    "the stack has no output {0}: is it a webhook gateway, deployed from the current template?"
)]
pub(crate) struct UnknownOutput(String);

/// A gateway.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    outputs: HashMap<String, String>,
    /// The configuration of AWS clients.
    pub(crate) aws: SdkConfig,
    /// Whether it is the local stack, which no provider can reach.
    pub(crate) is_local: bool,
}

impl Stack {
    /// The stack of this name. Without a name it is the local one, and a note names its file.
    pub(crate) async fn find(name: Option<&str>, output: &Output) -> Result<Self> {
        match name.filter(|name| !name.is_empty()) {
            Some(name) => Self::deployed(name).await,
            None => Self::local(&std::env::current_dir()?, output),
        }
    }

    async fn deployed(name: &str) -> Result<Self> {
        let of_services = SERVICES.iter().filter_map(|service| {
            let variable = format!("AWS_ENDPOINT_URL_{service}");
            std::env::var(&variable).ok().map(|url| (variable, url))
        });
        for (variable, url) in of_services {
            refuse_foreign(&variable, &url)?;
        }
        let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
        if let Some(url) = aws.endpoint_url() {
            refuse_foreign("AWS_ENDPOINT_URL, or endpoint_url of the profile,", url)?;
        }
        let region = aws.region().ok_or(
            "no AWS region is set: set AWS_REGION, or AWS_PROFILE to a profile that has one",
        )?;
        let client = cloudformation::Client::new(&aws);
        let answer = client.describe_stacks().stack_name(name).send().await;
        let answer = answer.map_err(|error| {
            let why = AwsError::from(error);
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

    fn local(folder: &Path, output: &Output) -> Result<Self> {
        let files = folder.ancestors().map(|file| file.join(LOCAL_OUTPUTS));
        for path in files.filter(|file| file.is_file()) {
            let mut file = File::open(&path)?;
            if !is_own(&file)? {
                output.note(&format!(
                    "{} belongs to another user and is not used",
                    path.display()
                ));
                continue;
            }
            let mut json = Vec::new();
            file.read_to_end(&mut json)?;
            output.note(&format!("using the local stack of {}", path.display()));
            let outputs =
                serde_json::from_slice(&json).map_err(|error| stale(&path, &error.to_string()))?;
            refuse_elsewhere(&path, &outputs)?;
            return Self::from_local_outputs(outputs);
        }
        Err(format!(
            "no stack: name one with --stack or {VARIABLE}, or start the local stack with `make up`"
        )
        .into())
    }

    /// The local AWS has one user. The operator's own AWS settings do not apply to it.
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

    /// The journal.
    pub(crate) fn journal(&self) -> Result<Journal> {
        Ok(Journal::new(
            self.dynamodb(),
            self.journal_table()?.to_owned(),
        ))
    }

    /// The ledger, with the bucket of large bodies.
    pub(crate) fn ledger(&self) -> Result<LedgerReader> {
        Ok(LedgerReader {
            ledger: Ledger::new(self.dynamodb(), self.ledger_table()?.to_owned()),
            retention: self.retention()?,
            payloads: self.payloads()?,
        })
    }

    /// The bucket of large bodies.
    pub(crate) fn payloads(&self) -> Result<Payloads> {
        let bucket = self.output("PayloadBucketName")?;
        Ok(Payloads::new(&self.aws, bucket.to_owned()))
    }

    /// The endpoints.
    pub(crate) fn endpoints(&self) -> Result<Endpoints> {
        let table = self.endpoints_table()?.to_owned();
        Ok(Endpoints::new(self.dynamodb(), table))
    }

    /// The circuits of the endpoints.
    pub(crate) fn circuits(&self) -> Result<Circuits> {
        let table = self.endpoints_table()?.to_owned();
        Ok(Circuits::new(self.dynamodb(), table))
    }

    /// The subscriptions.
    pub(crate) fn subscriptions(&self) -> Result<Subscriptions> {
        let table = self.endpoints_table()?.to_owned();
        Ok(Subscriptions::new(self.dynamodb(), table))
    }

    /// The deliveries.
    pub(crate) fn deliveries(&self) -> Result<Deliveries> {
        let table = self.deliveries_table()?;
        Ok(Deliveries::new(self.dynamodb(), table.to_owned()))
    }

    /// SQS, for the queues of this and other stacks.
    pub(crate) fn queues(&self) -> Queues {
        Queues::new(self.sqs())
    }

    /// The client of CloudWatch.
    pub(crate) fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(&self.aws)
    }

    /// The client of CloudWatch Logs.
    pub(crate) fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.aws)
    }

    /// The client of KMS.
    pub(crate) fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.aws)
    }

    /// The client of Lambda.
    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.aws)
    }

    /// The client of Secrets Manager.
    pub(crate) fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.aws)
    }

    /// The client of SQS itself.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.aws)
    }

    /// The URL of the events queue.
    pub(crate) fn events_queue(&self) -> Result<&str> {
        self.output("EventsQueueUrl")
    }

    /// The URL of the delivery queue.
    pub(crate) fn delivery_queue(&self) -> Result<&str> {
        self.output("DeliveryQueueUrl")
    }

    /// The URL of the quarantine queue.
    pub(crate) fn quarantine_queue(&self) -> Result<&str> {
        self.output("QuarantineQueueUrl")
    }

    /// The URL of the dead-letter queue.
    pub(crate) fn dead_letter_queue(&self) -> Result<&str> {
        self.output("DeadLetterQueueUrl")
    }

    /// The name of the ledger's table.
    pub(crate) fn ledger_table(&self) -> Result<&str> {
        self.output("LedgerTableName")
    }

    /// The name of the journal's table.
    pub(crate) fn journal_table(&self) -> Result<&str> {
        self.output("JournalTableName")
    }

    /// The name of the deliveries' table.
    pub(crate) fn deliveries_table(&self) -> Result<&str> {
        self.output("DeliveriesTableName")
    }

    /// The table of endpoints, circuits and subscriptions.
    fn endpoints_table(&self) -> Result<&str> {
        self.output("EndpointsTableName")
    }

    /// The name of the function of the HTTP path and the stream path.
    pub(crate) fn ingress_function(&self) -> Result<&str> {
        self.output("IngressFunctionName")
    }

    /// The name of the function that delivers.
    pub(crate) fn delivery_function(&self) -> Result<&str> {
        self.output("DeliveryFunctionName")
    }

    /// The log group of the ingress function.
    pub(crate) fn ingress_log_group(&self) -> Result<&str> {
        self.output("IngressLogGroupName")
    }

    /// The ARN of the topic that notifications and alarms go to.
    pub(crate) fn notices_topic(&self) -> Result<&str> {
        self.output("NoticesTopicArn")
    }

    /// The namespace of the metrics, which is also the beginning of the alarms' names.
    pub(crate) fn metrics_namespace(&self) -> Result<&str> {
        self.output("MetricsNamespace")
    }

    /// The ARN of the secret that has the sources.
    pub(crate) fn sources_secret(&self) -> Result<&str> {
        self.output("SourcesSecretArn")
    }

    /// The ARN of the key that encrypts the secrets of endpoints.
    pub(crate) fn secrets_key(&self) -> Result<&str> {
        self.output("SecretsKeyArn")
    }

    /// The beginning of the names of listeners' queues.
    pub(crate) fn listener_queue_prefix(&self) -> Result<&str> {
        self.output("ListenerQueuePrefix")
    }

    /// The ARNs of the keys of consumers' queues, separated by commas. A stack without any has no such
    /// output.
    pub(crate) fn consumer_keys(&self) -> &str {
        self.output("AllowedConsumerKeyArns").unwrap_or_default()
    }

    /// The URLs that an endpoint may have.
    pub(crate) fn endpoint_policy(&self) -> Result<&str> {
        self.output("EndpointPolicy")
    }

    /// The version of the deployed template.
    pub(crate) fn version(&self) -> Result<&str> {
        self.output("Version")
    }

    /// Puts a message on the delivery queue.
    pub(crate) async fn send_to_delivery(&self, message: &Message) -> Result<()> {
        let messages = vec![Arc::new(message.queued(0)?)];
        let sent = self.queues().send(self.delivery_queue()?, messages).await;
        match sent?.first() {
            Some(refused) => {
                Err(format!("the delivery queue refuses the message: {}", refused.code).into())
            }
            None => Ok(()),
        }
    }

    /// The client of DynamoDB.
    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.aws)
    }

    fn output(&self, name: &str) -> Result<&str> {
        let output = self.outputs.get(name);
        Ok(output.ok_or_else(|| UnknownOutput(name.to_owned()))?)
    }

    /// How long the ledger and the journal keep an item.
    pub(crate) fn retention(&self) -> Result<SignedDuration> {
        let days: i64 = self.output("RetentionDays")?.parse()?;
        Ok(SignedDuration::from_hours(days * 24))
    }

    /// The base of the Payload URLs.
    pub(crate) fn webhook_url(&self) -> Result<&str> {
        self.output("WebhookUrl")
    }

    /// The Payload URL of a source.
    pub(crate) fn payload_url(&self, source: &str) -> Result<String> {
        Ok(format!("{}/{source}", self.webhook_url()?))
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

/// The error about a file that `make up` did not write.
fn stale(file: &Path, why: &str) -> String {
    let file = file.display();
    format!(
        "{file} is not a file of this version's `make up` ({why}): run `make down` and `make up`"
    )
}

/// Whether a file belongs to the user who runs this: another user may have put one into a shared folder.
#[cfg(unix)]
fn is_own(file: &File) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn is_own(_: &File) -> std::io::Result<bool> {
    Ok(true)
}

/// Rejects a local stack that is not on this machine: secrets would be sent there, and its URL would be
/// given to providers.
fn refuse_elsewhere(file: &Path, outputs: &HashMap<String, String>) -> Result<()> {
    for name in LOCAL_URLS {
        let url = outputs.get(name).map_or("", String::as_str);
        if !Url::parse(url).is_ok_and(|url| is_loopback(&url)) {
            let why = format!("its {name} is {url:?}, which is not on this machine");
            return Err(stale(file, &why).into());
        }
    }
    Ok(())
}

/// Rejects an endpoint that is neither AWS nor on this machine.
fn refuse_foreign(setting: &str, url: &str) -> Result<()> {
    if is_aws_or_loopback(url) {
        return Ok(());
    }
    let host = Url::parse(url).ok();
    let host = host.as_ref().and_then(Url::host_str).unwrap_or("no host");
    Err(format!(
        "{setting} names an endpoint of {host}. Secrets are sent over HTTPS to AWS's own \
        endpoints, or to this machine: unset it, or name one of these"
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_secretsmanager::config::ProvideCredentials;
    use std::fs;

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
        let stack = Stack::local(&folder.join("below/it"), &Output::standard(true)).unwrap();
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

    #[cfg(unix)]
    #[test]
    fn a_file_of_somebody_else_is_no_stack() {
        let outputs = r#"{"AwsEndpointUrl": "http://localhost:4567", "AwsRegion": "us-east-1",
                          "WebhookUrl": "http://localhost:4567/webhooks"}"#;
        let folder = scratch("foreign", outputs);
        let file = folder.join(LOCAL_OUTPUTS);
        assert!(is_own(&File::open(&file).unwrap()).unwrap());
        // Only root can give a file away, and only root owns those of the system.
        if std::os::unix::fs::chown(&file, Some(1), None).is_ok() {
            let none = Stack::local(&folder, &Output::standard(true))
                .unwrap_err()
                .to_string();
            assert!(none.starts_with("no stack"), "{none}");
        } else {
            assert!(!is_own(&File::open("/etc/passwd").unwrap()).unwrap());
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_stack_that_is_not_there_or_not_ours_says_what_to_do() {
        let none = Stack::local(Path::new("/"), &Output::standard(true)).unwrap_err();
        assert!(none.to_string().contains("make up"), "{none}");

        let folder = scratch("stale", "{");
        let stale = Stack::local(&folder, &Output::standard(true)).unwrap_err();
        fs::remove_dir_all(folder).unwrap();
        assert!(stale.to_string().contains("make down"), "{stale}");

        for (name, url) in [
            ("AwsEndpointUrl", "http://evil.example"),
            ("AwsEndpointUrl", "https://localhost.evil.example"),
            ("AwsEndpointUrl", "localhost:4566"),
            ("WebhookUrl", "https://evil.example/webhooks"),
            ("WebhookUrl", ""),
        ] {
            let mut outputs = serde_json::json!({
                "AwsEndpointUrl": "http://localhost:4567", "AwsRegion": "us-east-1",
                "WebhookUrl": "http://localhost:4567/webhooks",
            });
            outputs[name] = url.into();
            let folder = scratch("elsewhere", &outputs.to_string());
            let elsewhere = Stack::local(&folder, &Output::standard(true))
                .unwrap_err()
                .to_string();
            fs::remove_dir_all(folder).unwrap();
            assert!(elsewhere.contains("not on this machine"), "{elsewhere}");
            assert!(elsewhere.contains(name), "{elsewhere}");
        }

        let other = Stack::with_outputs(&[]);
        let error = other.output("WebhookUrl").unwrap_err();
        assert!(error.to_string().contains("WebhookUrl"), "{error}");
    }
}
