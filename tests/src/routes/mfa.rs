//! Second factors: setting them up, signing in with them, and losing them.

use std::time::Duration;

use mainsheet_testkit::{Answer, Client, PASSWORD, Person, SecondFactor, TestApp};
use serde_json::{Value, json};

const EMAIL: &str = "ada@example.com";
const STEP: Duration = Duration::from_secs(30);

async fn log_in(client: &Client) -> Answer {
    client.post("/auth/login", json!({ "email": EMAIL, "password": PASSWORD })).await
}

/// The token of a sign-in that waits for the second factor.
async fn challenge(app: &TestApp) -> String {
    let answer = log_in(&app.anonymous()).await.expect(200);
    let body = answer.json();
    assert!(body["nextStep"] == "mfa" && body["accessToken"].is_null(), "{body}");
    answer.text("challengeToken")
}

async fn verify(app: &TestApp, token: &str, proof: Value) -> Answer {
    let mut body = json!({ "challengeToken": token });
    body.as_object_mut().unwrap().extend(proof.as_object().unwrap().clone());
    app.anonymous().post("/auth/mfa/verify", body).await
}

/// Somebody with a second factor, whose authenticator shows a new code.
async fn enrolled(app: &TestApp) -> (Person, SecondFactor) {
    let person = app.sign_up(EMAIL).await;
    let factor = SecondFactor::set_up(app, &person.client).await;
    app.advance(STEP);
    (person, factor)
}

async fn demand_second_factor(person: &Person) {
    let settings = json!({ "settings": { "auth": { "acr": "mfa" } } });
    let _ = person.patch("/org", settings).await.expect(200);
}

#[tokio::test]
async fn an_authenticator_counts_once_a_code_confirms_it() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    let begun = SecondFactor::begin(&person.client).await;
    let again = person.act("/me/mfa/totp").await.expect(201).json();
    let url = again["otpauthUrl"].as_str().unwrap();
    assert!(url.starts_with("otpauth://totp/Mainsheet") && url.contains(again["secret"].as_str().unwrap()), "{url}");
    let _ = Person::sign_in(&app, EMAIL, PASSWORD).await;
    let right = begun.code(&app);
    let wrong: String = right.chars().rev().map(|digit| if digit == '9' { '0' } else { '9' }).collect();
    person.post("/me/mfa/totp/verify", json!({ "code": wrong })).await.assert_names_field("code");
    let codes = person.post("/me/mfa/totp/verify", json!({ "code": right })).await.expect(200).json();
    assert_eq!(codes["codes"].as_array().unwrap().len(), 10);
    assert_eq!(
        person.get("/me/mfa").await.expect(200).json(),
        json!({ "totpEnabled": true, "recoveryCodesRemaining": 10 })
    );
    let rows: String = app.dump().rows.values().map(ToString::to_string).collect();
    for secret in [&again["secret"], &codes["codes"][0]] {
        assert!(!rows.contains(secret.as_str().unwrap()), "the table tells no secret");
    }
    let _ = challenge(&app).await;
    let over = person.post("/me/mfa/totp/verify", json!({ "code": right })).await.expect(409);
    assert_eq!(over.problem().code, "no_totp_enrolment");
    app.deliver().await;
    let told = app.mails().iter().filter(|mail| mail.0.subject == "A second factor was set up").count();
    assert_eq!(told, 1);
}

#[tokio::test]
async fn a_code_counts_once_and_so_does_a_challenge() {
    let app = TestApp::start().await;
    let (_, factor) = enrolled(&app).await;
    let token = challenge(&app).await;
    let code = json!({ "code": factor.code(&app) });
    let tokens = verify(&app, &token, code.clone()).await.expect(200);
    let _ = app.anonymous().bearer(&tokens.text("accessToken")).get("/me").await.expect(200);
    let _ = verify(&app, &challenge(&app).await, code).await.expect(401);
    app.advance(STEP);
    let next = json!({ "code": factor.code(&app) });
    let _ = verify(&app, &token, next.clone()).await.expect(401);
    let late = challenge(&app).await;
    app.advance(Duration::from_secs(600));
    let _ = verify(&app, &late, json!({ "code": factor.code(&app) })).await.expect(401);
    let _ = verify(&app, &challenge(&app).await, next).await.expect(401);
}

