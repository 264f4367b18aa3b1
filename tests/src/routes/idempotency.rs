//! `Idempotency-Key`: driven by the document, so that every operation that says it takes one is tried.

use std::collections::HashSet;
use std::time::Duration;

use mainsheet_testkit::{Answer, build};
use serde_json::{Value, json};

use crate::gates::document::{Operation, operations};
use crate::operations::{Request, right};
use crate::world::World;

/// Signing out ends the login that could ask again, and once a password is changed the present one is another.
const NOT_REPEATED: [&str; 2] = ["logout", "changeUserPassword"];
/// What is shown once and never again.
const SHOWN_ONCE: [&str; 4] = ["agentRegistrationToken", "codes", "key", "password"];

fn with_keys(world: &World) -> Vec<(Operation, Request)> {
    let all = operations(&world.app).into_iter();
    let takes_key = |operation: &Operation| operation.parameters.iter().any(|name| name == "Idempotency-Key");
    let found: Vec<_> = all
        .filter(|operation| takes_key(operation) && !NOT_REPEATED.contains(&operation.id.as_str()))
        .map(|operation| (right(&operation.id, world).unwrap(), operation))
        .map(|(request, operation)| (operation, request))
        .collect();
    assert!(found.len() > 5, "the document names the operations that take a key");
    found
}

async fn send(world: &World, request: &Request, key: &str) -> Answer {
    request.call(&request.client(world)).idempotent(key).send().await
}

/// The answer as it can be repeated.
fn repeatable(answer: &Answer) -> Value {
    let mut body = answer.json();
    if let Some(body) = body.as_object_mut() {
        body.retain(|field, _| !SHOWN_ONCE.contains(&field.as_str()));
    }
    body
}

#[tokio::test]
async fn the_same_request_answers_the_same_and_takes_effect_once() {
    let world = World::start().await;
    for (operation, request) in with_keys(&world) {
        let key = format!("key-of-{}", operation.id);
        let first = send(&world, &request, &key).await.expect(operation.success);
        let before = world.app.dump();
        let again = send(&world, &request, &key).await.expect(operation.success);
        assert_eq!((repeatable(&first), first.header("etag")), (repeatable(&again), again.header("etag")));
        world.app.dump().assert_same_as(&before, &format!("repeated {again}"));
    }
    world.app.deliver().await;
}

#[tokio::test]
async fn another_request_with_the_same_key_is_refused() {
    let world = World::start().await;
    for (operation, request) in with_keys(&world) {
        let key = format!("key-of-{}", operation.id);
        let _ = send(&world, &request, &key).await.expect(operation.success);
        let before = world.app.dump();
        let other =
            request.client(&world).call("POST", "/org/teams").json(&json!({ "name": "other" })).idempotent(&key);
        let refused = other.send().await.expect(422);
        assert_eq!(refused.problem().code, "idempotency_key_reused");
        world.app.dump().assert_same_as(&before, &format!("{refused}"));
    }
    world.app.deliver().await;
}

#[tokio::test]
async fn another_body_organization_or_path_makes_another_request() {
    let world = World::start().await;
    let create = |path: &str, name: &str| world.owner.call("POST", path).json(&build::team(name)).idempotent("one-key");
    let first = create("/org/teams", "Data").send().await.expect(201).json();
    let _ = create("/org/teams", "Other").send().await.expect(422);
    let _ = create("/workloads/clusters", "Data").send().await.expect(422);
    let organization = &world.owner.organization_id;
    let _ = create("/org/teams", "Data").header("lakesail-organization-id", organization).send().await.expect(422);
    assert_eq!(create("/org/teams", "Data").send().await.expect(201).json(), first);
    world.app.deliver().await;
}

#[tokio::test]
async fn the_same_request_many_times_at_once_takes_effect_once() {
    let world = World::start().await;
    // Which of the refusals comes first is another question.
    world.app.table().hold();
    for (operation, request) in with_keys(&world) {
        let key = format!("key-of-{}", operation.id);
        let before = world.app.dump();
        let sending = || send(&world, &request, &key);
        let (a, b, c, d) = tokio::join!(sending(), sending(), sending(), sending());
        let mut answered = 0;
        for answer in [&a, &b, &c, &d] {
            match answer.status.as_u16() {
                // It may be told to ask once more, or find the work done by a twin that it did not see when it began.
                400..=499 => {
                    let _ = sending().await.expect(operation.success);
                }
                status => {
                    assert_eq!(status, operation.success, "{answer}");
                    answered += 1;
                }
            }
        }
        assert!(answered > 0);
        let after = world.app.dump();
        // One record, which may stand in the trails of the person and of their organizations.
        let records = after.new_of_kind(&before, "audit");
        let records: HashSet<&Value> = records.into_iter().map(|row| &row["sk"]).collect();
        assert_eq!(records.len(), 1, "{}: {}", operation.id, after.difference(&before).join("\n"));
        let _ = sending().await.expect(operation.success);
    }
    world.app.deliver().await;
}

#[tokio::test]
async fn keys_are_a_persons_own_and_forgotten_after_a_day() {
    let world = World::start().await;
    let create = |person: &mainsheet_testkit::Person| {
        person.call("POST", "/org/teams").json(&json!({ "name": "Data" })).idempotent("one-key").send()
    };
    let first = create(&world.owner).await.expect(201).json();
    let stranger = world.app.sign_up("stranger@example.com").await;
    let theirs = create(&stranger).await.expect(201).json();
    assert_ne!(first["team"]["id"], theirs["team"]["id"]);
    world.app.advance(Duration::from_secs(24 * 3600));
    let owner = world.owner.refreshed().await;
    let later = create(&owner).await.expect(201).json();
    assert_ne!(first["team"]["id"], later["team"]["id"]);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let world = World::start().await;
    let create =
        |name: &str| world.owner.call("POST", "/org/teams").json(&json!({ "name": name })).idempotent("one-key").send();
    let _ = create("").await.expect(422);
    let _ = create("Data").await.expect(201);
}

#[tokio::test]
async fn keys_are_visible_characters() {
    let world = World::start().await;
    let long = "k".repeat(256);
    let before = world.app.dump();
    for key in ["", " ", "two words", long.as_str()] {
        let call = world.owner.call("POST", "/org/teams").json(&json!({ "name": "Data" })).idempotent(key);
        assert_eq!(call.send().await.expect(400).problem().code, "invalid_idempotency_key");
    }
    world.app.dump().assert_same_as(&before, "keys that are none");
}
