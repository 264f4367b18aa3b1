//! A cluster's agent, as the control plane sees one.

use mainsheet_auth::agent::sha256;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::client::Client;

/// An agent's secret; every agent has its own id beside it.
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A registered agent.
#[derive(Clone)]
pub struct TestAgent {
    /// The client that carries its token.
    pub client: Client,
    /// That token.
    pub token: String,
    /// Its id.
    pub agent_id: String,
    /// The cluster that it serves.
    pub cluster_id: String,
}

impl TestAgent {
    /// Trades a registration token for credentials.
    pub async fn register(client: &Client, cluster: &str, token: &str) -> Self {
        let answer = client.post("/agent/register", registration(token, SECRET)).await.expect(200);
        assert_eq!(answer.text("clusterId"), cluster);
        let agent_id = answer.text("agentId");
        let token = format!("msa_{agent_id}_{SECRET}");
        Self { client: client.bearer(&token), token, agent_id, cluster_id: cluster.to_owned() }
    }

    /// Says that it lives and goes on with these runs.
    pub async fn heartbeat(&self, holding: &[Value]) -> Answer {
        let utilization = json!({ "cpu": 0.5, "memory": 0.25, "capacity": 4 });
        self.client.post("/agent/heartbeat", json!({ "holding": holding, "utilization": utilization })).await
    }

    /// Asks for work without waiting for it.
    pub async fn lease(&self, holding: &[Value], capacity: u32) -> Answer {
        let body = json!({ "holding": holding, "capacity": capacity, "waitSeconds": 0 });
        self.client.post("/agent/lease", body).await
    }

    /// Leases exactly one run and answers what identifies it: `{jobId, jobRunId, attempt}`.
    pub async fn lease_one(&self) -> Value {
        let answer = self.lease(&[], 1).await.expect(200).json();
        let run = &answer["runs"][0];
        assert!(run.is_object(), "nothing to lease: {answer}");
        held(run)
    }

    /// Leases a run, among whatever else there is: an agent that says it holds nothing is offered again what it holds.
    pub async fn lease_run(&self, id: &str) -> Value {
        let answer = self.lease(&[], 10).await.expect(200).json();
        let run = answer["runs"].as_array().into_iter().flatten().find(|run| run["jobRunId"] == id);
        held(run.unwrap_or_else(|| panic!("not there to lease: {answer}")))
    }

    /// Reports what happened, in order, beginning with number `first`.
    pub async fn report(&self, held: &Value, first: u64, events: &[&str]) -> Answer {
        let numbered = (first..).zip(events);
        let reports: Vec<Value> =
            numbered.map(|(sequence, event)| json!({ "sequence": sequence, "event": event })).collect();
        self.post(held, "events", json!({ "attempt": held["attempt"], "reports": reports })).await
    }

    /// Sends log lines, of which the first has number `first`.
    pub async fn log(&self, held: &Value, first: u64, lines: &[&str]) -> Answer {
        let line = |text: &&str| json!({ "timestamp": "2026-11-21T08:30:00.000Z", "source": "runner", "stream": "stdout", "message": text });
        let lines: Vec<Value> = lines.iter().map(line).collect();
        self.post(held, "logs", json!({ "attempt": held["attempt"], "firstLine": first, "lines": lines })).await
    }

    /// Sends a result preview.
    pub async fn results(&self, held: &Value, preview: Value) -> Answer {
        let body = json!({ "attempt": held["attempt"], "preview": preview });
        self.client.put(&path_of(held, "results"), body).await
    }

    /// Takes a leased run through every status to its successful end.
    pub async fn succeed(&self, held: &Value) {
        let events = ["sail_requested", "sail_created", "sail_answered", "runner_started", "succeed"];
        let _ = self.report(held, 1, &events).await.expect(200);
    }

    /// Posts to a held run.
    pub async fn post(&self, held: &Value, what: &str, body: Value) -> Answer {
        self.client.post(&path_of(held, what), body).await
    }
}

/// The body of a registration.
#[must_use]
pub fn registration(token: &str, secret: &str) -> Value {
    json!({
        "registrationToken": token,
        "secretSha256": sha256(secret),
        "version": "0.1.0",
        "backend": "process",
    })
}

/// What identifies a leased run.
#[must_use]
pub fn held(run: &Value) -> Value {
    json!({ "jobId": run["jobId"], "jobRunId": run["jobRunId"], "attempt": run["attempt"] })
}

fn path_of(held: &Value, what: &str) -> String {
    let text = |field: &str| held[field].as_str().unwrap().to_owned();
    format!("/agent/jobs/{}/runs/{}/{what}", text("jobId"), text("jobRunId"))
}
