//! What is deployed (`template.yaml`) against what the code is: which function answers which path, and the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mainsheet_api::{BASE, KEYS};
use mainsheet_infrastructure::LOOK;
use mainsheet_testkit::TestApp;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Value, json};

/// The template.
pub(super) fn template() -> Value {
    template_of(include_str!("../../../template.yaml"))
}

/// A template of CloudFormation. Intrinsic functions are replaced by what they are given: `!GetAtt Table.Arn` is `"Table.Arn"`.
pub(super) fn template_of(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).unwrap();
    let [template] = &documents[..] else { panic!("one document") };
    plain(template)
}

fn plain(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::Boolean(truth)) => json!(truth),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Sequence(items) => items.iter().map(plain).collect(),
        Yaml::Mapping(entries) => {
            entries.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), plain(value))).collect()
        }
        Yaml::Tagged(_, inner) => plain(inner),
        Yaml::Value(Scalar::Null) => Value::Null,
        other => panic!("not in a template: {other:?}"),
    }
}

/// What stands there; of an `!If` what it is without its condition, which parameters with defaults do not meet.
pub(super) fn usual(value: &Value) -> &str {
    let last = value.as_array().and_then(|choice| choice.last());
    last.unwrap_or(value).as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Resources of a type, by logical id.
pub(super) fn resources(template: &Value, kind: &str) -> BTreeMap<String, Value> {
    let all = template["Resources"].as_object().unwrap().iter();
    all.filter(|(_, resource)| resource["Type"] == kind).map(|(id, resource)| (id.clone(), resource.clone())).collect()
}

/// A file of the repository.
pub(super) fn source(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join(path)).unwrap()
}

/// What a function of the template starts with.
pub(super) fn program(function: &Value) -> String {
    let folder = function["Properties"]["CodeUri"].as_str().unwrap().rsplit('/').next().unwrap();
    source(&format!("functions/{folder}/src/main.rs"))
}

/// A route of the API and the function behind it, by the name of its folder.
#[derive(Debug)]
struct Route {
    path: String,
    function: String,
}

fn routes(template: &Value) -> Vec<Route> {
    let integrations = resources(template, "AWS::ApiGatewayV2::Integration");
    let functions = resources(template, "AWS::Serverless::Function");
    let route = |(id, route): (String, Value)| {
        let properties = &route["Properties"];
        let key = properties["RouteKey"].as_str().unwrap();
        let path = key.strip_prefix("ANY ").unwrap_or_else(|| panic!("{id}: `{key}` is not for every method"));
        let target = properties["Target"].as_str().unwrap();
        let integration = target.strip_prefix("integrations/${").and_then(|rest| rest.strip_suffix('}'));
        let integration = &integrations[integration.unwrap_or_else(|| panic!("{id}: target `{target}`"))];
        let arn = integration["Properties"]["IntegrationUri"].as_str().unwrap();
        let function = &functions[arn.strip_suffix(".Alias").unwrap_or_else(|| panic!("{id}: `{arn}`"))];
        let code = function["Properties"]["CodeUri"].as_str().unwrap();
        Route { path: path.to_owned(), function: code.rsplit('/').next().unwrap().to_owned() }
    };
    resources(template, "AWS::ApiGatewayV2::Route").into_iter().map(route).collect()
}

/// The route that API Gateway chooses for a path: the same path, else the longest one that it lies below. Several of the same
/// length would be a matter of luck.
fn chosen<'r>(routes: &'r [Route], path: &str) -> &'r Route {
    let fits = |route: &&Route| match route.path.strip_suffix("/{proxy+}") {
        Some(above) => path.strip_prefix(above).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/')),
        None => route.path == path,
    };
    let rank = |route: &Route| (!route.path.ends_with("/{proxy+}"), route.path.len());
    let fitting: Vec<&Route> = routes.iter().filter(fits).collect();
    let best = fitting.iter().max_by_key(|route| rank(route)).unwrap_or_else(|| panic!("no route leads to {path}"));
    let equals = fitting.iter().filter(|route| rank(route) == rank(best)).count();
    assert_eq!(equals, 1, "{path} has several routes: {fitting:?}");
    best
}

#[tokio::test]
async fn every_path_leads_to_the_function_that_answers_it() {
    let app = TestApp::start().await;
    let routes = routes(&template());
    let mut used = BTreeSet::new();
    let mut owners: BTreeMap<&String, &str> = BTreeMap::new();
    for (function, paths) in app.paths_of_functions() {
        for path in paths {
            assert_eq!(owners.insert(path, function), None, "two functions answer {path}");
            let route = chosen(&routes, path);
            assert_eq!(&route.function, function, "{path} leads to another function by {}", route.path);
            used.insert(route.path.clone());
        }
    }
    let documented: BTreeSet<&String> = app.document().paths.paths.keys().collect();
    assert_eq!(
        owners.keys().copied().collect::<BTreeSet<_>>(),
        documented,
        "paths of functions against the document's"
    );
    // What stands at the root, too, goes to the same function.
    let at_root = chosen(&routes, KEYS);
    assert_eq!(at_root.function, owners[&format!("{BASE}{KEYS}")]);
    used.insert(at_root.path.clone());
    let unused: Vec<&Route> = routes.iter().filter(|route| !used.contains(&route.path)).collect();
    assert!(unused.is_empty(), "routes that lead to nothing: {unused:?}");
}

