//! All logins of a person end at once, and so does one that begins at that very moment with what was good until then.

use std::time::Duration;

use mainsheet_testkit::{Answer, PASSWORD, Person, SecondFactor, TestApp};
use serde_json::{Value, json};

use super::first_proofs::{EMAIL, Managed, invite};
use super::members::member_id;
use super::new_passwords::{NEW, reset_token};

/// An account, and the request that ends its logins.
struct Ending {
    app: TestApp,
    password: String,
    path: &'static str,
    body: Value,
}

impl Ending {
    /// Its owner forgot the password, and sets a new one.
    async fn by_a_new_password() -> Self {
        let app = TestApp::start().await;
        let _ = app.sign_up(EMAIL).await;
        let body = json!({ "token": reset_token(&app, EMAIL).await, "newPassword": NEW });
        Self { app, password: PASSWORD.to_owned(), path: "/auth/password/reset", body }
    }

    /// An organization made it for somebody's address, who proves it to be theirs.
    async fn by_the_first_proof() -> Self {
        let app = TestApp::start().await;
        let Managed { link, password, .. } = Managed::create(&app).await;
        Self { app, password, path: "/auth/email/verify", body: json!({ "token": link }) }
    }

    async fn end(&self) {
        let _ = self.app.anonymous().post(self.path, self.body.clone()).await.expect(204);
    }

    async fn sign_in(&self) -> Answer {
        let body = json!({ "email": EMAIL, "password": self.password });
        self.app.anonymous().post("/auth/login", body).await
    }

    /// Neither of the two tokens is good for anything.
    async fn assert_ended(&self, tokens: &Answer) {
        let refresh = json!({ "refreshToken": tokens.text("refreshToken") });
        let _ = self.app.anonymous().post("/auth/token/refresh", refresh).await.expect(401);
        let _ = self.app.anonymous().bearer(&tokens.text("accessToken")).get("/me").await.expect(401);
        let _ = self.sign_in().await.expect(401);
        self.app.deliver().await;
    }
}

#[tokio::test]
async fn a_login_that_overtakes_the_end_of_all_has_ended_with_them() {
    for ending in [Ending::by_a_new_password().await, Ending::by_the_first_proof().await] {
        ending.app.table().hold();
        let pause = ending.app.hold_call("TransactWriteItems", 0);
        let sign_in = async {
            pause.reached().await;
            ending.app.advance(Duration::from_secs(1));
            let tokens = ending.sign_in().await.expect(200);
            pause.end();
            tokens
        };
        let ((), tokens) = tokio::join!(ending.end(), sign_in);
        ending.app.heal();
        ending.assert_ended(&tokens).await;
    }
}

#[tokio::test]
async fn a_sign_in_that_began_before_the_end_of_all_leads_nowhere() {
    for ending in [Ending::by_a_new_password().await, Ending::by_the_first_proof().await] {
        ending.app.table().hold();
        // Tries, the person, and then what the organizations demand: by then the password was right.
        let pause = ending.app.hold_call("BatchGetItem", 2);
        let end = async {
            pause.reached().await;
            ending.end().await;
            ending.app.advance(Duration::from_secs(1));
            pause.end();
        };
        let (answer, ()) = tokio::join!(ending.sign_in(), end);
        let _ = answer.expect(401);
        ending.app.heal();
        ending.app.deliver().await;
    }
}

#[tokio::test]
async fn half_a_sign_in_that_overtakes_the_end_of_all_is_over() {
    let ending = Ending::by_a_new_password().await;
    let app = &ending.app;
    let person = Person::sign_in(app, EMAIL, &ending.password).await;
    let factor = SecondFactor::set_up(app, &person.client).await;
    app.table().hold();
    let pause = app.hold_call("TransactWriteItems", 0);
    let sign_in = async {
        pause.reached().await;
        app.advance(Duration::from_secs(30));
        let token = ending.sign_in().await.expect(200).text("challengeToken");
        pause.end();
        token
    };
    let ((), token) = tokio::join!(ending.end(), sign_in);
    app.heal();
    let proof = json!({ "challengeToken": token, "code": factor.code(app) });
    let _ = app.anonymous().post("/auth/mfa/verify", proof).await.expect(401);
    app.deliver().await;
}

#[tokio::test]
async fn a_code_that_was_given_out_before_the_end_of_all_is_traded_no_more() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let path = invite(&app, &owner).await;
    let user = json!({ "email": EMAIL, "givenName": "Ada", "familyName": "Lovelace", "password": PASSWORD });
    let code = app.anonymous().post(&path, json!({ "user": user })).await.expect(200).text("otaCode");
    let body = json!({ "token": reset_token(&app, EMAIL).await, "newPassword": NEW });
    let _ = app.anonymous().post("/auth/password/reset", body).await.expect(204);
    let _ = app.anonymous().post("/auth/token/exchange", json!({ "code": code })).await.expect(401);
    app.deliver().await;
}

#[tokio::test]
async fn a_login_that_overtakes_its_persons_being_shut_out_is_not_back_when_they_are() {
    let app = TestApp::start().await;
    let Managed { owner, password, .. } = Managed::create(&app).await;
    let member = format!("/org/members/{}", member_id(&owner, EMAIL).await);
    app.table().hold();
    let pause = app.hold_call("TransactWriteItems", 0);
    let sign_in = async {
        pause.reached().await;
        app.advance(Duration::from_secs(1));
        let body = json!({ "email": EMAIL, "password": password });
        let token = app.anonymous().post("/auth/login", body).await.expect(200).text("accessToken");
        pause.end();
        token
    };
    let (shut_out, token) = tokio::join!(owner.patch(&member, json!({ "isEnabled": false })), sign_in);
    let _ = shut_out.expect(200);
    app.heal();
    let _ = owner.patch(&member, json!({ "isEnabled": true })).await.expect(200);
    let _ = app.anonymous().bearer(&token).get("/me").await.expect(401);
    app.deliver().await;
}
