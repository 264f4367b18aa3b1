//! A hundred at once: whoever wins has all of it, everybody else is told what to do in a typed conflict, and nothing is half done.

use std::collections::BTreeMap;

use futures::future::join_all;
use mainsheet_testkit::{Answer, Person, TestAgent, TestApp, build};
use serde_json::{Value, json};

use crate::world::leased_run;

const AT_ONCE: usize = 100;

struct Scene {
    app: TestApp,
    owner: Person,
    agent: TestAgent,
    job: String,
}

impl Scene {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let owner = app.sign_up("owner@example.com").await;
        let agent = owner.cluster("main").await;
        let job = owner.job("daily", &agent.cluster_id).await;
        app.deliver().await;
        Self { app, owner, agent, job }
    }

    fn path(&self, rest: &str) -> String {
        format!("/workloads/jobs/{}{rest}", self.job)
    }

    async fn held_run(&self) -> String {
        self.owner.create(&self.path("/runs"), json!({ "hold": true })).await
    }

    /// What was written to the trail since.
    fn audited(&self, action: &str) -> usize {
        self.app.dump().of_kind("audit").filter(|row| row["data"]["action"] == action).count()
    }
}

/// How many of the answers were what: `ok`, or the code of a conflict.
#[track_caller]
fn tally(answers: &[Answer]) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        let kind = match answer.status.as_u16() {
            200 | 201 | 204 => "ok".to_owned(),
            409 => answer.problem().code,
            _ => panic!("neither done nor a conflict: {answer}"),
        };
        *tally.entry(kind).or_default() += 1;
    }
    tally
}

