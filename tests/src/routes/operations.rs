//! Operations: begun once however many ask, told of as they go, stopped when asked to, ended once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use mainsheet_core::operation::{
    FailureCode, Intent, Progress, ProgressResource, ResourceAction, ResourceProgress, ResourceRef,
};
use mainsheet_core::{OperationId, Timestamp};
use mainsheet_store::operations::Left;
use mainsheet_testkit::infrastructure::{cluster_config, failure, success, tenant};
use mainsheet_testkit::{Person, TestApp};
use serde_json::json;

async fn provisioning() -> (TestApp, Person, String, OperationId) {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let network = app.pending_network(&owner, &connection, "main").await;
    let path = format!("/infra/connections/{connection}/networks/{network}");
    let operation = owner.act(&format!("{path}/provision")).await.expect(202).text("id").parse().unwrap();
    (app, owner, path, operation)
}

#[tokio::test]
async fn of_a_hundred_at_once_one_is_started() {
    let app = TestApp::start_patient().await;
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let network = app.network(&owner, &connection, "main").await;
    let pending = app.pending_network(&owner, &connection, "pending").await;
    let cluster = app.provisioned_cluster(&owner, (&connection, &network), "main").await;
    let cluster = format!("/infra/connections/{connection}/clusters/{cluster}");
    let pending = format!("/infra/connections/{connection}/networks/{pending}");
    let before = app.dump();

    let provision = join_all((0..100).map(|_| provision_once(&owner, &pending))).await;
    let storm = join_all((0..100).map(|number| {
        let (owner, cluster) = (owner.clone(), cluster.clone());
        async move {
            match number % 2 {
                0 => owner.delete(&cluster).await,
                _ => owner.post(&cluster, json!({ "config": cluster_config("1.35") })).await,
            }
        }
    }))
    .await;
    for answers in [provision, storm] {
        let (started, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 202);
        assert_eq!((started.len(), refused.len()), (1, 99));
        for answer in refused {
            assert_eq!(answer.expect(409).problem().code, "operation_in_progress");
        }
    }
    let after = app.dump();
    assert_eq!(after.new_of_kind(&before, "operation").len(), 2, "one for each of the two");
    let started = after.new_of_kind(&before, "outbox");
    assert_eq!(started.len(), 2, "and one workflow for each");
    app.deliver().await;
}

#[tokio::test]
async fn starting_costs_a_read_and_a_transaction_and_looking_a_read() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let connection = app.connection(&owner, "prod").await;
    let network = app.pending_network(&owner, &connection, "main").await;
    let path = format!("/infra/connections/{connection}/networks/{network}/provision");
    // Who asks is one more round trip of every request.
    let (answer, start) = app.measure(owner.act(&path)).await;
    assert_eq!(start, ["BatchGetItem", "GetItem", "TransactWriteItems"]);
    let operation = format!("/operations/{}", answer.expect(202).text("id"));
    let (_, look) = app.measure(owner.get(&operation)).await;
    assert_eq!(look, ["BatchGetItem", "GetItem"]);
    app.deliver().await;
}

#[tokio::test]
async fn the_same_request_again_shows_the_same_operation() {
    let (app, owner, ..) = provisioning().await;
    let connection = app.connection(&owner, "second").await;
    let network = app.pending_network(&owner, &connection, "main").await;
    let path = format!("/infra/connections/{connection}/networks/{network}/provision");
    let first = owner.call("POST", &path).idempotent("once").send().await.expect(202).text("id");
    app.settle(&owner, &first, &success()).await;
    let again = owner.call("POST", &path).idempotent("once").send().await.expect(202);
    assert_eq!((again.text("id"), again.text("status")), (first, "succeeded".to_owned()));
    app.deliver().await;
}

fn resource(name: &str, status: ResourceProgress) -> ProgressResource {
    ProgressResource {
        urn: format!("urn:mainsheet:{name}"),
        kind: "AWS::EC2::VPC".to_owned(),
        name: name.to_owned(),
        operation: ResourceAction::Create,
        status,
        duration: 0,
        started_at: None,
    }
}

