//! Networks: one life, and what stands against each step of it.

use mainsheet_core::operation::FailureCode;
use mainsheet_store::operations::Left;
use mainsheet_testkit::infrastructure::{failure, network, success};
use mainsheet_testkit::{Answer, Person, TestApp, build};
use serde_json::json;

/// A connection of somebody's.
async fn connected() -> (TestApp, Person, String) {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    (app, owner, connection)
}

fn code(answer: Answer) -> String {
    answer.expect(409).problem().code
}

#[tokio::test]
async fn a_network_is_provisioned_and_destroyed_and_its_record_goes_last() {
    let (app, owner, connection) = connected().await;
    let networks = format!("/infra/connections/{connection}/networks");
    let created = owner.post(&networks, network("main")).await.expect(201);
    let (id, path) = (created.text("id"), format!("{networks}/{}", created.text("id")));
    let record = format!("/infra/networks/{id}");
    let status = async || {
        let shown = owner.get(&path).await.expect(200).json();
        shown["included"]["networks"][0]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status().await, "pending");
    assert_eq!(code(owner.delete(&path).await), "not_destroyable");

    let operation = owner.act(&format!("{path}/provision")).await.expect(202);
    let of = |answer: &Answer| (answer.text("operation"), answer.text("resourceId"), answer.text("status"));
    assert_eq!(of(&operation), ("network.provision".into(), id.clone(), "pending".into()));
    assert_eq!(status().await, "provisioning");
    let listed = owner.get("/infra/networks").await.expect(200).json();
    assert_eq!(listed["included"]["operations"][0]["id"], operation.text("id"), "lists show what is under way");
    for refused in [owner.act(&format!("{path}/provision")).await, owner.delete(&path).await] {
        assert_eq!(code(refused), "operation_in_progress");
    }
    assert_eq!(code(owner.delete(&record).await), "infrastructure_may_live");

    app.settle(&owner, &operation.text("id"), &success()).await;
    assert_eq!(status().await, "active");
    assert_eq!(code(owner.act(&format!("{path}/provision")).await), "not_pending");
    assert_eq!(code(owner.delete(&record).await), "infrastructure_may_live");
    let destroy = owner.delete(&path).await.expect(202).text("id");
    app.settle(&owner, &destroy, &success()).await;
    assert_eq!(status().await, "destroyed");
    for refused in [owner.act(&format!("{path}/provision")).await, owner.delete(&path).await] {
        let _ = refused.expect(409);
    }
    let detail = owner.get(&path).await.expect(200).json();
    assert_eq!(detail["included"]["operations"][0]["id"], destroy, "one network shows its latest operation");
    let _ = owner.delete(&record).await.expect(204);
    let _ = owner.get(&path).await.expect(404);
    app.deliver().await;
}

#[tokio::test]
async fn what_failed_may_be_there_and_is_destroyed_first() {
    let (app, owner, connection) = connected().await;
    let id = app.pending_network(&owner, &connection, "main").await;
    let path = format!("/infra/connections/{connection}/networks/{id}");
    let operation = owner.act(&format!("{path}/provision")).await.expect(202).text("id");
    app.settle(&owner, &operation, &failure(FailureCode::QuotaExceeded, Left::Unusable)).await;
    let shown = owner.get(&path).await.expect(200).json();
    let network = &shown["included"]["networks"][0];
    assert_eq!(
        (&network["status"], &network["statusMessage"]),
        (&json!("failed"), &json!("It went wrong. Set it right."))
    );
    let operation = owner.get(&format!("/operations/{operation}")).await.expect(200).json();
    let error = &operation["error"];
    assert_eq!((&error["code"], &error["details"]["retryable"]), (&json!("quota_exceeded"), &json!(false)), "{error}");
    assert_eq!(error["message"], "It went wrong. Set it right.");
    assert_eq!(code(owner.delete(&format!("/infra/networks/{id}")).await), "infrastructure_may_live");
    let destroy = owner.delete(&path).await.expect(202).text("id");
    app.settle(&owner, &destroy, &success()).await;
    let _ = owner.delete(&format!("/infra/networks/{id}")).await.expect(204);
    app.deliver().await;
}

