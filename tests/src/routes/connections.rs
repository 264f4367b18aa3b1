//! Connections: what is kept of a cloud account, and what stands against its end.

use mainsheet_core::operation::FailureCode;
use mainsheet_core::role::OrganizationRole;
use mainsheet_store::operations::Left;
use mainsheet_testkit::TestApp;
use mainsheet_testkit::infrastructure::{ACCOUNT, REGION, ROLE, failure, network, success};
use serde_json::json;

#[tokio::test]
async fn a_connection_begins_pending_and_keeps_its_external_id_to_itself() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let body = json!({ "name": "prod", "provider": "aws", "providerConfig": { "accountId": ACCOUNT } });
    let created = owner.post("/infra/connections", body).await.expect(201);
    let config = json!({ "accountId": ACCOUNT, "region": REGION });
    assert_eq!((created.text("status"), &created.json()["providerConfig"]), ("pending".to_owned(), &config));
    let path = format!("/infra/connections/{}", created.text("id"));
    let shown = owner.get(&path).await.expect(200);
    assert_eq!((shown.etag(), shown.json()), (created.etag(), created.json()));

    let kept = app.dump();
    let row = kept.of_kind("connection").next().unwrap();
    assert_eq!(row["data"]["externalId"].as_object().unwrap().len(), 2, "sealed: {row}");

    let change = json!({ "name": "staging", "providerConfig": { "region": "eu-central-1" } });
    let changed = owner.call("PATCH", &path).json(&change).if_match(&created.etag()).send().await.expect(200);
    assert_eq!(changed.text("name"), "staging");
    assert_eq!(changed.json()["providerConfig"]["region"], "eu-central-1");
    let _ = owner.call("PATCH", &path).json(&change).if_match(&created.etag()).send().await.expect(412);
    let _ = owner.delete(&path).await.expect(204);
    let _ = owner.get(&path).await.expect(404);
}

#[tokio::test]
async fn what_the_platform_finds_out_itself_is_refused() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let before = app.dump();
    let create = async |config| {
        owner.post("/infra/connections", json!({ "name": "prod", "provider": "aws", "providerConfig": config })).await
    };
    for (config, field) in [
        (json!({ "roleArn": ROLE }), "providerConfig.roleArn"),
        (json!({ "stackArn": "arn:aws:cloudformation:x" }), "providerConfig.stackArn"),
        (json!({ "externalIdSecretArn": "arn:aws:secretsmanager:x" }), "providerConfig.externalIdSecretArn"),
        (json!({ "accountId": "123" }), "providerConfig.accountId"),
        (json!({ "region": "mars-north-1" }), "providerConfig.region"),
    ] {
        create(config).await.assert_names_field(field);
    }
    let other = json!({ "name": "prod", "provider": "gcp" });
    owner.post("/infra/connections", other).await.assert_names_field("provider");
    app.dump().assert_same_as(&before, "refused connections");
}

#[tokio::test]
async fn the_account_of_a_verified_connection_stays() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let path = format!("/infra/connections/{}", app.connection(&owner, "prod").await);
    let other = json!({ "providerConfig": { "accountId": "210987654321" } });
    assert_eq!(owner.patch(&path, other).await.expect(409).problem().code, "account_verified");
    let _ = owner.patch(&path, json!({ "providerConfig": { "accountId": ACCOUNT } })).await.expect(200);
}

#[tokio::test]
async fn a_connection_stays_while_something_lives_in_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let path = format!("/infra/connections/{connection}");
    let id = app.network(&owner, &connection, "main").await;
    assert_eq!(owner.delete(&path).await.expect(409).problem().code, "not_empty");

    let destroyed = owner.delete(&format!("{path}/networks/{id}")).await.expect(202);
    assert_eq!(owner.delete(&path).await.expect(409).problem().code, "not_empty", "it is being destroyed");
    app.settle(&owner, &destroyed.text("id"), &failure(FailureCode::DependencyExists, Left::Unusable)).await;
    assert_eq!(owner.delete(&path).await.expect(409).problem().code, "not_empty", "it may be there");
    let again = owner.delete(&format!("{path}/networks/{id}")).await.expect(202);
    app.settle(&owner, &again.text("id"), &success()).await;

    let pending = app.pending_network(&owner, &connection, "second").await;
    assert_eq!(owner.delete(&path).await.expect(409).problem().code, "not_empty");
    let _ = owner.delete(&format!("/infra/networks/{pending}")).await.expect(204);
    let _ = owner.delete(&path).await.expect(204);
    let _ = owner.delete(&format!("/infra/networks/{id}")).await.expect(204);
    app.deliver().await;
}

