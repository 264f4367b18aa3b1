//! The life of a run, from whoever asks for it to its end.

use std::time::Duration;

use mainsheet_testkit::{Person, TestAgent, TestApp, build};
use serde_json::{Value, json};

use crate::world::{leased_run, preview};

/// An organization with a job on a cluster whose agent is alive.
struct Scene {
    app: TestApp,
    owner: Person,
    agent: TestAgent,
    job: String,
}

impl Scene {
    async fn start() -> Self {
        Self::of(|job| job).await
    }

    /// With the job's body changed.
    async fn of(change: impl FnOnce(Value) -> Value) -> Self {
        Self::over(TestApp::start().await, change).await
    }

    async fn over(app: TestApp, change: impl FnOnce(Value) -> Value) -> Self {
        let owner = app.sign_up("owner@example.com").await;
        let agent = owner.cluster("main").await;
        let body = change(build::job("daily", &agent.cluster_id, &owner.team_id));
        let job = owner.create("/workloads/jobs", body).await;
        app.deliver().await;
        Self { app, owner, agent, job }
    }

    async fn leased(&self) -> Value {
        leased_run(&self.app, &self.owner, &self.agent, &self.job).await
    }

    async fn state(&self, run: &Value) -> Value {
        self.owner.run_state(&self.job, id(run)).await.json()
    }

    async fn post(&self, run: &Value, what: &str) -> mainsheet_testkit::Answer {
        self.owner.act(&format!("/workloads/jobs/{}/runs/{}/{what}", self.job, id(run))).await
    }

    /// Time passes; the agent's heart beats all the while and so does the scheduler.
    async fn live(&self, seconds: u64, holding: &[Value]) {
        for _ in 0..seconds / 15 {
            self.app.advance(Duration::from_secs(15));
            let _ = self.agent.heartbeat(holding).await.expect(200);
            let _ = self.app.tick().await;
        }
    }

    /// Time passes without a sign of the agent.
    async fn silence(&self, seconds: u64) -> mainsheet_scheduler::Ticked {
        for _ in 0..seconds / 15 {
            let _ = self.app.tick().await;
            self.app.advance(Duration::from_secs(15));
        }
        self.app.tick().await
    }
}

impl Scene {
    /// The control plane has ended a run of which nothing was reported: what its agent says now comes second. It is told so, its
    /// log explains the run, and that it cleaned up is noted.
    async fn late_words_change_nothing(&self, held: &Value, event: &str) {
        let before = self.state(held).await;
        let _ = self.agent.log(held, 0, &["last words"]).await.expect(200);
        let told = self.agent.report(held, 1, &[event]).await.expect(200).json();
        assert_eq!(told, json!({ "order": "abandon", "lastReport": 1 }));
        let again = self.agent.report(held, 1, &[event, "cleaned"]).await.expect(200).json();
        assert_eq!(again, json!({ "order": "abandon", "lastReport": 2 }));
        let after = self.state(held).await;
        for field in ["status", "statusMessage", "finishedAt", "results", "runnerCompletedAt"] {
            assert_eq!(after[field], before[field], "{field}");
        }
        assert!(after["cleanedAt"].is_string(), "{after}");
        let path = format!("/workloads/jobs/{}/runs/{}/logs", self.job, id(held));
        let log = self.owner.get(&path).await.expect(200).json();
        assert_eq!(log["items"].as_array().unwrap().last().unwrap()["message"], "last words");
        let _ = self.agent.results(held, preview()).await.expect(409);
    }
}

/// The id of a run or of a lease of it.
fn id(run: &Value) -> &str {
    run["jobRunId"].as_str().or(run["id"].as_str()).unwrap_or_else(|| panic!("no run: {run}"))
}

