//! Jobs that run by their schedules: which ticks there are, what becomes of each, and why a run waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainsheet_core::job_run::{JobRun, RunEvent, RunTrigger};
use mainsheet_core::time::ManualClock;
use mainsheet_core::{Error, Timestamp};
use mainsheet_testkit::{Answer, PASSWORD, Pause, Person, TestAgent, TestApp, Verdict, build, held};
use rstest::rstest;
use serde_json::{Value, json};

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// An organization with a cluster, at 08:30 UTC.
struct Scene {
    app: TestApp,
    owner: Person,
    agent: TestAgent,
}

impl Scene {
    async fn start() -> Self {
        Self::over(TestApp::start().await).await
    }

    async fn over(app: TestApp) -> Self {
        let owner = app.sign_up("owner@example.com").await;
        let agent = owner.cluster("main").await;
        app.deliver().await;
        let _ = app.tick().await;
        Self { app, owner, agent }
    }

    /// A job with fields beside its configuration.
    async fn job(&self, key: &str, fields: Value) -> String {
        let mut body = build::job(key, &self.agent.cluster_id, &self.owner.team_id);
        for (name, value) in fields.as_object().unwrap() {
            body = build::with(body, &format!("/{name}"), value.clone());
        }
        self.owner.create("/workloads/jobs", body).await
    }

    /// Time passes without a tick; whoever acts signs in again.
    async fn pass(&mut self, seconds: u64) {
        self.app.advance(Duration::from_secs(seconds));
        self.sign_in_again().await;
        self.app.deliver().await;
    }

    async fn sign_in_again(&mut self) {
        self.owner = Person::sign_in(&self.app, &self.owner.email, PASSWORD).await;
    }

    /// Time passes, then the scheduler ticks.
    async fn pass_and_tick(&mut self, seconds: u64) -> usize {
        self.pass(seconds).await;
        let _ = self.agent.heartbeat(&[]).await.expect(200);
        self.app.tick().await.scheduled
    }

    /// Until this moment, then the scheduler ticks.
    async fn tick_at(&mut self, moment: &str) -> usize {
        let moment: Timestamp = moment.parse().unwrap();
        self.pass_and_tick(moment.since(self.app.now()).as_secs()).await
    }

    async fn shown(&self, job: &str) -> Value {
        self.owner.get(&format!("/workloads/jobs/{job}")).await.expect(200).json()["included"]["jobs"][0].clone()
    }

    /// Oldest first.
    async fn runs(&self, job: &str) -> Vec<Value> {
        let page = self.owner.get(&format!("/workloads/jobs/{job}/runs")).await.expect(200).json();
        page["items"].as_array().unwrap().iter().rev().cloned().collect()
    }

    async fn ledger(&self, job: &str, query: &str) -> Vec<Value> {
        let page = self.owner.get(&format!("/workloads/jobs/{job}/ticks?{query}")).await.expect(200).json();
        page["items"].as_array().unwrap().clone()
    }

    /// The newest entry of the ledger: its moment, and what a change of the clock did to it.
    async fn newest_change(&self, job: &str) -> (String, Value) {
        let newest = self.ledger(job, "limit=1").await.remove(0);
        (newest["scheduledAt"].as_str().unwrap().to_owned(), newest["clockChange"].clone())
    }

    /// Time of day, number of ticks, outcome and reason; oldest first.
    async fn told(&self, job: &str) -> Vec<String> {
        let line = |tick: &Value| {
            let text = |name: &str| tick[name].as_str().unwrap().to_owned();
            format!("{} {} {} {}", &text("scheduledAt")[11..16], tick["ticks"], text("outcome"), text("reason"))
        };
        self.ledger(job, "").await.iter().rev().map(line).collect()
    }

    async fn blockers(&self, job: &str, run: &Value) -> Vec<Value> {
        let path = format!("/workloads/jobs/{job}/runs/{}/blockers", run["id"].as_str().unwrap());
        self.owner.get(&path).await.expect(200).json()["items"].as_array().unwrap().clone()
    }

    /// Oldest first.
    async fn statuses(&self, job: &str) -> Vec<String> {
        self.runs(job).await.iter().map(|run| run["status"].as_str().unwrap().to_owned()).collect()
    }

    /// The owner does something to one of the job's runs, counted from the oldest.
    async fn act(&self, job: &str, run: usize, action: &str) -> Answer {
        let run = self.runs(job).await[run]["id"].as_str().unwrap().to_owned();
        self.owner.act(&format!("/workloads/jobs/{job}/runs/{run}/{action}")).await
    }

    /// Somebody asks for a run at this moment, and it succeeds.
    async fn run_by_hand_at(&mut self, job: &str, moment: &str) {
        let moment: Timestamp = moment.parse().unwrap();
        self.pass(moment.since(self.app.now()).as_secs()).await;
        let _ = self.agent.heartbeat(&[]).await.expect(200);
        let run = self.owner.run(job).await;
        self.app.deliver().await;
        assert_eq!(self.succeed_one().await["jobRunId"], run);
    }

    /// A job is given another key.
    async fn rename(&self, job: &str, key: &str) {
        let _ = self.owner.patch(&format!("/workloads/jobs/{job}"), json!({ "jobKey": key })).await.expect(200);
        self.app.deliver().await;
    }

    /// Holds the next transaction until the pause ends.
    fn hold_next_transaction(&self) -> Pause {
        self.app.hold_call("TransactWriteItems", 0)
    }

    /// A run that the agent takes, and ends well.
    async fn succeed_one(&self) -> Value {
        let held = self.agent.lease_one().await;
        self.agent.succeed(&held).await;
        self.app.deliver().await;
        held
    }
}

fn hourly() -> Value {
    json!({ "cronExpression": "0 * * * *" })
}

fn with(mut fields: Value, name: &str, value: Value) -> Value {
    fields[name] = value;
    fields
}

#[tokio::test]
async fn a_tick_becomes_a_run_that_an_agent_can_take() {
    let mut scene = Scene::start().await;
    let job = scene.job("hourly", hourly()).await;
    let shown = scene.shown(&job).await;
    assert_eq!((&shown["nextRunAt"], shown.get("lastScheduledAt")), (&json!("2026-11-21T09:00:00.000Z"), None));
    assert_eq!(scene.pass_and_tick(29 * MINUTE).await, 0);
    assert_eq!(scene.pass_and_tick(MINUTE).await, 1);
    assert_eq!(scene.app.tick().await.scheduled, 0, "the same minute again");
    let runs = scene.runs(&job).await;
    let expected =
        json!({ "status": "ready", "trigger": "schedule", "scheduledAt": "2026-11-21T09:00:00.000Z", "jobVersion": 1 });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&runs[0][field], value, "{field} of {}", runs[0]);
    }
    let shown = scene.shown(&job).await;
    assert_eq!(shown["nextRunAt"], "2026-11-21T10:00:00.000Z");
    assert_eq!(shown["lastScheduledAt"], "2026-11-21T09:00:00.000Z");
    let blockers = scene.blockers(&job, &runs[0]).await;
    assert_eq!((blockers.len(), &blockers[0]["type"]), (1, &json!("agent")));
    let held = scene.succeed_one().await;
    assert_eq!(held["jobRunId"], runs[0]["id"]);
    assert_eq!(scene.blockers(&job, &runs[0]).await, Vec::<Value>::new());
    let ledger = scene.ledger(&job, "").await;
    assert_eq!(ledger.len(), 1);
    let expected = json!({
        "scheduledAt": "2026-11-21T09:00:00.000Z", "ticks": 1, "outcome": "ran", "reason": "due", "jobRunId": runs[0]["id"],
        "jobVersion": 1, "decidedAt": "2026-11-21T09:00:00.000Z", "message": "It was due, and a run was created for it.",
    });
    assert_eq!(ledger[0], expected);
    let mine = scene.owner.get("/me/jobs").await.expect(200).json();
    assert_eq!(mine["included"]["jobs"][0]["nextRunAt"], "2026-11-21T10:00:00.000Z");
}

