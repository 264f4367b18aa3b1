//! The control plane, taken through the steps of the model.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::join_all;
use mainsheet_core::Timestamp;
use mainsheet_testkit::{Answer, Client, Delivered, Dump, Lasting, Snapshot, TestAgent, TestApp, build};
use serde_json::{Value, json};

use super::reference::{Action, Held, RETRIES, Stands, Step, TIMEOUT, WALK, Word, World};
use super::schedule::{EXPRESSION, Entry, Ledger, Policies};

/// A control plane with one job, at the moment when each sequence begins.
pub(super) struct System {
    app: TestApp,
    /// Asks for things. Its key never expires, wherever the clock goes.
    robot: Client,
    agent: TestAgent,
    job: String,
    beginning: Snapshot,
}

/// A sequence under way.
pub(super) struct Course<'s> {
    system: &'s System,
    begun_at: Timestamp,
    /// The runs' ids, in the model's order.
    ids: Vec<String>,
    steps: usize,
    /// What was delivered.
    delivered: Delivered,
}

impl System {
    pub(super) async fn start() -> Self {
        let app = TestApp::start().await.steady();
        let owner = app.sign_up("owner@example.com").await;
        let agent = owner.cluster("main").await;
        let body = build::job("daily", &agent.cluster_id, &owner.team_id);
        let body = build::with(body, "/timeoutSeconds", json!(TIMEOUT));
        let body = build::with(body, "/config/lakesail", json!({ "maxRetries": RETRIES }));
        let job = owner.create("/workloads/jobs", body).await;
        let account = owner.create("/org/service-accounts", json!({ "username": "robot", "description": "" })).await;
        let policy = json!({ "permissions": ["CanRunJobs", "CanViewJobs", "CanManageJobs"] });
        let _ = owner.put(&format!("/org/policies/serviceAccount:{account}"), policy).await.expect(200);
        let key = owner.post(&format!("/org/service-accounts/{account}/keys"), json!({})).await.expect(201);
        let robot = app.anonymous().bearer(&key.text("key"));
        app.deliver().await;
        let beginning = app.snapshot();
        Self { app, robot, agent, job, beginning }
    }

    /// A sequence begins on the hour, with a schedule that counts from then.
    pub(super) async fn begin(&self, model: &World) -> Course<'_> {
        self.app.restore(&self.beginning);
        let since_hour = u64::try_from(self.app.now().as_millisecond()).unwrap() % 3_600_000;
        self.app.advance(Duration::from_millis(3_600_000 - since_hour));
        let _ = self.agent.heartbeat(&[]).await.expect(200);
        // To the scheduler of a table that none has come to before, the clock's way was no outage.
        let _ = self.app.tick().await;
        let delivered = Delivered::default();
        let course = Course { system: self, begun_at: self.app.now(), ids: Vec::new(), steps: 0, delivered };
        let mut version = model.policies.body();
        version["cronExpression"] = json!(EXPRESSION);
        let _ = self.robot.post(&format!("/workloads/jobs/{}/versions", self.job), version).await.expect(201);
        course
    }
}

