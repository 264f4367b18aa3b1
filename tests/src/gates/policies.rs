//! What bounds the roles of `template.yaml`: the things that they allow something of, the conditions, the services through which they use
//! keys, and what AWS SAM gives them by itself. Which actions they allow is compared in `permissions`.

use std::collections::{BTreeMap, BTreeSet};

use mainsheet_workflow::asl;
use serde_json::{Value, json};

use super::deployment::{resources, template};
use super::permissions::{grants, statements, texts};

const FUNCTION: &str = "AWS::Serverless::Function";

/// Who is allowed something of more than one thing that is named, of what, and why no less does.
const WIDE: [(&str, &str, &str); 4] = [
    (
        "Infrastructure",
        "arn:${AWS::Partition}:iam::*:role/*",
        "customers name their roles as they like; those of the platform's own account are denied",
    ),
    ("Provisioner", "arn:${AWS::Partition}:iam::*:role/*", "the same"),
    (
        "Notifier",
        "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*",
        "the address is an identity, or its domain is; a condition names the address",
    ),
    (
        "WorkflowRole",
        "*",
        "delivery of logs and traces knows no narrower one (AWS Step Functions, logging and tracing)",
    ),
];

/// Conditions, but for those on keys: who is bound by one, in doing what, and how.
const CONDITIONS: [(&str, &str, &str); 3] = [
    (
        "Notifier",
        "dynamodb:Query dynamodb:PutItem dynamodb:UpdateItem",
        r#"{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["SIGNING_KEYS","PLATFORM#AUDIT#*"]}}"#,
    ),
    ("Notifier", "ses:SendEmail", r#"{"StringEquals":{"ses:FromAddress":"MailFrom"}}"#),
    (
        "Relay",
        "dynamodb:Query dynamodb:UpdateItem",
        r#"{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["OUTBOX#*"]}}"#,
    ),
];

/// The services that keep what the key seals, and what they do with it in the name of whoever calls them: open it, and seal what is sent to
/// a queue. The key of a table is made with the table (AWS KMS, how DynamoDB, SQS and Secrets Manager use it).
const SEALED: [&str; 3] = ["dynamodb", "secretsmanager", "sqs"];

/// The properties of functions for which SAM gives their roles nothing.
const WITHOUT_EFFECT_ON_ROLES: [&str; 14] = [
    "Architectures",
    "AutoPublishAlias",
    "AutoPublishCodeSha256",
    "CodeUri",
    "DeploymentPreference",
    "Description",
    "Environment",
    "FunctionUrlConfig",
    "Handler",
    "LoggingConfig",
    "MemorySize",
    "ReservedConcurrentExecutions",
    "Runtime",
    "Timeout",
];

/// What Step Functions does in the name of an execution whose log is kept, and that X-Ray follows.
const OF_LOGS_AND_TRACES: [&str; 12] = [
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
];

/// The statements of each role: of functions by the function's name, and of roles beside them.
fn roles(template: &Value) -> BTreeMap<String, Vec<Value>> {
    let of_functions = resources(template, FUNCTION).into_iter().map(|(id, function)| (id, statements(&function)));
    let others = resources(template, "AWS::IAM::Role").into_iter().map(|(id, role)| {
        let policies = role["Properties"]["Policies"].as_array().unwrap().iter();
        (id, policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap().clone()).collect())
    });
    of_functions.chain(others).collect()
}

#[test]
fn nothing_is_allowed_of_anything_without_a_reason() {
    let template = template();
    let mut found = BTreeSet::new();
    for (id, statements) in roles(&template) {
        for statement in &statements {
            // No `NotAction`, no `NotResource`.
            let parts = statement.as_object().unwrap().keys().map(String::as_str);
            let unknown: Vec<&str> =
                parts.filter(|part| !["Effect", "Action", "Resource", "Condition"].contains(part)).collect();
            assert!(unknown.is_empty(), "{id}: {unknown:?}");
        }
        for (action, thing) in grants(&template, &statements) {
            assert!(!action.contains('*'), "{id}: {action}");
            if thing.contains('*') {
                found.insert((id.clone(), thing));
            }
        }
    }
    let listed = WIDE.map(|(role, thing, _)| (role.to_owned(), thing.to_owned()));
    assert_eq!(found, BTreeSet::from(listed));
}