#[tokio::test]
async fn who_comes_hours_late_acts_as_the_policy_says() {
    let mut scene = Scene::start().await;
    let allow = with(with(hourly(), "concurrencyPolicy", json!("allow")), "maxConcurrentRuns", json!(1000));
    let missed = |policy: &str| with(allow.clone(), "missedSchedulePolicy", json!(policy));
    let latest = scene.job("latest", missed("latest")).await;
    let all = scene.job("all", missed("all")).await;
    let skip = scene.job("skip", missed("skip")).await;
    let minutely = scene.job("minutely", with(missed("all"), "cronExpression", json!("* * * * *"))).await;
    assert_eq!(scene.tick_at("2026-11-21T13:10:00Z").await, 1 + 5 + 100);
    assert_eq!(scene.told(&latest).await, ["09:00 4 missed overtaken", "13:00 1 ran caught_up"]);
    let each = ["09:00", "10:00", "11:00", "12:00", "13:00"].map(|time| format!("{time} 1 ran caught_up"));
    assert_eq!(scene.told(&all).await, each);
    assert_eq!(scene.told(&skip).await, ["09:00 5 missed not_caught_up"]);
    assert_eq!(scene.told(&minutely).await.len(), 100);
    let missed = scene.ledger(&minutely, "outcome=missed").await;
    assert_eq!((missed.len(), &missed[0]["ticks"]), (1, &json!(180)));
    assert_eq!(missed[0]["through"], "2026-11-21T11:30:00.000Z");
    assert_eq!(scene.shown(&latest).await["nextRunAt"], "2026-11-21T14:00:00.000Z");
    assert_eq!(scene.shown(&skip).await.get("lastScheduledAt"), None, "no run was created");
    assert_eq!(scene.tick_at("2026-11-21T14:01:00Z").await, 3 + 51, "a minute late is on time: {minutely}");
}

#[tokio::test]
async fn the_ledger_is_kept_for_ninety_days_from_the_decision() {
    let mut scene = Scene::start().await;
    let nightly = scene.job("nightly", with(hourly(), "cronExpression", json!("0 9 * * *"))).await;
    // The scheduler comes after 100 days: what is that old is news all the same.
    assert_eq!(scene.tick_at("2027-03-01T12:00:00Z").await, 1);
    let both = ["09:00 100 missed overtaken", "09:00 1 ran caught_up"];
    assert_eq!(scene.told(&nightly).await, both);
    let missed = scene.ledger(&nightly, "outcome=missed").await;
    assert_eq!((missed.len(), &missed[0]["scheduledAt"]), (1, &json!("2026-11-21T09:00:00.000Z")));
    scene.pass(90 * 24 * HOUR - 1).await;
    assert_eq!(scene.told(&nightly).await, both);
    scene.pass(1).await;
    assert_eq!(scene.told(&nightly).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_concurrency_policy_decides_while_a_run_has_not_ended() {
    let mut scene = Scene::start().await;
    let skip = scene.job("skip", hourly()).await;
    let two = with(with(hourly(), "concurrencyPolicy", json!("allow")), "maxConcurrentRuns", json!(2));
    let allow = scene.job("allow", two).await;
    for time in ["09", "10", "11"] {
        let _ = scene.tick_at(&format!("2026-11-21T{time}:00:00Z")).await;
    }
    assert_eq!(
        scene.told(&skip).await,
        ["09:00 1 ran due", "10:00 1 skipped run_not_ended", "11:00 1 skipped run_not_ended"]
    );
    assert_eq!(scene.told(&allow).await, ["09:00 1 ran due", "10:00 1 ran due", "11:00 1 skipped at_cap"]);
    // Whatever ends makes room, however it ends.
    let _ = scene.succeed_one().await;
    let runs = scene.runs(&allow).await;
    let cancel = format!("/workloads/jobs/{allow}/runs/{}/cancel", runs[1]["id"].as_str().unwrap());
    let _ = scene.owner.act(&cancel).await.expect(200);
    let _ = scene.succeed_one().await;
    assert_eq!(scene.tick_at("2026-11-21T12:00:00Z").await, 2);
    // Runs that somebody asked for count as well.
    let _ = scene.succeed_one().await;
    let _ = scene.succeed_one().await;
    let _ = scene.owner.create(&format!("/workloads/jobs/{skip}/runs"), json!({ "hold": true })).await;
    let _ = scene.tick_at("2026-11-21T13:00:00Z").await;
    assert_eq!(scene.told(&skip).await[4], "13:00 1 skipped run_not_ended");
}

#[tokio::test]
async fn a_replacing_run_waits_for_the_end_of_what_it_replaces() {
    let mut scene = Scene::start().await;
    let job = scene.job("replacing", with(hourly(), "concurrencyPolicy", json!("replace"))).await;
    let _ = scene.tick_at("2026-11-21T09:00:00Z").await;
    let held = scene.agent.lease_one().await;
    let _ = scene.agent.report(&held, 1, &["sail_requested"]).await.expect(200);
    let holding = std::slice::from_ref(&held);
    scene.pass(30 * MINUTE).await;
    let _ = scene.agent.heartbeat(holding).await.expect(200);
    let _ = scene.app.tick().await;
    scene.pass(30 * MINUTE - 1).await;
    let _ = scene.agent.heartbeat(holding).await.expect(200);
    scene.pass(1).await;
    assert_eq!(scene.app.tick().await.scheduled, 1);
    let runs = scene.runs(&job).await;
    assert_eq!((&runs[0]["status"], &runs[1]["status"]), (&json!("creating_sail"), &json!("pending")));
    assert_eq!(runs[0]["replacedBy"], runs[1]["id"]);
    let blockers = scene.blockers(&job, &runs[1]).await;
    assert_eq!((&blockers[0]["type"], &blockers[0]["jobRunId"]), (&json!("replace"), &runs[0]["id"]));
    let orders = scene.agent.heartbeat(holding).await.expect(200).json();
    assert_eq!(orders["runs"][0]["order"], "cancel");
    let _ = scene.agent.report(&held, 2, &["cancel"]).await.expect(200);
    scene.app.deliver().await;
    let runs = scene.runs(&job).await;
    assert_eq!((&runs[0]["status"], &runs[1]["status"]), (&json!("cancelled"), &json!("ready")));
    assert_eq!(scene.told(&job).await, ["09:00 1 ran due", "10:00 1 ran due"]);
    // No agent takes it before the next tick: it is replaced at once.
    assert_eq!(scene.tick_at("2026-11-21T11:00:00Z").await, 1);
    let runs = scene.runs(&job).await;
    assert_eq!((&runs[1]["status"], &runs[2]["status"]), (&json!("cancelled"), &json!("ready")));
    assert_eq!(scene.told(&job).await, ["09:00 1 ran due", "10:00 1 replaced newer_tick", "11:00 1 ran due"]);
}

#[tokio::test]
async fn a_replaced_tick_still_tells_what_the_clock_did_to_it() {
    let mut scene = Scene::start().await;
    let nightly = json!({ "cronExpression": "30 2 * * *", "cronTimezone": "Europe/Berlin" });
    let job = scene.job("replacing", with(nightly, "concurrencyPolicy", json!("replace"))).await;
    for moment in ["2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"] {
        let _ = scene.tick_at(moment).await;
        scene.app.deliver().await;
    }
    let replaced = scene.ledger(&job, "limit=2").await.remove(1);
    assert_eq!((&replaced["reason"], &replaced["clockChange"]), (&json!("newer_tick"), &json!("gap")), "{replaced}");
}

#[tokio::test]
async fn a_run_that_waits_is_replaced_by_the_newest() {
    let mut scene = Scene::start().await;
    let job = scene.job("replacing", with(hourly(), "concurrencyPolicy", json!("replace"))).await;
    let _ = scene.tick_at("2026-11-21T09:00:00Z").await;
    let held = scene.agent.lease_one().await;
    for moment in ["2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"] {
        let moment: Timestamp = moment.parse().unwrap();
        scene.pass(moment.since(scene.app.now()).as_secs()).await;
        let _ = scene.agent.heartbeat(std::slice::from_ref(&held)).await.expect(200);
        let _ = mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(HOUR)).await.unwrap();
        assert_eq!(scene.runs(&job).await.last().unwrap()["status"], "pending");
    }
    scene.app.deliver().await;
    let runs = scene.runs(&job).await;
    let statuses: Vec<&str> = runs.iter().map(|run| run["status"].as_str().unwrap()).collect();
    assert_eq!(statuses.len(), 3, "{statuses:?}");
    assert_eq!(statuses[1], "cancelled", "superseded while it waited");
    assert_eq!(scene.told(&job).await[1], "10:00 1 replaced newer_tick");
    assert_eq!((statuses[0], statuses[2]), ("starting", "pending"), "the newest waits for the oldest");
    let _ = scene.agent.report(&held, 1, &["cancel"]).await.expect(200);
    scene.app.deliver().await;
    assert_eq!(scene.runs(&job).await[2]["status"], "ready");
}

#[tokio::test]
async fn a_run_that_somebody_asks_for_while_the_scheduler_works_is_replaced_as_well() {
    let mut scene = Scene::start().await;
    let job = scene.job("replacing", with(hourly(), "concurrencyPolicy", json!("replace"))).await;
    scene.pass(30 * MINUTE).await;
    let _ = scene.agent.heartbeat(&[]).await.expect(200);
    // The first thing that the scheduler writes is that it came.
    let pause = scene.hold_next_transaction();
    let ask = async {
        pause.reached().await;
        scene.app.advance(Duration::from_millis(500));
        let run = scene.owner.run(&job).await;
        pause.end();
        run
    };
    let tick = mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(60));
    let (by_hand, ticked) = tokio::join!(ask, tick);
    scene.app.heal();
    assert_eq!(ticked.unwrap().scheduled, 1);
    scene.app.deliver().await;
    let (by_hand, of_tick): (Vec<Value>, Vec<Value>) =
        scene.runs(&job).await.into_iter().partition(|run| run["id"] == by_hand.as_str());
    assert_eq!((&by_hand[0]["status"], &of_tick[0]["status"]), (&json!("cancelled"), &json!("ready")));
    assert_eq!(by_hand[0]["replacedBy"], of_tick[0]["id"]);
}

