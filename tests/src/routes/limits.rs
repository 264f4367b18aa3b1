//! What API Gateway and Lambda let through, and that what we answer stays below it however large things are.

use std::collections::BTreeSet;
use std::time::Duration;

use mainsheet_testkit::{Answer, Person, TestApp, build};
use rstest::rstest;
use serde_json::{Value, json};

/// The bytes of what a function gets or answers at most.
const PAYLOAD: usize = 6 * 1024 * 1024;

#[tokio::test]
async fn what_is_beyond_the_gateway_is_answered_by_it() {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let posted = async |bytes: usize| {
        let call = owner.client.call("POST", "/org/teams").raw("application/json", " ".repeat(bytes));
        let answer = call.send().await;
        (answer.status.as_u16(), answer.json()["message"].clone())
    };
    let too_large = (413, json!("Request Entity Too Large"));
    assert_eq!(posted(10 * 1024 * 1024 + 1).await, too_large);
    assert_eq!(posted(PAYLOAD).await, too_large, "what a function gets is smaller yet");
    let (status, message) = posted(5 * 1024 * 1024).await;
    assert_eq!(status, 413);
    assert_ne!(message, too_large.1, "the function itself says what it takes");
    let answer = owner.get(&format!("/org/teams?{}", "x".repeat(10_240))).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["message"]), (431, &json!("Request Header Fields Too Large")));
    let answer = owner.client.with("x-long", &"x".repeat(10_240)).get("/me").await;
    assert_eq!(answer.status.as_u16(), 431);
    // An answer that the table's own delay keeps for long is in `shared/embedded/src/gateway.rs`.
}

/// The bytes of an answer's body as a function hands it on: a text within JSON.
fn handed_on(answer: &Answer) -> usize {
    serde_json::to_string(std::str::from_utf8(&answer.body).unwrap()).unwrap().len()
}

/// Goes through a list by its markers, and answers what the pages hold and the bytes of the largest.
async fn walk(owner: &Person, path: &str, id: &str) -> (BTreeSet<String>, usize) {
    let (mut found, mut largest, mut marker) = (BTreeSet::new(), 0, String::new());
    loop {
        let answer = owner.get(&format!("{path}?limit=100{marker}")).await.expect(200);
        largest = largest.max(handed_on(&answer));
        let page = answer.json();
        let items = page["items"].as_array().unwrap();
        assert!(!items.is_empty() || page["marker"].is_null(), "{path}: a page without items that leads on");
        found.extend(items.iter().map(|item| item[id].as_str().unwrap().to_owned()));
        match page["marker"].as_str() {
            Some(next) => marker = format!("&marker={next}"),
            None => return (found, largest),
        }
    }
}

/// The longest configuration of a job that is taken, of letters that grow when they stand in JSON, or of such that do not.
fn config(letter: &str) -> Value {
    let settings = (0..3)
        .map(|number| (format!("setting-{number}"), json!(letter.repeat(if letter == "\"" { 2_000 } else { 4_000 }))));
    let mut config = json!({ "sql": { "source": letter.repeat(if letter == "\"" { 32_000 } else { 65_000 }) } });
    config["lakesail"] = Value::Object(settings.collect());
    config
}

#[rstest]
#[case::letters("x")]
#[case::quotation_marks("\"")]
#[tokio::test]
async fn no_list_outgrows_what_a_function_answers(#[case] letter: &str) {
    let app = TestApp::start().await;
    let owner = app.sign_up("owner@example.com").await;
    let cluster = owner.cluster("main").await.cluster_id;
    let long = build::with(build::query("long", &owner.team_id), "/queryText", json!(letter.repeat(8_191)));
    let mut queries = BTreeSet::new();
    let mut jobs = BTreeSet::new();
    for number in 0..70 {
        app.advance(Duration::from_millis(10));
        let body =
            build::with(build::job(&format!("large-{number}"), &cluster, &owner.team_id), "/config", config(letter));
        jobs.insert(owner.create("/workloads/jobs", body).await);
        queries.insert(owner.create("/workloads/queries", long.clone()).await);
    }
    // A query that a hundred jobs run, each of them as large as one may be.
    let popular = queries.first().unwrap();
    for number in 0..100 {
        let mut config = config(letter);
        config["sql"] = json!({ "queryId": popular });
        let body = build::with(build::job(&format!("popular-{number}"), &cluster, &owner.team_id), "/config", config);
        jobs.insert(owner.create("/workloads/jobs", body).await);
    }
    app.deliver().await;
    for (path, id, all) in [
        ("/workloads/jobs", "jobId", &jobs),
        ("/me/jobs", "jobId", &jobs),
        ("/workloads/queries", "queryId", &queries),
        ("/me/queries", "queryId", &queries),
    ] {
        let (found, largest) = walk(&owner, path, id).await;
        assert_eq!(&found, all, "{path}");
        assert!(largest < PAYLOAD - 64 * 1024, "{path}: {largest}");
    }
    let shown = owner.get(&format!("/workloads/queries/{popular}")).await.expect(200);
    assert!(handed_on(&shown) < PAYLOAD, "{}", handed_on(&shown));
}
