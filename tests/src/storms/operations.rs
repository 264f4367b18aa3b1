//! Operations on what is in customers' accounts: one at a time on each thing.

use mainsheet_testkit::{Answer, TestApp, infrastructure};
use serde_json::json;

use super::{rounds, storm, winner};

/// Of a hundred who want to provision, or to change and to destroy the same thing, one starts an operation; all others are told which.
#[tokio::test(flavor = "multi_thread")]
async fn one_operation_is_at_work_on_a_cluster() {
    let app = TestApp::start_patient().await.steady();
    for round in 0..rounds() {
        let owner = app.sign_up(&format!("owner{round}@example.com")).await;
        let connection = app.connection(&owner, "prod").await;
        let network = app.network(&owner, &connection, "main").await;
        let place = (connection.as_str(), network.as_str());
        let pending = app.pending_cluster(&owner, place, "pending").await;
        let pending = format!("/infra/connections/{connection}/clusters/{pending}");
        let active = app.provisioned_cluster(&owner, place, "active").await;
        let active = format!("/infra/connections/{connection}/clusters/{active}");

        let answers = storm(|_| {
            let (client, path) = (owner.client.clone(), format!("{pending}/provision"));
            async move { client.post(&path, json!({})).await }
        });
        let provisioning = alone_at_work(answers.await).text("id");
        let shown = owner.get(&pending).await.expect(200).json();
        assert_eq!(shown["included"]["clusters"][0]["operationId"], provisioning.as_str());

        let answers = storm(|turn| {
            let (client, path) = (owner.client.clone(), active.clone());
            let update = json!({ "config": infrastructure::cluster_config("1.35") });
            async move { if turn % 2 == 0 { client.post(&path, update).await } else { client.delete(&path).await } }
        });
        let _ = alone_at_work(answers.await);
        app.deliver().await;
        let started = app.started_workflows();
        assert_eq!(started.iter().filter(|start| start.organization_id.as_str() == owner.organization_id).count(), 4);
    }
}

/// A hundred who want an operation stopped are all told that it will be; one of them asked first.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_cancel_an_operation() {
    let app = TestApp::start_patient().await.steady();
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let network = app.pending_network(&owner, &connection, "main").await;
    let provision = format!("/infra/connections/{connection}/networks/{network}/provision");
    let operation = format!("/operations/{}", owner.act(&provision).await.expect(202).text("id"));
    let before = app.dump();
    let answers = storm(|_| {
        let (client, path) = (owner.client.clone(), operation.clone());
        async move { client.delete(&path).await }
    });
    let asked: std::collections::BTreeSet<String> =
        answers.await.into_iter().map(|answer| answer.expect(202).text("cancelRequestedAt")).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(app.dump().new_of_kind(&before, "audit").len(), 1);
    app.deliver().await;
}

/// The one answer that started an operation. Each of the others names it.
#[track_caller]
fn alone_at_work(answers: Vec<Answer>) -> Answer {
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        assert_eq!(answer.problem().code, "operation_in_progress", "{answer}");
    }
    winner(answers, &[409])
}
