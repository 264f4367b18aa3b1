//! The first proof that an address is its owner's: nothing that others put into the account before survives it.

use std::time::Duration;

use mainsheet_testkit::{PASSWORD, Person, SecondFactor, TestApp};
use serde_json::{Value, json};

use super::new_passwords::{NEW, reset_token};

/// The address whose owner had no part in the account so far.
pub(crate) const EMAIL: &str = "ada@example.com";
const PLANTED: &str = "eve@elsewhere.example";

/// An account that an organization made for an address, and lets in before it is confirmed.
pub(crate) struct Managed {
    /// Who made it.
    pub(crate) owner: Person,
    /// The mailed link that confirms the address.
    pub(crate) link: String,
    /// The password that the organization set.
    pub(crate) password: String,
}

impl Managed {
    pub(crate) async fn create(app: &TestApp) -> Self {
        let owner = app.sign_up("owner@example.com").await;
        let lenient = json!({ "settings": { "auth": { "requireEmailVerification": false } } });
        let _ = owner.patch("/org", lenient).await.expect(200);
        let user = owner.create("/org/users", json!({ "email": EMAIL })).await;
        app.deliver().await;
        let link = mailed(app, EMAIL, "Confirm your address");
        let reset = owner.act(&format!("/org/users/{user}/password/reset")).await.expect(200);
        Self { owner, link, password: reset.text("password") }
    }
}

/// An account that an organization made for somebody else's address, and put its own things into.
pub(crate) struct Planted {
    pub(crate) app: TestApp,
    /// Who manages the account.
    owner: Person,
    /// The link that confirms the address: its owner did not use it so far.
    pub(crate) link: String,
    /// The password that the organization set.
    password: String,
    /// Somebody of the organization, signed in to the account.
    eve: Person,
    /// Another login of the account.
    pub(crate) other: Person,
}

impl Planted {
    pub(crate) async fn start() -> Self {
        let app = TestApp::start().await;
        let Managed { owner, link, password } = Managed::create(&app).await;
        app.advance(Duration::from_secs(1));
        let (eve, other) =
            (Person::sign_in(&app, EMAIL, &password).await, Person::sign_in(&app, EMAIL, &password).await);
        for email in [PLANTED, "unconfirmed@elsewhere.example"] {
            let _ = eve.post("/me/emails", json!({ "email": email })).await.expect(201);
        }
        app.deliver().await;
        let token = mailed(&app, PLANTED, "Confirm your address");
        let _ = app.anonymous().post("/auth/email/verify", json!({ "token": token })).await.expect(204);
        let _ = SecondFactor::set_up(&app, &eve.client).await;
        assert_eq!(mailed_codes(&app, PLANTED).await.len(), 1, "it signs in so far");
        app.advance(Duration::from_secs(1));
        Self { app, owner, link, password, eve, other }
    }

    /// Another organization invites the address: its owner, and where the mailed link is accepted.
    pub(crate) async fn invite(&self) -> (Person, String) {
        let corporation = self.app.sign_up("corporation@example.com").await;
        let path = invite(&self.app, &corporation).await;
        (corporation, path)
    }

    /// A code that was mailed to the address signs its owner in, with nothing else asked for.
    async fn recover(&self) -> Person {
        let code = mailed_codes(&self.app, EMAIL).await.pop().unwrap();
        let body = json!({ "email": EMAIL, "code": code });
        let tokens = self.app.anonymous().post("/auth/login/code/verify", body).await.expect(200);
        let access_token = tokens.text("accessToken");
        Person { client: self.app.anonymous().bearer(&access_token), access_token, ..self.eve.clone() }
    }

    /// The organization that managed the account hears of it.
    async fn assert_told(&self, action: &str) {
        let log = self.owner.get(&format!("/org/audit-log?action={action}")).await.expect(200).json();
        assert_eq!(log["items"][0]["actor"]["userId"], json!(self.eve.user_id), "{log}");
    }

    /// Nobody but the owner has a way in.
    pub(crate) async fn assert_gone(&self) {
        let _ = self.eve.get("/me").await.expect(401);
        let refreshed = json!({ "refreshToken": self.eve.refresh_token });
        let _ = self.app.anonymous().post("/auth/token/refresh", refreshed).await.expect(401);
        let login = json!({ "email": EMAIL, "password": self.password });
        let _ = self.app.anonymous().post("/auth/login", login).await.expect(401);
        assert_eq!(mailed_codes(&self.app, PLANTED).await.len(), 1, "none since");
        let owner = self.recover().await;
        let emails = owner.get("/me/emails").await.expect(200).json();
        assert_eq!(emails["items"].as_array().unwrap().len(), 1, "{emails}");
        assert!(emails["items"][0]["email"] == EMAIL && emails["items"][0]["verifiedAt"].is_string(), "{emails}");
        let none = json!({ "totpEnabled": false, "recoveryCodesRemaining": 0 });
        assert_eq!(owner.get("/me/mfa").await.expect(200).json(), none);
        self.app.deliver().await;
    }
}

