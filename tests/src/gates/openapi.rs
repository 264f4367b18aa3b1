//! The checked-in OpenAPI document is the one that the routers make.

use mainsheet_testkit::TestApp;

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
