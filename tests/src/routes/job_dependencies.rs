//! Jobs that depend on each other, and never in a circle.

use mainsheet_testkit::{Answer, Person, TestApp, build};
use serde_json::{Value, json};

/// An organization with the jobs `a`, `b` and `c`; `b` depends on `a`, and `c` on `b`.
struct Scene {
    app: TestApp,
    owner: Person,
    cluster: String,
    jobs: [String; 3],
}

fn on(keys: &[&str]) -> Value {
    json!({ "dependsOn": keys.iter().map(|key| json!({ "jobKey": key })).collect::<Vec<_>>() })
}

impl Scene {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let owner = app.sign_up("owner@example.com").await;
        let cluster = owner.cluster("main").await.cluster_id;
        let jobs = [owner.job("a", &cluster).await, owner.job("b", &cluster).await, owner.job("c", &cluster).await];
        let scene = Self { app, owner, cluster, jobs };
        let _ = scene.publish(1, &["a"]).await.expect(201);
        let _ = scene.publish(2, &["b"]).await.expect(201);
        scene
    }

    fn path(&self, job: usize, what: &str) -> String {
        format!("/workloads/jobs/{}{what}", self.jobs[job])
    }

    async fn publish(&self, job: usize, keys: &[&str]) -> Answer {
        self.owner.post(&self.path(job, "/versions"), on(keys)).await
    }

    fn file(&self, key: &str, keys: &[&str]) -> Value {
        let file = build::job(key, &self.cluster, &self.owner.team_id);
        build::with(file, "/dependsOn", on(keys)["dependsOn"].clone())
    }
}

fn circle(answer: &Answer) -> String {
    answer.assert_names_field("dependsOn");
    answer.problem().field_errors["dependsOn"].clone()
}

#[tokio::test]
async fn no_version_that_closes_a_circle_comes_into_force() {
    let scene = Scene::start().await;
    let owner = &scene.owner;
    let _ = owner.post(&scene.path(0, "/draft"), on(&["c"])).await.expect(201);
    let before = scene.app.dump();
    let refused = owner.act(&scene.path(0, "/draft/publish")).await.expect(422);
    assert_eq!(circle(&refused), "closes a circle: a -> c -> b -> a");
    scene.app.dump().assert_same_as(&before, "a draft that closes a circle");
    let _ = owner.delete(&scene.path(0, "/draft")).await.expect(204);

    let before = scene.app.dump();
    assert_eq!(circle(&scene.publish(0, &["b"]).await.expect(422)), "closes a circle: a -> b -> a");
    for dry_run in ["?dryRun=true", ""] {
        let file = scene.file("a", &["b", "c"]);
        let refused = owner.put(&format!("/workloads/jobs/by-key/a{dry_run}"), file).await.expect(422);
        assert_eq!(circle(&refused), "closes a circle: a -> b -> a");
    }
    scene.app.dump().assert_same_as(&before, "versions that close a circle");

    // A version that was right once need not be any more.
    let _ = scene.publish(1, &[]).await.expect(201);
    let _ = scene.publish(0, &["c"]).await.expect(201);
    let refused = owner.post(&scene.path(1, "/activate-version"), json!({ "version": 2 })).await.expect(422);
    assert_eq!(circle(&refused), "closes a circle: b -> a -> c -> b");
    scene.app.deliver().await;
}

#[tokio::test]
async fn no_key_closes_a_circle() {
    let scene = Scene::start().await;
    let owner = &scene.owner;
    // `b` goes on to name a job that is gone, and whoever takes its key.
    let _ = owner.delete(&scene.path(0, "")).await.expect(204);
    scene.app.deliver().await;
    let before = scene.app.dump();
    let refused = owner.post("/workloads/jobs", scene.file("a", &["c"])).await.expect(422);
    assert_eq!(circle(&refused), "closes a circle: a -> c -> b -> a");
    let refused = owner.patch(&scene.path(2, ""), json!({ "jobKey": "a" })).await.expect(422);
    assert_eq!(circle(&refused), "closes a circle: a -> b -> a");
    scene.app.dump().assert_same_as(&before, "keys that close a circle");
    let _ = owner.post("/workloads/jobs", scene.file("a", &[])).await.expect(201);
    scene.app.deliver().await;
}

