//! Jobs.

use std::time::Duration;

use mainsheet_testkit::{TestApp, build};
use serde_json::{Value, json};

use crate::world::{ended_run, leased_run};

#[tokio::test]
async fn a_new_job_has_the_contracts_defaults() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let created = owner.post("/workloads/jobs", build::job("daily", &cluster, &owner.team_id)).await.expect(201);
    let job = created.json();
    let expected = json!({
        "version": 1, "currentVersion": 1, "status": "active", "timeoutSeconds": 86400, "dependsOn": [],
        "concurrencyPolicy": "skip", "maxConcurrentRuns": 1, "missedSchedulePolicy": "latest", "cronTimezone": "UTC",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&job[field], value, "{field}");
    }
    let shown = owner.get(&format!("/workloads/jobs/{}", created.text("id"))).await.expect(200);
    assert_eq!((shown.etag(), &shown.json()["included"]["jobs"][0]), (created.etag(), &job));
    assert_eq!(shown.json()["item"]["teamIds"], json!([owner.team_id]));
    app.deliver().await;
}

#[tokio::test]
async fn what_a_job_runs_is_given_exactly_once() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let with_config = |config: Value| build::with(build::job("daily", &cluster, &owner.team_id), "/config", config);
    let sql = json!({ "source": "SELECT 1" });
    let python = json!({ "source": "print(1)" });
    let cases = [
        (json!({}), "config"),
        (json!({ "sql": sql, "python": python }), "config"),
        (json!({ "sql": {} }), "config.sql"),
        (json!({ "sql": { "source": "SELECT 1", "queryId": "A1" } }), "config.sql"),
        (json!({ "sql": { "queryId": "A1" } }), "config.sql.queryId"),
        (json!({ "python": { "source": "print(1)", "entryPoint": "main" } }), "config.python.entryPoint"),
        (json!({ "sql": sql, "compute": { "worker": { "maxNodes": 0 } } }), "config.compute.worker.maxNodes"),
        (json!({ "sql": sql, "lakesail": { "maxRetries": 11 } }), "config.lakesail.maxRetries"),
    ];
    let before = app.dump();
    for (config, field) in cases {
        owner.post("/workloads/jobs", with_config(config)).await.assert_names_field(field);
    }
    app.dump().assert_same_as(&before, "jobs that were refused");
    let _ = owner.post("/workloads/jobs", with_config(json!({ "python": python }))).await.expect(201);
    app.deliver().await;
}

#[tokio::test]
async fn what_could_only_fail_in_each_run_is_refused_at_once() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let with_config = |config: Value| build::with(build::job("daily", &cluster, &owner.team_id), "/config", config);
    let python = |source: &str| json!({ "python": { "source": source } });
    let engine = |engine: Value| json!({ "python": { "source": "print(1)" }, "lakesail": engine });
    let library = |library: Value| engine(json!({ "libraries": [{ "whl": "file:///a.whl" }, library] }));
    let variable = |length: usize| format!("env.{}", "A".repeat(length));
    let wheel = "https://code.example.com/etl-1.0-py3-none-any.whl?signature=a#b";
    let second = "config.lakesail.libraries[1]";
    let wrong = [
        (python("https://example.com/a.whl"), "config.python.packageName".to_owned()),
        (python(" s3://code/a.whl "), "config.python.entryPoint".to_owned()),
        (json!({ "python": { "source": wheel, "packageName": "etl" } }), "config.python.entryPoint".to_owned()),
        (python("ftp://example.com/a.py"), "config.python.source".to_owned()),
        (json!({ "python": { "source": "x", "parameters": ["a", "b\0"] } }), "config.python.parameters[1]".to_owned()),
        (
            json!({ "python": { "source": "x", "namedParameters": { "day": "\0" } } }),
            "config.python.namedParameters.day".to_owned(),
        ),
        (library(json!({})), second.to_owned()),
        (library(json!({ "whl": "file:///b.whl", "pypi": { "package": "b" } })), second.to_owned()),
        (library(json!({ "whl": "b" })), format!("{second}.whl")),
        (library(json!({ "pypi": { "package": " -r /etc/passwd" } })), format!("{second}.pypi.package")),
        (library(json!({ "requirements": {} })), format!("{second}.requirements")),
        (library(json!({ "requirements": { "source": "b", "uri": "file:///b" } })), format!("{second}.requirements")),
        (library(json!({ "requirements": { "uri": "ftp://b/c" } })), format!("{second}.requirements.uri")),
        (engine(json!({ "env.LD_PRELOAD": "/tmp/x.so" })), "config.lakesail.env.LD_PRELOAD".to_owned()),
        (engine(json!({ "env.A=B": "1" })), "config.lakesail.env.A=B".to_owned()),
        (engine(json!({ "env.A": "\0" })), "config.lakesail.env.A".to_owned()),
        (engine(json!({ variable(250): "1" })), format!("config.lakesail.{}", variable(250))),
        (engine(json!({ "secret.TOKEN": "my-token" })), "config.lakesail.secret.TOKEN".to_owned()),
    ];
    for (config, field) in wrong {
        owner.post("/workloads/jobs", with_config(config)).await.assert_names_field(&field);
    }
    let right = [
        json!({ "python": { "source": wheel, "packageName": "etl", "entryPoint": "run" } }),
        python("# not ftp://example.com/a.whl\nprint('https://example.com/a.whl')"),
        library(json!({ "requirements": { "source": "tabulate==0.9.0" } })),
        library(json!({ "pypi": { "package": "tabulate==0.9.0", "repo": "https://packages.example.com/simple" } })),
        engine(json!({ "env.REGION": "eu", "tier": "gold" })),
        engine(json!({ variable(249): "1" })),
    ];
    for (index, config) in right.into_iter().enumerate() {
        let job = build::with(with_config(config), "/jobKey", json!(format!("job-{index}")));
        let _ = owner.post("/workloads/jobs", job).await.expect(201);
    }
    app.deliver().await;
}

