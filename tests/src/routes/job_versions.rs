//! Versions of jobs and their drafts.

use std::collections::BTreeMap;
use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Answer, Person, TestAgent, TestApp, build};
use serde_json::{Value, json};

/// An organization with a job.
struct Scene {
    app: TestApp,
    owner: Person,
    agent: TestAgent,
    job: String,
}

impl Scene {
    async fn start() -> Self {
        Self::over(TestApp::start().await).await
    }

    async fn over(app: TestApp) -> Self {
        let owner = app.sign_up("owner@example.com").await;
        let agent = owner.cluster("main").await;
        let job = owner.job("daily", &agent.cluster_id).await;
        app.deliver().await;
        Self { app, owner, agent, job }
    }

    fn path(&self, what: &str) -> String {
        format!("/workloads/jobs/{}{what}", self.job)
    }

    async fn publish(&self, change: Value) -> Value {
        self.owner.post(&self.path("/versions"), change).await.expect(201).json()
    }

    async fn draft(&self, change: Value) -> Answer {
        self.owner.post(&self.path("/draft"), change).await.expect(201)
    }

    async fn shown(&self) -> Value {
        self.owner.get(&self.path("")).await.expect(200).json()["included"]["jobs"][0].clone()
    }

    async fn activate(&self, version: u32) -> Answer {
        self.owner.post(&self.path("/activate-version"), json!({ "version": version })).await
    }
}

#[tokio::test]
async fn a_draft_is_changed_and_published() {
    let scene = Scene::start().await;
    let owner = &scene.owner;
    let _ = owner.get(&scene.path("/draft")).await.expect(404);
    let draft = scene.draft(json!({ "timeoutSeconds": 60, "cronExpression": "0 2 * * *" })).await;
    let expected =
        json!({ "version": 2, "basedOnVersion": 1, "status": "draft", "jobType": "sql", "timeoutSeconds": 60 });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&draft.json()[field], value, "{field}");
    }
    assert_eq!(draft.json()["config"], scene.shown().await["config"], "the rest is copied");
    let shown = scene.shown().await;
    assert_eq!(
        (&shown["draftVersion"], &shown["currentVersion"], &shown["timeoutSeconds"]),
        (&json!(2), &json!(1), &json!(86400))
    );
    assert_eq!(owner.post(&scene.path("/draft"), json!({})).await.expect(409).problem().code, "draft_exists");

    let changed = owner.patch(&scene.path("/draft"), json!({ "cronExpression": "" })).await.expect(200);
    assert_eq!((&changed.json()["timeoutSeconds"], changed.json().get("cronExpression")), (&json!(60), None));
    assert_eq!(owner.get(&scene.path("/draft")).await.expect(200).json(), changed.json());
    let _ = owner.get(&scene.path("/versions/2")).await.expect(404);

    let published = owner.act(&scene.path("/draft/publish")).await.expect(200);
    assert_eq!(published.json(), scene.shown().await);
    assert_eq!((&published.json()["version"], &published.json()["basedOnVersion"]), (&json!(2), &json!(1)));
    assert_eq!(published.json()["timeoutSeconds"], 60);
    assert_eq!(published.json().get("draftVersion"), None);
    let none = owner.act(&scene.path("/draft/publish")).await.expect(400);
    assert_eq!(none.problem().code, "no_draft");
    for method in ["GET", "DELETE"] {
        let _ = owner.call(method, &scene.path("/draft")).send().await.expect(404);
    }
    let _ = owner.patch(&scene.path("/draft"), json!({})).await.expect(404);
    scene.app.deliver().await;
}

#[tokio::test]
async fn a_draft_changes_the_description_only_if_it_was_given_one() {
    let scene = Scene::start().await;
    let owner = &scene.owner;
    let describe = async |text: &str| {
        let _ = owner.patch(&scene.path(""), json!({ "description": text })).await.expect(200);
    };
    let publish = async || owner.act(&scene.path("/draft/publish")).await.expect(200).json()["description"].clone();
    describe("before").await;
    let draft = scene.draft(json!({ "timeoutSeconds": 60 })).await;
    assert_eq!(draft.json()["description"], "before");
    describe("meanwhile").await;
    assert_eq!(owner.get(&scene.path("/draft")).await.expect(200).json()["description"], "meanwhile");
    let _ = owner.patch(&scene.path("/draft"), json!({ "timeoutSeconds": 61 })).await.expect(200);
    assert_eq!(publish().await, "meanwhile");
    let version = owner.get(&scene.path("/versions?limit=1&page=2")).await.expect(200).json()["items"][0].clone();
    assert_eq!((&version["version"], &version["description"]), (&json!(2), &json!("meanwhile")));

    let _ = scene.draft(json!({ "description": "drafted" })).await;
    describe("later").await;
    let _ = owner.patch(&scene.path("/draft"), json!({ "timeoutSeconds": 62 })).await.expect(200);
    assert_eq!(publish().await, "drafted");
    assert_eq!(scene.shown().await["description"], "drafted");
    scene.app.deliver().await;
}

