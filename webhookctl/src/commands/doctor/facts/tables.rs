//! The tables as they are deployed: their expiry and their streams.

use super::{Fact, read};
use crate::Result;
use crate::stack::Stack;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::TimeToLiveStatus;
use webhook_gateway::aws::error::AwsError;

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// The view type of its stream, if it has one.
    pub(crate) stream: Option<String>,
    /// The attribute with the time of expiry, if items expire.
    pub(crate) forgets_by: Option<String>,
}

pub(crate) async fn tables(stack: &Stack) -> Vec<(&'static str, Fact<Table>)> {
    let client = stack.dynamodb();
    let mut tables = Vec::new();
    for (subject, name) in [
        ("ledger", stack.ledger_table()),
        ("deliveries", stack.deliveries_table()),
        ("journal", stack.journal_table()),
    ] {
        let table = table(&client, name).await;
        let needs = "dynamodb:DescribeTable and dynamodb:DescribeTimeToLive";
        tables.push((subject, read(subject, needs, table)));
    }
    tables
}

async fn table(client: &Client, name: Result<&str>) -> Result<Table> {
    let name = name?;
    let answer = client.describe_table().table_name(name).send().await;
    let answer = answer.map_err(AwsError::from)?;
    let stream = answer
        .table()
        .and_then(|table| table.stream_specification());
    let stream = stream.filter(|stream| stream.stream_enabled());
    let stream = stream.and_then(|stream| stream.stream_view_type());
    let stream = stream.map(|view| view.as_str().to_owned());
    let answer = client.describe_time_to_live().table_name(name).send().await;
    let answer = answer.map_err(AwsError::from)?;
    let ttl = answer.time_to_live_description();
    let ttl = ttl.filter(|ttl| {
        use TimeToLiveStatus::{Enabled, Enabling};
        matches!(ttl.time_to_live_status(), Some(Enabled | Enabling))
    });
    Ok(Table {
        stream,
        forgets_by: ttl.and_then(|ttl| ttl.attribute_name()).map(str::to_owned),
    })
}
