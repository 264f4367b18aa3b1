//! Signing in with a mailed code.

use std::time::Duration;

use mainsheet_testkit::{Answer, PASSWORD, TestApp, build};
use serde_json::json;

const EMAIL: &str = "ada@example.com";

/// Asks for a code; answers the newest one that was mailed.
async fn code(app: &TestApp, email: &str) -> String {
    let _ = app.anonymous().post("/auth/login/code", json!({ "email": email })).await.expect(202);
    app.deliver().await;
    app.mails().into_iter().rfind(|mail| mail.0.subject.contains("your code")).unwrap().token()
}

async fn sign_in(app: &TestApp, email: &str, code: &str) -> Answer {
    app.anonymous().post("/auth/login/code/verify", json!({ "email": email, "code": code })).await
}

/// Another code than this one.
fn wrong(code: &str) -> String {
    code.chars().map(|digit| if digit == '9' { '0' } else { '9' }).collect()
}

#[tokio::test]
async fn a_code_signs_in_once() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    let code = code(&app, "Ada@example.com").await;
    assert!(code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit()), "{code}");
    let rows: String = app.dump().rows.values().map(ToString::to_string).collect();
    assert!(!rows.contains(&format!("\"{code}\"")), "the table does not tell the code");
    let tokens = sign_in(&app, EMAIL, &code).await.expect(200);
    let _ = app.anonymous().bearer(&tokens.text("accessToken")).get("/me").await.expect(200);
    let _ = sign_in(&app, EMAIL, &code).await.expect(401);
}

#[tokio::test]
async fn a_code_is_good_for_ten_minutes_and_until_the_next_one() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    let first = code(&app, EMAIL).await;
    let second = code(&app, EMAIL).await;
    let _ = sign_in(&app, EMAIL, &first).await.expect(401);
    app.advance(Duration::from_secs(600));
    let _ = sign_in(&app, EMAIL, &second).await.expect(401);
}

#[tokio::test]
async fn five_tries_are_all_that_a_code_has() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    let code = code(&app, EMAIL).await;
    for _ in 0..5 {
        let _ = sign_in(&app, EMAIL, &wrong(&code)).await.expect(401);
        app.advance(Duration::from_secs(20));
    }
    let _ = sign_in(&app, EMAIL, &code).await.expect(401);
}

#[tokio::test]
async fn codes_tell_nothing_about_who_has_an_account() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    let ask = async |email: &str| {
        let anonymous = app.anonymous();
        let ask = anonymous.post("/auth/login/code", json!({ "email": email }));
        let (answer, trips) = app.measure(ask).await;
        (answer.expect(202).anonymous(), trips)
    };
    assert_eq!(ask(EMAIL).await, ask("nobody@example.com").await);
    let guess = async |email: &str| {
        let (answer, trips) = app.measure(sign_in(&app, email, "000000")).await;
        (answer.expect(401).anonymous(), trips)
    };
    assert_eq!(guess(EMAIL).await, guess("nobody@example.com").await);
    let before = app.mails().len();
    app.deliver().await;
    assert_eq!(app.mails().len(), before + 1, "nobody gets no mail");
}

#[tokio::test]
async fn a_code_confirms_the_address_and_voids_a_strangers_password() {
    let app = TestApp::start().await;
    let _ = app.anonymous().post("/auth/signup", build::sign_up(EMAIL, PASSWORD, "Not hers")).await.expect(201);
    let code = code(&app, EMAIL).await;
    let tokens = sign_in(&app, EMAIL, &code).await.expect(200);
    let client = app.anonymous().bearer(&tokens.text("accessToken"));
    let emails = client.get("/me/emails").await.expect(200).json();
    assert_eq!(emails["items"][0]["verifiedAt"], json!(app.now()), "{emails}");
    let login = json!({ "email": EMAIL, "password": PASSWORD });
    let _ = app.anonymous().post("/auth/login", login).await.expect(401);
}

#[tokio::test]
async fn who_signs_up_without_a_password_signs_in_with_codes() {
    let app = TestApp::start().await;
    let body = build::without(build::sign_up(EMAIL, PASSWORD, "Acme"), "password");
    let _ = app.anonymous().post("/auth/signup", body).await.expect(201);
    let code = code(&app, EMAIL).await;
    let _ = sign_in(&app, EMAIL, &code).await.expect(200).text("accessToken");
}

#[tokio::test]
async fn an_organization_can_do_without_passwords_or_without_codes() {
    let app = TestApp::start().await;
    let owner = app.sign_up(EMAIL).await;
    let allow = async |password: bool, email: bool| {
        let auth = json!({ "allowLoginWithPassword": password, "allowLoginWithEmail": email });
        let _ = owner.patch("/org", json!({ "settings": { "auth": auth } })).await.expect(200);
    };
    let by_password = async || {
        let login = json!({ "email": EMAIL, "password": PASSWORD });
        app.anonymous().post("/auth/login", login).await
    };
    allow(false, true).await;
    assert_eq!(by_password().await.expect(403).problem().code, "password_login_disabled");
    let first = code(&app, EMAIL).await;
    let _ = sign_in(&app, EMAIL, &first).await.expect(200);
    allow(true, false).await;
    let second = code(&app, EMAIL).await;
    assert_eq!(sign_in(&app, EMAIL, &second).await.expect(403).problem().code, "email_login_disabled");
    let _ = by_password().await.expect(200);
}
