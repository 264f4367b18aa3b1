//! Who sits in a team, and what becomes of the seats.

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Person, TestApp, build};
use serde_json::{Value, json};

use super::members::member_id;

/// An owner, a second team, and a member without a seat.
async fn company(app: &TestApp) -> (Person, String, Person, String) {
    let owner = app.sign_up("owner@example.com").await;
    let team = owner.post("/org/teams", build::team("Data")).await.expect(201).json();
    let team = team["team"]["id"].as_str().unwrap().to_owned();
    let bob = app.member("bob@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let id = member_id(&owner, "bob@").await;
    (owner, team, bob, id)
}

#[tokio::test]
async fn a_seat_gives_the_teams_default_role_until_it_is_changed_or_taken() {
    let app = TestApp::start().await;
    let (owner, team, bob, id) = company(&app).await;
    let (list, seat) = (format!("/org/teams/{team}/members"), format!("/org/teams/{team}/members/{id}"));
    let refused = bob.get(&list).await.expect(403);
    assert!(refused.problem().message.contains("CanManageTeams"), "{refused}");
    let added = owner.post(&seat, json!({})).await.expect(201).json();
    assert_eq!((&added["memberId"], &added["isAutomatic"]), (&json!(id), &json!(false)));
    let _ = bob.post("/workloads/queries", build::query("mine", &team)).await.expect(201);
    assert_eq!(owner.post(&seat, json!({})).await.expect(409).problem().code, "already_seated");

    let page = bob.get(&list).await.expect(200).json();
    assert_eq!(page["total"], 2);
    let item = page["items"].as_array().unwrap().iter().find(|item| item["memberId"] == id.as_str()).unwrap().clone();
    assert_eq!((&item["teamRoleIds"], &item["isAutomatic"]), (&json!(["EDITOR"]), &json!(false)));

    let roles = format!("{seat}/roles");
    let _ = owner.put(&roles, json!({ "roleIds": ["VIEWER"] })).await.expect(204);
    let _ = bob.post("/workloads/queries", build::query("another", &team)).await.expect(403);
    assert_eq!(owner.put(&roles, json!({ "roleIds": [] })).await.expect(409).problem().code, "roles_required");
    owner.put(&roles, json!({ "roleIds": ["OWNER"] })).await.assert_names_field("roleIds[0]");

    let _ = owner.delete(&seat).await.expect(204);
    let _ = owner.delete(&seat).await.expect(404);
    let _ = owner.put(&roles, json!({ "roleIds": ["VIEWER"] })).await.expect(404);
    let team = owner.get(&format!("/org/teams/{team}")).await.expect(200).json();
    assert_eq!(team["memberCount"], 1);
}

#[tokio::test]
async fn a_role_in_all_teams_is_an_automatic_seat() {
    let app = TestApp::start().await;
    let (owner, team, _, _) = company(&app).await;
    let _ = app.member("admin@example.com", &owner.organization_id, &[OrganizationRole::Admin], &[]).await;
    let id = member_id(&owner, "admin@").await;
    let list = format!("/org/teams/{team}/members");
    let page = owner.get(&format!("{list}?sortBy=email")).await.expect(200).json();
    assert_eq!((&page["items"][0]["memberId"], &page["items"][0]["isAutomatic"]), (&json!(id), &json!(true)));
    assert_eq!(owner.delete(&format!("{list}/{id}")).await.expect(409).problem().code, "automatic_seat");
    let _ = owner.put(&format!("/org/members/{id}/roles"), json!({ "roleIds": ["MEMBER"] })).await.expect(204);
    assert_eq!(owner.get(&list).await.expect(200).json()["total"], 1);
}

#[tokio::test]
async fn a_team_admin_manages_their_team_and_no_other() {
    let app = TestApp::start().await;
    let (owner, team, _, id) = company(&app).await;
    let seats = [(team.as_str(), TeamRole::Admin)];
    let lead = app.member("lead@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await;
    let _ = lead.post(&format!("/org/teams/{team}/members/{id}"), json!({ "roleIds": ["VIEWER"] })).await.expect(201);
    let renamed = lead.patch(&format!("/org/teams/{team}"), json!({ "name": "Ours", "defaultRoleId": "VIEWER" })).await;
    let renamed = renamed.expect(200).json();
    assert_eq!((&renamed["team"]["name"], &renamed["memberCount"]), (&json!("Ours"), &json!(3)));
    let _ = lead.patch(&format!("/org/teams/{}", owner.team_id), json!({ "name": "Mine" })).await.expect(403);
    let _ = lead.post(&format!("/org/teams/{}/members/{id}", owner.team_id), json!({})).await.expect(403);
    let _ = lead.delete(&format!("/org/teams/{team}")).await.expect(403);
}

#[tokio::test]
async fn a_deleted_team_leaves_nobody_a_seat() {
    let app = TestApp::start().await;
    let (owner, team, bob, id) = company(&app).await;
    let _ = owner.post(&format!("/org/teams/{team}/members/{id}"), json!({})).await.expect(201);
    let query = bob.create("/workloads/queries", build::query("theirs", &team)).await;
    let default = format!("/org/teams/{}", owner.team_id);
    assert_eq!(owner.delete(&default).await.expect(409).problem().code, "default_team");
    let _ = owner.delete(&format!("/org/teams/{team}")).await.expect(204);
    let _ = owner.get(&format!("/org/teams/{team}/members")).await.expect(404);
    app.deliver().await;
    let _ = bob.get(&format!("/workloads/queries/{query}")).await.expect(404);
    let _ = owner.get(&format!("/workloads/queries/{query}")).await.expect(200);
    let shown = owner.get(&format!("/org/members/{id}")).await.expect(200).json();
    assert_eq!(shown["item"]["teamRoleIds"], json!({}));
    assert_eq!(owner.get("/org/teams").await.expect(200).json()["total"], 1);
    assert_eq!(app.dump().of_kind("seat").filter(|row| row["pk"].as_str().unwrap().contains(&team)).count(), 0);
}

#[tokio::test]
async fn my_teams_are_those_i_sit_in() {
    let app = TestApp::start().await;
    let (owner, team, bob, id) = company(&app).await;
    let mine = async |person: &Person| -> Vec<String> {
        let list = person.get("/me/teams").await.expect(200).json();
        let name = |team: &Value| team["name"].as_str().unwrap().to_owned();
        list["items"].as_array().unwrap().iter().map(name).collect()
    };
    assert_eq!(mine(&owner).await, ["Data", "Default"]);
    assert!(mine(&bob).await.is_empty());
    let _ = owner.post(&format!("/org/teams/{team}/members/{id}"), json!({})).await.expect(201);
    assert_eq!(mine(&bob).await, ["Data"]);
}