/// One was done, and each of the others met one of these conflicts.
#[track_caller]
fn assert_one_wins(answers: &[Answer], conflicts: &[&str]) {
    let tally = tally(answers);
    assert_eq!(tally.get("ok"), Some(&1), "{tally:?}");
    assert!(tally.keys().all(|kind| kind == "ok" || conflicts.contains(&kind.as_str())), "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_publications_of_a_draft_one_wins() {
    let scene = Scene::start().await;
    let _ = scene.owner.post(&scene.path("/draft"), json!({ "timeoutSeconds": 60 })).await.expect(201);
    let publish = scene.path("/draft/publish");
    let answers = join_all((0..AT_ONCE).map(|_| scene.owner.act(&publish))).await;
    // Whoever comes after it has nothing to publish.
    let (late, rest): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 400);
    assert!(late.iter().all(|answer| answer.problem().code == "no_draft"));
    assert_one_wins(&rest, &["changed_meanwhile"]);
    let job = scene.owner.get(&scene.path("")).await.expect(200).json();
    let job = &job["included"]["jobs"][0];
    assert_eq!((&job["currentVersion"], job.get("draftVersion")), (&json!(2), None));
    scene.app.deliver().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_are_published_at_once_are_numbered_without_gaps() {
    let scene = Scene::start().await;
    let (versions, owner) = (scene.path("/versions"), &scene.owner);
    let publish = |number: usize| owner.post(&versions, json!({ "timeoutSeconds": number + 1 }));
    let tally = tally(&join_all((0..AT_ONCE).map(publish)).await);
    let published = tally["ok"] as u64;
    assert!(tally.keys().all(|kind| ["ok", "changed_meanwhile"].contains(&kind.as_str())), "{tally:?}");
    let page = scene.owner.get(&format!("{versions}?limit=100")).await.expect(200).json();
    let numbers: Vec<u64> =
        page["items"].as_array().unwrap().iter().map(|item| item["version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=published + 1).take(100).collect::<Vec<_>>());
    scene.app.deliver().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_activations_the_last_one_is_in_force() {
    let scene = Scene::start().await;
    for seconds in [10, 20] {
        let body = json!({ "timeoutSeconds": seconds });
        let _ = scene.owner.post(&scene.path("/versions"), body).await.expect(201);
    }
    let (path, owner) = (scene.path("/activate-version"), &scene.owner);
    let activate = |number: usize| owner.post(&path, json!({ "version": number % 3 + 1 }));
    let tally = tally(&join_all((0..AT_ONCE).map(activate)).await);
    assert!(tally.keys().all(|kind| ["ok", "changed_meanwhile"].contains(&kind.as_str())), "{tally:?}");
    let job = scene.owner.get(&scene.path("")).await.expect(200).json();
    let job = &job["included"]["jobs"][0];
    let current = job["currentVersion"].as_u64().unwrap();
    let expected = [86400, 10, 20][usize::try_from(current - 1).unwrap()];
    assert_eq!((&job["version"], &job["timeoutSeconds"]), (&json!(current), &json!(expected)));
    scene.app.deliver().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_runs_that_are_created_at_once_are_a_hundred_and_each_is_leased_once() {
    let scene = Scene::start().await;
    let runs = scene.path("/runs");
    let answers = join_all((0..AT_ONCE).map(|_| scene.owner.post(&runs, build::run()))).await;
    assert_eq!(tally(&answers), BTreeMap::from([("ok".to_owned(), AT_ONCE)]));
    assert_eq!(scene.owner.get(&runs).await.expect(200).json()["total"], AT_ONCE);
    scene.app.deliver().await;
    let mut held: Vec<Value> = Vec::new();
    while held.len() < AT_ONCE {
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
    assert_eq!(scene.audited("job_run.lease"), AT_ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_a_hundred_times_is_one_run() {
    let scene = Scene::start().await;
    let runs = scene.path("/runs");
    let send = || scene.owner.call("POST", &runs).json(&build::run()).idempotent("one").send();
    let answers = join_all((0..AT_ONCE).map(|_| send())).await;
    let tally = tally(&answers);
    assert!(tally.keys().all(|kind| ["ok", "request_in_progress"].contains(&kind.as_str())), "{tally:?}");
    let ids: std::collections::BTreeSet<String> =
        answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.text("id")).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(scene.owner.get(&runs).await.expect(200).json()["total"], 1);
    scene.app.deliver().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_releases_one_wins() {
    let scene = Scene::start().await;
    let run = scene.held_run().await;
    let path = scene.path(&format!("/runs/{run}/ready"));
    let answers = join_all((0..AT_ONCE).map(|_| scene.owner.act(&path))).await;
    assert_one_wins(&answers, &["changed_meanwhile", "run_not_pending"]);
    assert_eq!(scene.audited("job_run.release"), 1);
    assert_eq!(scene.agent.lease(&[], 10).await.expect(200).json()["runs"].as_array().unwrap().len(), 1);
    scene.app.deliver().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_either_stopped_or_done_whoever_of_a_hundred_comes_first() {
    let scene = Scene::start().await;
    for round in 0..3 {
        let held = leased_run(&scene.app, &scene.owner, &scene.agent, &scene.job).await;
        let _ = scene
            .agent
            .report(&held, 1, &["sail_requested", "sail_created", "sail_answered", "runner_started"])
            .await
            .expect(200);
        let path = scene.path(&format!("/runs/{}/cancel", held["jobRunId"].as_str().unwrap()));
        let cancels = join_all((0..AT_ONCE - 1).map(|_| scene.owner.act(&path)));
        let (cancels, said) = tokio::join!(cancels, scene.agent.report(&held, 5, &["succeed"]));
        // Its agent had not heard of the order: what it says counts.
        let _ = said.expect(200);
        let tally = tally(&cancels);
        assert!(
            tally.keys().all(|kind| ["ok", "run_ended", "changed_meanwhile"].contains(&kind.as_str())),
            "{tally:?}"
        );
        let run = scene.owner.run_state(&scene.job, held["jobRunId"].as_str().unwrap()).await.json();
        assert_eq!(run["status"], "succeeded", "{run}");
        assert!(scene.audited("job_run.cancel") <= round + 1, "one order a run at most");
        assert_eq!(scene.app.dump().of_kind("inbox").count(), 0);
    }
    scene.app.deliver().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_run_is_cancelled_once_or_leased_once() {
    let scene = Scene::start().await;
    for _ in 0..3 {
        let run = scene.owner.run(&scene.job).await;
        scene.app.deliver().await;
        let path = scene.path(&format!("/runs/{run}/cancel"));
        let cancels = join_all((0..AT_ONCE - 10).map(|_| scene.owner.act(&path)));
        let leases = join_all((0..10).map(|_| scene.agent.lease(&[], 1)));
        let (cancels, leases) = tokio::join!(cancels, leases);
        let tally = tally(&cancels);
        assert!(
            tally.keys().all(|kind| ["ok", "run_ended", "changed_meanwhile"].contains(&kind.as_str())),
            "{tally:?}"
        );
        let leased = leases.into_iter().any(|answer| !answer.expect(200).json()["runs"].as_array().unwrap().is_empty());
        let state = scene.owner.run_state(&scene.job, &run).await.json();
        if leased {
            assert_eq!((&state["status"], state["dispatchedAt"].is_string()), (&json!("starting"), true), "{state}");
            let held = json!({ "jobId": scene.job, "jobRunId": run, "attempt": 1 });
            let _ = scene.agent.report(&held, 1, &["cancel"]).await.expect(200);
        } else {
            assert_eq!((&state["status"], state["dispatchedAt"].is_string()), (&json!("cancelled"), false), "{state}");
        }
        assert_eq!(scene.app.dump().of_kind("inbox").count(), 0);
    }
    scene.app.deliver().await;
}
