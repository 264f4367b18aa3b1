//! Keys that sign: published, and changed.

use std::time::Duration;

use mainsheet_auth::keys::{Purpose, SigningKey};
use mainsheet_testkit::TestApp;
use serde_json::Value;

async fn kids(app: &TestApp) -> Vec<String> {
    let answer = app.anonymous().get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let keys: Vec<Value> = answer.json()["keys"].as_array().unwrap().clone();
    for key in &keys {
        assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&"OKP".into(), &"Ed25519".into(), &"sig".into()));
        assert!(key.get("d").is_none() && key["x"].as_str().unwrap().len() == 43);
    }
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn keys_are_published_below_the_protocol_and_at_the_root() {
    let app = TestApp::start().await;
    let at_root = app.anonymous().call_at_root("GET", "/.well-known/jwks.json").send().await.expect(200);
    let below = app.anonymous().get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(at_root.json(), below.json());
    assert!(!kids(&app).await.is_empty());
    let _ = app.anonymous().call_at_root("POST", "/.well-known/jwks.json").send().await.expect(405);
    let _ = app.anonymous().call_at_root("GET", "/.well-known/other.json").send().await.expect(404);
}

#[tokio::test]
async fn an_earlier_key_stays_as_long_as_its_tokens_are_good() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let before = kids(&app).await;
    let next = SigningKey::derive(&"another secret of the tests, of no use elsewhere".into(), Purpose::Access).unwrap();
    next.publish(app.store()).await.unwrap();
    next.publish(app.store()).await.unwrap();
    assert_eq!(kids(&app).await.len(), before.len() + 1);
    app.advance(Duration::from_secs(14 * 60));
    let _ = owner.get("/me").await.expect(200);
    // An instance that began with the key before may go on signing with it for a day; then it is gone.
    let refreshed = owner.refreshed().await;
    let _ = refreshed.get("/me").await.expect(200);
    app.advance(Duration::from_secs(24 * 3600));
    let late = refreshed.refreshed().await;
    let _ = late.get("/me").await.expect(200);
    app.advance(Duration::from_secs(60));
    let _ = late.get("/me").await.expect(401);
    let after = kids(&app).await;
    assert_eq!(after.len(), before.len(), "{before:?} {after:?}");
}

/// As `infra/docs/operations.md` says, for secrets that leaked.
#[tokio::test]
async fn what_a_key_signed_counts_no_more_ten_minutes_after_it_was_taken_away() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let next = SigningKey::derive(&"another secret of the tests, of no use elsewhere".into(), Purpose::Access).unwrap();
    next.publish(app.store()).await.unwrap();
    let _ = owner.get("/me").await.expect(200);
    let dump = app.dump();
    let is_before = |(pk, sk): &(String, String), row: &Value| {
        pk == "SIGNING_KEYS" && sk.starts_with("access#") && row["data"]["retiresAt"].is_string()
    };
    let (key, _) = dump.rows.iter().find(|&(key, row)| is_before(key, row)).unwrap();
    app.table().remove(&key.0, &key.1);
    app.advance(Duration::from_secs(10 * 60));
    let _ = owner.get("/me").await.expect(401);
}