#[tokio::test]
async fn challenge_tokens_are_good_for_nothing_else() {
    let app = TestApp::start().await;
    let (person, factor) = enrolled(&app).await;
    let token = challenge(&app).await;
    let half = app.anonymous().bearer(&token);
    let _ = half.get("/me").await.expect(401);
    let _ = half.act("/me/mfa/totp").await.expect(401);
    for other in ["garbage", person.access_token.as_str(), person.refresh_token.as_str()] {
        let _ = verify(&app, other, json!({ "code": factor.code(&app) })).await.expect(401);
    }
    verify(&app, &token, json!({})).await.assert_names_field("code");
    verify(&app, &token, json!({ "code": "000000", "recoveryCode": "x" })).await.assert_names_field("recoveryCode");
}

#[tokio::test]
async fn a_recovery_code_signs_in_once_whoever_else_tries() {
    let app = TestApp::start().await;
    let (person, factor) = enrolled(&app).await;
    let code = json!({ "recoveryCode": factor.recovery_codes[0].to_uppercase().replace('-', " ") });
    let (first, second) = (challenge(&app).await, challenge(&app).await);
    let tries = [&first, &second, &first, &second].map(|token| verify(&app, token, code.clone()));
    let [one, two, three, four] = tries;
    let answers = tokio::join!(one, two, three, four);
    let statuses = [answers.0, answers.1, answers.2, answers.3].map(|answer| answer.status.as_u16());
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 401, 429].contains(status)), "{statuses:?}");
    assert_eq!(person.get("/me/mfa").await.expect(200).json()["recoveryCodesRemaining"], 9);
    app.advance(Duration::from_secs(60));
    let _ = verify(&app, &challenge(&app).await, code).await.expect(401);
}

#[tokio::test]
async fn new_recovery_codes_void_the_old_ones() {
    let app = TestApp::start().await;
    let (person, factor) = enrolled(&app).await;
    let fresh = person.act("/me/mfa/recovery-codes").await.expect(201).json();
    let old = json!({ "recoveryCode": factor.recovery_codes[0] });
    let _ = verify(&app, &challenge(&app).await, old).await.expect(401);
    let _ = verify(&app, &challenge(&app).await, json!({ "recoveryCode": fresh["codes"][0] })).await.expect(200);
    let other = app.sign_up("grace@example.com").await;
    assert_eq!(other.act("/me/mfa/recovery-codes").await.expect(409).problem().code, "mfa_not_set_up");
}

#[tokio::test]
async fn failures_of_the_second_factor_are_throttled_even_all_at_once() {
    let app = TestApp::start_patient().await;
    let _ = enrolled(&app).await;
    let token = challenge(&app).await;
    let guesses = (0..20).map(|number| {
        let (app, token) = (&app, &token);
        async move { verify(app, token, json!({ "recoveryCode": format!("guess{number}") })).await.status.as_u16() }
    });
    let statuses = futures::future::join_all(guesses).await;
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert!(looked_at <= 4, "{statuses:?}");
}

