//! Jobs, their versions, runs and ticks: whoever wins has all of it, everybody else is told what to do in a typed conflict.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use mainsheet_testkit::{Answer, Client, Person, TestAgent, TestApp, build};
use serde_json::{Value, json};

use super::{PARALLEL, done, rounds, storm};
use crate::world::leased_run;

struct Scene {
    app: TestApp,
    owner: Person,
    agent: TestAgent,
    job: String,
}

impl Scene {
    async fn start() -> Self {
        let app = TestApp::start_patient().await.steady();
        let owner = app.sign_up("owner@example.com").await;
        let agent = owner.cluster("main").await;
        let job = owner.job("daily", &agent.cluster_id).await;
        let _ = app.tick().await;
        Self { app, owner, agent, job }
    }

    fn path(&self, rest: &str) -> String {
        format!("/workloads/jobs/{}{rest}", self.job)
    }

    async fn held_run(&self) -> String {
        self.owner.create(&self.path("/runs"), json!({ "hold": true })).await
    }

    /// Has each of a hundred ask for something.
    async fn all_ask<R>(&self, ask: impl Fn(Client, usize) -> R) -> Vec<Answer>
    where
        R: Future<Output = Answer> + Send + 'static,
    {
        storm(|number| ask(self.owner.client.clone(), number)).await
    }

    /// Has a hundred do the same to a path of the job's.
    async fn all_act(&self, rest: &str) -> Vec<Answer> {
        let path = self.path(rest);
        self.all_ask(|client, _| {
            let path = path.clone();
            async move { client.act(&path).await }
        })
        .await
    }

    /// Has a hundred send to a path of the job's, each its own body.
    async fn all_post(&self, rest: &str, body: impl Fn(usize) -> Value) -> Vec<Answer> {
        let path = self.path(rest);
        self.all_ask(|client, number| {
            let (path, body) = (path.clone(), body(number));
            async move { client.post(&path, body).await }
        })
        .await
    }

    /// What was written to the trail since.
    fn audited(&self, action: &str) -> usize {
        self.app.dump().of_kind("audit").filter(|row| row["data"]["action"] == action).count()
    }

    /// The job, as it is shown.
    async fn shown(&self) -> Value {
        self.owner.get(&self.path("")).await.expect(200).json()["included"]["jobs"][0].clone()
    }

    /// Some schedulers come at the same moment.
    async fn schedulers(&self, count: usize) -> usize {
        let tick = || mainsheet_scheduler::tick(self.app.store(), mainsheet_scheduler::INTERVAL);
        join_all((0..count).map(|_| tick())).await.into_iter().map(|ticked| ticked.unwrap().scheduled).sum()
    }

