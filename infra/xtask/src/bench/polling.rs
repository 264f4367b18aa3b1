//! How long a run that is ready waits for an agent whose requests are answered at once, as functions answer them. What that costs is in
//! `infra/docs/agent-polling.md`.

use std::time::Duration;

use mainsheet_testkit::{Person, TestAgent, TestApp, held};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Options;
use super::table::Line;
use crate::statistics::median;

/// Half of all runs are leased within this many seconds.
const BAR: f64 = 1.0;
/// Runs of a round; they get ready at moments that lie evenly in the agent's pause.
const RUNS: u32 = 8;
/// The pause, about.
const PAUSE: Duration = Duration::from_millis(1700);
/// Each takes a quarter of a minute.
const ROUNDS: usize = 3;

pub(super) async fn measure(options: &Options) -> Vec<Line> {
    let app = TestApp::start_polled().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("polled", &agent.cluster_id).await;
    let mut medians = Vec::new();
    for _ in 0..ROUNDS.min(options.rounds) {
        let mut waits = Vec::new();
        for number in 0..RUNS {
            let moment = PAUSE * (2 * number + 1) / (2 * RUNS);
            waits.push(wait(&app, &owner, &agent, &job, moment).await.as_secs_f64());
        }
        medians.push(median(waits));
    }
    app.deliver().await;
    vec![Line::barred("from ready to an agent that asks and is answered at once, p50", "s", medians, BAR)]
}

/// How long a run waits that gets ready so long after the agent began to ask.
async fn wait(app: &TestApp, owner: &Person, agent: &TestAgent, job: &str, moment: Duration) -> Duration {
    let asking = async {
        loop {
            let answer = agent.lease(&[], 1).await.expect(200).json();
            if answer["runs"][0].is_object() {
                return (held(&answer["runs"][0]), Instant::now());
            }
            sleep(Duration::from_millis(answer["askAgainAfterMs"].as_u64().unwrap())).await;
        }
    };
    let making = async {
        sleep(moment).await;
        let _ = owner.run(job).await;
        app.deliver().await;
        Instant::now()
    };
    let ((run, leased_at), ready_at) = tokio::join!(asking, making);
    let end = json!({ "attempt": run["attempt"], "reports": [{ "sequence": 1, "event": "cancel" }] });
    let _ = agent.post(&run, "events", end).await.expect(200);
    leased_at.saturating_duration_since(ready_at)
}