#[tokio::test]
async fn a_discarded_draft_leaves_the_job_as_it_was() {
    let scene = Scene::start().await;
    let before = scene.shown().await;
    let seats = [(scene.owner.team_id.as_str(), TeamRole::Editor)];
    let organization = &scene.owner.organization_id;
    let editor = scene.app.member("editor@example.com", organization, &[OrganizationRole::Member], &seats).await;
    scene.app.advance(Duration::from_secs(1));
    let _ = scene.draft(json!({ "timeoutSeconds": 60 })).await;
    let _ = editor.delete(&scene.path("/draft")).await.expect(204);
    assert_eq!(scene.shown().await, before, "when it changed, and by whom, too");
    assert_eq!(scene.publish(json!({})).await["version"], 2, "versions are numbered without gaps");
    scene.app.deliver().await;
}

#[tokio::test]
async fn published_versions_stay_and_can_come_into_force_again() {
    let scene = Scene::start().await;
    let owner = &scene.owner;
    let second = scene.publish(json!({ "timeoutSeconds": 60, "description": "faster" })).await;
    assert_eq!(
        (&second["version"], &second["basedOnVersion"], &second["status"]),
        (&json!(2), &json!(1), &json!("published"))
    );
    let first = scene.activate(1).await.expect(200).json();
    let expected = json!({ "version": 1, "currentVersion": 1, "timeoutSeconds": 86400, "description": "faster" });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&first[field], value, "{field}");
    }
    let third = scene.publish(json!({})).await;
    assert_eq!((&third["version"], &third["basedOnVersion"]), (&json!(3), &json!(1)));

    let listed = owner.get(&scene.path("/versions")).await.expect(200).json();
    assert_eq!(listed["total"], 3);
    assert_eq!(listed["items"][1], second, "a published version does not change");
    let page = owner.get(&scene.path("/versions?limit=1&page=2")).await.expect(200).json();
    assert_eq!(page["items"], json!([second]));
    let shown = owner.get(&scene.path("/versions/2")).await.expect(200).json();
    let shown = &shown["included"]["jobs"][0];
    assert_eq!(
        (&shown["version"], &shown["currentVersion"], &shown["timeoutSeconds"]),
        (&json!(2), &json!(3), &json!(60))
    );

    for absent in ["/versions/0", "/versions/4"] {
        let _ = owner.get(&scene.path(absent)).await.expect(404);
    }
    for malformed in ["/versions/one", "/versions/-1", "/versions/99999999999"] {
        let _ = owner.get(&scene.path(malformed)).await.expect(400);
    }
    let _ = scene.activate(4).await.expect(404);
    scene.activate(0).await.assert_names_field("version");
    let _ = scene.draft(json!({})).await;
    for refused in [scene.activate(2).await, owner.post(&scene.path("/versions"), json!({})).await] {
        assert_eq!(refused.expect(409).problem().code, "draft_exists");
    }
    scene.app.deliver().await;
}

#[tokio::test]
async fn what_a_version_says_is_checked_before_it_is_kept() {
    let scene = Scene::start().await;
    let _ = scene.draft(json!({})).await;
    let before = scene.app.dump();
    let cases = [
        (json!({ "clusterId": "NOSUCHCLUSTER" }), "clusterId"),
        (json!({ "config": {} }), "config"),
        (json!({ "config": { "sql": { "queryId": "A1" } } }), "config.sql.queryId"),
        (json!({ "dependsOn": [{ "jobKey": "daily" }] }), "dependsOn[0].jobKey"),
        (json!({ "dependsOn": [{ "jobKey": "absent" }] }), "dependsOn[0].jobKey"),
        (json!({ "cronExpression": "61 * * * *" }), "cronExpression"),
        (json!({ "cronTimezone": "Mars/Olympus" }), "cronTimezone"),
        (json!({ "description": "a\u{7}" }), "description"),
        (json!({ "timeoutSecond": 1 }), "timeoutSecond"),
    ];
    for (change, field) in cases {
        scene.owner.patch(&scene.path("/draft"), change).await.assert_names_field(field);
    }
    scene.app.dump().assert_same_as(&before, "changes that were refused");
    scene.app.deliver().await;
}

