//! Items in [DynamoDB
//! JSON](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html) and in plain
//! JSON.

use serde_json::{Map, Value, json};

/// An item of plain members.
pub fn item(members: &Value) -> Value {
    let members = members.as_object().unwrap().iter();
    let members = members.map(|(name, value)| (name.clone(), attribute(value)));
    Value::Object(members.collect())
}

fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(it) => json!({"BOOL": it}),
        Value::Number(it) => json!({"N": it.to_string()}),
        Value::String(it) => json!({"S": it}),
        Value::Array(all) => json!({"L": all.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(_) => json!({"M": item(value)}),
    }
}

/// The plain members of an item. Binary members stay in Base64.
pub fn plain(item: &Value) -> Value {
    let members = item.as_object().unwrap().iter();
    let members = members.map(|(name, value)| (name.clone(), value_of(value)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn value_of(attribute: &Value) -> Value {
    let (kind, value) = attribute.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "N" => serde_json::from_str(value.as_str().unwrap()).unwrap(),
        "L" => value.as_array().unwrap().iter().map(value_of).collect(),
        "M" => plain(value),
        "NULL" => Value::Null,
        _ => value.clone(),
    }
}