#[tokio::test]
async fn addresses_change_while_nothing_is_there() {
    let (app, owner, connection) = connected().await;
    let id = app.pending_network(&owner, &connection, "main").await;
    let path = format!("/infra/connections/{connection}/networks/{id}");
    let other = json!({ "config": { "cidr": "172.16.0.0/20" } });
    let changed = owner.patch(&path, other.clone()).await.expect(200).json();
    assert_eq!(changed["config"]["cidr"], "172.16.0.0/20");
    let _ = owner.act(&format!("{path}/provision")).await.expect(202);
    assert_eq!(code(owner.patch(&path, json!({ "config": { "cidr": "10.0.0.0/16" } })).await), "not_pending");
    let renamed =
        owner.patch(&path, json!({ "name": "other", "config": { "cidr": "172.16.0.0/20" } })).await.expect(200);
    assert_eq!((renamed.text("name"), renamed.text("status")), ("other".into(), "provisioning".into()));
    app.deliver().await;
}

#[tokio::test]
async fn networks_that_cannot_be_are_refused_by_field() {
    let (app, owner, connection) = connected().await;
    let networks = format!("/infra/connections/{connection}/networks");
    let before = app.dump();
    for cidr in ["10.0.0.0/15", "10.0.0.0/21", "8.8.0.0/16", "10.0.0.1/16", "fd00::/16", "", "10.0.0.0"] {
        let body = build::with(network("main"), "/config/cidr", json!(cidr));
        owner.post(&networks, body).await.assert_names_field("config.cidr");
    }
    owner.post(&networks, build::with(network("main"), "/region", json!("here"))).await.assert_names_field("region");
    let contradiction = build::with(network("main"), "/connectionId", json!("OTHER"));
    assert_eq!(owner.post(&networks, contradiction).await.expect(400).problem().code, "contradictory_ids");
    let fresh = owner.create("/infra/connections", json!({ "name": "fresh", "provider": "aws" })).await;
    let refused = owner.post(&format!("/infra/connections/{fresh}/networks"), network("main")).await;
    assert_eq!(code(refused), "connection_not_active");
    let of_kind = |dump: &mainsheet_testkit::Dump| dump.of_kind("network").count();
    assert_eq!(of_kind(&app.dump()), of_kind(&before));
}

#[tokio::test]
async fn what_was_agreed_to_is_what_is_built() {
    let (app, owner, connection) = connected().await;
    let id = app.pending_network(&owner, &connection, "main").await;
    let path = format!("/infra/connections/{connection}/networks/{id}");
    let plan = owner.get(&format!("{path}/plan")).await.expect(200).json();
    assert!(plan["hourlyCost"].as_f64().unwrap() > 0.0 && plan["resources"].as_array().unwrap().len() > 3, "{plan}");
    assert_eq!(plan, owner.get(&format!("{path}/plan")).await.expect(200).json());
    let agreed = json!({ "planHash": plan["hash"] });
    let _ = owner.patch(&path, json!({ "name": "other" })).await.expect(200);
    assert_eq!(
        plan["hash"],
        owner.get(&format!("{path}/plan")).await.expect(200).json()["hash"],
        "a name costs nothing"
    );
    let _ = owner.patch(&path, json!({ "config": { "cidr": "10.1.0.0/16" } })).await.expect(200);
    assert_eq!(code(owner.post(&format!("{path}/provision"), agreed.clone()).await), "plan_stale");
    let _ = owner.patch(&path, json!({ "config": { "cidr": "10.0.0.0/16" } })).await.expect(200);
    let _ = owner.post(&format!("{path}/provision"), agreed).await.expect(202);
    assert_eq!(code(owner.get(&format!("{path}/plan")).await), "not_pending");
    app.deliver().await;
}