#[tokio::test]
async fn a_run_walks_through_every_status() {
    let scene = Scene::start().await;
    let body = json!({ "resourceCleanupMode": "on_success", "jobId": scene.job, "jobVersion": 1 });
    let created = scene.owner.post(&format!("/workloads/jobs/{}/runs", scene.job), body).await.expect(201).json();
    assert_eq!((&created["status"], &created["trigger"]), (&json!("pending"), &json!("manual")));
    scene.app.deliver().await;
    assert_eq!(scene.state(&created).await["status"], "ready");
    let held = scene.agent.lease_one().await;
    assert_eq!(held, json!({ "jobId": scene.job, "jobRunId": created["id"], "attempt": 1 }));
    assert_eq!(scene.state(&created).await["status"], "starting");
    let steps = [
        ("sail_requested", "creating_sail"),
        ("sail_created", "waiting_for_sail"),
        ("sail_answered", "creating_runner"),
        ("runner_started", "running"),
    ];
    for (number, (event, status)) in (1..).zip(steps) {
        scene.app.advance(Duration::from_secs(1));
        let taken = scene.agent.report(&held, number, &[event]).await.expect(200).json();
        assert_eq!(taken, json!({ "order": "continue", "lastReport": number }));
        assert_eq!(scene.state(&created).await["status"], status);
    }
    scene.app.advance(Duration::from_secs(5));
    let _ = scene.agent.results(&held, preview()).await.expect(204);
    let report = json!({
        "sequence": 5, "event": "succeed", "runnerExecutionTimeUs": 5_000_000, "results": { "outputPath": "file:///out/" },
    });
    let _ = scene.agent.post(&held, "events", json!({ "attempt": 1, "reports": [report] })).await.expect(200);
    let _ = scene.agent.report(&held, 6, &["cleaned"]).await.expect(200);
    scene.app.deliver().await;
    let run = scene.state(&created).await;
    let expected = json!({
        "status": "succeeded", "results": { "outputPath": "file:///out/" }, "runnerExecutionTimeUs": 5_000_000,
        "dispatchedAt": "2026-11-21T08:30:00.000Z", "runnerStartedAt": "2026-11-21T08:30:04.000Z",
        "runnerCompletedAt": "2026-11-21T08:30:09.000Z", "finishedAt": "2026-11-21T08:30:09.000Z",
        "cleanedAt": "2026-11-21T08:30:09.000Z", "resourceCleanupMode": "on_success",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&run[field], value, "{field} of {run}");
    }
    let path = format!("/workloads/jobs/{}/runs/{}/results", scene.job, id(&created));
    assert_eq!(scene.owner.get(&path).await.expect(200).json(), preview());
    let detail = scene.owner.get(&format!("/workloads/jobs/{}", scene.job)).await.expect(200).json();
    assert_eq!(detail["item"]["latestJobRunId"], created["id"]);
    assert_eq!(detail["included"]["jobRuns"][0], run);
}

#[tokio::test]
async fn a_held_run_waits_until_it_is_released() {
    let scene = Scene::start().await;
    let path = format!("/workloads/jobs/{}/runs", scene.job);
    let held = scene.owner.post(&path, json!({ "hold": true })).await.expect(201).json();
    scene.app.deliver().await;
    assert_eq!(scene.state(&held).await["status"], "pending");
    assert_eq!(scene.agent.lease(&[], 1).await.expect(200).json()["runs"], json!([]));
    let released = scene.post(&held, "ready").await.expect(200).json();
    assert_eq!((&released["status"], &released["hold"]), (&json!("ready"), &json!(false)));
    assert_eq!(scene.post(&held, "ready").await.expect(409).problem().code, "run_not_pending");
    assert_eq!(scene.agent.lease_one().await["jobRunId"], held["id"]);
}

