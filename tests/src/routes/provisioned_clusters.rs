//! Provisioned clusters: what they can be made of, how they change, and the logical clusters in front of them.

use std::time::Duration;

use mainsheet_core::operation::FailureCode;
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_store::operations::Left;
use mainsheet_testkit::infrastructure::{cluster, cluster_config, failure, success, tenant};
use mainsheet_testkit::{Answer, Person, TestAgent, TestApp, build};
use serde_json::{Value, json};

/// An active network of a connection of somebody's.
struct Place {
    app: TestApp,
    owner: Person,
    connection: String,
    network: String,
}

impl Place {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let owner = app.sign_up("owner@example.com").await;
        let connection = app.connection(&owner, "prod").await;
        let network = app.network(&owner, &connection, "main").await;
        Self { app, owner, connection, network }
    }

    fn ids(&self) -> (&str, &str) {
        (&self.connection, &self.network)
    }

    fn clusters(&self) -> String {
        format!("/infra/connections/{}/clusters", self.connection)
    }

    async fn active(&self, name: &str) -> String {
        self.app.provisioned_cluster(&self.owner, self.ids(), name).await
    }

    async fn shown(&self, id: &str) -> Value {
        self.owner.get(&format!("/infra/clusters/{id}")).await.expect(200).json()["included"]["clusters"][0].clone()
    }

    async fn update(&self, id: &str, config: Value) -> Answer {
        self.owner.post(&format!("{}/{id}", self.clusters()), json!({ "config": config })).await
    }
}

fn code(answer: Answer) -> String {
    answer.expect(409).problem().code
}

#[tokio::test]
async fn clusters_that_cannot_be_are_refused_by_field() {
    let place = Place::start().await;
    let right = cluster("main", &place.network);
    for (pointer, value, field) in [
        ("/config/kubernetesVersion", json!("1.20"), "config.kubernetesVersion"),
        ("/config/kubernetesVersion", json!("latest"), "config.kubernetesVersion"),
        ("/config/systemNodeGroup/minSize", json!(0), "config.systemNodeGroup.minSize"),
        ("/config/systemNodeGroup/minSize", json!(3), "config.systemNodeGroup.desiredSize"),
        ("/config/systemNodeGroup/desiredSize", json!(4), "config.systemNodeGroup.desiredSize"),
        ("/config/systemNodeGroup/maxSize", json!(451), "config.systemNodeGroup.maxSize"),
        ("/config/systemNodeGroup/diskSizeGb", json!(19), "config.systemNodeGroup.diskSizeGb"),
        ("/config/systemNodeGroup/instanceTypes", json!([]), "config.systemNodeGroup.instanceTypes"),
        ("/config/publicAccessCidrs", json!(["10.0.0.0/8"]), "config.publicAccessCidrs[0]"),
        ("/region", json!("eu-central-1"), "region"),
        ("/networkId", json!("ABSENT"), "networkId"),
    ] {
        let body = build::with(right.clone(), pointer, value);
        place.owner.post(&place.clusters(), body).await.assert_names_field(field);
    }
    let pending = place.app.pending_network(&place.owner, &place.connection, "pending").await;
    let refused = place.owner.post(&place.clusters(), cluster("main", &pending)).await;
    assert_eq!(code(refused), "network_not_active");
    let other = place.app.connection(&place.owner, "other").await;
    let foreign = format!("/infra/connections/{other}/clusters");
    place.owner.post(&foreign, right.clone()).await.assert_names_field("networkId");
    assert_eq!(place.app.dump().of_kind("provisioned_cluster").count(), 0);
    place.app.deliver().await;
}

