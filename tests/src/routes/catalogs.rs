//! Catalogs: their settings and secrets, who may use them, and what an agent gets of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Person, TestApp, Verdict, build};
use serde_json::{Value, json};

use crate::world::leased_run;

const TOKEN: &str = "open-sesame-of-the-lake";

fn lake(name: &str, teams: &[&str]) -> Value {
    json!({
        "name": name, "provider": "iceberg_rest", "teamIds": teams,
        "configWrite": { "url": "https://lake.example.com", "warehouse": "s3://lake", "token": TOKEN },
    })
}

async fn viewer(app: &TestApp, owner: &Person) -> Person {
    let seats = [(owner.team_id.as_str(), TeamRole::Viewer)];
    app.member("viewer@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await
}

async fn second_team(owner: &Person) -> String {
    let team = owner.post("/org/teams", build::team("second")).await.expect(201).json();
    team["team"]["id"].as_str().unwrap().to_owned()
}

fn names(page: &Value) -> Vec<&str> {
    page["included"]["catalogs"].as_array().unwrap().iter().map(|catalog| catalog["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_catalog_lives_from_its_creation_to_its_deletion_and_never_shows_its_token() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let created = owner.post("/workloads/catalogs", lake("lake", &[&owner.team_id])).await.expect(201);
    let config = json!({ "url": "https://lake.example.com", "warehouse": "s3://lake", "tokenSet": true });
    assert_eq!(created.json()["config"], config);
    let path = format!("/workloads/catalogs/{}", created.text("id"));
    let shown = owner.get(&path).await.expect(200);
    assert_eq!((shown.etag(), shown.json()), (created.etag(), created.json()));

    let change = json!({ "name": "Lake", "configWrite": { "warehouse": "s3://other", "prefix": null } });
    let changed = owner.call("PATCH", &path).json(&change).if_match(&created.etag()).send().await.expect(200);
    let config = json!({ "url": "https://lake.example.com", "warehouse": "s3://other", "tokenSet": true });
    assert_eq!((changed.text("name"), &changed.json()["config"]), ("Lake".to_owned(), &config));
    let _ = owner.call("PATCH", &path).json(&change).if_match(&created.etag()).send().await.expect(412);
    // Whoever may not see a token may not send it elsewhere, either.
    let elsewhere = json!({ "configWrite": { "url": "https://evil.example.com" } });
    owner.patch(&path, elsewhere).await.assert_names_field("configWrite.token");
    let both = json!({ "configWrite": { "url": "https://lake.example.net", "token": TOKEN } });
    let _ = owner.patch(&path, both).await.expect(200);
    let back = json!({ "configWrite": { "url": "https://lake.example.com", "token": TOKEN } });
    let _ = owner.patch(&path, back).await.expect(200);
    let listed = owner.get("/workloads/catalogs").await.expect(200);
    for answer in [&created, &shown, &changed, &listed] {
        assert!(!String::from_utf8_lossy(&answer.body).contains(TOKEN), "{answer}");
    }
    assert!(!format!("{:?}", app.dump()).contains(TOKEN), "a token in the clear lies in the table");

    let _ = owner.call("DELETE", &path).if_match(&created.etag()).send().await.expect(412);
    let _ = owner.delete(&path).await.expect(204);
    let _ = owner.delete(&path).await.expect(404);
    let _ = owner.get(&path).await.expect(404);
    let _ = owner.post("/workloads/catalogs", lake("lake", &[])).await.expect(201);
}

#[tokio::test]
async fn names_are_unique_whatever_their_case_and_leave_the_engine_its_own() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let first = owner.create("/workloads/catalogs", lake("Lake", &[])).await;
    let other = owner.create("/workloads/catalogs", lake("other", &[])).await;
    let before = app.dump();
    let taken = owner.post("/workloads/catalogs", lake("lake", &[])).await.expect(409).problem();
    assert_eq!(taken.code, "catalog_name_taken");
    let rename = |id: &str, name: &str| {
        let (path, name) = (format!("/workloads/catalogs/{id}"), json!({ "name": name }));
        let owner = owner.clone();
        async move { owner.patch(&path, name).await }
    };
    let _ = rename(&other, "LAKE").await.expect(409);
    app.dump().assert_same_as(&before, "a name that is taken");
    for name in ["sail", "System", "", " ", "a\u{7}b", &"x".repeat(256)] {
        owner.post("/workloads/catalogs", lake(name, &[])).await.assert_names_field("name");
        rename(&first, name).await.assert_names_field("name");
    }
    let _ = rename(&first, "LAKE").await.expect(200);
    let _ = rename(&first, "sea").await.expect(200);
    let _ = rename(&other, "lake").await.expect(200);
    let stranger = app.sign_up("stranger@example.com").await;
    let _ = stranger.post("/workloads/catalogs", lake("lake", &[])).await.expect(201);
}

#[tokio::test]
async fn settings_are_checked_as_each_provider_needs_them() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let catalog = |provider: &str, config: Value| json!({ "name": "x", "provider": provider, "configWrite": config });
    let wrong = [
        (catalog("iceberg_rest", json!({})), "configWrite.url"),
        (catalog("iceberg_rest", json!({ "url": "https://u:p@lake.example.com" })), "configWrite.url"),
        (catalog("iceberg_rest", json!({ "url": "https://a.example", "region": "us-east-1" })), "configWrite.region"),
        (catalog("iceberg_rest", json!({ "url": "https://a.example", "x": 1 })), "configWrite.x"),
        (catalog("iceberg_rest", json!({ "url": "https://a.example", "tokenSet": true })), "configWrite.tokenSet"),
        (catalog("unity", json!({ "url": "https://a.example", "token": "a\nb" })), "configWrite.token"),
        (catalog("onelake", json!({ "url": "https://a.example" })), "configWrite.url"),
        (catalog("hive_metastore", json!({ "url": "thrift://host" })), "configWrite.url"),
        (catalog("memory", json!({ "token": "t" })), "configWrite.token"),
        (catalog("memory", json!({ "initialDatabase": "a\u{7}" })), "configWrite.initialDatabase"),
        (catalog("glue", json!({ "region": "nowhere" })), "configWrite.region"),
        (catalog("parquet", json!({})), "provider"),
    ];
    for (body, field) in wrong {
        owner.post("/workloads/catalogs", body).await.assert_names_field(field);
    }
    let stranger = app.sign_up("stranger@example.com").await;
    let foreign = lake("x", &[&stranger.team_id]);
    owner.post("/workloads/catalogs", foreign).await.assert_names_field("teamIds[0]");
    let memory = owner.post("/workloads/catalogs", json!({ "name": "m", "provider": "memory" })).await.expect(201);
    assert_eq!(memory.json()["config"], json!({ "initialDatabase": "default" }));
    let path = format!("/workloads/catalogs/{}", memory.text("id"));
    let region = json!({ "configWrite": { "region": "us-east-1" } });
    owner.patch(&path, region).await.assert_names_field("configWrite.region");
    owner.patch(&path, json!({ "provider": "unity" })).await.assert_names_field("provider");
}

#[tokio::test]
async fn glue_is_reached_through_an_active_connection_in_its_region() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let glue = |name: &str, region: &str| {
        let config = json!({ "region": region, "defaultDatabase": "sales" });
        json!({ "name": name, "provider": "glue", "configWrite": config })
    };
    let required = async |body: Value| owner.post("/workloads/catalogs", body).await.expect(409).problem().code;
    assert_eq!(required(glue("lake", "us-east-1")).await, "connection_required");
    let _ = owner.create("/infra/connections", json!({ "name": "unverified", "provider": "aws" })).await;
    assert_eq!(required(glue("lake", "us-east-1")).await, "connection_required", "nobody has verified its role");

    let connection = app.connection(&owner, "prod").await;
    let stranger = app.sign_up("stranger@example.com").await;
    let refused = stranger.post("/workloads/catalogs", glue("lake", "us-east-1")).await.expect(409);
    assert_eq!(refused.problem().code, "connection_required", "another organization's connection");
    let created = owner.post("/workloads/catalogs", glue("lake", "us-east-1")).await.expect(201);
    assert_eq!(created.json()["config"], json!({ "region": "us-east-1", "defaultDatabase": "sales" }));
    let path = format!("/workloads/catalogs/{}", created.text("id"));

    let elsewhere = json!({ "configWrite": { "region": "eu-central-1" } });
    owner.post("/workloads/catalogs", glue("other", "eu-central-1")).await.assert_names_field("configWrite.region");
    owner.patch(&path, elsewhere.clone()).await.assert_names_field("configWrite.region");
    let network = json!({ "name": "eu", "region": "eu-central-1", "config": { "cidr": "10.1.0.0/16" } });
    let network = owner.create(&format!("/infra/connections/{connection}/networks"), network).await;
    owner.patch(&path, elsewhere.clone()).await.assert_names_field("configWrite.region");
    let provision = format!("/infra/connections/{connection}/networks/{network}/provision");
    let _ = owner.act(&provision).await.expect(202);
    let _ = owner.patch(&path, elsewhere).await.expect(200);
    let _ = owner.patch(&path, json!({ "configWrite": { "defaultDatabase": "retail" } })).await.expect(200);
    app.deliver().await;
}

