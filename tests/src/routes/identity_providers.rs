//! Identity providers: set up, changed, tested, and what of them anybody may see.

use mainsheet_core::role::OrganizationRole;
use mainsheet_testkit::provider::{CLIENT_ID, CLIENT_SECRET, INITIAL_ACCESS_TOKEN, TestProvider};
use mainsheet_testkit::{Person, TestApp};
use serde_json::{Value, json};

fn provider(issuer: &str) -> Value {
    let oidc = json!({ "issuer": issuer, "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET });
    json!({ "identityProviderTypeId": "keycloak", "name": "prod-main", "configWrite": { "oidc": oidc } })
}

async fn set_up(owner: &Person) -> String {
    owner.create("/auth/idps", provider("https://sso.example/realms/one")).await
}

#[tokio::test]
async fn providers_are_set_up_changed_and_deleted() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let call = owner.call("POST", "/auth/idps").json(&provider("https://sso.example/realms/one"));
    let created = call.idempotent("one").send().await.expect(201);
    let again = owner.call("POST", "/auth/idps").json(&provider("https://sso.example/realms/one"));
    assert_eq!(again.idempotent("one").send().await.expect(201).json(), created.json());
    let config = json!({ "oidc": { "issuer": "https://sso.example/realms/one", "clientId": CLIENT_ID,
                                   "clientSecretConfigured": true, "scopes": ["openid", "email", "profile"] } });
    assert_eq!(created.json()["config"], config);
    let path = format!("/auth/idps/{}", created.text("id"));
    let change = json!({ "name": "renamed", "configWrite": { "oidc": { "scopes": ["openid"] } } });
    let changed = owner.call("PATCH", &path).json(&change).if_match(&created.etag()).send().await.expect(200).json();
    assert_eq!(
        (&changed["name"], &changed["config"]["oidc"]["clientSecretConfigured"]),
        (&json!("renamed"), &json!(true))
    );
    let _ = owner.call("PATCH", &path).json(&change).if_match(&created.etag()).send().await.expect(412);
    let elsewhere = json!({ "configWrite": { "oidc": { "issuer": "https://other.example" } } });
    let moved = owner.patch(&path, elsewhere).await.expect(200).json();
    assert_eq!(moved["config"]["oidc"]["clientSecretConfigured"], false, "a secret is not told to another issuer");
    let rotated =
        owner.post(&format!("{path}/rotate-secret"), json!({ "clientSecret": "new" })).await.expect(200).json();
    assert_eq!(rotated["config"]["oidc"]["clientSecretConfigured"], true);
    let dump = app.dump();
    assert!(!format!("{dump:?}").contains(CLIENT_SECRET), "secrets are sealed");
    let _ = owner.delete(&path).await.expect(204);
    let _ = owner.delete(&path).await.expect(404);
    let _ = owner.get(&path).await.expect(404);
    let _ = app.anonymous().get(&format!("/auth/sso/{}/authorize", created.text("id"))).await.expect(404);
}

#[tokio::test]
async fn a_sign_in_page_sees_what_is_public() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let (first, second) = (set_up(&owner).await, set_up(&owner).await);
    let page = app.anonymous().with("lakesail-organization-id", &owner.organization_id);
    let list = page.get("/auth/idps?limit=1").await.expect(200).json();
    let rest = page.get(&format!("/auth/idps?marker={}", list["marker"].as_str().unwrap())).await.expect(200).json();
    let mut ids = [&list, &rest].map(|page| page["items"][0]["id"].as_str().unwrap().to_owned());
    ids.sort();
    assert!(ids.contains(&first) && ids.contains(&second) && rest.get("marker").is_none());
    let shown = page.get(&format!("/auth/idps/{first}")).await.expect(200).json();
    assert_eq!((shown.get("createdBy"), &shown["config"]["oidc"]["clientSecretConfigured"]), (None, &json!(true)));
    assert_eq!(owner.get("/auth/idps?limit=0").await.expect(200).json()["items"], json!([]));
    assert_eq!(app.anonymous().get("/auth/idps").await.expect(400).problem().code, "organization_required");
    let stranger = app.sign_up("stranger@example.com").await;
    let other = app.anonymous().with("lakesail-organization-id", &stranger.organization_id);
    assert_eq!(other.get("/auth/idps").await.expect(200).json()["items"], json!([]));
    let absent = other.get("/auth/idps/NONE").await.expect(404).anonymous();
    assert_eq!(other.get(&format!("/auth/idps/{first}")).await.expect(404).anonymous(), absent);
    let _ = stranger.delete(&format!("/auth/idps/{first}")).await.expect(404);
    let types = owner.get("/auth/identity-provider-types").await.expect(200).json();
    assert!(types["items"].as_array().unwrap().iter().any(|kind| kind["id"] == "keycloak" && kind["enabled"] == true));
    let member = app.member("member@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let refused = member.post("/auth/idps", provider("https://sso.example")).await.expect(403).problem();
    assert!(refused.message.contains("CanManageIdentityProviders"), "{refused:?}");
}

#[tokio::test]
async fn settings_that_break_a_rule_are_refused() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let with = |path: &str, value: Value| mainsheet_testkit::build::with(provider("https://sso.example"), path, value);
    let oidc = "/configWrite/oidc";
    for issuer in [
        "http://sso.example",
        "https://10.0.0.1/",
        "https://2130706433/",
        "https://u:p@sso.example",
        "sso",
        "https://sso.example/?x=1",
    ] {
        let answer = owner.post("/auth/idps", with(&format!("{oidc}/issuer"), json!(issuer))).await;
        answer.assert_names_field("configWrite.oidc.issuer");
    }
    let wrong = [
        ("/name", json!("a\nb"), "name"),
        ("/name", json!("x".repeat(256)), "name"),
        ("/identityProviderTypeId", json!("saml"), "identityProviderTypeId"),
        ("/configWrite/oidc/clientId", json!(""), "configWrite.oidc.clientId"),
        ("/configWrite/oidc/clientSecret", json!("a\r\nb"), "configWrite.oidc.clientSecret"),
        ("/configWrite/oidc/scopes", json!(["email"]), "configWrite.oidc.scopes"),
        ("/configWrite/oidc/scopes", json!(["openid", "a b"]), "configWrite.oidc.scopes[1]"),
        ("/configWrite", json!({}), "configWrite.oidc"),
        ("/configWrite/oidc", json!({ "issuer": "https://sso.example" }), "configWrite.oidc.clientId"),
        ("/configWrite/saml", json!({}), "configWrite.saml"),
    ];
    for (path, value, field) in wrong {
        owner.post("/auth/idps", with(path, value)).await.assert_names_field(field);
    }
}