/// A job with three runs, of which the third is to replace the others and the second waits for the end of the first. The dispatcher
/// has come to the second one already, and not to the third. Answers the first one's lease, too.
async fn two_that_wait_to_replace(scene: &mut Scene) -> (String, Value) {
    let job = scene.job("replacing", with(hourly(), "concurrencyPolicy", json!("replace"))).await;
    let _ = scene.tick_at("2026-11-21T09:00:00Z").await;
    let held = scene.agent.lease_one().await;
    for _ in 0..2 {
        scene.app.advance(Duration::from_secs(HOUR));
        let _ = scene.agent.heartbeat(std::slice::from_ref(&held)).await.expect(200);
        let ticked = mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(HOUR)).await.unwrap();
        assert_eq!(ticked.scheduled, 1);
    }
    scene.app.deliver_one().await;
    scene.sign_in_again().await;
    assert_eq!(scene.statuses(&job).await, ["starting", "pending", "pending"]);
    (job, held)
}

#[tokio::test]
async fn a_run_goes_when_the_newer_one_that_was_to_replace_it_is_cancelled() {
    let mut scene = Scene::start().await;
    let (job, held) = two_that_wait_to_replace(&mut scene).await;
    let _ = scene.agent.report(&held, 1, &["fail"]).await.expect(200);
    let _ = scene.act(&job, 2, "cancel").await.expect(200);
    scene.app.deliver().await;
    assert_eq!(scene.statuses(&job).await, ["failed", "ready", "cancelled"]);
}

#[tokio::test]
async fn a_run_that_somebody_lets_go_still_takes_the_place_of_older_ones() {
    let mut scene = Scene::start().await;
    let (job, held) = two_that_wait_to_replace(&mut scene).await;
    let _ = scene.act(&job, 2, "ready").await.expect(200);
    scene.app.deliver().await;
    assert_eq!(scene.statuses(&job).await, ["starting", "cancelled", "ready"]);
    assert_eq!(scene.told(&job).await[1..], ["10:00 1 replaced newer_tick", "11:00 1 ran due"]);
    let orders = scene.agent.heartbeat(std::slice::from_ref(&held)).await.expect(200).json();
    assert_eq!(orders["runs"][0]["order"], "cancel", "the oldest one has to stop as well");
    let _ = scene.agent.report(&held, 1, &["cancel"]).await.expect(200);
    scene.app.deliver().await;
    assert_eq!(scene.statuses(&job).await, ["cancelled", "cancelled", "ready"]);
}

#[tokio::test]
async fn a_run_goes_when_the_newer_one_that_somebody_let_go_has_ended() {
    let mut scene = Scene::start().await;
    let (job, held) = two_that_wait_to_replace(&mut scene).await;
    let _ = scene.agent.report(&held, 1, &["fail"]).await.expect(200);
    let _ = scene.act(&job, 2, "ready").await.expect(200);
    let _ = scene.act(&job, 2, "cancel").await.expect(200);
    scene.app.deliver().await;
    assert_eq!(scene.statuses(&job).await, ["failed", "ready", "cancelled"]);
}

#[tokio::test]
async fn a_scheduled_run_waits_for_the_success_of_the_jobs_that_it_depends_on() {
    let mut scene = Scene::start().await;
    let source = scene.job("source", json!({})).await;
    let fields = with(hourly(), "dependsOn", json!([{ "jobKey": "source" }]));
    let job = scene.job("dependent", fields).await;
    assert_eq!(scene.tick_at("2026-11-21T09:00:00Z").await, 1);
    let run = scene.runs(&job).await.remove(0);
    assert_eq!(run["status"], "pending");
    let blockers = scene.blockers(&job, &run).await;
    assert_eq!((&blockers[0]["type"], &blockers[0]["jobKey"]), (&json!("dependency"), &json!("source")));
    assert_eq!((&blockers[0]["jobId"], blockers[0].get("jobRunId")), (&json!(source), None));

    // A failure leaves it pending, and is named.
    let failing = scene.owner.run(&source).await;
    scene.app.deliver().await;
    let held = scene.agent.lease_one().await;
    let _ = scene.agent.report(&held, 1, &["fail"]).await.expect(200);
    scene.app.deliver().await;
    let blockers = scene.blockers(&job, &run).await;
    assert_eq!((&blockers[0]["jobRunId"], &blockers[0]["jobRunStatus"]), (&json!(failing), &json!("failed")));

    scene.app.advance(Duration::from_secs(1));
    let _ = scene.owner.run(&source).await;
    scene.app.deliver().await;
    let _ = scene.succeed_one().await;
    let released = scene.runs(&job).await.remove(0);
    assert_eq!((&released["status"], &released["trigger"]), (&json!("ready"), &json!("dependency")));
    let _ = scene.succeed_one().await;

    // A success counts that was created since the run before, and none that is older.
    assert_eq!(scene.tick_at("2026-11-21T10:00:00Z").await, 1);
    let second = scene.runs(&job).await.remove(1);
    assert_eq!(second["status"], "ready", "the source ran a second after 09:00");
    let _ = scene.succeed_one().await;
    assert_eq!(scene.tick_at("2026-11-21T11:00:00Z").await, 1);
    let third = scene.runs(&job).await.remove(2);
    assert_eq!(third["status"], "pending");
    // Somebody can let it go all the same.
    let path = format!("/workloads/jobs/{job}/runs/{}/ready", third["id"].as_str().unwrap());
    assert_eq!(scene.owner.act(&path).await.expect(200).json()["status"], "ready");
    assert!(scene.app.dump().of_kind("waiting_run").next().is_none(), "nothing waits any more");
}

