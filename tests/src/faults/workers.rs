//! The scheduler's tick. What the relay carries and the dispatcher does is tried behind each operation.

use std::time::Duration;

use mainsheet_testkit::{Person, TestAgent, TestApp, build};
use serde_json::json;

use super::outcome::{Names, Outcome};
use super::tried;
use crate::world::leased_run;

/// Runs that are due for every reason there is.
async fn due_runs(app: &TestApp, owner: &Person, agent: &TestAgent) {
    let job = async |key: &str, change: (&str, serde_json::Value)| {
        let body = build::with(build::job(key, &agent.cluster_id, &owner.team_id), change.0, change.1);
        owner.create("/workloads/jobs", body).await
    };
    let lost = job("lost", ("/config/lakesail", json!({ "maxRetries": 0 }))).await;
    let tried_again = job("tried-again", ("/config/lakesail", json!({ "maxRetries": 1 }))).await;
    let slow = job("slow", ("/timeoutSeconds", json!(30))).await;
    for job in [&lost, &tried_again, &slow] {
        let _ = leased_run(app, owner, agent, job).await;
    }
    let stopping = leased_run(app, owner, agent, &lost).await;
    let path = format!("/workloads/jobs/{lost}/runs/{}/cancel", stopping["jobRunId"].as_str().unwrap());
    let _ = owner.act(&path).await.expect(200);
}

/// Ticks until one goes through.
async fn tick(app: &TestApp) {
    for _ in 0..5 {
        let ticked = mainsheet_scheduler::tick(app.store(), mainsheet_scheduler::INTERVAL).await;
        let failed = app.deliver_through_faults().await;
        if ticked.is_ok() && failed == 0 {
            return;
        }
    }
    panic!("no tick goes through");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_what_is_due_happens_once() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let _ = app.tick().await;
    due_runs(&app, &owner, &agent).await;
    app.deliver().await;
    app.advance(Duration::from_secs(60));
    let (snapshot, names) = (app.snapshot(), Names::of(&app.dump()));

    let ((), calls) = app.measure(async { tick(&app).await }).await;
    tick(&app).await;
    let expected = Outcome::of(&app.dump(), &names);
    let statuses = |status: &str| app.dump().of_kind("job_run").filter(|row| row["data"]["status"] == status).count();
    assert_eq!(["failed", "ready", "timeout", "cancelled"].map(statuses), [1, 1, 1, 1]);
    let mut count = 0;
    for (index, call) in calls.iter().enumerate() {
        for (fault, lasting) in tried(call) {
            app.restore(&snapshot);
            app.fault(index, fault, lasting);
            let _ = mainsheet_scheduler::tick(app.store(), mainsheet_scheduler::INTERVAL).await;
            app.heal();
            tick(&app).await;
            let context = format!("a tick with {fault:?} {lasting:?} at call {index} of {calls:?}");
            Outcome::of(&app.dump(), &names).assert_is(&expected, &context);
            count += 1;
        }
    }
    println!("ticks: {count} faults");
    app.deliver().await;
}