#[tokio::test]
async fn runs_keep_their_version() {
    let scene = Scene::start().await;
    let other = scene.owner.cluster("other").await;
    let change = json!({
        "clusterId": other.cluster_id, "timeoutSeconds": 60,
        "config": { "sql": { "source": "SELECT 2" }, "lakesail": { "maxRetries": 2 } },
    });
    let old = scene.owner.create(&scene.path("/runs"), json!({ "hold": true })).await;
    let _ = scene.publish(change).await;
    let pinned = scene.owner.post(&scene.path("/runs"), json!({ "jobVersion": 1 })).await.expect(201).text("id");
    let _ = scene.owner.act(&scene.path(&format!("/runs/{old}/ready"))).await.expect(200);
    let new = scene.owner.run(&scene.job).await;
    scene.app.deliver().await;
    let leased = scene.agent.lease(&[], 5).await.expect(200).json();
    let runs: BTreeMap<&str, &Value> =
        leased["runs"].as_array().unwrap().iter().map(|run| (run["jobRunId"].as_str().unwrap(), run)).collect();
    assert_eq!(runs.len(), 2, "both run where version 1 runs: {leased}");
    for run in [&old, &pinned] {
        assert_eq!(runs[run.as_str()]["source"], json!({ "sql": { "text": "SELECT 1 AS one" } }));
        assert_eq!(scene.owner.run_state(&scene.job, run).await.json()["jobVersion"], 1);
    }
    let elsewhere = other.lease(&[], 5).await.expect(200).json();
    assert_eq!(elsewhere["runs"][0]["jobRunId"], new);
    let unknown = scene.owner.post(&scene.path("/runs"), json!({ "jobVersion": 3 })).await;
    unknown.assert_names_field("jobVersion");
    scene.app.deliver().await;
}

#[tokio::test]
async fn queries_know_the_jobs_whose_version_in_force_runs_them() {
    let scene = Scene::start().await;
    let owner = &scene.owner;
    let (first, second) = (owner.query("first").await, owner.query("second").await);
    let runs = |query: &str| json!({ "config": { "sql": { "queryId": query } } });
    let jobs_of = async |query: &str| {
        owner.get(&format!("/workloads/queries/{query}")).await.expect(200).json()["item"]["jobIds"].clone()
    };
    let _ = scene.publish(runs(&first)).await;
    let _ = scene.publish(runs(&second)).await;
    assert_eq!((jobs_of(&first).await, jobs_of(&second).await), (json!([]), json!([scene.job])));
    let _ = scene.activate(2).await.expect(200);
    assert_eq!((jobs_of(&first).await, jobs_of(&second).await), (json!([scene.job]), json!([])));

    let path = format!("/workloads/queries/{first}");
    assert_eq!(owner.delete(&path).await.expect(409).problem().code, "query_in_use");
    let _ = owner.patch(&scene.path(""), json!({ "status": "paused" })).await.expect(200);
    let _ = owner.delete(&path).await.expect(204);
    let resumed = owner.patch(&scene.path(""), json!({ "status": "active" })).await.expect(409);
    assert_eq!(resumed.problem().code, "query_gone");
    let _ = scene.activate(3).await.expect(200);
    assert_eq!(scene.activate(2).await.expect(409).problem().code, "query_gone");
    let _ = owner.patch(&scene.path(""), json!({ "status": "active" })).await.expect(200);
    scene.app.deliver().await;
}

/// Neither request has a body that could name the query.
#[tokio::test]
async fn a_query_that_comes_into_force_is_there_and_seen_by_whoever_brings_it() {
    let scene = Scene::start().await;
    let owner = &scene.owner;
    let runs = |query: &str| json!({ "config": { "sql": { "queryId": query } } });
    let publish = scene.path("/draft/publish");
    let gone = owner.query("gone").await;
    let _ = scene.draft(runs(&gone)).await;
    let _ = owner.delete(&format!("/workloads/queries/{gone}")).await.expect(204);
    let before = scene.app.dump();
    assert_eq!(owner.act(&publish).await.expect(409).problem().code, "query_gone");
    scene.app.dump().assert_same_as(&before, "a draft whose query is gone");

    let second = owner.post("/org/teams", build::team("second")).await.expect(201).json();
    let theirs = build::query("theirs", second["team"]["id"].as_str().unwrap());
    let theirs = owner.create("/workloads/queries", theirs).await;
    let seats = [(owner.team_id.as_str(), TeamRole::Editor)];
    let roles = [OrganizationRole::Member];
    let editor = scene.app.member("editor@example.com", &owner.organization_id, &roles, &seats).await;
    let _ = owner.patch(&scene.path("/draft"), runs(&theirs)).await.expect(200);
    assert_eq!(editor.act(&publish).await.expect(409).problem().code, "query_gone");
    let _ = owner.act(&publish).await.expect(200);
    let _ = scene.publish(json!({ "config": { "sql": { "source": "SELECT 2" } } })).await;
    let activated = editor.post(&scene.path("/activate-version"), json!({ "version": 2 })).await.expect(409);
    assert_eq!(activated.problem().code, "query_gone");
    let _ = scene.activate(2).await.expect(200);
    scene.app.deliver().await;
}

