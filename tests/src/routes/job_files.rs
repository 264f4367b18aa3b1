//! Jobs that a repository holds.

use std::time::Duration;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_testkit::{PASSWORD, Person, TestApp, build};
use serde_json::{Value, json};

async fn applied(person: &Person, file: &Value) -> Value {
    let path = format!("/workloads/jobs/by-key/{}", file["jobKey"].as_str().unwrap());
    let answer = person.put(&path, file.clone()).await;
    let is_new = answer.json()["action"] == "created";
    answer.expect(if is_new { 201 } else { 200 }).json()
}

#[tokio::test]
async fn a_file_makes_a_job_and_changes_what_is_different() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let file = build::job("daily", &cluster, &owner.team_id);
    let file = build::with(file, "/cronExpression", json!("0 2 * * *"));

    let before = app.dump();
    let looked = owner.put("/workloads/jobs/by-key/daily?dryRun=true", file.clone()).await.expect(200).json();
    assert_eq!((&looked["action"], &looked["dryRun"]), (&json!("created"), &json!(true)));
    app.dump().assert_same_as(&before, "a look");
    let created = applied(&owner, &file).await;
    assert_eq!((&created["action"], &created["job"]["version"]), (&json!("created"), &json!(1)));
    let path = format!("/workloads/jobs/{}", created["job"]["id"].as_str().unwrap());
    app.deliver().await;

    let before = app.dump();
    let again = owner.put("/workloads/jobs/by-key/daily", file.clone()).await.expect(200);
    assert_eq!((&again.json()["action"], &again.json()["changes"]), (&json!("unchanged"), &json!([])));
    assert_eq!(again.etag(), owner.get(&path).await.expect(200).etag());
    let exported = owner.get(&format!("{path}/export")).await.expect(200).json();
    assert_eq!(
        applied(&owner, &exported).await["action"],
        "unchanged",
        "what is exported is what is there: {exported}"
    );

    let changed = build::with(file.clone(), "/config/sql/source", json!("SELECT 2"));
    let changed = build::without(changed, "cronExpression");
    let expected = json!([
        { "field": "config.sql.source", "before": "SELECT 1 AS one", "after": "SELECT 2" },
        { "field": "cronExpression", "before": "0 2 * * *" },
    ]);
    let looked = owner.put("/workloads/jobs/by-key/daily?dryRun=true", changed.clone()).await.expect(200).json();
    assert_eq!((&looked["action"], &looked["changes"]), (&json!("published"), &expected));
    app.dump().assert_same_as(&before, "looks, and files that change nothing");
    let published = applied(&owner, &changed).await;
    assert_eq!((&published["changes"], &published["job"]["version"]), (&expected, &json!(2)));
    assert_eq!(owner.get(&path).await.expect(200).json()["included"]["jobs"][0], published["job"]);

    let paused = build::with(changed, "/status", json!("paused"));
    let updated = applied(&owner, &paused).await;
    assert_eq!((&updated["action"], &updated["job"]["version"]), (&json!("updated"), &json!(2)));
    assert_eq!(updated["changes"], json!([{ "field": "status", "before": "active", "after": "paused" }]));
    app.deliver().await;
}

#[tokio::test]
async fn files_share_jobs_with_the_teams_they_name() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let second = owner.post("/org/teams", build::team("second")).await.expect(201).json()["team"]["id"].clone();
    let file = build::job("daily", &cluster, &owner.team_id);
    let _ = applied(&owner, &file).await;
    let both = build::with(file.clone(), "/teamIds", json!([second, owner.team_id]));
    assert_eq!(applied(&owner, &both).await["action"], "updated");
    let turned = build::with(file.clone(), "/teamIds", json!([owner.team_id, second]));
    assert_eq!(applied(&owner, &turned).await["action"], "unchanged", "the order of teams means nothing");
    let absent = build::with(file.clone(), "/teamIds", json!([owner.team_id, "NOSUCHTEAM"]));
    owner.put("/workloads/jobs/by-key/daily", absent).await.assert_names_field("teamIds[1]");
    assert_eq!(applied(&owner, &file).await["action"], "updated");
    app.deliver().await;
}

/// So many jobs to depend on.
async fn upstream(owner: &Person, cluster: &str, count: usize) -> Value {
    let mut keys = Vec::new();
    for number in 0..count {
        let key = format!("upstream-{number}");
        let _ = owner.job(&key, cluster).await;
        keys.push(json!({ "jobKey": key }));
    }
    json!(keys)
}

