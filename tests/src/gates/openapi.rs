//! The checked-in OpenAPI document is the one that the routers make.

use mainsheet_testkit::TestApp;
use serde_json::Value;

#[tokio::test]
async fn the_checked_in_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/openapi/openapi.json");
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    let current = TestApp::start().await.openapi_json();
    let differs = checked_in.lines().zip(current.lines()).position(|(old, new)| old != new);
    assert!(
        checked_in == current,
        "infra/openapi/openapi.json is not what the routers describe (line {differs:?}). Run `cargo xtask openapi`."
    );
}

/// Serde and utoipa read different attributes of an enum's fields: the document then says `login_id` where the answer says `loginId`.
#[tokio::test]
async fn fields_are_named_in_camel_case() {
    let by_the_protocol = ["catalog_schema", "spark_connect", "_entityRelations", "logout_token"];
    let document = serde_json::to_value(TestApp::start().await.document()).unwrap();
    let mut snake = std::collections::BTreeSet::new();
    collect_fields(&document["components"]["schemas"], &mut |field| {
        if field.contains('_') && !by_the_protocol.contains(&field) {
            snake.insert(field.to_owned());
        }
    });
    assert!(snake.is_empty(), "these fields are in snake_case: {snake:?}");
}

fn collect_fields(schema: &Value, found: &mut impl FnMut(&str)) {
    schema["properties"].as_object().into_iter().flatten().for_each(|(name, _)| found(name));
    match schema {
        Value::Object(parts) => parts.values().for_each(|part| collect_fields(part, found)),
        Value::Array(parts) => parts.iter().for_each(|part| collect_fields(part, found)),
        _ => {}
    }
}