#[test]
fn conditions_are_the_ones_that_were_reviewed() {
    let mut found = BTreeSet::new();
    for (id, statements) in roles(&template()) {
        let bound = statements.iter().filter(|statement| !statement["Condition"].is_null());
        found.extend(
            bound.filter(|statement| !is_of_a_key(statement)).map(|statement| {
                (id.clone(), texts(&statement["Action"]).join(" "), statement["Condition"].to_string())
            }),
        );
    }
    let listed =
        CONDITIONS.map(|(role, actions, condition)| (role.to_owned(), actions.to_owned(), condition.to_owned()));
    assert_eq!(found, BTreeSet::from(listed));
}

/// Whoever else may use the key, write to a queue or take on a role is a service, and does so for this account alone.
#[test]
fn services_act_for_this_account_alone() {
    let template = template();
    let mut policies: Vec<(String, Value)> = Vec::new();
    for (kind, document) in [
        ("AWS::KMS::Key", "/Properties/KeyPolicy"),
        ("AWS::SQS::QueuePolicy", "/Properties/PolicyDocument"),
        ("AWS::IAM::Role", "/Properties/AssumeRolePolicyDocument"),
    ] {
        let all = resources(&template, kind).into_iter();
        policies.extend(all.map(|(id, resource)| (id, resource.pointer(document).unwrap()["Statement"].clone())));
    }
    let mut services = 0;
    for (id, statements) in &policies {
        for statement in statements.as_array().unwrap() {
            if statement["Principal"]["Service"].is_string() {
                assert!(statement["Condition"].is_object(), "{id}: {statement}");
                services += 1;
            } else {
                let account = "arn:${AWS::Partition}:iam::${AWS::AccountId}:root";
                assert_eq!(statement["Principal"], json!({ "AWS": account }), "{id}");
            }
        }
    }
    assert!(services > 0);
}

#[test]
fn keys_are_used_through_the_services_that_keep_what_they_seal() {
    let template = template();
    for (kind, key) in [
        ("AWS::DynamoDB::Table", "/Properties/SSESpecification/KMSMasterKeyId"),
        ("AWS::SQS::Queue", "/Properties/KmsMasterKeyId"),
        ("AWS::SecretsManager::Secret", "/Properties/KmsKeyId"),
        ("AWS::Logs::LogGroup", "/Properties/KmsKeyId"),
    ] {
        for (id, sealed) in resources(&template, kind) {
            assert_eq!(sealed.pointer(key), Some(&json!("Key.Arn")), "{id}");
        }
    }
    for (id, function) in resources(&template, FUNCTION) {
        let statements = statements(&function);
        let actions = grants(&template, &statements).into_iter().map(|(action, _)| action);
        let sent_by_lambda = destination_of(&function).map(|_| "sqs:SendMessage".to_owned());
        let mut used = BTreeSet::new();
        for action in actions.chain(sent_by_lambda) {
            let service = action.split(':').next().unwrap();
            if SEALED.contains(&service) {
                used.insert(("kms:Decrypt".to_owned(), through(service)));
            }
            if action == "sqs:SendMessage" {
                used.insert(("kms:GenerateDataKey".to_owned(), through(service)));
            }
        }
        let of_keys = statements.iter().filter(|statement| is_of_a_key(statement));
        assert_eq!(of_keys.flat_map(uses_of_a_key).collect::<BTreeSet<_>>(), used, "{id}: allowed, used");
    }
}

fn is_of_a_key(statement: &Value) -> bool {
    texts(&statement["Action"]).iter().any(|action| action.starts_with("kms:"))
}

/// What a statement allows to do with the key, and through which service.
fn uses_of_a_key(statement: &Value) -> Vec<(String, String)> {
    assert_eq!(statement["Resource"], "Key.Arn");
    let services = &statement["Condition"]["StringEquals"]["kms:ViaService"];
    assert_eq!(statement["Condition"], json!({ "StringEquals": { "kms:ViaService": services } }));
    let of_all = |action: String| texts(services).into_iter().map(move |service| (action.clone(), service));
    texts(&statement["Action"]).into_iter().flat_map(of_all).collect()
}

/// A service as `kms:ViaService` names it.
fn through(service: &str) -> String {
    format!("{service}.${{AWS::Region}}.amazonaws.com")
}

/// Where AWS Lambda sends calls that failed, for which SAM lets the function's role send there.
fn destination_of(function: &Value) -> Option<&Value> {
    function.pointer("/Properties/EventInvokeConfig/DestinationConfig/OnFailure")
}

