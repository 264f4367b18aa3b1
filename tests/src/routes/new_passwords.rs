//! A new password by a mailed link.

use std::time::Duration;

use mainsheet_testkit::{Answer, PASSWORD, Person, TestApp, build};
use serde_json::json;

const EMAIL: &str = "ada@example.com";
pub(crate) const NEW: &str = "another horse, another staple";

/// Asks for a link; answers the token of the newest mail.
pub(crate) async fn reset_token(app: &TestApp, email: &str) -> String {
    let _ = app.anonymous().post("/auth/password/forgot", json!({ "email": email })).await.expect(202);
    app.deliver().await;
    app.mails().into_iter().rfind(|mail| mail.0.subject == "Set a new password").unwrap().token()
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    app.anonymous().post("/auth/password/reset", json!({ "token": token, "newPassword": password })).await
}

#[tokio::test]
async fn a_link_sets_a_new_password_once_and_ends_every_login() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    let (first, second) = (reset_token(&app, EMAIL).await, reset_token(&app, EMAIL).await);
    let _ = reset(&app, &second, NEW).await.expect(204);
    for used in [&first, &second] {
        assert_eq!(reset(&app, used, PASSWORD).await.expect(400).problem().code, "invalid_token");
    }
    let _ = person.get("/me").await.expect(401);
    let refreshed = app.anonymous().post("/auth/token/refresh", json!({ "refreshToken": person.refresh_token })).await;
    let _ = refreshed.expect(401);
    let login = json!({ "email": EMAIL, "password": PASSWORD });
    let _ = app.anonymous().post("/auth/login", login).await.expect(401);
    app.deliver().await;
    assert_eq!(app.mails().last().unwrap().0.subject, "Your password was changed");
    app.advance(Duration::from_secs(1));
    let person = Person::sign_in(&app, EMAIL, NEW).await;
    let _ = person.get("/me").await.expect(200);
}

#[tokio::test]
async fn a_link_is_good_for_half_an_hour_and_for_nothing_else() {
    let app = TestApp::start().await;
    let person = app.sign_up(EMAIL).await;
    let confirming = app.mails()[0].token();
    let resetting = reset_token(&app, EMAIL).await;
    let before = app.dump();
    for wrong in ["garbage", &confirming, &person.access_token, &person.refresh_token] {
        let _ = reset(&app, wrong, NEW).await.expect(400);
    }
    let _ = app.anonymous().post("/auth/email/verify", json!({ "token": resetting })).await.expect(400);
    for weak in ["short", "password1234"] {
        reset(&app, &resetting, weak).await.assert_names_field("newPassword");
    }
    app.advance(Duration::from_secs(1800));
    let _ = reset(&app, &resetting, NEW).await.expect(400);
    app.dump().assert_same_as(&before, "links that set nothing");
}

#[tokio::test]
async fn links_tell_nothing_about_who_has_an_account() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    let ask = async |email: &str| {
        let anonymous = app.anonymous();
        let ask = anonymous.post("/auth/password/forgot", json!({ "email": email }));
        let (answer, trips) = app.measure(ask).await;
        (answer.expect(202).anonymous(), trips)
    };
    assert_eq!(ask(EMAIL).await, ask("nobody@example.com").await);
    app.deliver().await;
}

#[tokio::test]
async fn a_link_confirms_the_address_too() {
    let app = TestApp::start().await;
    let _ = app.anonymous().post("/auth/signup", build::sign_up(EMAIL, PASSWORD, "Acme")).await.expect(201);
    let token = reset_token(&app, EMAIL).await;
    let _ = reset(&app, &token, NEW).await.expect(204);
    app.deliver().await;
    app.advance(Duration::from_secs(1));
    let _ = Person::sign_in(&app, EMAIL, NEW).await;
}

#[tokio::test]
async fn two_uses_at_once_set_one_password() {
    let app = TestApp::start().await;
    let _ = app.sign_up(EMAIL).await;
    let token = reset_token(&app, EMAIL).await;
    let (one, other) = tokio::join!(reset(&app, &token, NEW), reset(&app, &token, "a third horse, a third staple"));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400]);
    app.deliver().await;
}

#[tokio::test]
async fn leaked_passwords_are_refused_where_the_organization_says_so() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let leaked = "!qaz2wsx#edc";
    let path = format!("/org/users/{}/password", owner.user_id);
    let change = json!({ "currentPassword": PASSWORD, "newPassword": leaked });
    owner.post(&path, change.clone()).await.assert_names_field("newPassword");
    let invite = async |name: &str| {
        let body =
            json!({ "email": format!("{name}@example.com"), "organizationRoleId": "MEMBER", "sendEmail": false });
        owner.post("/org/invites", body).await.expect(201).text("invitationToken")
    };
    let accept = async |name: &str, token: &str| {
        let user =
            json!({ "email": format!("{name}@example.com"), "givenName": "A", "familyName": "B", "password": leaked });
        app.anonymous().post(&format!("/org/invites/{token}/accept"), json!({ "user": user })).await
    };
    let token = invite("ada").await;
    accept("ada", &token).await.assert_names_field("user.password");
    let lenient = json!({ "settings": { "auth": { "checkBreachedPasswords": false } } });
    let _ = owner.patch("/org", lenient).await.expect(200);
    let _ = accept("ada", &token).await.expect(200);
    let _ = owner.post(&path, change).await.expect(204);
    app.deliver().await;
}
