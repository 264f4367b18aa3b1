//! What a person reaches through teams, and what teams and clusters have.

use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{Client, Person, TestApp, build};
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
    // A total that takes too many reads is left out.
    app.table().hold();
    let lists = ["/me/jobs", "/me/queries"].map(str::to_owned);
    let of_team = ["jobs", "queries"].map(|what| format!("/workloads/teams/{red}/{what}"));
    for path in lists.into_iter().chain(of_team) {
        let all = ada.get(&path).await.expect(200).json()["items"].as_array().unwrap().len();
        let none = ada.get(&format!("{path}?limit=0")).await.expect(200).json();
        assert_eq!((&none["items"], &none["total"]), (&json!([]), &json!(all)), "{path}");
    }
    let of_cluster = format!("/workloads/clusters/{}/jobs?limit=0", agent.cluster_id);
    assert_eq!(owner.get(&of_cluster).await.expect(200).json()["total"], 12);
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

/// Queries and batch reads of a request beside the one that says who asks, and how many items its page has.
async fn cost(app: &TestApp, client: &Client, path: &str) -> ([usize; 2], usize) {
    let (answer, round_trips) = app.measure(client.get(path)).await;
    let count = |operation: &str| round_trips.iter().filter(|name| *name == operation).count();
    let reads = [count("Query"), count("BatchGetItem") - 1];
    assert_eq!(reads.iter().sum::<usize>() + 1, round_trips.len(), "{round_trips:?}");
    (reads, answer.expect(200).json()["items"].as_array().unwrap().len())
}

#[tokio::test]
async fn a_page_of_ones_jobs_is_one_query_and_two_batch_reads_of_ten_thousand_jobs_of_a_hundred_teams() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let (mut teams, mut jobs) = (Vec::new(), Vec::new());
    for index in 0..100 {
        let team = team(&owner, &format!("team {index}")).await;
        jobs.push(owner.create("/workloads/jobs", build::job(&format!("job-{index}"), &agent.cluster_id, &team)).await);
        teams.push(team);
    }
    app.deliver().await;
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    app.table().multiply_each(&["job", "listed_job"], &jobs, 100);
    let member = async |email: &str, teams: &[String]| {
        let seats: Vec<(&str, TeamRole)> = teams.iter().map(|team| (team.as_str(), TeamRole::Viewer)).collect();
        let person = app.member(email, &owner.organization_id, &[OrganizationRole::Member], &seats).await;
        person.with("lakesail-organization-id", &owner.organization_id)
    };
    let everywhere = member("everywhere@example.com", &teams).await;
    let somewhere = member("somewhere@example.com", &teams[40..45]).await;
    let in_one = member("in-one@example.com", &teams[70..71]).await;
    for (who, client) in [("owner", &owner.client), ("all", &everywhere), ("five", &somewhere), ("one", &in_one)] {
        let (reads, items) = cost(&app, client, "/me/jobs?limit=20").await;
        assert_eq!((reads, items), ([1, 2], 20), "{who}");
    }
    // Who sees nothing pays a query for each megabyte of the list, and no more.
    let nobody = member("nobody@example.com", &[]).await;
    let (reads, items) = cost(&app, &nobody, "/me/jobs?limit=20").await;
    assert!(reads[0] <= 3 && items == 0, "{reads:?}");
    // The pages of the one team are all of its jobs.
    let (mut seen, mut marker) = (0, String::new());
    loop {
        let page = in_one.get(&format!("/me/jobs?limit=60{marker}")).await.expect(200).json();
        seen += page["items"].as_array().unwrap().len();
        let Some(next) = page["marker"].as_str() else { break };
        marker = format!("&marker={next}");
    }
    assert_eq!(seen, 100);
}

