//! Provisioned catalogs, and the logical ones in front of them.

use mainsheet_core::catalog::CatalogSettings;
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::infrastructure::{catalog, success, tenant};
use mainsheet_testkit::{Answer, TestApp, build};
use serde_json::json;

fn code(answer: Answer) -> String {
    answer.expect(409).problem().code
}

#[tokio::test]
async fn a_provisioned_catalog_is_a_logical_one_and_takes_it_along() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let network = app.network(&owner, &connection, "main").await;
    let catalogs = format!("/infra/connections/{connection}/catalogs");
    owner.post(&catalogs, catalog("sail", &network)).await.assert_names_field("name");
    let _ = owner.post("/workloads/catalogs", build::catalog("Taken", &owner.team_id)).await.expect(201);
    assert_eq!(code(owner.post(&catalogs, catalog("taken", &network)).await), "catalog_name_taken");

    let body = build::with(catalog("lake", &network), "/teamIds", json!([owner.team_id]));
    let created = owner.post(&catalogs, body).await.expect(201);
    let (id, path) = (created.text("id"), format!("{catalogs}/{}", created.text("id")));
    let changed = owner.patch(&path, json!({ "config": { "catalogName": "sea" } })).await.expect(200);
    assert_eq!(changed.json()["config"], json!({ "catalogName": "sea" }));
    let provision = owner.act(&format!("{path}/provision")).await.expect(202).text("id");
    let settings = CatalogSettings::Glue { region: "us-east-1".into(), default_database: None, endpoint_url: None };
    for _ in 0..2 {
        app.store().publish_provisioned_catalog(&tenant(&owner), &id.parse().unwrap(), &settings).await.unwrap();
    }
    app.settle(&owner, &provision, &success()).await;

    let logical = format!("/workloads/catalogs/{id}");
    let shown = owner.get(&logical).await.expect(200).json();
    assert_eq!((&shown["name"], &shown["provider"]), (&json!("lake"), &json!("glue")));
    let mine = owner.get("/me/catalogs").await.expect(200).json();
    assert!(mine["items"].as_array().unwrap().iter().any(|item| item["catalogId"] == id.as_str()), "{mine}");
    assert_eq!(code(owner.delete(&logical).await), "catalog_provisioned");
    assert_eq!(code(owner.patch(&logical, json!({ "name": "other" })).await), "catalog_provisioned");
    assert_eq!(code(owner.patch(&path, json!({ "config": { "catalogName": "lake" } })).await), "not_pending");
    let _ = owner.patch(&path, json!({ "name": "ocean" })).await.expect(200);
    assert_eq!(owner.get(&logical).await.expect(200).text("name"), "ocean", "both have the new name");

    let destroy = owner.delete(&path).await.expect(202).text("id");
    app.settle(&owner, &destroy, &success()).await;
    let _ = owner.get(&logical).await.expect(404);
    let _ = owner.post(&catalogs, catalog("ocean", &network)).await.expect(201);
    assert_eq!(code(owner.patch(&path, json!({ "name": "ghost" })).await), "destroyed");
    let _ = owner.delete(&format!("/infra/catalogs/{id}")).await.expect(204);
    let listed = owner.get("/infra/catalogs").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    app.deliver().await;
}

#[tokio::test]
async fn lists_of_catalogs_show_what_is_behind_them() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let network = app.network(&owner, &connection, "main").await;
    let memory = owner.create("/workloads/catalogs", build::catalog("memory", &owner.team_id)).await;
    let catalogs = format!("/infra/connections/{connection}/catalogs");
    let body = build::with(catalog("lake", &network), "/teamIds", json!([owner.team_id]));
    let id = owner.create(&catalogs, body).await;
    let path = format!("{catalogs}/{id}");
    let provision = owner.act(&format!("{path}/provision")).await.expect(202).text("id");
    let settings = CatalogSettings::Glue { region: "us-east-1".into(), default_database: None, endpoint_url: None };
    app.store().publish_provisioned_catalog(&tenant(&owner), &id.parse().unwrap(), &settings).await.unwrap();
    app.settle(&owner, &provision, &success()).await;
    let behind = owner.get(&path).await.expect(200).json();
    assert_eq!(behind["status"], "active");
    let seats = [(owner.team_id.as_str(), TeamRole::Viewer)];
    let viewer = app.member("viewer@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await;

    let of_team = format!("/workloads/teams/{}/catalogs", owner.team_id);
    // What is behind a catalog is for those who may see all of them.
    let lists = [
        (&owner, "/me/catalogs", json!([behind])),
        (&owner, "/workloads/catalogs", json!([behind])),
        (&owner, of_team.as_str(), json!([behind])),
        (&viewer, "/me/catalogs", json!([])),
        (&viewer, of_team.as_str(), json!([])),
    ];
    for (person, list, expected) in lists {
        let page = person.get(list).await.expect(200).json();
        let item = |id: &str| page["items"].as_array().unwrap().iter().find(|item| item["catalogId"] == id).unwrap();
        assert_eq!(item(&id)["externalCatalogIds"], json!([id]), "{list}");
        assert_eq!(item(&memory)["externalCatalogIds"], json!([]), "{list}");
        assert_eq!(page["included"]["externalCatalogs"], expected, "{list}");
    }
    app.deliver().await;
}
