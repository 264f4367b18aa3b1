//! The document's links: what each takes from an answer is in it, and it is all that the path of the operation takes.

use std::collections::{BTreeMap, BTreeSet};

use mainsheet_testkit::{Answer, TestApp};
use serde_json::{Value, json};

use super::document::{Operation, operations};
use crate::operations::right;
use crate::world::World;

/// The links of an operation's answer to a right request, by what they lead to.
fn links<'a>(document: &'a Value, operation: &Operation) -> BTreeMap<&'a str, &'a Value> {
    let item = &document["paths"][format!("/api/v1{}", operation.path)];
    let answer = &item[operation.method.to_lowercase()]["responses"][operation.success.to_string()];
    let links = answer["links"].as_object().into_iter().flatten();
    links.map(|(_, link)| (link["operationId"].as_str().unwrap(), &link["parameters"])).collect()
}

/// Whether a runtime expression says something of a request and its answer.
fn is_there(expression: &str, operation: &Operation, answer: &Answer) -> bool {
    if let Some(name) = expression.strip_prefix("$request.path.") {
        operation.path.contains(&format!("{{{name}}}"))
    } else if let Some(pointer) = expression.strip_prefix("$response.body#") {
        answer.json().pointer(pointer).is_some_and(|value| value.as_str().is_some_and(|id| !id.is_empty()))
    } else {
        expression.strip_prefix("$response.header.").is_some_and(|name| answer.header(name).is_some())
    }
}

#[tokio::test]
async fn links_give_what_is_in_answers() {
    let world = World::start().await;
    let document = serde_json::to_value(world.app.document()).unwrap();
    let known: BTreeMap<String, Operation> =
        operations(&world.app).into_iter().map(|operation| (operation.id.clone(), operation)).collect();
    for operation in operations(&world.app) {
        let request = right(&operation.id, &world).unwrap_or_else(|| panic!("no right request to {}", operation.id));
        let answer = request.send(&world).await.expect(operation.success);
        for (id, given) in links(&document, &operation) {
            let target = &known[id];
            let given = given.as_object().unwrap();
            let in_path: BTreeSet<&str> = target.path.split(['{', '}']).skip(1).step_by(2).collect();
            let names: BTreeSet<&str> = given.keys().map(String::as_str).collect();
            assert!(
                in_path.is_subset(&names),
                "{} -> {id}: the path takes {in_path:?}, and is given {names:?}",
                operation.id
            );
            for (name, expression) in given {
                let expression = expression.as_str().unwrap();
                assert!(
                    target.parameters.contains(name),
                    "{} -> {id} gives `{name}`, which is not taken",
                    operation.id
                );
                assert!(is_there(expression, &operation, &answer), "{answer} -> {id}: nothing is at `{expression}`");
            }
        }
    }
    world.app.deliver().await;
}

#[tokio::test]
async fn what_was_created_or_read_leads_to_what_can_be_done_with_it() {
    let app = TestApp::start().await;
    let document = serde_json::to_value(app.document()).unwrap();
    let operations = operations(&app);
    let links = |id: &str| links(&document, operations.iter().find(|operation| operation.id == id).unwrap());
    let team = "$response.body#/team/id";
    assert_eq!(links("createTeam")["updateTeam"], &json!({ "team": team, "If-Match": "$response.header.ETag" }));
    let version = json!({ "team": "$request.path.team", "If-Match": "$response.header.ETag" });
    assert_eq!((links("getTeam")["updateTeam"], links("updateTeam")["deleteTeam"]), (&version, &version));
    assert_eq!(links("createTeam")["listTeamJobs"], &json!({ "team": team }));
    let run = json!({ "job": "$request.path.job", "jobRun": "$response.body#/id" });
    assert_eq!(links("createJobRun")["cancelJobRun"], &run);
    // The version of a draft is not that of its job, and reports of runs are for agents.
    assert_eq!(links("createJob")["updateJobDraft"], &json!({ "job": "$response.body#/id" }));
    assert!(!links("createJobRun").contains_key("reportJobRunEvents"));
    // A list says of nothing that it is what one looks for.
    assert!(links("listTeams").is_empty());
}