/// How often each status and code was answered.
fn tally(answers: Vec<Answer>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        let status = answer.status.as_u16();
        let what = if status < 400 { status.to_string() } else { format!("{status} {}", answer.problem().code) };
        *tally.entry(what).or_default() += 1;
    }
    tally
}

/// Sends a hundred requests at once.
async fn storm(send: impl AsyncFn(usize) -> Answer) -> BTreeMap<String, usize> {
    tally(futures::future::join_all((0..100).map(|index| send(index))).await)
}

#[tokio::test]
async fn of_a_hundred_publishes_at_once_one_wins() {
    let scene = Scene::over(TestApp::start_patient().await).await;
    let _ = scene.draft(json!({ "timeoutSeconds": 60 })).await;
    let path = scene.path("/draft/publish");
    let tally = storm(async |_| scene.owner.act(&path).await).await;
    assert_eq!(tally.get("200"), Some(&1), "{tally:?}");
    let known = ["200", "400 no_draft", "409 changed_meanwhile"];
    assert!(tally.keys().all(|what| known.contains(&what.as_str())), "{tally:?}");
    assert_eq!(scene.owner.get(&scene.path("/versions")).await.expect(200).json()["total"], 2);

    let path = scene.path("/versions");
    let etag = scene.owner.get(&scene.path("")).await.expect(200).etag();
    let tally = storm(async |index| scene.owner.post(&path, json!({ "timeoutSeconds": index })).await).await;
    let won = tally["201"];
    assert_eq!(won + tally.get("409 changed_meanwhile").unwrap_or(&0), 100, "{tally:?}");
    let versions = scene.owner.get(&path).await.expect(200).json();
    let shown = versions["items"].as_array().unwrap().len();
    assert_eq!((versions["total"].as_u64(), shown), (Some(2 + won as u64), (2 + won).min(100)));
    assert_ne!(scene.owner.get(&scene.path("")).await.expect(200).etag(), etag);
    scene.app.deliver().await;
}

#[tokio::test]
async fn of_a_hundred_activations_of_one_state_one_wins() {
    let scene = Scene::over(TestApp::start_patient().await).await;
    for seconds in 1..4 {
        let _ = scene.publish(json!({ "timeoutSeconds": seconds })).await;
    }
    let etag = scene.owner.get(&scene.path("")).await.expect(200).etag();
    let path = scene.path("/activate-version");
    let activate = async |index: usize| {
        let body = json!({ "version": index % 3 + 1 });
        scene.owner.call("POST", &path).json(&body).if_match(&etag).send().await
    };
    let tally = storm(activate).await;
    assert_eq!(tally.get("200"), Some(&1), "{tally:?}");
    let known = ["200", "409 changed_meanwhile", "412 stale_version"];
    assert!(tally.keys().all(|what| known.contains(&what.as_str())), "{tally:?}");
    scene.app.deliver().await;
}

#[tokio::test]
async fn publishing_twice_under_one_key_publishes_once() {
    let scene = Scene::start().await;
    let send = || {
        let call = scene.owner.call("POST", &scene.path("/versions")).json(&json!({ "timeoutSeconds": 5 }));
        call.idempotent("nightly").send()
    };
    let first = send().await.expect(201).json();
    assert_eq!(send().await.expect(201).json(), first);
    assert_eq!(scene.owner.get(&scene.path("/versions")).await.expect(200).json()["total"], 2);
    let moved = build::with(json!({}), "/timeoutSeconds", json!(6));
    let reused = scene.owner.call("POST", &scene.path("/versions")).json(&moved).idempotent("nightly").send().await;
    assert_eq!(reused.expect(422).problem().code, "idempotency_key_reused");
    scene.app.deliver().await;
}