#[tokio::test]
async fn runs_are_of_published_versions_and_of_the_job_in_the_path() {
    let scene = Scene::start().await;
    let path = format!("/workloads/jobs/{}/runs", scene.job);
    let before = scene.app.dump();
    scene.owner.post(&path, json!({ "jobVersion": 2 })).await.assert_names_field("jobVersion");
    scene.owner.post(&path, json!({ "jobVersion": 0 })).await.assert_names_field("jobVersion");
    let contradiction = scene.owner.post(&path, json!({ "jobId": "ANOTHERJOB" })).await.expect(400);
    assert_eq!(contradiction.problem().code, "contradictory_ids");
    scene.app.dump().assert_same_as(&before, "runs that were refused");
}

#[tokio::test]
async fn what_no_agent_has_is_cancelled_at_once() {
    let scene = Scene::start().await;
    let path = format!("/workloads/jobs/{}/runs", scene.job);
    let held = scene.owner.post(&path, json!({ "hold": true })).await.expect(201).json();
    let ready = scene.owner.post(&path, json!({})).await.expect(201).json();
    scene.app.deliver().await;
    for run in [&held, &ready] {
        assert_eq!(scene.post(run, "cancel").await.expect(200).json()["status"], "cancelled");
        assert_eq!(scene.post(run, "cancel").await.expect(409).problem().code, "run_ended");
    }
    assert_eq!(scene.agent.lease(&[], 5).await.expect(200).json()["runs"], json!([]));
}

#[tokio::test]
async fn an_agent_is_told_to_stop_and_says_when_it_has() {
    let scene = Scene::start().await;
    let held = scene.leased().await;
    let _ = scene.agent.report(&held, 1, &["sail_requested"]).await.expect(200);
    let cancelled = scene.post(&held, "cancel").await.expect(200).json();
    assert_eq!(cancelled["status"], "creating_sail", "the agent has to stop it first");
    assert_eq!(scene.post(&held, "cancel").await.expect(200).json()["status"], "creating_sail", "asking twice");

    let order = json!([{ "jobId": scene.job, "jobRunId": held["jobRunId"], "attempt": 1, "order": "cancel" }]);
    let holding = std::slice::from_ref(&held);
    assert_eq!(scene.agent.lease(holding, 0).await.expect(200).json()["orders"], order);
    assert_eq!(scene.agent.heartbeat(holding).await.expect(200).json()["runs"], order);
    assert_eq!(scene.agent.report(&held, 2, &["sail_created"]).await.expect(200).json()["order"], "cancel");
    let _ = scene.agent.report(&held, 3, &["cancel"]).await.expect(200);
    assert_eq!(scene.state(&held).await["status"], "cancelled");
    assert_eq!(scene.agent.lease(holding, 0).await.expect(200).json()["orders"], json!([]));
}

#[tokio::test]
async fn a_run_whose_agent_does_not_stop_it_is_cancelled_after_thirty_seconds() {
    let scene = Scene::start().await;
    let held = scene.leased().await;
    let _ = scene.app.tick().await;
    let _ = scene.post(&held, "cancel").await.expect(200);
    let holding = std::slice::from_ref(&held);
    scene.app.advance(Duration::from_secs(29));
    let _ = scene.agent.heartbeat(holding).await.expect(200);
    let _ = scene.app.tick().await;
    assert_eq!(scene.state(&held).await["status"], "starting");
    scene.app.advance(Duration::from_secs(1));
    let _ = scene.app.tick().await;
    assert_eq!(scene.state(&held).await["status"], "cancelled");
    assert_eq!(scene.agent.heartbeat(holding).await.expect(200).json()["runs"][0]["order"], "abandon");
    scene.late_words_change_nothing(&held, "cancel").await;
}

#[tokio::test]
async fn a_success_reported_before_the_order_to_stop_arrives_stands() {
    let scene = Scene::start().await;
    let held = scene.leased().await;
    let _ = scene.post(&held, "cancel").await.expect(200);
    scene.agent.succeed(&held).await;
    scene.app.deliver().await;
    assert_eq!(scene.state(&held).await["status"], "succeeded");
}

