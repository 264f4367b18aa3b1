//! Bodies that are not what they should be, sent to every operation that takes one.

use mainsheet_testkit::{Answer, build};
use serde_json::{Value, json};

use crate::gates::document::operations;
use crate::operations::{Request, right};
use crate::world::World;

/// The largest body.
const LIMIT: usize = 1024 * 1024;

pub(super) fn with_bodies(world: &World) -> Vec<(String, Request)> {
    let all = operations(&world.app).into_iter().filter(|operation| operation.takes_body);
    let found: Vec<_> = all.map(|operation| (operation.id.clone(), right(&operation.id, world).unwrap())).collect();
    assert!(found.len() > 10 && found.iter().all(|(_, request)| request.body.is_some()));
    found
}

/// Sends a request with another body.
pub(super) async fn send(world: &World, request: &Request, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let call = request.call(&request.client(world)).without_body();
    call.raw(content_type, body.into()).send().await
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let world = World::start().await;
    let deep = "[".repeat(100_000);
    let deep_object = "{\"a\":".repeat(100_000);
    let texts: [&[u8]; 9] =
        [b"", b"{", b"{\"a\":", b"{]", b"nonsense", b"{} {}", b"\xff\xfe", deep.as_bytes(), deep_object.as_bytes()];
    let before = world.app.dump();
    for (id, request) in with_bodies(&world) {
        for text in texts {
            let answer = send(&world, &request, "application/json", text).await;
            assert_eq!(
                answer.status.as_u16(),
                400,
                "{id}, {:?}: {answer}",
                String::from_utf8_lossy(&text[..text.len().min(40)])
            );
            assert_eq!(answer.problem().code, "malformed_json");
        }
        let trailing = format!("{} x", request.body.as_ref().unwrap());
        let _ = send(&world, &request, "application/json", trailing).await.expect(400);
    }
    world.app.dump().assert_same_as(&before, "bodies that are not JSON");
}

#[tokio::test]
async fn deep_nesting_inside_a_right_body_is_refused() {
    let world = World::start().await;
    let before = world.app.dump();
    for (id, request) in with_bodies(&world) {
        let body = request.body.as_ref().unwrap().to_string();
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let body = format!("{},\"surprise\":{deep}}}", body.strip_suffix('}').unwrap()).replacen("{,", "{", 1);
        let answer = send(&world, &request, "application/json", body).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{id}: {answer}");
    }
    world.app.dump().assert_same_as(&before, "deep nesting");
}

#[tokio::test]
async fn bodies_over_a_megabyte_are_refused() {
    let world = World::start().await;
    let before = world.app.dump();
    for (id, request) in with_bodies(&world) {
        let text = request.body.as_ref().unwrap().to_string();
        let padded = |length: usize| format!("{text}{}", " ".repeat(length - text.len()));
        let answer = send(&world, &request, "application/json", padded(LIMIT + 1)).await;
        assert_eq!(answer.status.as_u16(), 413, "{id}: {answer}");
    }
    world.app.dump().assert_same_as(&before, "bodies that are too large");
    let team = build::team("Data").to_string();
    let padded = format!("{team}{}", " ".repeat(LIMIT - team.len()));
    let _ = world.owner.call("POST", "/org/teams").raw("application/json", padded).send().await.expect(201);
}

#[tokio::test]
async fn other_content_types_are_refused() {
    let world = World::start().await;
    let before = world.app.dump();
    for (id, request) in with_bodies(&world) {
        let body = request.body.as_ref().unwrap().to_string();
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "json"] {
            let answer = send(&world, &request, content_type, body.clone()).await;
            assert_eq!(answer.status.as_u16(), 415, "{id}, {content_type}: {answer}");
        }
    }
    world.app.dump().assert_same_as(&before, "bodies of other types");
    let team = build::team("Data").to_string();
    for content_type in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"] {
        let _ = world.owner.call("POST", "/org/teams").raw(content_type, team.clone()).send().await.expect(201);
    }
}

#[tokio::test]
async fn unknown_fields_are_refused_by_name() {
    let world = World::start().await;
    let before = world.app.dump();
    for (_, request) in with_bodies(&world) {
        let mut body = request.body.clone().unwrap();
        body.as_object_mut().unwrap().insert("surprise".to_owned(), json!(1));
        send(&world, &request, "application/json", body.to_string()).await.assert_names_field("surprise");
    }
    world.app.dump().assert_same_as(&before, "bodies with unknown fields");
}

