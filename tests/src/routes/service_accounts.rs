//! Service accounts, their keys, and what they may do.

use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Client, Person, TestApp, build};
use serde_json::{Value, json};

fn account(name: &str) -> Value {
    json!({ "username": name, "description": "Deploys." })
}

async fn new_account(owner: &Person, permissions: &[&str]) -> String {
    let id = owner.create("/org/service-accounts", account("ci-bot")).await;
    let policy = json!({ "permissions": permissions });
    let _ = owner.put(&format!("/org/policies/serviceAccount:{id}"), policy).await.expect(200);
    id
}

async fn new_key(app: &TestApp, owner: &Person, account: &str) -> (String, Client) {
    let created = owner.post(&format!("/org/service-accounts/{account}/keys"), json!({})).await.expect(201);
    (created.text("id"), app.anonymous().bearer(&created.text("key")))
}

#[tokio::test]
async fn service_accounts_are_made_changed_listed_and_deleted() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let created = owner.post("/org/service-accounts", account("ci-bot")).await.expect(201);
    let path = format!("/org/service-accounts/{}", created.text("id"));
    let taken = owner.post("/org/service-accounts", account("CI-Bot")).await.expect(409).problem();
    assert_eq!(taken.code, "username_taken");
    app.advance(Duration::from_secs(1));
    let other = owner.create("/org/service-accounts", account("other")).await;
    let changed =
        owner.call("PATCH", &path).json(&json!({ "username": "cd-bot" })).if_match(&created.etag()).send().await;
    let changed = changed.expect(200);
    assert_eq!((changed.text("username"), changed.text("description")), ("cd-bot".to_owned(), "Deploys.".to_owned()));
    let _ = owner.call("DELETE", &path).if_match(&created.etag()).send().await.expect(412);
    let _ = owner.patch(&format!("/org/service-accounts/{other}"), json!({ "username": "cd-bot" })).await.expect(409);
    let _ = owner.create("/org/service-accounts", account("ci-bot")).await;
    let page = owner.get("/org/service-accounts?limit=2").await.expect(200).json();
    assert_eq!((page["items"][0].clone(), page["items"].as_array().unwrap().len()), (changed.json(), 2));
    let rest =
        owner.get(&format!("/org/service-accounts?marker={}", page["marker"].as_str().unwrap())).await.expect(200);
    assert_eq!((rest.json()["items"].as_array().unwrap().len(), rest.json().get("marker")), (1, None));
    let _ = owner.delete(&path).await.expect(204);
    let _ = owner.get(&path).await.expect(404);
    for bad in ["", " ", "a\nb"] {
        owner.post("/org/service-accounts", account(bad)).await.assert_names_field("username");
    }
    let member = app.member("member@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let refused = member.get("/org/service-accounts").await.expect(403).problem();
    assert!(refused.message.contains("CanManageServiceAccounts"), "{refused:?}");
}

#[tokio::test]
async fn a_key_does_what_the_policy_of_its_account_permits() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let id = new_account(&owner, &["CanManageQueries"]).await;
    let ((_, robot), (_, second)) = (new_key(&app, &owner, &id).await, new_key(&app, &owner, &id).await);
    let me = robot.get("/me").await.expect(200).json();
    assert_eq!((me["serviceAccount"]["id"].as_str(), me.get("user")), (Some(id.as_str()), None));
    let query = robot.post("/workloads/queries", build::query("by a robot", &owner.team_id)).await.expect(201);
    assert_eq!(query.text("createdBy"), id);
    let refused = robot.get("/workloads/jobs").await.expect(403).problem();
    assert!(refused.message.contains("CanViewJobs"), "{refused:?}");

    let policy = json!({ "permissions": ["CanViewJobs"] });
    let _ = owner.put(&format!("/org/policies/serviceAccount:{id}"), policy).await.expect(200);
    for key in [&robot, &second] {
        let _ = key.get("/workloads/jobs").await.expect(200);
        let _ = key.delete(&format!("/workloads/queries/{}", query.text("id"))).await.expect(404);
    }
    let log = owner.get(&format!("/org/audit-log?actor={id}")).await.expect(200).json();
    assert_eq!(
        (&log["items"][0]["action"], &log["items"][0]["actor"]["type"]),
        (&json!("query.create"), &json!("serviceAccount"))
    );
}