#[tokio::test]
async fn teams_come_and_go_and_decide_who_sees_a_catalog() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let viewer = viewer(&app, &owner).await;
    let second = second_team(&owner).await;
    let id = owner.create("/workloads/catalogs", lake("lake", &[])).await;
    let path = format!("/workloads/catalogs/{id}");
    let teams = format!("{path}/teams");
    let _ = viewer.get(&path).await.expect(404);
    let _ = viewer.get(&teams).await.expect(404);
    assert_eq!(owner.get("/me/catalogs").await.expect(200).json()["total"], 0, "no team of the owner's may use it");

    let both = json!({ "teamIds": [owner.team_id, second, owner.team_id] });
    let share = owner.call("POST", &teams).json(&both).idempotent("share");
    let links = share.send().await.expect(201).json();
    assert_eq!(links["items"].as_array().unwrap().len(), 2);
    let again = owner.call("POST", &teams).json(&both).idempotent("share").send().await.expect(201).json();
    assert_eq!(again, links);
    let foreign = app.sign_up("stranger@example.com").await;
    let foreign_team = json!({ "teamIds": [foreign.team_id] });
    owner.post(&teams, foreign_team).await.assert_names_field("teamIds[0]");
    assert_eq!(viewer.get(&teams).await.expect(200).json(), links);
    let _ = viewer.get(&path).await.expect(200);
    let _ = foreign.get(&path).await.expect(404);
    let mine = viewer.get("/me/catalogs").await.expect(200).json();
    assert_eq!((names(&mine), &mine["items"][0]["catalogId"]), (vec!["lake"], &json!(id)));
    let of = async |who: &Person, team: &str| who.get(&format!("/workloads/teams/{team}/catalogs")).await;
    assert_eq!(names(&of(&viewer, &owner.team_id).await.expect(200).json()), ["lake"]);
    let _ = of(&viewer, &second).await.expect(404);
    assert_eq!(names(&of(&owner, &second).await.expect(200).json()), ["lake"]);
    let _ = of(&owner, &foreign.team_id).await.expect(404);

    for refused in
        [viewer.get("/workloads/catalogs").await, viewer.delete(&path).await, viewer.post(&teams, both).await]
    {
        assert_eq!(refused.expect(403).problem().code, "permission_missing");
    }
    let _ = viewer.patch(&path, json!({ "name": "x" })).await.expect(403);
    let _ = viewer.post("/workloads/catalogs", lake("x", &[])).await.expect(403);

    let link = format!("{teams}/{}", owner.team_id);
    let _ = owner.delete(&link).await.expect(204);
    let _ = owner.delete(&link).await.expect(404);
    let _ = viewer.get(&path).await.expect(404);
    let _ = owner.delete(&format!("{teams}/{second}")).await.expect(204);
    assert_eq!(owner.get(&teams).await.expect(200).json(), json!({ "items": [] }), "a catalog may have no team");
    app.deliver().await;
}

