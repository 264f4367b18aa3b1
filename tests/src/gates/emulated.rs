//! What the emulated AWS that `template.yaml` is tried on lets pass, and AWS does not (`infra/docs/operations.md` lists it).

use std::collections::{BTreeMap, BTreeSet};

use mainsheet_workflow::asl;
use serde_json::{Value, json};

use super::deployment::{program, resources, source, template, usual};

/// The longest that SQS keeps a message back, in seconds.
const LONGEST_DELAY: u64 = 900;
/// How much longer than its function a message has to be out of sight, says AWS Lambda.
const PATIENCE: u64 = 6;
/// What a state machine of ours is made of. The emulator takes others, and does not do as they say.
const STATES: [&str; 5] = ["Choice", "Fail", "Succeed", "Task", "Wait"];

/// The emulator passes over the body of an API, which is what SAM makes of its own kinds of APIs.
#[test]
fn the_api_is_made_of_resources() {
    let template = template();
    for kind in ["AWS::Serverless::Api", "AWS::Serverless::HttpApi"] {
        assert!(resources(&template, kind).is_empty(), "{kind}");
    }
    for (id, api) in resources(&template, "AWS::ApiGatewayV2::Api") {
        assert!(api["Properties"]["Body"].is_null(), "{id}");
    }
}

/// The emulator's functions inherit its environment, and would find there what the template forgets.
#[test]
fn functions_are_told_what_they_ask_for() {
    let template = template();
    let settings = |place: &Value| -> BTreeSet<String> {
        let variables =
            place["Environment"]["Variables"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        variables.filter(|name| name.starts_with("MAINSHEET_")).collect()
    };
    // What all are told, some may pass over.
    let common = settings(&template["Globals"]["Function"]);
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        let asked: BTreeSet<String> = asked(&program(&function)).difference(&common).cloned().collect();
        assert_eq!(settings(&function["Properties"]), asked, "{id} is told what is left, and asks for what is right");
    }
}

/// The settings that a function's program names, and those of the adapters that it names.
fn asked(program: &str) -> BTreeSet<String> {
    let adapters = [
        ("store(", "table"),
        ("store(", "meter"),
        ("SqsQueues", "queues"),
        ("StepFunctions", "workflows"),
        ("SesMailer", "mailer"),
    ];
    let used = adapters.iter().filter(|(name, _)| program.contains(name));
    let adapters = used.map(|(_, file)| source(&format!("shared/cloud/src/aws/{file}.rs")));
    adapters.chain([program.to_owned()]).flat_map(|source| settings_in(&source)).collect()
}

/// What stands in quotes and begins as our settings do.
fn settings_in(source: &str) -> Vec<String> {
    source.split('"').filter(|text| text.starts_with("MAINSHEET_")).map(str::to_owned).collect()
}

/// The emulator takes state machines that AWS does not, and passes on as much as one likes; AWS at most 256 KiB.
#[test]
fn workflows_pass_ids_on_and_nothing_else() {
    for (name, text) in asl::files() {
        let machine: Value = serde_json::from_str(&text).unwrap();
        for (id, state) in machine["States"].as_object().unwrap() {
            let kind = state["Type"].as_str().unwrap();
            assert!(STATES.contains(&kind), "{name}: {id} is a {kind}");
            if kind == "Task" {
                let passed = state["Parameters"]["Payload"].as_object().unwrap().keys().collect::<Vec<_>>();
                assert_eq!(passed, ["operationId.$", "organizationId.$", "step"], "{name}: {id}");
                let kept = state["ResultSelector"].as_object().map(|kept| kept.keys().collect::<Vec<_>>());
                assert!(state["ResultPath"].is_null() || kept.is_some_and(|kept| kept == ["status.$"]), "{name}: {id}");
            }
        }
    }
}

