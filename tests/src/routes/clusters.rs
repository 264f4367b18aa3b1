//! Self-registered clusters: their agents' pulse, who may use them, their end.

use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{TestApp, build};
use serde_json::json;

#[tokio::test]
async fn a_cluster_is_active_while_its_agent_reports() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let created = owner.post("/workloads/clusters", build::cluster("main")).await.expect(201);
    assert_eq!(created.text("status"), "unreachable");
    let id = created.text("id");
    let status = async || {
        let answer = owner.get(&format!("/me/clusters/{id}")).await.expect(200).json();
        answer["included"]["clusters"][0]["status"].as_str().unwrap().to_owned()
    };
    let token = created.text("agentRegistrationToken");
    let agent = mainsheet_testkit::TestAgent::register(&owner.client, &id, &token).await;
    assert_eq!(status().await, "unreachable", "registering is no heartbeat");
    let _ = agent.heartbeat(&[]).await.expect(200);
    assert_eq!(status().await, "active");
    app.advance(Duration::from_millis(119_999));
    assert_eq!(status().await, "active");
    app.advance(Duration::from_millis(1));
    assert_eq!(status().await, "unreachable");
    app.deliver().await;
}

#[tokio::test]
async fn names_are_unique_whatever_their_case() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let _ = owner.post("/workloads/clusters", build::cluster("Main")).await.expect(201);
    let before = app.dump();
    let taken = owner.post("/workloads/clusters", build::cluster("main")).await.expect(409);
    assert_eq!(taken.problem().code, "cluster_name_taken");
    app.dump().assert_same_as(&before, "a name that is taken");
    let stranger = app.sign_up("stranger@example.com").await;
    let _ = stranger.post("/workloads/clusters", build::cluster("Main")).await.expect(201);
    app.deliver().await;
}

#[tokio::test]
async fn the_region_local_is_the_embedded_platforms() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    owner.post("/workloads/clusters", json!({ "name": "x", "region": "local" })).await.assert_names_field("region");
    owner.post("/workloads/clusters", json!({ "name": "x" })).await.assert_names_field("region");
}

#[tokio::test]
async fn members_reach_the_clusters_that_are_shared_with_their_teams() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let unshared = owner.post("/workloads/clusters", build::cluster("other")).await.expect(201).text("id");
    let seats = [(owner.team_id.as_str(), TeamRole::Viewer)];
    let roles = [OrganizationRole::Member];
    let viewer = app.member("viewer@example.com", &owner.organization_id, &roles, &seats).await;

    let mine = viewer.get("/me/clusters").await.expect(200).json();
    assert_eq!((&mine["total"], &mine["items"]), (&json!(1), &json!([{ "id": cluster }])));
    let _ = viewer.get(&format!("/me/clusters/{unshared}")).await.expect(404);
    let all = owner.get("/me/clusters").await.expect(200).json();
    assert_eq!(all["total"], 2, "whoever may share a cluster reaches all");

    let link = format!("/workloads/clusters/{cluster}/teams/{}", owner.team_id);
    let _ = owner.delete(&link).await.expect(204);
    let _ = owner.delete(&link).await.expect(404);
    assert_eq!(viewer.get("/me/clusters").await.expect(200).json()["total"], 0);
    app.deliver().await;
}

#[tokio::test]
async fn a_retired_cluster_is_gone_with_its_agents_credentials() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    let run = owner.run(&job).await;
    app.deliver().await;
    let path = format!("/workloads/clusters/{}", agent.cluster_id);
    let refused = owner.delete(&path).await.expect(409);
    assert_eq!(refused.problem().code, "cluster_in_use");

    let _ = owner.act(&format!("/workloads/jobs/{job}/runs/{run}/cancel")).await.expect(200);
    let _ = owner.delete(&path).await.expect(204);
    let _ = owner.delete(&path).await.expect(404);
    let _ = agent.heartbeat(&[]).await.expect(401);
    let _ = owner.post(&format!("/workloads/jobs/{job}/runs"), json!({})).await.expect(409);
    let _ = owner.post("/workloads/clusters", build::cluster("main")).await.expect(201);
    app.deliver().await;
}

#[tokio::test]
async fn a_run_that_comes_while_its_cluster_is_retired_does_not_wait_for_ever() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    let run = owner.run(&job).await;
    // The run's event was not handled yet, so the cluster's inbox is empty.
    let _ = owner.delete(&format!("/workloads/clusters/{}", agent.cluster_id)).await.expect(204);
    app.deliver().await;
    let state = owner.run_state(&job, &run).await.json();
    assert_eq!(state["status"], "cancelled", "{state}");
    assert!(state["finishedAt"].is_string() && state["statusMessage"].is_string(), "{state}");
}