#[tokio::test]
async fn a_job_stands_in_its_list_as_it_is() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    let (red, blue) = (team(&owner, "red").await, team(&owner, "blue").await);
    let job = owner.create("/workloads/jobs", build::job("daily", &agent.cluster_id, &red)).await;
    let _ = owner.create("/workloads/jobs", build::job("hourly", &agent.cluster_id, &red)).await;
    let path = format!("/workloads/jobs/{job}");
    let seats = [(blue.as_str(), TeamRole::Viewer)];
    let ada = app.member("ada@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await;
    let seen = async || ids(&ada.get("/me/jobs").await.expect(200).json(), "jobId");
    assert!(seen().await.is_empty());
    let _ = owner.post(&format!("{path}/teams"), json!({ "teamIds": [blue] })).await.expect(201);
    assert_eq!(seen().await, std::slice::from_ref(&job));
    let _ = owner.patch(&path, json!({ "jobKey": "weekly" })).await.expect(200);
    let by_key = owner.get("/me/jobs?sortBy=jobKey&sortDirection=asc").await.expect(200).json();
    assert_eq!(ids(&by_key, "jobId")[1], job, "`weekly` comes after `hourly`");
    let _ = owner.delete(&format!("{path}/teams/{blue}")).await.expect(204);
    assert!(seen().await.is_empty());
    // A file that changes its version and its teams at once.
    let mut file = owner.get(&format!("{path}/export")).await.expect(200).json();
    file["teamIds"] = json!([blue]);
    file["timeoutSeconds"] = json!(60);
    let _ = owner.put("/workloads/jobs/by-key/weekly", file).await.expect(200);
    assert_eq!(seen().await, std::slice::from_ref(&job));
    let _ = owner.delete(&path).await.expect(204);
    app.deliver().await;
    assert_eq!(app.dump().of_kind("listed_job").count(), 1);
}

#[tokio::test]
async fn a_page_of_ones_runs_is_one_query_and_one_batch_read() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let agent = owner.cluster("main").await;
    for index in 0..30 {
        let job = owner.job(&format!("job-{index}"), &agent.cluster_id).await;
        let _ = owner.run(&job).await;
    }
    app.deliver().await;
    assert_eq!(cost(&app, &owner, "/me/jobs/runs?limit=10").await, ([1, 1], 10));
    assert_eq!(cost(&app, &owner, "/me/jobs?limit=10").await, ([1, 2], 10));
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

/// Deleting a team leaves its id with what was shared with it.
#[tokio::test]
async fn a_team_that_was_deleted_is_no_team_of_anything() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let (gone, left) = (team(&owner, "gone").await, team(&owner, "left").await);
    let file = build::with(build::job("daily", &cluster, &gone), "/teamIds", json!([gone, left]));
    let query = build::with(build::query("daily", &gone), "/teamIds", json!([gone, left]));
    let things = [
        format!("/workloads/jobs/{}", owner.create("/workloads/jobs", file.clone()).await),
        format!("/workloads/queries/{}", owner.create("/workloads/queries", query).await),
    ];
    let _ = owner.create("/workloads/catalogs", build::catalog("lake", &gone)).await;
    let _ = owner.delete(&format!("/org/teams/{gone}")).await.expect(204);
    app.deliver().await;

    let file = build::with(file, "/teamIds", json!([gone]));
    for query in ["?dryRun=true", ""] {
        let refused = owner.put(&format!("/workloads/jobs/by-key/daily{query}"), file.clone()).await.expect(409);
        assert_eq!(refused.problem().code, "last_team");
    }
    for path in things {
        let teams = format!("{path}/teams");
        let listed = owner.get(&teams).await.expect(200).json();
        assert_eq!((&listed["total"], listed["items"].as_array().unwrap().len()), (&json!(1), 1), "{path}");
        assert_eq!(listed["items"][0]["team"]["id"], json!(left));
        assert_eq!(owner.get(&format!("{teams}?limit=0")).await.expect(200).json()["total"], 1);
        let last = owner.delete(&format!("{teams}/{left}")).await.expect(409);
        assert_eq!(last.problem().code, "last_team");
        let _ = owner.delete(&format!("{teams}/{gone}")).await.expect(204);
    }
    for what in ["jobs", "queries", "catalogs"] {
        let _ = owner.get(&format!("/workloads/teams/{gone}/{what}")).await.expect(404);
    }
    app.deliver().await;
}
