//! The deployed template, read from its file: its content, and its values in the AWS of a test.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use std::time::Duration;

/// The account of every emulator.
pub const ACCOUNT: &str = "000000000000";

/// The names of the template's resources in the AWS of a test. That AWS has no other resource.
const NAMES: [(&str, &str); 12] = [
    ("LedgerTable", "ledger"),
    ("EndpointsTable", "endpoints"),
    ("DeliveriesTable", "deliveries"),
    ("JournalTable", "journal"),
    ("EventsQueue", "events"),
    ("QuarantineQueue", "quarantine"),
    ("DeliveryQueue", "deliveries"),
    ("DeadLetterQueue", "dead"),
    ("PayloadBucket", "payloads"),
    ("SourcesSecret", "sources"),
    ("NoticesTopic", "notices"),
    ("IngressLogGroup", "ingress"),
];

/// The parameters that the local stack sets, as `sam_options` in `infra/local/stack.py` does.
const PARAMETERS: [(&str, &str); 1] = [("EndpointPolicy", "unrestricted")];

/// The name of the stack, which is also the namespace of its metrics.
const STACK: &str = "WebhookGateway";

/// A template.
pub struct Template(Value);

impl Template {
    /// The template of the gateway.
    pub fn deployed() -> &'static Self {
        static DEPLOYED: LazyLock<Template> = LazyLock::new(|| Template::read("template.yaml"));
        &DEPLOYED
    }

    /// A template of the repository.
    pub fn read(path: &str) -> Self {
        let text = text_of(path);
        Self(to_json(&Yaml::load_from_str(&text).unwrap()[0]))
    }

    /// The value at a path, whose steps are separated by slashes.
    pub fn at(&self, path: &str) -> &Value {
        let found = self.0.pointer(&format!("/{path}"));
        found.unwrap_or_else(|| panic!("the template has no {path}"))
    }

    /// A number.
    pub fn number(&self, path: &str) -> u64 {
        let found = self.at(path).as_u64();
        found.unwrap_or_else(|| panic!("{path} is no number"))
    }

    /// A number of seconds.
    pub fn seconds(&self, path: &str) -> Duration {
        Duration::from_secs(self.number(path))
    }

    /// The resources of a type; there is at least one.
    pub fn of_type<'a>(&'a self, kind: &str) -> Vec<(&'a str, &'a Value)> {
        let all = self.at("Resources").as_object().unwrap().iter();
        let found: Vec<_> = all
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(name, resource)| (name.as_str(), resource))
            .collect();
        assert!(!found.is_empty(), "the template has no {kind}");
        found
    }

    /// The event sources of all functions, as `Function.Event`.
    pub fn event_sources(&self) -> Vec<(String, &Value)> {
        let functions = self.of_type("AWS::Serverless::Function").into_iter();
        functions
            .flat_map(|(function, resource)| {
                let events = resource["Properties"]["Events"].as_object();
                let events = events.into_iter().flatten();
                events.map(move |(event, source)| (format!("{function}.{event}"), source))
            })
            .collect()
    }

    /// The statements of all roles, as `Role.Sid`. A condition counts as true.
    pub fn statements(&self) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        for (role, resource) in self.of_type("AWS::IAM::Role") {
            for policy in list(&resource["Properties"]["Policies"]) {
                for statement in list(&policy["PolicyDocument"]["Statement"]) {
                    let statement = statement.pointer("/Fn::If/1").unwrap_or(statement);
                    found.push((format!("{role}.{}", statement["Sid"]), statement));
                }
            }
        }
        found
    }

    /// The requests that create the tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = Value> {
        let tables = self.of_type("AWS::DynamoDB::Table").into_iter();
        tables.map(|(resource, table)| {
            let properties = &table["Properties"];
            let mut request = json!({"TableName": named(resource)});
            for name in ["BillingMode", "AttributeDefinitions", "KeySchema"] {
                request[name] = properties[name].clone();
            }
            if let Some(view) = properties.pointer("/StreamSpecification/StreamViewType") {
                let stream = json!({"StreamEnabled": true, "StreamViewType": view});
                request["StreamSpecification"] = stream;
            }
            request
        })
    }

    /// The requests that create the queues. A queue comes before another that names it.
    pub(crate) fn queues(&self) -> Vec<Value> {
        let mut queues = self.of_type("AWS::SQS::Queue");
        queues.sort_by_key(|(_, queue)| queue["Properties"].get("RedrivePolicy").is_some());
        let request = |(resource, queue): (&str, &Value)| {
            let properties = queue["Properties"].as_object().unwrap().iter();
            let attributes = properties.map(|(name, value)| (name.clone(), attribute(value)));
            let attributes = Value::Object(attributes.collect::<Map<_, _>>());
            json!({"QueueName": named(resource), "Attributes": attributes})
        };
        queues.into_iter().map(request).collect()
    }

    /// The environment of a function in the AWS at this URL.
    pub(crate) fn environment<'t>(&'t self, function: &str, aws: &str) -> Vec<(&'t str, String)> {
        let variables = self.at(&format!(
            "Resources/{function}/Properties/Environment/Variables"
        ));
        let variables = variables.as_object().unwrap().iter();
        variables
            .map(|(name, value)| {
                let value = self.resolve(value, aws);
                (
                    name.as_str(),
                    value.unwrap_or_else(|| panic!("no value of {name}")),
                )
            })
            .collect()
    }

    /// The outputs of a stack in the AWS at this URL, without those of missing resources, and without those
    /// that only some stacks have.
    pub(crate) fn outputs(&self, aws: &str) -> Map<String, Value> {
        let outputs = self.at("Outputs").as_object().unwrap().iter();
        let always = outputs.filter(|(_, output)| output.get("Condition").is_none());
        always
            .filter_map(|(name, output)| {
                let value = self.resolve(&output["Value"], aws)?;
                Some((name.clone(), json!(value)))
            })
            .collect()
    }

    /// The value of an expression, if its resource exists.
    fn resolve(&self, value: &Value, aws: &str) -> Option<String> {
        if let Some(name) = value["Ref"].as_str() {
            return self.reference(name, aws);
        }
        if let Some(text) = value["Fn::Sub"].as_str() {
            let text = text.replace("${Api.ApiEndpoint}", aws);
            return Some(text.replace("${AWS::StackName}", STACK));
        }
        if let Some(text) = value["Fn::GetAtt"].as_str() {
            let (resource, attribute) = text.split_once('.').unwrap();
            return match attribute {
                // A secret has a name and an ARN, and `Id` can be either.
                "Id" => name_of(resource).map(str::to_owned),
                _ => None,
            };
        }
        value.as_str().map(str::to_owned)
    }

    fn reference(&self, name: &str, aws: &str) -> Option<String> {
        if name == "AWS::StackName" {
            return Some(STACK.to_owned());
        }
        if let Some((_, value)) = PARAMETERS.iter().find(|(parameter, _)| *parameter == name) {
            return Some((*value).to_owned());
        }
        if let Some(parameter) = self.0.pointer(&format!("/Parameters/{name}")) {
            return parameter["Default"].as_str().map(str::to_owned);
        }
        let physical = name_of(name)?;
        Some(match self.at(&format!("Resources/{name}/Type")).as_str() {
            Some("AWS::SQS::Queue") => format!("{aws}/{ACCOUNT}/{physical}"),
            Some("AWS::SNS::Topic") => format!("arn:aws:sns:us-east-1:{ACCOUNT}:{physical}"),
            _ => physical.to_owned(),
        })
    }
}

