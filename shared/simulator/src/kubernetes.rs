//! The Kubernetes API of simulated clusters: it keeps what is applied, and knows where an agent was asked for.

use std::time::Duration;

use async_trait::async_trait;
use mainsheet_cloud::account::{CloudError, CloudResult, ClusterStatus, EksToken, KubernetesApi, KubernetesTarget};
use mainsheet_core::Result;
use secrecy::SecretString;
use serde_json::Value;

use crate::CloudSimulator;
use crate::clusters::{SimulatedCluster, find};
use crate::session::{Call, Session, invalid};

/// How long a token is good.
const TOKEN: Duration = Duration::from_secs(14 * 60);

/// Kinds that belong to no namespace.
const CLUSTER_WIDE: [&str; 5] =
    ["Namespace", "ClusterRole", "ClusterRoleBinding", "StorageClass", "CustomResourceDefinition"];

/// An agent that was applied to a cluster that has nodes to run it on.
#[derive(Debug, Clone)]
pub struct AppliedAgent {
    /// The cluster's ARN: it stays the same for as long as the cluster is there.
    pub cluster_arn: String,
    /// What it registers with.
    pub registration_token: SecretString,
}

#[async_trait]
impl KubernetesApi for Session {
    async fn apply(&self, target: &KubernetesTarget, objects: &[Value]) -> CloudResult<()> {
        let call = Call { service: "kubernetes".to_owned(), operation: "Apply".to_owned() };
        self.perform(&call, None, |scene| {
            let (now, role) = (scene.now, scene.role_arn.to_string());
            let unavailable = |message: &str| CloudError::Unavailable { message: message.to_owned() };
            let cluster = find(scene, &target.cluster).map_err(|_| unavailable("the name of the API is not known"))?;
            if !matches!(cluster.status(now), ClusterStatus::Active | ClusterStatus::Updating) {
                return Err(unavailable("the API does not answer"));
            }
            if !cluster.access_entries.contains_key(&role) {
                let message = "Unauthorized: the role has no access entry".to_owned();
                return Err(CloudError::AccessDenied { action: "kubernetes:Apply".to_owned(), message });
            }
            objects.iter().try_for_each(|object| admit(cluster, object))
        })
    }

    async fn token(&self, cluster: &str) -> CloudResult<EksToken> {
        let call = Call { service: "sts".to_owned(), operation: "GetCallerIdentity".to_owned() };
        self.perform(&call, None, |scene| {
            let token = SecretString::from(format!("k8s-aws-v1.simulated-{cluster}"));
            Ok(EksToken { token, expires_at: scene.now + TOKEN })
        })
    }
}

/// Keeps an object. One without kind or name, or in a namespace that is not there, is refused, as the API does.
fn admit(cluster: &mut SimulatedCluster, object: &Value) -> CloudResult<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
    if kind.is_empty() || name.is_empty() || !object["apiVersion"].is_string() {
        return Err(invalid("an object needs apiVersion, kind and metadata.name"));
    }
    let namespace = text(&object["metadata"]["namespace"]);
    let cluster_wide = CLUSTER_WIDE.contains(&kind.as_str());
    if !cluster_wide && !cluster.objects.contains_key(&format!("Namespace//{namespace}")) {
        return Err(invalid(format!("namespaces \"{namespace}\" not found")));
    }
    cluster.objects.insert(format!("{kind}/{namespace}/{name}"), object.clone());
    Ok(())
}

impl CloudSimulator {
    /// The agents that run in clusters. That no cluster of an ARN is among them any more means that it, or its nodes, are gone.
    #[must_use]
    pub fn agents(&self) -> Vec<AppliedAgent> {
        let (state, now) = (self.state(), self.now());
        let regions = state.accounts.values().flat_map(|account| account.regions.values());
        let clusters = regions.flat_map(|region| region.clusters.values());
        clusters.filter(|cluster| cluster.has_nodes(now)).filter_map(agent).collect()
    }

    /// What was applied to a cluster's Kubernetes API, by kind, namespace and name with slashes between them.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::NotFound`] when there is no such cluster.
    pub fn objects(&self, cluster_arn: &str) -> Result<std::collections::BTreeMap<String, Value>> {
        let state = self.state();
        let regions = state.accounts.values().flat_map(|account| account.regions.values());
        let mut clusters = regions.flat_map(|region| region.clusters.values());
        let cluster = clusters.find(|cluster| cluster.arn == cluster_arn);
        cluster.map(|cluster| cluster.objects.clone()).ok_or(mainsheet_core::Error::NotFound)
    }
}

/// The agent of a cluster: its deployment, with what that refers to (`infra/agent/kubernetes/base`).
fn agent(cluster: &SimulatedCluster) -> Option<AppliedAgent> {
    let named = |kind: &str| cluster.objects.get(&format!("{kind}/mainsheet/mainsheet-agent"));
    named("Deployment")?;
    named("ConfigMap")?;
    let token = named("Secret")?["stringData"]["registrationToken"].as_str()?;
    Some(AppliedAgent { cluster_arn: cluster.arn.clone(), registration_token: SecretString::from(token.to_owned()) })
}
