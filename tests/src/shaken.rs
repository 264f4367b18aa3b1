//! What DynamoDB may answer at any time changes nothing that we answer: pages that end early or are empty, keys that a batch leaves
//! unprocessed, an index that is late. All tests run with some of that (`shared/testkit/src/shake.rs`); here it happens at every query
//! and every batch read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainsheet_testkit::{Answer, Rule, Shake, TableCall, TestApp, Verdict, build};
use rstest::rstest;
use serde_json::json;

use crate::gates::document::{Operation, operations};
use crate::operations::right;
use crate::world::World;

/// Shakes each query in this way, and leaves keys of each batch.
fn always(page: Shake) -> Rule {
    let queries = AtomicUsize::new(0);
    Arc::new(move |call: &TableCall| match call.operation.as_str() {
        // If every page were empty, there would be no end.
        "Query" if page != Shake::EmptyPage || queries.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) => {
            Verdict::Shake(page)
        }
        "BatchGetItem" => Verdict::Shake(Shake::UnprocessedKeys),
        _ => Verdict::Forward,
    })
}

async fn ask(world: &World, operation: &Operation) -> Answer {
    right(&operation.id, world).unwrap().send(world).await
}

#[rstest]
#[case::of_one_row(Shake::ShortPage(1))]
#[case::without_rows(Shake::EmptyPage)]
#[tokio::test]
async fn pages_of_the_table_are_not_ours(#[case] page: Shake) {
    let world = World::start().await;
    world.app.deliver().await;
    world.app.table().hold();
    let mut compared = 0;
    for operation in operations(&world.app).iter().filter(|operation| operation.method == "GET") {
        let steady = ask(&world, operation).await.expect(operation.success);
        // What says something new each time, such as where to sign in, is left out.
        if operation.success != 200 || ask(&world, operation).await.body != steady.body {
            continue;
        }
        world.app.set_rule(always(page));
        let shaken = ask(&world, operation).await;
        world.app.heal();
        assert_eq!((shaken.status, &shaken.body), (steady.status, &steady.body), "{}", operation.id);
        compared += 1;
    }
    assert!(compared > 60, "{compared}");
}

/// An organization with runs, ticks and records of the trail that are due.
async fn due() -> TestApp {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    for number in 0..12 {
        let body = build::job(&format!("job-{number}"), &agent.cluster_id, &owner.team_id);
        let body = build::with(body, "/concurrencyPolicy", json!("allow"));
        let body = build::with(body, "/maxConcurrentRuns", json!(2));
        let job = owner.create("/workloads/jobs", build::with(body, "/cronExpression", json!("0 * * * *"))).await;
        let _ = owner.run(&job).await;
    }
    app.deliver().await;
    let _ = agent.lease(&[], 10).await.expect(200);
    let _ = app.tick().await;
    app.advance(Duration::from_secs(1800));
    app
}

#[rstest]
#[case::of_one_row(Shake::ShortPage(1))]
#[case::without_rows(Shake::EmptyPage)]
#[tokio::test]
async fn a_tick_does_all_that_is_due(#[case] page: Shake) {
    let app = due().await;
    app.set_rule(always(page));
    let ticked = mainsheet_scheduler::tick(app.store(), mainsheet_scheduler::INTERVAL).await.unwrap();
    app.heal();
    assert_eq!((ticked.settled, ticked.extended + ticked.scheduled), (0, 22), "ten leases, and twelve ticks");
    assert!(ticked.sealed > 0);
    assert_eq!(app.dump().of_kind("audit").filter(|row| row["due_shard"].is_string()).count(), 0, "all are sealed");
    app.deliver().await;
}