#[tokio::test]
async fn the_successes_of_a_job_count_under_the_key_that_it_is_given() {
    let mut scene = Scene::start().await;
    let source = scene.job("source", json!({})).await;
    let idle = scene.job("idle", json!({})).await;
    let job = scene.job("dependent", with(hourly(), "dependsOn", json!([{ "jobKey": "source" }]))).await;
    assert_eq!(scene.tick_at("2026-11-21T09:00:00Z").await, 1);
    scene.rename(&source, "elsewhere").await;
    scene.app.advance(Duration::from_secs(1));
    let _ = scene.owner.run(&source).await;
    scene.app.deliver().await;
    let _ = scene.succeed_one().await;
    assert_eq!(scene.statuses(&job).await, ["pending"], "no job has the key");
    scene.rename(&idle, "source").await;
    assert_eq!(scene.statuses(&job).await, ["pending"], "the job that has the key never ran");
    scene.rename(&idle, "idle").await;
    scene.rename(&source, "source").await;
    let released = scene.runs(&job).await.remove(0);
    assert_eq!((&released["status"], &released["trigger"]), (&json!("ready"), &json!("dependency")));
    // What was released is left alone.
    scene.rename(&source, "elsewhere").await;
    scene.rename(&source, "source").await;
    assert_eq!(scene.runs(&job).await, [released]);
}

#[tokio::test]
async fn a_run_that_gives_way_before_an_agent_had_it_leaves_the_newer_one_its_success() {
    let mut scene = Scene::start().await;
    let source = scene.job("source", json!({})).await;
    let often = json!({ "cronExpression": "*/10 * * * *", "concurrencyPolicy": "replace" });
    let job = scene.job("dependent", with(often, "dependsOn", json!([{ "jobKey": "source" }]))).await;
    scene.run_by_hand_at(&source, "2026-11-21T08:35:00Z").await;
    assert_eq!(scene.tick_at("2026-11-21T08:40:00Z").await, 1);
    let _ = scene.succeed_one().await;
    scene.pass(5 * MINUTE).await;
    let _ = scene.agent.heartbeat(&[]).await.expect(200);
    let _ = scene.owner.run(&source).await;
    scene.app.deliver().await;
    // The source's run of 08:45 takes longer than it is to the tick after the next.
    let held = scene.agent.lease_one().await;
    for minutes in [5, 10] {
        scene.pass(minutes * MINUTE).await;
        let _ = scene.agent.heartbeat(std::slice::from_ref(&held)).await.expect(200);
        assert_eq!(scene.app.tick().await.scheduled, 1);
    }
    assert_eq!(scene.statuses(&job).await, ["succeeded", "cancelled", "pending"]);
    scene.agent.succeed(&held).await;
    scene.app.deliver().await;
    assert_eq!(scene.statuses(&job).await[2], "ready", "the source has succeeded since 08:40");
    let _ = scene.succeed_one().await;
    assert_eq!(scene.tick_at("2026-11-21T09:10:00Z").await, 1);
    assert_eq!(scene.statuses(&job).await[3], "pending", "the source has not succeeded since 09:00");
}

#[tokio::test]
async fn jobs_of_the_same_minute_wait_for_each_others_runs_of_that_minute() {
    let mut scene = Scene::start().await;
    let _ = scene.job("source", hourly()).await;
    let job = scene.job("dependent", with(hourly(), "dependsOn", json!([{ "jobKey": "source" }]))).await;
    for (index, time) in ["09", "10", "11"].iter().enumerate() {
        assert_eq!(scene.tick_at(&format!("2026-11-21T{time}:00:00Z")).await, 2);
        assert_eq!(scene.runs(&job).await[index]["status"], "pending", "{time}");
        let _ = scene.succeed_one().await;
        assert_eq!(scene.runs(&job).await[index]["status"], "ready", "{time}");
        let _ = scene.succeed_one().await;
    }
}

/// The hourly job `source`, and another one that depends on it.
async fn source_and_dependent(scene: &Scene) -> (String, String) {
    let source = scene.job("source", hourly()).await;
    let fields = with(hourly(), "dependsOn", json!([{ "jobKey": "source" }]));
    let fields = with(with(fields, "concurrencyPolicy", json!("allow")), "maxConcurrentRuns", json!(5));
    (source, scene.job("dependent", fields).await)
}

#[tokio::test]
async fn a_run_by_hand_before_the_scheduler_comes_leaves_that_of_the_tick_its_success() {
    let mut scene = Scene::start().await;
    let (_, job) = source_and_dependent(&scene).await;
    for time in ["09", "10"] {
        scene.run_by_hand_at(&job, &format!("2026-11-21T{time}:00:10Z")).await;
        assert_eq!(scene.tick_at(&format!("2026-11-21T{time}:00:30Z")).await, 2);
        assert_eq!(scene.statuses(&job).await.last().unwrap(), "pending", "{time}");
        let _ = scene.succeed_one().await;
        assert_eq!(scene.statuses(&job).await.last().unwrap(), "ready", "{time}");
        let _ = scene.succeed_one().await;
    }
}

#[tokio::test]
async fn a_run_by_hand_between_a_tick_and_the_scheduler_takes_no_success_from_the_tick() {
    let mut scene = Scene::start().await;
    let source = scene.job("source", json!({})).await;
    let job = scene.job("dependent", with(hourly(), "dependsOn", json!([{ "jobKey": "source" }]))).await;
    // In the seconds before the scheduler comes, and in the hour in which it does not.
    for [before, by_hand, comes] in [
        ["08:45:00", "09:00:10", "09:00:30"],
        ["09:45:00", "10:00:10", "10:00:30"],
        ["10:45:00", "11:20:00", "11:40:00"],
    ] {
        scene.run_by_hand_at(&source, &format!("2026-11-21T{before}Z")).await;
        scene.run_by_hand_at(&job, &format!("2026-11-21T{by_hand}Z")).await;
        assert_eq!(scene.tick_at(&format!("2026-11-21T{comes}Z")).await, 1);
        assert_eq!(scene.statuses(&job).await.last().unwrap(), "ready", "{comes}");
        let _ = scene.succeed_one().await;
    }
    // One that somebody asked for before the tick is the run before, and a later one makes no difference.
    scene.run_by_hand_at(&source, "2026-11-21T11:45:00Z").await;
    scene.run_by_hand_at(&job, "2026-11-21T11:50:00Z").await;
    scene.run_by_hand_at(&job, "2026-11-21T12:00:10Z").await;
    assert_eq!(scene.tick_at("2026-11-21T12:00:30Z").await, 1);
    assert_eq!(scene.statuses(&job).await.last().unwrap(), "pending", "the source has not succeeded since 11:50");
}

#[tokio::test]
async fn a_success_from_before_a_run_by_hand_does_not_count_for_the_next_tick() {
    let mut scene = Scene::start().await;
    let (source, job) = source_and_dependent(&scene).await;
    scene.run_by_hand_at(&source, "2026-11-21T09:00:05Z").await;
    scene.run_by_hand_at(&job, "2026-11-21T09:00:10Z").await;
    assert_eq!(scene.tick_at("2026-11-21T09:00:30Z").await, 2);
    let leased = scene.agent.lease(&[], 10).await.expect(200).json();
    assert_eq!(leased["runs"].as_array().unwrap().len(), 2, "the source succeeded after 09:00: {leased}");
    for run in leased["runs"].as_array().unwrap() {
        let run = held(run);
        if run["jobId"] == source {
            let _ = scene.agent.report(&run, 1, &["fail"]).await.expect(200);
        } else {
            scene.agent.succeed(&run).await;
        }
    }
    scene.app.deliver().await;
    assert_eq!(scene.tick_at("2026-11-21T10:00:00Z").await, 2);
    assert_eq!(scene.statuses(&job).await.last().unwrap(), "pending", "the source has not succeeded since 09:00:10");
}