#[tokio::test]
async fn a_run_ends_when_its_time_is_up_however_alive_its_agent_is() {
    let scene = Scene::of(|job| build::with(job, "/timeoutSeconds", json!(60))).await;
    let held = scene.leased().await;
    let _ = scene.app.tick().await;
    let holding = std::slice::from_ref(&held);
    scene.live(45, holding).await;
    assert_eq!(scene.state(&held).await["status"], "starting");
    scene.live(15, holding).await;
    let run = scene.state(&held).await;
    assert_eq!(run["status"], "timeout", "{run}");
    assert!(run["statusMessage"].as_str().unwrap().contains("60"), "{run}");
    assert_eq!(scene.agent.heartbeat(holding).await.expect(200).json()["runs"][0]["order"], "abandon");
}

#[tokio::test]
async fn at_the_very_moment_of_its_time_limit_a_run_ends_as_whoever_speaks_first_says() {
    let scene = Scene::of(|job| build::with(job, "/timeoutSeconds", json!(60))).await;
    let (first, second) = (scene.leased().await, scene.leased().await);
    let _ = scene.app.tick().await;
    scene.live(45, &[first.clone(), second.clone()]).await;
    scene.app.advance(Duration::from_secs(15));
    scene.agent.succeed(&first).await;
    assert_eq!(scene.app.tick().await.settled, 1);
    assert_eq!(scene.state(&first).await["status"], "succeeded");
    assert_eq!(scene.state(&second).await["status"], "timeout");
    scene.late_words_change_nothing(&second, "succeed").await;
    // Once it is tried again, that attempt is over for good.
    let _ = scene.post(&second, "retry").await.expect(200);
    let _ = scene.agent.report(&second, 3, &["cleaned"]).await.expect(409);
    let _ = scene.agent.log(&second, 1, &["too late"]).await.expect(409);
    scene.app.deliver().await;
}

#[tokio::test]
async fn without_a_limit_a_run_goes_on_for_days() {
    let scene = Scene::of(|job| build::with(job, "/timeoutSeconds", json!(0))).await;
    let held = scene.leased().await;
    let _ = scene.app.tick().await;
    let holding = std::slice::from_ref(&held);
    for _ in 0..3 {
        scene.live(60, holding).await;
    }
    assert_eq!(scene.state(&held).await["status"], "starting");
    scene.agent.succeed(&held).await;
    scene.app.deliver().await;
}

#[tokio::test]
async fn heartbeats_keep_a_lease_and_silence_loses_it() {
    let scene = Scene::start().await;
    let held = scene.leased().await;
    scene.live(300, std::slice::from_ref(&held)).await;
    assert_eq!(scene.state(&held).await["status"], "starting");
    assert_eq!(scene.silence(45).await.settled, 0);
    assert_eq!(scene.silence(15).await.settled, 1);
    let run = scene.state(&held).await;
    assert_eq!(run["status"], "failed");
    assert!(run["statusMessage"].as_str().unwrap().starts_with("agent_lost"), "{run}");
    scene.late_words_change_nothing(&held, "sail_requested").await;
    assert_eq!(scene.app.tick().await.settled, 0, "nothing is due any more");
}