/// Has somebody invite the address; where the mailed link is accepted.
pub(crate) async fn invite(app: &TestApp, by: &Person) -> String {
    let offer = json!({ "email": EMAIL, "organizationRoleId": "MEMBER" });
    let offered = by.post("/org/invites", offer).await.expect(201);
    assert!(offered.json()["id"].is_string());
    app.deliver().await;
    let subject = app.mails().last().unwrap().0.subject.clone();
    format!("/org/invites/{}/accept", mailed(app, EMAIL, &subject))
}

/// The token of the newest mail to an address with a subject.
fn mailed(app: &TestApp, email: &str, subject: &str) -> String {
    app.mails().into_iter().rfind(|mail| mail.0.to == email && mail.0.subject == subject).unwrap().token()
}

/// Asks for a code; all that were mailed to the address so far.
pub(crate) async fn mailed_codes(app: &TestApp, email: &str) -> Vec<String> {
    let _ = app.anonymous().post("/auth/login/code", json!({ "email": email })).await.expect(202);
    app.deliver().await;
    let mails = app.mails().into_iter();
    mails.filter(|mail| mail.0.to == email && mail.0.subject.contains("your code")).map(|mail| mail.token()).collect()
}

#[tokio::test]
async fn a_link_that_confirms_the_address_leaves_nothing_of_others() {
    let planted = Planted::start().await;
    let _ = planted.app.anonymous().post("/auth/email/verify", json!({ "token": planted.link })).await.expect(204);
    planted.assert_told("user.verify_email").await;
    planted.assert_gone().await;
}

#[tokio::test]
async fn a_mailed_code_leaves_nothing_of_others() {
    let planted = Planted::start().await;
    let owner = planted.recover().await;
    let _ = owner.get("/me").await.expect(200);
    planted.assert_gone().await;
    let _ = owner.get("/me").await.expect(200);
    // It was the first proof alone that did so.
    let _ = owner.post("/me/emails", json!({ "email": PLANTED })).await.expect(201);
    let _ = planted.recover().await;
    let emails = owner.get("/me/emails").await.expect(200).json();
    assert_eq!(emails["items"].as_array().unwrap().len(), 2, "{emails}");
}

#[tokio::test]
async fn a_link_that_sets_a_new_password_leaves_nothing_of_others() {
    let planted = Planted::start().await;
    let app = &planted.app;
    let body = json!({ "token": reset_token(app, EMAIL).await, "newPassword": NEW });
    let _ = app.anonymous().post("/auth/password/reset", body).await.expect(204);
    app.advance(Duration::from_secs(1));
    planted.assert_gone().await;
    let login = json!({ "email": EMAIL, "password": NEW });
    let _ = app.anonymous().post("/auth/login", login).await.expect(200).text("accessToken");
    app.deliver().await;
}

#[tokio::test]
async fn an_invitation_that_was_mailed_leaves_nothing_of_others() {
    let planted = Planted::start().await;
    let app = &planted.app;
    let (corporation, path) = planted.invite().await;
    let _ = planted.other.post(&path, json!({})).await.expect(200);
    let organizations = planted.other.get("/me/organizations").await.expect(200).json();
    assert_eq!(organizations["items"].as_array().unwrap().len(), 2, "the login that accepts goes on");
    let in_it = planted.other.with("lakesail-organization-id", &corporation.organization_id);
    let _ = in_it.get("/org").await.expect(200);
    planted.assert_told("invitation.accept").await;
    app.advance(Duration::from_secs(1));
    planted.assert_gone().await;
}

#[tokio::test]
async fn a_link_confirms_the_password_of_its_own_sign_up_and_no_later_one() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let lenient = json!({ "settings": { "auth": { "requireEmailVerification": false } } });
    let _ = owner.patch("/org", lenient).await.expect(200);
    let login = |password: &str| json!({ "email": EMAIL, "password": password });
    let offer = json!({ "email": EMAIL, "organizationRoleId": "MEMBER", "sendEmail": false });
    let token = owner.post("/org/invites", offer).await.expect(201).text("invitationToken");
    let user = json!({ "email": EMAIL, "givenName": "Ada", "familyName": "Lovelace", "password": PASSWORD });
    let joined =
        app.anonymous().post(&format!("/org/invites/{token}/accept"), json!({ "user": user })).await.expect(200);
    assert_eq!((&joined.json()["nextStep"], &joined.json()["otaCode"]), (&json!("verify_email"), &Value::Null));
    let eve = Person::sign_in(&app, EMAIL, PASSWORD).await;
    let change = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
    let _ = eve.post(&format!("/org/users/{}/password", eve.user_id), change).await.expect(204);
    let _ = app.anonymous().post("/auth/email/resend", json!({ "email": EMAIL })).await.expect(202);
    app.deliver().await;
    app.advance(Duration::from_secs(1));
    let _ = app.anonymous().post("/auth/login", login(NEW)).await.expect(200).text("accessToken");
    app.advance(Duration::from_secs(1));
    let link = mailed(&app, EMAIL, "Confirm your address");
    let _ = app.anonymous().post("/auth/email/verify", json!({ "token": link })).await.expect(204);
    for password in [PASSWORD, NEW] {
        let _ = app.anonymous().post("/auth/login", login(password)).await.expect(401);
    }
    app.deliver().await;
}