#[tokio::test]
async fn while_a_job_is_paused_its_ticks_are_not_due() {
    let mut scene = Scene::start().await;
    let job = scene.job("hourly", hourly()).await;
    let path = format!("/workloads/jobs/{job}");
    let set = async |scene: &Scene, status: &str| {
        scene.owner.patch(&path, json!({ "status": status })).await.expect(200).json()
    };
    assert_eq!(set(&scene, "paused").await.get("nextRunAt"), None);
    assert_eq!(scene.tick_at("2026-11-21T10:30:00Z").await, 0);
    let ledger = scene.ledger(&job, "").await;
    assert_eq!((ledger.len(), &ledger[0]["reason"], ledger[0].get("through")), (1, &json!("paused"), None));
    let resumed = set(&scene, "active").await;
    assert_eq!(resumed["nextRunAt"], "2026-11-21T11:00:00.000Z");
    let ledger = scene.ledger(&job, "outcome=skipped").await;
    assert_eq!(
        (&ledger[0]["scheduledAt"], &ledger[0]["through"]),
        (&json!("2026-11-21T08:30:00.000Z"), &json!("2026-11-21T10:30:00.000Z"))
    );
    assert_eq!(scene.tick_at("2026-11-21T11:00:00Z").await, 1);
    // Ticks that the scheduler did not come to before the pause.
    scene.pass(2 * HOUR).await;
    let _ = set(&scene, "paused").await;
    assert_eq!(scene.app.tick().await.scheduled, 0);
    assert_eq!(
        scene.told(&job).await,
        ["08:30 0 skipped paused", "11:00 1 ran due", "12:00 2 skipped paused_before", "13:00 0 skipped paused"]
    );
    // Runs that somebody asks for work all the same.
    let _ = scene.succeed_one().await;
    let _ = scene.agent.heartbeat(&[]).await.expect(200);
    let _ = scene.owner.run(&job).await;
    scene.app.deliver().await;
    let _ = scene.succeed_one().await;
}

#[tokio::test]
async fn a_job_that_was_created_paused_tells_of_that_pause() {
    let mut scene = Scene::start().await;
    let paused = with(hourly(), "status", json!("paused"));
    let mut file = build::job("applied", &scene.agent.cluster_id, &scene.owner.team_id);
    file.as_object_mut().unwrap().extend(paused.as_object().unwrap().clone());
    let applied = scene.owner.put("/workloads/jobs/by-key/applied", file).await.expect(201).json();
    let jobs = [scene.job("posted", paused).await, applied["job"]["id"].as_str().unwrap().to_owned()];
    for job in &jobs {
        assert_eq!(scene.told(job).await, ["08:30 0 skipped paused"]);
        assert_eq!(scene.ledger(job, "").await[0].get("through"), None);
    }
    assert_eq!(scene.pass_and_tick(24 * HOUR).await, 0);
    for job in &jobs {
        let active = json!({ "status": "active" });
        let _ = scene.owner.patch(&format!("/workloads/jobs/{job}"), active).await.expect(200);
        assert_eq!(scene.told(job).await, ["08:30 0 skipped paused"]);
        assert_eq!(scene.ledger(job, "").await[0]["through"], "2026-11-22T08:30:00.000Z");
    }
    assert_eq!(scene.pass_and_tick(30 * MINUTE).await, 2);
}

#[tokio::test]
async fn a_new_schedule_counts_from_its_publication_and_takes_no_tick_that_was_due() {
    let mut scene = Scene::start().await;
    let job = scene.job("hourly", hourly()).await;
    let versions = format!("/workloads/jobs/{job}/versions");
    scene.pass(2 * HOUR + 31 * MINUTE).await;
    // Ticks of 09:00, 10:00 and 11:00 are due, and nobody has come yet.
    let _ = scene.owner.post(&versions, json!({ "cronExpression": "*/5 * * * *" })).await.expect(201);
    assert_eq!(scene.shown(&job).await["nextRunAt"], "2026-11-21T11:00:00.000Z", "it is due");
    assert_eq!(scene.app.tick().await.scheduled, 1);
    assert_eq!(scene.told(&job).await, ["09:00 2 missed schedule_changed", "11:00 1 ran due"]);
    assert_eq!(scene.runs(&job).await[0]["jobVersion"], 2);
    assert_eq!(scene.shown(&job).await["nextRunAt"], "2026-11-21T11:05:00.000Z");
    let _ = scene.succeed_one().await;
    // A version with the same schedule leaves it alone; one without ends it.
    let _ = scene.owner.post(&versions, json!({ "timeoutSeconds": 60 })).await.expect(201);
    assert_eq!(scene.shown(&job).await["nextRunAt"], "2026-11-21T11:05:00.000Z");
    scene.pass(5 * MINUTE).await;
    let _ = scene.owner.post(&versions, json!({ "cronExpression": "" })).await.expect(201);
    assert_eq!(scene.shown(&job).await.get("nextRunAt"), None);
    assert_eq!(scene.app.tick().await.scheduled, 0);
    assert_eq!(scene.told(&job).await[2], "11:05 1 skipped unscheduled");
    let activate = format!("/workloads/jobs/{job}/activate-version");
    let activated = scene.owner.post(&activate, json!({ "version": 1 })).await.expect(200).json();
    assert_eq!(activated["nextRunAt"], "2026-11-21T12:00:00.000Z");
}

#[tokio::test]
async fn where_the_hour_repeats_a_job_runs_once_and_where_it_is_missing_too() {
    let mut scene = Scene::start().await;
    let berlin = json!({ "cronExpression": "30 2 * * *", "cronTimezone": "Europe/Berlin" });
    let job = scene.job("nightly", berlin).await;
    let _ = scene.tick_at("2027-03-27T12:00:00Z").await;
    let _ = scene.succeed_one().await;
    assert_eq!(scene.shown(&job).await["nextRunAt"], "2027-03-28T01:00:00.000Z", "the first moment after the gap");
    assert_eq!(scene.tick_at("2027-03-28T01:00:00Z").await, 1);
    assert_eq!(scene.newest_change(&job).await, ("2027-03-28T01:00:00.000Z".to_owned(), json!("gap")));
    let _ = scene.succeed_one().await;
    let _ = scene.tick_at("2027-10-30T12:00:00Z").await;
    let _ = scene.succeed_one().await;
    assert_eq!(scene.shown(&job).await["nextRunAt"], "2027-10-31T00:30:00.000Z", "the first of two");
    let before = scene.runs(&job).await.len();
    let mut created = 0;
    for minutes in (0..4 * 60).step_by(30) {
        created += scene
            .tick_at(
                &(("2027-10-31T00:00:00Z".parse::<Timestamp>().unwrap()) + Duration::from_secs(minutes * 60))
                    .to_string(),
            )
            .await;
        if created > 0 && scene.runs(&job).await.last().unwrap()["status"] == "ready" {
            let _ = scene.succeed_one().await;
        }
    }
    assert_eq!((created, scene.runs(&job).await.len()), (1, before + 1));
    assert_eq!(scene.newest_change(&job).await, ("2027-10-31T00:30:00.000Z".to_owned(), json!("overlap")));
    assert_eq!(scene.shown(&job).await["nextRunAt"], "2027-11-01T01:30:00.000Z");
}

