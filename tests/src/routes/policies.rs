//! Policies: what people, teams and service accounts are given besides roles.

use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Person, TestApp, build};
use serde_json::{Value, json};

fn grant(permissions: &[&str]) -> Value {
    json!({ "permissions": permissions })
}

async fn plain_member(app: &TestApp, owner: &Person, email: &str) -> Person {
    let seats = [(owner.team_id.as_str(), TeamRole::Viewer)];
    app.member(email, &owner.organization_id, &[OrganizationRole::Member], &seats).await
}

#[tokio::test]
async fn a_policy_counts_from_the_next_request_until_it_is_deleted() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let member = plain_member(&app, &owner, "member@example.com").await;
    let path = format!("/org/policies/user%3A{}", member.user_id);
    let refused = member.get("/org/policies").await.expect(403).problem();
    assert!(refused.message.contains("CanManagePolicies"), "{refused:?}");
    let _ = owner.get(&path).await.expect(404);

    let set = owner.put(&path, grant(&["CanViewClusters", "CanManagePolicies", "CanViewClusters"])).await.expect(200);
    let policy = set.json();
    assert_eq!(policy["principal"], json!({ "type": "user", "id": member.user_id }));
    assert_eq!(policy["permissions"], json!(["CanManagePolicies", "CanViewClusters"]));
    let listed = member.get("/org/policies").await.expect(200).json();
    assert_eq!(listed, json!({ "items": [policy] }));
    let shown = owner.get(&path).await.expect(200);
    assert_eq!((shown.json(), shown.etag()), (policy.clone(), set.etag()));

    app.advance(Duration::from_secs(1));
    let replaced = owner.call("PUT", &path).json(&grant(&["CanViewBilling"])).if_match(&set.etag()).send().await;
    let replaced = replaced.expect(200);
    assert_eq!(
        (&replaced.json()["createdAt"], &replaced.json()["permissions"]),
        (&policy["createdAt"], &json!(["CanViewBilling"]))
    );
    // A member is the user they are.
    let id = member.get("/me/permissions").await.expect(200).text("memberId");
    assert_eq!(owner.get(&format!("/org/policies/member%3A{id}")).await.expect(200).json(), replaced.json());
    let _ = member.get("/org/policies").await.expect(403);
    let _ = owner.call("DELETE", &path).if_match(&set.etag()).send().await.expect(412);
    let _ = owner.delete(&path).await.expect(204);
    let _ = owner.delete(&path).await.expect(404);
    assert_eq!(member.get("/me/permissions").await.expect(200).json()["permissions"], json!([]));
}

#[tokio::test]
async fn a_team_is_given_what_all_who_sit_in_it_may_do() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let member = plain_member(&app, &owner, "member@example.com").await;
    let outsider = app.member("out@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let path = format!("/org/policies/team:{}", owner.team_id);
    let _ = owner.put(&path, grant(&["CanViewQueries"])).await.expect(200);
    let _ = member.get("/workloads/queries").await.expect(200);
    let _ = outsider.get("/workloads/queries").await.expect(403);
    let _ = owner.delete(&path).await.expect(204);
    let _ = member.get("/workloads/queries").await.expect(403);
}

#[tokio::test]
async fn a_policy_ends_by_itself() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let member = plain_member(&app, &owner, "member@example.com").await;
    let path = format!("/org/policies/user:{}", member.user_id);
    let body = json!({ "permissions": ["CanViewQueries"], "expiresAt": app.now() + Duration::from_secs(60) });
    let _ = owner.put(&path, body).await.expect(200);
    app.advance(Duration::from_secs(59));
    let _ = member.get("/workloads/queries").await.expect(200);
    app.advance(Duration::from_secs(1));
    let _ = member.get("/workloads/queries").await.expect(403);
    let past = json!({ "permissions": [], "expiresAt": app.now() });
    owner.put(&path, past).await.assert_names_field("expiresAt");
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_hold_nor_for_longer() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let deputy = plain_member(&app, &owner, "deputy@example.com").await;
    let until = app.now() + Duration::from_secs(3600);
    let path = format!("/org/policies/user:{}", deputy.user_id);
    let body = json!({ "permissions": ["CanManagePolicies", "CanViewBilling"], "expiresAt": until });
    let _ = owner.put(&path, body).await.expect(200);
    let other = format!("/org/policies/team:{}", owner.team_id);
    let before = app.dump();
    let refused = deputy.put(&other, grant(&["CanManageClusters"])).await.expect(403).problem();
    assert!(refused.message.contains("CanManageClusters"), "{refused:?}");
    let _ = deputy.put(&path, grant(&["CanManagePolicies"])).await.expect(403);
    app.dump().assert_same_as(&before, "what is refused changes nothing");
    let limited = json!({ "permissions": ["CanViewBilling"], "expiresAt": until });
    let _ = deputy.put(&other, limited).await.expect(200);
    let admin = app.member("admin@example.com", &owner.organization_id, &[OrganizationRole::Admin], &[]).await;
    let _ = admin.put(&other, grant(&["CanManageClusters"])).await.expect(200);
}

