//! A job from a file in a repository, which runs by itself through the night in which the hour repeats.

use std::fs;

use mainsheet_core::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Owner, Platform, client, text};

/// Somebody on the embedded platform, who can move its clock.
struct Scene {
    platform: Platform,
    owner: Owner,
}

impl Scene {
    async fn now(&self) -> Timestamp {
        let health = client().get(format!("{}/_local/health", self.platform.url())).send().await.unwrap();
        text(&health.json::<Value>().await.unwrap()["now"]).parse().unwrap()
    }

    /// Moves the clock to a moment, and signs in again.
    async fn move_to(&mut self, moment: &str) {
        let seconds = moment.parse::<Timestamp>().unwrap().since(self.now().await).as_secs() + 1;
        let clock = format!("{}/_local/clock", self.platform.url());
        let moved = client().post(clock).json(&json!({"advanceSeconds": seconds})).send().await.unwrap();
        assert_eq!(moved.status(), StatusCode::OK);
        self.owner.sign_in().await;
    }

    async fn runs(&self, job: &str) -> Vec<Value> {
        self.owner.get(&format!("/workloads/jobs/{job}/runs")).await["items"].as_array().unwrap().clone()
    }

    async fn ledger(&self, job: &str) -> Vec<Value> {
        self.owner.get(&format!("/workloads/jobs/{job}/ticks")).await["items"].as_array().unwrap().clone()
    }

    async fn apply(&self, file: &Value) -> String {
        let key = text(&file["jobKey"]);
        let path = self.platform.folder().join(format!("{key}.json"));
        fs::write(&path, file.to_string()).unwrap();
        let file: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let (status, applied) =
            self.owner.send(Method::PUT, &format!("/workloads/jobs/by-key/{key}"), Some(&file)).await.unwrap();
        assert_eq!((status, &applied["action"]), (StatusCode::CREATED, &json!("created")), "{applied}");
        text(&applied["job"]["id"])
    }
}

#[tokio::test]
async fn a_job_from_a_file_runs_once_where_the_hour_repeats_and_everything_that_did_not_run_is_explained() {
    let platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let (cluster, _) = owner.cluster(&json!({"name": "laptop"})).await;
    let team = text(&owner.get("/org/teams").await["items"][0]["team"]["id"]);
    let mut scene = Scene { platform, owner };
    let file = |key: &str, sql: &str| {
        json!({
            "jobKey": key, "clusterId": cluster, "teamIds": [team], "config": {"sql": {"source": sql}},
            "cronExpression": "30 2 * * *", "cronTimezone": "Europe/Berlin",
        })
    };
    let job = scene.apply(&file("daily-sales", "SELECT 1 + 1 AS two")).await;
    let mut dependent = file("daily-report", "SELECT 1 AS one");
    dependent["dependsOn"] = json!([{"jobKey": "never-runs"}]);
    let mut upstream = file("never-runs", "SELECT 1 AS one");
    upstream.as_object_mut().unwrap().remove("cronExpression");
    scene.apply(&upstream).await;
    let report = scene.apply(&dependent).await;

    let preview = format!("/workloads/jobs/{job}/schedule?from=2027-10-30T12:00:00Z&count=2");
    let preview = scene.owner.get(&preview).await;
    assert_eq!(
        preview["items"],
        json!([
            {"scheduledAt": "2027-10-31T00:30:00.000Z", "localTime": "2027-10-31T02:30:00+02:00", "clockChange": "overlap"},
            {"scheduledAt": "2027-11-01T01:30:00.000Z", "localTime": "2027-11-01T02:30:00+01:00"},
        ])
    );

    // To the eve of the change. All nights until then were missed, and the newest is made up for.
    scene.move_to("2027-10-30T12:00:00Z").await;
    let run = scene.runs(&job).await.remove(0);
    let path = |run: &Value| format!("/workloads/jobs/{job}/runs/{}", text(&run["id"]));
    let ended = scene.owner.ended(&path(&run)).await;
    assert_eq!((&ended["status"], &ended["trigger"]), (&json!("succeeded"), &json!("schedule")), "{ended}");
    let ledger = scene.ledger(&job).await;
    assert_eq!((ledger.len(), &ledger[0]["reason"]), (2, &json!("caught_up")), "{ledger:?}");
    assert_eq!((&ledger[1]["outcome"], &ledger[1]["reason"]), (&json!("missed"), &json!("overtaken")));
    let shown = scene.owner.get(&format!("/workloads/jobs/{job}")).await;
    assert_eq!(shown["included"]["jobs"][0]["nextRunAt"], "2027-10-31T00:30:00.000Z", "02:30 in summer time");

    // 02:30 for the first time, and for the second.
    scene.move_to("2027-10-31T00:30:00Z").await;
    let run = scene.runs(&job).await.remove(0);
    assert_eq!(run["scheduledAt"], "2027-10-31T00:30:00.000Z");
    assert_eq!(scene.owner.ended(&path(&run)).await["status"], "succeeded");
    scene.move_to("2027-10-31T01:30:00Z").await;
    scene.move_to("2027-10-31T12:00:00Z").await;
    let runs = scene.runs(&job).await;
    assert_eq!((runs.len(), &runs[0]["id"]), (2, &run["id"]), "one run where the hour repeats");
    let ledger = scene.ledger(&job).await;
    assert_eq!((ledger.len(), &ledger[0]["outcome"], &ledger[0]["jobRunId"]), (3, &json!("ran"), &run["id"]));
    assert_eq!(ledger[0]["clockChange"], "overlap", "it says why there is none of the second 02:30");

    // What did not run: the report waits for a job that never ran, and its next ticks for the report.
    let waiting = scene.runs(&report).await.remove(0);
    assert_eq!(waiting["status"], "pending");
    let blockers = format!("/workloads/jobs/{report}/runs/{}/blockers", text(&waiting["id"]));
    let blockers = scene.owner.get(&blockers).await;
    assert_eq!(
        (&blockers["items"][0]["type"], &blockers["items"][0]["jobKey"]),
        (&json!("dependency"), &json!("never-runs"))
    );
    let skipped = &scene.ledger(&report).await[0];
    assert_eq!((&skipped["outcome"], &skipped["reason"]), (&json!("skipped"), &json!("run_not_ended")), "{skipped}");
}