#[tokio::test]
async fn what_a_job_names_has_to_be_there() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let stranger = app.sign_up("stranger@example.com").await;
    let foreign = stranger.cluster("theirs").await.cluster_id;
    let right = build::job("daily", &cluster, &owner.team_id);
    let cases = [
        ("/clusterId", json!("NOSUCHCLUSTER"), "clusterId"),
        ("/clusterId", json!(foreign), "clusterId"),
        ("/teamIds", json!([owner.team_id, "NOSUCHTEAM"]), "teamIds[1]"),
        ("/teamIds", json!([stranger.team_id]), "teamIds[0]"),
        ("/teamIds", json!([]), "teamIds"),
        ("/dependsOn", json!([{ "jobKey": "absent" }]), "dependsOn[0].jobKey"),
        ("/dependsOn", json!([{ "jobKey": "daily" }]), "dependsOn[0].jobKey"),
        ("/cronExpression", json!("61 * * * *"), "cronExpression"),
        ("/cronTimezone", json!("Mars/Olympus"), "cronTimezone"),
        ("/jobKey", json!("Not A Key"), "jobKey"),
        ("/config/compute", json!({ "worker": { "maxNodes": 2 } }), "config.compute.worker"),
        ("/config/compute", json!({ "driver": { "instanceType": "large" } }), "config.compute.driver.instanceType"),
        (
            "/config/compute",
            json!({ "driver": { "ebsConfig": { "volumeType": "GP3" } } }),
            "config.compute.driver.ebsConfig.volumeType",
        ),
    ];
    let before = app.dump();
    for (path, value, field) in cases {
        let answer = owner.post("/workloads/jobs", build::with(right.clone(), path, value)).await;
        answer.assert_names_field(field);
    }
    app.dump().assert_same_as(&before, "jobs that were refused");
    let _ = owner.post("/workloads/jobs", right.clone()).await.expect(201);
    let taken = owner.post("/workloads/jobs", right).await.expect(409);
    assert_eq!(taken.problem().code, "job_key_taken");
    app.deliver().await;
}

#[tokio::test]
async fn machines_have_names_that_nodes_can_be_selected_by() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let on = |machine: &str| {
        let compute = json!({ "driver": { "instanceType": machine } });
        build::with(build::job("daily", &cluster, &owner.team_id), "/config/compute", compute)
    };
    let of = |length: usize| format!("c8g.{}", "x".repeat(length - 4));
    for wrong in ["", ".", "c8g", "c8g.", ".large", "-c8g.large", "c8g.large-", "c8g.Large", "c8g.large.metal", &of(64)]
    {
        owner.post("/workloads/jobs", on(wrong)).await.assert_names_field("config.compute.driver.instanceType");
    }
    for (index, right) in ["c8g.2xlarge", "u-6tb1.metal", "c8g.metal-24xl", "a.b", &of(63)].into_iter().enumerate() {
        let job = build::with(on(right), "/jobKey", json!(format!("job-{index}")));
        let _ = owner.post("/workloads/jobs", job).await.expect(201);
    }
    app.deliver().await;
}