#[tokio::test]
async fn what_cannot_be_granted_is_named() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let path = format!("/org/policies/user:{}", owner.user_id);
    owner.put(&path, grant(&["CanViewJobs", "CanFly"])).await.assert_names_field("permissions[1]");
    owner.put(&path, grant(&["CanManageOwners"])).await.assert_names_field("permissions[0]");
    owner.put(&path, grant(&["Can\u{0}"])).await.assert_names_field("permissions[0]");
    owner.put(&path, json!({ "permissions": [], "roles": [] })).await.assert_names_field("roles");
}

#[tokio::test]
async fn principals_are_well_formed_and_of_the_organization() {
    let app = TestApp::start().await;
    let (owner, stranger) = (app.sign_up("owner@example.com").await, app.sign_up("stranger@example.com").await);
    for malformed in ["nobody", "user:", "user:lower", "role:OWNER", "user:A:B", "team:%00"] {
        let _ = owner.put(&format!("/org/policies/{malformed}"), grant(&[])).await.expect(400);
    }
    let before = app.dump();
    let foreign = [
        format!("user:{}", stranger.user_id),
        format!("team:{}", stranger.team_id),
        "user:ABSENT".to_owned(),
        "member:ABSENT".to_owned(),
        "team:ABSENT".to_owned(),
        "serviceAccount:ABSENT".to_owned(),
    ];
    for principal in foreign {
        let path = format!("/org/policies/{principal}");
        let refused =
            [owner.put(&path, grant(&["CanViewJobs"])).await, owner.get(&path).await, owner.delete(&path).await];
        for answer in refused {
            let _ = answer.expect(404);
        }
    }
    app.dump().assert_same_as(&before, "what is refused changes nothing");
}

#[tokio::test]
async fn nobody_brings_people_into_a_default_team_whose_policy_gives_more_than_they_hold() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let deputy = app.member("deputy@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let robot = owner.create("/org/service-accounts", json!({ "username": "deputy", "description": "" })).await;
    let key = owner.post(&format!("/org/service-accounts/{robot}/keys"), json!({})).await.expect(201).text("key");
    let may = ["CanManageMembers", "CanManageUsers", "CanManageOrganization"];
    for principal in [format!("user:{}", deputy.user_id), format!("serviceAccount:{robot}")] {
        let _ = owner.put(&format!("/org/policies/{principal}"), grant(&may)).await.expect(200);
    }
    let other = owner.post("/org/teams", build::team("other")).await.expect(201).json();
    let other = other["team"]["id"].as_str().unwrap();
    let of_teams = [owner.team_id.as_str(), other].map(|team| format!("/org/policies/team:{team}"));
    for of_team in &of_teams {
        let _ = owner.put(of_team, grant(&["CanManageClusters"])).await.expect(200);
    }
    let requests = |name: &str| {
        let email = format!("{name}@example.com");
        [
            ("POST", "/org/invites", json!({ "email": email, "organizationRoleId": "MEMBER" }), 201),
            ("POST", "/org/users", json!({ "email": email }), 201),
            ("PATCH", "/org", json!({ "defaultTeamId": other }), 200),
        ]
    };
    let robot = app.anonymous().bearer(&key);
    for (name, by) in [("one", &deputy.client), ("two", &robot)] {
        for (method, path, body, _) in requests(name) {
            let refused = by.call(method, path).json(&body).send().await.expect(403).problem();
            assert!(refused.message.contains("CanManageClusters"), "{refused:?}");
        }
        let _ = by.patch("/org", json!({ "name": "Renamed", "defaultTeamId": owner.team_id })).await.expect(200);
    }
    for of_team in &of_teams {
        let _ = owner.delete(of_team).await.expect(204);
    }
    for (name, by) in [("one", &deputy.client), ("two", &robot)] {
        for (method, path, body, status) in requests(name) {
            let _ = by.call(method, path).json(&body).send().await.expect(status);
        }
    }
    app.deliver().await;
}

#[tokio::test]
async fn nobody_seats_people_in_a_team_whose_policy_gives_more_than_they_hold() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let deputy = app.member("deputy@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let _ = owner.put(&format!("/org/policies/user:{}", deputy.user_id), grant(&["CanManageTeams"])).await.expect(200);
    let _ =
        owner.put(&format!("/org/policies/team:{}", owner.team_id), grant(&["CanManageClusters"])).await.expect(200);
    let id = deputy.get("/me/permissions").await.expect(200).text("memberId");
    let seat = format!("/org/teams/{}/members/{id}", owner.team_id);
    let refused = deputy.post(&seat, json!({})).await.expect(403).problem();
    assert!(refused.message.contains("CanManageClusters"), "{refused:?}");
    let _ = owner.delete(&format!("/org/policies/team:{}", owner.team_id)).await.expect(204);
    let _ = deputy.post(&seat, json!({})).await.expect(201);
    app.deliver().await;
}