/// A version may have been written while another job had the key that the job has by now.
#[tokio::test]
async fn no_job_comes_to_depend_on_itself_by_its_key() {
    let scene = Scene::start().await;
    let owner = &scene.owner;
    // Version 2 of `b` depends on `a`, and so does the draft; version 3 on nothing.
    let _ = scene.publish(1, &[]).await.expect(201);
    let _ = owner.post(&scene.path(1, "/draft"), on(&["a"])).await.expect(201);
    let _ = owner.delete(&scene.path(0, "")).await.expect(204);
    let _ = owner.patch(&scene.path(1, ""), json!({ "jobKey": "a" })).await.expect(200);
    scene.app.deliver().await;
    let before = scene.app.dump();
    let refused = owner.act(&scene.path(1, "/draft/publish")).await.expect(422);
    assert_eq!(circle(&refused), "closes a circle: a -> a");
    scene.app.dump().assert_same_as(&before, "a draft that depends on its own job");
    let _ = owner.delete(&scene.path(1, "/draft")).await.expect(204);
    let before = scene.app.dump();
    let refused = owner.post(&scene.path(1, "/activate-version"), json!({ "version": 2 })).await.expect(422);
    assert_eq!(circle(&refused), "closes a circle: a -> a");
    scene.app.dump().assert_same_as(&before, "a version that depends on its own job");
    scene.app.deliver().await;
}

#[tokio::test]
async fn a_chain_has_an_end() {
    let scene = Scene::start().await;
    let mut last = "c".to_owned();
    for link in 3..25 {
        let key = format!("job-{link}");
        let _ = scene.owner.post("/workloads/jobs", scene.file(&key, &[&last])).await.expect(201);
        last = key;
    }
    let _ = scene.owner.post("/workloads/jobs", scene.file("the-26th", &[&last])).await.expect(201);
    let refused = scene.owner.post("/workloads/jobs", scene.file("the-27th", &["the-26th"])).await.expect(422);
    assert_eq!(circle(&refused), "leads over a chain of more than 25 jobs");
    scene.app.deliver().await;
}

#[tokio::test]
async fn of_several_that_would_close_a_circle_together_one_is_left_out() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let keys: Vec<String> = (0..10).map(|index| format!("job-{index}")).collect();
    let mut paths = Vec::new();
    for key in &keys {
        paths.push(format!("/workloads/jobs/{}/versions", owner.job(key, &cluster).await));
    }
    let mut drawn = [false; 10];
    let mut refused = 0;
    while drawn.iter().filter(|drawn| !**drawn).count() > refused {
        let waiting: Vec<usize> = (0..keys.len()).filter(|index| !drawn[*index]).collect();
        let sent = waiting.iter().map(|index| owner.post(&paths[*index], on(&[&keys[(index + 1) % keys.len()]])));
        let answers = futures::future::join_all(sent).await;
        refused = 0;
        for (index, answer) in waiting.into_iter().zip(answers) {
            match answer.status.as_u16() {
                201 => drawn[index] = true,
                422 => refused += usize::from(circle(&answer).starts_with("closes a circle: ")),
                _ => assert_eq!(answer.expect(409).problem().code, "dependencies_changed"),
            }
        }
    }
    assert_eq!((drawn.iter().filter(|drawn| **drawn).count(), refused), (9, 1));
    app.deliver().await;
}

#[tokio::test]
async fn changes_that_draw_no_line_do_not_get_in_each_others_way() {
    let scene = Scene::start().await;
    let settings = json!({ "timeoutSeconds": 5 });
    let (paths, owner) = ([scene.path(2, "/versions"), scene.path(0, "/versions")], &scene.owner);
    let changes = [owner.post(&paths[0], settings.clone()), owner.post(&paths[1], settings)];
    let (others, same) = futures::future::join(futures::future::join_all(changes), scene.publish(1, &["a"])).await;
    for answer in others.into_iter().chain([same]) {
        let _ = answer.expect(201);
    }
    scene.app.deliver().await;
}
