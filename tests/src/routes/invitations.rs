//! Invitations: offered, mailed, accepted once.

use std::time::Duration;

use mainsheet_core::role::OrganizationRole;
use mainsheet_testkit::{Answer, PASSWORD, Person, TestApp, build};
use serde_json::{Value, json};

use super::members::member_id;

fn invite(email: &str) -> Value {
    json!({ "email": email, "organizationRoleId": "MEMBER" })
}

fn newcomer(email: &str) -> Value {
    json!({ "user": { "email": email, "givenName": "Ada", "familyName": "Lovelace", "password": PASSWORD } })
}

/// Invites by mail; the token that was mailed.
async fn mailed(app: &TestApp, owner: &Person, body: Value) -> String {
    let _ = owner.post("/org/invites", body).await.expect(201);
    app.deliver().await;
    app.mails().last().unwrap().token()
}

async fn accept(app: &TestApp, token: &str, body: Value) -> Answer {
    app.anonymous().post(&format!("/org/invites/{token}/accept"), body).await
}

#[tokio::test]
async fn who_comes_by_the_mailed_link_is_in() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let team = owner.post("/org/teams", build::team("Data")).await.expect(201).json();
    let team = team["team"]["id"].as_str().unwrap();
    let offer = json!({ "email": "ada@example.com", "organizationRoleId": "AUDITOR", "name": "Countess",
        "teamAssignments": [{ "teamId": team, "roleId": "VIEWER" }, { "teamId": owner.team_id }] });
    let token = mailed(&app, &owner, offer).await;
    let mail = app.mails().last().unwrap().0.clone();
    assert_eq!((mail.to.as_str(), mail.text.contains(&token)), ("ada@example.com", true));
    let shown = app.anonymous().get(&format!("/org/invites/{token}")).await.expect(200).json();
    assert_eq!(
        (&shown["email"], &shown["organization"]["id"]),
        (&json!("ada@example.com"), &json!(owner.organization_id))
    );
    assert!(shown["inviteUrl"].is_null() && shown["invitationToken"].is_null());

    let accepted = accept(&app, &token, newcomer("Ada@example.com")).await.expect(200).json();
    assert!(accepted["otaCode"].as_str().is_some_and(|code| code.len() == 43) && accepted["nextStep"].is_null());
    let ada = Person::sign_in(&app, "ada@example.com", PASSWORD).await;
    assert_eq!(ada.organization_id, owner.organization_id);
    let member = owner.get(&format!("/org/members/{}", member_id(&owner, "ada@").await)).await.expect(200).json();
    assert_eq!(member["item"]["roleIds"], json!(["AUDITOR"]));
    assert_eq!(member["item"]["teamRoleIds"], json!({ team: ["VIEWER"], owner.team_id.as_str(): ["EDITOR"] }));
    let record = &member["included"]["members"][0];
    assert_eq!((&record["name"], &record["accountType"]), (&json!("Countess"), &json!("managed")));
    assert!(record["inviteAcceptedAt"].is_string() && record["invitedByMemberId"].is_string());
    let _ = accept(&app, &token, newcomer("ada@example.com")).await.expect(404);
    let _ = app.anonymous().get(&format!("/org/invites/{token}")).await.expect(404);
}

#[tokio::test]
async fn teams_that_are_gone_are_left_out_and_nothing_stands_in_for_them() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let team = owner.post("/org/teams", build::team("Data")).await.expect(201).json();
    let team = team["team"]["id"].as_str().unwrap();
    let offer = build::with(invite("ada@example.com"), "/teamAssignments", json!([{ "teamId": team }]));
    let token = mailed(&app, &owner, offer).await;
    let _ = owner.delete(&format!("/org/teams/{team}")).await.expect(204);
    app.deliver().await;
    let _ = accept(&app, &token, newcomer("ada@example.com")).await.expect(200);
    let member = owner.get(&format!("/org/members/{}", member_id(&owner, "ada@").await)).await.expect(200).json();
    assert_eq!(member["item"]["teamRoleIds"], json!({}));
    app.deliver().await;
}

