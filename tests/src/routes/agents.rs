//! The agent protocol when answers are lost, requests come twice, or in the wrong order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainsheet_testkit::{TestAgent, TestApp, Verdict, build, held, registration};
use serde_json::{Value, json};

use crate::world::leased_run;

const SECRET: &str = "the secret that an agent made for itself, once";

#[tokio::test]
async fn a_registration_can_be_repeated_by_the_same_agent_only() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.post("/workloads/clusters", build::cluster("main")).await.expect(201);
    let token = cluster.text("agentRegistrationToken");
    let register = |secret: &str| {
        let body = registration(&token, secret);
        let anonymous = app.anonymous();
        async move { anonymous.post("/agent/register", body).await }
    };
    let first = register(SECRET).await.expect(200);
    let before = app.dump();
    assert_eq!(register(SECRET).await.expect(200).json(), first.json());
    let _ = register("somebody else's secret").await.expect(401);
    app.advance(Duration::from_secs(24 * 3600));
    assert_eq!(register(SECRET).await.expect(200).json(), first.json(), "the answer may have been lost all the while");
    let _ = register("somebody else's secret").await.expect(401);
    app.dump().assert_same_as(&before, "repeated registrations");
    let agent = app.anonymous().bearer(&format!("msa_{}_{SECRET}", first.text("agentId")));
    let lease = json!({ "holding": [], "capacity": 1 });
    let _ = agent.post("/agent/lease", lease.clone()).await.expect(200);
    let wrong = app.anonymous().bearer(&format!("msa_{}_wrong", first.text("agentId")));
    let _ = wrong.post("/agent/lease", lease).await.expect(401);
    app.deliver().await;
}

#[tokio::test]
async fn no_registration_outlasts_its_cluster() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    for is_repeated in [true, false] {
        let cluster = owner.post("/workloads/clusters", build::cluster("main")).await.expect(201);
        let body = registration(&cluster.text("agentRegistrationToken"), SECRET);
        if is_repeated {
            let _ = app.anonymous().post("/agent/register", body.clone()).await.expect(200);
            let _ = app.anonymous().post("/agent/register", body.clone()).await.expect(200);
        }
        let _ = owner.delete(&format!("/workloads/clusters/{}", cluster.text("id"))).await.expect(204);
        let before = app.dump();
        let _ = app.anonymous().post("/agent/register", body).await.expect(401);
        app.dump().assert_same_as(&before, "a registration for a cluster that was retired");
        assert_eq!(app.dump().of_kind("agent").count(), 0);
        app.deliver().await;
    }
}

#[tokio::test]
async fn no_cluster_is_retired_under_an_agent_that_registers() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.post("/workloads/clusters", build::cluster("main")).await.expect(201);
    let body = registration(&cluster.text("agentRegistrationToken"), SECRET);
    let path = format!("/workloads/clusters/{}", cluster.text("id"));
    let pause = app.hold_call("TransactWriteItems", 0);
    let register = async {
        pause.reached().await;
        let answer = app.anonymous().post("/agent/register", body.clone()).await;
        pause.end();
        answer
    };
    // What the retirement read has no agent: it must not leave one whose cluster is gone.
    let (retired, registered) = tokio::join!(owner.delete(&path), register);
    app.heal();
    let _ = registered.expect(200);
    assert_eq!(retired.expect(409).problem().code, "changed_meanwhile");
    let _ = owner.delete(&path).await.expect(204);
    let _ = app.anonymous().post("/agent/register", body).await.expect(401);
    assert_eq!(app.dump().of_kind("agent").count(), 0);
    app.deliver().await;
}

#[tokio::test]
async fn a_registration_token_is_good_for_a_day() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let token =
        owner.post("/workloads/clusters", build::cluster("main")).await.expect(201).text("agentRegistrationToken");
    app.advance(Duration::from_secs(24 * 3600));
    let _ = app.anonymous().post("/agent/register", registration(&token, SECRET)).await.expect(401);
    let _ = app.anonymous().post("/agent/register", registration("msreg_made-up", SECRET)).await.expect(401);
    app.deliver().await;
}

#[tokio::test]
async fn two_agents_that_register_at_once_are_one_and_a_refusal() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let token =
        owner.post("/workloads/clusters", build::cluster("main")).await.expect(201).text("agentRegistrationToken");
    let anonymous = app.anonymous();
    let register = |secret: &'static str| anonymous.post("/agent/register", registration(&token, secret));
    let (one, other) = tokio::join!(register(SECRET), register("another agent's secret"));
    let successes = [&one, &other].into_iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(successes, 1, "{one}\n{other}");
    assert_eq!(app.dump().of_kind("agent").count(), 1);
    app.deliver().await;
}

