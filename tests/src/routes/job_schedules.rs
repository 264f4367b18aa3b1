//! When jobs are due, as it is shown before it happens.

use mainsheet_testkit::{Person, TestApp, build};
use rstest::rstest;
use serde_json::{Value, json};

/// An organization with a job at half past two in Berlin.
struct Scene {
    app: TestApp,
    owner: Person,
    cluster: String,
    path: String,
}

impl Scene {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let owner = app.sign_up("owner@example.com").await;
        let cluster = owner.cluster("main").await.cluster_id;
        let file = build::job("nightly", &cluster, &owner.team_id);
        let file = build::with(file, "/cronExpression", json!("30 2 * * *"));
        let file = build::with(file, "/cronTimezone", json!("Europe/Berlin"));
        let job = owner.post("/workloads/jobs", file).await.expect(201).text("id");
        app.deliver().await;
        Self { app, owner, cluster, path: format!("/workloads/jobs/{job}") }
    }

    async fn preview(&self, parameters: &str) -> Value {
        self.owner.get(&format!("{}/schedule?{parameters}", self.path)).await.expect(200).json()
    }
}

#[tokio::test]
async fn a_schedule_is_shown_over_a_change_of_the_clock() {
    let scene = Scene::start().await;
    let autumn = scene.preview("from=2026-10-24T12:00:00Z&count=2").await;
    let expected = json!({
        "cronExpression": "30 2 * * *",
        "cronTimezone": "Europe/Berlin",
        "items": [
            { "scheduledAt": "2026-10-25T00:30:00.000Z", "localTime": "2026-10-25T02:30:00+02:00", "clockChange": "overlap" },
            { "scheduledAt": "2026-10-26T01:30:00.000Z", "localTime": "2026-10-26T02:30:00+01:00" },
        ],
    });
    assert_eq!(autumn, expected);
    let spring = scene.preview("from=2026-03-29T00:00:00%2B01:00&count=1").await;
    let expected = json!([{ "scheduledAt": "2026-03-29T01:00:00.000Z", "localTime": "2026-03-29T03:00:00+02:00", "clockChange": "gap" }]);
    assert_eq!(spring["items"], expected);
}

#[tokio::test]
async fn it_begins_now_unless_told_and_has_ten_items_unless_told() {
    let scene = Scene::start().await;
    let shown = scene.preview("").await;
    let items = shown["items"].as_array().unwrap();
    assert_eq!(items.len(), 10);
    let now = scene.app.now().to_string();
    assert!(items[0]["scheduledAt"].as_str().unwrap() >= now.as_str());
    assert_eq!(scene.preview("count=100").await["items"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn another_expression_is_looked_at_before_it_is_saved() {
    let scene = Scene::start().await;
    let shown = scene
        .preview("cronExpression=*/15+*+*+*+*&cronTimezone=Asia/Kathmandu&from=2026-05-01T00:01:00Z&count=1")
        .await;
    assert_eq!((&shown["cronExpression"], &shown["cronTimezone"]), (&json!("*/15 * * * *"), &json!("Asia/Kathmandu")));
    assert_eq!(
        shown["items"],
        json!([{ "scheduledAt": "2026-05-01T00:15:00.000Z", "localTime": "2026-05-01T06:00:00+05:45" }])
    );
    let saved = scene.preview("count=1").await;
    assert_eq!((&saved["cronExpression"], &saved["cronTimezone"]), (&json!("30 2 * * *"), &json!("Europe/Berlin")));
}

#[tokio::test]
async fn why_nothing_is_due_is_told() {
    let scene = Scene::start().await;
    let none = scene.preview("cronExpression=").await;
    assert_eq!(none, json!({ "cronTimezone": "Europe/Berlin", "reason": "no_expression", "items": [] }));
    let manual = scene.owner.job("manual", &scene.cluster).await;
    let shown = scene.owner.get(&format!("/workloads/jobs/{manual}/schedule")).await.expect(200).json();
    assert_eq!(shown, json!({ "cronTimezone": "UTC", "reason": "no_expression", "items": [] }));
    let _ = scene.owner.patch(&scene.path, json!({ "status": "paused" })).await.expect(200);
    let paused = scene.preview("count=1").await;
    assert_eq!((&paused["reason"], paused["items"].as_array().unwrap().len()), (&json!("paused"), 1));
    scene.app.deliver().await;
}

#[rstest]
#[case("count=0", "count")]
#[case("count=101", "count")]
#[case("from=yesterday", "from")]
#[case("cronExpression=0+0+30+2+*", "cronExpression")]
#[case("cronExpression=0+0+0+*+*+*", "cronExpression")]
#[case("cronExpression=@reboot", "cronExpression")]
#[case("cronTimezone=europe/berlin", "cronTimezone")]
#[case("cronExpression=&cronTimezone=Mars/Olympus", "cronTimezone")]
#[tokio::test]
async fn what_cannot_be_shown_names_its_field(#[case] parameters: &str, #[case] field: &str) {
    let scene = Scene::start().await;
    scene.owner.get(&format!("{}/schedule?{parameters}", scene.path)).await.assert_names_field(field);
}

#[tokio::test]
async fn a_schedule_is_shown_to_those_who_see_the_job() {
    let scene = Scene::start().await;
    let stranger = scene.app.sign_up("stranger@example.com").await;
    let _ = stranger.get(&format!("{}/schedule", scene.path)).await.expect(404);
}
