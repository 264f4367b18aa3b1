//! The catalogues of roles.

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn roles_come_with_counts_permissions_and_bundles() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let seats = [(owner.team_id.as_str(), TeamRole::Viewer)];
    let bob = app.member("bob@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await;
    let page = bob.get("/org/roles").await.expect(200).json();
    let names: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|item| &item["role"]["name"]).collect();
    assert_eq!(names, ["Admin", "Auditor", "Billing", "Emergency", "Member", "Owner"]);
    assert_eq!(page["total"], 6);
    let owner_role = &page["items"][5];
    assert_eq!((&owner_role["memberCount"], &owner_role["role"]["allTeams"]), (&json!(1), &json!(true)));
    assert_eq!(page["items"][3]["role"]["breakGlass"], true);

    let shown = bob.get("/org/roles/OWNER").await.expect(200).json();
    assert_eq!(shown["included"]["roles"][0], *owner_role);
    assert_eq!(
        shown["included"]["permissions"].as_array().unwrap().len() as u64,
        owner_role["permissionCount"].as_u64().unwrap()
    );
    let bundles = shown["item"]["bundleIds"].as_array().unwrap().len();
    assert_eq!(shown["item"]["bundlePermissions"].as_object().unwrap().len(), bundles);

    let viewer = bob.get("/org/team-roles/VIEWER").await.expect(200).json();
    assert_eq!(viewer["included"]["roles"][0]["memberCount"], 1);
    let lead = bob.get("/org/team-roles/TEAMADMIN").await.expect(200).json();
    assert_eq!(lead["item"]["permissionIds"], json!(["CanManageTeams"]));
}

#[tokio::test]
async fn roles_are_searched_by_name_and_description() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let found = async |path: &str| -> Vec<String> {
        let page = owner.get(path).await.expect(200).json();
        let id = |item: &Value| item["role"]["id"].as_str().unwrap().to_owned();
        page["items"].as_array().unwrap().iter().map(id).collect()
    };
    assert_eq!(found("/org/roles?search=COST").await, ["BILLING"]);
    assert_eq!(found("/org/roles?search=admin").await, ["ADMIN"]);
    assert_eq!(found("/org/team-roles?sortDirection=desc&limit=2").await, ["VIEWER", "TEAMADMIN"]);
    assert_eq!(found("/org/team-roles?limit=2&page=2").await, ["VIEWER"]);
    for path in ["/org/roles/VIEWER", "/org/team-roles/OWNER", "/org/roles/NOROLE"] {
        let _ = owner.get(path).await.expect(404);
    }
}