#[tokio::test]
async fn a_lost_agents_run_is_tried_again_while_tries_are_left() {
    let scene = Scene::of(|job| build::with(job, "/config/lakesail", json!({ "maxRetries": 1 }))).await;
    let first = scene.leased().await;
    let _ = scene.agent.log(&first, 0, &["of the first attempt"]).await.expect(200);
    let _ = scene.agent.report(&first, 1, &["sail_requested", "sail_created"]).await.expect(200);
    assert_eq!(scene.silence(60).await.settled, 1);
    assert_eq!(scene.state(&first).await["status"], "ready");
    let second = scene.agent.lease_one().await;
    assert_eq!((&second["jobRunId"], &second["attempt"]), (&first["jobRunId"], &json!(2)));

    let _ = scene.agent.report(&first, 3, &["sail_answered"]).await.expect(409);
    let _ = scene.agent.log(&first, 1, &["too late"]).await.expect(409);
    let _ = scene.agent.results(&first, preview()).await.expect(409);
    let _ = scene.agent.log(&second, 0, &["of the second"]).await.expect(200);
    scene.agent.succeed(&second).await;
    scene.app.deliver().await;
    let logs = scene.owner.get(&format!("/workloads/jobs/{}/runs/{}/logs", scene.job, id(&first))).await.expect(200);
    let logs = logs.json();
    let texts: Vec<&str> =
        logs["items"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(texts, ["of the first attempt", "of the second"]);
}

#[tokio::test]
async fn tries_run_out() {
    let scene = Scene::of(|job| build::with(job, "/config/lakesail", json!({ "maxRetries": 2 }))).await;
    let mut run = scene.leased().await;
    for attempt in 2..=3 {
        let _ = scene.silence(60).await;
        run = scene.agent.lease_one().await;
        assert_eq!(run["attempt"], attempt);
    }
    let _ = scene.silence(60).await;
    assert_eq!(scene.state(&run).await["status"], "failed");
    assert_eq!(scene.agent.lease(&[], 1).await.expect(200).json()["runs"], json!([]));
    // Somebody who starts it again starts it with all of its tries.
    let _ = scene.post(&run, "retry").await.expect(200);
    scene.app.deliver().await;
    for attempt in 4..=6 {
        run = scene.agent.lease_one().await;
        assert_eq!(run["attempt"], attempt);
        let _ = scene.silence(60).await;
    }
    assert_eq!(scene.state(&run).await["status"], "failed");
}

#[tokio::test]
async fn agents_get_a_lease_more_after_the_control_plane_was_away() {
    let scene = Scene::start().await;
    let held = scene.leased().await;
    let _ = scene.app.tick().await;
    scene.app.advance(Duration::from_secs(600));
    let ticked = scene.app.tick().await;
    assert_eq!((ticked.settled, ticked.extended), (0, 1));
    assert_eq!(
        scene.agent.heartbeat(std::slice::from_ref(&held)).await.expect(200).json()["runs"][0]["order"],
        "continue"
    );
    scene.agent.succeed(&held).await;
    scene.app.deliver().await;
    assert_eq!(scene.state(&held).await["status"], "succeeded");
}

#[tokio::test]
async fn an_outage_gives_no_run_more_time_than_it_has() {
    let scene = Scene::of(|job| build::with(job, "/timeoutSeconds", json!(630))).await;
    let held = scene.leased().await;
    let _ = scene.app.tick().await;
    scene.app.advance(Duration::from_secs(600));
    assert_eq!(scene.app.tick().await.extended, 1);
    scene.app.advance(Duration::from_secs(30));
    assert_eq!(scene.app.tick().await.settled, 1, "its own time is up before the extended lease");
    assert_eq!(scene.state(&held).await["status"], "timeout");
}

#[tokio::test]
async fn a_heartbeat_that_began_before_a_cancellation_does_not_put_it_off() {
    let scene = Scene::start().await;
    let held = scene.leased().await;
    let _ = scene.app.tick().await;
    let path = format!("/workloads/jobs/{}/runs/{}/cancel", scene.job, id(&held));
    // The order to stop is written between what the heartbeat reads and what it writes: its pulse is its first transaction.
    let pause = scene.app.hold_call("TransactWriteItems", 1);
    let cancel = async {
        pause.reached().await;
        let _ = scene.owner.act(&path).await.expect(200);
        pause.end();
    };
    let (beat, ()) = tokio::join!(scene.agent.heartbeat(std::slice::from_ref(&held)), cancel);
    assert_eq!(beat.expect(200).json()["runs"][0]["order"], "cancel");
    scene.app.advance(Duration::from_secs(29));
    assert_eq!(scene.app.tick().await.settled, 0);
    scene.app.advance(Duration::from_secs(1));
    assert_eq!(scene.app.tick().await.settled, 1);
    assert_eq!(scene.state(&held).await["status"], "cancelled");
}

#[tokio::test]
async fn what_a_service_account_asks_for_says_so() {
    let scene = Scene::start().await;
    let account = scene.owner.create("/org/service-accounts", json!({ "username": "ci-bot", "description": "" })).await;
    let policy = json!({ "permissions": ["CanRunJobs", "CanViewJobs"] });
    let _ = scene.owner.put(&format!("/org/policies/serviceAccount:{account}"), policy).await.expect(200);
    let key = scene.owner.post(&format!("/org/service-accounts/{account}/keys"), json!({})).await.expect(201);
    let robot = scene.app.anonymous().bearer(&key.text("key"));
    let run = robot.post(&format!("/workloads/jobs/{}/runs", scene.job), build::run()).await.expect(201).json();
    assert_eq!((&run["trigger"], &run["createdBy"]), (&json!("api"), &json!(account)));
    scene.app.deliver().await;
}

#[tokio::test]
async fn a_failure_keeps_the_engines_message() {
    let scene = Scene::start().await;
    let held = scene.leased().await;
    let _ = scene.agent.report(&held, 1, &["sail_requested"]).await.expect(200);
    let report = json!({ "sequence": 2, "event": "fail", "message": "table not found: sales" });
    let _ = scene.agent.post(&held, "events", json!({ "attempt": 1, "reports": [report] })).await.expect(200);
    let run = scene.state(&held).await;
    assert_eq!((&run["status"], &run["statusMessage"]), (&json!("failed"), &json!("table not found: sales")));
    assert!(run["finishedAt"].is_string());
    let path = format!("/workloads/jobs/{}/runs/{}/results", scene.job, id(&held));
    let _ = scene.owner.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_run_that_did_not_succeed_is_tried_again_as_the_same_run() {
    let scene = Scene::start().await;
    let leased = scene.leased().await;
    let _ = scene.agent.log(&leased, 0, &["first attempt"]).await.expect(200);
    assert_eq!(scene.post(&leased, "retry").await.expect(409).problem().code, "run_not_retryable");
    let _ = scene.post(&leased, "cancel").await.expect(200);
    let _ = scene.agent.report(&leased, 1, &["cancel"]).await.expect(200);
    let change = json!({ "config": { "sql": { "source": "SELECT 2" } } });
    let _ = scene.owner.post(&format!("/workloads/jobs/{}/versions", scene.job), change).await.expect(201);

    let retried = scene.post(&leased, "retry").await.expect(200).json();
    let expected =
        json!({ "id": leased["jobRunId"], "status": "ready", "trigger": "retry", "jobVersion": 1, "hold": false });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&retried[field], value, "{field}");
    }
    for gone in ["finishedAt", "dispatchedAt", "statusMessage"] {
        assert_eq!(retried.get(gone), None, "{gone}");
    }
    assert_eq!(scene.post(&leased, "retry").await.expect(409).problem().code, "run_not_retryable");
    let again = scene.agent.lease(&[], 1).await.expect(200).json()["runs"][0].clone();
    assert_eq!((&again["jobRunId"], &again["attempt"]), (&leased["jobRunId"], &json!(2)));
    assert_eq!(again["source"], json!({ "sql": { "text": "SELECT 1 AS one" } }), "it keeps its version");
    let again = mainsheet_testkit::held(&again);
    let _ = scene.agent.log(&again, 0, &["second attempt"]).await.expect(200);
    scene.agent.succeed(&again).await;
    scene.app.deliver().await;
    let log = scene.owner.get(&format!("/workloads/jobs/{}/runs/{}/logs", scene.job, id(&leased))).await.expect(200);
    assert_eq!(log.json()["items"].as_array().unwrap().len(), 2, "the log of the first attempt stays");
    let _ = scene.post(&leased, "retry").await.expect(409);
    scene.app.deliver().await;
}

