//! The OpenAPI document as the gates look at it.

use mainsheet_testkit::TestApp;
use serde_json::Value;

/// An operation of the document.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// `operationId`.
    pub(crate) id: String,
    /// Its area.
    pub(crate) tag: String,
    /// Upper case.
    pub(crate) method: String,
    /// Below `/api/v1`.
    pub(crate) path: String,
    /// The status of success.
    pub(crate) success: u16,
    /// Names of security schemes; empty for anybody.
    pub(crate) schemes: Vec<String>,
    /// `x-required-relation`.
    pub(crate) relation: Option<String>,
    /// Names of its parameters, wherever they are.
    pub(crate) parameters: Vec<String>,
    /// Whether it answers a part of a list.
    pub(crate) is_list: bool,
    /// Whether it takes a JSON body.
    pub(crate) takes_body: bool,
}

/// All operations, in the document's order.
pub(crate) fn operations(app: &TestApp) -> Vec<Operation> {
    let document = serde_json::to_value(app.document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().clone().into_iter();
        let path = path.strip_prefix("/api/v1").unwrap_or_else(|| panic!("{path} is not below /api/v1")).to_owned();
        methods
            .filter(|(_, operation)| operation.is_object())
            .map(move |(method, operation)| read(&path, &method, &operation))
    };
    paths.iter().flat_map(of_path).collect()
}

fn read(path: &str, method: &str, operation: &Value) -> Operation {
    let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
    let statuses = operation["responses"].as_object().unwrap().keys().filter_map(|status| status.parse().ok());
    let successes: Vec<u16> = statuses.filter(|status| (200..400).contains(status)).collect();
    let [success] = successes[..] else { panic!("{id} has success statuses {successes:?}") };
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<String> = parameters.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
    let requirements = operation["security"].as_array().into_iter().flatten();
    Operation {
        id: id.to_owned(),
        tag: operation["tags"][0].as_str().unwrap_or_default().to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        success,
        schemes: requirements.flat_map(|requirement| requirement.as_object().unwrap().keys().cloned()).collect(),
        is_list: method == "get" && parameters.iter().any(|name| name == "limit"),
        parameters,
        takes_body: operation["requestBody"]["content"]["application/json"].is_object(),
        relation: operation["x-required-relation"].as_str().map(str::to_owned),
    }
}
