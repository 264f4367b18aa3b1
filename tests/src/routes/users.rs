//! Accounts that an organization manages.

use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Answer, Client, PASSWORD, Person, SecondFactor, TestApp};
use serde_json::{Value, json};

use super::members::filter;

#[tokio::test]
async fn an_organization_makes_changes_and_deletes_accounts() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let body = json!({ "email": "ada@example.com", "givenName": "Ada", "familyName": "Lovelace" });
    let created = owner.post("/org/users", body.clone()).await.expect(201);
    assert_eq!(created.json()["displayName"], "Ada Lovelace");
    assert_eq!(owner.post("/org/users", body).await.expect(409).problem().code, "email_taken");
    owner.post("/org/users", json!({ "givenName": "Ada" })).await.assert_names_field("email");
    let path = format!("/org/users/{}", created.text("id"));
    assert_eq!(owner.get(&path).await.expect(200).json(), created.json());
    let changed = owner.patch(&path, json!({ "displayName": "Countess" })).await.expect(200).json();
    assert_eq!((&changed["displayName"], &changed["familyName"]), (&json!("Countess"), &json!("Lovelace")));
    let page = owner.get("/org/users").await.expect(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let members = owner.get("/org/members").await.expect(200).json();
    assert_eq!((&members["total"], &members["items"][0]["roleIds"]), (&json!(2), &json!(["MEMBER"])));

    let _ = owner.delete(&path).await.expect(204);
    app.deliver().await;
    let _ = owner.get(&path).await.expect(404);
    assert_eq!(owner.get("/org/members").await.expect(200).json()["total"], 1);
    let team = owner.get(&format!("/org/teams/{}", owner.team_id)).await.expect(200).json();
    assert_eq!(team["memberCount"], 1);
    let left = app.dump();
    assert!(left.rows.keys().all(|(pk, _)| *pk != format!("U#{}", created.text("id"))), "nothing is left");
    let again = json!({ "email": "ada@example.com" });
    let _ = owner.post("/org/users", again).await.expect(201);
    app.deliver().await;
}

#[tokio::test]
async fn a_reset_password_is_told_once_and_ends_all_logins() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let bob = app.member("bob@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let path = format!("/org/users/{}/password/reset", bob.user_id);
    let reset = owner.call("POST", &path).idempotent("once").send().await.expect(200).json();
    let password = reset["password"].as_str().unwrap();
    assert_eq!(owner.call("POST", &path).idempotent("once").send().await.expect(200).json(), json!({}));
    let _ = bob.get("/me").await.expect(401);
    let old = json!({ "refreshToken": bob.refresh_token });
    let _ = app.anonymous().post("/auth/token/refresh", old).await.expect(401);
    app.advance(Duration::from_secs(1));
    let _ = app.anonymous().post("/auth/login", json!({ "email": bob.email, "password": PASSWORD })).await.expect(401);
    let bob = Person::sign_in(&app, &bob.email, password).await;
    let _ = owner.delete(&format!("/org/users/{}/mfa", bob.user_id)).await.expect(204);
    let _ = bob.get("/me").await.expect(401);
    app.deliver().await;
}

#[tokio::test]
async fn people_change_their_own_password_with_the_present_one() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let other_login = Person::sign_in(&app, &owner.email, PASSWORD).await;
    let bob = app.member("bob@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let path = format!("/org/users/{}/password", owner.user_id);
    let change = |current: &str, new: &str| json!({ "currentPassword": current, "newPassword": new });
    let next = "an entirely new password";
    owner.post(&path, change("not the present one", next)).await.assert_names_field("currentPassword");
    owner.post(&path, change(PASSWORD, "short")).await.assert_names_field("newPassword");
    let _ = bob.post(&path, change(PASSWORD, next)).await.expect(404);
    let _ = owner.post(&path, change(PASSWORD, next)).await.expect(204);
    let _ = owner.get("/me").await.expect(200);
    let _ = other_login.get("/me").await.expect(401);
    app.advance(Duration::from_secs(1));
    let _ = Person::sign_in(&app, &owner.email, next).await;
}