#[tokio::test]
async fn a_link_that_was_handed_over_proves_nothing_about_the_address() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let mut offer = invite("ada@example.com");
    offer["sendEmail"] = json!(false);
    let created = owner.post("/org/invites", offer).await.expect(201).json();
    let (token, url) = (created["invitationToken"].as_str().unwrap(), created["inviteUrl"].as_str().unwrap());
    assert!(url.ends_with(token));
    let accepted = accept(&app, token, newcomer("ada@example.com")).await.expect(200).json();
    assert_eq!((&accepted["nextStep"], &accepted["otaCode"]), (&json!("verify_email"), &Value::Null));
    app.deliver().await;
    let login = json!({ "email": "ada@example.com", "password": PASSWORD });
    let waiting = app.anonymous().post("/auth/login", login).await.expect(200);
    assert_eq!(waiting.text("nextStep"), "verify_email");
    let token = app.mails().last().unwrap().token();
    let _ = app.anonymous().post("/auth/email/verify", json!({ "token": token })).await.expect(204);
    let ada = Person::sign_in(&app, "ada@example.com", PASSWORD).await;
    assert_eq!(ada.get("/me/teams").await.expect(200).json()["items"][0]["id"], owner.team_id);
}

#[tokio::test]
async fn who_has_an_account_signs_in_and_joins_with_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let (ada, eve) = (app.sign_up("ada@example.com").await, app.sign_up("eve@example.com").await);
    let token = mailed(&app, &owner, invite("ada@example.com")).await;
    let path = format!("/org/invites/{token}/accept");
    let asked = accept(&app, &token, newcomer("ada@example.com")).await.expect(200).json();
    assert_eq!((&asked["nextStep"], &asked["user"]), (&json!("login"), &Value::Null));
    assert_eq!(eve.post(&path, json!({})).await.expect(403).problem().code, "other_address");
    let joined = ada.post(&path, json!({})).await.expect(200).json();
    assert_eq!((&joined["user"]["id"], &joined["nextStep"]), (&json!(ada.user_id), &Value::Null));
    let organizations = ada.get("/me/organizations").await.expect(200).json();
    assert_eq!(organizations["items"].as_array().unwrap().len(), 2);
    let _ = ada.with("lakesail-organization-id", &owner.organization_id).get("/org").await.expect(200);
    let again = owner.post("/org/invites", invite("ADA@example.com")).await.expect(409);
    assert_eq!(again.problem().code, "already_member");
}

#[tokio::test]
async fn a_link_that_was_handed_over_does_for_an_account_with_the_address_confirmed_alone() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let mallory = app.sign_up("mallory@example.com").await;
    let handed = async |email: &str| {
        let offer = json!({ "email": email, "organizationRoleId": "OWNER", "sendEmail": false });
        let token = owner.post("/org/invites", offer).await.expect(201).text("invitationToken");
        format!("/org/invites/{token}/accept")
    };
    let path = handed("boss@example.com").await;
    // Another organization makes an account for the address, and signs in with it.
    let lax = json!({ "settings": { "auth": { "requireEmailVerification": false } } });
    let _ = mallory.patch("/org", lax).await.expect(200);
    let user = mallory.create("/org/users", json!({ "email": "boss@example.com" })).await;
    let password = mallory.act(&format!("/org/users/{user}/password/reset")).await.expect(200).text("password");
    app.advance(Duration::from_secs(1));
    let impostor = Person::sign_in(&app, "boss@example.com", &password).await;
    let refused = impostor.post(&path, json!({})).await.expect(403).problem();
    assert_eq!(refused.code, "address_unverified", "{refused:?}");
    let organizations = impostor.get("/me/organizations").await.expect(200).json();
    assert_eq!(organizations["items"].as_array().unwrap().len(), 1);
    let _ = app.anonymous().get(path.strip_suffix("/accept").unwrap()).await.expect(200);

    let ada = app.sign_up("ada@example.com").await;
    let _ = ada.post(&handed("ada@example.com").await, json!({})).await.expect(200);
    let _ = ada.with("lakesail-organization-id", &owner.organization_id).get("/org").await.expect(200);
    app.deliver().await;
}