impl Course<'_> {
    /// Takes a step from the model's state `before` it to the one `after` it, and compares.
    pub(super) async fn take(&mut self, step: &Step, before: &World, after: &World) {
        self.steps += 1;
        match &step.action {
            Action::Advance(seconds) => self.system.app.advance(Duration::from_secs(*seconds)),
            Action::Tick { schedulers } => {
                self.tick(step, before, *schedulers).await;
                let created = after.runs.len() - before.runs.len();
                assert!(created == 0 || after.live() <= after.policies.cap(), "more runs than its cap");
            }
            Action::Deliver { in_disorder } => {
                self.in_trouble(step);
                let _ = if *in_disorder {
                    self.system.app.deliver_in_disorder(&mut self.delivered).await
                } else {
                    self.system.app.deliver_in_order(&mut self.delivered).await
                };
                self.system.app.heal();
            }
            Action::Publish(policies) => self.publish(step, *policies).await,
            Action::Pause if before.ledger.can_pause(before.now) => self.set_status(step, "paused").await,
            Action::Pause => {}
            Action::Resume => self.set_status(step, "active").await,
            Action::Create { hold } if before.can_create() => {
                let path = format!("/workloads/jobs/{}/runs", self.system.job);
                let answer = self.ask(step, "POST", &path, Some(json!({ "hold": hold }))).await;
                if before.cluster_is_active() {
                    self.ids.push(answer.expect(201).text("id"));
                } else {
                    assert_eq!(answer.expect(409).problem().code, "cluster_not_active");
                }
            }
            Action::Create { .. } => {}
            Action::Release(number) => {
                self.act(step, before, *number, "ready", None, |stands| stands == Stands::Pending).await;
            }
            Action::Cancel(number) => {
                self.act(step, before, *number, "cancel", None, |stands| !stands.has_ended()).await;
            }
            Action::Retry(number, hold) if before.can_retry() => {
                let may = |stands: Stands| stands.has_ended() && stands != Stands::Succeeded;
                self.act(step, before, *number, "retry", Some(json!({ "hold": hold })), may).await;
            }
            Action::Retry(..) | Action::AgentDies => {}
            Action::Delete(number) => self.delete(step, before, *number).await,
            Action::Lease { answer_is_lost } => self.lease(step, before, after, *answer_is_lost).await,
            Action::Heartbeat => self.heartbeat(step, before).await,
            Action::Report { held, word, repeated } => self.report(step, before, *held, *word, *repeated).await,
        }
        let come_back = before
            .runs
            .iter()
            .zip(&after.runs)
            .any(|(before, after)| before.stands.has_ended() && after.stands != before.stands);
        assert!(!come_back || matches!(step.action, Action::Retry(..)), "{step:?}: what has ended stays as it ended");
        self.compare(after, step);
    }

    /// What was announced and not delivered changes nothing any more that has ended.
    pub(super) async fn end(&mut self, model: &World) {
        let _ = self.system.app.deliver_in_disorder(&mut self.delivered).await;
        let deliver = Step { action: Action::Deliver { in_disorder: true }, trouble: None };
        let after =
            <super::reference::Runs as proptest_state_machine::ReferenceStateMachine>::apply(model.clone(), &deliver);
        self.compare(&after, &deliver);
    }

    fn in_trouble(&self, step: &Step) {
        if let Some((index, fault)) = step.trouble {
            self.system.app.fault(index, fault, Lasting::ForTheCall);
        }
    }

    async fn tick(&self, step: &Step, before: &World, schedulers: usize) {
        let tick = || mainsheet_scheduler::tick(self.system.app.store(), mainsheet_scheduler::INTERVAL);
        // A run that could not be settled has not ended when its job's ticks are decided about: either way is right.
        if !before.owes_both() {
            self.in_trouble(step);
        }
        let ticked = join_all((0..schedulers).map(|_| tick())).await;
        self.system.app.heal();
        if step.trouble.is_none() {
            for ticked in ticked {
                let _ = ticked.unwrap();
            }
        } else {
            let _ = tick().await.unwrap();
        }
    }

    /// Sends a request, and sends it again when it failed for no fault of its own.
    async fn ask(&self, step: &Step, method: &str, path: &str, body: Option<Value>) -> Answer {
        let send = || {
            let call = self.system.robot.call(method, path).idempotent(&format!("step-{}", self.steps));
            match &body {
                Some(body) => call.json(body).send(),
                None => call.send(),
            }
        };
        self.in_trouble(step);
        let first = send().await;
        self.system.app.heal();
        if first.status != 503 {
            return first;
        }
        assert!(step.trouble.is_some(), "{first}");
        send().await
    }

    async fn publish(&self, step: &Step, policies: Policies) {
        let path = format!("/workloads/jobs/{}/versions", self.system.job);
        let _ = self.ask(step, "POST", &path, Some(policies.body())).await.expect(201);
    }

    async fn set_status(&self, step: &Step, status: &str) {
        let path = format!("/workloads/jobs/{}", self.system.job);
        let _ = self.ask(step, "PATCH", &path, Some(json!({ "status": status }))).await.expect(200);
    }

    fn path(&self, run: usize) -> String {
        format!("/workloads/jobs/{}/runs/{}", self.system.job, self.ids[run])
    }

    /// Acts on a run if it `may` be; else it is a conflict.
    async fn act(
        &self,
        step: &Step,
        before: &World,
        number: usize,
        what: &str,
        body: Option<Value>,
        may: impl Fn(Stands) -> bool,
    ) {
        let Some(run) = before.chosen(number) else { return };
        let answer = self.ask(step, "POST", &format!("{}/{what}", self.path(run)), body).await;
        let _ = answer.expect(if may(before.runs[run].stands) { 200 } else { 409 });
    }

    async fn delete(&self, step: &Step, before: &World, number: usize) {
        let Some(run) = before.chosen(number) else { return };
        let answer = self.ask(step, "DELETE", &self.path(run), None).await;
        let status = answer.status.as_u16();
        // It was deleted, and nobody heard of it.
        let is_gone = status == 404 && step.trouble.is_some_and(|(_, fault)| fault.takes_effect());
        assert!(status == if before.runs[run].stands.has_ended() { 204 } else { 409 } || is_gone, "{answer}");
    }

    fn name(&self, held: &Held) -> Value {
        json!({ "jobId": self.system.job, "jobRunId": self.ids[held.run], "attempt": held.attempt })
    }

    /// Asks until there is no more; what the agent is handed is what the model says.
    async fn lease(&self, step: &Step, before: &World, after: &World, answer_is_lost: bool) {
        let mut holding: Vec<Value> = before.held.iter().map(|held| self.name(held)).collect();
        self.in_trouble(step);
        let first = self.system.agent.lease(&holding, 10).await;
        self.system.app.heal();
        let mut answers = vec![first];
        if step.trouble.is_some() {
            if answers[0].status == 200 && !answer_is_lost {
                holding.extend(handed(&answers[0]));
            }
            answers.push(self.system.agent.lease(&holding, 10).await.expect(200));
        }
        if answer_is_lost {
            return;
        }
        let answers = answers.iter().filter(|answer| answer.status == 200);
        let mut taken: Vec<String> = answers.flat_map(handed).map(|run| run.to_string()).collect();
        let new = after.held.iter().filter(|held| !before.held.contains(held));
        let mut expected: Vec<String> = new.map(|held| self.name(held).to_string()).collect();
        taken.sort();
        expected.sort();
        assert_eq!(taken, expected, "what the agent is handed");
    }

    async fn heartbeat(&self, step: &Step, before: &World) {
        let holding: Vec<Value> = before.held.iter().map(|held| self.name(held)).collect();
        self.in_trouble(step);
        let mut answer = self.system.agent.heartbeat(&holding).await;
        self.system.app.heal();
        if answer.status == 503 {
            answer = self.system.agent.heartbeat(&holding).await;
        }
        let orders = answer.expect(200).json();
        for (held, order) in before.held.iter().zip(orders["runs"].as_array().unwrap()) {
            let run = &before.runs[held.run];
            let holds = !run.is_deleted && run.attempt == held.attempt && run.stands.is_active();
            let expected = match (holds, run.cancelled_at) {
                (false, _) => "abandon",
                (true, Some(_)) => "cancel",
                (true, None) => "continue",
            };
            assert_eq!(order["order"], expected, "{order}");
        }
    }

    async fn report(&self, step: &Step, before: &World, number: usize, word: Word, repeated: bool) {
        let Some(index) = before.chosen_held(number) else { return };
        let held = before.held[index];
        let event = match word {
            Word::Next => WALK[held.steps],
            Word::Fail => "fail",
            Word::Cancel => "cancel",
        };
        let say = || async { self.system.agent.report(&self.name(&held), held.said + 1, &[event]).await };
        self.in_trouble(step);
        let mut answer = say().await;
        self.system.app.heal();
        if answer.status == 503 || repeated {
            answer = say().await;
        }
        let run = &before.runs[held.run];
        let is_known = !run.is_deleted && run.attempt == held.attempt;
        if is_known && (run.stands.is_active() || run.stands.has_ended()) {
            assert_eq!(answer.expect(200).json()["lastReport"], held.said + 1);
        } else {
            let _ = answer.expect(if run.is_deleted { 404 } else { 409 });
        }
    }

    /// The table says what the model says: of runs, of the inbox, of what is due, of ticks, and of what was done.
    #[track_caller]
    fn compare(&mut self, model: &World, step: &Step) {
        let dump = self.system.app.dump();
        self.learn(model, &dump);
        self.compare_runs(model, &dump, step);
        self.compare_inbox(model, &dump, step);
        self.compare_ticks(model, &dump, step);
    }

    fn moment(&self, seconds: u64) -> String {
        (self.begun_at + Duration::from_secs(seconds)).to_string()
    }

    /// The ids of runs that ticks created: each tick creates one at most.
    #[track_caller]
    fn learn(&mut self, model: &World, dump: &Dump) {
        for run in &model.runs[self.ids.len()..] {
            let moment = self.moment(run.tick.unwrap());
            let mut rows = dump.of_kind("job_run").filter(|row| row["data"]["scheduledAt"] == moment.as_str());
            let (row, another) = (rows.next(), rows.next());
            assert!(row.is_some() && another.is_none(), "one run of the tick of {moment}: {row:?}, {another:?}");
            self.ids.extend(row.and_then(|row| row["sk"].as_str()).map(str::to_owned));
        }
    }

    #[track_caller]
    fn compare_runs(&self, model: &World, dump: &Dump, step: &Step) {
        let mut leases: HashMap<&str, u32> = HashMap::new();
        for row in dump.of_kind("audit").filter(|row| row["data"]["action"] == "job_run.lease") {
            *leases.entry(row["data"]["target"].as_str().unwrap()).or_default() += 1;
        }
        for (id, run) in self.ids.iter().zip(&model.runs) {
            let row = dump.of_kind("job_run").find(|row| row["sk"] == id.as_str());
            assert_eq!(row.is_none(), run.is_deleted, "{step:?}: {id}");
            let Some(row) = row else { continue };
            let data = &row["data"];
            assert_eq!(data["status"], run.stands.name(), "{step:?}: {row}");
            assert_eq!(
                (&data["attempt"], &data["lastReport"]),
                (&json!(run.attempt), &json!(run.last_report)),
                "{step:?}"
            );
            let due_at = run.due_at().map_or(Value::Null, |at| json!(self.moment(at)));
            assert_eq!(row["due_at"], due_at, "{step:?}: {row}");
            let leases = leases.get(id.as_str()).copied().unwrap_or_default();
            assert_eq!(leases, run.attempt, "{step:?}: each attempt is leased once");
        }
        let there = model.runs.iter().filter(|run| !run.is_deleted).count();
        assert_eq!(dump.of_kind("job_run").count(), there, "{step:?}: no run but the model's");
        let job = dump.of_kind("job").next().unwrap();
        let counted = ["runs", "live_runs"].map(|name| job[name].as_u64().unwrap_or_default());
        assert_eq!(counted, [there as u64, model.live() as u64], "{step:?}: what the job counts");
    }

    #[track_caller]
    fn compare_inbox(&self, model: &World, dump: &Dump, step: &Step) {
        let mut expected: Vec<(&str, &str)> = Vec::new();
        for (id, run) in self.ids.iter().zip(&model.runs).filter(|(_, run)| !run.is_deleted) {
            match run.stands {
                Stands::Ready => expected.push((id, "ready")),
                Stands::Active(_) => {
                    expected.push((id, "leased"));
                    expected.extend(run.cancelled_at.map(|_| (id.as_str(), "cancel")));
                }
                _ => {}
            }
        }
        let text =
            |value: &'static str| move |row: &'_ Value| row["data"][value].as_str().unwrap_or_default().to_owned();
        let (run, kind) = (text("jobRunId"), text("kind"));
        let mut there: Vec<(String, String)> = dump.of_kind("inbox").map(|row| (run(row), kind(row))).collect();
        there.sort();
        expected.sort_unstable();
        let expected: Vec<(String, String)> =
            expected.into_iter().map(|(run, kind)| (run.to_owned(), kind.to_owned())).collect();
        assert_eq!(there, expected, "{step:?}: the inbox");
    }

    #[track_caller]
    fn compare_ticks(&self, model: &World, dump: &Dump, step: &Step) {
        let Ledger { entries, next } = &model.ledger;
        let line = |entry: &Entry| {
            let through = entry.through.map_or(Value::Null, |through| json!(self.moment(through)));
            let run = entry.run.map_or(Value::Null, |run| json!(self.ids[run]));
            let Entry { ticks, outcome, reason, .. } = entry;
            json!([self.moment(entry.at), through, ticks, outcome, reason, run]).to_string()
        };
        let mut expected: Vec<String> = entries.iter().map(line).collect();
        let fields = ["scheduledAt", "through", "ticks", "outcome", "reason", "jobRunId"];
        let row = |row: &Value| json!(fields.map(|field| row["data"][field].clone())).to_string();
        let mut there: Vec<String> = dump.of_kind("tick").map(row).collect();
        there.sort();
        expected.sort();
        assert_eq!(there, expected, "{step:?}: the ledger");
        model.ledger.assert_exact(model.now);
        let job = dump.of_kind("job").next().unwrap();
        let due_at = next.map_or(Value::Null, |at| json!(self.moment(at)));
        assert_eq!(job["due_at"], due_at, "{step:?}: when the job is due");
    }
}

/// The runs of an answer, as an agent names them.
fn handed(answer: &Answer) -> Vec<Value> {
    answer.json()["runs"].as_array().unwrap().iter().map(mainsheet_testkit::held).collect()
}