#[tokio::test]
async fn a_network_is_destroyed_when_nothing_lives_in_it() {
    let (app, owner, connection) = connected().await;
    let network = app.network(&owner, &connection, "main").await;
    let path = format!("/infra/connections/{connection}/networks/{network}");
    let cluster = app.pending_cluster(&owner, (&connection, &network), "main").await;
    let catalog = app.pending_catalog(&owner, (&connection, &network), "lake").await;
    let shown = owner.get(&path).await.expect(200).json();
    assert_eq!(shown["included"]["clusters"][0]["id"], cluster);
    assert_eq!(code(owner.delete(&path).await), "not_empty");
    let _ = owner.delete(&format!("/infra/clusters/{cluster}")).await.expect(204);
    assert_eq!(code(owner.delete(&path).await), "not_empty");
    let _ = owner.delete(&format!("/infra/catalogs/{catalog}")).await.expect(204);
    let _ = owner.delete(&path).await.expect(202);
    let late = mainsheet_testkit::infrastructure::cluster("late", &network);
    let refused = owner.post(&format!("/infra/connections/{connection}/clusters"), late).await;
    assert_eq!(code(refused), "network_not_active");
    app.deliver().await;
}

#[tokio::test]
async fn nothing_comes_to_live_in_a_network_that_goes() {
    let (app, owner, connection) = connected().await;
    for round in 0..10 {
        let network = app.network(&owner, &connection, "main").await;
        let path = format!("/infra/connections/{connection}/networks/{network}");
        let clusters = format!("/infra/connections/{connection}/clusters");
        let body = mainsheet_testkit::infrastructure::cluster(&format!("cluster {round}"), &network);
        let (made, gone) = tokio::join!(owner.post(&clusters, body), owner.delete(&path));
        match (made.status.as_u16(), gone.status.as_u16()) {
            (201, 409) => assert_eq!(gone.problem().code, "not_empty"),
            (409, 202) => assert_eq!(made.problem().code, "network_not_active"),
            _ => panic!("round {round}: {made}\n{gone}"),
        }
    }
    app.deliver().await;
}

#[tokio::test]
async fn lists_are_paged_and_by_connection() {
    let (app, owner, connection) = connected().await;
    let other = app.connection(&owner, "other").await;
    for name in ["c", "a", "b"] {
        app.pending_network(&owner, &connection, name).await;
    }
    app.pending_network(&owner, &other, "d").await;
    let read = async |path: &str| {
        let (mut names, mut marker) = (Vec::new(), String::new());
        loop {
            let page = owner.get(&format!("{path}?limit=1{marker}")).await.expect(200).json();
            let items = page["items"].as_array().unwrap();
            names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            assert_eq!(page["included"]["connections"].as_array().unwrap().len(), items.len());
            match page["marker"].as_str() {
                Some(next) => marker = format!("&marker={next}"),
                None => return names,
            }
        }
    };
    assert_eq!(read("/infra/networks").await.len(), 4);
    assert_eq!(read(&format!("/infra/connections/{connection}/networks")).await, ["a", "b", "c"], "by name");
    assert_eq!(read(&format!("/infra/connections/{other}/networks")).await, ["d"]);
    let _ = owner.get("/infra/connections/ABSENT/networks").await.expect(404);
    app.deliver().await;
}

#[tokio::test]
async fn a_page_costs_one_query_however_long_the_list_is() {
    let (app, owner, connection) = connected().await;
    let network = app.network(&owner, &connection, "main").await;
    let cluster = app.pending_cluster(&owner, (&connection, &network), "main").await;
    let mut lists = Vec::new();
    for kind in ["networks", "clusters"] {
        lists.push(format!("/infra/{kind}?limit=5"));
        lists.push(format!("/infra/connections/{connection}/{kind}?limit=5"));
    }
    for count in [10, 10_000] {
        app.table().multiply("network", &network, count);
        app.table().multiply("provisioned_cluster", &cluster, count);
        for list in &lists {
            let (first, round_trips) = app.measure(owner.get(list)).await;
            // Who asks, the page, and the connection that all of them point at.
            assert_eq!(round_trips, ["BatchGetItem", "Query", "BatchGetItem"], "{list} of {count}");
            let page = first.expect(200).json();
            assert_eq!(page["items"].as_array().unwrap().len(), 5);
            let next = format!("{list}&marker={}", page["marker"].as_str().unwrap());
            let (second, round_trips) = app.measure(owner.get(&next)).await;
            assert_eq!(round_trips, ["BatchGetItem", "Query", "BatchGetItem"], "{next} of {count}");
            assert_eq!(second.expect(200).json()["items"].as_array().unwrap().len(), 5);
        }
    }
    app.deliver().await;
}