#[tokio::test]
async fn lists_are_cut_and_sorted_and_show_each_team_once() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let second = second_team(&owner).await;
    let mut ids = Vec::new();
    for name in ["b", "C", "a"] {
        ids.push(owner.create("/workloads/catalogs", lake(name, &[&owner.team_id, &second])).await);
        app.advance(Duration::from_millis(5));
    }
    let _ = owner.patch(&format!("/workloads/catalogs/{}", ids[0]), json!({ "name": "b" })).await.expect(200);
    let list = async |query: &str| owner.get(&format!("/me/catalogs{query}")).await.expect(200).json();
    let all = list("").await;
    assert_eq!((names(&all), &all["total"]), (vec!["a", "b", "C"], &json!(3)));
    assert_eq!(all["included"]["teams"].as_array().unwrap().len(), 2);
    assert_eq!(names(&list("?sortDirection=desc").await), ["C", "b", "a"]);
    assert_eq!(names(&list("?sortBy=updatedAt").await), ["C", "a", "b"]);
    assert_eq!(names(&list("?sortBy=updatedAt&sortDirection=desc&limit=2&page=2").await), ["C"]);
    app.table().hold();
    let none = list("?limit=0").await;
    assert_eq!((&none["items"], &none["total"]), (&json!([]), &json!(3)));
    owner.get("/me/catalogs?sortBy=provider").await.assert_names_field("sortBy");
    let (page, operations) = app.measure(owner.get("/workloads/catalogs?limit=1")).await;
    assert_eq!(names(&page.expect(200).json()), ["a"]);
    assert_eq!(operations.iter().filter(|operation| operation.contains("Query")).count(), 1, "{operations:?}");
}