    /// Each of so many ticks stands once in the ledger, and each that ran has a run of its own: how many did.
    async fn ran_of(&self, ticks: usize) -> usize {
        let ledger = self.owner.get(&self.path("/ticks?limit=100")).await.expect(200).json();
        let ledger = ledger["items"].as_array().unwrap();
        let moments: BTreeSet<&str> = ledger.iter().map(|tick| tick["scheduledAt"].as_str().unwrap()).collect();
        assert_eq!((ledger.len(), moments.len()), (ticks, ticks), "{ledger:?}");
        let of_ticks: BTreeSet<&str> = ledger.iter().filter_map(|tick| tick["jobRunId"].as_str()).collect();
        let dump = self.app.dump();
        let scheduled = dump.of_kind("job_run").filter(|row| row["data"]["scheduledAt"].is_string());
        assert_eq!(scheduled.map(|row| row["sk"].as_str().unwrap()).collect::<BTreeSet<_>>(), of_ticks);
        of_ticks.len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_publications_of_a_draft_one_wins() {
    for _ in 0..rounds() {
        let scene = Scene::start().await;
        let _ = scene.owner.post(&scene.path("/draft"), json!({ "timeoutSeconds": 60 })).await.expect(201);
        let answers = scene.all_act("/draft/publish").await;
        // Whoever comes after it has nothing to publish.
        let (late, rest): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 400);
        assert!(late.iter().all(|answer| answer.problem().code == "no_draft"));
        assert_eq!(done(&rest, &["changed_meanwhile"]), 1);
        let job = scene.shown().await;
        assert_eq!((&job["currentVersion"], job.get("draftVersion")), (&json!(2), None));
        scene.app.deliver().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_are_published_at_once_are_numbered_without_gaps() {
    for _ in 0..rounds() {
        let scene = Scene::start().await;
        let answers = scene.all_post("/versions", |number| json!({ "timeoutSeconds": number + 1 })).await;
        let published = done(&answers, &["changed_meanwhile"]) as u64;
        assert!(published > 0);
        let page = scene.owner.get(&scene.path("/versions?limit=100")).await.expect(200).json();
        let numbers: Vec<u64> =
            page["items"].as_array().unwrap().iter().map(|item| item["version"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=published + 1).take(100).collect::<Vec<_>>());
        scene.app.deliver().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_activations_the_last_one_is_in_force() {
    for _ in 0..rounds() {
        let scene = Scene::start().await;
        for seconds in [10, 20] {
            let body = json!({ "timeoutSeconds": seconds });
            let _ = scene.owner.post(&scene.path("/versions"), body).await.expect(201);
        }
        let answers = scene.all_post("/activate-version", |number| json!({ "version": number % 3 + 1 })).await;
        assert!(done(&answers, &["changed_meanwhile"]) > 0);
        let job = scene.shown().await;
        let current = job["currentVersion"].as_u64().unwrap();
        let expected = [86400, 10, 20][usize::try_from(current - 1).unwrap()];
        assert_eq!((&job["version"], &job["timeoutSeconds"]), (&json!(current), &json!(expected)));
        scene.app.deliver().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_runs_that_are_created_at_once_are_a_hundred_and_each_is_leased_once() {
    for _ in 0..rounds() {
        let scene = Scene::start().await;
        let runs = scene.path("/runs");
        assert_eq!(done(&scene.all_post("/runs", |_| build::run()).await, &[]), PARALLEL);
        assert_eq!(scene.owner.get(&runs).await.expect(200).json()["total"], PARALLEL);
        scene.app.deliver().await;
        let mut held: Vec<Value> = Vec::new();
        while held.len() < PARALLEL {
            let asking = (0..4).map(|_| scene.agent.lease(&held, 10));
            let taken: Vec<Value> = join_all(asking)
                .await
                .into_iter()
                .flat_map(|answer| {
                    let answer = answer.expect(200).json();
                    answer["runs"].as_array().unwrap().iter().map(mainsheet_testkit::held).collect::<Vec<_>>()
                })
                .collect();
            assert!(!taken.is_empty());
            for run in taken {
                assert_eq!(run["attempt"], 1, "no run is leased a second time");
                if !held.contains(&run) {
                    held.push(run);
                }
            }
        }
        assert_eq!(scene.audited("job_run.lease"), PARALLEL);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_a_hundred_times_is_one_run() {
    for _ in 0..rounds() {
        let scene = Scene::start().await;
        let runs = scene.path("/runs");
        let send = |client: Client, _| client.call("POST", &runs).json(&build::run()).idempotent("one").send();
        let answers = scene.all_ask(send).await;
        assert!(done(&answers, &["request_in_progress"]) > 0);
        let ids: BTreeSet<String> =
            answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.text("id")).collect();
        assert_eq!(ids.len(), 1);
        assert_eq!(scene.owner.get(&runs).await.expect(200).json()["total"], 1);
        scene.app.deliver().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_releases_one_wins() {
    for _ in 0..rounds() {
        let scene = Scene::start().await;
        let run = scene.held_run().await;
        let answers = scene.all_act(&format!("/runs/{run}/ready")).await;
        assert_eq!(done(&answers, &["changed_meanwhile", "run_not_pending"]), 1);
        assert_eq!(scene.audited("job_run.release"), 1);
        assert_eq!(scene.agent.lease(&[], 10).await.expect(200).json()["runs"].as_array().unwrap().len(), 1);
        scene.app.deliver().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_retries_one_wins() {
    for _ in 0..rounds() {
        let scene = Scene::start().await;
        let run = scene.held_run().await;
        let _ = scene.owner.act(&scene.path(&format!("/runs/{run}/cancel"))).await.expect(200);
        let answers = scene.all_post(&format!("/runs/{run}/retry"), |_| json!({})).await;
        assert_eq!(done(&answers, &["changed_meanwhile", "run_not_retryable"]), 1);
        assert_eq!(scene.audited("job_run.retry"), 1);
        assert_eq!(scene.agent.lease(&[], 10).await.expect(200).json()["runs"].as_array().unwrap().len(), 1);
        scene.app.deliver().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_either_stopped_or_done_whoever_of_a_hundred_comes_first() {
    for _ in 0..rounds() {
        let scene = Scene::start().await;
        for round in 0..3 {
            let held = leased_run(&scene.app, &scene.owner, &scene.agent, &scene.job).await;
            let _ = scene
                .agent
                .report(&held, 1, &["sail_requested", "sail_created", "sail_answered", "runner_started"])
                .await
                .expect(200);
            let cancel = format!("/runs/{}/cancel", held["jobRunId"].as_str().unwrap());
            let cancels = scene.all_act(&cancel);
            let (cancels, said) = tokio::join!(cancels, scene.agent.report(&held, 5, &["succeed"]));
            // Its agent had not heard of the order: what it says counts.
            let _ = said.expect(200);
            let _ = done(&cancels, &["run_ended", "changed_meanwhile"]);
            let run = scene.owner.run_state(&scene.job, held["jobRunId"].as_str().unwrap()).await.json();
            assert_eq!(run["status"], "succeeded", "{run}");
            assert!(scene.audited("job_run.cancel") <= round + 1, "one order a run at most");
            assert_eq!(scene.app.dump().of_kind("inbox").count(), 0);
        }
        scene.app.deliver().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_run_is_cancelled_once_or_leased_once() {
    for _ in 0..rounds() {
        let scene = Scene::start().await;
        for _ in 0..3 {
            let run = scene.owner.run(&scene.job).await;
            scene.app.deliver().await;
            let cancel = format!("/runs/{run}/cancel");
            let cancels = scene.all_act(&cancel);
            let leases = join_all((0..10).map(|_| scene.agent.lease(&[], 1)));
            let (cancels, leases) = tokio::join!(cancels, leases);
            let _ = done(&cancels, &["run_ended", "changed_meanwhile"]);
            let leased =
                leases.into_iter().any(|answer| !answer.expect(200).json()["runs"].as_array().unwrap().is_empty());
            let state = scene.owner.run_state(&scene.job, &run).await.json();
            if leased {
                assert_eq!(
                    (&state["status"], state["dispatchedAt"].is_string()),
                    (&json!("starting"), true),
                    "{state}"
                );
                let held = json!({ "jobId": scene.job, "jobRunId": run, "attempt": 1 });
                let _ = scene.agent.report(&held, 1, &["cancel"]).await.expect(200);
            } else {
                assert_eq!(
                    (&state["status"], state["dispatchedAt"].is_string()),
                    (&json!("cancelled"), false),
                    "{state}"
                );
            }
            assert_eq!(scene.app.dump().of_kind("inbox").count(), 0);
        }
        scene.app.deliver().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn schedulers_create_exactly_as_many_runs_as_fit_whatever_people_ask_for_meanwhile() {
    for _ in 0..rounds() {
        let mut scene = Scene::start().await;
        let version = json!({
            "cronExpression": "*/10 * * * *", "concurrencyPolicy": "allow", "maxConcurrentRuns": 3, "missedSchedulePolicy": "all",
        });
        let _ = scene.owner.post(&scene.path("/versions"), version).await.expect(201);
        scene.app.advance(Duration::from_secs(3600));
        let _ = scene.agent.heartbeat(&[]).await.expect(200);
        scene.owner = scene.owner.refreshed().await;
        assert_eq!(scene.schedulers(PARALLEL).await + scene.schedulers(1).await, 3);
        assert_eq!(scene.ran_of(6).await, 3);
        // What people ask for is not counted out, and takes the place of runs of the schedule.
        scene.app.advance(Duration::from_secs(600));
        let _ = scene.agent.heartbeat(&[]).await.expect(200);
        let (asked, scheduled) = tokio::join!(scene.all_post("/runs", |_| build::run()), scene.schedulers(10));
        assert_eq!((done(&asked, &[]), scheduled + scene.schedulers(1).await), (PARALLEL, 0));
        assert_eq!(scene.ran_of(7).await, 3);
        let job = scene.app.dump();
        let job = job.of_kind("job").next().unwrap();
        assert_eq!([&job["runs"], &job["live_runs"]], [103, 103], "counted exactly");
        scene.app.deliver().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_among_a_hundred_activations_is_decided_once() {
    for _ in 0..rounds() {
        let mut scene = Scene::start().await;
        let allow =
            json!({ "cronExpression": "*/10 * * * *", "concurrencyPolicy": "allow", "maxConcurrentRuns": 1000 });
        for seconds in [10, 20] {
            let version = build::with(allow.clone(), "/timeoutSeconds", json!(seconds));
            let _ = scene.owner.post(&scene.path("/versions"), version).await.expect(201);
        }
        for ticks in 1..=3 {
            scene.app.advance(Duration::from_secs(600));
            scene.owner = scene.owner.refreshed().await;
            // Of the same schedule: whichever is in force, the tick is due.
            let activations = scene.all_post("/activate-version", |number| json!({ "version": number % 2 + 2 }));
            let (answers, scheduled) = tokio::join!(activations, scene.schedulers(10));
            assert!(done(&answers, &["changed_meanwhile"]) > 0);
            assert_eq!(scheduled + scene.schedulers(1).await, 1, "one run of the tick");
            assert_eq!(scene.ran_of(ticks).await, ticks);
        }
        scene.app.deliver().await;
    }
}