#[tokio::test]
async fn links_are_for_those_who_could_offer_the_same_themselves() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let organization = owner.organization_id.clone();
    let admin = app.member("admin@example.com", &organization, &[OrganizationRole::Admin], &[]).await;
    let host = app.member("host@example.com", &organization, &[OrganizationRole::Member], &[]).await;
    let policy = json!({ "permissions": ["CanManageMembers"] });
    let _ = owner.put(&format!("/org/policies/user:{}", host.user_id), policy).await.expect(200);
    for role in ["OWNER", "ADMIN", "MEMBER"] {
        let offer = json!({ "email": format!("new-{role}@example.com"), "organizationRoleId": role });
        let _ = owner.post("/org/invites", offer).await.expect(201);
    }
    let seated = build::with(invite("seated@example.com"), "/teamAssignments", json!([{ "teamId": owner.team_id }]));
    let _ = owner.post("/org/invites", seated).await.expect(201);
    let linked = async |by: &Person| -> Vec<Value> {
        let page = by.get("/org/invites").await.expect(200).json();
        let items = page["items"].as_array().unwrap().clone();
        assert_eq!(items.len(), 4);
        let shows = |item: &Value| item["inviteUrl"].is_string() && item["invitationToken"].is_string();
        assert!(items.iter().all(|item| shows(item) || item["inviteUrl"] == item["invitationToken"]), "{page}");
        let mut roles: Vec<Value> =
            items.iter().filter(|item| shows(item)).map(|item| item["organizationRoleId"].clone()).collect();
        roles.sort_by_key(ToString::to_string);
        roles
    };
    assert_eq!(linked(&owner).await, ["ADMIN", "MEMBER", "MEMBER", "OWNER"]);
    assert_eq!(linked(&admin).await, ["ADMIN", "MEMBER", "MEMBER"]);
    assert_eq!(linked(&host).await, ["MEMBER"], "and not the seat in a team that they do not manage");
    app.deliver().await;
}

#[tokio::test]
async fn pending_invitations_are_listed_and_can_be_cancelled() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let token = mailed(&app, &owner, invite("one@example.com")).await;
    app.advance(Duration::from_secs(60));
    let owner = owner.refreshed().await;
    let second = owner.post("/org/invites", invite("two@example.com")).await.expect(201).json();
    let emails = async || -> Vec<String> {
        let page = owner.refreshed().await.get("/org/invites").await.expect(200).json();
        page["items"].as_array().unwrap().iter().map(|item| item["email"].as_str().unwrap().to_owned()).collect()
    };
    let page = owner.get("/org/invites?limit=1").await.expect(200).json();
    let rest = owner.get(&format!("/org/invites?marker={}", page["marker"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(
        (&page["items"][0]["email"], &rest["items"][0]["email"]),
        (&json!("two@example.com"), &json!("one@example.com"))
    );
    let _ = owner.delete(&format!("/org/invites/{token}")).await.expect(204);
    let _ = owner.delete(&format!("/org/invites/{}", second["id"].as_str().unwrap())).await.expect(204);
    let _ = owner.delete(&format!("/org/invites/{token}")).await.expect(404);
    let _ = owner.delete("/org/invites/nonsense").await.expect(404);
    let _ = accept(&app, &token, newcomer("one@example.com")).await.expect(404);
    assert!(emails().await.is_empty());
    app.deliver().await;
}

#[tokio::test]
async fn invitations_expire_after_seven_days() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let token = mailed(&app, &owner, invite("one@example.com")).await;
    app.advance(Duration::from_secs(7 * 24 * 3600));
    let owner = owner.refreshed().await;
    assert_eq!(owner.get("/org/invites").await.expect(200).json()["items"], json!([]));
    let _ = accept(&app, &token, newcomer("one@example.com")).await.expect(404);
}

#[tokio::test]
async fn nobody_offers_more_than_they_may_give() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let stranger = app.sign_up("stranger@example.com").await;
    let admin = app.member("admin@example.com", &owner.organization_id, &[OrganizationRole::Admin], &[]).await;
    let offer = |role: &str| json!({ "email": "one@example.com", "organizationRoleId": role });
    let refused = admin.post("/org/invites", offer("OWNER")).await.expect(403);
    assert!(refused.problem().message.contains("CanManageOwners"), "{refused}");
    owner.post("/org/invites", offer("NOROLE")).await.assert_names_field("organizationRoleId");
    let with_teams = |assignments: Value| build::with(invite("one@example.com"), "/teamAssignments", assignments);
    let foreign = with_teams(json!([{ "teamId": stranger.team_id }]));
    owner.post("/org/invites", foreign).await.assert_names_field("teamAssignments[0].teamId");
    let twice = with_teams(json!([{ "teamId": owner.team_id }, { "teamId": owner.team_id }]));
    owner.post("/org/invites", twice).await.assert_names_field("teamAssignments[1].teamId");
    owner
        .post("/org/invites", build::with(invite("x@example.com"), "/name", json!("a\u{0}b")))
        .await
        .assert_names_field("name");
}

#[tokio::test]
async fn a_mailbox_is_not_flooded_with_invitations() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let mut refused = 0;
    for _ in 0..8 {
        let answer = owner.post("/org/invites", invite("one@example.com")).await;
        refused += usize::from(answer.status == 429);
    }
    assert!(refused > 0);
    app.deliver().await;
}
