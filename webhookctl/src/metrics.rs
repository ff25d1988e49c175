//! Metrics from CloudWatch, many in one request.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::ops::Range;
use webhook_gateway::aws::error::AwsError;

/// The [most
/// metrics](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html) in one
/// request.
const MAX_QUERIES: usize = 500;

/// A metric and its statistic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) namespace: String,
    pub(crate) name: &'static str,
    pub(crate) dimensions: Vec<(&'static str, String)>,
    /// `Sum`, `Maximum`, or `p99`.
    pub(crate) statistic: &'static str,
    /// The seconds that each value covers.
    pub(crate) period: i32,
}

/// The values of a metric, by the beginning of their period.
pub(crate) type Values = BTreeMap<Timestamp, f64>;

/// The values of each metric in a time span, in the order of the queries.
pub(crate) async fn ask(
    client: &Client,
    queries: &[Query],
    span: Range<Timestamp>,
) -> Result<Vec<Values>, AwsError> {
    let mut all = vec![Values::new(); queries.len()];
    for (queries, values) in queries.chunks(MAX_QUERIES).zip(all.chunks_mut(MAX_QUERIES)) {
        let asked = queries.iter().enumerate();
        let asked = asked.map(|(place, query)| query.with_id(id(place)));
        let mut pages = client
            .get_metric_data()
            .set_metric_data_queries(Some(asked.collect()))
            .start_time(DateTime::from_millis(span.start.as_millisecond()))
            .end_time(DateTime::from_millis(span.end.as_millisecond()))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| AwsError::from(error).context("the metrics cannot be read"))?;
            for result in page.metric_data_results() {
                let place = result.id().and_then(place);
                let Some(values) = place.and_then(|place| values.get_mut(place)) else {
                    continue;
                };
                let times = result.timestamps().iter();
                let times =
                    times.filter_map(|at| Timestamp::from_millisecond(at.to_millis().ok()?).ok());
                values.extend(times.zip(result.values().iter().copied()));
            }
        }
    }
    Ok(all)
}

impl Query {
    fn with_id(&self, id: String) -> MetricDataQuery {
        let dimension = |(name, value): &(&'static str, String)| {
            Dimension::builder().name(*name).value(value).build()
        };
        let metric = Metric::builder()
            .namespace(&self.namespace)
            .metric_name(self.name)
            .set_dimensions(Some(self.dimensions.iter().map(dimension).collect()));
        let statistic = MetricStat::builder()
            .metric(metric.build())
            .period(self.period)
            .stat(self.statistic);
        MetricDataQuery::builder()
            .id(id)
            .metric_stat(statistic.build())
            .build()
    }
}

/// An id begins with a small letter.
fn id(place: usize) -> String {
    format!("m{place}")
}

fn place(id: &str) -> Option<usize> {
    id.strip_prefix('m')?.parse().ok()
}
