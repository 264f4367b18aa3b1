//! Logs: whatever is sent again, each line stands in the log once and in order.

use mainsheet_testkit::{Person, TestAgent, TestApp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::world::leased_run;

async fn scene() -> (TestApp, Person, TestAgent, String) {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let job = owner.job("daily", &agent.cluster_id).await;
    app.deliver().await;
    (app, owner, agent, job)
}

/// The whole log, read in pages of `limit` lines.
async fn read(owner: &Person, held: &Value, limit: usize) -> Vec<String> {
    let id = |field: &str| held[field].as_str().unwrap().to_owned();
    let path = format!("/workloads/jobs/{}/runs/{}/logs?limit={limit}", id("jobId"), id("jobRunId"));
    let mut lines = Vec::new();
    let mut marker = String::new();
    loop {
        let page = owner.get(&format!("{path}{marker}")).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        lines.extend(items.iter().map(|line| line["message"].as_str().unwrap().to_owned()));
        match page["marker"].as_str() {
            None => return lines,
            Some(next) => marker = format!("&marker={next}"),
        }
    }
}

/// Batches as an agent with a bad connection sends them: some overlap what came before, some leave a gap.
fn batches() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0usize..30, 0usize..8), 1..12)
}

#[test]
fn every_line_stands_once_and_in_order_whatever_is_sent_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (app, owner, agent, job) = runtime.block_on(scene());
    let texts: Vec<String> = (0..40).map(|number| format!("line {number}")).collect();
    let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
    let outcome = runner.run(&(batches(), 1usize..7), |(batches, limit)| {
        runtime.block_on(async {
            let held = leased_run(&app, &owner, &agent, &job).await;
            let mut taken = 0;
            for (first, count) in batches {
                let lines: Vec<&str> = texts[first..first + count].iter().map(String::as_str).collect();
                let answer = agent.log(&held, first as u64, &lines).await.expect(200).json();
                // Nothing is taken in beyond a gap, and nothing twice.
                if first <= taken {
                    taken = taken.max(first + count);
                }
                assert_eq!(answer["nextLine"], taken as u64);
            }
            assert_eq!(read(&owner, &held, limit).await, texts[..taken]);
            agent.succeed(&held).await;
            app.deliver().await;
        });
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test]
async fn the_same_lines_sent_twice_at_once_stand_once() {
    let (app, owner, agent, job) = scene().await;
    let held = leased_run(&app, &owner, &agent, &job).await;
    let (one, other) = tokio::join!(agent.log(&held, 0, &["a", "b"]), agent.log(&held, 0, &["a", "b"]));
    assert!(one.status.is_success() && other.status.is_success(), "{one}\n{other}");
    assert_eq!(read(&owner, &held, 100).await, ["a", "b"]);
    let _ = agent.log(&held, 2, &["c"]).await.expect(200);
    assert_eq!(read(&owner, &held, 2).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn lines_keep_their_text() {
    let (app, owner, agent, job) = scene().await;
    let held = leased_run(&app, &owner, &agent, &job).await;
    let lines = ["", " leading and trailing ", "tab\tand\u{1b}[31m colour", "日本語 🚢", "\u{0}"];
    let _ = agent.log(&held, 0, &lines).await.expect(200);
    assert_eq!(read(&owner, &held, 100).await, lines);
}

#[tokio::test]
async fn markers_of_logs_that_were_made_up_are_refused() {
    let (app, owner, agent, job) = scene().await;
    let held = leased_run(&app, &owner, &agent, &job).await;
    let _ = agent.log(&held, 0, &["a", "b", "c"]).await.expect(200);
    let id = held["jobRunId"].as_str().unwrap();
    for marker in ["x", "1", "1.x", "-1.", ".", "18446744073709551615.", "99999999999999999999."] {
        let _ = owner.get(&format!("/workloads/jobs/{job}/runs/{id}/logs?limit=2&marker={marker}")).await.expect(400);
    }
}

#[tokio::test]
async fn a_page_of_a_log_is_one_query_however_its_lines_came_and_its_marker_is_good_for_a_day() {
    let (app, owner, agent, job) = scene().await;
    let held = leased_run(&app, &owner, &agent, &job).await;
    for number in 0..30 {
        let _ = agent.log(&held, number, &[&format!("line {number}")]).await.expect(200);
    }
    let path = format!("/workloads/jobs/{job}/runs/{}/logs", held["jobRunId"].as_str().unwrap());
    let (page, round_trips) = app.measure(owner.get(&format!("{path}?limit=25"))).await;
    let page = page.expect(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 25);
    assert_eq!(round_trips.iter().filter(|name| *name == "Query").count(), 1, "{round_trips:?}");
    assert_eq!(read(&owner, &held, 7).await.len(), 30);

    let _ = agent.log(&held, 30, &["a", "b", "c"]).await.expect(200);
    let within = owner.get(&format!("{path}?limit=1")).await.expect(200).json();
    let marker = within["marker"].as_str().unwrap().to_owned();
    app.advance(std::time::Duration::from_secs(24 * 3600 + 1));
    let owner = owner.refreshed().await;
    assert_eq!(owner.get(&format!("{path}?marker={marker}")).await.expect(400).problem().code, "invalid_marker");
}