/// The emulator keeps messages back for as long as one likes, and counts on nobody's being slow.
#[test]
fn queues_wait_as_long_as_they_can_and_have_to() {
    let template = template();
    let functions = resources(&template, "AWS::Serverless::Function");
    let queues = resources(&template, "AWS::SQS::Queue");
    for (id, queue) in &queues {
        let delay = &queue["Properties"]["DelaySeconds"];
        assert!(delay.is_null() || delay.as_u64().is_some_and(|delay| delay <= LONGEST_DELAY), "{id}: {delay}");
    }
    for (id, source) in resources(&template, "AWS::Lambda::EventSourceMapping") {
        let from = usual(&source["Properties"]["EventSourceArn"]);
        let Some(queue) = queues.get(from.trim_end_matches(".Arn")) else { continue };
        let function = &functions[source["Properties"]["FunctionName"].as_str().unwrap().trim_end_matches(".Alias")];
        let timeout = function["Properties"]["Timeout"].as_u64().unwrap();
        let hidden = queue["Properties"]["VisibilityTimeout"].as_u64().unwrap();
        assert!(hidden >= PATIENCE * timeout, "{id}: {hidden} s for a function that may take {timeout} s");
        // What nobody reads until somebody asks for it waits there until it is done.
        let is_last = source["Properties"]["Enabled"] == false;
        assert!(is_last || queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"].is_string(), "{id}");
        // AWS Lambda takes no less than 2.
        let at_once = source["Properties"]["ScalingConfig"]["MaximumConcurrency"].as_u64();
        assert!(
            at_once.is_some_and(|at_once| at_once >= 2),
            "{id}: nothing keeps it from taking all of the account's concurrency"
        );
    }
}

/// The emulator's `Ref` of a secret is its name, that of AWS its ARN; `Id` is the ARN in both.
#[test]
fn secrets_are_named_by_their_arns() {
    let template = template();
    let secrets = resources(&template, "AWS::SecretsManager::Secret");
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        let told = function["Properties"]["Environment"]["Variables"].as_object();
        for (name, value) in told.into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            assert!(!secrets.contains_key(value), "{id}: {name} is a `Ref`");
            assert!(!name.ends_with("_SECRET") || value.ends_with(".Id"), "{id}: {name}: {value}");
        }
    }
}

/// The emulator's gateway calls any function. AWS's calls those that let it, and answers 500 for others.
#[test]
fn the_api_may_call_what_its_routes_lead_to() {
    let template = template();
    let permissions = resources(&template, "AWS::Lambda::Permission");
    let integrations = resources(&template, "AWS::ApiGatewayV2::Integration");
    assert!(!integrations.is_empty());
    for (id, integration) in integrations {
        let wanted = json!({
            "Action": "lambda:InvokeFunction",
            "FunctionName": integration["Properties"]["IntegrationUri"],
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*",
        });
        assert!(permissions.values().any(|permission| permission["Properties"] == wanted), "{id}");
    }
}

/// The emulator has no CodeDeploy, so nobody sees there whether all calls go where it moves them.
#[test]
fn whoever_calls_a_function_calls_its_alias() {
    let template = template();
    let callers = [
        ("AWS::ApiGatewayV2::Integration", "/Properties/IntegrationUri"),
        ("AWS::Lambda::EventSourceMapping", "/Properties/FunctionName"),
        ("AWS::Lambda::Permission", "/Properties/FunctionName"),
        ("AWS::Serverless::StateMachine", "/Properties/DefinitionSubstitutions/ProvisionerFunction"),
    ];
    for (kind, called) in callers {
        for (id, caller) in resources(&template, kind) {
            let called = caller.pointer(called).and_then(Value::as_str).unwrap_or_default();
            assert!(called.ends_with(".Alias"), "{id} calls {called}");
        }
    }
    let alarms: BTreeMap<String, Value> = resources(&template, "AWS::CloudWatch::Alarm");
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        assert_eq!(function["Properties"]["AutoPublishCodeSha256"], "Revision", "{id}");
        let watched = function["Properties"]["DeploymentPreference"]["Alarms"].as_array().unwrap();
        let wanted: &[&str] = match id.as_str() {
            // What customers do in their accounts makes the provisioner's errors, and nobody's deployment go back.
            "Provisioner" => &["Failures"],
            // What they fail at is in their answer, and AWS counts no errors.
            "Relay" | "Dispatcher" => &["Errors", "Failures"],
            _ => &["Errors"],
        };
        for kind in wanted {
            assert!(watched.iter().any(|alarm| *alarm == format!("{id}{kind}")), "{id} goes on in spite of {kind}");
        }
        for told in ["ApiFailures", "ProvisionerErrors", "AgentsThrottles", "MailFailures"] {
            assert!(watched.iter().all(|alarm| alarm != told), "{id}: {watched:?}");
        }
        assert!(watched.iter().all(|alarm| alarms.contains_key(alarm.as_str().unwrap())), "{id}: {watched:?}");
    }
}
