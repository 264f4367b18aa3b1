//! Members: who is in an organization, and as what.

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Answer, Person, TestApp, build};
use serde_json::{Value, json};

/// `filter`, as it stands in a query string.
pub(super) fn filter(filter: &Value) -> String {
    let encoded: String = filter.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("filter={encoded}")
}

/// The only member with an address.
pub(crate) async fn member_id(by: &Person, email: &str) -> String {
    let page = by.get(&format!("/org/members?{}", filter(&json!({ "email": email })))).await.expect(200).json();
    assert_eq!(page["total"], 1, "{page}");
    page["items"][0]["memberId"].as_str().unwrap().to_owned()
}

fn names(page: &Answer) -> Vec<String> {
    let page = page.json();
    let ids = page["items"].as_array().unwrap().iter().map(|item| &item["memberId"]);
    let name = |id: &Value| {
        let members = page["included"]["members"].as_array().unwrap();
        members.iter().find(|member| member["id"] == *id).unwrap()["name"].as_str().unwrap().to_owned()
    };
    ids.map(name).collect()
}

async fn with_members(app: &TestApp, emails: &[&str]) -> Person {
    let owner = app.sign_up("owner@example.com").await;
    for email in emails {
        let _ = app.member(email, &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    }
    owner
}

#[tokio::test]
async fn a_founder_is_a_member_and_an_owner() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let id = member_id(&owner, "owner@example.com").await;
    let shown = owner.get(&format!("/org/members/{id}")).await.expect(200).json();
    assert_eq!(shown["item"]["roleIds"], json!(["OWNER"]));
    assert_eq!(shown["item"]["teamRoleIds"], json!({ owner.team_id.as_str(): ["TEAMADMIN"] }));
    let included = &shown["included"];
    assert_eq!(included["members"][0]["userId"], owner.user_id);
    assert_eq!(included["users"][0]["emails"][0]["email"], "owner@example.com");
    assert_eq!(included["users"][0]["auth"]["hasPassword"], true);
    assert_eq!(included["roles"][0]["memberCount"], 1);
    assert_eq!(included["teams"][0]["team"]["id"], owner.team_id);
    assert_eq!(included["teamRoles"][0]["role"]["id"], "TEAMADMIN");
}

#[tokio::test]
async fn members_are_listed_in_either_order_by_page() {
    let app = TestApp::start().await;
    let owner = with_members(&app, &["zoe@example.com", "bob@example.com", "Amy@example.com"]).await;
    let amy = member_id(&owner, "amy@").await;
    let amy_herself = Person::sign_in(&app, "Amy@example.com", mainsheet_testkit::PASSWORD).await;
    let _ = amy_herself.patch(&format!("/org/members/{amy}"), json!({ "name": "Young Amy" })).await.expect(200);
    let list = async |query: &str| owner.get(&format!("/org/members?{query}")).await.expect(200);
    let by_name = list("").await;
    assert_eq!(names(&by_name), ["bob@example.com", "owner@example.com", "Young Amy", "zoe@example.com"]);
    assert_eq!(names(&list("sortDirection=desc&limit=1").await), ["zoe@example.com"]);
    assert_eq!(names(&list("sortBy=email&limit=2").await), ["Young Amy", "bob@example.com"]);
    assert_eq!(names(&list("limit=3&page=2").await), ["zoe@example.com"]);
    app.table().hold();
    let none = list("limit=0").await.json();
    assert_eq!((&none["items"], &none["total"]), (&json!([]), &json!(4)));
}

#[tokio::test]
async fn a_filter_is_an_object_of_which_everything_has_to_match() {
    let app = TestApp::start().await;
    let owner = with_members(&app, &["zoe@example.com", "bob@example.com"]).await;
    let organization = owner.organization_id.clone();
    let _ = app
        .member("kim@example.com", &organization, &[OrganizationRole::Billing], &[(&owner.team_id, TeamRole::Viewer)])
        .await;
    let found = async |wanted: Value| names(&owner.get(&format!("/org/members?{}", filter(&wanted))).await.expect(200));
    assert_eq!(found(json!({ "name": "ZO" })).await, ["zoe@example.com"]);
    assert_eq!(found(json!({ "roleId": "BILLING" })).await, ["kim@example.com"]);
    assert_eq!(found(json!({ "teamRoleId": "VIEWER", "isEnabled": true })).await, ["kim@example.com"]);
    assert_eq!(found(json!({ "teamId": owner.team_id })).await, ["kim@example.com", "owner@example.com"]);
    assert!(found(json!({ "isEnabled": false })).await.is_empty());
    for bad in
        ["filter=x", "filter=%5B%5D", &filter(&json!({ "colour": "red" })), &filter(&json!({ "isEnabled": "yes" }))]
    {
        let refused = owner.get(&format!("/org/members?{bad}")).await.expect(422);
        assert!(refused.problem().field_errors.keys().any(|field| field.starts_with("filter")), "{refused}");
    }
}