#[tokio::test]
async fn creating_a_catalog_twice_makes_one() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let create = || owner.call("POST", "/workloads/catalogs").json(&lake("lake", &[])).idempotent("once").send();
    let first = create().await.expect(201);
    let second = create().await.expect(201);
    assert_eq!((first.json(), first.etag()), (second.json(), second.etag()));
}

#[tokio::test]
async fn a_catalog_lists_the_queries_that_name_it_as_far_as_one_may_see_them() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let viewer = viewer(&app, &owner).await;
    let second = second_team(&owner).await;
    let id = owner.create("/workloads/catalogs", lake("lake", &[&owner.team_id, &second])).await;
    let other = owner.create("/workloads/catalogs", lake("other", &[&owner.team_id])).await;
    let query = |name: &str, team: &str| build::with(build::query(name, team), "/catalogId", json!(id));
    let ours = owner.create("/workloads/queries", query("ours", &owner.team_id)).await;
    app.advance(Duration::from_millis(1));
    let theirs = owner.create("/workloads/queries", query("theirs", &second)).await;
    let list = async |who: &Person| {
        let page = who.get(&format!("/workloads/catalogs/{id}/queries")).await.expect(200).json();
        let items = page["items"].as_array().unwrap().clone();
        assert_eq!(page["total"], items.len());
        items.into_iter().map(|item| item["queryId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&owner).await, [ours.clone(), theirs.clone()]);
    assert_eq!(list(&viewer).await, std::slice::from_ref(&ours));
    let shown = viewer.get(&format!("/workloads/queries/{ours}")).await.expect(200).json();
    assert_eq!(shown["included"]["catalogs"][0]["name"], "lake");

    let path = format!("/workloads/queries/{ours}");
    let _ = owner.patch(&path, json!({ "name": "renamed" })).await.expect(200);
    assert_eq!(list(&viewer).await, std::slice::from_ref(&ours));
    let _ = owner.patch(&path, json!({ "catalogId": other })).await.expect(200);
    assert_eq!(list(&viewer).await, Vec::<String>::new());
    let _ = owner.patch(&path, json!({ "catalogId": id })).await.expect(200);
    let _ = owner.delete(&path).await.expect(204);
    assert_eq!(list(&owner).await, std::slice::from_ref(&theirs));

    // The query's own team may not use the other catalog.
    let path = format!("/workloads/queries/{theirs}");
    owner.patch(&path, json!({ "catalogId": other })).await.assert_names_field("catalogId");
    let _ = owner.delete(&format!("/workloads/catalogs/{id}")).await.expect(204);
    let _ = owner.patch(&path, json!({ "name": "still editable" })).await.expect(200);
    app.deliver().await;
}

#[tokio::test]
async fn a_run_gets_its_catalogs_opened_while_its_job_may_use_them() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let second = second_team(&owner).await;
    let lake_id = owner.create("/workloads/catalogs", lake("lake", &[&owner.team_id])).await;
    let memory = json!({ "name": "scratch", "provider": "memory", "teamIds": [owner.team_id], "configWrite": { "initialDatabase": "a.b" } });
    let memory = owner.create("/workloads/catalogs", memory).await;
    let unshared = owner.create("/workloads/catalogs", lake("unshared", &[&second])).await;
    let job = |key: &str, engine: Value| {
        build::with(build::job(key, &agent.cluster_id, &owner.team_id), "/config/lakesail", engine)
    };

    for (engine, field) in [
        (json!({ "catalogIds": [memory, unshared] }), "config.lakesail.catalogIds[1]"),
        (json!({ "defaultCatalogId": "NOWHERE" }), "config.lakesail.defaultCatalogId"),
        (json!({ "defaultSchema": "a..b" }), "config.lakesail.defaultSchema"),
        (json!({ "catalogIds": vec![&memory; 11] }), "config.lakesail.catalogIds"),
    ] {
        owner.post("/workloads/jobs", job("x", engine)).await.assert_names_field(field);
    }
    let engine = json!({ "catalogIds": [lake_id, memory, memory], "defaultCatalogId": memory, "maxRetries": 3 });
    let id = owner.create("/workloads/jobs", job("daily", engine)).await;
    let lease = async || {
        let run = owner.run(&id).await;
        app.deliver().await;
        let answer = agent.lease(&[], 1).await.expect(200).json();
        (run, answer["runs"][0].clone())
    };
    let (run, leased) = lease().await;
    let expected = json!({
        "list": [
            { "name": "lake", "provider": "iceberg_rest", "url": "https://lake.example.com", "warehouse": "s3://lake", "token": TOKEN },
            { "name": "scratch", "provider": "memory", "initialDatabase": "a.b" },
        ],
        "defaultCatalog": "scratch",
        "defaultDatabase": ["a", "b"],
    });
    assert_eq!(leased["catalogs"], expected);
    let state = owner.run_state(&id, &run).await;
    assert!(!String::from_utf8_lossy(&state.body).contains(TOKEN), "{state}");
    let again = agent.lease(&[], 1).await.expect(200).json();
    assert_eq!(again["runs"][0]["catalogs"], expected, "an answer that was lost comes again");
    agent.succeed(&mainsheet_testkit::held(&leased)).await;

    let _ = owner.delete(&format!("/workloads/catalogs/{lake_id}/teams/{}", owner.team_id)).await.expect(204);
    let (run, leased) = lease().await;
    assert!(leased.is_null(), "{leased}");
    let state = owner.run_state(&id, &run).await.json();
    assert_eq!(state["status"], "failed");
    assert!(state["statusMessage"].as_str().unwrap().contains("lake"), "{state}");
    app.deliver().await;
}

#[tokio::test]
async fn a_lease_whose_answer_was_lost_is_renewed_only_with_the_work_it_hands_out() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let id = owner.create("/workloads/catalogs", lake("lake", &[&owner.team_id])).await;
    let body = build::job("daily", &agent.cluster_id, &owner.team_id);
    let body = build::with(body, "/config/lakesail", json!({ "catalogIds": [id] }));
    // It may take as long as it likes: nothing but its lease says that nobody has it.
    let job = owner.create("/workloads/jobs", build::with(body, "/timeoutSeconds", json!(0))).await;
    let leased = leased_run(&app, &owner, &agent, &job).await;
    app.advance(Duration::from_secs(5));

    // The run and its job are read, and its catalogs do not answer.
    let before = app.dump();
    let reads = AtomicUsize::new(0);
    app.set_rule(Arc::new(move |call| {
        let is_catalogs = call.operation == "BatchGetItem" && reads.fetch_add(1, Ordering::SeqCst) == 1;
        if is_catalogs { Verdict::Deny } else { Verdict::Forward }
    }));
    assert_eq!(agent.lease(&[], 1).await.expect(200).json()["runs"], json!([]));
    app.dump().assert_same_as(&before, "a lease that nothing was handed out for");

    let _ = owner.delete(&format!("/workloads/catalogs/{id}/teams/{}", owner.team_id)).await.expect(204);
    assert_eq!(agent.lease(&[], 1).await.expect(200).json()["runs"], json!([]));
    let state = owner.run_state(&job, leased["jobRunId"].as_str().unwrap()).await.json();
    assert_eq!(state["status"], "failed");
    assert!(state["statusMessage"].as_str().unwrap().contains("lake"), "{state}");
    let late = agent.report(&leased, 1, &["sail_requested"]).await.expect(200).json();
    assert_eq!(late["order"], "abandon");
    app.deliver().await;
}