#[tokio::test]
async fn progress_is_told_as_it_happens_and_not_more_often() {
    let (app, owner, _, operation) = provisioning().await;
    let (store, tenant) = (app.store(), tenant(&owner));
    store.begin_operation(&tenant, &operation).await.unwrap();
    store.begin_operation(&tenant, &operation).await.unwrap();
    let shown = async || owner.get(&format!("/operations/{operation}")).await.expect(200).json();
    assert_eq!(shown().await["status"], "running");
    let note = async |message: &str, status: ResourceProgress, now: Timestamp| {
        let advance = |progress: &mut Progress| {
            progress.stage = "create_network_stack".to_owned();
            message.clone_into(&mut progress.message);
            progress.note(resource("vpc", status), now);
        };
        let (noted, round_trips) = app.measure(store.note_progress(&tenant, &operation, advance)).await;
        noted.unwrap();
        round_trips.iter().filter(|name| *name == "TransactWriteItems").count()
    };
    assert_eq!(note("begins", ResourceProgress::Running, app.now()).await, 1);
    for _ in 0..20 {
        assert_eq!(note("goes on", ResourceProgress::Running, app.now()).await, 0, "within a second");
        app.advance(Duration::from_millis(40));
    }
    app.advance(Duration::from_millis(200));
    assert_eq!(note("goes on", ResourceProgress::Running, app.now()).await, 1);
    assert_eq!(note("is there", ResourceProgress::Succeeded, app.now()).await, 1, "what is done is told at once");
    assert_eq!(note("is there", ResourceProgress::Succeeded, app.now()).await, 0, "nothing new");
    let progress = shown().await["progress"].clone();
    assert_eq!((&progress["stage"], &progress["message"]), (&json!("create_network_stack"), &json!("is there")));
    assert_eq!(progress["resources"][0]["duration"], 1, "in seconds");
    assert_eq!((&progress["summary"]["total"], &progress["summary"]["succeeded"]), (&json!(1), &json!(1)));
    app.settle(&owner, operation.as_str(), &success()).await;
    assert_eq!(note("late", ResourceProgress::Running, app.now()).await, 0, "it has ended");
    app.deliver().await;
}

#[tokio::test]
async fn steps_that_tell_of_different_things_at_once_both_count() {
    let (app, owner, _, operation) = provisioning().await;
    let (store, tenant) = (app.store(), tenant(&owner));
    store.begin_operation(&tenant, &operation).await.unwrap();
    let names: Vec<String> = (0..10).map(|number| format!("thing-{number}")).collect();
    let notes = names.iter().map(|name| {
        let now = app.now();
        let (store, tenant, operation) = (store.clone(), tenant.clone(), operation.clone());
        async move {
            let advance = |progress: &mut Progress| progress.note(resource(name, ResourceProgress::Running), now);
            store.note_progress(&tenant, &operation, advance).await
        }
    });
    for noted in join_all(notes).await {
        noted.unwrap();
    }
    let shown = owner.get(&format!("/operations/{operation}")).await.expect(200).json();
    assert_eq!(shown["progress"]["summary"]["running"], 10, "{shown}");
    app.deliver().await;
}

#[tokio::test]
async fn an_operation_is_stopped_when_asked_to_and_ends_once() {
    let (app, owner, path, operation) = provisioning().await;
    let operation_path = format!("/operations/{operation}");
    let asked = owner.delete(&operation_path).await.expect(202);
    assert_eq!((asked.text("status"), asked.text("cancelRequestedAt")), ("pending".into(), app.now().to_string()));
    app.advance(Duration::from_secs(1));
    let again = owner.delete(&operation_path).await.expect(202);
    assert_eq!(again.text("cancelRequestedAt"), asked.text("cancelRequestedAt"));

    let advance = |progress: &mut Progress| progress.note(resource("vpc", ResourceProgress::Running), app.now());
    app.store().note_progress(&tenant(&owner), &operation, advance).await.unwrap();
    let end = failure(FailureCode::Cancelled, Left::Unusable);
    let ended = app.settle(&owner, operation.as_str(), &end).await;
    let repeated = app.settle(&owner, operation.as_str(), &success()).await;
    assert_eq!(ended, repeated, "what has ended has ended");
    let shown = owner.get(&operation_path).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["error"]["errorType"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!(shown["progress"]["resources"][0]["status"], "failed", "what was under way did not come about");
    assert_eq!(owner.delete(&operation_path).await.expect(409).problem().code, "operation_ended");
    let network = owner.get(&path).await.expect(200).json();
    assert_eq!(network["included"]["networks"][0]["status"], "failed");
    app.deliver().await;
}

#[tokio::test]
async fn what_is_about_to_be_made_is_written_down_once() {
    let (app, owner, path, operation) = provisioning().await;
    let (store, tenant) = (app.store(), tenant(&owner));
    let network = ResourceRef::Network(path.rsplit('/').next().unwrap().parse().unwrap());
    let tags = BTreeMap::from([("Service".to_owned(), "mainsheet".to_owned())]);
    let what = ("AWS::CloudFormation::Stack", "mainsheet-network");
    let intent = Intent::new(&operation, "network-stack", what, tags, app.now());
    let first = store.record_intent(&tenant, &network, &intent).await.unwrap();
    app.advance(Duration::from_secs(5));
    let later = Intent { client_token: "another".to_owned(), created_at: app.now(), ..intent };
    assert_eq!(
        store.record_intent(&tenant, &network, &later).await.unwrap(),
        first,
        "a repeated step makes the same call"
    );
    store.note_created(&tenant, &network, what, "arn:aws:cloudformation:stack").await.unwrap();
    let known = store.intents(&tenant, &network).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].provider_id.as_deref(), Some("arn:aws:cloudformation:stack"));
    for _ in 0..2 {
        store.forget_intent(&tenant, &network, what).await.unwrap();
    }
    assert_eq!(store.intents(&tenant, &network).await.unwrap(), []);
    app.deliver().await;
}

async fn provision_once(owner: &Person, network: &str) -> mainsheet_testkit::Answer {
    owner.act(&format!("{network}/provision")).await
}