#[tokio::test]
async fn a_lease_whose_answer_was_lost_is_handed_out_again() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    let leased = leased_run(&app, &owner, &agent, &job).await;
    let again = agent.lease(&[], 1).await.expect(200).json();
    assert_eq!(held(&again["runs"][0]), leased, "the same attempt");
    let holding = std::slice::from_ref(&leased);
    assert_eq!(agent.lease(holding, 1).await.expect(200).json()["runs"], json!([]));
    assert_eq!(agent.lease(&[], 0).await.expect(200).json()["runs"], json!([]), "no capacity, no work");
    assert_eq!(owner.run_state(&job, leased["jobRunId"].as_str().unwrap()).await.json()["status"], "starting");
}

#[tokio::test]
async fn a_leased_wheel_comes_with_its_entry_point() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let mut job = build::job("daily", &agent.cluster_id, &owner.team_id);
    let wheel = json!({"source": "s3://code/etl-1.0-py3-none-any.whl", "packageName": "etl", "entryPoint": "run"});
    job["config"] = json!({"python": wheel});
    let job = owner.post("/workloads/jobs", job).await.expect(201).text("id");
    let _ = owner.run(&job).await;
    app.deliver().await;
    let leased = agent.lease(&[], 1).await.expect(200).json();
    assert_eq!(
        leased["runs"][0]["source"],
        json!({"python": {
            "source": "s3://code/etl-1.0-py3-none-any.whl", "packageName": "etl", "entryPoint": "run",
            "parameters": [], "namedParameters": {},
        }})
    );
}

#[tokio::test]
async fn a_lease_holds_all_that_a_run_needs_besides_its_code() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let mut job = build::job("daily", &agent.cluster_id, &owner.team_id);
    let library = json!({"pypi": {"package": "tabulate==0.9.0"}});
    let compute = json!({"worker": {"maxNodes": 3, "capacityType": "spot"}});
    job["config"]["compute"] = compute.clone();
    job["config"]["lakesail"] = json!({
        "executionMode": "cluster", "lakesailImageUri": "registry.example/sail:1", "libraries": [library],
        "env.REGION": "eu", "tier": "gold",
    });
    let job = owner.post("/workloads/jobs", job).await.expect(201).text("id");
    let _ = leased_run(&app, &owner, &agent, &job).await;
    let run = agent.lease(&[], 1).await.expect(200).json()["runs"][0].clone();
    assert_eq!(run["environment"], json!({"REGION": "eu"}));
    assert_eq!(run["engine"], json!({"executionMode": "cluster", "tier": "gold"}));
    assert_eq!(run["libraries"], json!([library]));
    assert_eq!((&run["compute"], &run["image"]), (&compute, &json!("registry.example/sail:1")));
}

#[tokio::test]
async fn each_run_is_leased_once_however_many_ask_and_the_oldest_first() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        app.advance(Duration::from_millis(10));
        runs.push(owner.run(&job).await);
        app.deliver().await;
    }
    let first = agent.lease(&[], 1).await.expect(200).json();
    assert_eq!(first["runs"][0]["jobRunId"], runs[0]);
    let holding = [held(&first["runs"][0])];
    let asking = [(); 3].map(|()| agent.lease(&holding, 2));
    let [one, two, three] = asking;
    let (one, two, three) = tokio::join!(one, two, three);
    let mut leased: Vec<(String, u64)> = Vec::new();
    for answer in [one, two, three] {
        for run in answer.expect(200).json()["runs"].as_array().unwrap() {
            leased.push((run["jobRunId"].as_str().unwrap().to_owned(), run["attempt"].as_u64().unwrap()));
        }
    }
    leased.sort();
    leased.dedup();
    assert!(leased.iter().all(|(_, attempt)| *attempt == 1), "no run is leased a second time: {leased:?}");
    let rest: Vec<&String> = leased.iter().map(|(run, _)| run).collect();
    assert!(rest.iter().all(|run| runs[1..].contains(run)));
}