#[tokio::test]
async fn a_saved_query_brings_its_catalog_and_schema_where_the_job_has_none() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let second = second_team(&owner).await;
    let id = owner.create("/workloads/catalogs", lake("lake", &[&owner.team_id, &second])).await;
    let query = build::with(build::query("daily", &second), "/catalogId", json!(id));
    let query = owner.create("/workloads/queries", build::with(query, "/catalog_schema", json!("retail"))).await;
    let body = build::job("daily", &agent.cluster_id, &owner.team_id);
    let body = build::with(body, "/config/sql", json!({ "queryId": query }));
    let link = format!("/workloads/catalogs/{id}/teams/{}", owner.team_id);
    let _ = owner.delete(&link).await.expect(204);
    owner.post("/workloads/jobs", body.clone()).await.assert_names_field("config.sql.queryId");
    let teams = json!({ "teamIds": [owner.team_id] });
    let _ = owner.post(&format!("/workloads/catalogs/{id}/teams"), teams).await.expect(201);
    let job = owner.create("/workloads/jobs", body).await;
    let _ = owner.run(&job).await;
    app.deliver().await;
    let leased = agent.lease(&[], 1).await.expect(200).json()["runs"][0]["catalogs"].clone();
    assert_eq!((&leased["defaultCatalog"], &leased["defaultDatabase"]), (&json!("lake"), &json!(["retail"])));
    assert_eq!(leased["list"][0]["token"], TOKEN);
    app.deliver().await;
}