#[tokio::test]
async fn a_key_costs_one_read_and_stays_in_its_organization() {
    let app = TestApp::start().await;
    let (owner, stranger) = (app.sign_up("owner@example.com").await, app.sign_up("stranger@example.com").await);
    let id = new_account(&owner, &["CanManageTeams"]).await;
    let (key, robot) = new_key(&app, &owner, &id).await;
    let path = format!("/org/service-accounts/{id}/keys/{key}");
    assert_eq!(owner.get(&path).await.expect(200).json().get("lastUsedAt"), None);
    let (answer, round_trips) = app.measure(robot.get("/me/permissions")).await;
    assert_eq!(answer.expect(200).json()["permissions"], json!(["CanManageTeams"]));
    assert_eq!(round_trips, ["BatchGetItem", "TransactWriteItems"]);
    let (_, round_trips) = app.measure(robot.get("/me/permissions")).await;
    assert_eq!(round_trips, ["BatchGetItem"]);
    assert_eq!(owner.get(&path).await.expect(200).text("lastUsedAt"), app.now().to_string());
    let _ = robot.with("lakesail-organization-id", &owner.organization_id).get("/org").await.expect(200);
    let _ = robot.with("lakesail-organization-id", &stranger.organization_id).get("/org").await.expect(404);
    // Its team begins without members: a service account has no seats.
    let team =
        robot.call("POST", "/org/teams").json(&build::team("robots")).idempotent("once").send().await.expect(201);
    assert_eq!(team.json()["memberCount"], 0);
    let again = robot.call("POST", "/org/teams").json(&build::team("robots")).idempotent("once").send().await;
    assert_eq!(again.expect(201).json(), team.json());
}

#[tokio::test]
async fn what_concerns_people_is_refused_to_service_accounts() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let id = new_account(&owner, &[]).await;
    let (_, robot) = new_key(&app, &owner, &id).await;
    assert_eq!(robot.get("/me/organizations").await.expect(403).problem().code, "person_required");
    assert_eq!(robot.act("/auth/logout").await.expect(403).problem().code, "person_required");
}

#[tokio::test]
async fn a_key_is_shown_once_and_is_void_when_revoked_expired_or_orphaned() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let id = new_account(&owner, &[]).await;
    let keys = format!("/org/service-accounts/{id}/keys");
    let expiring = json!({ "expiresAt": app.now() + Duration::from_secs(60) });
    let send = || owner.call("POST", &keys).json(&expiring).idempotent("first").send();
    let (created, again) = (send().await.expect(201), send().await.expect(201));
    assert_eq!((again.text("id"), again.json().get("key")), (created.text("id"), None));
    let text = created.text("key");
    assert!(text.starts_with("msk_") && text.len() == 47 && text.starts_with(&created.text("prefix")));
    assert!(!format!("{:?}", app.dump()).contains(&text), "only its hash is kept");
    let expiring = app.anonymous().bearer(&text);
    let ((revoked_id, revoked), (_, orphaned)) = (new_key(&app, &owner, &id).await, new_key(&app, &owner, &id).await);
    for key in [&expiring, &revoked, &orphaned] {
        let _ = key.get("/me").await.expect(200);
    }
    assert_eq!(owner.get(&keys).await.expect(200).json()["items"].as_array().unwrap().len(), 3);
    let _ = owner.delete(&format!("{keys}/{revoked_id}")).await.expect(204);
    let _ = owner.delete(&format!("{keys}/{revoked_id}")).await.expect(404);
    let _ = revoked.get("/me").await.expect(401);
    app.advance(Duration::from_secs(60));
    let _ = expiring.get("/me").await.expect(401);
    let _ = orphaned.get("/me").await.expect(200);
    // Policies still reach an account that has expired keys.
    let _ = owner.put(&format!("/org/policies/serviceAccount:{id}"), json!({ "permissions": [] })).await.expect(200);
    let _ = owner.delete(&format!("/org/service-accounts/{id}")).await.expect(204);
    let _ = orphaned.get("/me").await.expect(401);
    let _ = owner.get(&keys).await.expect(404);
    let _ = owner.get(&format!("/org/policies/serviceAccount:{id}")).await.expect(404);
    let past = owner.create("/org/service-accounts", account("past")).await;
    let past = owner.post(&format!("/org/service-accounts/{past}/keys"), json!({ "expiresAt": app.now() })).await;
    past.assert_names_field("expiresAt");
    let _ = app.anonymous().bearer("msk_nobody").get("/me").await.expect(401);
}

