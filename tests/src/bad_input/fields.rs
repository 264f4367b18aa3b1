//! Fields that break a rule: the answer names them, and nothing is written.

use mainsheet_testkit::{PASSWORD, Person, TestApp, build};
use serde_json::{Value, json};

use crate::world::World;

/// A text of a path: its JSON pointer in the body and the longest it may be.
struct Text {
    path: &'static str,
    body: Value,
    pointer: &'static str,
    longest: usize,
    /// Whether it is one line that must not be blank, or lines.
    is_line: bool,
}

fn texts(owner: &Person, cluster: &str) -> Vec<Text> {
    let text =
        |path, body: &Value, pointer, longest, is_line| Text { path, body: body.clone(), pointer, longest, is_line };
    let query = build::query("daily", &owner.team_id);
    let job = build::job("daily", cluster, &owner.team_id);
    let sign_up = build::sign_up("new@example.com", PASSWORD, "New");
    vec![
        text("/auth/signup", &sign_up, "/organizationName", 255, true),
        text("/auth/signup", &sign_up, "/givenName", 255, true),
        text("/auth/signup", &sign_up, "/familyName", 255, true),
        text("/org/teams", &build::team("Data"), "/name", 255, true),
        text("/workloads/clusters", &build::cluster("new"), "/name", 255, true),
        text("/workloads/queries", &query, "/name", 255, true),
        text("/workloads/queries", &query, "/catalog_schema", 255, true),
        text("/workloads/queries", &query, "/queryText", 8191, false),
        text("/workloads/queries", &query, "/description", 1023, false),
        text("/workloads/jobs", &job, "/description", 1023, false),
    ]
}

async fn refused(app: &TestApp, owner: &Person, text: &Text, value: &str) {
    let body = build::with(text.body.clone(), text.pointer, json!(value));
    let before = app.dump();
    let answer = owner.post(text.path, body).await;
    answer.assert_names_field(text.pointer.trim_start_matches('/'));
    app.dump().assert_same_as(&before, &format!("{answer}"));
}

#[tokio::test]
async fn texts_have_a_length_and_no_control_characters() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    for text in texts(&owner, &cluster) {
        refused(&app, &owner, &text, &"x".repeat(text.longest + 1)).await;
        refused(&app, &owner, &text, &"🚢".repeat(text.longest + 1)).await;
        for control in ["a\u{0}b", "a\u{1b}[31mb", "a\u{7f}", "a\u{85}b"] {
            refused(&app, &owner, &text, control).await;
        }
        if text.is_line {
            let unseen = [
                "Ac\u{200b}me",
                "\u{feff}Acme",
                "Acme\u{200d}",
                "\u{202e}emcA",
                "\u{2066}Acme",
                "a\u{2028}b",
                "\u{ad}",
            ];
            for blank in ["", " ", "\t", "\u{a0}\u{2003}", "a\nb"].into_iter().chain(unseen) {
                refused(&app, &owner, &text, blank).await;
            }
        }
    }
    app.deliver().await;
}

#[tokio::test]
async fn the_longest_texts_are_taken() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    for (number, text) in (0..).zip(texts(&owner, &cluster)) {
        let longest: String = "🚢".repeat(text.longest);
        let body = build::with(text.body.clone(), text.pointer, json!(longest));
        let body = match text.path {
            "/workloads/jobs" => build::with(body, "/jobKey", json!(format!("job-{number}"))),
            "/auth/signup" => build::with(body, "/email", json!(format!("new-{number}@example.com"))),
            _ => body,
        };
        let _ = owner.post(text.path, body).await.expect(201);
    }
    app.deliver().await;
}

#[tokio::test]
async fn addresses_are_addresses() {
    let app = TestApp::start().await;
    let before = app.dump();
    let long = format!("{}@example.com", "x".repeat(250));
    for email in
        ["", "ada", "ada@", "@example.com", "a b@example.com", "ada@exa\nmple.com", "ada@example.com\u{0}", &long]
    {
        app.anonymous().post("/auth/signup", build::sign_up(email, PASSWORD, "Acme")).await.assert_names_field("email");
        let login = json!({ "email": email, "password": PASSWORD });
        app.anonymous().post("/auth/login", login).await.assert_names_field("email");
    }
    app.dump().assert_same_as(&before, "addresses that are none");
}

#[tokio::test]
async fn what_is_required_is_named_when_it_is_missing() {
    let world = World::start().await;
    let before = world.app.dump();
    let cases = [
        ("/auth/signup", build::sign_up("new@example.com", PASSWORD, "New"), "email organizationName"),
        ("/auth/login", json!({ "email": "a@example.com", "password": "x" }), "email password"),
        ("/org/teams", build::team("Data"), "name"),
        ("/workloads/clusters", build::cluster("new"), "name"),
        ("/workloads/queries", build::query("daily", &world.owner.team_id), "name queryText teamIds"),
        (
            "/workloads/jobs",
            build::job("new", &world.agent.cluster_id, &world.owner.team_id),
            "jobKey clusterId config teamIds",
        ),
    ];
    for (path, body, fields) in cases {
        for field in fields.split(' ') {
            world.owner.post(path, build::without(body.clone(), field)).await.assert_names_field(field);
        }
    }
    world.app.dump().assert_same_as(&before, "bodies with something missing");
}