#[tokio::test]
async fn the_catalog_of_a_saved_query_has_to_be_shared_with_the_team_of_each_job_that_comes_to_run_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let second = second_team(&owner).await;
    let id = owner.create("/workloads/catalogs", lake("lake", &[&owner.team_id, &second])).await;
    let query = build::with(build::query("daily", &second), "/catalogId", json!(id));
    let query = owner.create("/workloads/queries", query).await;
    let (runs_it, runs_no_query) = (
        json!({ "config": { "sql": { "queryId": query } } }),
        json!({ "config": { "sql": { "source": "SELECT 2" } } }),
    );
    let file =
        |key: &str| build::with(build::job(key, &cluster, &owner.team_id), "/config/sql", json!({ "queryId": query }));
    let path = format!("/workloads/jobs/{}", owner.job("daily", &cluster).await);
    let drafted = format!("/workloads/jobs/{}/draft", owner.job("drafted", &cluster).await);
    let (draft, versions) = (format!("{path}/draft"), format!("{path}/versions"));
    // Version 2 runs it, and version 3 in force does not.
    for version in [&runs_it, &runs_no_query] {
        let _ = owner.post(&versions, version.clone()).await.expect(201);
    }
    let _ = owner.post(&drafted, runs_it.clone()).await.expect(201);
    let _ = owner.delete(&format!("/workloads/catalogs/{id}/teams/{}", owner.team_id)).await.expect(204);

    let before = app.dump();
    let publish = format!("{drafted}/publish");
    for refused in [
        owner.put("/workloads/jobs/by-key/daily", file("daily")).await,
        owner.put("/workloads/jobs/by-key/daily?dryRun=true", file("daily")).await,
        owner.put("/workloads/jobs/by-key/another", file("another")).await,
        owner.put("/workloads/jobs/by-key/another?dryRun=true", file("another")).await,
        owner.post(&versions, runs_it.clone()).await,
        owner.post(&format!("{path}/activate-version"), json!({ "version": 2 })).await,
        owner.post(&draft, runs_it.clone()).await,
        owner.patch(&drafted, runs_it.clone()).await,
        owner.act(&publish).await,
    ] {
        refused.assert_names_field("config.sql.queryId");
    }
    app.dump().assert_same_as(&before, "jobs that would run a query whose catalog they cannot have");
    let teams = json!({ "teamIds": [owner.team_id] });
    let _ = owner.post(&format!("/workloads/catalogs/{id}/teams"), teams).await.expect(201);
    let _ = owner.act(&publish).await.expect(200);
    app.deliver().await;
}