#[tokio::test]
async fn a_retry_can_be_held() {
    let scene = Scene::start().await;
    let run = scene.owner.create(&format!("/workloads/jobs/{}/runs", scene.job), json!({ "hold": true })).await;
    let run = json!({ "id": run });
    let _ = scene.post(&run, "cancel").await.expect(200);
    let path = format!("/workloads/jobs/{}/runs/{}/retry", scene.job, id(&run));
    let held = scene.owner.post(&path, json!({ "hold": true })).await.expect(200).json();
    assert_eq!((&held["status"], &held["hold"]), (&json!("pending"), &json!(true)));
    scene.app.deliver().await;
    assert_eq!(scene.state(&run).await["status"], "pending");
    let released = scene.post(&run, "ready").await.expect(200).json();
    assert_eq!((&released["status"], &released["hold"]), (&json!("ready"), &json!(false)));
    assert_eq!(scene.post(&run, "ready").await.expect(409).problem().code, "run_not_pending");
    assert_eq!(scene.agent.lease_one().await["jobRunId"], run["id"]);
}

#[tokio::test]
async fn of_a_hundred_retries_at_once_one_wins() {
    let scene = Scene::over(TestApp::start_patient().await, |job| job).await;
    let run = scene.owner.create(&format!("/workloads/jobs/{}/runs", scene.job), json!({ "hold": true })).await;
    let run = json!({ "id": run });
    let _ = scene.post(&run, "cancel").await.expect(200);
    let answers = futures::future::join_all((0..100).map(|_| scene.post(&run, "retry"))).await;
    let codes = answers.iter().filter(|answer| answer.status != 200).map(|answer| answer.problem().code);
    assert!(codes.clone().all(|code| ["changed_meanwhile", "run_not_retryable"].contains(&code.as_str())));
    assert_eq!(codes.count(), 99);
    assert_eq!(scene.agent.lease(&[], 5).await.expect(200).json()["runs"].as_array().unwrap().len(), 1);
    scene.app.deliver().await;
}