/// SAM gives the role of a function `AWSLambdaBasicExecutionRole`, for its log, and more for some properties (aws-sam-translator,
/// `SamFunction._construct_role`). What can be added to the template without a look at what comes with it is listed here.
///
/// Two of these are AWS's managed policies, and allow more than is used: to make log groups and to write into any group of the account,
/// and to send any trace. Nothing can be read by them. SAM leaves them away only for a function whose `Role` is a resource of its own:
/// that would be ten roles, each with its trust, its log, its traces and its dead letters by hand.
#[test]
fn what_sam_gives_to_roles_by_itself_is_known() {
    let template = template();
    let (mut followed, mut sending) = (BTreeSet::new(), BTreeSet::new());
    for (id, function) in resources(&template, FUNCTION) {
        let (own, common) = (&function["Properties"], &template["Globals"]["Function"]);
        for property in own.as_object().unwrap().keys().chain(common.as_object().unwrap().keys()) {
            match property.as_str() {
                // One document, and none of SAM's templates or AWS's managed policies beside it.
                "Policies" => {
                    assert!(own["Policies"].as_array().is_some_and(|one| one.len() == 1 && one[0].is_object()));
                }
                // These call the function by a permission of its own. Queues and streams would have policies of theirs.
                "Events" => {
                    let kinds =
                        own["Events"].as_object().unwrap().values().map(|event| event["Type"].as_str().unwrap());
                    assert!(kinds.into_iter().all(|kind| ["Schedule", "EventBridgeRule"].contains(&kind)), "{id}");
                }
                // `AWSXrayWriteOnlyAccess`.
                "Tracing" if own["Tracing"] == "Disabled" => {}
                "Tracing" => drop(followed.insert(id.clone())),
                // `sqs:SendMessage` to that queue alone.
                "EventInvokeConfig" => {
                    let is_queue = |destination: &Value| destination["Type"] == "SQS";
                    sending.extend(destination_of(&function).filter(|to| is_queue(to)).map(|_| id.clone()));
                    assert!(own["EventInvokeConfig"]["DestinationConfig"]["OnSuccess"].is_null(), "{id}");
                }
                other => assert!(WITHOUT_EFFECT_ON_ROLES.contains(&other), "{id}: what does its role get for {other}?"),
            }
        }
    }
    let untraced: Vec<String> =
        resources(&template, FUNCTION).into_keys().filter(|id| !followed.contains(id)).collect();
    assert_eq!(untraced, ["Agents"]);
    assert_eq!(sending, BTreeSet::from(["Provisioner".to_owned()]));
    // SAM makes roles for other kinds of resources, too, and for state machines that have none.
    let kinds = template["Resources"].as_object().unwrap().values().map(|resource| resource["Type"].as_str().unwrap());
    let of_sam: BTreeSet<&str> = kinds.filter(|kind| kind.starts_with("AWS::Serverless::")).collect();
    assert_eq!(of_sam, BTreeSet::from([FUNCTION, "AWS::Serverless::StateMachine"]));
}

#[test]
fn the_role_of_workflows_allows_what_state_machines_do() {
    let template = template();
    for (id, machine) in resources(&template, "AWS::Serverless::StateMachine") {
        assert_eq!(machine["Properties"]["Role"], "WorkflowRole.Arn", "{id}");
        assert_eq!(
            machine["Properties"]["DefinitionSubstitutions"]["ProvisionerFunction"], "Provisioner.Alias",
            "{id}"
        );
        assert!(
            machine["Properties"]["Logging"].is_object() && machine["Properties"]["Tracing"]["Enabled"] == true,
            "{id}"
        );
    }
    for (name, text) in asl::files() {
        let machine: Value = serde_json::from_str(&text).unwrap();
        for task in machine["States"].as_object().unwrap().values().filter(|state| state["Type"] == "Task") {
            let called = (&task["Resource"], &task["Parameters"]["FunctionName"]);
            assert_eq!(called, (&json!("arn:aws:states:::lambda:invoke"), &json!("${ProvisionerFunction}")), "{name}");
        }
    }
    let mut asked: BTreeSet<(String, String)> =
        OF_LOGS_AND_TRACES.map(|action| (action.to_owned(), "*".to_owned())).into();
    asked.insert(("lambda:InvokeFunction".to_owned(), "Provisioner.Alias".to_owned()));
    assert_eq!(grants(&template, &roles(&template)["WorkflowRole"]), asked);
}