#[tokio::test]
async fn reports_are_taken_in_once_in_order_or_not_at_all() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    let leased = leased_run(&app, &owner, &agent, &job).await;
    let _ = agent.report(&leased, 1, &["sail_requested", "sail_created"]).await.expect(200);
    let before = app.dump();

    let repeated = agent.report(&leased, 1, &["sail_requested", "sail_created"]).await.expect(200).json();
    assert_eq!(repeated, json!({ "order": "continue", "lastReport": 2 }));
    let none = agent.report(&leased, 1, &[]).await;
    assert!(none.status.as_u16() == 200 || none.status.as_u16() == 422, "{none}");
    assert_eq!(agent.report(&leased, 4, &["runner_started"]).await.expect(409).problem().code, "report_gap");
    let jump = agent.report(&leased, 3, &["sail_answered", "succeed"]).await.expect(409);
    assert_eq!(jump.problem().code, "report_out_of_place");
    app.dump().assert_same_as(&before, "reports that say nothing new, or wrong things");

    let overlapping = ["sail_created", "sail_answered", "runner_started"];
    let taken = agent.report(&leased, 2, &overlapping).await.expect(200).json();
    assert_eq!(taken["lastReport"], 4);
    let run = owner.run_state(&job, leased["jobRunId"].as_str().unwrap()).await.json();
    assert_eq!(run["status"], "running");
}

#[tokio::test]
async fn the_same_report_sent_twice_at_once_is_taken_in_once() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    let leased = leased_run(&app, &owner, &agent, &job).await;
    let report = || agent.report(&leased, 1, &["sail_requested"]);
    let before = app.dump();
    let (one, other) = tokio::join!(report(), report());
    assert_eq!(one.expect(200).json(), other.expect(200).json());
    assert_eq!(app.dump().new_of_kind(&before, "audit").len(), 1);
}

#[tokio::test]
async fn an_agent_hears_what_became_of_each_run_it_names() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    let ended = leased_run(&app, &owner, &agent, &job).await;
    agent.succeed(&ended).await;
    let going_on = leased_run(&app, &owner, &agent, &job).await;
    let unknown = json!({ "jobId": job, "jobRunId": "NOSUCHRUN", "attempt": 1 });
    let outdated = json!({ "jobId": job, "jobRunId": going_on["jobRunId"], "attempt": 7 });
    let holding = [ended, going_on, unknown, outdated];
    let answer = agent.heartbeat(&holding).await.expect(200).json();
    let orders: Vec<&str> = answer["runs"].as_array().unwrap().iter().map(order).collect();
    assert_eq!(orders, ["abandon", "continue", "abandon", "abandon"]);
    app.deliver().await;
}

fn order(run: &Value) -> &str {
    run["order"].as_str().unwrap()
}

#[tokio::test]
async fn limits_of_the_protocol_are_kept() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent: TestAgent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    let leased = leased_run(&app, &owner, &agent, &job).await;
    let before = app.dump();
    let line = "x".repeat(8 * 1024 + 1);
    let cases = [
        agent.log(&leased, 0, &["x"; 101]).await,
        agent.log(&leased, 0, &[&line]).await,
        agent.log(&leased, 0, &["y".repeat(8 * 1024).as_str(); 9]).await,
        agent.report(&leased, 1, &["sail_requested"; 21]).await,
        agent.report(&leased, 0, &["sail_requested"]).await,
        agent.lease(&[], 11).await,
        agent.lease(&vec![leased.clone(); 101], 1).await,
        agent.heartbeat(&vec![leased.clone(); 101]).await,
        agent.results(&leased, json!({ "columns": [], "rows": vec![json!([]); 101], "truncated": true })).await,
        agent.results(&leased, json!({ "columns": [{ "name": "one", "type": "int" }], "rows": [[1, 2]], "truncated": false })).await,
        agent.results(&leased, json!({ "columns": [{ "name": "t", "type": "string" }], "rows": [["z".repeat(64 * 1024)]], "truncated": false })).await,
    ];
    for answer in cases {
        let _ = answer.expect(422);
    }
    app.dump().assert_same_as(&before, "messages over a limit");
}

#[tokio::test]
async fn a_run_that_cannot_be_leased_keeps_no_other_from_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    let _ = owner.run(&job).await;
    app.deliver().await;
    app.advance(Duration::from_millis(10));
    let second = owner.run(&job).await;
    app.deliver().await;
    // What is read first of the first run does not answer.
    let reads = AtomicUsize::new(0);
    app.set_rule(Arc::new(move |call| {
        let is_run = call.operation == "BatchGetItem" && reads.fetch_add(1, Ordering::SeqCst) == 0;
        if is_run { Verdict::Deny } else { Verdict::Forward }
    }));
    let leased = agent.lease(&[], 2).await.expect(200).json();
    let runs = leased["runs"].as_array().unwrap();
    assert_eq!(runs.iter().map(|run| &run["jobRunId"]).collect::<Vec<_>>(), [&json!(second)]);
}
