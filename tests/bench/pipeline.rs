//! The cost of turning a webhook's bytes into its event. The comparison is bare HMAC-SHA256 over the same
//! bytes: the floor.
//!
//!     cargo bench --bench pipeline

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot go on fails"
)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;
use std::hint::black_box;
use webhook_gateway::crypto::mac::hmac_sha256;
use webhook_gateway::event::{CloudEvent, EventMeta};
use webhook_gateway::providers::{Incoming, Provider};
use webhook_gateway::store::sources::Source;

const SECRET: &str = "c2VjcmV0IG9mIHRoZSBiZW5jaA==";

/// A webhook of Creative Force of about this size.
fn body(bytes: usize) -> String {
    let asset = r#"{"AssetId":810000,"FileName":"SKU-00000_front.tif","Status":"Approved","Width":4000,"Note":"façade \"x\""},"#;
    let assets = asset.repeat(bytes.saturating_sub(400) / asset.len() + 1);
    format!(
        r#"{{"PayloadId":"c02f0f73-1706-4973-9a4d-38007d6685e9","EventGroupName":"product","Action":"ProductReset","EventDatetimeUtc":1595204418000,"Actor":{{"UserId":"19e62847-f302-4e32-9e4a-b6d8c304fcbe"}},"ProductId":"7a782d57-b0bf-4743-8f02-2b1a1e229869","Assets":[{}]}}"#,
        assets.trim_end_matches(',')
    )
}

/// Verify, normalize, encode: everything that the gateway does to a webhook except network calls and logging.
fn pipeline(source: &Source, headers: &HeaderMap, meta: &EventMeta, body: &[u8]) -> String {
    let incoming = Incoming {
        method: "POST",
        query: "",
        headers,
        body,
    };
    let webhook = source.verify(&incoming, "", Timestamp::UNIX_EPOCH).unwrap();
    let content = source.recipe.content(webhook).unwrap();
    let event = source.recipe.event(&content, headers).unwrap();
    let event = CloudEvent::accepted(meta, source.authenticity(), event);
    event.encode().unwrap()
}

fn benches(criterion: &mut Criterion) {
    let entry = json!({"provider": "creative-force", "secrets": [SECRET]});
    let source = Source::parse("studio", &entry).unwrap();
    let meta = EventMeta {
        key: "studio#c02f0f73-1706-4973-9a4d-38007d6685e9".to_owned(),
        id: "c02f0f73-1706-4973-9a4d-38007d6685e9".to_owned(),
        event_type: "io.creativeforce.product.reset".to_owned(),
        source: "studio".to_owned(),
        provider: Provider::CreativeForce.name().to_owned(),
        accepted_at: 1_795_341_600_250,
        conflict: false,
        replayed: false,
    };
    let mut group = criterion.benchmark_group("webhook");
    for (name, bytes) in [("1KB", 1 << 10), ("64KB", 1 << 16), ("1MB", 1 << 20)] {
        let body = body(bytes).into_bytes();
        let signature = hex::encode(hmac_sha256(SECRET.as_bytes(), &body));
        let mut headers = HeaderMap::new();
        headers.insert("x-cf-signature", signature.parse().unwrap());
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(
            BenchmarkId::new("floor: bare HMAC-SHA256", name),
            &body,
            |bencher, body| {
                bencher.iter(|| hmac_sha256(SECRET.as_bytes(), black_box(body)));
            },
        );
        group.bench_with_input(
            BenchmarkId::new("verify + normalize + encode", name),
            &body,
            |bencher, body| {
                bencher.iter(|| pipeline(&source, &headers, &meta, black_box(body)));
            },
        );
    }
    group.finish();
}

criterion_group!(pipeline_benches, benches);
criterion_main!(pipeline_benches);