#[tokio::test]
async fn accounts_of_others_are_out_of_an_organizations_hands() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let organization = owner.organization_id.clone();
    let admin = app.member("admin@example.com", &organization, &[OrganizationRole::Admin], &[]).await;
    let independent = app.sign_up("independent@example.com").await;
    app.join(&independent, &organization, &[OrganizationRole::Member], &[]).await;
    let refused = async |by: &Person, user: &str, word: &str| {
        for (method, path, body) in [
            ("PATCH", String::new(), json!({ "displayName": "Mine" })),
            ("DELETE", String::new(), Value::Null),
            ("DELETE", "/mfa".to_owned(), Value::Null),
            ("POST", "/password/reset".to_owned(), Value::Null),
        ] {
            let call = by.call(method, &format!("/org/users/{user}{path}"));
            let call = if body.is_null() { call } else { call.json(&body) };
            let answer = call.send().await.expect(403);
            assert!(answer.problem().message.contains(word), "{answer}");
        }
    };
    refused(&owner, &independent.user_id, "other organizations").await;
    refused(&admin, &owner.user_id, "CanManageOwners").await;
    let offer = json!({ "email": "ext@example.com", "organizationRoleId": "MEMBER", "accountType": "external" });
    let _ = owner.post("/org/invites", offer).await.expect(201);
    app.deliver().await;
    let token = app.mails().last().unwrap().token();
    let user = json!({ "email": "ext@example.com", "givenName": "E", "familyName": "X", "password": PASSWORD });
    let accepted = app.anonymous().post(&format!("/org/invites/{token}/accept"), json!({ "user": user })).await;
    let accepted = accepted.expect(200).json();
    refused(&owner, accepted["user"]["id"].as_str().unwrap(), "person's own").await;
    let stranger = app.sign_up("stranger@example.com").await;
    let _ = owner.get(&format!("/org/users/{}", stranger.user_id)).await.expect(404);
}

#[tokio::test]
async fn people_hear_of_it_when_their_organization_resets_something() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let careful = app.member("careful@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let _ = SecondFactor::set_up(&app, &careful.client).await;
    let shown = async || {
        let page =
            owner.get(&format!("/org/members?{}", filter(&json!({ "email": "careful@" })))).await.expect(200).json();
        page["included"]["users"][0]["auth"].clone()
    };
    assert_eq!(shown().await, json!({ "has2FA": true, "hasPassword": true, "hasRecovery": true }));
    let path = format!("/org/users/{}", careful.user_id);
    let _ = owner.delete(&format!("{path}/mfa")).await.expect(204);
    assert_eq!(shown().await, json!({ "has2FA": false, "hasPassword": true, "hasRecovery": false }));
    let _ = owner.act(&format!("{path}/password/reset")).await.expect(200);
    app.deliver().await;
    let mails = app.mails();
    let told: Vec<&str> =
        mails.iter().filter(|mail| mail.0.to == careful.email).map(|mail| mail.0.subject.as_str()).collect();
    assert!(told.ends_with(&["Your second factor was removed", "Your password was reset"]), "{told:?}");
    let unset = owner.post("/org/users", json!({ "email": "new@example.com" })).await.expect(201);
    let page = owner.get(&format!("/org/members?{}", filter(&json!({ "email": "new@" })))).await.expect(200).json();
    assert_eq!(page["included"]["users"][0]["auth"]["hasPassword"], false, "{}", unset.text("id"));
    // An old proof does not do.
    app.advance(std::time::Duration::from_secs(10 * 60));
    let later = owner.refreshed().await;
    for call in [
        later.call("DELETE", &format!("{path}/mfa")),
        later.call("POST", &format!("{path}/password/reset")),
        later.call("PATCH", &path).json(&json!({ "email": "moved@example.com" })),
    ] {
        assert_eq!(call.send().await.expect(403).problem().code, "step_up_required");
    }
    let _ = later.patch(&path, json!({ "displayName": "Careful" })).await.expect(200);
    app.deliver().await;
}

/// What gives somebody an account into one's hands.
async fn take_overs(by: &Client, user: &str) -> Vec<Answer> {
    let path = format!("/org/users/{user}");
    vec![
        by.patch(&path, json!({ "email": format!("taken.{}@example.com", user.to_lowercase()) })).await,
        by.delete(&format!("{path}/mfa")).await,
        by.act(&format!("{path}/password/reset")).await,
    ]
}

async fn refused_take_overs(by: &Client, user: &str, relation: &str) {
    for answer in take_overs(by, user).await {
        let problem = answer.expect(403).problem();
        assert_eq!(problem.code, "permission_missing", "{problem:?}");
        assert!(problem.message.contains(relation), "{problem:?}");
    }
}

