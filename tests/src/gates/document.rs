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
    /// Where its body names things: pointers to fields whose names end in `Id` or `Ids`; items of lists are not numbered.
    pub(crate) ids_in_body: Vec<String>,
}

/// All operations, in the document's order.
pub(crate) fn operations(app: &TestApp) -> Vec<Operation> {
    let document = serde_json::to_value(app.document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let schemas = &document["components"]["schemas"];
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().clone().into_iter();
        let path = path.strip_prefix("/api/v1").unwrap_or_else(|| panic!("{path} is not below /api/v1")).to_owned();
        methods
            .filter(|(_, operation)| operation.is_object())
            .map(move |(method, operation)| read(schemas, &path, &method, &operation))
    };
    paths.iter().flat_map(of_path).collect()
}

/// The fields of a schema that name things, wherever they are in it.
fn ids_in(schemas: &Value, schema: &Value, within: &str, seen: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next())
        && !seen.contains(&name)
    {
        let seen: Vec<&str> = seen.iter().copied().chain([name]).collect();
        found.extend(ids_in(schemas, &schemas[name], within, &seen));
    }
    for part in ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|kind| schema[kind].as_array()).flatten() {
        found.extend(ids_in(schemas, part, within, seen));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let pointer = format!("{within}/{name}");
        found.extend(ids_in(schemas, field, &pointer, seen));
        if name.ends_with("Id") || name.ends_with("Ids") {
            found.push(pointer);
        }
    }
    found.extend(ids_in_items(schemas, schema, within, seen));
    found
}

fn ids_in_items(schemas: &Value, schema: &Value, within: &str, seen: &[&str]) -> Vec<String> {
    if schema["items"].is_object() { ids_in(schemas, &schema["items"], within, seen) } else { Vec::new() }
}

fn read(schemas: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
    let statuses = operation["responses"].as_object().unwrap().keys().filter_map(|status| status.parse().ok());
    let successes: Vec<u16> = statuses.filter(|status| (200..400).contains(status)).collect();
    let success = match successes[..] {
        [success] => success,
        // It may create what is not there; what a right request names is.
        [200, 201] if method == "put" => 200,
        _ => panic!("{id} has success statuses {successes:?}"),
    };
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
        ids_in_body: ids_in(schemas, &operation["requestBody"]["content"]["application/json"]["schema"], "", &[]),
        takes_body: operation["requestBody"]["content"]["application/json"].is_object(),
        relation: operation["x-required-relation"].as_str().map(str::to_owned),
    }
}