#[tokio::test]
async fn people_change_what_is_theirs_and_managers_what_is_managed() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let bob = app.member("bob@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let path = format!("/org/members/{}", member_id(&owner, "bob@").await);
    let own = json!({ "name": "Bob", "preferences": { "theme": "dark" } });
    let changed = bob.patch(&path, own).await.expect(200);
    assert_eq!((&changed.json()["name"], &changed.json()["preferences"]["theme"]), (&json!("Bob"), &json!("dark")));
    let _ = owner.call("PATCH", &path).json(&json!({ "name": "Robert" })).if_match("\"1\"").send().await.expect(412);
    let _ = owner.patch(&path, json!({ "name": "Robert" })).await.expect(200);
    bob.patch(&path, json!({ "email": "owner@example.com" })).await.assert_names_field("email");
    bob.patch(&path, json!({ "name": "a\nb" })).await.assert_names_field("name");
    bob.patch(&path, json!({ "invitationToken": "x" })).await.assert_names_field("invitationToken");
    let odd = json!({ "preferences": { "big": 1e300, "deep": [[[[{ "": null }]]]], "": "\u{0}" } });
    assert_eq!(bob.patch(&path, odd.clone()).await.expect(200).json()["preferences"], odd["preferences"]);
    let shown = bob.get(&path).await.expect(200).json();
    assert_eq!(shown["included"]["members"][0]["preferences"], odd["preferences"]);
    let too_long = json!({ "preferences": { "text": "x".repeat(16 * 1024) } });
    bob.patch(&path, too_long).await.assert_names_field("preferences");
    let refused = bob.patch(&path, json!({ "isEnabled": true })).await.expect(403);
    assert!(refused.problem().message.contains("CanManageMembers"), "{refused}");
    let of_owner = format!("/org/members/{}", member_id(&owner, "owner@").await);
    let _ = bob.patch(&of_owner, json!({ "name": "Boss" })).await.expect(403);
}

#[tokio::test]
async fn who_is_not_let_in_is_out_at_once() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let bob = app.member("bob@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let path = format!("/org/members/{}", member_id(&owner, "bob@").await);
    let _ = owner.patch(&path, json!({ "isEnabled": false })).await.expect(200);
    let _ = bob.get("/org").await.expect(401);
    let _ = owner.patch(&path, json!({ "isEnabled": true })).await.expect(200);
    app.advance(std::time::Duration::from_secs(1));
    let bob = Person::sign_in(&app, "bob@example.com", mainsheet_testkit::PASSWORD).await;
    let _ = bob.get("/org").await.expect(200);
}

#[tokio::test]
async fn a_removed_member_reaches_nothing_and_is_counted_nowhere() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let seats = [(owner.team_id.as_str(), TeamRole::Editor)];
    let bob = app.member("bob@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await;
    let id = member_id(&owner, "bob@").await;
    let _ = bob.get("/workloads/queries").await;
    let _ = owner.delete(&format!("/org/members/{id}")).await.expect(204);
    let _ = bob.with("lakesail-organization-id", &owner.organization_id).get("/org").await.expect(404);
    app.deliver().await;
    let team = owner.get(&format!("/org/teams/{}", owner.team_id)).await.expect(200).json();
    assert_eq!(team["memberCount"], 1);
    assert_eq!(owner.get("/org/members").await.expect(200).json()["total"], 1);
    let _ = owner.delete(&format!("/org/members/{id}")).await.expect(404);
}

