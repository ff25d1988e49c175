//! Webhooks as providers send them and API Gateway passes them on.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// The secret of all signed sources.
pub const SECRET: &str = "c2VjcmV0IG9mIHRoZSB0ZXN0cw==";

/// A webhook of Creative Force.
pub fn creative_force(payload_id: &str, note: &str) -> String {
    format!(
        r#"{{"PayloadId":"{payload_id}","EventGroupName":"product","Action":"ProductReset","EventDatetimeUtc":1595204418000,"ProductId":"7a782d57-b0bf-4743-8f02-2b1a1e229869","Note":"{note}"}}"#
    )
}

/// The MAC in hexadecimal.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// The invocation for a `POST` of a body that Creative Force signed.
pub fn signed(source: &str, body: &str) -> Value {
    request(
        "POST",
        source,
        body,
        &[("x-cf-signature", &sign(SECRET, body.as_bytes()))],
    )
}

/// The invocation for any request, which came in now.
pub fn request(method: &str, source: &str, body: &str, headers: &[(&str, &str)]) -> Value {
    let path = format!("/webhooks/{source}");
    let mut all =
        json!({"content-type": "application/json", "user-agent": "CreativeForce-Webhook/1.0"});
    for (name, value) in headers {
        all[*name] = json!(value);
    }
    json!({
        "version": "2.0",
        "routeKey": "ANY /webhooks/{source+}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": all,
        "pathParameters": {"source": source},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "abcdefghij",
            "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "requestId": "JKJaXmPLvHcESHA",
            "routeKey": "ANY /webhooks/{source+}",
            "stage": "$default",
            "timeEpoch": jiff::Timestamp::now().as_millisecond(),
        },
        "body": body,
        "isBase64Encoded": false,
    })
}
