//! Teams.

use mainsheet_core::role::OrganizationRole;
use mainsheet_testkit::{Person, TestApp, build, infrastructure};
use serde_json::{Value, json};

#[tokio::test]
async fn a_new_team_has_its_creator_in_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let created = owner.post("/org/teams", build::team("Data")).await.expect(201);
    let team = created.json();
    assert_eq!((&team["team"]["name"], &team["memberCount"]), (&json!("Data"), &json!(1)));
    assert_eq!(team["team"]["organizationId"], owner.organization_id);
    let id = team["team"]["id"].as_str().unwrap();
    let shown = owner.get(&format!("/org/teams/{id}")).await.expect(200);
    assert_eq!((shown.json(), shown.etag()), (team, created.etag()));
}

#[tokio::test]
async fn a_team_admin_may_do_in_their_team_what_they_may_not_elsewhere() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let seats = [(owner.team_id.as_str(), mainsheet_core::role::TeamRole::Admin)];
    let organization = &owner.organization_id;
    let admin = app.member("admin@example.com", organization, &[OrganizationRole::Member], &seats).await;
    let other = owner.post("/org/teams", build::team("Other")).await.expect(201).json();
    let other = other["team"]["id"].as_str().unwrap();
    let _ = admin.post("/workloads/queries", build::query("mine", &owner.team_id)).await.expect(201);
    let refused = admin.post("/workloads/queries", build::query("theirs", other)).await.expect(403);
    assert!(refused.problem().message.contains("CanManageQueries"), "{refused}");
    let _ = admin.post("/org/teams", build::team("Mine")).await.expect(403);
}

#[tokio::test]
async fn teams_are_listed_by_name_in_either_direction() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    for name in ["beta", "Alpha", "gamma", "alpha"] {
        let _ = owner.post("/org/teams", build::team(name)).await.expect(201);
    }
    let names = async |query: &str| -> Vec<String> {
        let page = owner.get(&format!("/org/teams?{query}")).await.expect(200).json();
        let name = |item: &Value| item["team"]["name"].as_str().unwrap().to_lowercase();
        assert_eq!(page["total"], 5);
        page["items"].as_array().unwrap().iter().map(name).collect()
    };
    let ascending = names("sortBy=name").await;
    assert_eq!(ascending, ["alpha", "alpha", "beta", "default", "gamma"]);
    let descending = names("sortDirection=desc").await;
    assert!(descending.iter().rev().eq(&ascending));
    let _ = owner.get("/org/teams?sortBy=colour").await.expect(422);
}

/// Whatever takes teams and is there already, by its path.
async fn shared_with_teams(owner: &Person, cluster: &str) -> Vec<String> {
    let catalog = owner.create("/workloads/catalogs", build::catalog("lake", &owner.team_id)).await;
    vec![
        format!("/workloads/jobs/{}", owner.job("daily", cluster).await),
        format!("/workloads/queries/{}", owner.query("daily").await),
        format!("/workloads/catalogs/{catalog}"),
        format!("/workloads/clusters/{cluster}"),
    ]
}

#[tokio::test]
async fn a_team_that_is_not_there_is_named_where_the_request_names_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let connection = app.connection(&owner, "prod").await;
    let network = app.network(&owner, &connection, "prod").await;
    // It comes before all others by its id, and after one that is named twice.
    let teams = json!([owner.team_id, owner.team_id, "00000000000000000001"]);
    let job = build::with(build::job("new", &cluster, &owner.team_id), "/teamIds", teams.clone());
    let mut requests = vec![
        ("PUT", "/workloads/jobs/by-key/new".to_owned(), job.clone()),
        ("PUT", "/workloads/jobs/by-key/daily".to_owned(), build::with(job.clone(), "/jobKey", json!("daily"))),
        ("POST", "/workloads/jobs".to_owned(), job),
    ];
    for (path, body) in [
        ("/workloads/queries".to_owned(), build::query("new", &owner.team_id)),
        ("/workloads/catalogs".to_owned(), build::catalog("new", &owner.team_id)),
        (format!("/infra/connections/{connection}/catalogs"), infrastructure::catalog("new", &network)),
    ] {
        requests.push(("POST", path, build::with(body, "/teamIds", teams.clone())));
    }
    for path in shared_with_teams(&owner, &cluster).await {
        requests.push(("POST", format!("{path}/teams"), json!({ "teamIds": teams })));
    }
    for (method, path, body) in requests {
        let answer = owner.call(method, &path).json(&body).send().await;
        answer.assert_names_field("teamIds[2]");
        assert_eq!(answer.problem().field_errors.len(), 1, "{answer}");
    }
    app.deliver().await;
}
