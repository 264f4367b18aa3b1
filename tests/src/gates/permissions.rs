//! What the roles of functions allow of the table (`template.yaml`) against what the functions do with it: no less, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mainsheet_api::BASE;
use mainsheet_testkit::{Permission, build};
use serde_json::{Value, json};

use super::deployment::{resources, template};
use super::document::{Operation, operations};
use crate::operations::right;
use crate::world::World;

/// What lists are sorted by. What one does not know it refuses before it asks the table.
const ORDERS: [&str; 6] = ["name", "email", "updatedAt", "jobKey", "createdAt", "lastRunAt"];

#[tokio::test]
async fn roles_allow_what_functions_do_with_the_table() {
    let world = World::start().await;
    let mut done: BTreeMap<String, BTreeSet<Permission>> = BTreeMap::new();
    for operation in operations(&world.app) {
        let function = function_of(&world, &operation);
        let seen = done.entry(function).or_default();
        seen.extend(permissions(&world, send(&world, &operation)).await);
        done.entry("dispatcher".to_owned()).or_default().extend(permissions(&world, world.app.deliver()).await);
    }
    schedule_jobs(&world).await;
    for _ in 0..3 {
        world.app.advance(Duration::from_secs(600));
        let tick = Box::pin(mainsheet_scheduler::tick(world.app.store(), mainsheet_scheduler::INTERVAL));
        done.entry("scheduler".to_owned()).or_default().extend(permissions(&world, tick).await);
        done.entry("dispatcher".to_owned()).or_default().extend(permissions(&world, world.app.deliver()).await);
    }
    let allowed = allowed(&template());
    let mut wrong = Vec::new();
    for (function, seen) in &done {
        let role = &allowed[function];
        wrong.extend(seen.difference(role).map(|missing| format!("{function} lacks {missing:?}")));
        wrong.extend(role.difference(seen).map(|idle| format!("{function} never uses {idle:?}")));
    }
    assert!(wrong.is_empty(), "roles and what functions do with the table:\n{}", wrong.join("\n"));
}

/// What some work takes of the table.
async fn permissions<T>(world: &World, work: impl Future<Output = T>) -> BTreeSet<Permission> {
    let _ = world.app.table().take_operations();
    let _ = work.await;
    world.app.table().permissions()
}

/// The folder of the function that answers an operation.
fn function_of(world: &World, operation: &Operation) -> String {
    let path = format!("{BASE}{}", operation.path);
    let mut functions = world.app.paths_of_functions().iter();
    let (function, _) = functions.find(|(_, paths)| paths.contains(&path)).unwrap_or_else(|| panic!("{path}"));
    (*function).to_owned()
}

/// A right request, in each order where there are several.
async fn send(world: &World, operation: &Operation) {
    let request = right(&operation.id, world).unwrap_or_else(|| panic!("no right request to {}", operation.id));
    if operation.parameters.iter().any(|name| name == "sortBy") {
        for order in ORDERS {
            let path = format!("{}?sortBy={order}", request.path);
            let _ = request.client(world).call(request.method, &path).send().await;
        }
    }
    let _ = request.send(world).await;
}

/// Jobs that are due every minute: runs of one take the place of those before, and those of another wait for it.
async fn schedule_jobs(world: &World) {
    let replaces = ("/concurrencyPolicy", json!("replace"));
    let waits = ("/dependsOn", json!([{ "jobKey": "replacing" }]));
    for (key, (field, value)) in [("replacing", replaces), ("waiting", waits)] {
        let job = build::job(key, &world.agent.cluster_id, &world.owner.team_id);
        let job = build::with(build::with(job, "/cronExpression", json!("* * * * *")), field, value);
        let _ = world.owner.create("/workloads/jobs", job).await;
    }
}

/// What each role allows of the table, by the folder of its function.
fn allowed(template: &Value) -> BTreeMap<String, BTreeSet<Permission>> {
    let functions = resources(template, "AWS::Serverless::Function").into_values();
    let role = |function: Value| {
        let properties = &function["Properties"];
        let folder = properties["CodeUri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let statements = properties["Policies"][0]["Statement"].as_array().into_iter().flatten();
        (folder, statements.flat_map(permissions_in).collect())
    };
    functions.map(role).collect()
}

fn permissions_in(statement: &Value) -> Vec<Permission> {
    let texts = |value: &Value| -> Vec<String> {
        let one = value.as_str().map(str::to_owned);
        let many = value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned));
        one.into_iter().chain(many).collect()
    };
    let mut found = Vec::new();
    for resource in texts(&statement["Resource"]) {
        let index = match resource.split_once("/index/") {
            Some(("${Table.Arn}", index)) => Some(index.to_owned()),
            None if resource == "Table.Arn" => None,
            _ => continue,
        };
        // An index can be queried, and nothing else.
        let actions =
            texts(&statement["Action"]).into_iter().filter(|action| index.is_none() || action == "dynamodb:Query");
        found.extend(actions.map(|action| Permission { action, index: index.clone() }));
    }
    found
}
