//! The organization, and people who belong to several.

use mainsheet_core::role::OrganizationRole;
use mainsheet_testkit::{TestApp, build};
use serde_json::json;

#[tokio::test]
async fn what_is_given_changes_and_the_rest_stays() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let before = owner.get("/org").await.expect(200);
    let settings = json!({ "sessions": { "maxRunningWorkloads": 3 } });
    let body = json!({ "name": "Acme", "slug": "acme", "settings": settings });
    let changed = owner.patch("/org", body).await.expect(200);
    assert_ne!(before.etag(), changed.etag());
    let (before, after) = (before.json(), owner.get("/org").await.expect(200));
    assert_eq!((after.json(), after.etag()), (changed.json(), changed.etag()));
    assert_eq!((&changed.json()["name"], &changed.json()["slug"]), (&json!("Acme"), &json!("acme")));
    assert_eq!(changed.json()["settings"]["sessions"]["maxRunningWorkloads"], 3);
    assert_eq!(changed.json()["settings"]["auth"], before["settings"]["auth"]);
    for field in ["id", "defaultTeamId", "defaultOrgRoleId", "createdAt"] {
        assert_eq!(changed.json()[field], before[field], "{field}");
    }
}

#[tokio::test]
async fn a_slug_belongs_to_one_organization_until_it_is_given_up() {
    let app = TestApp::start().await;
    let (one, other) = (app.sign_up("one@example.com").await, app.sign_up("other@example.com").await);
    let take = async |person: &mainsheet_testkit::Person, slug: &str| {
        person.patch("/org", json!({ "slug": slug })).await.status.as_u16()
    };
    assert_eq!(take(&one, "acme").await, 200);
    assert_eq!(take(&one, "acme").await, 200, "one's own slug again");
    let before = app.dump();
    assert_eq!(take(&other, "acme").await, 409);
    app.dump().assert_same_as(&before, "a slug that is taken");
    assert_eq!(take(&one, "acme-corp").await, 200);
    assert_eq!(take(&other, "acme").await, 200, "given up, it can be taken");
}

#[tokio::test]
async fn defaults_have_to_be_the_organizations_own() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let stranger = app.sign_up("stranger@example.com").await;
    let answer = owner.patch("/org", json!({ "defaultTeamId": stranger.team_id })).await;
    answer.assert_names_field("defaultTeamId");
    for role in ["NOROLE", "OWNER", "EMERGENCY"] {
        owner.patch("/org", json!({ "defaultOrgRoleId": role })).await.assert_names_field("defaultOrgRoleId");
    }
    // Nobody gives to whoever comes what they could not give to one person.
    let keeper = app.member("keeper@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let policy = json!({ "permissions": ["CanManageOrganization"] });
    let _ = owner.put(&format!("/org/policies/user:{}", keeper.user_id), policy).await.expect(200);
    let _ = keeper.patch("/org", json!({ "defaultOrgRoleId": "ADMIN" })).await.expect(403);
    let _ = keeper.patch("/org", json!({ "defaultOrgRoleId": "MEMBER" })).await.expect(200);
    let _ = owner.patch("/org", json!({ "defaultOrgRoleId": "ADMIN" })).await.expect(200);
}

#[tokio::test]
async fn a_way_in_stays_open() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let closed = json!({ "settings": { "auth": { "allowLoginWithPassword": false, "allowLoginWithEmail": false } } });
    let before = app.dump();
    let refused = owner.patch("/org", closed.clone()).await.expect(409).problem();
    assert_eq!(refused.code, "identity_provider_required");
    app.dump().assert_same_as(&before, "a door that cannot be shut");
    let half = json!({ "settings": { "auth": { "allowLoginWithPassword": false } } });
    let _ = owner.patch("/org", half).await.expect(200);
    let rest = json!({ "settings": { "auth": { "allowLoginWithEmail": false } } });
    let _ = owner.patch("/org", rest).await.expect(409);

    let admin = app.member("admin@example.com", &owner.organization_id, &[OrganizationRole::Admin], &[]).await;
    let of_admin = admin.create("/auth/idps", build::identity_provider("https://zero.example")).await;
    let refused = owner.patch("/org", closed.clone()).await.expect(409).problem();
    assert_eq!(refused.code, "identity_provider_required", "it would let no Owner in");
    let first = owner.create("/auth/idps", build::identity_provider("https://one.example")).await;
    let _ = owner.patch("/org", closed).await.expect(200);
    let refused = owner.delete(&format!("/auth/idps/{first}")).await.expect(409).problem();
    assert_eq!(refused.code, "last_identity_provider");
    let second = owner.create("/auth/idps", build::identity_provider("https://two.example")).await;
    let paths = [format!("/auth/idps/{first}"), format!("/auth/idps/{second}")];
    let (one, other) = tokio::join!(owner.delete(&paths[0]), owner.delete(&paths[1]));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409], "{one}, {other}");

    // What is left is the Owners' way in: nobody else takes it from them, nor stands in for it.
    let left = if one.status.as_u16() == 204 { &paths[1] } else { &paths[0] };
    let moved = json!({ "configWrite": { "oidc": { "scopes": ["openid"] } } });
    let before = app.dump();
    for answer in [admin.patch(left, moved.clone()).await, admin.delete(left).await, owner.delete(left).await] {
        assert_eq!(answer.expect(409).problem().code, "last_identity_provider");
    }
    app.dump().assert_same_as(&before, "the Owners' way in");
    let _ = owner.patch(left, moved).await.expect(200);
    let _ = admin.delete(&format!("/auth/idps/{of_admin}")).await.expect(204);

    let open = json!({ "settings": { "auth": { "allowLoginWithEmail": true } } });
    let _ = owner.patch("/org", open).await.expect(200);
    let left = owner.get("/auth/idps").await.expect(200).json();
    let left = left["items"][0]["id"].as_str().unwrap().to_owned();
    let _ = owner.delete(&format!("/auth/idps/{left}")).await.expect(204);
}

#[tokio::test]
async fn members_of_several_organizations_name_one() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let guest = app.sign_up("guest@example.com").await;
    app.join(&guest, &owner.organization_id, &[OrganizationRole::Auditor], &[]).await;

    let problem = guest.get("/org").await.expect(400).problem();
    assert_eq!(problem.code, "organization_required");
    for id in [&owner.organization_id, &guest.organization_id] {
        assert!(problem.message.contains(id.as_str()), "{}", problem.message);
        let named = guest.with("lakesail-organization-id", id);
        assert_eq!(named.get("/org").await.expect(200).text("id"), *id);
    }
    let choices = guest.get("/me/organizations").await.expect(200).json();
    assert_eq!(choices["items"].as_array().unwrap().len(), 2);
    let _ = guest.with("lakesail-organization-id", "not an id").get("/org").await.expect(400);
    let _ = guest.with("lakesail-organization-id", "NOSUCHORGANIZATION").get("/org").await.expect(404);
}