#[tokio::test]
async fn names_are_those_of_logical_clusters() {
    let place = Place::start().await;
    let taken = place.owner.create("/workloads/clusters", build::cluster("Taken")).await;
    assert_eq!(code(place.owner.post(&place.clusters(), cluster("taken", &place.network)).await), "cluster_name_taken");
    let id = place.active("main").await;
    assert_eq!(code(place.owner.post("/workloads/clusters", build::cluster("MAIN")).await), "cluster_name_taken");
    let rename = async |id: &str, name: &str| {
        place.owner.post(&format!("{}/{id}", place.clusters()), json!({ "name": name })).await
    };
    assert_eq!(code(rename(&id, "taken").await), "cluster_name_taken");
    let _ = rename(&id, "lake").await.expect(202);
    let mine = place.owner.get(&format!("/me/clusters/{id}")).await.expect(200).json();
    assert_eq!(mine["included"]["clusters"][0]["name"], "lake", "both have the new name");
    let _ = place.owner.post("/workloads/clusters", build::cluster("main")).await.expect(201);

    let destroy = place.owner.delete(&format!("{}/{id}", place.clusters())).await.expect(202).text("id");
    assert_eq!(code(place.owner.post("/workloads/clusters", build::cluster("lake")).await), "cluster_name_taken");
    place.app.settle(&place.owner, &destroy, &success()).await;
    let _ = place.owner.post("/workloads/clusters", build::cluster("lake")).await.expect(201);
    assert_eq!(code(rename(&id, "ghost").await), "destroyed");
    let _ = place.owner.delete(&format!("/infra/clusters/{id}")).await.expect(204);
    let _ = place.owner.delete(&format!("/workloads/clusters/{taken}")).await.expect(204);
    let dump = place.app.dump();
    let count = dump.rows.iter().find(|(key, _)| key.1 == "COUNT#CLUSTERS").unwrap().1;
    assert_eq!(count["n"], 2, "counted as long as they live");
    place.app.deliver().await;
}

#[tokio::test]
async fn a_cluster_is_updated_one_version_at_a_time() {
    let place = Place::start().await;
    let id = place.active("main").await;
    let wanted = |version: &str, desired: u32| {
        build::with(cluster_config(version), "/systemNodeGroup/desiredSize", json!(desired))
    };
    place.update(&id, wanted("1.33", 2)).await.assert_names_field("config.kubernetesVersion");
    let disk = build::with(cluster_config("1.34"), "/systemNodeGroup/diskSizeGb", json!(50));
    place.update(&id, disk).await.assert_names_field("config.systemNodeGroup.diskSizeGb");
    let same = place.update(&id, wanted("1.34", 2)).await.expect(202);
    assert_eq!(same.text("status"), "active", "there is nothing to do");

    let updating = place.update(&id, wanted("1.35", 3)).await.expect(202);
    assert_eq!(
        (updating.text("status"), &updating.json()["config"]["kubernetesVersion"]),
        ("updating".into(), &json!("1.34"))
    );
    assert_eq!(code(place.update(&id, wanted("1.35", 1)).await), "operation_in_progress");
    assert_eq!(
        code(place.update(&id, cluster_config("1.34")).await),
        "operation_in_progress",
        "nor back to what it was"
    );
    place.app.settle(&place.owner, &updating.text("operationId"), &success()).await;
    let shown = place.shown(&id).await;
    assert_eq!((&shown["status"], &shown["config"]), (&json!("active"), &wanted("1.35", 3)));

    let reverted = place.update(&id, wanted("1.35", 1)).await.expect(202).text("operationId");
    let end = failure(FailureCode::CapacityUnavailable, Left::AsBefore);
    let ended = place.app.settle(&place.owner, &reverted, &end).await;
    assert!(ended.error.is_some());
    let shown = place.shown(&id).await;
    assert_eq!((&shown["status"], &shown["config"]), (&json!("active"), &wanted("1.35", 3)), "as before");
    assert_eq!(shown["statusMessage"], "It went wrong. Set it right.");
    place.app.deliver().await;
}

