//! Tokens that are none, of every make: all are refused alike.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainsheet_auth::agent::sha256;
use mainsheet_testkit::TestApp;
use serde_json::{Value, json};

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A token put together from a header, claims and a signature.
fn token(header: &Value, claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", encoded(header), encoded(claims))
}

#[tokio::test]
async fn forged_tokens_are_refused_alike() {
    let app = TestApp::start().await;
    let person = app.sign_up("ada@example.com").await;
    let other = app.sign_up("grace@example.com").await;
    let parts: Vec<&str> = person.access_token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("not a JWT") };
    let others_claims = other.access_token.split('.').nth(1).unwrap();
    let (header_json, claims_json) = (decoded(header), decoded(claims));
    let with_header = |name: &str, value: Value| {
        let mut changed = header_json.clone();
        changed[name] = value;
        token(&changed, &claims_json, signature)
    };
    let with_claim = |name: &str, value: Value| {
        let mut changed = claims_json.clone();
        changed[name] = value;
        token(&header_json, &changed, signature)
    };
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([7; 32]) });
    let forged = [
        String::new(),
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{header}.{others_claims}.{signature}"),
        format!("{header}.{claims}.{}", signature.chars().rev().collect::<String>()),
        with_header("alg", json!("none")),
        token(&json!({ "alg": "none", "typ": "at+jwt", "kid": header_json["kid"] }), &claims_json, ""),
        with_header("alg", json!("HS256")),
        with_header("alg", json!("ES256")),
        with_header("typ", json!("JWT")),
        with_header("kid", json!("../../keys")),
        with_header("kid", json!("")),
        with_header("kid", json!(null)),
        with_header("jwk", jwk),
        with_header("jku", json!("https://example.com/keys")),
        with_claim("exp", json!(99_999_999_999_u64)),
        with_claim("aud", json!("somebody else")),
        with_claim("sub", json!(other.user_id)),
        person.refresh_token.clone(),
        app.mails()[0].token(),
        format!("msa_A1_{}", sha256("x")),
        "x".repeat(10_000),
        person.access_token.clone() + ".x",
    ];
    let before = app.dump();
    let plain = app.anonymous().get("/me").await.expect(401).anonymous();
    for token in forged {
        let answer = app.anonymous().bearer(&token).get("/me").await.expect(401);
        assert_eq!(answer.anonymous(), plain, "{token}");
        let agent = app.anonymous().bearer(&token).post("/agent/lease", json!({ "holding": [], "capacity": 1 })).await;
        assert_eq!(agent.expect(401).anonymous(), plain, "{token}");
    }
    for authorization in ["Basic YTpi", "Bearer", "bearer", &person.access_token, "DPoP x"] {
        let answer = app.anonymous().with("authorization", authorization).get("/me").await.expect(401);
        assert_eq!(answer.anonymous(), plain);
    }
    app.dump().assert_same_as(&before, "forged tokens");
    let _ = person.get("/me").await.expect(200);
}

#[tokio::test]
async fn mailed_tokens_are_good_for_a_week_and_for_their_own_purpose() {
    let app = TestApp::start().await;
    let person = app.sign_up("ada@example.com").await;
    let sign_up = mainsheet_testkit::build::sign_up("new@example.com", mainsheet_testkit::PASSWORD, "New");
    let _ = app.anonymous().post("/auth/signup", sign_up).await.expect(201);
    app.deliver().await;
    let token = app.mails().last().unwrap().token();
    let before = app.dump();
    let verify =
        async |token: &str| app.anonymous().post("/auth/email/verify", json!({ "token": token })).await.status.as_u16();
    for wrong in ["garbage", person.access_token.as_str(), person.refresh_token.as_str()] {
        assert_eq!(verify(wrong).await, 400);
    }
    app.advance(std::time::Duration::from_secs(7 * 24 * 3600));
    assert_eq!(verify(&token).await, 400);
    app.dump().assert_same_as(&before, "tokens that confirm nothing");
}
