//! Ids in paths that lead nowhere.

use crate::gates::document::{Operation, operations};
use crate::operations::{Request, right};
use crate::world::World;

/// Well-formed, and nothing's.
const ABSENT: &str = "ZZZZZZZZZZZZZZZZZZZZ";

/// Roles are the same for everybody, a token is good for whoever brings it, and browsers come to a provider from anywhere.
fn leads_to_somebodys(operation: &Operation) -> bool {
    operation.path.contains('{')
        && !operation.path.starts_with("/auth/sso/")
        && !["{role}", "{token}"].iter().any(|name| operation.path.contains(name))
}

fn with_ids(world: &World) -> Vec<(Operation, Request)> {
    let all = operations(&world.app).into_iter().filter(leads_to_somebodys);
    all.map(|operation| (operation.clone(), right(&operation.id, world).unwrap())).collect()
}

/// Parameters of paths that are no ids: an absent key is a job to create, and versions have numbers.
const NO_IDS: [&str; 2] = ["{jobKey}", "{jobVersionNumber}"];

/// The request with each of its ids in turn replaced.
fn variants(operation: &Operation, request: &Request, id: &str) -> Vec<Request> {
    let template: Vec<&str> = operation.path.split('/').collect();
    let places = template
        .iter()
        .enumerate()
        .filter(|(_, segment)| segment.starts_with('{') && !NO_IDS.contains(segment))
        .map(|(place, _)| place);
    let variant = |place: usize| {
        let mut path: Vec<&str> = request.path.split('/').collect();
        // Principals are an id with its kind.
        let id = path[place].split_once(':').map_or(id.to_owned(), |(kind, _)| format!("{kind}:{id}"));
        path[place] = &id;
        Request { path: path.join("/"), ..request.clone() }
    };
    places.map(variant).collect()
}

#[tokio::test]
async fn absent_and_foreign_ids_are_the_same_nothing() {
    let world = World::start().await;
    let stranger = World::beside(&world, "stranger@example.com").await;
    let before = world.app.dump();
    for (operation, request) in with_ids(&world) {
        for absent in variants(&operation, &request, ABSENT) {
            let nothing = absent.send(&world).await.expect(404);
            let theirs = right(&operation.id, &stranger).unwrap();
            let foreign = Request { path: theirs.path, ..request.clone() }.send(&world).await;
            assert_eq!(nothing.anonymous(), foreign.anonymous(), "{foreign}");
        }
    }
    world.app.dump().assert_same_as(&before, "ids that lead nowhere");
}

#[tokio::test]
async fn ids_of_another_form_are_refused() {
    let world = World::start().await;
    let before = world.app.dump();
    let malformed = [
        "abc",
        "A-B",
        "ABCDEFGHIJKLMNOPQRSTU",
        "%00",
        "..%2F..",
        "%E2%9B%B5",
        "A%20B",
        "%FF",
        "O%23X",
        "null",
        "{job}",
    ];
    for (operation, request) in with_ids(&world) {
        for id in malformed {
            for bad in variants(&operation, &request, &id.replace(['{', '}'], "%7B")) {
                let answer = bad.send(&world).await.expect(400);
                assert_eq!(answer.problem().code, "malformed_id", "{answer}");
            }
        }
    }
    world.app.dump().assert_same_as(&before, "malformed ids");
}

#[tokio::test]
async fn a_number_in_a_path_is_asked_for_as_a_number() {
    let world = World::start().await;
    let job = &world.job;
    for wrong in ["A", "-1", "1.5", "99999999999"] {
        let refused = world.owner.get(&format!("/workloads/jobs/{job}/versions/{wrong}")).await.expect(400).problem();
        assert_eq!(refused.message, format!("`{wrong}` in the path must be a whole number."));
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let world = World::start().await;
    for path in ["/nothing", "/workloads", "/workloads/jobs/", "/me/", "//me", "/workloads/jobs/A1/runs/A1/nothing"] {
        let _ = world.owner.get(path).await.expect(404);
    }
    let refused = world.owner.delete("/me").await.expect(405);
    assert_eq!(refused.header("allow"), Some("GET,HEAD,PATCH"));
    assert_eq!(refused.problem().code, "method_not_allowed");
}
