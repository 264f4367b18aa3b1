//! From a form to an account with an organization of its own.

use mainsheet_testkit::{PASSWORD, TestApp, build};
use serde_json::json;

const EMAIL: &str = "ada@example.com";

#[tokio::test]
async fn a_person_signs_up_confirms_their_address_and_signs_in() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let answer = anonymous.post("/auth/signup", build::sign_up(EMAIL, PASSWORD, "Acme")).await.expect(201);
    assert_eq!(answer.json(), json!({ "nextStep": "verify_email" }));
    let credentials = json!({ "email": "ADA@example.com", "password": PASSWORD });
    let early = anonymous.post("/auth/login", credentials.clone()).await.expect(200);
    assert_eq!(early.json(), json!({ "nextStep": "verify_email" }), "no tokens before the address is confirmed");

    app.deliver().await;
    let mails = app.mails();
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    let token = mail.token();
    assert_eq!(mail.0.to, EMAIL);
    assert!(mail.0.text.contains(&format!("?token={token}")) && mail.0.html.contains(&token));
    for _ in 0..2 {
        let _ = anonymous.post("/auth/email/verify", json!({ "token": token })).await.expect(204);
    }

    let tokens = anonymous.post("/auth/login", credentials).await.expect(200).json();
    assert_eq!(tokens["tokenType"], "Bearer");
    assert_eq!(tokens["expiresAt"], "2026-11-21T08:45:00.000Z");
    let client = anonymous.bearer(tokens["accessToken"].as_str().unwrap());
    let me = client.get("/me").await.expect(200).json();
    assert_eq!(me["user"]["email"], EMAIL);
    let organization = client.get("/org").await.expect(200).json();
    assert_eq!(organization["name"], "Acme");
    let teams = client.get("/org/teams").await.expect(200).json();
    assert_eq!((&teams["total"], &teams["items"][0]["memberCount"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn an_address_with_an_account_gets_the_same_answer_and_its_owner_a_mail() {
    let app = TestApp::start().await;
    let first = app.anonymous().post("/auth/signup", build::sign_up(EMAIL, PASSWORD, "Acme")).await.expect(201);
    app.deliver().await;
    let token = app.mails()[0].token();
    let again = app.anonymous().post("/auth/signup", build::sign_up(EMAIL, PASSWORD, "Other")).await.expect(201);
    app.deliver().await;
    assert_eq!(first.anonymous(), again.anonymous());
    assert_eq!(app.mails()[1].0.subject, app.mails()[0].0.subject, "who did not confirm yet is asked again");

    let _ = app.anonymous().post("/auth/email/verify", json!({ "token": token })).await.expect(204);
    let body = build::sign_up("Ada@Example.com", PASSWORD, "Other");
    let later = app.anonymous().post("/auth/signup", body).await.expect(201);
    app.deliver().await;
    assert_eq!(first.anonymous(), later.anonymous());
    assert_ne!(app.mails()[2].0.subject, app.mails()[0].0.subject, "who has an account is told so");
    assert_eq!(app.dump().of_kind("user").count(), 1);
    assert_eq!(app.dump().of_kind("organization").count(), 1);
}

#[tokio::test]
async fn signing_up_twice_at_once_makes_one_account() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let sign_up = || anonymous.post("/auth/signup", build::sign_up(EMAIL, PASSWORD, "Acme"));
    let (one, other) = tokio::join!(sign_up(), sign_up());
    assert_eq!(one.expect(201).anonymous(), other.expect(201).anonymous());
    assert_eq!(app.dump().of_kind("user").count(), 1);
    assert_eq!(app.dump().of_kind("team").count(), 1);
    app.deliver().await;
}

#[tokio::test]
async fn passwords_that_are_short_or_known_from_leaks_are_refused() {
    let app = TestApp::start().await;
    let long = "x".repeat(129);
    for password in ["short", "eleven char", long.as_str(), "password1234"] {
        let answer = app.anonymous().post("/auth/signup", build::sign_up(EMAIL, password, "Acme")).await;
        answer.assert_names_field("password");
        assert!(!answer.anonymous().contains(password), "no answer repeats a password: {answer}");
    }
}

#[tokio::test]
async fn the_mail_is_sent_again_to_those_who_wait_for_it_only() {
    let app = TestApp::start().await;
    let _ = app.anonymous().post("/auth/signup", build::sign_up(EMAIL, PASSWORD, "Acme")).await.expect(201);
    let confirmed = app.sign_up("grace@example.com").await;
    let before = app.mails().len();
    let resend = async |email: &str| {
        let answer = app.anonymous().post("/auth/email/resend", json!({ "email": email })).await.expect(202);
        app.deliver().await;
        (answer.anonymous(), app.mails().len() - before)
    };
    let (unknown, sent) = resend("nobody@example.com").await;
    assert_eq!(sent, 0);
    assert_eq!(resend(&confirmed.email).await, (unknown.clone(), 0));
    assert_eq!(resend(EMAIL).await, (unknown, 1));
}

#[tokio::test]
async fn no_secret_lies_in_the_table() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    let cluster = person.post("/workloads/clusters", build::cluster("main")).await.expect(201);
    app.deliver().await;
    let rows: String = app.dump().rows.values().map(ToString::to_string).collect();
    let (registration, mailed) = (cluster.text("agentRegistrationToken"), app.mails()[0].token());
    for secret in [PASSWORD, &person.access_token, &person.refresh_token, &registration, &mailed] {
        assert!(!rows.contains(secret));
    }
}

#[tokio::test]
async fn whoever_signs_up_first_with_somebody_elses_address_gains_nothing() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let intruders = "the intruder's own words";
    let _ = anonymous.post("/auth/signup", build::sign_up(EMAIL, intruders, "Not hers")).await.expect(201);
    let _ = anonymous.post("/auth/signup", build::sign_up(EMAIL, PASSWORD, "Hers")).await.expect(201);
    app.deliver().await;
    let hers = app.mails()[1].token();
    let _ = anonymous.post("/auth/email/verify", json!({ "token": hers })).await.expect(204);
    let login = |password: &str| json!({ "email": EMAIL, "password": password });
    let _ = anonymous.post("/auth/login", login(intruders)).await.expect(401);
    let tokens = anonymous.post("/auth/login", login(PASSWORD)).await.expect(200).json();
    assert!(tokens["accessToken"].is_string(), "{tokens}");
}

#[tokio::test]
async fn a_mail_that_is_asked_for_again_never_confirms_a_strangers_password() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let intruders = "the intruder's own words";
    let _ = anonymous.post("/auth/signup", build::sign_up(EMAIL, intruders, "Not hers")).await.expect(201);
    let _ = anonymous.post("/auth/signup", build::sign_up(EMAIL, PASSWORD, "Hers")).await.expect(201);
    let _ = anonymous.post("/auth/email/resend", json!({ "email": EMAIL })).await.expect(202);
    app.deliver().await;
    let mails = app.mails();
    assert_eq!(mails[2].0.subject, "Sign up once more");
    assert!(!mails[2].0.text.contains("eyJ") && !mails[2].0.text.contains("token="), "{}", mails[2].0.text);
    let _ = anonymous.post("/auth/email/verify", json!({ "token": mails[1].token() })).await.expect(204);
    let login = |password: &str| json!({ "email": EMAIL, "password": password });
    let _ = anonymous.post("/auth/login", login(intruders)).await.expect(401);
    let _ = anonymous.post("/auth/login", login(PASSWORD)).await.expect(200);
}
