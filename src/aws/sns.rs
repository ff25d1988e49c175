//! The SNS topic that notifies the operator.

use super::error::AwsError;
use aws_sdk_sns::Client;

/// The most characters of a [subject](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html).
const MAX_SUBJECT: usize = 99;

/// A topic.
#[derive(Debug)]
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic of this ARN.
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    /// Publishes a text under a title.
    pub async fn publish(&self, title: &str, text: &str) -> Result<(), AwsError> {
        let publish = self.client.publish().topic_arn(&self.arn);
        let publish = publish.subject(subject(title)).message(text);
        publish.send().await?;
        Ok(())
    }
}

/// A title in the characters that a subject may have.
fn subject(title: &str) -> String {
    let printable = |c: char| {
        if c == ' ' || c.is_ascii_graphic() {
            c
        } else {
            '?'
        }
    };
    title.chars().map(printable).take(MAX_SUBJECT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_printable_and_short() {
        let title = "Webhook endpoint disabled: Büro\n<search>";
        assert_eq!(subject(title), "Webhook endpoint disabled: B?ro?<search>");
        assert_eq!(subject(&"x".repeat(200)).len(), MAX_SUBJECT);
    }
}