#[tokio::test]
async fn a_test_reports_what_the_provider_says() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let sso = TestProvider::start(app.now()).await;
    let id = owner.create("/auth/idps", provider(&sso.issuer)).await;
    let path = format!("/auth/idps/{id}/test-connection");
    let report = owner.act(&path).await.expect(200).json();
    let details = &report["details"];
    assert_eq!((&report["success"], &details["issuer"]), (&json!(true), &json!(sso.issuer)), "{report}");
    assert_eq!(details["endpoints"]["endSession"], format!("{}/logout", sso.issuer));
    assert_eq!(details["endpoints"]["jwks"], format!("{}/jwks", sso.issuer));
    assert_eq!(
        (&details["backchannelLogoutSupported"], &details["frontchannelLogoutSupported"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(details["claimsSupported"], json!(["sub", "email"]));
    sso.discovery(json!({ "issuer": "https://somebody.example" }));
    let report = owner.act(&path).await.expect(200).json();
    assert_eq!((&report["success"], report.get("details")), (&json!(false), None), "{report}");
    let nobody = json!({ "configWrite": { "oidc": { "issuer": "http://127.0.0.1:9" } } });
    let _ = owner.patch(&format!("/auth/idps/{id}"), nobody).await.expect(200);
    assert_eq!(owner.act(&path).await.expect(200).json()["success"], false);
}

#[tokio::test]
async fn a_client_registers_itself_where_the_provider_lets_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let sso = TestProvider::start(app.now()).await;
    let body = json!({ "name": "Company SSO", "providerUrl": sso.issuer });
    let refused = owner.post("/auth/idps/auto-setup", body.clone()).await.expect(409).problem();
    assert_eq!(refused.code, "registration_refused");
    let mut right = body.clone();
    right["initialAccessToken"] = json!(INITIAL_ACCESS_TOKEN);
    let set_up = owner.post("/auth/idps/auto-setup", right).await.expect(201).json();
    assert_eq!(set_up["config"]["oidc"]["clientId"], "registered");
    assert_eq!(set_up["config"]["oidc"]["clientSecretConfigured"], true);
    let registered = &sso.registered()[0];
    let base = format!("https://mainsheet.example/api/v1/auth/sso/{}", set_up["id"].as_str().unwrap());
    assert_eq!(registered["redirect_uris"], json!([format!("{base}/callback")]));
    assert_eq!(registered["backchannel_logout_uri"], format!("{base}/backchannel-logout"));
    sso.discovery(json!({ "registration_endpoint": null }));
    let unsupported = owner.post("/auth/idps/auto-setup", body).await.expect(409).problem();
    assert_eq!(unsupported.code, "registration_unsupported");
    for url in ["http://127.0.0.1:9", "https://10.0.0.1", "nothing"] {
        owner
            .post("/auth/idps/auto-setup", json!({ "name": "x", "providerUrl": url }))
            .await
            .assert_names_field("providerUrl");
    }
}
