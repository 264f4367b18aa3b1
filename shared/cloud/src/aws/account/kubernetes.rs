//! The Kubernetes API of clusters on EKS.

use std::time::Duration;

use async_trait::async_trait;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::Session;
use crate::account::{CloudError, CloudResult, Clusters, EksToken, KubernetesApi, KubernetesTarget};

/// The owner of the fields that are applied.
const FIELD_MANAGER: &str = "mainsheet";
/// As IAM would call it, for messages.
const APPLY: &str = "kubernetes:Apply";
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

#[async_trait]
impl KubernetesApi for Session {
    async fn apply(&self, target: &KubernetesTarget, objects: &[Value]) -> CloudResult<()> {
        let token = self.token(&target.cluster).await?;
        let client = client(target, &token).await?;
        let params = PatchParams::apply(FIELD_MANAGER).force();
        for object in objects {
            let (api, name) = place(&client, object)?;
            if let Err(error) = api.patch(name, &params, &Patch::Apply(object)).await {
                return Err(self.refused(target, object, error).await);
            }
        }
        Ok(())
    }

    async fn token(&self, cluster: &str) -> CloudResult<EksToken> {
        self.cluster_token(cluster).await
    }
}

async fn client(target: &KubernetesTarget, token: &EksToken) -> CloudResult<Client> {
    let name = &target.cluster;
    let kubeconfig = json!({
        "current-context": name,
        "clusters": [{ "name": name, "cluster": {
            "server": target.endpoint,
            "certificate-authority-data": target.certificate_authority,
        } }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "users": [{ "name": name, "user": { "token": token.token.expose_secret() } }],
    });
    let unusable =
        |error: String| CloudError::Invalid { message: format!("the API of {name} cannot be called: {error}") };
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).map_err(|error| unusable(error.to_string()))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|error| unusable(error.to_string()))?;
    config.read_timeout = Some(ANSWER);
    // A cluster that is overloaded is the workflow's to wait for: here it would outlast the function.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| unusable(error.to_string()))
}

/// Where an object belongs. Those of a namespace say which: the platform's own manifests all do.
fn place<'o>(client: &Client, object: &'o Value) -> CloudResult<(Api<DynamicObject>, &'o str)> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (Some(version), Some(kind), Some(name)) = (text("/apiVersion"), text("/kind"), text("/metadata/name")) else {
        return Err(CloudError::Invalid { message: "an object without apiVersion, kind or name".to_owned() });
    };
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api = match text("/metadata/namespace") {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    Ok((api, name))
}

impl Session {
    async fn refused(&self, target: &KubernetesTarget, object: &Value, error: kube::Error) -> CloudError {
        let kube::Error::Api(status) = error else {
            return CloudError::Unavailable { message: format!("the API of {}: {error}", target.cluster) };
        };
        let kind = object["kind"].as_str().unwrap_or_default();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let message = format!("{kind} {name}: {}", status.message);
        match status.code {
            401 => self.unknown_to(target, message).await,
            403 => CloudError::AccessDenied { action: APPLY.to_owned(), message },
            404 => CloudError::NotFound { what: format!("what {kind} {name} belongs to") },
            409 => CloudError::Conflict { message },
            429 => CloudError::Throttled {
                retry_after: status
                    .details
                    .as_ref()
                    .map(|details| u64::from(details.retry_after_seconds))
                    .filter(|seconds| *seconds > 0)
                    .map(Duration::from_secs),
            },
            408 | 500.. => CloudError::Unavailable { message },
            _ => CloudError::Invalid { message },
        }
    }

    /// A cluster hears of its access entries some time after they were made: with one, being unknown passes.
    async fn unknown_to(&self, target: &KubernetesTarget, message: String) -> CloudError {
        match self.access_entries(&target.cluster).await {
            Ok(entries) if entries.iter().any(|entry| entry == self.role_arn().as_str()) => {
                CloudError::Unavailable { message }
            }
            Ok(_) => CloudError::AccessDenied { action: APPLY.to_owned(), message },
            Err(error) => error,
        }
    }
}