#[tokio::test]
async fn a_key_cannot_be_used_to_gain_what_its_maker_may_not_do() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let id = new_account(&owner, &["CanManageConnections"]).await;
    let seats = [(owner.team_id.as_str(), TeamRole::Viewer)];
    let keeper = app.member("keeper@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await;
    let policy = json!({ "permissions": ["CanManageServiceAccounts"] });
    let _ = owner.put(&format!("/org/policies/user:{}", keeper.user_id), policy).await.expect(200);
    let keys = format!("/org/service-accounts/{id}/keys");
    let refused = keeper.post(&keys, json!({})).await.expect(403).problem();
    assert!(refused.message.contains("CanManageConnections"), "{refused:?}");
    for _ in 0..20 {
        let _ = owner.post(&keys, json!({})).await.expect(201);
    }
    assert_eq!(owner.post(&keys, json!({})).await.expect(409).problem().code, "too_many_keys");
    // All twenty change and go in one transaction.
    let _ = owner.put(&format!("/org/policies/serviceAccount:{id}"), json!({ "permissions": [] })).await.expect(200);
    let _ = owner.delete(&format!("/org/service-accounts/{id}")).await.expect(204);
    assert_eq!(app.dump().of_kind("service_key").count(), 0);
}

#[tokio::test]
async fn people_make_and_revoke_keys_soon_after_they_proved_who_they_are() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let id = new_account(&owner, &["CanManageServiceAccounts"]).await;
    let (key, robot) = new_key(&app, &owner, &id).await;
    let keys = format!("/org/service-accounts/{id}/keys");
    app.advance(Duration::from_secs(10 * 60));
    let later = owner.refreshed().await;
    let before = app.dump();
    for answer in [later.post(&keys, json!({})).await, later.delete(&format!("{keys}/{key}")).await] {
        assert_eq!(answer.expect(403).problem().code, "step_up_required");
    }
    app.dump().assert_same_as(&before, "a proof that is ten minutes old");
    // A machine proves who it is with each request.
    let _ = robot.post(&keys, json!({})).await.expect(201);
    let again = Person::sign_in(&app, &owner.email, mainsheet_testkit::PASSWORD).await;
    let _ = again.delete(&format!("{keys}/{key}")).await.expect(204);
}

#[tokio::test]
async fn a_key_makes_none_that_outlives_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let id = new_account(&owner, &["CanManageServiceAccounts", "CanManagePolicies"]).await;
    let other = owner.create("/org/service-accounts", account("other")).await;
    let end = app.now() + Duration::from_secs(3600);
    let keys = format!("/org/service-accounts/{id}/keys");
    let created = owner.post(&keys, json!({ "expiresAt": end })).await.expect(201);
    let robot = app.anonymous().bearer(&created.text("key"));
    let longer = json!({ "expiresAt": end + Duration::from_millis(1) });
    for path in [keys.clone(), format!("/org/service-accounts/{other}/keys")] {
        for body in [json!({}), longer.clone()] {
            assert_eq!(robot.post(&path, body).await.expect(403).problem().code, "key_outlives_own");
        }
        let _ = robot.post(&path, json!({ "expiresAt": end })).await.expect(201);
    }
    // Nor does it give anybody for longer what ends for itself.
    let policy = format!("/org/policies/serviceAccount:{other}");
    let _ = robot.put(&policy, json!({ "permissions": ["CanManagePolicies"] })).await.expect(403);
    let limited = json!({ "permissions": ["CanManagePolicies"], "expiresAt": end });
    let _ = robot.put(&policy, limited).await.expect(200);
    // What a person holds for a time, a key of the same time may have.
    let helper = app.member("helper@example.com", &owner.organization_id, &[OrganizationRole::Emergency], &[]).await;
    let _ = helper.post(&keys, json!({})).await.expect(403);
    let _ = helper.post(&keys, json!({ "expiresAt": end })).await.expect(201);
    app.deliver().await;
}
