//! Request bodies that are right, for tests to send as they are or with one thing changed.

use serde_json::{Value, json};

/// A body with one field set; `path` is a JSON pointer (`/config/sql/source`). What lies on the way has to be there.
#[must_use]
pub fn with(mut body: Value, path: &str, value: Value) -> Value {
    let (parent, field) = path.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent} in the body"));
    parent.as_object_mut().unwrap().insert(field.to_owned(), value);
    body
}

/// A body without one field.
#[must_use]
pub fn without(mut body: Value, field: &str) -> Value {
    body.as_object_mut().unwrap().remove(field).unwrap_or_else(|| panic!("no {field} in the body"));
    body
}

/// A sign-up.
#[must_use]
pub fn sign_up(email: &str, password: &str, organization: &str) -> Value {
    json!({ "email": email, "password": password, "organizationName": organization })
}

/// A team.
#[must_use]
pub fn team(name: &str) -> Value {
    json!({ "name": name })
}

/// An identity provider that was registered by hand.
#[must_use]
pub fn identity_provider(issuer: &str) -> Value {
    let oidc = json!({ "issuer": issuer, "clientId": crate::provider::CLIENT_ID, "clientSecret": crate::provider::CLIENT_SECRET });
    json!({ "identityProviderTypeId": "oidc", "name": "SSO", "configWrite": { "oidc": oidc } })
}

/// A self-registered cluster that waits for an agent of its own.
#[must_use]
pub fn cluster(name: &str) -> Value {
    json!({ "name": name, "region": "eu-central-1" })
}

/// A catalog in the engine's memory.
#[must_use]
pub fn catalog(name: &str, team: &str) -> Value {
    json!({ "name": name, "provider": "memory", "configWrite": { "initialDatabase": "default" }, "teamIds": [team] })
}

/// A saved query.
#[must_use]
pub fn query(name: &str, team: &str) -> Value {
    json!({ "name": name, "queryText": "SELECT 1 AS one", "teamIds": [team] })
}

/// A job that runs a statement.
#[must_use]
pub fn job(key: &str, cluster: &str, team: &str) -> Value {
    json!({
        "jobKey": key,
        "clusterId": cluster,
        "teamIds": [team],
        "config": { "sql": { "source": "SELECT 1 AS one" } },
    })
}

/// A run that begins as soon as it can.
#[must_use]
pub fn run() -> Value {
    json!({})
}