#[tokio::test]
async fn a_provisioned_cluster_is_a_logical_one_and_takes_it_along() {
    let place = Place::start().await;
    let (app, owner) = (&place.app, &place.owner);
    let id = place.active("main").await;
    let viewer = [(owner.team_id.as_str(), TeamRole::Viewer)];
    let viewer = app.member("viewer@example.com", &owner.organization_id, &[OrganizationRole::Member], &viewer).await;
    let teams = json!({ "teamIds": [owner.team_id] });
    let _ = owner.post(&format!("/workloads/clusters/{id}/teams"), teams).await.expect(201);

    let mine = owner.get(&format!("/me/clusters/{id}")).await.expect(200).json();
    let item = json!({ "id": id, "externalClusterId": id, "connectionId": place.connection });
    assert_eq!(mine["item"], item);
    assert_eq!(mine["included"]["clusters"][0]["externalStatus"], "active");
    assert_eq!(mine["included"]["connections"][0]["id"], place.connection);
    let theirs = viewer.get("/me/clusters").await.expect(200).json();
    assert_eq!(theirs["items"], json!([item]));
    let nothing = json!([]);
    let hidden = ["connections", "networks", "externalClusters"].map(|kind| &theirs["included"][kind]);
    assert_eq!(hidden, [&nothing; 3], "they may not see what is behind it");
    assert_eq!(code(owner.delete(&format!("/workloads/clusters/{id}")).await), "cluster_provisioned");

    let cluster = id.parse().unwrap();
    let until = app.now() + Duration::from_secs(60);
    let enroll = async |token: &str| {
        let sha256 = mainsheet_auth::agent::sha256(token);
        app.store().enroll_provisioned_cluster(&tenant(owner), &cluster, (&sha256, until)).await.unwrap();
        TestAgent::register(&owner.client, &id, token).await
    };
    let former = enroll("the token of an agent that another one takes the place of").await;
    let agent = enroll("a registration token").await;
    let _ = former.heartbeat(&[]).await.expect(200);
    let _ = agent.heartbeat(&[]).await.expect(200);
    let job = owner.job("daily", &id).await;
    let run = owner.run(&job).await;
    app.deliver().await;
    let held = agent.lease_one().await;
    assert_eq!(held["jobRunId"], run, "jobs run on it");

    let destroy = owner.delete(&format!("{}/{id}", place.clusters())).await.expect(202).text("id");
    app.store().withdraw_provisioned_cluster(&tenant(owner), &cluster).await.unwrap();
    app.store().withdraw_provisioned_cluster(&tenant(owner), &cluster).await.unwrap();
    let _ = agent.heartbeat(&[]).await.expect(401);
    let _ = former.heartbeat(&[]).await.expect(401);
    let _ = owner.get(&format!("/me/clusters/{id}")).await.expect(404);
    app.settle(owner, &destroy, &success()).await;
    assert_eq!(place.shown(&id).await["status"], "destroyed");
    app.deliver().await;
}

#[tokio::test]
async fn metrics_are_what_heartbeats_said() {
    let place = Place::start().await;
    let (app, owner) = (&place.app, &place.owner);
    let id = place.active("main").await;
    let token = "a registration token";
    let sha256 = mainsheet_auth::agent::sha256(token);
    let until = app.now() + Duration::from_secs(60);
    app.store().enroll_provisioned_cluster(&tenant(owner), &id.parse().unwrap(), (&sha256, until)).await.unwrap();
    let agent = TestAgent::register(&owner.client, &id, token).await;
    let path = |period: &str| format!("{}/{id}/metrics?period={period}", place.clusters());
    let read = async |reader: &Person, period: &str| reader.get(&path(period)).await.expect(200).json();
    assert_eq!(read(owner, "1h").await["cpuUtilization"], json!([]));
    owner.get(&path("1y")).await.assert_names_field("period");
    for _ in 0..8 {
        let _ = agent.heartbeat(&[]).await.expect(200);
        app.advance(Duration::from_secs(150));
    }
    let owner = owner.refreshed().await;
    let hour = read(&owner, "1h").await;
    let values = |of: &str| -> Vec<u64> {
        hour[of].as_array().unwrap().iter().map(|point| point["value"].as_u64().unwrap()).collect()
    };
    assert_eq!(values("cpuUtilization"), [50; 4], "half, as the agent said");
    assert_eq!(values("memoryUtilization"), [25; 4]);
    assert_eq!(values("activeJobCount"), [0; 4]);
    // Five minutes of the control plane and two nodes with 100 GB each, by the price table.
    assert_eq!(values("estimatedCost"), [2; 4]);
    assert_eq!(hour["cpuUtilization"][0]["timestamp"], "2026-11-21T08:30:00.000Z");
    assert_eq!(read(&owner, "24h").await["cpuUtilization"].as_array().unwrap().len(), 1);
    app.advance(Duration::from_secs(2 * 3600));
    let owner = owner.refreshed().await;
    assert_eq!(read(&owner, "1h").await["cpuUtilization"], json!([]), "an hour is an hour");
    assert_eq!(read(&owner, "7d").await["cpuUtilization"].as_array().unwrap().len(), 1);
    app.deliver().await;
}
