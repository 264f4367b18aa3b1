//! What can be permitted, and what one may do.

use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{PASSWORD, Person, TestApp, build};
use serde_json::{Value, json};

fn names(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[tokio::test]
async fn anybody_may_see_what_can_be_permitted() {
    let app = TestApp::start().await;
    let list = app.anonymous().get("/auth/permissions").await.expect(200).json();
    let find = |name: &str| list["items"].as_array().unwrap().iter().find(|item| item["relation"] == name).cloned();
    let users = find("CanManageUsers").unwrap();
    assert_eq!((&users["validObjectTypes"], &users["systemOnly"]), (&json!(["organization"]), &json!(false)));
    assert_eq!(find("CanManageJobs").unwrap()["validObjectTypes"], json!(["organization", "team"]));
    assert_eq!(find("CanManageOwners").unwrap()["systemOnly"], true);
}

#[tokio::test]
async fn one_sees_what_one_may_do_over_the_organization_and_over_teams() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let all = owner.get("/me/permissions").await.expect(200).json();
    assert!(names(&all["permissions"]).contains(&"CanManageOwners"));

    let seats = [(owner.team_id.as_str(), TeamRole::Viewer)];
    let viewer = app.member("viewer@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await;
    let seen = viewer.get("/me/permissions").await.expect(200).json();
    assert_eq!((&seen["permissions"], &seen["organizationId"]), (&json!([]), &json!(owner.organization_id)));
    assert_eq!(seen["teams"][0]["teamId"], owner.team_id);
    assert_eq!(names(&seen["teams"][0]["permissions"]), ["CanViewCatalogs", "CanViewQueries", "CanViewJobs"]);
}

#[tokio::test]
async fn a_request_costs_one_read_whatever_the_number_of_teams_and_policies() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let mut teams = Vec::new();
    for number in 0..100 {
        let team = owner.post("/org/teams", build::team(&format!("team {number}"))).await.expect(201).json();
        let team = team["team"]["id"].as_str().unwrap().to_owned();
        let policy = json!({ "permissions": ["CanViewClusters", "CanManageQueries"] });
        let _ = owner.put(&format!("/org/policies/team%3A{team}"), policy).await.expect(200);
        teams.push(team);
    }
    let member = app.member("member@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let member = member.with("lakesail-organization-id", &owner.organization_id);
    let id = member.get("/me/permissions").await.expect(200).text("memberId");
    for team in &teams {
        let _ = owner.post(&format!("/org/teams/{team}/members/{id}"), json!({})).await.expect(201);
    }
    let (answer, round_trips) = app.measure(member.get("/me/permissions")).await;
    let seen = answer.expect(200).json();
    assert_eq!(names(&seen["permissions"]), ["CanViewClusters", "CanManageQueries"]);
    assert_eq!(seen["teams"].as_array().unwrap().len(), 100);
    assert_eq!(round_trips, ["BatchGetItem"]);

    // The token of a person with one organization says which one to read.
    let (answer, round_trips) = app.measure(owner.get("/org")).await;
    assert_eq!(
        (answer.expect(200).text("id"), round_trips),
        (owner.organization_id.clone(), vec!["BatchGetItem".to_owned()])
    );
}

#[tokio::test]
async fn an_organization_that_was_guessed_wrong_is_read_on_its_own() {
    let app = TestApp::start().await;
    let (one, other) = (app.sign_up("one@example.com").await, app.sign_up("other@example.com").await);
    app.join(&one, &other.organization_id, &[OrganizationRole::Auditor], &[]).await;
    let there = one.with("lakesail-organization-id", &other.organization_id);
    let (answer, round_trips) = app.measure(there.get("/org")).await;
    assert_eq!((answer.expect(200).text("id"), round_trips.len()), (other.organization_id.clone(), 1));
    let _ = there.patch("/org", json!({ "name": "Mine now" })).await.expect(403);
    let stranger = other.with("lakesail-organization-id", &one.organization_id);
    let refused = stranger.get("/org").await.expect(404);
    let absent = other.with("lakesail-organization-id", "ABSENT").get("/org").await.expect(404);
    assert_eq!(refused.anonymous(), absent.anonymous());
}

#[tokio::test]
async fn an_emergency_ends_by_itself_and_leaves_its_mark() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let helper = app.member("helper@example.com", &owner.organization_id, &[OrganizationRole::Emergency], &[]).await;
    let _ = helper.patch("/org", json!({ "name": "Saved" })).await.expect(200);
    let log = owner.get("/org/audit-log?action=organization.update").await.expect(200).json();
    assert!(log["items"][0]["actor"]["emergencyUntil"].is_string(), "{log}");
    app.deliver().await;
    let mails = app.mails();
    let told: Vec<_> = mails.iter().filter(|mail| mail.0.subject.contains("Emergency")).collect();
    assert!(told.iter().all(|mail| mail.0.to == "owner@example.com"));
    let of_what = |action: &str| told.iter().filter(|mail| mail.0.text.contains(action)).count();
    assert_eq!((told.len(), of_what("emergency.use"), of_what("organization.update")), (2, 1, 1));
    // What is held for a time is not given for longer.
    let policy = json!({ "permissions": ["CanViewBilling"] });
    let path = format!("/org/policies/user:{}", helper.user_id);
    let _ = helper.put(&path, policy.clone()).await.expect(403);
    app.advance(Duration::from_secs(4 * 3600));
    let later = helper.refreshed().await;
    assert_eq!(later.get("/me/permissions").await.expect(200).json()["permissions"], json!([]));
    let refused = later.put(&path, policy).await.expect(403).problem();
    assert!(refused.message.contains("CanManagePolicies") && refused.message.contains("Owner or Admin"), "{refused:?}");
    app.deliver().await;
}

