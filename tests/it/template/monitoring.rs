//! The alarms of infra/monitoring.yaml: the metrics that they watch, the topic that they notify, and the
//! sections of the runbook that say what to do.

use super::with_jitter;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use testkit::aws::Aws;
use testkit::function::Answer;
use testkit::template::{Template, list, text_of};
use testkit::webhook::{creative_force, request, signed};
use webhook_gateway::backoff::OLDEST;
use webhook_gateway::store::endpoints::DEFAULT_RETRY;

const FILE: &str = "infra/monitoring.yaml";

/// The alarms on AWS's metrics: name, namespace, metric, resource and threshold.
const OF_AWS: [(&str, &str, &str, &str, u64); 11] = {
    const VISIBLE: &str = "ApproximateNumberOfMessagesVisible";
    const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";
    const AGE: &str = "ApproximateAgeOfOldestMessage";
    [
        ("FailedRequests", "AWS/ApiGateway", "5xx", "Api", 0),
        ("Quarantine", "AWS/SQS", VISIBLE, "QuarantineQueue", 0),
        (
            "UnpublishedEvents",
            "AWS/Lambda",
            "IteratorAge",
            "IngressFunction",
            600_000,
        ),
        (
            "IngressErrors",
            "AWS/Lambda",
            "Errors",
            "IngressFunction",
            0,
        ),
        (
            "IngressThrottles",
            "AWS/Lambda",
            "Throttles",
            "IngressFunction",
            0,
        ),
        ("DeadLetters", "AWS/SQS", VISIBLE, "DeadLetterQueue", 0),
        ("LateDeliveries", "AWS/SQS", AGE, "DeliveryQueue", 14_400),
        (
            "DeliveriesInFlight",
            "AWS/SQS",
            IN_FLIGHT,
            "DeliveryQueue",
            80_000,
        ),
        (
            "DeliveryErrors",
            "AWS/Lambda",
            "Errors",
            "DeliveryFunction",
            0,
        ),
        (
            "DeliveryThrottles",
            "AWS/Lambda",
            "Throttles",
            "DeliveryFunction",
            0,
        ),
        (
            "StoppedLoop",
            "AWS/Lambda",
            "RecursiveInvocationsDropped",
            "DeliveryFunction",
            0,
        ),
    ]
};

/// The alarms on our own metrics, over all sources and endpoints: name, metric and threshold.
const OUR_OWN: [(&str, &str, u64); 5] = [
    ("RejectedRequests", "rejected", 10),
    ("SilentSource", "silent", 0),
    ("Drift", "drift", 0),
    ("DisabledEndpoint", "disabled", 0),
    ("UnreadableRegistrations", "unreadable", 0),
];

/// The properties of the alarms by name.
fn alarms(monitoring: &Template) -> BTreeMap<&str, &Value> {
    let alarms = monitoring.of_type("AWS::CloudWatch::Alarm").into_iter();
    alarms
        .map(|(name, alarm)| (name, &alarm["Properties"]))
        .collect()
}

/// The resource that an alarm watches, if it is one.
fn watched(alarm: &Value) -> Option<&str> {
    alarm.pointer("/Dimensions/0/Value/Ref")?.as_str()
}

/// The metrics that an alarm watches: one, or those of an expression.
fn metrics(alarm: &Value) -> Vec<&Value> {
    match alarm["Metrics"].as_array() {
        None => vec![alarm],
        Some(all) => all
            .iter()
            .filter_map(|metric| metric.get("MetricStat"))
            .collect(),
    }
}

/// A name in words, as in a heading: `DeadLetters` is "Dead letters".
fn in_words(name: &str) -> String {
    let mut words = String::new();
    for (at, letter) in name.char_indices() {
        match letter {
            capital if capital.is_uppercase() && at > 0 => {
                words.push(' ');
                words.extend(capital.to_lowercase());
            }
            other => words.push(other),
        }
    }
    words
}

/// The headings of the runbook, each with its text.
fn runbook() -> BTreeMap<String, String> {
    let runbook = text_of("docs/runbook.md");
    let sections = runbook.split("\n## ").skip(1);
    let sections = sections.map(|section| section.split_once('\n').unwrap());
    sections
        .map(|(heading, text)| (heading.to_owned(), text.trim().to_owned()))
        .collect()
}