/// So many catalogs of the owner's team.
async fn catalogs(owner: &Person, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let body = build::catalog(&format!("catalog_{number}"), &owner.team_id);
        ids.push(owner.create("/workloads/catalogs", body).await);
    }
    ids
}

/// Everything that a file can change at once is one transaction, which takes 100 actions.
#[tokio::test]
async fn a_file_changes_as_much_as_one_transaction_takes() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let file = build::job("daily", &cluster, &owner.team_id);
    let file = build::with(file, "/config/sql", json!({ "queryId": owner.query("before").await }));
    let file = build::with(file, "/cronExpression", json!("0 * * * *"));
    let _ = applied(&owner, &file).await;
    // Ticks that are owed when the job is paused.
    app.advance(Duration::from_secs(2 * 3600));
    let owner = Person::sign_in(&app, &owner.email, PASSWORD).await;
    let cluster = owner.cluster("other").await.cluster_id;
    let catalogs = catalogs(&owner, 11).await;
    let engine = json!({ "catalogIds": catalogs[..10], "defaultCatalogId": catalogs[10] });
    let mut teams = vec![owner.team_id.clone()];
    for number in 0..27 {
        let team = owner.post("/org/teams", build::team(&format!("team {number}"))).await.expect(201).json();
        teams.push(team["team"]["id"].as_str().unwrap().to_owned());
    }
    let file = build::with(file, "/config/sql", json!({ "queryId": owner.query("after").await }));
    let file = build::with(file, "/config/lakesail", engine);
    let file = build::with(file, "/clusterId", json!(cluster));
    let file = build::with(file, "/dependsOn", upstream(&owner, &cluster, 50).await);
    let file = build::with(file, "/status", json!("paused"));
    // What is done in an emergency is told to the owners besides.
    let helper = app.member("helper@example.com", &owner.organization_id, &[OrganizationRole::Emergency], &[]).await;
    let too_many = build::with(file.clone(), "/teamIds", json!(teams));
    helper.put("/workloads/jobs/by-key/daily", too_many).await.assert_names_field("teamIds");
    let as_many = build::with(file, "/teamIds", json!(teams[..27]));
    assert_eq!(applied(&helper, &as_many).await["action"], "published");
    app.deliver().await;
}

#[tokio::test]
async fn files_that_cannot_be_applied_are_refused() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let file = build::job("daily", &cluster, &owner.team_id);
    let job = owner.create("/workloads/jobs", file.clone()).await;
    let _ = owner.post(&format!("/workloads/jobs/{job}/draft"), json!({})).await.expect(201);
    let before = app.dump();
    let other = owner.put("/workloads/jobs/by-key/nightly", file.clone()).await.expect(400);
    assert_eq!(other.problem().code, "contradictory_keys");
    for malformed in ["Daily", "-daily", "a%20b", "%00", &"a".repeat(256)] {
        let answer = owner.put(&format!("/workloads/jobs/by-key/{malformed}"), file.clone()).await.expect(400);
        assert_eq!(answer.problem().code, "malformed_key");
    }
    let different = build::with(file.clone(), "/timeoutSeconds", json!(1));
    let drafted = owner.put("/workloads/jobs/by-key/daily", different.clone()).await.expect(409);
    assert_eq!(drafted.problem().code, "draft_exists");
    let stale = owner.call("PUT", "/workloads/jobs/by-key/daily").json(&file).if_match("\"7\"").send().await;
    let _ = stale.expect(412);
    let wrong = build::with(file, "/cronTimezone", json!("Mars/Olympus"));
    owner.put("/workloads/jobs/by-key/daily", wrong).await.assert_names_field("cronTimezone");
    app.dump().assert_same_as(&before, "files that were refused");
    app.deliver().await;
}

#[tokio::test]
async fn any_version_of_a_job_that_is_not_there_is_stale() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let file = build::job("daily", &cluster, &owner.team_id);
    let before = app.dump();
    for tag in ["*", "\"0\"", "\"1\""] {
        let put = owner.call("PUT", "/workloads/jobs/by-key/daily").json(&file).if_match(tag).send().await;
        let _ = put.expect(412);
    }
    app.dump().assert_same_as(&before, "files for versions that are not there");
    let _ = applied(&owner, &file).await;
    let put = owner.call("PUT", "/workloads/jobs/by-key/daily").json(&file).if_match("*").send().await;
    assert_eq!(put.expect(200).json()["action"], "unchanged");
    app.deliver().await;
}

