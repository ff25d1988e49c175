//! The alarms of a stack. They notify its topic.

use super::{Fact, read};
use crate::Result;
use crate::stack::Stack;
use aws_sdk_cloudwatch::types::{AlarmType, MetricAlarm, StateValue};
use jiff::Timestamp;
use webhook_gateway::aws::error::AwsError;

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) is_on: bool,
    /// The time of its last change of state.
    pub(crate) since: Option<Timestamp>,
    /// Whether it notifies the topic.
    pub(crate) is_enabled: bool,
}

pub(crate) async fn alarms(stack: &Stack) -> Fact<Vec<Alarm>> {
    read("alarms", "cloudwatch:DescribeAlarms", list(stack).await)
}

async fn list(stack: &Stack) -> Result<Vec<Alarm>> {
    let topic = stack.notices_topic()?;
    // The name of another stack may begin with that of this one, but its alarms notify another topic.
    let prefix = format!("{}-", stack.metrics_namespace()?);
    let mut pages = stack
        .cloudwatch()
        .describe_alarms()
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_name_prefix(prefix)
        .into_paginator()
        .send();
    let mut alarms = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(AwsError::from)?;
        let of_stack = page.metric_alarms().iter();
        let of_stack =
            of_stack.filter(|alarm| alarm.alarm_actions().iter().any(|alarm| alarm == topic));
        alarms.extend(of_stack.map(Alarm::read));
    }
    Ok(alarms)
}

impl Alarm {
    fn read(alarm: &MetricAlarm) -> Self {
        let since = alarm.state_updated_timestamp();
        let since = since.and_then(|at| Timestamp::from_millisecond(at.to_millis().ok()?).ok());
        Self {
            name: alarm.alarm_name().unwrap_or_default().to_owned(),
            description: alarm.alarm_description().map(str::to_owned),
            is_on: alarm.state_value() == Some(&StateValue::Alarm),
            since,
            is_enabled: alarm.actions_enabled().unwrap_or(true),
        }
    }
}