#[tokio::test]
async fn the_deployed_table_is_the_one_that_tests_use() {
    let app = TestApp::start().await;
    let tables = resources(&template(), "AWS::DynamoDB::Table");
    let deployed = &tables.values().next().unwrap()["Properties"];
    let created = app.table().description();
    for part in ["AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes"] {
        assert_eq!(definition(&deployed[part]), definition(&created[part]), "{part}");
    }
    assert_eq!(deployed["StreamSpecification"]["StreamViewType"], created["StreamSpecification"]["StreamViewType"]);
    assert_eq!(deployed["BillingMode"], "PAY_PER_REQUEST");
    let expiring = deployed["TimeToLiveSpecification"]["AttributeName"].as_str().unwrap();
    let _ = app.sign_up("ada@example.com").await;
    let dump = app.dump();
    let login = dump.of_kind("login").next().unwrap();
    assert!(login[expiring].is_u64(), "logins expire by `{expiring}`: {login}");
}

/// Where CloudFormation can follow a template in no other way, it puts an empty table in the place of the one that is there, and an address
/// that is made again is another one. A stack with `infra/stack-policy.json` refuses that.
#[test]
fn what_cannot_be_made_again_is_kept() {
    let template = template();
    let mut kept = BTreeSet::new();
    for kind in ["AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SecretsManager::Secret"] {
        for (id, resource) in resources(&template, kind) {
            let policies = (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]);
            assert_eq!(policies, (&json!("Retain"), &json!("Retain")), "{id}");
            kept.insert(id);
        }
    }
    // People know one address, and agents the other, which SAM makes.
    kept.extend(resources(&template, "AWS::ApiGatewayV2::Api").into_keys());
    let functions = resources(&template, "AWS::Serverless::Function").into_iter();
    let with_address = functions.filter(|(_, function)| function["Properties"]["FunctionUrlConfig"].is_object());
    kept.extend(with_address.map(|(id, _)| format!("{id}Url")));
    let kept: Vec<String> = kept.iter().map(|id| format!("LogicalResourceId/{id}")).collect();
    let wanted = json!({ "Statement": [
        { "Effect": "Allow", "Principal": "*", "Action": ["Update:*"], "Resource": ["*"] },
        { "Effect": "Deny", "Principal": "*", "Action": ["Update:Delete", "Update:Replace"], "Resource": kept },
        // Whoever changes how it is generated has another one, and what it sealed is lost.
        { "Effect": "Deny", "Principal": "*", "Action": ["Update:Modify"], "Resource": ["LogicalResourceId/SealingKeySecret"] },
    ] });
    let policy: Value = serde_json::from_str(&source("infra/stack-policy.json")).unwrap();
    assert_eq!(policy, wanted);
}

/// Who is told nothing in time gets a 503 of API Gateway's own, and nobody knows what became of the request.
#[test]
fn functions_answer_before_api_gateway_gives_them_up() {
    /// API Gateway, quotas of HTTP APIs: the longest that an integration may take, in seconds.
    const GATEWAY: u64 = 30;
    /// What a request needs beside a look into a customer's account, in seconds: for the table.
    const BESIDE: u64 = 5;
    let template = template();
    let usual = template["Globals"]["Function"]["Timeout"].as_u64().unwrap();
    let functions = resources(&template, "AWS::Serverless::Function");
    let timeout = |id: &str| functions[id]["Properties"]["Timeout"].as_u64().unwrap_or(usual);
    for integration in resources(&template, "AWS::ApiGatewayV2::Integration").into_values() {
        let id = integration["Properties"]["IntegrationUri"].as_str().unwrap().trim_end_matches(".Alias");
        assert!(timeout(id) < GATEWAY, "{id}");
    }
    assert!(LOOK.as_secs() + BESIDE <= timeout("Infrastructure"));
}

/// A part of a table's definition without what DynamoDB adds to it, and in an order of its own.
fn definition(part: &Value) -> Vec<String> {
    let keep = |item: &Value| {
        let mut item = item.clone();
        let known = ["AttributeName", "AttributeType", "KeyType", "IndexName", "KeySchema", "Projection"];
        item.as_object_mut().unwrap().retain(|name, _| known.contains(&name.as_str()));
        item.to_string()
    };
    let mut items: Vec<String> = part.as_array().unwrap().iter().map(keep).collect();
    items.sort();
    items
}
