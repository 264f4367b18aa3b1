//! The operations that take a body, each with names in its path of what is there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::agent::TestAgent;
use crate::app::TestApp;
use crate::build;
use crate::client::{Call, Client};
use crate::person::Person;

/// An operation that takes a body in JSON.
pub(crate) struct Taker {
    method: String,
    path: String,
    /// Sends as one of those who may.
    client: Client,
}

impl Taker {
    /// All of the document, in its order, over things that are made for it.
    pub(crate) async fn all(app: &TestApp, owner: &Person) -> Vec<Self> {
        let agent = owner.cluster("main").await;
        let mut things = workloads(app, owner, &agent).await;
        things.extend(organization(owner).await);
        things.extend(accounts(app, owner).await);
        app.deliver().await;
        let document = serde_json::to_value(app.document()).unwrap();
        let mut takers = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let path = path.strip_prefix("/api/v1").unwrap_or(path);
            for (method, operation) in item.as_object().unwrap() {
                if !operation["requestBody"]["content"]["application/json"].is_object() {
                    continue;
                }
                let security = operation["security"].to_string();
                let client = match security.as_str() {
                    "null" => app.anonymous(),
                    security if security.contains("agentToken") => agent.client.clone(),
                    _ => owner.client.clone(),
                };
                let taker = Self { method: method.to_uppercase(), path: named(path, &things), client };
                taker.is_reached().await;
                takers.push(taker);
            }
        }
        takers
    }

    /// A request to it, without a body yet.
    pub(crate) fn call(&self) -> Call {
        self.client.call(&self.method, &self.path)
    }

    /// Asserts that nothing but its body is wrong with a request.
    async fn is_reached(&self) {
        let answer = self.call().raw("application/json", "{").send().await;
        assert_eq!(answer.status.as_u16(), 400, "{answer}");
    }
}

/// What stands in paths, by the path as far as its name, or by the whole path for the last name in it.
type Things = BTreeMap<&'static str, String>;

/// A path with names of what is there.
fn named(path: &str, things: &Things) -> String {
    let (mut named, mut rest) = (String::new(), path);
    while let Some((text, from_name)) = rest.split_once('{') {
        let (_, after) = from_name.split_once('}').unwrap();
        let as_far = &path[..path.len() - after.len()];
        let own = if after.contains('{') { None } else { things.get(path) };
        let thing = own.or_else(|| things.get(as_far));
        named += text;
        named += thing.unwrap_or_else(|| panic!("nothing to name in {as_far}"));
        rest = after;
    }
    named + rest
}

async fn workloads(app: &TestApp, owner: &Person, agent: &TestAgent) -> Things {
    let job = owner.job("daily", &agent.cluster_id).await;
    let path = format!("/workloads/jobs/{job}");
    let _ = owner.post(&format!("{path}/draft"), json!({ "timeoutSeconds": 60 })).await.expect(201);
    let cancelled = owner.create(&format!("{path}/runs"), json!({ "hold": true })).await;
    let _ = owner.act(&format!("{path}/runs/{cancelled}/cancel")).await.expect(200);
    let run = owner.run(&job).await;
    app.deliver().await;
    let _ = agent.lease_run(&run).await;
    Things::from([
        ("/agent/jobs/{job}", job.clone()),
        ("/agent/jobs/{job}/runs/{jobRun}", run),
        (
            "/workloads/catalogs/{catalog}",
            owner.create("/workloads/catalogs", build::catalog("main", &owner.team_id)).await,
        ),
        ("/workloads/clusters/{cluster}", agent.cluster_id.clone()),
        ("/workloads/jobs/by-key/{jobKey}", "daily".to_owned()),
        ("/workloads/jobs/{job}", job),
        ("/workloads/jobs/{job}/runs/{jobRun}", cancelled),
        ("/workloads/queries/{query}", owner.query("daily").await),
    ])
}

async fn organization(owner: &Person) -> Things {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let made = owner.post("/org/teams", build::team("second")).await.expect(201).json();
    let team = text(&made["team"]["id"]);
    let colleague = json!({ "email": "colleague@example.com", "displayName": "Colleague" });
    let user = owner.create("/org/users", colleague).await;
    let members = owner.get("/org/members").await.expect(200).json();
    let member = members["items"].as_array().unwrap().iter().find(|member| member["userId"] == user.as_str());
    let member = text(&member.unwrap()["memberId"]);
    let _ = owner.post(&format!("/org/teams/{team}/members/{member}"), json!({})).await.expect(201);
    let account = json!({ "username": "robot", "description": "" });
    let invitation = json!({ "email": "invited@example.com", "organizationRoleId": "MEMBER", "sendEmail": false });
    let invitation = owner.post("/org/invites", invitation).await.expect(201).text("invitationToken");
    let provider = build::identity_provider("https://one.example");
    Things::from([
        ("/auth/idps/{idp}", owner.create("/auth/idps", provider).await),
        ("/org/invites/{token}", invitation),
        ("/org/members/{member}", member.clone()),
        ("/org/policies/{principal}", format!("team:{team}")),
        ("/org/service-accounts/{serviceAccount}", owner.create("/org/service-accounts", account).await),
        ("/org/teams/{team}", team),
        ("/org/teams/{team}/members/{member}", member),
        ("/org/users/{user}", user),
        ("/org/users/{user}/password", owner.user_id.clone()),
    ])
}

/// What is in cloud accounts: active, and pending where it is to be provisioned.
async fn accounts(app: &TestApp, owner: &Person) -> Things {
    let connection = app.connection(owner, "prod").await;
    let network = app.network(owner, &connection, "prod").await;
    let place = (connection.as_str(), network.as_str());
    Things::from([
        ("/infra/connections/{connection}/catalogs/{catalog}", app.pending_catalog(owner, place, "lake").await),
        (
            "/infra/connections/{connection}/clusters/{cluster}",
            app.provisioned_cluster(owner, place, "provisioned").await,
        ),
        (
            "/infra/connections/{connection}/clusters/{cluster}/provision",
            app.pending_cluster(owner, place, "pending").await,
        ),
        (
            "/infra/connections/{connection}/networks/{network}/provision",
            app.pending_network(owner, &connection, "pending").await,
        ),
        ("/infra/connections/{connection}/networks/{network}", network),
        ("/infra/connections/{connection}", connection),
    ])
}