#[tokio::test]
async fn what_is_held_for_a_time_assigns_no_role_for_good_but_in_an_emergency() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let organization = owner.organization_id.clone();
    let deputy = app.member("deputy@example.com", &organization, &[OrganizationRole::Member], &[]).await;
    let helper = app.member("helper@example.com", &organization, &[OrganizationRole::Emergency], &[]).await;
    let list = app.anonymous().get("/auth/permissions").await.expect(200).json();
    let grantable = list["items"].as_array().unwrap().iter().filter(|item| item["systemOnly"] == false);
    let all_of_an_admin: Vec<&Value> = grantable.map(|item| &item["relation"]).collect();
    let policy = format!("/org/policies/user:{}", deputy.user_id);
    let id = crate::routes::members::member_id(&owner, &deputy.email).await;
    let path = format!("/org/members/{id}/roles");
    let (member, admin) = (json!({ "roleIds": ["MEMBER"] }), json!({ "roleIds": ["ADMIN"] }));

    let ending = json!({ "permissions": all_of_an_admin, "expiresAt": app.now() + Duration::from_secs(3600) });
    let _ = owner.put(&policy, ending).await.expect(200);
    let refused = deputy.put(&path, admin.clone()).await.expect(403).problem();
    assert_eq!(refused.code, "permission_missing");
    assert!(refused.message.contains("for a limited time"), "{refused:?}");
    let offer = json!({ "email": "friend@example.com", "organizationRoleId": "ADMIN" });
    let _ = deputy.post("/org/invites", offer).await.expect(403);
    let _ = deputy.patch("/org", json!({ "defaultOrgRoleId": "ADMIN" })).await.expect(403);
    let _ = owner.put(&policy, json!({ "permissions": all_of_an_admin })).await.expect(200);
    let _ = deputy.put(&path, admin).await.expect(204);
    let _ = owner.put(&path, member).await.expect(204);

    app.advance(Duration::from_secs(1));
    let _ = helper.put(&path, json!({ "roleIds": ["OWNER"] })).await.expect(204);
    let log = owner.get("/org/audit-log?action=member.set_roles").await.expect(200).json();
    assert!(log["items"][0]["actor"]["emergencyUntil"].is_string(), "{log}");
    app.deliver().await;
    let mails = app.mails();
    assert!(mails.iter().any(|mail| mail.0.to == owner.email && mail.0.text.contains("member.set_roles")));
}

/// How many members have the role Emergency, as the list of roles and the role itself say.
async fn holders(owner: &Person) -> [u64; 2] {
    let list = owner.get("/org/roles?search=emergency").await.expect(200).json();
    let role = owner.get("/org/roles/EMERGENCY").await.expect(200).json();
    [&list["items"][0]["memberCount"], &role["included"]["roles"][0]["memberCount"]]
        .map(|count| count.as_u64().unwrap())
}