#[tokio::test]
async fn a_look_names_dependencies_that_are_not_there() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let _ = owner.job("upstream", &cluster).await;
    let path = "/workloads/jobs/by-key/daily";
    let known = json!([{ "jobKey": "upstream" }]);
    let unknown = json!([{ "jobKey": "upstream" }, { "jobKey": "nowhere" }]);
    for there in [false, true] {
        let file = build::with(build::job("daily", &cluster, &owner.team_id), "/dependsOn", unknown.clone());
        for query in ["?dryRun=true", ""] {
            owner.put(&format!("{path}{query}"), file.clone()).await.assert_names_field("dependsOn[1].jobKey");
        }
        let file = build::with(file, "/dependsOn", known.clone());
        let _ = owner.put(&format!("{path}?dryRun=true"), file.clone()).await.expect(200);
        if !there {
            let _ = applied(&owner, &file).await;
        }
    }
    app.deliver().await;
}

/// A look refuses what applying would refuse, and where the file names it.
#[tokio::test]
async fn a_look_names_catalogs_and_teams_that_are_not_there() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let path = "/workloads/jobs/by-key/daily";
    let file = build::job("daily", &cluster, &owner.team_id);
    let _ = owner.put(path, file.clone()).await.expect(201);
    let catalogs = build::with(file.clone(), "/config/lakesail", json!({ "catalogIds": ["1M7YAZCV00QD9FWAFAY8"] }));
    let teams = build::with(file, "/teamIds", json!([owner.team_id, "1M7YAZCV00QD9FWAFAY8"]));
    for (file, field) in [(catalogs, "config.lakesail.catalogIds[0]"), (teams, "teamIds[1]")] {
        for query in ["?dryRun=true", ""] {
            owner.put(&format!("{path}{query}"), file.clone()).await.assert_names_field(field);
        }
    }
    app.deliver().await;
}

/// What a look at a file and applying it are refused with, which is the same.
async fn refused(person: &Person, file: &Value, status: u16) -> (String, Vec<String>) {
    let path = format!("/workloads/jobs/by-key/{}", file["jobKey"].as_str().unwrap());
    let mut answers = Vec::new();
    for query in ["?dryRun=true", ""] {
        let problem = person.put(&format!("{path}{query}"), file.clone()).await.expect(status).problem();
        answers.push((problem.code, problem.field_errors.into_keys().collect::<Vec<_>>()));
    }
    assert_eq!(answers[0], answers[1], "a look at {file}, and applying it");
    answers.remove(0)
}

#[tokio::test]
async fn a_look_refuses_a_cluster_that_a_job_cannot_move_to() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let seats = [(owner.team_id.as_str(), TeamRole::Editor)];
    let editor = app.member("editor@example.com", &owner.organization_id, &[OrganizationRole::Member], &seats).await;
    let file = build::job("daily", &cluster, &owner.team_id);
    let _ = applied(&owner, &file).await;
    let silent = owner.create("/workloads/clusters", build::cluster("silent")).await;
    let unshared = owner.cluster("unshared").await.cluster_id;
    let link = format!("/workloads/clusters/{unshared}/teams/{}", owner.team_id);
    let _ = owner.delete(&link).await.expect(204);
    let before = app.dump();
    for (person, cluster) in [(&owner, &silent), (&editor, &unshared)] {
        let moved = build::with(file.clone(), "/clusterId", json!(cluster));
        assert_eq!(refused(person, &moved, 409).await.0, "cluster_not_active");
    }
    app.dump().assert_same_as(&before, "files that were refused");
    app.deliver().await;
}

#[tokio::test]
async fn a_look_refuses_a_saved_query_that_is_gone_or_serves_a_hundred_jobs() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let query = owner.query("daily").await;
    let runs = |key: &str, query: &str| {
        build::with(build::job(key, &cluster, &owner.team_id), "/config/sql", json!({ "queryId": query }))
    };
    let file = runs("daily", &query);
    let _ = applied(&owner, &build::with(file.clone(), "/status", json!("paused"))).await;
    let _ = owner.delete(&format!("/workloads/queries/{query}")).await.expect(204);
    assert_eq!(refused(&owner, &file, 409).await.0, "query_gone");

    let popular = owner.query("popular").await;
    for number in 0..100 {
        let _ = owner.post("/workloads/jobs", runs(&format!("job-{number}"), &popular)).await.expect(201);
    }
    for key in ["daily", "another"] {
        assert_eq!(refused(&owner, &runs(key, &popular), 422).await.1, ["config.sql.queryId"]);
    }
    app.deliver().await;
}
