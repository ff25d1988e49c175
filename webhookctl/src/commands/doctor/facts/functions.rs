//! The functions as they are deployed: how long they may take, and what starts them.

use super::{Fact, name_of, read};
use crate::Result;
use crate::stack::Stack;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::EventSourceMappingConfiguration;
use std::time::Duration;
use webhook_gateway::aws::error::AwsError;

/// A stream or a queue that starts a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventSource {
    pub(crate) name: String,
    /// `Enabled`, `Disabled`, or on the way to one of them.
    pub(crate) state: String,
    /// Why it is in that state, or what came of the last batch.
    pub(crate) last: Option<String>,
}

pub(crate) struct Functions<'a> {
    client: Client,
    stack: &'a Stack,
}

impl<'a> Functions<'a> {
    pub(crate) fn of(stack: &'a Stack) -> Self {
        Self {
            client: stack.lambda(),
            stack,
        }
    }

    /// How long the function that an output names may take.
    pub(crate) async fn timeout(&self, subject: &'static str, output: &str) -> Fact<Duration> {
        let timeout = self.read_timeout(output).await;
        read(subject, "lambda:GetFunctionConfiguration", timeout)
    }

    async fn read_timeout(&self, output: &str) -> Result<Duration> {
        let function = self.stack.output(output)?;
        let request = self.client.get_function_configuration();
        let answer = request.function_name(function).send().await;
        let answer = answer.map_err(AwsError::from)?;
        let seconds = answer
            .timeout
            .and_then(|timeout| u64::try_from(timeout).ok());
        Ok(Duration::from_secs(seconds.ok_or("it has no timeout")?))
    }

    /// What starts the function that an output names.
    pub(crate) async fn sources(
        &self,
        subject: &'static str,
        output: &str,
    ) -> Fact<Vec<EventSource>> {
        let sources = self.read_sources(output).await;
        read(subject, "lambda:ListEventSourceMappings", sources)
    }

    async fn read_sources(&self, output: &str) -> Result<Vec<EventSource>> {
        let function = self.stack.output(output)?;
        let request = self.client.list_event_source_mappings();
        let answer = request.function_name(function).send().await;
        let answer = answer.map_err(AwsError::from)?;
        let mappings = answer.event_source_mappings().iter();
        Ok(mappings.map(EventSource::read).collect())
    }
}

impl EventSource {
    fn read(mapping: &EventSourceMappingConfiguration) -> Self {
        let arn = mapping.event_source_arn().unwrap_or_default();
        // arn:…:table/NAME/stream/TIME
        let table = arn.split_once(":table/").map(|(_, rest)| rest);
        let table = table.and_then(|rest| rest.split('/').next());
        Self {
            name: table.unwrap_or_else(|| name_of(arn)).to_owned(),
            state: mapping.state().unwrap_or_default().to_owned(),
            last: mapping.last_processing_result().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_a_function_is_called_by_its_table_or_its_queue() {
        for (arn, name) in [
            (
                "arn:aws:dynamodb:us-east-1:1:table/ledger/stream/2026-11-22T10:00:00.000",
                "ledger",
            ),
            ("arn:aws:sqs:us-east-1:1:deliveries", "deliveries"),
        ] {
            let mapping = EventSourceMappingConfiguration::builder().event_source_arn(arn);
            assert_eq!(EventSource::read(&mapping.build()).name, name);
        }
    }
}