#[tokio::test]
async fn nothing_comes_to_live_in_a_connection_that_goes() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    for round in 0..10 {
        let connection = app.connection(&owner, "prod").await;
        let path = format!("/infra/connections/{connection}");
        let (networks, body) = (format!("{path}/networks"), network("main"));
        let (made, gone) = tokio::join!(owner.post(&networks, body), owner.delete(&path));
        let there = owner.get(&path).await.status.as_u16();
        match made.status.as_u16() {
            201 => assert_eq!((gone.status.as_u16(), there), (409, 200), "round {round}: {gone}"),
            404 | 409 => assert_eq!((gone.status.as_u16(), there), (204, 404), "round {round}: {made}"),
            _ => panic!("{made}"),
        }
    }
}

#[tokio::test]
async fn a_stack_is_synced_once_at_a_time() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let fresh = owner.create("/infra/connections", json!({ "name": "fresh", "provider": "aws" })).await;
    let refused = owner.act(&format!("/infra/connections/{fresh}/sync-template")).await.expect(409);
    assert_eq!(refused.problem().code, "connection_not_active");

    let connection = app.connection(&owner, "prod").await;
    let path = format!("/infra/connections/{connection}");
    let first = owner.act(&format!("{path}/sync-template")).await.expect(202);
    assert_eq!(
        (first.text("operation"), first.text("resourceType")),
        ("connection.sync_template".into(), "connection".into())
    );
    let second = owner.act(&format!("{path}/sync-template")).await.expect(409).problem();
    assert_eq!(second.code, "operation_in_progress");
    assert!(second.message.contains(&first.text("id")), "{}", second.message);
    assert_eq!(owner.delete(&path).await.expect(409).problem().code, "operation_in_progress");
    let listed = owner.get("/infra/connections").await.expect(200).json();
    assert_eq!(listed["included"]["operations"][0]["id"], first.text("id"));

    app.settle(&owner, &first.text("id"), &success()).await;
    let synced = owner.get(&path).await.expect(200);
    assert_eq!(synced.text("templateSyncedAt"), app.now().to_string());
    let third = owner.act(&format!("{path}/sync-template")).await.expect(202).text("id");
    app.settle(&owner, &third, &failure(FailureCode::RoleNotAssumable, Left::AsBefore)).await;
    let lost = owner.get(&path).await.expect(200);
    assert_eq!(lost.text("status"), "failed", "an account that lets the platform in no more");
    assert_eq!(lost.text("statusMessage"), "It went wrong. Set it right.");
    app.deliver().await;
}

#[tokio::test]
async fn auditors_see_connections_and_change_nothing() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let auditor = app.member("auditor@example.com", &owner.organization_id, &[OrganizationRole::Auditor], &[]).await;
    let path = format!("/infra/connections/{connection}");
    let _ = auditor.get(&path).await.expect(200);
    let _ = auditor.patch(&path, json!({ "name": "mine" })).await.expect(403);
    let network = app.pending_network(&owner, &connection, "main").await;
    let provision = format!("{path}/networks/{network}/provision");
    let operation = owner.act(&provision).await.expect(202).text("id");
    let _ = auditor.get(&format!("/operations/{operation}")).await.expect(200);
    let _ = auditor.delete(&format!("/operations/{operation}")).await.expect(403);
    let member = app.member("member@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    let _ = member.get(&format!("/operations/{operation}")).await.expect(404);
    let _ = member.delete(&format!("/operations/{operation}")).await.expect(404);
    app.deliver().await;
}

/// The names are the parameters' own, however they are spelt.
#[tokio::test]
async fn filters_that_cannot_be_are_refused_by_the_name_they_came_by() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let path = format!("/infra/connections/{}/instance-types", app.connection(&owner, "prod").await);
    let wrong = ["minVCpus=0", "minVCpus=x", "minMemoryMiB=1023", "architecture=sparc", "region=here", "limit=101"];
    for filter in wrong {
        let name = filter.split('=').next().unwrap();
        owner.get(&format!("{path}?{filter}")).await.assert_names_field(name);
    }
    app.deliver().await;
}
