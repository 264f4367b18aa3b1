//! Saved queries.

use mainsheet_testkit::{TestApp, build, held};
use serde_json::json;

#[tokio::test]
async fn a_query_lives_from_its_creation_to_its_deletion() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let body = build::with(build::query("daily", &owner.team_id), "/tags", json!(["sales"]));
    let body = build::with(body, "/catalog_schema", json!("retail"));
    let created = owner.post("/workloads/queries", body).await.expect(201);
    let path = format!("/workloads/queries/{}", created.text("id"));
    let shown = owner.get(&path).await.expect(200);
    assert_eq!(shown.etag(), created.etag());
    assert_eq!(shown.json()["included"]["queries"][0], created.json());
    assert_eq!(shown.json()["item"]["teamIds"], json!([owner.team_id]));

    let changed = owner.patch(&path, json!({ "queryText": "SELECT 2" })).await.expect(200);
    assert_eq!(changed.json()["queryText"], "SELECT 2");
    for field in ["name", "tags", "catalog_schema", "createdAt"] {
        assert_eq!(changed.json()[field], created.json()[field], "{field}");
    }
    let _ = owner.delete(&path).await.expect(204);
    let _ = owner.get(&path).await.expect(404);
    let _ = owner.delete(&path).await.expect(404);
    assert_eq!(owner.get("/workloads/queries").await.expect(200).json()["total"], 0);
}

#[tokio::test]
async fn a_query_that_an_active_job_runs_stays() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let query = owner.query("daily").await;
    let job = build::job("daily", &cluster, &owner.team_id);
    let job = build::with(job, "/config/sql", json!({ "queryId": query }));
    let job = owner.create("/workloads/jobs", job).await;
    let path = format!("/workloads/queries/{query}");
    let shown = owner.get(&path).await.expect(200).json();
    assert_eq!(shown["item"]["jobIds"], json!([job]));
    let refused = owner.delete(&path).await.expect(409).problem();
    assert_eq!(refused.code, "query_in_use");
    assert!(refused.message.contains("daily"), "the refusal names the job: {}", refused.message);
    let _ = owner.delete(&format!("/workloads/jobs/{job}")).await.expect(204);
    let _ = owner.delete(&path).await.expect(204);
    app.deliver().await;
}

#[tokio::test]
async fn a_run_keeps_what_its_query_said_when_it_was_leased_first() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let catalog = owner.create("/workloads/catalogs", build::catalog("lake", &owner.team_id)).await;
    let query = build::with(build::query("daily", &owner.team_id), "/catalogId", json!(catalog));
    let query = owner.create("/workloads/queries", build::with(query, "/catalog_schema", json!("retail"))).await;
    let job = build::job("daily", &agent.cluster_id, &owner.team_id);
    let job = owner.create("/workloads/jobs", build::with(job, "/config/sql", json!({ "queryId": query }))).await;
    let run = owner.run(&job).await;
    app.deliver().await;
    let first = agent.lease(&[], 1).await.expect(200).json()["runs"][0].clone();
    assert_eq!(first["catalogs"]["defaultCatalog"], "lake");
    let _ = agent.report(&held(&first), 1, &["fail"]).await.expect(200);

    let _ = owner.patch(&format!("/workloads/jobs/{job}"), json!({ "status": "paused" })).await.expect(200);
    let _ = owner.delete(&format!("/workloads/queries/{query}")).await.expect(204);
    let _ = owner.post(&format!("/workloads/jobs/{job}/runs/{run}/retry"), json!({})).await.expect(200);
    app.deliver().await;
    let second = agent.lease(&[], 1).await.expect(200).json()["runs"][0].clone();
    assert_eq!(second["attempt"], 2);
    for what in ["source", "catalogs"] {
        assert_eq!(second[what], first[what], "{what} of another try");
    }
    agent.succeed(&held(&second)).await;

    // One that was never leased has nothing to keep.
    let run = owner.run(&job).await;
    app.deliver().await;
    assert_eq!(agent.lease(&[], 1).await.expect(200).json()["runs"], json!([]));
    let state = owner.run_state(&job, &run).await.json();
    assert_eq!(state["status"], "failed");
    assert!(state["statusMessage"].as_str().unwrap().contains(&query), "{state}");
    app.deliver().await;
}

#[tokio::test]
async fn a_run_executes_the_text_that_its_query_has_when_it_is_leased() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let query = owner.query("daily").await;
    let job = build::job("daily", &agent.cluster_id, &owner.team_id);
    let job = owner.create("/workloads/jobs", build::with(job, "/config/sql", json!({ "queryId": query }))).await;
    let _ = owner.run(&job).await;
    app.deliver().await;
    let _ = owner.patch(&format!("/workloads/queries/{query}"), json!({ "queryText": "SELECT 2" })).await.expect(200);
    let first = agent.lease(&[], 1).await.expect(200).json();
    assert_eq!(first["runs"][0]["source"], json!({ "sql": { "text": "SELECT 2" } }));
    let _ = owner.patch(&format!("/workloads/queries/{query}"), json!({ "queryText": "SELECT 3" })).await.expect(200);
    let again = agent.lease(&[], 1).await.expect(200).json();
    assert_eq!(again["runs"][0]["source"], first["runs"][0]["source"], "the text is kept with the run");
}
