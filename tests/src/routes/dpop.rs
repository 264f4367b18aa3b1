//! Tokens that are bound to a key of the client's (RFC 9449).

use mainsheet_testkit::{Answer, PASSWORD, TestApp, TestKey};
use serde_json::json;

const HOST: &str = "mainsheet.example";

fn url(path: &str) -> String {
    format!("https://{HOST}/api/v1{path}")
}

async fn sign_in(app: &TestApp, email: &str, proof: &str) -> Answer {
    let call = app.anonymous().with("host", HOST).call("POST", "/auth/login").header("dpop", proof);
    call.json(&json!({ "email": email, "password": PASSWORD })).send().await
}

#[tokio::test]
async fn a_bound_token_needs_a_proof_with_every_request() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let key = TestKey::generate();
    let proof = key.proof(("POST", &url("/auth/login")), None, "sign in", app.now());
    let tokens = sign_in(&app, &owner.email, &proof).await.expect(200);
    assert_eq!(tokens.text("tokenType"), "DPoP");
    let token = tokens.text("accessToken");
    let dpop = app.anonymous().with("host", HOST).with("authorization", &format!("DPoP {token}"));
    let me = |key: &TestKey, jti: &str| key.proof(("GET", &url("/me")), Some(&token), jti, app.now());
    let _ = dpop.with("dpop", &me(&key, "one")).get("/me").await.expect(200);
    let mut refused = vec![
        ("a proof again", dpop.with("dpop", &me(&key, "one")).get("/me").await),
        ("no proof", dpop.get("/me").await),
        ("another key's", dpop.with("dpop", &me(&TestKey::generate(), "two")).get("/me").await),
        (
            "another method's",
            dpop.with("dpop", &key.proof(("POST", &url("/me")), Some(&token), "3", app.now())).get("/me").await,
        ),
        (
            "another path's",
            dpop.with("dpop", &key.proof(("GET", &url("/org")), Some(&token), "4", app.now())).get("/me").await,
        ),
        (
            "another token's",
            dpop.with("dpop", &key.proof(("GET", &url("/me")), Some("x"), "5", app.now())).get("/me").await,
        ),
        ("no token's", dpop.with("dpop", &key.proof(("GET", &url("/me")), None, "6", app.now())).get("/me").await),
        ("nonsense", dpop.with("dpop", "nonsense").get("/me").await),
        (
            "as a bearer",
            app.anonymous().with("host", HOST).bearer(&token).with("dpop", &me(&key, "7")).get("/me").await,
        ),
        (
            "an unbound one",
            app.anonymous().with("authorization", &format!("DPoP {}", owner.access_token)).get("/me").await,
        ),
    ];
    let old = me(&key, "old");
    app.advance(std::time::Duration::from_secs(61));
    refused.push(("an old one", dpop.with("dpop", &old).get("/me").await));
    for (what, answer) in refused {
        assert_eq!(answer.status, 401, "{what}: {answer}");
        assert!(answer.header("www-authenticate").unwrap().contains("DPoP error=\"invalid_dpop_proof\""), "{what}");
        assert_eq!(answer.problem().code, "invalid_dpop_proof", "{what}");
    }
    let bad = sign_in(&app, &owner.email, &key.proof(("POST", &url("/auth/signup")), None, "8", app.now())).await;
    assert_eq!(bad.expect(401).problem().code, "invalid_dpop_proof");
}

#[tokio::test]
async fn refresh_tokens_stay_with_the_key() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let key = TestKey::generate();
    let tokens = sign_in(&app, &owner.email, &key.proof(("POST", &url("/auth/login")), None, "one", app.now())).await;
    let body = json!({ "refreshToken": tokens.expect(200).text("refreshToken") });
    let call = || app.anonymous().with("host", HOST).call("POST", "/auth/token/refresh").json(&body);
    let proof = |key: &TestKey, jti: &str| key.proof(("POST", &url("/auth/token/refresh")), None, jti, app.now());
    let _ = call().send().await.expect(401);
    let _ = call().header("dpop", &proof(&TestKey::generate(), "two")).send().await.expect(401);
    let refreshed = call().header("dpop", &proof(&key, "three")).send().await.expect(200);
    assert_eq!(refreshed.text("tokenType"), "DPoP");
}

#[tokio::test]
async fn an_organization_can_demand_bound_tokens() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let _ = owner.patch("/org", json!({ "settings": { "auth": { "requireDpop": true } } })).await.expect(200);
    let refused = owner.get("/org").await.expect(401);
    assert_eq!(refused.problem().code, "invalid_dpop_proof");
    let _ = owner.get("/me").await.expect(200);
    let key = TestKey::generate();
    let tokens = sign_in(&app, &owner.email, &key.proof(("POST", &url("/auth/login")), None, "one", app.now())).await;
    let token = tokens.expect(200).text("accessToken");
    let proof = key.proof(("GET", &url("/org")), Some(&token), "two", app.now());
    let dpop = app.anonymous().with("host", HOST).with("authorization", &format!("DPoP {token}"));
    let _ = dpop.with("dpop", &proof).get("/org").await.expect(200);
}