#[test]
fn each_way_to_lose_or_delay_something_has_its_alarm() {
    let monitoring = Template::read(FILE);
    let alarms = alarms(&monitoring);
    for (name, namespace, metric, of, threshold) in OF_AWS {
        let alarm = alarms.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(alarm["Namespace"], namespace, "{name}");
        assert_eq!(alarm["MetricName"], metric, "{name}");
        assert_eq!(watched(alarm), Some(of), "{name}");
        assert_eq!(alarm["Threshold"], threshold, "{name}");
    }
    for (name, metric, threshold) in OUR_OWN {
        let alarm = alarms.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(alarm["Namespace"], json!({"Ref": "Gateway"}), "{name}");
        assert_eq!(alarm["MetricName"], metric, "{name}");
        assert!(alarm["Dimensions"].is_null(), "{name}");
        assert_eq!(alarm["Threshold"], threshold, "{name}");
    }
    let unread = alarms["UnreadEvents"];
    assert_eq!(unread["MetricName"], "ApproximateAgeOfOldestMessage");
    assert_eq!(watched(unread), Some("EventsQueue"));
    assert_eq!(unread["Threshold"], json!({"Ref": "UnreadEventsAge"}));
}

#[test]
fn nothing_that_can_fail_is_without_an_alarm() {
    let (template, monitoring) = (Template::deployed(), Template::read(FILE));
    let alarms = alarms(&monitoring);
    let watches = |resource: &str, metric: &str| {
        let mut of = alarms
            .values()
            .filter(|alarm| watched(alarm) == Some(resource));
        of.any(|alarm| {
            alarm["MetricName"]
                .as_str()
                .is_some_and(|name| name.contains(metric))
        })
    };
    for (queue, _) in template.of_type("AWS::SQS::Queue") {
        assert!(watches(queue, "Approximate"), "{queue} has no alarm");
    }
    for (function, _) in template.of_type("AWS::Serverless::Function") {
        for metric in ["Errors", "Throttles"] {
            assert!(
                watches(function, metric),
                "{function} has none for {metric}"
            );
        }
    }
}

#[test]
fn each_alarm_tells_the_topic_and_nothing_happening_is_fine() {
    let monitoring = Template::read(FILE);
    for (name, alarm) in alarms(&monitoring) {
        let topic = json!([{"Ref": "NoticesTopic"}]);
        assert_eq!(alarm["AlarmActions"], topic, "{name}");
        assert_eq!(alarm["OKActions"], topic, "{name}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name}");
        let named = json!({"Fn::Sub": format!("${{Gateway}}-{name}")});
        assert_eq!(alarm["AlarmName"], named, "{name}");
        let metrics = metrics(alarm);
        let period = metrics.iter().map(|metric| metric["Period"].as_u64());
        let period = period.max().unwrap().unwrap();
        let seconds = period * alarm["EvaluationPeriods"].as_u64().unwrap();
        assert!(
            seconds <= 86_400,
            "{name} looks back {seconds} s, CloudWatch a day at most"
        );
    }
}

#[test]
fn each_alarm_says_what_to_do_and_where_more_stands() {
    let monitoring = Template::read(FILE);
    let (alarms, runbook) = (alarms(&monitoring), runbook());
    for (name, alarm) in &alarms {
        let description = alarm["AlarmDescription"].as_str().unwrap_or_default();
        let heading = in_words(name);
        let anchor = heading.to_lowercase().replace(' ', "-");
        assert!(
            description.contains(" First: "),
            "{name} does not say what to do"
        );
        assert!(
            description.ends_with(&format!(" Runbook: docs/runbook.md#{anchor}")),
            "{name} does not name its section {anchor:?}"
        );
        assert!(
            description.len() <= 1024,
            "{name}: CloudWatch takes 1024 characters"
        );
        assert!(
            runbook.get(&heading).is_some_and(|text| text.len() > 100),
            "the runbook says nothing of {heading:?}"
        );
    }
    let headings: BTreeSet<_> = alarms.keys().map(|name| in_words(name)).collect();
    let sections: BTreeSet<_> = runbook.into_keys().collect();
    assert_eq!(sections, headings, "sections without an alarm");
}

