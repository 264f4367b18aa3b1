//! What a person reaches through teams, and what teams and clusters have.

use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Person, TestApp, build};
use serde_json::{Value, json};

/// The ids at a path of each item.
fn ids(answer: &Value, field: &str) -> Vec<String> {
    answer["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

async fn team(owner: &Person, name: &str) -> String {
    owner.post("/org/teams", build::team(name)).await.expect(201).json()["team"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn lists_show_what_is_shared_with_ones_teams() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let (red, blue) = (team(&owner, "red").await, team(&owner, "blue").await);
    let mut jobs = Vec::new();
    let mut queries = Vec::new();
    for index in 0..12 {
        let teams = if index % 3 == 0 { json!([red, blue]) } else { json!([blue]) };
        let job = build::job(&format!("job-{:02}", 11 - index), &agent.cluster_id, &owner.team_id);
        jobs.push(owner.create("/workloads/jobs", build::with(job, "/teamIds", teams.clone())).await);
        let query = build::with(build::query(&format!("Query {index}"), &owner.team_id), "/teamIds", teams);
        queries.push(owner.create("/workloads/queries", query).await);
        app.advance(Duration::from_secs(1));
    }
    let seats = [(red.as_str(), TeamRole::Viewer)];
    let ada = app.member("ada@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await;
    let mine: Vec<&String> = jobs.iter().step_by(3).collect();

    let shown = ada.get("/me/jobs?sortBy=createdAt").await.expect(200).json();
    assert_eq!((ids(&shown, "jobId").iter().collect::<Vec<_>>(), &shown["total"]), (mine.clone(), &json!(4)));
    assert_eq!(shown["included"]["teams"].as_array().unwrap().len(), 2, "each team once");
    let by_key = ada.get("/me/jobs?sortBy=jobKey").await.expect(200).json();
    assert_eq!(ids(&by_key, "jobId").iter().rev().collect::<Vec<_>>(), mine);
    let first = ada.get("/me/jobs?sortBy=createdAt&limit=3").await.expect(200).json();
    let rest = format!("/me/jobs?sortBy=createdAt&limit=3&marker={}", first["marker"].as_str().unwrap());
    let rest = ada.get(&rest).await.expect(200).json();
    assert_eq!((ids(&rest, "jobId"), rest.get("marker")), (vec![jobs[9].clone()], None));
    let second = ada.get("/me/jobs?sortBy=createdAt&limit=3&page=2").await.expect(200).json();
    assert_eq!((ids(&second, "jobId"), &second["total"]), (vec![jobs[9].clone()], &json!(4)));
    let all = owner.get("/me/jobs?limit=1").await.expect(200).json();
    assert_eq!((all["items"].as_array().unwrap().len(), &all["total"]), (1, &json!(12)));

    let saved = ada.get("/me/queries?sortDirection=desc").await.expect(200).json();
    assert_eq!(ids(&saved, "queryId"), queries.iter().step_by(3).rev().cloned().collect::<Vec<_>>());
    for (what, own) in [("jobs", &jobs), ("queries", &queries)] {
        let path = format!("/workloads/teams/{red}/{what}");
        let of_team = ada.get(&path).await.expect(200).json();
        let field = if what == "jobs" { "jobId" } else { "queryId" };
        assert_eq!(ids(&of_team, field), own.iter().step_by(3).cloned().collect::<Vec<_>>());
        let _ = ada.get(&format!("/workloads/teams/{blue}/{what}")).await.expect(404);
        assert_eq!(owner.get(&format!("{path}?limit=0")).await.expect(200).json()["items"], json!([]));
    }
    let elsewhere = owner.cluster("other").await;
    let of_cluster = |cluster: &str| format!("/workloads/clusters/{cluster}/jobs?limit=100");
    assert_eq!(owner.get(&of_cluster(&agent.cluster_id)).await.expect(200).json()["total"], 12);
    assert_eq!(owner.get(&of_cluster(&elsewhere.cluster_id)).await.expect(200).json()["total"], 0);
    app.deliver().await;
}

#[tokio::test]
async fn jobs_come_in_the_order_of_their_latest_run() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let (one, two) = (owner.job("one", &agent.cluster_id).await, owner.job("two", &agent.cluster_id).await);
    app.advance(Duration::from_secs(1));
    let two_ran = owner.run(&two).await;
    app.advance(Duration::from_secs(1));
    let one_ran = owner.run(&one).await;
    // Changing a job does not change when it ran.
    let _ = owner.patch(&format!("/workloads/jobs/{two}"), json!({ "description": "two" })).await.expect(200);
    let shown = owner.get("/me/jobs").await.expect(200).json();
    assert_eq!(ids(&shown, "jobId"), [two.clone(), one.clone()]);
    assert_eq!(ids(&shown, "latestJobRunId"), [two_ran.clone(), one_ran.clone()]);

    let runs = owner.get("/me/jobs/runs").await.expect(200).json();
    assert_eq!((ids(&runs, "id"), &runs["total"]), (vec![one_ran.clone(), two_ran.clone()], &json!(2)));
    let first = owner.get("/me/jobs/runs?limit=1").await.expect(200).json();
    let rest = format!("/me/jobs/runs?limit=1&marker={}", first["marker"].as_str().unwrap());
    assert_eq!(ids(&owner.get(&rest).await.expect(200).json(), "id"), [two_ran]);
    let outsider = app.member("eve@example.com", &owner.organization_id, &[OrganizationRole::Member], &[]).await;
    for path in ["/me/jobs", "/me/jobs/runs", "/me/queries"] {
        assert_eq!(outsider.get(path).await.expect(200).json()["items"], json!([]), "{path}");
    }
    let _ = owner.delete(&format!("/workloads/jobs/{one}")).await.expect(204);
    app.deliver().await;
    assert!(!ids(&owner.get("/me/jobs/runs").await.expect(200).json(), "id").contains(&one_ran));
}

#[tokio::test]
async fn a_page_of_ones_jobs_is_one_query_and_one_batch_read() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    for index in 0..30 {
        let job = owner.job(&format!("job-{index}"), &agent.cluster_id).await;
        let _ = owner.run(&job).await;
    }
    app.deliver().await;
    for path in ["/me/jobs?limit=10", "/me/jobs/runs?limit=10"] {
        let (answer, round_trips) = app.measure(owner.get(path)).await;
        let _ = answer.expect(200);
        assert_eq!(round_trips.len(), 3, "who asks, one query, one batch read: {round_trips:?}");
        assert_eq!(round_trips.iter().filter(|name| *name == "Query").count(), 1, "{path}: {round_trips:?}");
    }
}

#[tokio::test]
async fn sharing_is_counted_from_its_own_moment() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let things = [
        (format!("/workloads/jobs/{}", owner.job("daily", &agent.cluster_id).await), "jobId"),
        (format!("/workloads/queries/{}", owner.query("daily").await), "queryId"),
    ];
    let second = team(&owner, "second").await;
    app.advance(Duration::from_secs(60));
    for (path, field) in things {
        let teams = format!("{path}/teams");
        let named = json!({ "teamIds": [second, owner.team_id, second] });
        let links = owner.post(&teams, named).await.expect(201).json()["items"].as_array().unwrap().clone();
        let of = |team: &str| links.iter().find(|link| link["teamId"] == team).unwrap();
        assert_eq!(links.len(), 2);
        assert!(path.ends_with(of(&second)[field].as_str().unwrap()));
        assert_eq!(of(&second)["createdAt"], json!(app.now()));
        assert_ne!(of(&owner.team_id)["createdAt"], json!(app.now()));
        let listed = owner.get(&teams).await.expect(200).json();
        assert_eq!((&listed["total"], &listed["items"][1]["team"]["id"]), (&json!(2), &json!(second)));
        owner.post(&teams, json!({ "teamIds": [second, "NOSUCHTEAM"] })).await.assert_names_field("teamIds[1]");
        let _ = owner.delete(&format!("{teams}/{}", owner.team_id)).await.expect(204);
        let _ = owner.delete(&format!("{teams}/{}", owner.team_id)).await.expect(404);
        let last = owner.delete(&format!("{teams}/{second}")).await.expect(409);
        assert_eq!(last.problem().code, "last_team");
    }
    app.deliver().await;
}
