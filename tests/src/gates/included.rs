//! What items of an answer point at comes along in `included`, each entity once, however many items point at it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::operations;
use crate::operations::right;
use crate::world::World;

#[tokio::test]
async fn each_entity_comes_along_once() {
    let world = World::start().await;
    let mut shared = 0;
    for operation in operations(&world.app).into_iter().filter(|operation| operation.method == "GET") {
        let answer = right(&operation.id, &world).unwrap().send(&world).await;
        let Ok(answer) = serde_json::from_slice::<Value>(&answer.body) else { continue };
        let Some(included) = answer["included"].as_object() else { continue };
        let items = answer["items"].as_array().map_or(0, Vec::len);
        for (kind, entities) in included {
            let Some(entities) = entities.as_array() else { continue };
            let distinct: BTreeSet<String> = entities.iter().map(Value::to_string).collect();
            assert_eq!(distinct.len(), entities.len(), "{} has one of its {kind} twice", operation.id);
            shared += usize::from((1..items).contains(&entities.len()));
        }
    }
    assert!(shared > 5, "only {shared} lists have items that point at the same thing");
}