#[test]
fn the_runbook_names_what_a_log_in_json_says_of_invocations_that_end_early() {
    let (template, runbook) = (Template::deployed(), runbook());
    let logging = template.at("Globals/Function/LoggingConfig");
    assert_eq!(logging["LogFormat"], "JSON");
    assert_eq!(logging["SystemLogLevel"], "WARN", "Lambda reports them so");
    for heading in ["Ingress errors", "Delivery errors"] {
        for status in [r#"`"status":"timeout"`"#, r#"`"status":"error"`"#] {
            assert!(runbook[heading].contains(status), "{heading}: {status}");
        }
    }
    for file in [
        "docs/runbook.md",
        "docs/operating.md",
        FILE,
        "template.yaml",
    ] {
        for of_plain_text in ["Task timed out", "Runtime exited"] {
            assert!(!text_of(file).contains(of_plain_text), "{file}");
        }
    }
}

#[test]
fn the_dashboard_is_json_and_shows_each_alarm() {
    let monitoring = Template::read(FILE);
    let body = monitoring.at("Resources/Dashboard/Properties/DashboardBody/Fn::Sub");
    let body: Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
    let shown = list(&body["widgets"][0]["properties"]["alarms"]);
    let names = alarms(&monitoring).into_keys();
    let wanted: BTreeSet<_> = names.map(|name| format!("${{{name}.Arn}}")).collect();
    let shown: BTreeSet<_> = shown
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(shown, wanted);
}

#[test]
fn the_nested_stack_is_given_all_that_it_asks_for() {
    let (template, monitoring) = (Template::deployed(), Template::read(FILE));
    let stack = template.at("Resources/MonitoringStack/Properties");
    assert_eq!(stack["TemplateURL"], FILE);
    let given = stack["Parameters"].as_object().unwrap();
    let asked = monitoring.at("Parameters").as_object().unwrap();
    assert!(given.keys().eq(asked.keys()), "{given:?}");
    for (name, value) in given {
        let own = [
            json!({"Ref": name}),
            json!({"Fn::GetAtt": format!("{name}.QueueName")}),
        ];
        let is_name = *value == json!({"Ref": "AWS::StackName"});
        assert!(
            own.contains(value) || (name == "Gateway" && is_name),
            "{name} is given {value}"
        );
    }
}

#[test]
fn what_waits_as_it_should_is_no_alarm_and_what_is_forgotten_was_one_before() {
    let (template, monitoring) = (Template::deployed(), Template::read(FILE));
    let retention = |queue| {
        template.seconds(&format!(
            "Resources/{queue}/Properties/MessageRetentionPeriod"
        ))
    };
    let late = monitoring.seconds("Resources/LateDeliveries/Properties/Threshold");
    // The age of a queue's oldest message does not count messages that were received more than three times.
    let waits = DEFAULT_RETRY.iter().take(3).sum();
    assert!(
        with_jitter(Duration::from_secs(waits)) < late,
        "{late:?} is normal"
    );
    // Probes, silence checks and deliveries that must wait for longer are replaced. A failed invocation
    // delays them further.
    let visibility = template.seconds("Resources/DeliveryQueue/Properties/VisibilityTimeout");
    assert!(OLDEST + visibility < late, "{late:?} is normal");
    assert!(
        late < retention("DeliveryQueue") / 2,
        "{late:?} is too late"
    );
    let unread = "Parameters/UnreadEventsAge";
    assert!(template.seconds(&format!("{unread}/Default")) < retention("EventsQueue") / 2);
    assert_eq!(
        template.seconds(&format!("{unread}/MaxValue")),
        retention("EventsQueue")
    );
    let unpublished = monitoring.number("Resources/UnpublishedEvents/Properties/Threshold");
    let stream = Duration::from_hours(24);
    assert!(
        Duration::from_millis(unpublished) < stream / 2,
        "the stream forgets after {stream:?}"
    );
}