/// The name of a resource in the AWS of a test, if it exists.
fn name_of(resource: &str) -> Option<&'static str> {
    let found = NAMES.iter().find(|(name, _)| *name == resource);
    found.map(|(_, name)| *name)
}

fn named(resource: &str) -> &'static str {
    name_of(resource).unwrap_or_else(|| panic!("the tests have no name for {resource}"))
}

/// A property of a queue in the form of SQS.
fn attribute(value: &Value) -> Value {
    let Some(policy) = value.as_object() else {
        return json!(value.to_string());
    };
    let dead = policy["deadLetterTargetArn"]["Fn::GetAtt"]
        .as_str()
        .unwrap();
    let dead = named(dead.trim_end_matches(".Arn"));
    let policy = json!({
        "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{dead}"),
        "maxReceiveCount": policy["maxReceiveCount"],
    });
    json!(policy.to_string())
}

/// A file of the repository.
pub fn text_of(path: &str) -> String {
    let path = crate::root().join(path);
    std::fs::read_to_string(path).unwrap()
}

/// The items of a list, or the one item in its place.
pub fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// The node in JSON, functions in their long form: `!Ref X` as `{"Ref": "X"}`, `!Sub x` as `{"Fn::Sub":
/// "x"}`.
fn to_json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(items) => items.iter().map(to_json).collect(),
        Yaml::Mapping(members) => {
            let members = members.iter();
            let members =
                members.map(|(key, value)| (key.as_str().unwrap().to_owned(), to_json(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Yaml::Tagged(tag, value) if tag.suffix == "Ref" => json!({"Ref": to_json(value)}),
        Yaml::Tagged(tag, value) => json!({format!("Fn::{}", tag.suffix): to_json(value)}),
        other => panic!("not of a template: {other:?}"),
    }
}