#[tokio::test]
async fn nobody_takes_over_an_account_that_holds_more_than_they_do() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let organization = owner.organization_id.clone();
    let person = async |name: &str, role: OrganizationRole, seats: &[(&str, TeamRole)]| {
        app.member(&format!("{name}@example.com"), &organization, &[role], seats).await
    };
    let team = owner.team_id.as_str();
    let desk = person("desk", OrganizationRole::Member, &[]).await;
    let admin = person("admin", OrganizationRole::Admin, &[]).await;
    let trusted = person("trusted", OrganizationRole::Member, &[]).await;
    let seated = person("seated", OrganizationRole::Member, &[(team, TeamRole::Viewer)]).await;
    let grant = async |principal: &str, permissions: &[&str]| {
        let policy = json!({ "permissions": permissions });
        let _ = owner.put(&format!("/org/policies/{principal}"), policy).await.expect(200);
    };
    grant(&format!("user:{}", desk.user_id), &["CanManageUsers"]).await;
    grant(&format!("user:{}", trusted.user_id), &["CanManageClusters"]).await;
    let robot = owner.create("/org/service-accounts", json!({ "username": "desk", "description": "" })).await;
    grant(&format!("serviceAccount:{robot}"), &["CanManageUsers"]).await;
    let key = owner.post(&format!("/org/service-accounts/{robot}/keys"), json!({})).await.expect(201).text("key");
    let robot = app.anonymous().bearer(&key);

    for by in [&desk.client, &robot] {
        refused_take_overs(by, &admin.user_id, "CanManageOrganization").await;
        refused_take_overs(by, &trusted.user_id, "CanManageClusters").await;
        let _ = by.get(&format!("/org/users/{}", admin.user_id)).await.expect(200);
        let renamed = json!({ "displayName": "Admin" });
        let _ = by.patch(&format!("/org/users/{}", admin.user_id), renamed).await.expect(200);
    }
    // A seat in a team gives what the team's policy gives.
    grant(&format!("team:{team}"), &["CanManageNetworks"]).await;
    for by in [&desk.client, &robot] {
        refused_take_overs(by, &seated.user_id, "CanManageNetworks").await;
    }
    let _ = owner.delete(&format!("/org/policies/team:{team}")).await.expect(204);
    for answer in take_overs(&robot, &seated.user_id).await {
        assert!(answer.status.is_success(), "{answer}");
    }
    // What has ended counts no more; what ends later than one's own does.
    let until = |seconds| app.now() + Duration::from_secs(seconds);
    let ending = json!({ "permissions": ["CanManageUsers", "CanManageClusters"], "expiresAt": until(120) });
    let _ = owner.put(&format!("/org/policies/user:{}", desk.user_id), ending).await.expect(200);
    refused_take_overs(&desk.client, &trusted.user_id, "CanManageClusters").await;
    let ending = json!({ "permissions": ["CanManageClusters"], "expiresAt": until(60) });
    let _ = owner.put(&format!("/org/policies/user:{}", trusted.user_id), ending).await.expect(200);
    app.advance(Duration::from_secs(60));
    for answer in take_overs(&robot, &trusted.user_id).await {
        assert!(answer.status.is_success(), "{answer}");
    }
    for answer in take_overs(&owner, &admin.user_id).await {
        assert!(answer.status.is_success(), "{answer}");
    }
    app.deliver().await;
}

#[tokio::test]
async fn a_strangers_mailbox_is_not_flooded_with_links_to_confirm_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let path = format!("/org/users/{}", owner.create("/org/users", json!({ "email": "victim@example.com" })).await);
    let mut refused = 0;
    for number in 0..8 {
        let away = json!({ "email": format!("own{number}@example.com") });
        let _ = owner.patch(&path, away).await.expect(200);
        let answer = owner.patch(&path, json!({ "email": "Victim@example.com" })).await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some(), "{answer}");
            refused += 1;
        } else {
            let _ = answer.expect(200);
        }
    }
    assert_eq!(refused, 5, "three mails go out at once, and the fourth only makes the next one wait");
    let other = app.sign_up("other@example.com").await;
    let away = json!({ "email": "own@example.com" });
    let _ = owner.patch(&path, away).await.expect(200);
    let _ = other.post("/org/users", json!({ "email": "victim@example.com" })).await.expect(429);
    app.deliver().await;
    assert_eq!(app.mails().iter().filter(|mail| mail.0.to.eq_ignore_ascii_case("victim@example.com")).count(), 4);
}

#[tokio::test]
async fn nobody_makes_users_with_a_default_role_that_they_could_not_assign() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let desk = app.member("desk@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let policy = json!({ "permissions": ["CanManageUsers"] });
    let _ = owner.put(&format!("/org/policies/user:{}", desk.user_id), policy).await.expect(200);
    let _ = owner.patch("/org", json!({ "defaultOrgRoleId": "ADMIN" })).await.expect(200);
    let body = json!({ "email": "new@example.com" });
    let refused = desk.post("/org/users", body.clone()).await.expect(403).problem();
    assert!(refused.message.contains("CanManageOrganization"), "{refused:?}");
    let _ = owner.patch("/org", json!({ "defaultOrgRoleId": "MEMBER" })).await.expect(200);
    let _ = desk.post("/org/users", body).await.expect(201);
    app.deliver().await;
}
