//! Whether a package does the work: what it answers, to whom it refuses it, and what it asks of the table, beside the routers.

use mainsheet_testkit::{Answer, Client, Person};
use serde_json::Value;

use super::Package;
use super::estate::{Estate, LIST, event};
use super::sandbox::Sandbox;
use super::table_front::TableFront;

pub(super) async fn check(package: Package, estate: &Estate, table: &TableFront) {
    let mut sandbox = Sandbox::start(package, table, &[]).await;
    let of = |person: &Person| Some(person.access_token.clone());
    let job = estate.job.as_str();
    // The first one also has what the start reads.
    let _ = sandbox.invoke(event(job, of(&estate.owner).as_deref())).await;
    let forged = estate.owner.access_token.rsplit_once('.').map(|(signed, _)| format!("{signed}.{}", "A".repeat(86)));
    let cases = [
        (job, of(&estate.owner), 200),
        (LIST, of(&estate.owner), 200),
        (job, None, 401),
        (job, forged, 401),
        (job, of(&estate.member), 404),
        (LIST, of(&estate.member), 403),
        (job, of(&estate.stranger), 404),
    ];
    for (path, token, status) in cases {
        let case = format!("{}: {path}, which is {status}", package.name());
        let client = client(estate, token.as_deref());
        let (expected, expected_calls) = estate.app.measure(client.get(path)).await;
        assert_eq!(expected.status.as_u16(), status, "the routers: {case}");
        let _ = estate.app.table().take_operations();
        let answer = sandbox.invoke(event(path, token.as_deref())).await.response();
        assert_eq!(estate.app.table().take_operations(), expected_calls, "{case}: calls of the table");
        compare(&case, &answer, &expected);
        if let Some(marker) = body_of(&answer)["marker"].as_str() {
            // What they seal is opened: it is sealed in the same way.
            let _ = client.get(&format!("/workloads/jobs?marker={marker}")).await.expect(200);
        }
    }
}

fn client(estate: &Estate, token: Option<&str>) -> Client {
    let anonymous = estate.app.anonymous();
    token.map_or_else(|| anonymous.clone(), |token| anonymous.bearer(token))
}

fn body_of(answer: &Value) -> Value {
    assert_ne!(answer["isBase64Encoded"], true);
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

fn compare(case: &str, answer: &Value, expected: &Answer) {
    assert_eq!(answer["statusCode"], expected.status.as_u16(), "{case}: {answer}");
    for name in ["content-type", "etag"] {
        assert_eq!(answer["headers"][name].as_str(), expected.header(name), "{case}: {name}");
    }
    assert!(answer["headers"]["x-request-id"].is_string(), "{case}: x-request-id");
    let (mut body, mut right) = (body_of(answer), expected.json());
    if expected.status.is_success() {
        for body in [&mut body, &mut right] {
            // It says when it was made.
            body.as_object_mut().unwrap().remove("marker");
        }
        assert_eq!(body, right, "{case}");
    } else {
        assert_eq!(body["code"], right["code"], "{case}");
    }
}
