//! The scheduler's tick, and what the dispatcher makes of it. What the relay carries and the dispatcher does is tried behind each
//! operation as well.

use std::time::Duration;

use mainsheet_testkit::{Person, TestAgent, TestApp, build};
use serde_json::{Value, json};

use super::outcome::{Names, Outcome};
use super::{report, tried};
use crate::world::leased_run;

const HOUR: Duration = Duration::from_secs(3600);

/// An organization with a cluster, to which the scheduler came just now.
struct Scene {
    app: TestApp,
    owner: Person,
    agent: TestAgent,
}

impl Scene {
    async fn start() -> Self {
        let app = TestApp::start().await.steady();
        let owner = app.sign_up("owner@example.com").await;
        let agent = owner.cluster("main").await;
        let _ = app.tick().await;
        Self { app, owner, agent }
    }

    /// A job with fields beside its configuration, at JSON pointers.
    async fn job(&self, key: &str, fields: &[(&str, Value)]) -> String {
        let body = build::job(key, &self.agent.cluster_id, &self.owner.team_id);
        let body = fields.iter().fold(body, |body, (path, value)| build::with(body, path, value.clone()));
        self.owner.create("/workloads/jobs", body).await
    }

    async fn leased(&self, job: &str) -> Value {
        leased_run(&self.app, &self.owner, &self.agent, job).await
    }

    /// How many runs have a status.
    fn runs(&self, status: &str) -> usize {
        self.app.dump().of_kind("job_run").filter(|row| row["data"]["status"] == status).count()
    }

    /// Tries a tick with a fault at each call that it makes, and then at each call of what follows from it: in the end the table is
    /// what it is without.
    async fn try_tick(&self, check: impl Fn(&Self)) {
        let app = &self.app;
        app.deliver().await;
        let (snapshot, names) = (app.snapshot(), Names::of(&app.dump()));
        let tick = || mainsheet_scheduler::tick(app.store(), mainsheet_scheduler::INTERVAL);
        let (ticked, calls) = Box::pin(app.measure(tick())).await;
        let _ = ticked.unwrap();
        let (_, later_calls) = Box::pin(app.measure(app.deliver_through_faults())).await;
        settle(app).await;
        check(self);
        let expected = Outcome::of(&app.dump(), &names);
        let mut count = 0;
        for (index, call) in calls.iter().enumerate() {
            for (fault, lasting) in tried(call) {
                app.restore(&snapshot);
                app.fault(index, fault, lasting);
                let _ = tick().await;
                app.heal();
                settle(app).await;
                let context = format!("a tick with {fault:?} {lasting:?} at call {index} of {calls:?}");
                Outcome::of(&app.dump(), &names).assert_is(&expected, &context);
                count += 1;
            }
        }
        for (index, call) in later_calls.iter().enumerate() {
            for (fault, lasting) in tried(call) {
                app.restore(&snapshot);
                let _ = tick().await.unwrap();
                app.fault(index, fault, lasting);
                let _ = app.deliver_through_faults().await;
                app.heal();
                settle(app).await;
                let context =
                    format!("a tick, delivered with {fault:?} {lasting:?} at call {index} of {later_calls:?}");
                Outcome::of(&app.dump(), &names).assert_is(&expected, &context);
                count += 1;
            }
        }
        report("a tick", count);
    }
}

/// What follows, and ticks with what follows of them, until nothing is left to do.
async fn settle(app: &TestApp) {
    for _ in 0..10 {
        let failed = app.deliver_through_faults().await;
        let ticked = mainsheet_scheduler::tick(app.store(), mainsheet_scheduler::INTERVAL).await;
        let is_idle = failed == 0 && ticked.is_ok_and(|ticked| ticked == mainsheet_scheduler::Ticked::default());
        if is_idle && app.deliver_through_faults().await == 0 {
            return;
        }
    }
    panic!("the scheduler comes to no end");
}

/// Runs that are due for every reason there is.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_runs_that_are_due_are_settled_once() {
    let scene = Scene::start().await;
    let lost = scene.job("lost", &[("/config/lakesail", json!({ "maxRetries": 0 }))]).await;
    let tried_again = scene.job("tried-again", &[("/config/lakesail", json!({ "maxRetries": 1 }))]).await;
    let slow = scene.job("slow", &[("/timeoutSeconds", json!(30))]).await;
    for job in [&lost, &tried_again, &slow] {
        let _ = scene.leased(job).await;
    }
    let stopping = scene.leased(&lost).await;
    let path = format!("/workloads/jobs/{lost}/runs/{}/cancel", stopping["jobRunId"].as_str().unwrap());
    let _ = scene.owner.act(&path).await.expect(200);
    scene.app.advance(Duration::from_secs(60));
    let settled = |scene: &Scene| {
        assert_eq!(["failed", "ready", "timeout", "cancelled"].map(|status| scene.runs(status)), [1, 1, 1, 1]);
    };
    Box::pin(scene.try_tick(settled)).await;
}

/// Ticks that are due, under every policy.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_ticks_that_are_due_are_decided_once() {
    let scene = Scene::start().await;
    let hourly = ("/cronExpression", json!("0 * * * *"));
    let policy = |name: &str| ("/concurrencyPolicy", json!(name));
    let _ = scene.job("skipping", &[hourly.clone(), policy("skip")]).await;
    let all =
        [hourly.clone(), policy("allow"), ("/missedSchedulePolicy", json!("all")), ("/maxConcurrentRuns", json!(2))];
    let _ = scene.job("catching-up", &all).await;
    let depends = ("/dependsOn", json!([{ "jobKey": "skipping" }]));
    let _ = scene.job("waiting", &[hourly.clone(), depends]).await;
    let replacing = scene.job("replacing", &[hourly, policy("replace"), ("/timeoutSeconds", json!(0))]).await;
    let held = scene.leased(&replacing).await;
    // Nobody ticked from half past eight to noon.
    scene.app.advance(HOUR * 7 / 2);
    let _ = scene.agent.heartbeat(std::slice::from_ref(&held)).await.expect(200);
    let decided = |scene: &Scene| {
        assert_eq!([scene.runs("pending"), scene.runs("starting")], [2, 1], "one waits, one is to be replaced");
        let ran = scene.app.dump().of_kind("tick").filter(|row| row["data"]["outcome"] == "ran").count();
        assert_eq!(ran, 5, "one of each job, and another one where two fit");
    };
    Box::pin(scene.try_tick(decided)).await;
}
