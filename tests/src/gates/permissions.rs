//! What the roles of functions allow (`template.yaml`) against what the functions do: no less, and no more. What steps of workflows take
//! of the table is compared by `functions/provisioner/tests/mishaps`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use mainsheet_api::BASE;
use mainsheet_auth::keys::{Purpose, SigningKey};
use mainsheet_testkit::{ChangedRow, PASSWORD, Permission, build};
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
    let template = template();
    let before = world.app.rows();
    for secret in ["one secret of tests", "another secret of tests", "one secret of tests"] {
        let key = SigningKey::derive(&SecretString::from(secret.repeat(3)), Purpose::MailLink).unwrap();
        done.entry("notifier".to_owned())
            .or_default()
            .extend(permissions(&world, key.publish(world.app.store())).await);
    }
    writes_where_it_may(&template, "Notifier", &world.app.table().changes_since(&before));
    // All that it has there: an event that it gave up.
    let newcomer = build::sign_up("newcomer@example.com", PASSWORD, "newcomers");
    let _ = world.app.anonymous().post("/auth/signup", newcomer).await.expect(201);
    let given_up = world.app.give_up();
    let before = world.app.rows();
    done.entry("relay".to_owned()).or_default().extend(permissions(&world, world.app.carry_again(&given_up)).await);
    writes_where_it_may(&template, "Relay", &world.app.table().changes_since(&before));
    world.app.deliver().await;
    let mut allowed = allowed(&template);
    // What its steps take is compared elsewhere.
    allowed.remove("provisioner");
    assert_eq!(
        allowed.keys().collect::<Vec<_>>(),
        done.keys().collect::<Vec<_>>(),
        "functions that have to do with it"
    );
    let mut wrong = Vec::new();
    for (function, seen) in &done {
        let role = &allowed[function];
        wrong.extend(seen.difference(role).map(|missing| format!("{function} lacks {missing:?}")));
        wrong.extend(role.difference(seen).map(|idle| format!("{function} never uses {idle:?}")));
    }
    assert!(wrong.is_empty(), "roles and what functions do with the table:\n{}", wrong.join("\n"));
}

/// What each role allows beside the table, and of which things, against the calls of the adapters that its function's program names, what
/// its settings name, and what its sources of events take.
#[test]
fn roles_allow_what_functions_ask_of_other_services() {
    let template = template();
    let mut of_sources = grants_of_sources(&template);
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        let is_of_another = |(action, _): &Grant| !is_of_the_table(action) && !action.starts_with("kms:");
        let allowed: BTreeSet<Grant> =
            grants(&template, &statements(&function)).into_iter().filter(is_of_another).collect();
        let calls = calls_of(folder_of(&function)).into_iter();
        let mut asked: BTreeSet<Grant> = calls
            .flat_map(|call| {
                let things = asked_of(&template, &function, call.split(':').next().unwrap());
                things.into_iter().map(move |thing| (call.clone(), thing))
            })
            .collect();
        asked.extend(of_sources.remove(&id).unwrap_or_default());
        assert_eq!(allowed, asked, "{id} is allowed what is left, and asks for what is right");
    }
}