#[tokio::test]
async fn volumes_are_such_as_ec2_makes() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let on = |machine: &str, volume: &Value| {
        let config = json!({
            "python": { "source": "print(1)" },
            "compute": { machine: { "ebsConfig": volume } },
            "lakesail": { "executionMode": "cluster" },
        });
        build::with(build::job("daily", &cluster, &owner.team_id), "/config", config)
    };
    let wrong = [
        (json!({ "volumeType": "io1" }), "iops"),
        (json!({ "volumeType": "io2", "volumeSize": 200 }), "iops"),
        (json!({ "volumeType": "gp2", "throughput": 200 }), "throughput"),
        (json!({ "volumeType": "io2", "iops": 3000, "throughput": 200 }), "throughput"),
        (json!({ "volumeType": "st1", "volumeSize": 124 }), "volumeSize"),
        (json!({ "volumeType": "sc1" }), "volumeSize"),
    ];
    for (volume, field) in &wrong {
        for machine in ["driver", "worker"] {
            let answer = owner.post("/workloads/jobs", on(machine, volume)).await;
            answer.assert_names_field(&format!("config.compute.{machine}.ebsConfig.{field}"));
        }
    }
    let right = [
        json!({}),
        json!({ "throughput": 200, "iops": 4000 }),
        json!({ "volumeType": "io2", "iops": 3000 }),
        json!({ "volumeType": "st1", "volumeSize": 125 }),
        json!({ "volumeType": "gp2", "volumeSize": 1 }),
    ];
    for (index, volume) in right.iter().enumerate() {
        let job = build::with(on("worker", volume), "/jobKey", json!(format!("job-{index}")));
        let _ = owner.post("/workloads/jobs", job).await.expect(201);
    }
    app.deliver().await;
}

#[tokio::test]
async fn work_is_given_to_clusters_that_are_alive_only() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    app.advance(Duration::from_secs(120));
    let refused = owner.post(&format!("/workloads/jobs/{job}/runs"), json!({})).await.expect(409);
    assert_eq!(refused.problem().code, "cluster_not_active");
    let other = build::job("other", &agent.cluster_id, &owner.team_id);
    let _ = owner.post("/workloads/jobs", other).await.expect(409);
    let _ = agent.heartbeat(&[]).await.expect(200);
    let _ = owner.run(&job).await;
    app.deliver().await;
}

#[tokio::test]
async fn a_deleted_job_leaves_nothing_but_the_trail() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    app.deliver().await;
    let before = app.dump();
    let job = owner.job("daily", &agent.cluster_id).await;
    let _ = ended_run(&app, &owner, &agent, &job).await;
    let leased = leased_run(&app, &owner, &agent, &job).await;
    let _ = agent.log(&leased, 0, &["under way"]).await.expect(200);
    let _ = owner.run(&job).await;
    app.deliver().await;

    let path = format!("/workloads/jobs/{job}");
    let _ = owner.delete(&path).await.expect(204);
    let _ = owner.get(&path).await.expect(404);
    app.deliver().await;
    let after = app.dump();
    for kind in ["job", "job_key", "job_version", "job_run", "inbox", "log", "result"] {
        assert_eq!(after.new_of_kind(&before, kind).len(), 0, "{kind} is left: {:?}", after.difference(&before));
    }
    let answer = agent.heartbeat(std::slice::from_ref(&leased)).await.expect(200).json();
    assert_eq!(answer["runs"][0]["order"], "abandon");
    let _ = agent.log(&leased, 1, &["too late"]).await.expect(404);
    let _ = agent.report(&leased, 1, &["sail_requested"]).await.expect(404);
    assert_eq!(owner.get("/workloads/jobs").await.expect(200).json()["total"], 0);
    let _ = owner.job("daily", &agent.cluster_id).await;
}

#[tokio::test]
async fn a_script_with_a_nul_is_refused() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let job = build::job("daily", &cluster, &owner.team_id);
    let job = build::with(job, "/config", json!({ "python": { "source": "print(1)\0" } }));
    owner.post("/workloads/jobs", job).await.assert_names_field("config.python.source");
    app.deliver().await;
}

#[tokio::test]
async fn what_a_deleted_job_leaves_goes_in_pieces_by_itself() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let job = owner.job("daily", &cluster).await;
    for _ in 0..250 {
        let _ = owner.create(&format!("/workloads/jobs/{job}/runs"), json!({ "hold": true })).await;
    }
    app.deliver().await;
    let _ = owner.delete(&format!("/workloads/jobs/{job}")).await.expect(204);
    let before = app.dump();
    app.deliver().await;
    let after = app.dump();
    let of_the_job = |row: &&serde_json::Value| row["pk"].as_str().unwrap().contains(&format!("JOB#{job}"));
    assert_eq!(after.rows.values().filter(of_the_job).count(), 0);
    assert_eq!(after.of_kind("run_of_tenant").count(), 0);
    // 100 runs each time that a message comes, which is twice here; and it asks for the next one once.
    let again = after.new_of_kind(&before, "outbox");
    let again = again.iter().filter(|row| row["data"]["event"]["type"] == "job_deleted").count();
    assert_eq!(again, 1);
}