#[tokio::test]
async fn the_role_emergency_is_counted_while_it_lasts_and_given_anew_after_its_end() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let helper = app.member("helper@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let id = crate::routes::members::member_id(&owner, &helper.email).await;
    let give = async |owner: &Person, roles: &[&str]| {
        let _ = owner.put(&format!("/org/members/{id}/roles"), json!({ "roleIds": roles })).await.expect(204);
    };
    assert_eq!(holders(&owner).await, [0, 0]);
    give(&owner, &["MEMBER", "EMERGENCY"]).await;
    give(&owner, &["AUDITOR", "EMERGENCY"]).await;
    assert_eq!(holders(&owner).await, [1, 1]);
    app.advance(Duration::from_secs(4 * 3600));
    let owner = Person::sign_in(&app, &owner.email, PASSWORD).await;
    assert_eq!(holders(&owner).await, [0, 0]);
    // Nobody gets it back from who could not have given it.
    let admin = app.member("admin@example.com", &owner.organization_id, &[OrganizationRole::Admin], &[]).await;
    let roles = json!({ "roleIds": ["AUDITOR", "EMERGENCY"] });
    let refused = admin.put(&format!("/org/members/{id}/roles"), roles).await.expect(403).problem();
    assert!(refused.message.contains("CanManageOwners"), "{refused:?}");
    give(&owner, &["EMERGENCY"]).await;
    assert_eq!(holders(&owner).await, [1, 1]);
    give(&owner, &["MEMBER"]).await;
    assert_eq!(holders(&owner).await, [0, 0]);
    give(&owner, &["EMERGENCY"]).await;
    let _ = owner.delete(&format!("/org/members/{id}")).await.expect(204);
    assert_eq!(holders(&owner).await, [0, 0]);
    app.deliver().await;
}

#[tokio::test]
async fn whoever_reads_in_an_emergency_is_seen_to_once_an_hour_and_login() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let helper = app.member("helper@example.com", &owner.organization_id, &[OrganizationRole::Emergency], &[]).await;
    // Their token names the organization.
    let helper = Person::sign_in(&app, &helper.email, PASSWORD).await;
    let uses = async || {
        let log = owner.get("/org/audit-log?action=emergency.use").await.expect(200).json();
        log["items"].as_array().unwrap().len()
    };
    let (answer, round_trips) = app.measure(helper.get("/org")).await;
    let _ = answer.expect(200);
    assert_eq!(round_trips, ["BatchGetItem", "TransactWriteItems"]);
    for _ in 0..3 {
        let (answer, round_trips) = app.measure(helper.get("/org")).await;
        let _ = answer.expect(200);
        assert_eq!(round_trips, ["BatchGetItem"], "told once is enough for a while");
    }
    assert_eq!(uses().await, 1);
    let second = Person::sign_in(&app, &helper.email, PASSWORD).await;
    let (one, other) = tokio::join!(second.get("/org/members"), second.get("/org/teams"));
    let _ = (one.expect(200), other.expect(200));
    assert_eq!(uses().await, 2, "two requests of one login at once are one use");
    app.deliver().await;
    let told = app.mails().iter().filter(|mail| mail.0.text.contains("emergency.use")).count();
    assert_eq!(told, 2);
    let mut later = helper.clone();
    for _ in 0..4 {
        app.advance(Duration::from_secs(14 * 60));
        later = later.refreshed().await;
    }
    let _ = later.get("/org").await.expect(200);
    assert_eq!(app.dump().of_kind("audit").filter(|row| row["data"]["action"] == "emergency.use").count(), 2);
    app.advance(Duration::from_secs(4 * 60));
    let _ = later.get("/org").await.expect(200);
    assert_eq!(app.dump().of_kind("audit").filter(|row| row["data"]["action"] == "emergency.use").count(), 3);
    // Four hours after it was given the role is gone by itself, for who looks at the member, too.
    let owner = Person::sign_in(&app, &owner.email, PASSWORD).await;
    let id = crate::routes::members::member_id(&owner, &helper.email).await;
    let roles =
        async |by: &Person| by.get(&format!("/org/members/{id}")).await.expect(200).json()["item"]["roleIds"].clone();
    assert_eq!((roles(&owner).await, holders(&owner).await), (json!(["EMERGENCY"]), [1, 1]));
    app.advance(Duration::from_secs(3 * 3600));
    let owner = Person::sign_in(&app, &owner.email, PASSWORD).await;
    assert_eq!((roles(&owner).await, holders(&owner).await), (json!([]), [0, 0]));
    let helper = Person::sign_in(&app, &helper.email, PASSWORD).await;
    let _ = helper.get("/workloads/jobs").await.expect(403);
    assert_eq!(app.dump().of_kind("audit").filter(|row| row["data"]["action"] == "emergency.use").count(), 3);
    app.deliver().await;
}
