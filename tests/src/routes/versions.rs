//! `If-Match`: driven by the document, so that every operation that says it takes one is tried.

use crate::gates::document::operations;
use crate::operations::right;
use crate::world::World;

#[tokio::test]
async fn changes_of_a_version_that_has_passed_are_refused() {
    let world = World::start().await;
    let all = operations(&world.app).into_iter();
    let conditional: Vec<_> =
        all.filter(|operation| operation.parameters.iter().any(|name| name == "If-Match")).collect();
    assert!(!conditional.is_empty());
    for operation in conditional {
        let request = right(&operation.id, &world).unwrap();
        let call = |etag: &str| request.call(&world.owner.client).if_match(etag).send();
        let before = world.app.dump();
        for stale in ["\"0\"", "\"999\"", "W/\"1\"", "1", "\"999\", \"0\"", ""] {
            let answer = call(stale).await.expect(412);
            world.app.dump().assert_same_as(&before, &format!("{answer}"));
        }
        let _ = call("*").await.expect(operation.success);
    }
    world.app.deliver().await;
}

#[tokio::test]
async fn a_change_makes_the_version_before_it_stale() {
    let world = World::start().await;
    let path = format!("/workloads/queries/{}", world.query);
    let first = world.owner.get(&path).await.expect(200).etag();
    let change = |etag: &str| {
        let body = serde_json::json!({ "name": "renamed" });
        world.owner.call("PATCH", &path).json(&body).if_match(etag).send()
    };
    let second = change(&first).await.expect(200).etag();
    assert_ne!(first, second);
    let _ = change(&first).await.expect(412);
    let _ = change(&format!("{first}, {second}")).await.expect(200);
}

#[tokio::test]
async fn of_two_changes_at_once_one_wins() {
    let world = World::start().await;
    let path = format!("/workloads/queries/{}", world.query);
    let etag = world.owner.get(&path).await.expect(200).etag();
    let change = |name: &str| {
        let body = serde_json::json!({ "name": name });
        world.owner.call("PATCH", &path).json(&body).if_match(&etag).send()
    };
    let (one, other) = tokio::join!(change("one"), change("other"));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert!(statuses == [200, 409] || statuses == [200, 412], "{one}\n{other}");
    let winner = if one.status.is_success() { &one } else { &other };
    let shown = world.owner.get(&path).await.expect(200).json();
    assert_eq!(shown["included"]["queries"][0], winner.json());
}