/// Ticks of the ledger and runs agree: each tick once, with one run if it ran.
async fn assert_exact(scene: &Scene, job: &str, ticks: usize) {
    let ledger = scene.ledger(job, "").await;
    let runs = scene.runs(job).await;
    assert_eq!(ledger.len(), ticks, "{ledger:?}");
    let mut of_ticks: Vec<&str> = ledger.iter().filter_map(|tick| tick["jobRunId"].as_str()).collect();
    let mut of_job: Vec<&str> = runs.iter().map(|run| run["id"].as_str().unwrap()).collect();
    of_ticks.sort_unstable();
    of_job.sort_unstable();
    assert_eq!(of_ticks, of_job);
    let links = scene.app.dump();
    assert_eq!(links.of_kind("run_of_tenant").filter(|row| row["data"]["jobId"] == job).count(), runs.len());
}

#[tokio::test]
async fn of_schedulers_at_once_one_acts_on_each_tick() {
    let mut scene = Scene::start().await;
    let all = with(with(hourly(), "concurrencyPolicy", json!("allow")), "missedSchedulePolicy", json!("all"));
    let all = with(all, "maxConcurrentRuns", json!(3));
    let mut jobs = Vec::new();
    for index in 0..10 {
        jobs.push(scene.job(&format!("job-{index}"), all.clone()).await);
    }
    scene.pass(5 * HOUR).await;
    let ticks = (0..8).map(|_| mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(60)));
    let ticked: Vec<_> = futures::future::join_all(ticks).await;
    let created: usize = ticked.iter().map(|ticked| ticked.as_ref().unwrap().scheduled).sum();
    assert_eq!(created + scene.app.tick().await.scheduled, 30);
    for job in &jobs {
        assert_exact(&scene, job, 5).await;
        assert_eq!(scene.runs(job).await.len(), 3, "the cap");
    }
}

#[tokio::test]
async fn whoever_is_killed_between_two_writes_loses_and_doubles_nothing() {
    let all = with(with(hourly(), "concurrencyPolicy", json!("allow")), "missedSchedulePolicy", json!("all"));
    let all = with(all, "maxConcurrentRuns", json!(2));
    let mut scene = Scene::start().await;
    let mut jobs = Vec::new();
    for index in 0..3 {
        jobs.push(scene.job(&format!("job-{index}"), all.clone()).await);
    }
    let replacing = scene.job("replacing", with(hourly(), "concurrencyPolicy", json!("replace"))).await;
    scene.pass(4 * HOUR).await;
    for survived in 0.. {
        let left = Arc::new(AtomicUsize::new(survived));
        scene.app.set_rule(Arc::new(move |call| {
            let writes = call.operation == "TransactWriteItems";
            let dead =
                writes && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err();
            if dead { Verdict::Deny } else { Verdict::Forward }
        }));
        let ticked = mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(60)).await;
        scene.app.heal();
        if ticked.is_ok() {
            break;
        }
    }
    scene.app.deliver().await;
    for job in &jobs {
        assert_exact(&scene, job, 4).await;
        assert_eq!(scene.runs(job).await.len(), 2);
    }
    assert_eq!(scene.told(&replacing).await, ["09:00 3 missed overtaken", "12:00 1 ran caught_up"]);
}

#[tokio::test]
async fn publications_at_the_moment_of_a_tick_neither_lose_nor_double_it() {
    let mut scene = Scene::over(TestApp::start_patient().await).await;
    let allow = with(with(hourly(), "concurrencyPolicy", json!("allow")), "maxConcurrentRuns", json!(1000));
    let job = scene.job("hourly", allow).await;
    let versions = format!("/workloads/jobs/{job}/versions");
    for hour in 1..=5 {
        scene.pass(if hour == 1 { 30 * MINUTE } else { HOUR }).await;
        let minute = |index: u32| json!({ "cronExpression": format!("{} * * * *", if index.is_multiple_of(2) { "0" } else { "0,59" }) });
        let publish = |index: u32| scene.owner.post(&versions, minute(index));
        let publications = futures::future::join_all((0..20).map(publish));
        let tick = || mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(60));
        let (answers, ..) = tokio::join!(publications, tick(), tick(), tick());
        assert!(answers.iter().all(|answer| answer.status == 201 || answer.problem().code == "changed_meanwhile"));
        assert!(answers.iter().any(|answer| answer.status == 201));
        let _ = scene.app.tick().await;
        let _ = scene
            .owner
            .post(&versions, json!({ "cronExpression": "0 * * * *", "timeoutSeconds": hour }))
            .await
            .expect(201);
        assert_exact(&scene, &job, hour).await;
        assert_eq!(scene.runs(&job).await.len(), hour);
    }
}

/// What ends a job's schedule finds the newest tick undecided, and by the time that it writes the scheduler has decided about it.
#[rstest]
#[case::pause("PATCH", "", json!({ "status": "paused" }))]
#[case::file("PUT", "", json!({}))]
#[case::version("POST", "/versions", json!({ "cronExpression": "" }))]
#[case::activation("POST", "/activate-version", json!({ "version": 1 }))]
#[case::publication("POST", "/draft/publish", json!({}))]
#[tokio::test]
async fn a_change_that_meets_a_tick_is_made_all_the_same(
    #[case] method: &str,
    #[case] rest: &str,
    #[case] body: Value,
) {
    let mut scene = Scene::start().await;
    let id = scene.job("hourly", json!({})).await;
    let job = format!("/workloads/jobs/{id}");
    let _ = scene.owner.post(&format!("{job}/versions"), hourly()).await.expect(201);
    if rest == "/draft/publish" {
        let _ = scene.owner.post(&format!("{job}/draft"), json!({ "cronExpression": "" })).await.expect(201);
    }
    let (path, body) = if method == "PUT" {
        let file = scene.owner.get(&format!("{job}/export")).await.expect(200).json();
        ("/workloads/jobs/by-key/hourly".to_owned(), build::with(file, "/status", json!("paused")))
    } else {
        (format!("{job}{rest}"), body)
    };
    scene.pass(30 * MINUTE).await;
    let pause = scene.hold_next_transaction();
    let tick = async {
        pause.reached().await;
        let ticked = mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(60)).await.unwrap();
        pause.end();
        ticked.scheduled
    };
    let (changed, scheduled) = tokio::join!(scene.owner.call(method, &path).json(&body).send(), tick);
    scene.app.heal();
    assert_eq!(scheduled, 1);
    assert!(changed.status.is_success(), "{changed}");
    assert!(scene.told(&id).await.contains(&"09:00 1 ran due".to_owned()), "{:?}", scene.told(&id).await);
    assert_eq!(scene.shown(&id).await.get("nextRunAt"), None);
    scene.app.deliver().await;
}

#[tokio::test]
async fn a_schedule_that_is_published_at_the_moment_of_a_tick_loses_none_of_its_own() {
    let mut scene = Scene::start().await;
    let job = scene.job("changing", hourly()).await;
    scene.pass(30 * MINUTE).await;
    let pause = scene.hold_next_transaction();
    // The publication finds the tick of 09:00 undecided.
    let versions = format!("/workloads/jobs/{job}/versions");
    let publish = scene.owner.post(&versions, json!({ "cronExpression": "* * * * *" }));
    let tick = async {
        pause.reached().await;
        let ticked = mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(60)).await.unwrap();
        pause.end();
        ticked.scheduled
    };
    let (published, scheduled) = tokio::join!(publish, tick);
    scene.app.heal();
    let _ = published.expect(201);
    assert_eq!(scheduled, 1);
    assert_eq!(scene.shown(&job).await["nextRunAt"], "2026-11-21T09:01:00.000Z", "the tick of 09:00 is decided");
    let _ = scene.agent.heartbeat(&[]).await.expect(200);
    let _ = scene.succeed_one().await;
    assert_eq!(scene.pass_and_tick(MINUTE).await, 1);
    assert_eq!(scene.told(&job).await, ["09:00 1 ran due", "09:01 1 ran due"]);
}