/// The roles of customers have any name, and those of the platform's own account are not among them.
#[test]
fn no_function_assumes_a_role_of_the_platforms_own_account() {
    let own = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*";
    let mut assuming = Vec::new();
    for (id, function) in resources(&template(), "AWS::Serverless::Function") {
        let statements = statements(&function);
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

/// An action that is allowed, and of what.
pub(super) type Grant = (String, String);

/// The statements of a function's role.
pub(super) fn statements(function: &Value) -> Vec<Value> {
    function["Properties"]["Policies"][0]["Statement"].as_array().unwrap().clone()
}

/// What statements allow.
pub(super) fn grants(template: &Value, statements: &[Value]) -> BTreeSet<Grant> {
    let allowing = statements.iter().filter(|statement| statement["Effect"] == "Allow");
    allowing
        .flat_map(|statement| {
            let things = named(template, &statement["Resource"]);
            let of_all = move |action: String| things.clone().into_iter().map(move |thing| (action.clone(), thing));
            texts(&statement["Action"]).into_iter().flat_map(of_all)
        })
        .collect()
}

/// What a function's sources of events take of its role, and what of them is set aside.
fn grants_of_sources(template: &Value) -> BTreeMap<String, BTreeSet<Grant>> {
    let mut grants: BTreeMap<String, BTreeSet<Grant>> = BTreeMap::new();
    let (queues, tables) = (resources(template, "AWS::SQS::Queue"), resources(template, "AWS::DynamoDB::Table"));
    for source in resources(template, "AWS::Lambda::EventSourceMapping").into_values() {
        let properties = &source["Properties"];
        let taken = grants.entry(properties["FunctionName"].as_str().unwrap().trim_end_matches(".Alias").to_owned());
        let taken = taken.or_default();
        let from = usual(&properties["EventSourceArn"]);
        let actions = if queues.contains_key(from.trim_end_matches(".Arn")) {
            &OF_A_QUEUE[..]
        } else {
            assert!(tables.contains_key(from.trim_end_matches(".StreamArn")), "{from}");
            &OF_A_STREAM[..]
        };
        for thing in named(template, &properties["EventSourceArn"]) {
            taken.extend(actions.iter().map(|action| ((*action).to_owned(), thing.clone())));
        }
        let set_aside = &properties["DestinationConfig"]["OnFailure"]["Destination"];
        taken.extend(set_aside.as_str().map(|queue| ("sqs:SendMessage".to_owned(), queue.to_owned())));
    }
    grants
}

/// The things that a function asks of a service: its settings name them, and where nothing can it is any.
fn asked_of(template: &Value, function: &Value, service: &str) -> Vec<String> {
    let settings = function["Properties"]["Environment"]["Variables"].as_object().into_iter().flatten();
    let settings = settings.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
    match service {
        "secretsmanager" => {
            settings.filter(|(name, _)| name.ends_with("_SECRET")).map(|(_, secret)| secret.to_owned()).collect()
        }
        "sqs" => {
            let queues = settings.filter(|(name, _)| name.starts_with("MAINSHEET_QUEUE_"));
            queues.map(|(_, queue)| format!("{queue}.Arn")).collect()
        }
        "states" => resources(template, "AWS::Serverless::StateMachine").into_keys().collect(),
        "ses" => ["identity/*", "configuration-set/${MailConfigurationSet}"]
            .map(|thing| format!("arn:${{AWS::Partition}}:ses:${{AWS::Region}}:${{AWS::AccountId}}:{thing}"))
            .into(),
        "sts" => vec!["arn:${AWS::Partition}:iam::*:role/*".to_owned()],
        other => panic!("what is asked of {other}?"),
    }
}

fn is_of_the_table(action: &str) -> bool {
    action.starts_with("dynamodb:") && !OF_A_STREAM.contains(&action)
}

/// The folder of a function's program.
fn folder_of(function: &Value) -> &str {
    function["Properties"]["CodeUri"].as_str().unwrap().rsplit('/').next().unwrap()
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

/// Asserts that rows changed in the partitions that a role is bound to, and in each of them.
fn writes_where_it_may(template: &Value, id: &str, changes: &[ChangedRow]) {
    let statements = statements(&resources(template, "AWS::Serverless::Function")[id]);
    let partitions: Vec<String> = statements
        .iter()
        .flat_map(|statement| texts(&statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]))
        .collect();
    let is_in = |partition: &String, row: &ChangedRow| match partition.strip_suffix('*') {
        Some(beginning) => row.key.0.starts_with(beginning),
        None => row.key.0 == *partition,
    };
    for row in changes {
        assert!(partitions.iter().any(|partition| is_in(partition, row)), "{id} writes to {:?}", row.key);
    }
    for partition in &partitions {
        assert!(changes.iter().any(|row| is_in(partition, row)), "{id} never writes to {partition}");
    }
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

/// Jobs that are due every minute: runs of one take the place of those before, and those of another wait for it. Somebody asks for one
/// of those before the scheduler comes to its first tick.
async fn schedule_jobs(world: &World) {
    let replaces = json!({ "concurrencyPolicy": "replace" });
    let waits = json!({
        "dependsOn": [{ "jobKey": "replacing" }], "concurrencyPolicy": "allow", "maxConcurrentRuns": 10, "missedSchedulePolicy": "all",
    });
    let mut jobs = Vec::new();
    for (key, fields) in [("replacing", replaces), ("waiting", waits)] {
        let mut job = build::job(key, &world.agent.cluster_id, &world.owner.team_id);
        job["cronExpression"] = json!("* * * * *");
        job.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        jobs.push(world.owner.create("/workloads/jobs", job).await);
    }
    world.app.advance(Duration::from_secs(60));
    let _ = world.agent.heartbeat(&[]).await.expect(200);
    let _ = world.owner.run(&jobs[1]).await;
}

/// What each role allows of the table, by the folder of its function; those alone that allow something.
fn allowed(template: &Value) -> BTreeMap<String, BTreeSet<Permission>> {
    let mut allowed: BTreeMap<String, BTreeSet<Permission>> = BTreeMap::new();
    for function in resources(template, "AWS::Serverless::Function").into_values() {
        for (action, thing) in grants(template, &statements(&function)) {
            if is_of_the_table(&action) {
                let permissions = allowed.entry(folder_of(&function).to_owned()).or_default();
                permissions.insert(permission(action, &thing));
            }
        }
    }
    allowed
}

/// To do something with the table or an index, and with no others.
fn permission(action: String, thing: &str) -> Permission {
    let index = thing.strip_prefix("${Table.Arn}/index/").map(str::to_owned);
    assert!(index.is_some() || thing == "Table.Arn", "{action} of {thing}");
    Permission { action, index }
}

/// What stands there alone, or in a list.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let one = value.as_str().map(str::to_owned);
    let many = value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned));
    one.into_iter().chain(many).collect()
}

/// What is named alone, in a list, or in the branches of an `!If`.
pub(super) fn named(template: &Value, value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if text == "AWS::NoValue" => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => {
            let is_condition = |item: &Value| item.as_str().is_some_and(|name| !template["Conditions"][name].is_null());
            let things = items.iter().skip(usize::from(items.first().is_some_and(is_condition)));
            things.flat_map(|thing| named(template, thing)).collect()
        }
        other => panic!("names nothing: {other}"),
    }
}
