//! What is around the API: the reference, the control endpoints, stopping and starting, failing and cancelling for real.

use std::time::Duration;

use mainsheet_core::Timestamp;
use nix::sys::signal::Signal;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{Owner, Platform, client, text};

#[tokio::test]
async fn the_reference_is_served_whole_from_here() {
    let platform = Platform::start(&[]).await;
    let fetch = |path: &str| client().get(format!("{}/api/v1/{path}", platform.url())).send();
    let page = fetch("docs").await.unwrap().text().await.unwrap();
    for part in page.split('"').filter(|part| part.starts_with("docs/")) {
        let answer = fetch(part).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{part}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    let document: Value = fetch("openapi.json").await.unwrap().json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}

#[tokio::test]
async fn pages_that_links_lead_to_load_nothing_from_elsewhere() {
    let platform = Platform::start(&[]).await;
    let fetch = |path: String| client().get(format!("{}/{path}", platform.url())).send();
    for name in ["verify-email", "reset-password", "accept-invitation", "signed-in"] {
        let answer = fetch(format!("{name}?token=secret&code=secret")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'none'"), "{policy}");
        assert_eq!((header("referrer-policy").as_str(), header("cache-control").as_str()), ("no-referrer", "no-store"));
        let page = answer.text().await.unwrap();
        assert!(page.contains("<html lang=\"en\">") && page.contains("role=\"status\""), "{page}");
        assert!(!page.contains("://") && !page.contains("style=") && !page.contains("secret"), "{page}");
        let parts: Vec<&str> = page.split('"').filter(|part| part.starts_with("pages/")).collect();
        assert_eq!(parts.len(), 2, "{page}");
        for part in parts {
            let part = fetch(part.to_owned()).await.unwrap();
            assert_eq!(part.status(), StatusCode::OK);
            assert!(!part.text().await.unwrap().contains("://"));
        }
        let fields = page.matches("<input").count();
        assert!(page.matches("<label").count() >= fields, "every field has a label: {page}");
    }
}

#[tokio::test]
async fn data_of_another_layout_is_left_alone() {
    let mut platform = Platform::start(&[]).await;
    platform.stop(Signal::SIGTERM);
    let layout = platform.data_dir().join("layout");
    std::fs::write(&layout, "0").unwrap();
    assert!(platform.refused().contains("another release of Mainsheet"));
    std::fs::remove_file(&layout).unwrap();
    assert!(platform.refused().contains("move that folder away"), "one from before there was such a file");
    std::fs::write(&layout, "2").unwrap();
    platform.start_again().await;
}

#[tokio::test]
async fn a_first_start_that_was_cut_off_begins_anew() {
    let mut platform = Platform::start(&[]).await;
    let _ = Owner::of(&platform).await;
    platform.kill();
    let layout = platform.data_dir().join("layout");
    std::fs::write(&layout, "unfinished").unwrap();
    platform.start_again().await;
    let _ = Owner::of(&platform).await;
    assert_eq!(std::fs::read_to_string(&layout).unwrap(), "2");
}

#[tokio::test]
async fn what_cannot_be_read_of_agents_keeps_nothing_from_starting() {
    let mut platform = Platform::start(&[]).await;
    platform.stop(Signal::SIGTERM);
    let agents = platform.data_dir().join("agents");
    for folder in ["notes", "DAMAGED"] {
        std::fs::create_dir_all(agents.join(folder)).unwrap();
        std::fs::write(agents.join(folder).join("built-in.json"), "{").unwrap();
    }
    std::fs::write(agents.join("AFILE"), "somebody's").unwrap();
    platform.start_again().await;
}

/// What time it is there.
async fn now(platform: &Platform) -> Timestamp {
    let health = client().get(format!("{}/_local/health", platform.url())).send().await.unwrap();
    let health: Value = health.json().await.unwrap();
    text(&health["now"]).parse().unwrap()
}

#[tokio::test]
async fn what_was_written_survives_kill_and_a_moved_clock_stays_moved() {
    let mut platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let start = now(&platform).await;
    // At once, both count.
    let clock = format!("{}/_local/clock", platform.url());
    let advance = async || client().post(&clock).json(&json!({"advanceSeconds": 300})).send().await.unwrap();
    let (one, other) = tokio::join!(advance(), advance());
    assert_eq!([one.status(), other.status()], [StatusCode::OK; 2]);
    let before = owner.get("/org").await;
    platform.kill();
    platform.start_again().await;
    assert_eq!(owner.get("/org").await, before);
    let moved = now(&platform).await.since(start);
    assert!(moved >= Duration::from_secs(600), "{moved:?}");
    let queues: Value =
        client().get(format!("{}/_local/queues", platform.url())).send().await.unwrap().json().await.unwrap();
    assert!(queues["items"].as_array().unwrap().iter().all(|queue| queue["deadLetters"] == 0), "{queues}");
}

#[tokio::test]
async fn it_stops_when_told_to_and_its_data_directory_is_its_own() {
    let mut platform = Platform::start(&[]).await;
    let mut second = std::process::Command::new(env!("CARGO_BIN_EXE_mainsheet"));
    second.env("MAINSHEET_PORT", "0").env("MAINSHEET_DATA_DIR", platform.data_dir());
    let second = second.output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another platform uses"), "{second:?}");
    platform.stop(Signal::SIGTERM);
    platform.start_again().await;
}

/// Where a proxy leads out of a network, nothing of what is on this machine goes by way of it.
#[tokio::test]
async fn a_proxy_that_does_not_answer_keeps_from_nothing_that_is_here() {
    let mut platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let (cluster, _) = owner.cluster(&json!({"name": "laptop"})).await;
    let job = owner.job("answer", &cluster, json!({"sql": {"source": "SELECT 42 AS answer"}})).await;
    // What jobs need is downloaded for the first one.
    assert_eq!(owner.ended(&owner.run(&job).await).await["status"], "succeeded");

    platform.stop(Signal::SIGTERM);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        platform.set(name, "http://127.0.0.1:9");
    }
    for name in ["no_proxy", "NO_PROXY"] {
        platform.set(name, "");
    }
    platform.start_again().await;
    assert_eq!(owner.ended(&owner.run(&job).await).await["status"], "succeeded");
}

#[tokio::test]
async fn failing_sql_ends_with_the_engines_message_and_cancelling_ends_soon() {
    let platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let (cluster, _) = owner.cluster(&json!({"name": "laptop"})).await;
    let broken = json!({"sql": {"source": "SELECT * FROM nowhere_to_be_found"}});
    let broken = owner.run(&owner.job("broken", &cluster, broken).await).await;
    let sleeping = json!({"python": {"source": "import time\nprint('asleep', flush=True)\ntime.sleep(600)\n"}});
    let sleeping = owner.run(&owner.job("sleeping", &cluster, sleeping).await).await;

    let broken = (owner.ended(&broken).await, owner.get(&format!("{broken}/logs")).await);
    assert_eq!(broken.0["status"], "failed");
    assert!(text(&broken.0["statusMessage"]).contains("nowhere_to_be_found"), "{}", broken.0);
    assert!(!broken.1["items"].as_array().unwrap().is_empty());

    owner.reached(&sleeping, |status| status == "running").await;
    let asked = Instant::now();
    let (status, _) = owner.send(Method::POST, &format!("{sleeping}/cancel"), None).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert_eq!(owner.ended(&sleeping).await["status"], "cancelled");
    // The contract's 30 seconds are the test clock's elsewhere; this machine may be slow.
    assert!(asked.elapsed() < Duration::from_secs(60), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_saved_query_is_read_when_its_run_starts_and_a_run_stops_at_its_limit() {
    let platform = Platform::start(&[]).await;
    let owner = Owner::of(&platform).await;
    let (cluster, _) = owner.cluster(&json!({"name": "laptop"})).await;
    let team = text(&owner.get("/org/teams").await["items"][0]["team"]["id"]);
    let query = json!({"name": "answer", "queryText": "SELECT 41 AS answer", "teamIds": [team]});
    let query = text(&owner.post("/workloads/queries", &query).await["id"]);
    let job = owner.job("saved", &cluster, json!({"sql": {"queryId": query}})).await;
    let change = json!({"queryText": "SELECT 42 AS answer"});
    owner.send(Method::PATCH, &format!("/workloads/queries/{query}"), Some(&change)).await.unwrap();
    let run = owner.run(&job).await;
    assert_eq!(owner.ended(&run).await["status"], "succeeded");
    assert_eq!(owner.get(&format!("{run}/results")).await["rows"], json!([[42]]));

    let slow = json!({"python": {"source": "import time\ntime.sleep(600)\n"}});
    let slow = json!({"jobKey": "slow", "clusterId": cluster, "teamIds": [team], "config": slow, "timeoutSeconds": 6});
    let job = text(&owner.post("/workloads/jobs", &slow).await["id"]);
    let run = owner.run(&job).await;
    assert_eq!(owner.ended(&run).await["status"], "timeout");
}