#[tokio::test]
async fn roles_are_replaced_and_only_owners_make_owners() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let admin = app.member("admin@example.com", &owner.organization_id, &[OrganizationRole::Admin], &[]).await;
    let bob = app.member("bob@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let id = member_id(&owner, "bob@").await;
    let path = format!("/org/members/{id}/roles");
    let roles = |roles: Value| json!({ "roleIds": roles });
    let _ = admin.put(&path, roles(json!(["BILLING", "AUDITOR", "BILLING"]))).await.expect(204);
    let shown = owner.get(&format!("/org/members/{id}")).await.expect(200).json();
    assert_eq!(shown["item"]["roleIds"], json!(["BILLING", "AUDITOR"]));
    let _ = bob.get("/workloads/jobs").await.expect(200);
    let refused = admin.put(&path, roles(json!(["OWNER"]))).await.expect(403);
    assert!(refused.problem().message.contains("CanManageOwners"), "{refused}");
    assert_eq!(owner.put(&path, roles(json!([]))).await.expect(409).problem().code, "roles_required");
    owner.put(&path, roles(json!(["NOROLE"]))).await.assert_names_field("roleIds[0]");
    let _ = bob.put(&path, roles(json!(["OWNER"]))).await.expect(403);
    let of_owner = format!("/org/members/{}", member_id(&owner, "owner@").await);
    for (method, path, body) in [
        ("PUT", format!("{of_owner}/roles"), roles(json!(["MEMBER"]))),
        ("DELETE", of_owner.clone(), Value::Null),
        ("PATCH", of_owner.clone(), json!({ "isEnabled": false })),
    ] {
        let call = |person: &Person| match body {
            Value::Null => person.call(method, &path),
            _ => person.call(method, &path).json(&body),
        };
        let _ = call(&admin).send().await.expect(403);
        assert_eq!(call(&owner).send().await.expect(409).problem().code, "last_owner", "{method}");
    }
}

#[tokio::test]
async fn whoever_makes_a_team_leads_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let team = owner.post("/org/teams", build::team("Data")).await.expect(201).json();
    let team = team["team"]["id"].as_str().unwrap();
    let shown = owner.get(&format!("/org/members/{}", member_id(&owner, "owner@").await)).await.expect(200).json();
    assert_eq!(shown["item"]["teamRoleIds"][team], json!(["TEAMADMIN"]));
}

#[tokio::test]
async fn lists_by_address_and_filter_read_no_more_than_they_need() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    for number in 0..12 {
        let _ = owner.post("/org/users", json!({ "email": format!("m{number:02}@example.com") })).await.expect(201);
    }
    let pages = async |query: &str| {
        let (answer, round_trips) = app.measure(owner.get(&format!("/org/members?{query}"))).await;
        let queries = round_trips.iter().filter(|name| *name == "Query").count();
        (answer.expect(200), queries)
    };
    let (by_address, queries) = pages("sortBy=email&sortDirection=desc&limit=2").await;
    assert_eq!((names(&by_address), queries), (vec!["owner@example.com".into(), "m11@example.com".into()], 1));
    assert_eq!(by_address.json()["total"], 13);
    assert_eq!(names(&pages("sortBy=email&limit=2&page=2").await.0), ["m02@example.com", "m03@example.com"]);
    let wanted = filter(&json!({ "email": "m0" }));
    let (found, _) = pages(&format!("{wanted}&sortBy=email&limit=4")).await;
    assert_eq!(names(&found), ["m00@example.com", "m01@example.com", "m02@example.com", "m03@example.com"]);
    assert_eq!(found.json().get("total"), None, "counting would read them all");
    let (rest, _) = pages(&format!("{wanted}&sortBy=email&limit=4&page=3")).await;
    assert_eq!(
        (names(&rest), &rest.json()["total"]),
        (vec!["m08@example.com".into(), "m09@example.com".into()], &json!(10))
    );
    app.deliver().await;
}

#[tokio::test]
async fn what_belongs_together_and_when_they_last_came() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let seats = [(owner.team_id.as_str(), TeamRole::Viewer)];
    let bob = app.member("bob@example.com", &owner.organization_id, &[OrganizationRole::Billing], &seats).await;
    app.advance(std::time::Duration::from_secs(60));
    let _ = Person::sign_in(&app, &bob.email, mainsheet_testkit::PASSWORD).await;
    let came = app.now();
    let shown = owner.get(&format!("/org/members/{}", member_id(&owner, "bob@").await)).await.expect(200).json();
    let bob = &shown["item"]["memberId"];
    assert_eq!(shown["included"]["members"][0]["lastLoginAt"], json!(came));
    let relations = &shown["included"]["_entityRelations"];
    assert_eq!(relations["memberRoles"], json!([{ "memberId": bob, "organizationRoleId": "BILLING" }]));
    let seat = json!({ "memberId": bob, "teamId": owner.team_id, "teamRoleId": "VIEWER", "isAutomatic": false });
    assert_eq!(relations["memberTeamRoles"], json!([seat]));
    let owners = owner.get(&format!("/org/members/{}", member_id(&owner, "owner@").await)).await.expect(200).json();
    let seats = owners["included"]["_entityRelations"]["memberTeamRoles"].as_array().unwrap().clone();
    assert_eq!(seats.iter().map(|seat| seat["isAutomatic"] == true).collect::<Vec<_>>(), [false, true]);
}
