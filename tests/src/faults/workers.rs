//! The scheduler's tick and what follows from it, and what the dispatcher does that no operation of the world asks for. Relay,
//! dispatcher and notifier are tried behind each operation as well.

use std::time::Duration;

use mainsheet_core::role::OrganizationRole;
use mainsheet_testkit::provider::TestProvider;
use mainsheet_testkit::{Person, TestAgent, TestApp, build};
use serde_json::{Value, json};

use super::outcome::{Before, Outcome};
use super::stage::{Again, Stage, Trial};
use super::{PORT_FAULTS, report, tried};
use crate::world::{ended_run, leased_run};

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
        let (snapshot, before) = (app.snapshot(), Before::of(app));
        let tick = || mainsheet_scheduler::tick(app.store(), mainsheet_scheduler::INTERVAL);
        let (ticked, calls) = Box::pin(app.measure(tick())).await;
        let _ = ticked.unwrap();
        let _ = app.take_port_calls();
        let (_, later_calls) = Box::pin(app.measure(app.deliver_through_faults())).await;
        let port_calls = app.take_port_calls();
        settle(app).await;
        check(self);
        let expected = Outcome::of(app, &before);
        let mut count = 0;
        for (index, call) in calls.iter().enumerate() {
            for (fault, lasting) in tried(call) {
                app.restore(&snapshot);
                app.fault(index, fault, lasting);
                let _ = tick().await;
                app.heal();
                settle(app).await;
                let context = format!("a tick with {fault:?} {lasting:?} at call {index} of {calls:?}");
                Outcome::of(app, &before).assert_is(&expected, &context);
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
                Outcome::of(app, &before).assert_is(&expected, &context);
                count += 1;
            }
        }
        for (index, fault) in (0..port_calls).flat_map(|index| PORT_FAULTS.map(|fault| (index, fault))) {
            app.restore(&snapshot);
            let _ = tick().await.unwrap();
            app.fault_of_port(index, fault);
            let _ = app.deliver_through_faults().await;
            app.heal();
            settle(app).await;
            let context = format!("a tick, delivered with {fault:?} at a port, call {index} of {port_calls}");
            Outcome::of(app, &before).assert_is(&expected, &context);
            count += 1;
        }
        report("a tick", count);
    }
}

/// A request by somebody who acts in an emergency, of which all owners hear.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_owners_hear_of_an_emergency_once() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let helper = app.member("helper@example.com", &owner.organization_id, &[OrganizationRole::Emergency], &[]).await;
    let provider = TestProvider::start(app.now()).await;
    let stage = Stage::set(&app, &provider).await;
    let request = || helper.call("PATCH", "/org").json(&json!({ "name": "Saved" }));
    let trial = Trial { name: "an emergency", request: &request, success: 200, again: Again::Change };
    report("an emergency", stage.try_out(&trial).await);
}

/// A job whose runs ended, go on and wait is deleted: the dispatcher clears away what it leaves.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_what_a_deleted_job_leaves_is_cleared_away() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    let path = format!("/workloads/jobs/{job}");
    let _ = owner.post(&format!("{path}/versions"), json!({ "timeoutSeconds": 60 })).await.expect(201);
    let _ = ended_run(&app, &owner, &agent, &job).await;
    let _ = leased_run(&app, &owner, &agent, &job).await;
    let _ = owner.create(&format!("{path}/runs"), json!({ "hold": true })).await;
    let provider = TestProvider::start(app.now()).await;
    let stage = Stage::set(&app, &provider).await;
    let request = || owner.call("DELETE", &path);
    let trial = Trial { name: "a job with runs", request: &request, success: 204, again: Again::Change };
    report("a job with runs", stage.try_out(&trial).await);
}

/// A job that succeeded is given the key that a run waits for: the dispatcher looks at the run again.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_a_run_that_waits_for_a_key_hears_of_it_once() {
    let scene = Scene::start().await;
    let app = &scene.app;
    let source = scene.job("source", &[]).await;
    let depends = ("/dependsOn", json!([{ "jobKey": "source" }]));
    let _ = scene.job("dependent", &[("/cronExpression", json!("35 * * * *")), depends]).await;
    app.advance(HOUR / 12);
    let _ = scene.agent.heartbeat(&[]).await.expect(200);
    assert_eq!(app.tick().await.scheduled, 1);
    let path = format!("/workloads/jobs/{source}");
    let renamed = |key: &str| scene.owner.call("PATCH", &path).json(&json!({ "jobKey": key }));
    let _ = renamed("elsewhere").send().await.expect(200);
    app.deliver().await;
    app.advance(Duration::from_secs(1));
    let _ = ended_run(app, &scene.owner, &scene.agent, &source).await;
    app.deliver().await;
    assert_eq!([scene.runs("pending"), scene.runs("ready")], [1, 0], "no job has the key that it waits for");
    let provider = TestProvider::start(app.now()).await;
    let stage = Stage::set(app, &provider).await;
    let request = || renamed("source");
    let trial = Trial { name: "a job's new key", request: &request, success: 200, again: Again::Change };
    report(trial.name, stage.try_out(&trial).await);
    let _ = request().send().await.expect(200);
    app.deliver().await;
    assert_eq!([scene.runs("pending"), scene.runs("ready")], [0, 1]);
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