#[tokio::test]
async fn records_of_runs_that_have_ended_can_be_deleted() {
    let scene = Scene::start().await;
    let runs = format!("/workloads/jobs/{}/runs", scene.job);
    let leased = scene.leased().await;
    let path = format!("{runs}/{}", id(&leased));
    assert_eq!(scene.owner.delete(&path).await.expect(409).problem().code, "run_not_ended");
    scene.agent.succeed(&leased).await;
    scene.app.deliver().await;
    scene.app.advance(Duration::from_secs(1));
    let held = scene.owner.create(&runs, json!({ "hold": true })).await;
    let newest = format!("{runs}/{held}");
    assert_eq!(scene.owner.delete(&newest).await.expect(409).problem().code, "run_not_ended");
    let _ = scene.post(&json!({ "id": held }), "cancel").await.expect(200);
    let latest = async || {
        let shown = scene.owner.get(&format!("/workloads/jobs/{}", scene.job)).await.expect(200).json();
        shown["item"]["latestJobRunId"].clone()
    };
    assert_eq!(latest().await, held);
    let _ = scene.owner.delete(&newest).await.expect(204);
    assert_eq!(latest().await, leased["jobRunId"], "the one before is the latest now");
    let _ = scene.owner.delete(&path).await.expect(204);
    assert_eq!(latest().await, Value::Null);
    let _ = scene.owner.delete(&path).await.expect(404);
    let listed = scene.owner.get(&runs).await.expect(200).json();
    assert_eq!((&listed["total"], &listed["items"]), (&json!(0), &json!([])));
    assert_eq!(scene.owner.get("/me/jobs/runs").await.expect(200).json()["items"], json!([]));
    scene.app.deliver().await;
    assert_eq!(scene.app.dump().of_kind("log").count(), 0);
}