/// Clocks of machines differ: one publishes a schedule just before a tick that another one has decided about.
#[rstest]
#[case::on_time(MINUTE, &["09:00 1 ran due", "09:01 1 ran due"])]
#[case::late(5 * MINUTE, &["09:00 1 ran due", "09:01 4 missed overtaken", "09:05 1 ran due"])]
#[tokio::test]
async fn a_tick_that_was_decided_by_a_clock_ahead_is_passed_over(#[case] later: u64, #[case] told: &[&str]) {
    let mut scene = Scene::start().await;
    let job = scene.job("changing", hourly()).await;
    scene.pass(30 * MINUTE - 1).await;
    let ahead = ManualClock::new(scene.app.now() + Duration::from_secs(1));
    let store = scene.app.table().store(ahead.clock());
    assert_eq!(mainsheet_scheduler::tick(&store, Duration::from_secs(60)).await.unwrap().scheduled, 1);
    let versions = format!("/workloads/jobs/{job}/versions");
    let _ = scene.owner.post(&versions, json!({ "cronExpression": "* * * * *" })).await.expect(201);
    assert_eq!(scene.shown(&job).await["nextRunAt"], "2026-11-21T09:00:00.000Z");
    let _ = scene.agent.heartbeat(&[]).await.expect(200);
    let _ = scene.succeed_one().await;
    assert_eq!(scene.pass_and_tick(later + 1).await, 1);
    assert_eq!(scene.told(&job).await, told);
}

#[rstest]
#[case::at_once(json!([]))]
#[case::after_another_job(json!([{ "jobKey": "source" }]))]
#[tokio::test]
async fn a_job_whose_cluster_is_gone_says_so(#[case] depends_on: Value) {
    let mut scene = Scene::start().await;
    let _ = scene.job("source", json!({})).await;
    let job = scene.job("hourly", with(hourly(), "dependsOn", depends_on)).await;
    let _ = scene.owner.delete(&format!("/workloads/clusters/{}", scene.agent.cluster_id)).await.expect(204);
    scene.app.deliver().await;
    scene.pass(30 * MINUTE).await;
    assert_eq!(scene.app.tick().await.scheduled, 0);
    assert_eq!(scene.told(&job).await, ["09:00 1 skipped cluster_gone"]);
    assert_eq!(scene.shown(&job).await["nextRunAt"], "2026-11-21T10:00:00.000Z");
    let _ = scene.owner.delete(&format!("/workloads/jobs/{job}")).await.expect(204);
    scene.app.deliver().await;
    assert!(scene.app.dump().of_kind("tick").next().is_none(), "the ledger goes with the job");
    scene.pass(HOUR).await;
    assert_eq!(scene.app.tick().await.scheduled, 0);
}

#[rstest]
#[tokio::test]
async fn each_tick_that_is_caught_up_on_says_that_the_cluster_is_gone(#[values("skip", "allow")] policy: &str) {
    let mut scene = Scene::start().await;
    let all = with(hourly(), "missedSchedulePolicy", json!("all"));
    let job = scene.job("hourly", with(all, "concurrencyPolicy", json!(policy))).await;
    let _ = scene.owner.delete(&format!("/workloads/clusters/{}", scene.agent.cluster_id)).await.expect(204);
    scene.pass(4 * HOUR).await;
    assert_eq!(scene.app.tick().await.scheduled, 0);
    let gone = ["09:00", "10:00", "11:00", "12:00"].map(|time| format!("{time} 1 skipped cluster_gone"));
    assert_eq!(scene.told(&job).await, gone, "no run was there that had not ended");
}

#[tokio::test]
async fn a_run_is_not_stopped_for_one_whose_cluster_is_gone() {
    let mut scene = Scene::start().await;
    let job = scene.job("replacing", with(hourly(), "concurrencyPolicy", json!("replace"))).await;
    let _ = scene.tick_at("2026-11-21T09:00:00Z").await;
    let held = scene.agent.lease_one().await;
    let holding = std::slice::from_ref(&held);
    let retired = scene.owner.cluster("retired").await.cluster_id;
    let elsewhere = json!({ "clusterId": retired });
    let _ = scene.owner.post(&format!("/workloads/jobs/{job}/versions"), elsewhere).await.expect(201);
    let _ = scene.owner.delete(&format!("/workloads/clusters/{retired}")).await.expect(204);
    scene.pass(HOUR).await;
    let _ = scene.agent.heartbeat(holding).await.expect(200);
    assert_eq!(scene.app.tick().await.scheduled, 0);
    assert_eq!(scene.told(&job).await, ["09:00 1 ran due", "10:00 1 skipped cluster_gone"]);
    assert_eq!(scene.statuses(&job).await, ["starting"]);
    let orders = scene.agent.heartbeat(holding).await.expect(200).json();
    assert_eq!(orders["runs"][0]["order"], "continue");
}

#[tokio::test]
async fn blockers_name_the_agent_that_is_missing_or_busy() {
    let mut scene = Scene::start().await;
    let job = scene.job("hourly", hourly()).await;
    scene.pass(30 * MINUTE).await;
    let _ = scene.app.tick().await;
    let run = scene.runs(&job).await.remove(0);
    assert_eq!(scene.blockers(&job, &run).await[0]["type"], "cluster_unreachable");
    let _ = scene.agent.heartbeat(&[]).await.expect(200);
    for _ in 0..4 {
        let busy = scene.job(&format!("busy-{}", scene.app.dump().rows.len()), json!({})).await;
        let _ = scene.owner.run(&busy).await;
    }
    scene.app.deliver().await;
    let runs = scene.agent.lease(&[], 5).await.expect(200).json()["runs"].as_array().unwrap().len();
    assert_eq!(runs, 5);
    let next = scene.owner.run(&job).await;
    scene.app.deliver().await;
    let blockers = scene.blockers(&job, &json!({ "id": next })).await;
    assert_eq!((&blockers[0]["type"], &blockers[0]["clusterId"]), (&json!("capacity"), &json!(scene.agent.cluster_id)));
    let held = scene.owner.create(&format!("/workloads/jobs/{job}/runs"), json!({ "hold": true })).await;
    assert_eq!(scene.blockers(&job, &json!({ "id": held })).await[0]["type"], "hold");
    scene.app.deliver().await;
}

#[tokio::test]
async fn blockers_of_a_run_that_waits_tell_that_its_cluster_is_gone() {
    let mut scene = Scene::start().await;
    let _ = scene.job("source", json!({})).await;
    let job = scene.job("dependent", with(hourly(), "dependsOn", json!([{ "jobKey": "source" }]))).await;
    let _ = scene.tick_at("2026-11-21T09:00:00Z").await;
    let run = scene.runs(&job).await.remove(0);
    assert_eq!(scene.blockers(&job, &run).await.len(), 1);
    let cluster = &scene.agent.cluster_id;
    let _ = scene.owner.delete(&format!("/workloads/clusters/{cluster}")).await.expect(204);
    scene.app.deliver().await;
    let blockers = scene.blockers(&job, &run).await;
    let kinds: Vec<&Value> = blockers.iter().map(|blocker| &blocker["type"]).collect();
    assert_eq!(kinds, ["dependency", "cluster_gone"]);
    assert_eq!(blockers[1]["clusterId"], *cluster);
}

