//! Signing in through an identity provider, and out by its word.

use std::time::Duration;

use mainsheet_core::role::OrganizationRole;
use mainsheet_testkit::provider::{CLIENT_SECRET, INITIAL_ACCESS_TOKEN, TestProvider};
use mainsheet_testkit::{Answer, Client, Person, REDIRECT_URI, SecondFactor, TestApp, build};
use serde_json::{Value, json};

use super::members::member_id;

/// An organization with an identity provider.
pub(super) struct Company {
    pub(super) app: TestApp,
    pub(super) owner: Person,
    pub(super) sso: TestProvider,
    /// The provider that browsers set off to.
    pub(super) idp: String,
}

impl Company {
    pub(super) async fn start() -> Self {
        let app = TestApp::start().await;
        let owner = app.sign_up("owner@example.com").await;
        let sso = TestProvider::start(app.now()).await;
        let idp = set_up(&owner, &sso).await;
        Self { app, owner, sso, idp }
    }

    /// A browser sets off: where it is sent, and its cookie.
    async fn depart(&self, query: &str) -> (String, String) {
        let answer = self.app.anonymous().get(&format!("/auth/sso/{}/authorize{query}", self.idp)).await.expect(302);
        let cookie = answer.header("set-cookie").unwrap().to_owned();
        for attribute in ["__Host-mainsheet-sso-", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        (answer.header("location").unwrap().to_owned(), cookie.split(';').next().unwrap().to_owned())
    }

    /// The browser comes back.
    async fn arrive(&self, url: &str, cookie: &str) -> Answer {
        let path = url.strip_prefix("https://mainsheet.example/api/v1").unwrap();
        let answer = self.app.anonymous().with("cookie", cookie).get(path).await;
        self.app.deliver().await;
        answer
    }

    async fn attempt(&self) -> Answer {
        let (location, cookie) = self.depart("").await;
        self.arrive(&self.sso.sign_in(&location), &cookie).await
    }

    /// Somebody signs in, all the way.
    async fn sign_in(&self) -> Client {
        let tokens = self.exchange(&self.attempt().await).await.expect(200);
        self.app.anonymous().bearer(&tokens.text("accessToken"))
    }

    async fn exchange(&self, arrived: &Answer) -> Answer {
        let location = arrived.clone().expect(302).header("location").unwrap().to_owned();
        let code = location.split("code=").nth(1).unwrap();
        self.app.anonymous().post("/auth/token/exchange", json!({ "code": code })).await
    }

    /// Who is at the provider's page from now on: their subject there is their address.
    fn comes(&self, email: &str) {
        self.sso.claims(json!({ "sub": email, "email": email }));
    }

    /// They sign in, and are who has the address.
    pub(super) async fn lets_in(&self, email: &str) {
        self.comes(email);
        let me = self.sign_in().await.get("/me").await.expect(200).json();
        assert_eq!(me["user"]["email"], email);
    }

    /// They may manage Owners, and no Owner set the provider.
    pub(super) async fn does_not_vouch_for(&self, email: &str) {
        self.comes(email);
        self.refused(403, "provider_not_set_by_owner").await;
    }

    /// The organization demands a second factor, and the provider says that it saw one.
    async fn demand_second_factor(&self) {
        let settings = json!({ "settings": { "auth": { "acr": "mfa" } } });
        let _ = self.owner.patch("/org", settings).await.expect(200);
        self.sso.claims(json!({ "acr": "mfa" }));
    }

    async fn refused(&self, status: u16, code: &str) {
        let problem = self.attempt().await.expect(status).problem();
        assert_eq!(problem.code, code, "{problem:?}");
    }

    async fn log_out(&self, changes: Value) -> Answer {
        let form = format!("logout_token={}", self.sso.logout_token(changes));
        let call = self.app.anonymous().call("POST", &format!("/auth/sso/{}/backchannel-logout", self.idp));
        call.raw("application/x-www-form-urlencoded", form).send().await
    }
}

pub(super) async fn set_up(owner: &Person, sso: &TestProvider) -> String {
    owner.create("/auth/idps", build::identity_provider(&sso.issuer)).await
}

#[tokio::test]
async fn who_comes_for_the_first_time_becomes_a_member() {
    let company = Company::start().await;
    let arrived = company.attempt().await.expect(302);
    assert!(arrived.header("location").unwrap().starts_with("https://mainsheet.example/signed-in?code="));
    assert!(arrived.header("set-cookie").unwrap().contains("Max-Age=0"));
    let tokens = company.exchange(&arrived).await.expect(200);
    let _ = company.exchange(&arrived).await.expect(401);
    let grace = company.app.anonymous().bearer(&tokens.text("accessToken"));
    let me = grace.get("/me").await.expect(200).json();
    assert_eq!(
        (&me["user"]["email"], &me["user"]["displayName"]),
        (&json!("grace@example.com"), &json!("Grace Hopper"))
    );
    let organizations = grace.get("/me/organizations").await.expect(200).json();
    assert_eq!(organizations["items"][0]["id"], json!(company.owner.organization_id));
    let _ = grace.get("/org/teams").await.expect(200);
    let members = company.owner.get("/org/members").await.expect(200).json().to_string();
    assert!(members.contains("grace@example.com"), "{members}");
    // The next time it is the same person, whatever her address is by then.
    company.sso.claims(json!({ "email": "g.hopper@example.com" }));
    let again = company.sign_in().await.get("/me").await.expect(200).json();
    assert_eq!(again["user"]["id"], me["user"]["id"]);
    company.app.deliver().await;
}

#[tokio::test]
async fn a_browser_comes_back_once_in_time_and_as_itself() {
    let company = Company::start().await;
    let (location, cookie) = company.depart("").await;
    let (_, other) = company.depart("").await;
    let back = company.sso.sign_in(&location);
    for wrong in [&other, &format!("{}=x", cookie.split('=').next().unwrap()), "x=y"] {
        assert_eq!(company.arrive(&back, wrong).await.expect(400).problem().code, "invalid_state");
    }
    let elsewhere = set_up(&company.owner, &company.sso).await;
    let moved = back.replace(&company.idp, &elsewhere);
    assert_eq!(company.arrive(&moved, &cookie).await.expect(400).problem().code, "invalid_state");
    let _ = company.arrive(&back, &cookie).await.expect(302);
    assert_eq!(company.arrive(&back, &cookie).await.expect(400).problem().code, "invalid_state");
    let (location, cookie) = company.depart("").await;
    company.app.advance(Duration::from_secs(601));
    assert_eq!(
        company.arrive(&company.sso.sign_in(&location), &cookie).await.expect(400).problem().code,
        "invalid_state"
    );
    let _ = company.app.anonymous().get(&format!("/auth/sso/{}/callback", company.idp)).await.expect(400);
    let _ = company.app.anonymous().get("/auth/sso/NONE/authorize").await.expect(404);
}

#[tokio::test]
async fn a_provider_that_says_no_or_something_wrong_lets_nobody_in() {
    let company = Company::start().await;
    let (location, cookie) = company.depart("").await;
    let state = company.sso.sign_in(&location);
    let state = state.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let back =
        format!("https://mainsheet.example/api/v1/auth/sso/{}/callback?error=access_denied&state={state}", company.idp);
    assert_eq!(company.arrive(&back, &cookie).await.expect(400).problem().code, "sign_in_refused");
    let (location, cookie) = company.depart("").await;
    let back = company.sso.sign_in(&location).replace("iss=", "iss=x");
    assert_eq!(company.arrive(&back, &cookie).await.expect(409).problem().code, "identity_provider_unusable");
    let past = company.app.now().as_second() - 1;
    let wrong = [
        json!({ "iss": "https://somebody.example" }),
        json!({ "aud": "somebody" }),
        json!({ "nonce": "another" }),
        json!({ "exp": past }),
        json!({ "iat": past + 62 }),
    ];
    for claims in wrong {
        company.sso.claims(claims.clone());
        company.refused(409, "identity_provider_unusable").await;
        let taken_back = claims
            .as_object()
            .unwrap()
            .keys()
            .map(|name| (name.clone(), Value::Null))
            .collect::<serde_json::Map<_, _>>();
        company.sso.claims(Value::Object(taken_back));
    }
    for header in
        [json!({ "alg": "none" }), json!({ "alg": "HS256" }), json!({ "alg": "RS256" }), json!({ "kid": "two" })]
    {
        company.sso.header(header);
        company.refused(409, "identity_provider_unusable").await;
    }
    company.sso.header(json!({}));
    let _ = company.sign_in().await.get("/me").await.expect(200);
    company.app.deliver().await;
    let secret = json!({ "configWrite": { "oidc": { "clientSecret": "wrong" } } });
    let _ = company.owner.patch(&format!("/auth/idps/{}", company.idp), secret).await.expect(200);
    company.refused(409, "identity_provider_unusable").await;
    company.sso.discovery(json!({ "jwks_uri": "http://10.0.0.1/jwks" }));
    let start = company.app.anonymous().get(&format!("/auth/sso/{}/authorize", company.idp)).await.expect(409);
    assert_eq!(start.problem().code, "identity_provider_unusable");
    assert!(company.app.dump().of_kind("exchange_code").next().is_none());
}

#[tokio::test]
async fn only_members_with_an_address_known_to_be_theirs_are_found_by_it() {
    let company = Company::start().await;
    let stranger = company.app.sign_up("grace@example.com").await;
    company.refused(409, "account_exists").await;
    company.app.join(&stranger, &company.owner.organization_id, &[OrganizationRole::Member], &[]).await;
    company.sso.claims(json!({ "email_verified": false }));
    company.refused(403, "address_unverified").await;
    company.sso.claims(json!({ "email_verified": true }));
    let grace = company.sign_in().await;
    assert_eq!(grace.get("/me").await.expect(200).json()["user"]["id"], json!(stranger.user_id));
    // The word of one organization's provider opens that organization alone.
    let own = grace.with("lakesail-organization-id", &company.owner.organization_id);
    let _ = own.get("/org").await.expect(200);
    let _ = grace.get("/org").await.expect(200);
    let other = grace.with("lakesail-organization-id", &stranger.organization_id);
    let _ = other.get("/org").await.expect(404);
    company.sso.claims(json!({ "sub": "nobody", "email": null }));
    company.refused(403, "address_missing").await;
    company.sso.userinfo(json!({ "email": "linus@example.com", "email_verified": true }));
    let linus = company.sign_in().await.get("/me").await.expect(200).json();
    assert_eq!(linus["user"]["email"], "linus@example.com", "userinfo tells what the ID token does not");
    company.app.deliver().await;
}

#[tokio::test]
async fn owners_come_in_by_a_provider_that_an_owner_set_alone() {
    let company = Company::start().await;
    let (app, owner) = (&company.app, &company.owner);
    let member =
        async |email: &str, role: OrganizationRole| app.member(email, &owner.organization_id, &[role], &[]).await;
    let admin = member("admin@example.com", OrganizationRole::Admin).await;
    let bob = member("bob@example.com", OrganizationRole::Member).await;
    let of_owner = format!("/auth/idps/{}", company.idp);
    company.lets_in("owner@example.com").await;

    // What changes nothing about whom it vouches for leaves it the Owner's.
    let same = json!({ "oidc": { "issuer": company.sso.issuer, "clientSecret": CLIENT_SECRET } });
    let _ = admin.patch(&of_owner, json!({ "name": "renamed", "configWrite": same })).await.expect(200);
    let secret = json!({ "clientSecret": CLIENT_SECRET });
    let _ = admin.post(&format!("{of_owner}/rotate-secret"), secret).await.expect(200);
    company.lets_in("owner@example.com").await;
    // Who asks for something else may be told something else, and by whom else all the more.
    let moved = json!({ "oidc": { "scopes": ["openid", "email"] } });
    let _ = admin.patch(&of_owner, json!({ "configWrite": moved })).await.expect(200);
    company.does_not_vouch_for("owner@example.com").await;
    company.lets_in("bob@example.com").await;
    let _ = owner.patch(&of_owner, json!({ "name": "of the owner" })).await.expect(200);
    company.does_not_vouch_for("owner@example.com").await;
    let _ = owner.patch(&of_owner, json!({ "configWrite": { "oidc": {} } })).await.expect(200);
    company.lets_in("owner@example.com").await;

    let elsewhere = TestProvider::start(app.now()).await;
    let to = |issuer: &str| json!({ "configWrite": { "oidc": { "issuer": issuer, "clientSecret": CLIENT_SECRET } } });
    let _ = admin.patch(&of_owner, to(&elsewhere.issuer)).await.expect(200);
    elsewhere.claims(json!({ "sub": "evil", "email": "owner@example.com" }));
    let (location, cookie) = company.depart("").await;
    let refused = company.arrive(&elsewhere.sign_in(&location), &cookie).await.expect(403).problem();
    assert_eq!(refused.code, "provider_not_set_by_owner");
    let _ = admin.patch(&of_owner, to(&company.sso.issuer)).await.expect(200);
    company.does_not_vouch_for("owner@example.com").await;

    // Whom the provider knows already is looked at as they are now.
    company.lets_in("bob@example.com").await;
    let roles = format!("/org/members/{}/roles", member_id(owner, &bob.email).await);
    for role in ["OWNER", "EMERGENCY"] {
        let _ = owner.put(&roles, json!({ "roleIds": [role] })).await.expect(204);
        company.does_not_vouch_for("bob@example.com").await;
    }
    app.deliver().await;
}

#[tokio::test]
async fn a_provider_that_an_admin_set_up_lets_members_in_and_no_owner() {
    let mut company = Company::start().await;
    let organization = company.owner.organization_id.clone();
    let admin = company.app.member("admin@example.com", &organization, &[OrganizationRole::Admin], &[]).await;
    let by_hand = set_up(&admin, &company.sso).await;
    let body = json!({ "name": "SSO", "providerUrl": company.sso.issuer, "initialAccessToken": INITIAL_ACCESS_TOKEN });
    let by_itself = admin.create("/auth/idps/auto-setup", body).await;
    for idp in [by_hand, by_itself] {
        company.idp = idp;
        company.does_not_vouch_for("owner@example.com").await;
        company.lets_in("admin@example.com").await;
        company.lets_in("new@example.com").await;
    }
    company.app.deliver().await;
}

#[tokio::test]
async fn a_provider_does_not_reach_the_account_of_somebody_who_belongs_elsewhere_too() {
    let company = Company::start().await;
    let grace = company.app.sign_up("grace@example.com").await;
    company.app.join(&grace, &company.owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let by_provider = company.sign_in().await;
    let organizations = async |client: &Client| {
        let list = client.get("/me/organizations").await.expect(200).json();
        list["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(organizations(&grace.client).await.len(), 2);
    assert_eq!(organizations(&by_provider).await, [json!(company.owner.organization_id)]);
    let before = company.app.dump();
    for (method, path, body) in [
        ("GET", "/me/emails", Value::Null),
        ("POST", "/me/emails", json!({ "email": "evil@example.com" })),
        ("GET", "/me/logins", Value::Null),
        ("DELETE", "/me/logins/L1", Value::Null),
        ("GET", "/me/trusted-devices", Value::Null),
        ("DELETE", "/me/trusted-devices/T1", Value::Null),
        ("GET", "/me/mfa", Value::Null),
        ("DELETE", "/me/mfa", Value::Null),
        ("POST", "/me/mfa/totp", json!({})),
        ("POST", "/me/mfa/totp/verify", json!({ "code": "000000" })),
        ("POST", "/me/mfa/recovery-codes", Value::Null),
        ("PATCH", "/me", json!({ "displayName": "Eve" })),
    ] {
        let call = by_provider.call(method, path);
        let call = if body.is_null() { call } else { call.json(&body) };
        assert_eq!(call.send().await.expect(403).problem().code, "account_out_of_reach", "{method} {path}");
    }
    company.app.dump().assert_same_as(&before, "what is out of reach");
    let _ = grace.get("/me/emails").await.expect(200);
    company.app.deliver().await;
}

#[tokio::test]
async fn a_provider_does_not_set_up_the_second_factor_of_somebody_who_belongs_elsewhere_too() {
    let company = Company::start().await;
    let grace = company.app.sign_up("grace@example.com").await;
    company.app.join(&grace, &company.owner.organization_id, &[OrganizationRole::Member], &[]).await;
    company.demand_second_factor().await;
    let refused = company.exchange(&company.attempt().await).await.expect(403);
    assert_eq!(refused.problem().code, "account_out_of_reach");
    // Her own one, which she set up by herself, does.
    let factor = SecondFactor::set_up(&company.app, &grace.client).await;
    company.app.advance(Duration::from_secs(30));
    let waiting = company.exchange(&company.attempt().await).await.expect(200);
    assert_eq!(waiting.text("nextStep"), "mfa");
    let body = json!({ "challengeToken": waiting.text("challengeToken"), "code": factor.code(&company.app) });
    let tokens = company.app.anonymous().post("/auth/mfa/verify", body).await.expect(200);
    let by_provider = company.app.anonymous().bearer(&tokens.text("accessToken"));
    let _ = by_provider.get("/org").await.expect(200);
    assert_eq!(by_provider.get("/me/emails").await.expect(403).problem().code, "account_out_of_reach");
    company.app.deliver().await;
}

#[tokio::test]
async fn where_single_sign_on_is_the_one_way_in_its_word_does_for_a_second_factor() {
    let company = Company::start().await;
    let grace = company.app.sign_up("grace@example.com").await;
    company.app.join(&grace, &company.owner.organization_id, &[OrganizationRole::Member], &[]).await;
    // What another organization demands concerns no login that does not reach it.
    let own = grace.with("lakesail-organization-id", &grace.organization_id);
    let strict = json!({ "settings": { "auth": { "acr": "mfa" } } });
    let _ = own.patch("/org", strict).await.expect(200);
    let _ = company.sign_in().await.get("/org").await.expect(200);

    company.demand_second_factor().await;
    let closed = json!({ "settings": { "auth": { "allowLoginWithPassword": false, "allowLoginWithEmail": false } } });
    let _ = company.owner.patch("/org", closed).await.expect(200);
    let by_provider = company.sign_in().await;
    let _ = by_provider.get("/org").await.expect(200);
    assert_eq!(by_provider.get("/me/emails").await.expect(403).problem().code, "account_out_of_reach");
    company.sso.claims(json!({ "acr": null }));
    company.refused(409, "identity_provider_unusable").await;
    company.app.deliver().await;
}

#[tokio::test]
async fn a_provider_reaches_an_account_as_long_as_it_is_wholly_the_organizations() {
    let company = Company::start().await;
    let other = company.app.sign_up("other@example.com").await;
    company.demand_second_factor().await;
    let waiting = company.exchange(&company.attempt().await).await.expect(200);
    assert_eq!(waiting.text("nextStep"), "setup_mfa");
    let half = company.app.anonymous().bearer(&waiting.text("challengeToken"));
    let factor = SecondFactor::set_up(&company.app, &half).await;
    company.app.advance(Duration::from_secs(30));
    let body = json!({ "challengeToken": waiting.text("challengeToken"), "code": factor.code(&company.app) });
    let tokens = company.app.anonymous().post("/auth/mfa/verify", body).await.expect(200);
    let grace = company.app.anonymous().bearer(&tokens.text("accessToken"));
    let _ = grace.get("/me/emails").await.expect(200);
    company.sso.claims(json!({ "sub": "linus", "email": "linus@example.com" }));
    let begun = company.exchange(&company.attempt().await).await.expect(200);
    let linus = company.app.anonymous().bearer(&begun.text("challengeToken"));

    // From now on both belong to somebody else, too.
    let users = company.owner.get("/org/users").await.expect(200).json();
    for user in users["items"].as_array().unwrap().iter().filter(|user| user["id"] != json!(company.owner.user_id)) {
        let user_id = user["id"].as_str().unwrap().to_owned();
        let person = Person { user_id, ..other.clone() };
        company.app.join(&person, &other.organization_id, &[OrganizationRole::Member], &[]).await;
    }
    for answer in [grace.get("/me/emails").await, linus.act("/me/mfa/totp").await] {
        assert_eq!(answer.expect(403).problem().code, "account_out_of_reach");
    }
    company.app.deliver().await;
}

#[tokio::test]
async fn a_provider_proves_an_address_to_its_own_organization_alone() {
    let company = Company::start().await;
    let grace = company.sign_in().await;
    let _ = grace.get("/org").await.expect(200);
    let confirms = |to: &str, subject: &str| (to, subject) == ("grace@example.com", "Confirm your address");
    let link = || company.app.mails().into_iter().find(|mail| confirms(&mail.0.to, &mail.0.subject));
    assert!(link().is_none(), "a link that would empty the account, and that nobody needs");
    let emails = grace.get("/me/emails").await.expect(200).json();
    assert!(emails["items"][0]["verifiedAt"].is_null(), "{emails}");
    // What a provider let in puts there is gone once the owner shows that the address is theirs.
    let _ = grace.post("/me/emails", json!({ "email": "eve@elsewhere.example" })).await.expect(201);
    let _ = SecondFactor::set_up(&company.app, &grace).await;
    company.app.advance(Duration::from_secs(1));
    let resend = json!({ "email": "grace@example.com" });
    let _ = company.app.anonymous().post("/auth/email/resend", resend).await.expect(202);
    company.app.deliver().await;
    let token = json!({ "token": link().unwrap().token() });
    let _ = company.app.anonymous().post("/auth/email/verify", token).await.expect(204);
    let _ = grace.get("/me").await.expect(401);
    let grace = company.sign_in().await;
    let emails = grace.get("/me/emails").await.expect(200).json();
    assert_eq!(emails["items"].as_array().unwrap().len(), 1, "{emails}");
    assert!(emails["items"][0]["verifiedAt"].is_string(), "{emails}");
    company.app.deliver().await;
}

#[tokio::test]
async fn another_provider_of_the_organization_finds_the_accounts_that_are_wholly_its_own() {
    let company = Company::start().await;
    let before = company.sign_in().await.get("/me").await.expect(200).json();
    let moved = Company { idp: set_up(&company.owner, &company.sso).await, ..company };
    let after = moved.sign_in().await.get("/me").await.expect(200).json();
    assert_eq!(after["user"]["id"], before["user"]["id"]);
    moved.app.deliver().await;
}

#[tokio::test]
async fn an_unverified_address_is_confirmed_by_mail_first() {
    let company = Company::start().await;
    company.sso.claims(json!({ "email_verified": false }));
    let waiting = company.exchange(&company.attempt().await).await.expect(200);
    assert_eq!(waiting.text("nextStep"), "verify_email");
    company.app.deliver().await;
    let token = company.app.mails().last().unwrap().token();
    let _ = company.app.anonymous().post("/auth/email/verify", json!({ "token": token })).await.expect(204);
    let _ = company.sign_in().await.get("/org").await.expect(200);
}

#[tokio::test]
async fn browsers_go_where_the_installation_lets_them() {
    let company = Company::start().await;
    let (location, cookie) = company.depart(&format!("?redirectUri={REDIRECT_URI}")).await;
    let arrived = company.arrive(&company.sso.sign_in(&location), &cookie).await.expect(302);
    assert!(arrived.header("location").unwrap().starts_with(&format!("{REDIRECT_URI}?code=")));
    for wrong in ["https://evil.example/", "https://app.example/welcome/more", "//evil.example", "javascript:alert(1)"]
    {
        let path = format!("/auth/sso/{}/authorize?redirectUri={wrong}", company.idp);
        company.app.anonymous().get(&path).await.assert_names_field("redirectUri");
    }
}

#[tokio::test]
async fn the_demanded_authentication_context_is_asked_for_and_checked() {
    let company = Company::start().await;
    let _ = company.owner.patch("/org", json!({ "settings": { "auth": { "acr": "phr" } } })).await.expect(200);
    assert!(company.depart("").await.0.contains("acr_values=phr"));
    company.refused(409, "identity_provider_unusable").await;
    company.sso.claims(json!({ "acr": "phr" }));
    let _ = company.sign_in().await.get("/org").await.expect(200);
    company.app.deliver().await;
}

#[tokio::test]
async fn a_logout_at_the_provider_ends_the_logins_that_came_from_it() {
    let company = Company::start().await;
    let first = company.sign_in().await;
    company.sso.claims(json!({ "sid": "session 2" }));
    let second = company.sign_in().await;
    let now = company.app.now().as_second();
    let wrong = [
        json!({ "header": { "typ": "at+jwt" } }),
        json!({ "header": { "alg": "none" } }),
        json!({ "header": { "alg": "HS256" } }),
        json!({ "header": { "kid": "two" } }),
        json!({ "iss": "https://somebody.example" }),
        json!({ "aud": "somebody" }),
        json!({ "events": {} }),
        json!({ "nonce": "one" }),
        json!({ "sub": null, "sid": null }),
        json!({ "iat": now - 3600 }),
        json!({ "iat": now + 61 }),
        json!({ "exp": now - 61 }),
        json!({ "jti": null }),
    ];
    for changes in wrong {
        assert_eq!(
            company.log_out(changes.clone()).await.expect(400).problem().code,
            "invalid_logout_token",
            "{changes}"
        );
    }
    let _ = second.get("/me").await.expect(200);
    let _ = company.log_out(json!({ "sub": null })).await.expect(200);
    let _ = second.get("/me").await.expect(401);
    let _ = first.get("/me").await.expect(200);
    assert_eq!(
        company.log_out(json!({ "sid": null })).await.expect(400).problem().code,
        "invalid_logout_token",
        "its id was used"
    );
    let _ = company.log_out(json!({ "sid": null, "jti": "logout 2" })).await.expect(200);
    let _ = first.get("/me").await.expect(401);
    let _ = company.owner.get("/me").await.expect(200);
    let form = company.app.anonymous().call("POST", &format!("/auth/sso/{}/backchannel-logout", company.idp));
    let refused = form.json(&json!({ "logout_token": "x" })).send().await.expect(415).problem();
    assert!(refused.message.contains("`application/x-www-form-urlencoded`"), "{refused:?}");
    company.app.deliver().await;
}