#[tokio::test]
async fn a_trusted_device_skips_the_second_factor_for_thirty_days() {
    let app = TestApp::start().await;
    let (_, factor) = enrolled(&app).await;
    let proof = json!({ "code": factor.code(&app), "trustDevice": true });
    let trusted = verify(&app, &challenge(&app).await, proof).await.expect(200);
    let token = trusted.header("mainsheet-trusted-device").unwrap().to_owned();
    let cookie = trusted.header("set-cookie").unwrap().to_owned();
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/api/v1/auth", "Max-Age=2592000"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let browser = app.anonymous().with("cookie", &format!("theme=dark; {}", cookie.split(';').next().unwrap()));
    let program = app.anonymous().with("mainsheet-trusted-device", &token);
    for client in [&browser, &program] {
        let _ = log_in(client).await.expect(200).text("accessToken");
    }
    let forged = format!("{}x", &token[..token.len() - 1]);
    let forged = app.anonymous().with("mainsheet-trusted-device", &forged);
    assert_eq!(log_in(&forged).await.expect(200).text("nextStep"), "mfa");
    app.advance(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(log_in(&program).await.expect(200).text("nextStep"), "mfa");
}

#[tokio::test]
async fn a_device_can_be_distrusted() {
    let app = TestApp::start().await;
    let (person, factor) = enrolled(&app).await;
    let proof = json!({ "code": factor.code(&app), "trustDevice": true });
    let trusted = verify(&app, &challenge(&app).await, proof).await.expect(200);
    let device = app.anonymous().with("mainsheet-trusted-device", trusted.header("mainsheet-trusted-device").unwrap());
    let devices = person.get("/me/trusted-devices").await.expect(200).json();
    let id = devices["items"][0]["id"].as_str().unwrap();
    let stranger = app.sign_up("grace@example.com").await;
    let _ = stranger.delete(&format!("/me/trusted-devices/{id}")).await.expect(404);
    let _ = person.delete(&format!("/me/trusted-devices/{id}")).await.expect(204);
    let _ = person.delete(&format!("/me/trusted-devices/{id}")).await.expect(404);
    assert_eq!(log_in(&device).await.expect(200).text("nextStep"), "mfa");
    assert_eq!(person.get("/me/trusted-devices").await.expect(200).json(), json!({ "items": [] }));
}

#[tokio::test]
async fn where_a_second_factor_is_demanded_it_is_set_up_on_the_way_in() {
    let app = TestApp::start().await;
    demand_second_factor(&app.sign_up(EMAIL).await).await;
    let answer = log_in(&app.anonymous()).await.expect(200);
    assert_eq!(answer.text("nextStep"), "setup_mfa");
    let token = answer.text("challengeToken");
    let half = app.anonymous().bearer(&token);
    let _ = half.get("/me").await.expect(401);
    let early = verify(&app, &token, json!({ "code": "000000" })).await.expect(409);
    assert_eq!(early.problem().code, "mfa_not_set_up");
    let factor = SecondFactor::set_up(&app, &half).await;
    let _ = half.act("/me/mfa/totp").await.expect(401);
    app.advance(STEP);
    let tokens = verify(&app, &token, json!({ "code": factor.code(&app) })).await.expect(200);
    let client = app.anonymous().bearer(&tokens.text("accessToken"));
    let _ = client.get("/me").await.expect(200);
    assert_eq!(log_in(&app.anonymous()).await.expect(200).text("nextStep"), "mfa");
}

#[tokio::test]
async fn logins_where_a_second_factor_is_demanded_end_after_twelve_idle_hours() {
    let app = TestApp::start().await;
    let (person, factor) = enrolled(&app).await;
    demand_second_factor(&person).await;
    let tokens = verify(&app, &challenge(&app).await, json!({ "code": factor.code(&app) })).await.expect(200);
    let refresh =
        async |token: String| app.anonymous().post("/auth/token/refresh", json!({ "refreshToken": token })).await;
    app.advance(Duration::from_secs(11 * 3600));
    let later = refresh(tokens.text("refreshToken")).await.expect(200);
    app.advance(Duration::from_secs(12 * 3600));
    let _ = refresh(later.text("refreshToken")).await.expect(401);
}

#[tokio::test]
async fn giving_up_the_second_factor_ends_every_login_and_trust() {
    let app = TestApp::start().await;
    let (person, factor) = enrolled(&app).await;
    let proof = json!({ "code": factor.code(&app), "trustDevice": true });
    let trusted = verify(&app, &challenge(&app).await, proof).await.expect(200);
    let _ = person.delete("/me/mfa").await.expect(204);
    let _ = person.get("/me").await.expect(401);
    let _ = app.anonymous().bearer(&trusted.text("accessToken")).get("/me").await.expect(401);
    app.deliver().await;
    assert_eq!(app.mails().last().unwrap().0.subject, "Your second factor was removed");
    app.advance(STEP);
    let person = Person::sign_in(&app, EMAIL, PASSWORD).await;
    let status = json!({ "totpEnabled": false, "recoveryCodesRemaining": 0 });
    assert_eq!(person.get("/me/mfa").await.expect(200).json(), status);
    assert_eq!(person.get("/me/trusted-devices").await.expect(200).json(), json!({ "items": [] }));
}

#[tokio::test]
async fn changes_ask_for_a_proof_of_the_last_ten_minutes() {
    let app = TestApp::start().await;
    let (person, _) = enrolled(&app).await;
    app.advance(Duration::from_secs(600));
    let before = app.dump();
    let refused = [
        person.act("/me/mfa/totp").await,
        person.act("/me/mfa/recovery-codes").await,
        person.delete("/me/mfa").await,
        person.post("/me/emails", json!({ "email": "second@example.com" })).await,
    ];
    for answer in refused {
        assert_eq!(answer.expect(403).problem().code, "step_up_required");
    }
    app.dump().assert_same_as(&before, "changes without a recent proof");
    let refreshed = person.refreshed().await;
    let _ = refreshed.act("/me/mfa/totp").await.expect(403);
}
