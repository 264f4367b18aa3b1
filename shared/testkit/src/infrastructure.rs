//! Doors to what workflows do: operations begin and end here without anything being built.

use mainsheet_core::network::Network;
use mainsheet_core::operation::{FailureCode, Operation, OperationError};
use mainsheet_core::provisioned_cluster::{ProviderCluster, ProvisionedCluster};
use mainsheet_core::{OperationId, OrganizationId};
use mainsheet_store::Tenant;
use mainsheet_store::operations::{Left, Outcome};
use mainsheet_store::organizations::founding_tenant;
use serde_json::{Value, json};

use crate::{Person, TestApp};

/// The account of every connection in tests.
pub const ACCOUNT: &str = "123456789012";
/// The role of every connection in tests.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/mainsheet-connection";
/// The region of everything in tests.
pub const REGION: &str = "us-east-1";

/// An end of an operation that did not succeed.
#[must_use]
pub fn failure(code: FailureCode, left: Left) -> Outcome {
    let error = OperationError {
        code,
        message: "It went wrong.".to_owned(),
        remedy: "Set it right.".to_owned(),
        caused_by: Some("the provider".to_owned()),
    };
    Outcome::Failed { error, left }
}

/// The end of an operation that succeeded.
#[must_use]
pub fn success() -> Outcome {
    Outcome::Succeeded { result: None }
}

impl TestApp {
    /// A connection whose role was verified.
    pub async fn connection(&self, owner: &Person, name: &str) -> String {
        let id = owner.create("/infra/connections", json!({ "name": name, "provider": "aws" })).await;
        let role = self.deploy(owner, &id).await;
        let _ = owner.post(&format!("/infra/connections/{id}/verify"), json!({ "roleArn": role })).await.expect(200);
        id
    }

    /// A connection's template is downloaded and deployed. Answers the role that it makes.
    pub async fn deploy(&self, owner: &Person, connection: &str) -> String {
        let template = owner.get(&format!("/infra/connections/{connection}/template/download")).await.expect(200);
        let (account, region) = (ACCOUNT.parse().unwrap(), REGION.parse().unwrap());
        let text = std::str::from_utf8(&template.body).unwrap();
        self.cloud().deploy(&account, &region, text).unwrap().role_arn.to_string()
    }

    /// A network that is described, and nothing more.
    pub async fn pending_network(&self, owner: &Person, connection: &str, name: &str) -> String {
        owner.create(&format!("/infra/connections/{connection}/networks"), network(name)).await
    }

    /// A network that was provisioned.
    pub async fn network(&self, owner: &Person, connection: &str, name: &str) -> String {
        let id = self.pending_network(owner, connection, name).await;
        let path = format!("/infra/connections/{connection}/networks/{id}/provision");
        self.settle(owner, &owner.act(&path).await.expect(202).text("id"), &success()).await;
        let learn = |network: &mut Network| network.provider_network_id = Some("vpc-0123456789abcdef0".to_owned());
        self.store().note_provisioned(&tenant(owner), &id.parse().unwrap(), learn).await.unwrap();
        id
    }

    /// A cluster that is described, and nothing more.
    pub async fn pending_cluster(&self, owner: &Person, (connection, network): (&str, &str), name: &str) -> String {
        owner.create(&format!("/infra/connections/{connection}/clusters"), cluster(name, network)).await
    }

    /// A cluster that was provisioned, with a logical one in front of it.
    pub async fn provisioned_cluster(&self, owner: &Person, (connection, network): (&str, &str), name: &str) -> String {
        let id = self.pending_cluster(owner, (connection, network), name).await;
        let path = format!("/infra/connections/{connection}/clusters/{id}/provision");
        let operation = owner.act(&path).await.expect(202).text("id");
        let (store, tenant, cluster) = (self.store(), tenant(owner), id.parse().unwrap());
        let token = ("0".repeat(64 - id.len()) + &id).to_lowercase();
        let expires_at = self.now() + std::time::Duration::from_secs(3600);
        store.enroll_provisioned_cluster(&tenant, &cluster, (&token, expires_at)).await.unwrap();
        let learn = |cluster: &mut ProvisionedCluster| {
            let name = format!("mainsheet-{}", cluster.id.as_str().to_lowercase());
            cluster.provider = Some(ProviderCluster {
                arn: format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{name}"),
                endpoint: Some(format!("https://{name}.eks.example")),
                certificate_authority: Some("UEVN".to_owned()),
                name,
            });
        };
        store.note_provisioned(&tenant, &cluster, learn).await.unwrap();
        self.settle(owner, &operation, &success()).await;
        id
    }

    /// A catalog that is described, and nothing more.
    pub async fn pending_catalog(&self, owner: &Person, (connection, network): (&str, &str), name: &str) -> String {
        owner.create(&format!("/infra/connections/{connection}/catalogs"), catalog(name, network)).await
    }

    /// An operation begins and ends like this.
    pub async fn settle(&self, owner: &Person, operation: &str, outcome: &Outcome) -> Operation {
        let (tenant, operation) = (tenant(owner), operation.parse::<OperationId>().unwrap());
        self.store().begin_operation(&tenant, &operation).await.unwrap();
        self.store().finish_operation(&tenant, &operation, outcome).await.unwrap()
    }
}

/// The organization that a person works in.
#[must_use]
pub fn tenant(owner: &Person) -> Tenant {
    founding_tenant(&owner.organization_id.parse::<OrganizationId>().unwrap())
}

/// The role that a connection's template makes.
#[must_use]
pub fn role_of(connection: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/mainsheet-{}", connection.to_lowercase())
}

/// A network.
#[must_use]
pub fn network(name: &str) -> Value {
    json!({ "name": name, "region": REGION, "config": { "cidr": "10.0.0.0/16" } })
}

/// What a cluster is made of.
#[must_use]
pub fn cluster_config(version: &str) -> Value {
    let group = json!({
        "name": "system", "instanceTypes": ["m7g.large"], "minSize": 1, "desiredSize": 2, "maxSize": 3, "diskSizeGb": 100,
    });
    json!({ "kubernetesVersion": version, "systemNodeGroup": group, "publicAccessCidrs": ["203.0.113.0/24"] })
}

/// A cluster.
#[must_use]
pub fn cluster(name: &str, network: &str) -> Value {
    json!({ "name": name, "networkId": network, "region": REGION, "config": cluster_config("1.34") })
}

/// A catalog.
#[must_use]
pub fn catalog(name: &str, network: &str) -> Value {
    json!({ "name": name, "networkId": network, "region": REGION, "config": { "catalogName": "lake" } })
}
