//! The sources' document as operators and other programs write it. A fault in one source disables only that
//! source, and invisible characters are no part of a secret.
//!
//! Seen to fail: with the document read as one value. Half a surrogate pair in one secret makes it
//! unreadable.

use testkit::aws::Aws;
use testkit::function::Answer;
use testkit::webhook::{SECRET, creative_force, request, sign};

#[tokio::test]
async fn one_source_that_cannot_be_read_disables_itself_alone_even_at_a_cold_start() {
    let aws = Aws::start().await;
    let good = format!(r#"{{"provider":"creative-force","secrets":["{SECRET}"]}}"#);
    let deep = "[".repeat(500) + &"]".repeat(500);
    let document = format!(
        "\u{feff}{{\"sources\":{{{}}}}}",
        [
            format!(r#""good":{good}"#),
            format!(
                r#""marked":{{"provider":"creative-force","secrets":["\ufeff{SECRET}\r\n\u200a"]}}"#
            ),
            format!(r#""half":{{"provider":"creative-force","secrets":["{SECRET}","\ud83d"]}}"#),
            format!(r#""zero-width":{{"provider":"creative-force","secrets":["{SECRET}\u200b"]}}"#),
            format!(r#""twice":{good}"#),
            format!(r#""tw\u0069ce":{good}"#),
            format!(r#""\ud83d":{good}"#),
            format!(
                r#""infinite":{{"provider":"creative-force","secrets":["{SECRET}"],"later":1e999}}"#
            ),
            format!(
                r#""deep":{{"provider":"creative-force","secrets":["{SECRET}"],"later":{deep}}}"#
            ),
            r#""number":5"#.to_owned(),
            r#""list":[]"#.to_owned(),
            r#""null":null"#.to_owned(),
            format!(r#""last":{good}"#),
        ]
        .join(",")
    );
    aws.put_sources_text(&document).await;
    let mut function = aws.ingress().await;
    for (source, expected) in [
        ("good", 200),
        ("last", 200),
        ("marked", 200),
        ("half", 503),
        ("zero-width", 503),
        ("twice", 503),
        ("number", 503),
        ("list", 503),
        ("null", 503),
        ("infinite", 503),
        ("deep", 503),
        ("nobody", 404),
    ] {
        let body = creative_force("p-1", source);
        let signature = sign(SECRET, body.as_bytes());
        let answer = function
            .invoke(&request(
                "POST",
                source,
                &body,
                &[("x-cf-signature", &signature)],
            ))
            .await;
        let Answer::Success(response) = answer else {
            panic!("{source}: {answer:?}");
        };
        assert_eq!(response["statusCode"], expected, "{source}");
    }
    let output = function.output().await;
    let disabled: Vec<_> = output
        .iter()
        .filter(|line| line.contains("source is disabled"))
        .collect();
    assert_eq!(disabled.len(), 9, "{disabled:#?}");
    assert!(
        disabled.iter().any(|line| line.contains("U+200B")),
        "{disabled:#?}"
    );
}
