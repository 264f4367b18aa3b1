//! The control plane, taken through the steps of the model.

use std::time::Duration;

use futures::future::join_all;
use mainsheet_core::Timestamp;
use mainsheet_testkit::{Answer, Client, Lasting, Snapshot, TestAgent, TestApp, build};
use serde_json::{Value, json};

use super::reference::{Action, Held, RETRIES, Stands, Step, TIMEOUT, WALK, Word, World};

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
}

impl System {
    pub(super) async fn start() -> Self {
        let app = TestApp::start().await;
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

    pub(super) async fn begin(&self) -> Course<'_> {
        self.app.restore(&self.beginning);
        // The clock has gone on, which to the scheduler is an outage: its grace passes first.
        let _ = self.app.tick().await;
        self.app.advance(Duration::from_secs(60));
        let _ = self.agent.heartbeat(&[]).await.expect(200);
        let _ = self.app.tick().await;
        Course { system: self, begun_at: self.app.now(), ids: Vec::new(), steps: 0 }
    }
}

impl Course<'_> {
    /// Takes a step from the model's state `before` it to the one `after` it, and compares.
    pub(super) async fn take(&mut self, step: &Step, before: &World, after: &World) {
        self.steps += 1;
        match &step.action {
            Action::Advance(seconds) => self.system.app.advance(Duration::from_secs(*seconds)),
            Action::Tick { schedulers } => self.tick(step, *schedulers).await,
            Action::Deliver => {
                self.in_trouble(step);
                let _ = self.system.app.deliver_through_faults().await;
                self.system.app.heal();
            }
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
            Action::Retry(number, hold) => {
                let may = |stands: Stands| stands.has_ended() && stands != Stands::Succeeded;
                self.act(step, before, *number, "retry", Some(json!({ "hold": hold })), may).await;
            }
            Action::Delete(number) => self.delete(step, before, *number).await,
            Action::Lease { answer_is_lost } => self.lease(step, before, after, *answer_is_lost).await,
            Action::Heartbeat => self.heartbeat(step, before).await,
            Action::Report { held, word, repeated } => self.report(step, before, *held, *word, *repeated).await,
            Action::AgentDies => {}
        }
        self.compare(after, step);
    }

    /// What was announced and not delivered changes nothing any more that has ended.
    pub(super) async fn end(&mut self, model: &World) {
        let _ = self.system.app.deliver_through_faults().await;
        let deliver = Step { action: Action::Deliver, trouble: None };
        let after =
            <super::reference::Runs as proptest_state_machine::ReferenceStateMachine>::apply(model.clone(), &deliver);
        self.compare(&after, &deliver);
    }

    fn in_trouble(&self, step: &Step) {
        if let Some((index, fault)) = step.trouble {
            self.system.app.fault(index, fault, Lasting::ForTheCall);
        }
    }

    async fn tick(&self, step: &Step, schedulers: usize) {
        let tick = || mainsheet_scheduler::tick(self.system.app.store(), mainsheet_scheduler::INTERVAL);
        self.in_trouble(step);
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

    /// The table says what the model says: of runs, of the inbox, of what is due, and of what was done.
    #[track_caller]
    fn compare(&self, model: &World, step: &Step) {
        let dump = self.system.app.dump();
        let moment = |seconds: u64| (self.begun_at + Duration::from_secs(seconds)).to_string();
        let mut inbox: Vec<(String, &str)> = Vec::new();
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
            assert_eq!(row["due_at"], run.due_at().map_or(Value::Null, |at| json!(moment(at))), "{step:?}: {row}");
            let leases = dump.of_kind("audit").filter(|row| row["data"]["action"] == "job_run.lease");
            let leases = leases.filter(|row| row["data"]["target"] == id.as_str()).count();
            assert_eq!(leases as u64, u64::from(run.attempt), "{step:?}: each attempt is leased once");
            match run.stands {
                Stands::Ready => inbox.push((id.clone(), "ready")),
                Stands::Active(_) => {
                    inbox.push((id.clone(), "leased"));
                    inbox.extend(run.cancelled_at.map(|_| (id.clone(), "cancel")));
                }
                _ => {}
            }
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut there: Vec<(String, String)> =
            dump.of_kind("inbox").map(|row| (text(&row["data"]["jobRunId"]), text(&row["data"]["kind"]))).collect();
        let mut expected: Vec<(String, String)> = inbox.into_iter().map(|(id, kind)| (id, kind.to_owned())).collect();
        there.sort();
        expected.sort();
        assert_eq!(there, expected, "{step:?}: the inbox");
    }
}

/// The runs of an answer, as an agent names them.
fn handed(answer: &Answer) -> Vec<Value> {
    answer.json()["runs"].as_array().unwrap().iter().map(mainsheet_testkit::held).collect()
}