#[tokio::test]
async fn bodies_of_another_shape_are_refused() {
    let world = World::start().await;
    let before = world.app.dump();
    for (id, request) in with_bodies(&world) {
        for body in [json!([]), json!("text"), json!(7), json!(null), json!(true), json!([{}])] {
            let answer = send(&world, &request, "application/json", body.to_string()).await;
            assert_eq!(answer.status.as_u16(), 422, "{id}, {body}: {answer}");
        }
    }
    let fields_in_a_row = json!([null, "Data", null]);
    let answer = world.owner.post("/org/teams", fields_in_a_row).await;
    answer.assert_names_field("body");
    world.app.dump().assert_same_as(&before, "bodies of another shape");
}

#[tokio::test]
async fn fields_of_another_type_are_refused_by_their_path() {
    let world = World::start().await;
    let before = world.app.dump();
    for (_, request) in with_bodies(&world) {
        let body = request.body.clone().unwrap();
        for (pointer, field) in leaves(&body) {
            let value = body.pointer(&pointer).unwrap();
            let mut wrong = body.clone();
            *wrong.pointer_mut(&pointer).unwrap() = if value.is_string() { json!([{}]) } else { json!("text") };
            send(&world, &request, "application/json", wrong.to_string()).await.assert_names_field(&field);
        }
    }
    world.app.dump().assert_same_as(&before, "fields of another type");
}

/// What serde and Rust call things.
const INTERNAL: [&str; 10] =
    ["struct", "enum", "sequence", "map", "u32", "i64", "usize", "invalid type", "invalid value", "variant"];

#[tokio::test]
async fn nothing_of_another_type_is_refused_in_words_of_rust_and_no_list_is_taken_for_an_object() {
    let world = World::start().await;
    let others = [json!(null), json!(-1), json!(0.5), json!(true), json!("a text"), json!(["a", 1]), json!({ "a": 1 })];
    for (id, request) in with_bodies(&world) {
        let body = request.body.clone().unwrap();
        for (pointer, field) in leaves(&body) {
            let of_its_fields =
                body.pointer(&pointer).unwrap().as_object().map(|fields| fields.values().cloned().collect());
            for other in others.iter().chain(&of_its_fields.clone().map(Value::Array)) {
                let mut wrong = body.clone();
                *wrong.pointer_mut(&pointer).unwrap() = other.clone();
                if json!(wrong) == body {
                    continue;
                }
                let answer = send(&world, &request, "application/json", wrong.to_string()).await;
                if answer.status.as_u16() == 422 {
                    for message in answer.problem().field_errors.values() {
                        let words = INTERNAL.iter().find(|word| message.split(' ').any(|said| said == **word));
                        assert_eq!(words, None, "{id} with {pointer} = {other}: {message}");
                    }
                }
                if other.is_array() && of_its_fields.is_some() {
                    answer.assert_names_field(&field);
                }
            }
        }
    }
    world.app.deliver().await;
}

/// Every value inside of a body: its JSON pointer, and its path as `fieldErrors` write it. What a result's rows hold is free.
pub(super) fn leaves(body: &Value) -> Vec<(String, String)> {
    fn walk(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
        if !pointer.is_empty() {
            found.push((pointer.to_owned(), path.to_owned()));
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(value, &format!("{pointer}/{name}"), &path, found);
                }
            }
            Value::Array(items) if !path.ends_with("rows") => {
                for (index, value) in items.iter().enumerate() {
                    walk(value, &format!("{pointer}/{index}"), &format!("{path}[{index}]"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(body, "", "", &mut found);
    found
}

#[tokio::test]
async fn nothing_that_a_body_can_hold_makes_a_request_fail() {
    let world = World::start().await;
    let long = "x".repeat(70_000);
    let values = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.1),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("\u{7f}\u{85}\u{2028}"),
        json!("🚢".repeat(255)),
        json!(long),
        json!([]),
        json!({}),
        json!([null]),
        json!("A1"),
        json!("../../etc"),
        json!("2026-13-45T00:00:00Z"),
        json!("9999-12-31T23:59:59.999Z"),
    ];
    for (id, request) in with_bodies(&world) {
        let body = request.body.clone().unwrap();
        for (pointer, _) in leaves(&body) {
            for value in &values {
                let mut odd = body.clone();
                *odd.pointer_mut(&pointer).unwrap() = value.clone();
                let answer = send(&world, &request, "application/json", odd.to_string()).await;
                let shown: String = value.to_string().chars().take(40).collect();
                assert!(answer.status.as_u16() < 500, "{id} with {pointer} = {shown}: {answer}");
            }
        }
    }
    world.app.deliver().await;
}
