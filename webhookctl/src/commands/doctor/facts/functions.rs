//! The functions as they are deployed: their timeouts, and the streams and queues that start them.

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
    /// `Enabled`, `Disabled`, or a state between them.
    pub(crate) state: String,
    /// The reason for the state, or the result of the last batch.
    pub(crate) last: Option<String>,
}

pub(crate) struct Functions {
    client: Client,
}

impl Functions {
    pub(crate) fn of(stack: &Stack) -> Self {
        Self {
            client: stack.lambda(),
        }
    }

    /// How long a function may take.
    pub(crate) async fn timeout(
        &self,
        subject: &'static str,
        function: Result<&str>,
    ) -> Fact<Duration> {
        let timeout = self.read_timeout(function).await;
        read(subject, "lambda:GetFunctionConfiguration", timeout)
    }

    async fn read_timeout(&self, function: Result<&str>) -> Result<Duration> {
        let request = self.client.get_function_configuration();
        let answer = request.function_name(function?).send().await;
        let answer = answer.map_err(AwsError::from)?;
        let seconds = answer
            .timeout
            .and_then(|timeout| u64::try_from(timeout).ok());
        Ok(Duration::from_secs(seconds.ok_or("it has no timeout")?))
    }

    /// The streams and queues that start a function.
    pub(crate) async fn sources(
        &self,
        subject: &'static str,
        function: Result<&str>,
    ) -> Fact<Vec<EventSource>> {
        let sources = self.read_sources(function).await;
        read(subject, "lambda:ListEventSourceMappings", sources)
    }

    async fn read_sources(&self, function: Result<&str>) -> Result<Vec<EventSource>> {
        let request = self.client.list_event_source_mappings();
        let request = request.function_name(function?);
        let mut mappings = request.into_paginator().items().send();
        let mut sources = Vec::new();
        while let Some(mapping) = mappings.next().await {
            sources.push(EventSource::read(&mapping.map_err(AwsError::from)?));
        }
        Ok(sources)
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