#[tokio::test]
async fn the_ledger_is_read_in_pages_and_parts() {
    let mut scene = Scene::start().await;
    let allow = with(with(hourly(), "concurrencyPolicy", json!("allow")), "maxConcurrentRuns", json!(2));
    let job = scene.job("hourly", allow).await;
    for time in 9..15 {
        let _ = scene.tick_at(&format!("2026-11-21T{time:02}:00:00Z")).await;
    }
    let path = format!("/workloads/jobs/{job}/ticks");
    let mut marker = String::new();
    let mut times = Vec::new();
    loop {
        let page = scene.owner.get(&format!("{path}?outcome=skipped&limit=3{marker}")).await.expect(200).json();
        times.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tick| tick["scheduledAt"].as_str().unwrap()[11..13].to_owned()),
        );
        match page["marker"].as_str() {
            Some(next) => marker = format!("&marker={next}"),
            None => break,
        }
    }
    assert_eq!(times, ["14", "13", "12", "11"]);
    let part = scene.ledger(&job, "from=2026-11-21T10:00:00Z&to=2026-11-21T12:00:00Z").await;
    assert_eq!(part.len(), 2, "from one moment on, before the other: {part:?}");
    let part = scene.ledger(&job, "outcome=ran&from=2026-11-21T10:00:00Z").await;
    assert_eq!((part.len(), &part[0]["scheduledAt"]), (1, &json!("2026-11-21T10:00:00.000Z")));
    for reversed in
        ["from=2026-11-21T12:00:00Z&to=2026-11-21T10:00:00Z", "from=2026-11-21T12:00:00Z&to=2026-11-21T12:00:00Z"]
    {
        scene.owner.get(&format!("{path}?{reversed}")).await.assert_names_field("to");
        scene.owner.get(&format!("{path}?outcome=ran&{reversed}")).await.assert_names_field("to");
    }
    for moment in ["9000-01-01T00:00:00Z", "9999-12-30T00:00:00Z"] {
        for outcome in ["", "&outcome=ran"] {
            let late = scene.ledger(&job, &format!("from={moment}{outcome}")).await;
            assert!(late.is_empty(), "from {moment} on: {late:?}");
            assert!(!scene.ledger(&job, &format!("to={moment}{outcome}")).await.is_empty(), "before {moment}");
        }
    }
    let _ = scene.owner.get(&format!("{path}?outcome=nothing")).await.expect(422);
    let _ = scene.owner.get(&format!("{path}?marker=nothing")).await.expect(400);
}

/// Reads of the table that a tick takes, whatever it writes.
fn reads(operations: &[String]) -> usize {
    operations.iter().filter(|name| ["GetItem", "BatchGetItem", "Query"].contains(&name.as_str())).count()
}

#[tokio::test]
async fn a_tick_reads_what_is_due_and_not_what_exists() {
    let mut scene = Scene::start().await;
    for index in 0..110 {
        let _ = scene.job(&format!("due-{index}"), hourly()).await;
        let _ = scene.job(&format!("other-{index}"), json!({ "cronExpression": "0 0 1 1 *" })).await;
        if index % 20 == 0 {
            scene.owner = scene.owner.refreshed().await;
        }
    }
    scene.app.deliver().await;
    let tick = || mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(60));
    while tick().await.unwrap().sealed > 0 {}
    let (_, idle) = Box::pin(scene.app.measure(tick())).await;
    assert_eq!(
        reads(&idle),
        1 + 8 + 8 + 8,
        "the time of the last tick, and the shards of runs, jobs and audit records"
    );
    scene.app.advance(Duration::from_secs(30 * MINUTE));
    let now = scene.app.now();
    let (pages, of_jobs) = scene
        .app
        .measure(async {
            let (mut due, mut pages) = (scene.app.store().due_jobs(now), 0);
            while let Some(jobs) = due.next().await.unwrap() {
                pages += jobs.len();
            }
            pages
        })
        .await;
    assert_eq!((pages, reads(&of_jobs)), (110, 8 + 2), "the shards, and pages of a hundred jobs");
    let (ticked, operations) = Box::pin(scene.app.measure(tick())).await;
    assert_eq!(ticked.unwrap().scheduled, 110);
    let writes = operations.iter().filter(|name| *name == "TransactWriteItems").count();
    assert!(writes >= 110, "{writes}");
    scene.app.deliver().await;
}

#[tokio::test]
async fn ticks_are_acted_on_also_where_nobody_can_tell_which_runs_are_due() {
    let mut scene = Scene::start().await;
    let job = scene.job("hourly", hourly()).await;
    scene.pass(30 * MINUTE).await;
    let queries = AtomicUsize::new(0);
    scene.app.set_rule(Arc::new(move |call| {
        let is_first = call.operation == "Query" && queries.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first { Verdict::Deny } else { Verdict::Forward }
    }));
    let ticked = mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(60)).await;
    scene.app.heal();
    assert!(ticked.is_err(), "{ticked:?}");
    assert_eq!(scene.told(&job).await, ["09:00 1 ran due"]);
    scene.app.deliver().await;
}

#[tokio::test]
async fn runs_of_several_jobs_are_settled_at_once() {
    let scene = Scene::start().await;
    for key in ["one", "another"] {
        let job = scene.job(key, json!({})).await;
        let _ = scene.owner.run(&job).await;
    }
    scene.app.deliver().await;
    let leased = scene.agent.lease(&[], 2).await.expect(200).json();
    assert_eq!(leased["runs"].as_array().unwrap().len(), 2);
    scene.app.advance(Duration::from_secs(60));
    // The first transaction says that the scheduler came, and each of the next two settles a run.
    let pauses = [Pause::default(), Pause::default()];
    let (held_back, transactions) = (pauses.clone(), AtomicUsize::new(0));
    scene.app.set_rule(Arc::new(move |call| {
        if call.operation != "TransactWriteItems" {
            return Verdict::Forward;
        }
        let settling = transactions.fetch_add(1, Ordering::SeqCst).checked_sub(1);
        settling.and_then(|index| held_back.get(index)).map_or(Verdict::Forward, |pause| Verdict::Hold(pause.clone()))
    }));
    let both = async {
        for pause in &pauses {
            pause.reached().await;
        }
        for pause in &pauses {
            pause.end();
        }
    };
    let tick = Box::pin(mainsheet_scheduler::tick(scene.app.store(), Duration::from_secs(HOUR)));
    // Whoever settles one after the other never comes to the second while the first is held.
    let at_once = tokio::time::timeout(Duration::from_secs(MINUTE), futures::future::join(both, tick)).await;
    let ((), ticked) = at_once.expect("the second run is settled beside the first");
    scene.app.heal();
    assert_eq!(ticked.unwrap().settled, 2);
    scene.app.deliver().await;
}

/// Whether a run may begin was decided by how many had not ended. One that came to be meanwhile counts.
#[tokio::test]
async fn a_run_that_came_to_be_after_a_job_was_read_keeps_its_tick_from_beginning_another() {
    let app = TestApp::start().await.steady();
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let schedule = json!({ "cronExpression": "0 * * * *", "concurrencyPolicy": "skip" });
    let mut body = build::job("hourly", &agent.cluster_id, &owner.team_id);
    body.as_object_mut().unwrap().extend(schedule.as_object().unwrap().clone());
    let job = owner.post("/workloads/jobs", body).await.expect(201).text("id");
    app.advance(Duration::from_secs(3600));
    let _ = agent.heartbeat(&[]).await.expect(200);
    let owner = owner.refreshed().await;
    let due = app.store().due_jobs(app.now()).next().await.unwrap().unwrap();
    let [read] = &due[..] else { panic!("{due:?}") };
    let by_hand = owner.run(&job).await;
    let version = &read.row.value.current;
    let mut run = JobRun::of(&read.row.value.id, version, RunTrigger::Schedule, &version.created_by, app.now());
    run.apply(RunEvent::Release, app.now()).unwrap();
    let begun = app.store().note_ticks().decide_ticks(read, &[], Some(&run), None).commit().await;
    assert!(matches!(begun, Err(Error::Conflict { .. })), "{begun:?}");
    // The tick itself reads it again, and says what kept it.
    mainsheet_scheduler::tick(app.store(), Duration::from_secs(60)).await.unwrap();
    let ledger = owner.get(&format!("/workloads/jobs/{job}/ticks")).await.expect(200).json();
    assert_eq!(ledger["items"][0]["outcome"], "skipped", "{ledger}");
    let runs = owner.get(&format!("/workloads/jobs/{job}/runs")).await.expect(200).json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{by_hand}: {runs}");
    app.deliver().await;
}
