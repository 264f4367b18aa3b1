//! What the roles of functions allow (`template.yaml`) against what the functions do: no less, and no more. What steps of workflows take
//! of the table is compared by `functions/provisioner/tests/mishaps`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use mainsheet_api::BASE;
use mainsheet_auth::keys::{Purpose, SigningKey};
use mainsheet_testkit::{PASSWORD, Permission, build};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::deployment::{resources, template, usual};
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
    // The one thing that it has there: a key that is new, one that takes its place, and the first one again.
    for secret in ["one secret of tests", "another secret of tests", "one secret of tests"] {
        let key = SigningKey::derive(&SecretString::from(secret.repeat(3)), Purpose::MailLink).unwrap();
        done.entry("notifier".to_owned())
            .or_default()
            .extend(permissions(&world, key.publish(world.app.store())).await);
    }
    // All that it has there: an event that it gave up.
    let newcomer = build::sign_up("newcomer@example.com", PASSWORD, "newcomers");
    let _ = world.app.anonymous().post("/auth/signup", newcomer).await.expect(201);
    let given_up = world.app.give_up();
    done.entry("relay".to_owned()).or_default().extend(permissions(&world, world.app.carry_again(&given_up)).await);
    world.app.deliver().await;
    let allowed = allowed(&template());
    let mut wrong = Vec::new();
    for (function, seen) in &done {
        let role = &allowed[function];
        wrong.extend(seen.difference(role).map(|missing| format!("{function} lacks {missing:?}")));
        wrong.extend(role.difference(seen).map(|idle| format!("{function} never uses {idle:?}")));
    }
    assert!(wrong.is_empty(), "roles and what functions do with the table:\n{}", wrong.join("\n"));
}

/// What each role allows beside the table, against the calls of the adapters that its function's program names, and what its source of
/// events takes.
#[test]
fn roles_allow_what_functions_ask_of_other_services() {
    let template = template();
    let (queues, tables) = (resources(&template, "AWS::SQS::Queue"), resources(&template, "AWS::DynamoDB::Table"));
    let mut events: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in resources(&template, "AWS::Lambda::EventSourceMapping").into_values() {
        let function = source["Properties"]["FunctionName"].as_str().unwrap().trim_end_matches(".Alias").to_owned();
        let from = usual(&source["Properties"]["EventSourceArn"]);
        let taken = events.entry(function).or_default();
        if queues.contains_key(from.trim_end_matches(".Arn")) {
            taken.extend(OF_A_QUEUE.map(str::to_owned));
        } else {
            assert!(tables.contains_key(from.trim_end_matches(".StreamArn")), "{from}");
            taken.extend(OF_A_STREAM.map(str::to_owned));
        }
        if source["Properties"]["DestinationConfig"]["OnFailure"].is_object() {
            taken.insert("sqs:SendMessage".to_owned());
        }
    }
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        let statements = function["Properties"]["Policies"][0]["Statement"].as_array().unwrap().iter();
        let allowing = statements.filter(|statement| statement["Effect"] == "Allow");
        let actions = allowing.flat_map(|statement| texts(&statement["Action"]));
        let is_of_the_table =
            |action: &String| action.starts_with("dynamodb:") && !OF_A_STREAM.contains(&action.as_str());
        let allowed: BTreeSet<String> = actions.filter(|action| !is_of_the_table(action)).collect();
        let folder = function["Properties"]["CodeUri"].as_str().unwrap().rsplit('/').next().unwrap();
        let mut asked = calls_of(folder);
        asked.extend(events.remove(&id).unwrap_or_default());
        // Table, queues and secrets are sealed with a key of their own.
        asked.extend(["kms:Decrypt", "kms:GenerateDataKey"].map(str::to_owned));
        assert_eq!(allowed, asked, "{id} is allowed what is left, and asks for what is right");
    }
}

/// The roles of customers have any name, and those of the platform's own account are not among them.
#[test]
fn no_function_assumes_a_role_of_the_platforms_own_account() {
    let own = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*";
    let mut assuming = Vec::new();
    for (id, function) in resources(&template(), "AWS::Serverless::Function") {
        let statements = function["Properties"]["Policies"][0]["Statement"].as_array().unwrap();
        let is = |statement: &Value, effect: &str| {
            statement["Effect"] == effect && texts(&statement["Action"]).contains(&"sts:AssumeRole".to_owned())
        };
        if statements.iter().any(|statement| is(statement, "Allow")) {
            let denied = statements.iter().filter(|statement| is(statement, "Deny"));
            assert!(denied.flat_map(|statement| texts(&statement["Resource"])).any(|arn| arn == own), "{id}");
            assuming.push(id);
        }
    }
    assert_eq!(assuming, ["Infrastructure", "Provisioner"]);
}

/// What AWS Lambda does as a function's role to read a queue (AWS Lambda, Amazon SQS, execution role permissions).
const OF_A_QUEUE: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
/// The same for a stream of DynamoDB.
const OF_A_STREAM: [&str; 4] =
    ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords", "dynamodb:ListStreams"];

/// The calls of the adapters that a function's program names, as IAM names them.
fn calls_of(folder: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let program = read(&format!("functions/{folder}/src/main.rs"));
    let adapters = [
        ("aws::secret(", "secrets", "secretsmanager"),
        ("SqsQueues", "queues", "sqs"),
        ("StepFunctions", "workflows", "states"),
        ("SesMailer", "mailer", "ses"),
        // What it does in customers' accounts it does as their roles.
        ("AwsAccounts", "account/sts", "sts"),
    ];
    let used = adapters.iter().filter(|(name, ..)| program.contains(name));
    used.flat_map(|(_, file, service)| {
        let source: String = read(&format!("shared/cloud/src/aws/{file}.rs")).split_whitespace().collect();
        let calls = source.split(".client.").chain(source.split("Client::new(config).")).filter_map(|after| {
            let (name, rest) = after.split_once('(')?;
            (rest.starts_with(')') && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
                .then(|| name.to_owned())
        });
        calls.map(|call| format!("{service}:{}", camel(&call))).collect::<Vec<_>>()
    })
    .collect()
}

fn camel(snake: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    snake.split('_').filter(|word| !word.is_empty()).map(capital).collect()
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

/// What stands there alone, or in a list.
fn texts(value: &Value) -> Vec<String> {
    let one = value.as_str().map(str::to_owned);
    let many = value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned));
    one.into_iter().chain(many).collect()
}