#[test]
fn monitoring_costs_what_its_parameter_says() {
    let (template, monitoring) = (Template::deployed(), Template::read(FILE));
    // CloudWatch bills the metrics that alarms watch, not the alarms.
    let watched: usize = alarms(&monitoring)
        .values()
        .map(|alarm| metrics(alarm).len())
        .sum();
    let dashboards = monitoring.of_type("AWS::CloudWatch::Dashboard").len();
    let cents = watched * 10 + dashboards * 300;
    let price = format!("${}.{:02} a month", cents / 100, cents % 100);
    let description = template
        .at("Parameters/Monitoring/Description")
        .as_str()
        .unwrap();
    assert!(description.contains(&price), "{watched} metrics: {price}");
    let row = format!("watch {watched} metrics, and the dashboard");
    let costs = text_of("docs/performance.md");
    assert!(costs.contains(&row), "the costs: {row}");
}

/// A function's count of a metric over all sources, as CloudWatch adds up its lines.
fn counted(output: &[String], name: &str) -> u64 {
    let lines = output
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    let counts = lines.filter(|line: &Value| {
        let directives = list(&line["_aws"]["CloudWatchMetrics"]);
        directives.iter().any(|directive| {
            let is_whole = list(&directive["Dimensions"]).contains(&json!([]));
            let mut metrics = list(&directive["Metrics"]).iter();
            is_whole && metrics.any(|metric| metric["Name"] == name)
        })
    });
    counts.map(|line| line[name].as_u64().unwrap()).sum()
}

/// The sum of the metric of this id in the alarm's expression.
fn sum(alarm: &Value, id: &str, output: &[String]) -> u64 {
    let mut metrics = list(&alarm["Metrics"]).iter();
    let metric = &metrics.find(|metric| metric["Id"] == id).unwrap()["MetricStat"];
    assert_eq!(metric["Stat"], "Sum");
    assert_eq!(metric["Period"], 900);
    let metric = &metric["Metric"];
    assert_eq!(metric["Namespace"], json!({"Ref": "Gateway"}));
    assert!(metric["Dimensions"].is_null());
    counted(output, metric["MetricName"].as_str().unwrap())
}

#[tokio::test]
async fn what_is_accepted_and_not_published_is_missed_though_nothing_is_invoked() {
    let monitoring = Template::read(FILE);
    let alarm = alarms(&monitoring)["StoppedPublishing"];
    let missing = &alarm["Metrics"][0];
    assert_eq!(missing["Id"], "missing");
    let (accepted, published) = ("FILL(accepted, 0)", "FILL(published, 0)");
    let expression = format!("IF({accepted} > 2 * {published}, {accepted} - {published}, 0)");
    assert_eq!(missing["Expression"], expression);
    let returned = list(&alarm["Metrics"])
        .iter()
        .filter(|metric| metric["ReturnData"] != false);
    assert_eq!(returned.count(), 1, "CloudWatch takes one result");
    assert_eq!(alarm["Threshold"], 0);
    // One quarter of an hour may end between a webhook and its publication.
    assert_eq!(alarm["DatapointsToAlarm"], 2);

    let mut aws = Aws::start().await;
    let mut ingress = aws.ingress().await;
    let new = creative_force("p-1", "");
    let webhooks = [
        signed("studio", &new),
        signed("studio", &new),               // a duplicate
        signed("studio", &format!("{new} ")), // a conflict
        signed("studio", "no JSON"),          // quarantined
        request("POST", "studio", &new, &[]), // rejected
        request("POST", "unknown", &new, &[]),
    ];
    for webhook in &webhooks {
        assert!(matches!(ingress.invoke(webhook).await, Answer::Success(_)));
    }
    let output = ingress.output().await;
    let counts = (
        sum(alarm, "accepted", &output),
        sum(alarm, "published", &output),
    );
    assert_eq!(counts, (2, 0), "the stream did not start the function");

    aws.drain_stream(&mut ingress).await;
    let output = ingress.output().await;
    let counts = (
        sum(alarm, "accepted", &output),
        sum(alarm, "published", &output),
    );
    assert_eq!(counts, (2, 2), "all that is accepted is published");
}
