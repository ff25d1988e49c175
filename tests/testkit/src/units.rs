//! What AWS charges for a call: [read and write units](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)
//! by the [size of items](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html), and
//! requests of SQS by 64 KB, and reads of secrets.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

/// The cost of a call.
#[derive(Default)]
pub struct Units {
    pub writes: f64,
    pub reads: f64,
    pub sqs: f64,
    pub secrets: f64,
}

/// The units of a call, such as `DynamoDB_20120810.PutItem`.
pub fn units(operation: &str, request: &Value, answer: &Value) -> Units {
    let operation = operation.rsplit('.').next().unwrap();
    let mut units = Units::default();
    match operation {
        "PutItem" => units.writes = write(&request["Item"]),
        // The updated items are smaller than a unit.
        "UpdateItem" | "DeleteItem" => units.writes = 1.0,
        "BatchWriteItem" => {
            let requests = members(&request["RequestItems"]).flat_map(items);
            let one = |request: &Value| {
                request
                    .get("PutRequest")
                    .map_or(1.0, |put| write(&put["Item"]))
            };
            units.writes = requests.map(one).sum();
        }
        "BatchGetItem" => {
            let is_consistent =
                members(&request["RequestItems"]).all(|table| table["ConsistentRead"] == true);
            let found = members(&answer["Responses"]).flat_map(items);
            let found: f64 = found.map(|item| read(size(item))).sum();
            units.reads = if is_consistent { found } else { found / 2.0 };
        }
        "GetItem" => {
            let is_consistent = request["ConsistentRead"] == true;
            units.reads = read(size(&answer["Item"])) * if is_consistent { 1.0 } else { 0.5 };
        }
        "Query" => {
            let bytes = items(&answer["Items"]).map(size).sum();
            let is_consistent = request["ConsistentRead"] == true;
            units.reads = read(bytes) * if is_consistent { 1.0 } else { 0.5 };
        }
        "SendMessageBatch" => {
            let bytes: usize = items(&request["Entries"])
                .map(|entry| entry.to_string().len())
                .sum();
            units.sqs = bytes.div_ceil(64 * 1024) as f64;
        }
        "ChangeMessageVisibilityBatch" | "SendMessage" => units.sqs = 1.0,
        "GetSecretValue" => units.secrets = 1.0,
        _ => {}
    }
    units
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn members(object: &Value) -> impl Iterator<Item = &Value> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, value)| value)
}

fn write(item: &Value) -> f64 {
    size(item).div_ceil(1024) as f64
}

fn read(bytes: usize) -> f64 {
    bytes.div_ceil(4096).max(1) as f64
}

/// The size of an item in bytes: its names and its values.
fn size(item: &Value) -> usize {
    let members = item.as_object().into_iter().flatten();
    members
        .map(|(name, value)| name.len() + value_size(value))
        .sum()
}

fn value_size(attribute: &Value) -> usize {
    let (kind, value) = attribute.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap();
    match kind.as_str() {
        "S" => text().len(),
        "N" => text().len().div_ceil(2) + 1,
        "B" => STANDARD.decode(text()).unwrap().len(),
        "BS" => items(value)
            .filter_map(Value::as_str)
            .map(|text| STANDARD.decode(text).unwrap().len())
            .sum(),
        "L" => {
            3 + items(value)
                .map(|value| value_size(value) + 1)
                .sum::<usize>()
        }
        "M" => 3 + size(value) + value.as_object().unwrap().len(),
        _ => 1,
    }
}
