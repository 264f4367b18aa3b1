//! The Kubernetes API of a cluster in an account.

use async_trait::async_trait;
use mainsheet_core::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::CloudResult;

/// Reaches into clusters, with the role's own rights: it has to have an access entry.
#[async_trait]
pub trait KubernetesApi: Send + Sync {
    /// Makes objects be so, in order, by server-side apply as the field manager `mainsheet`, taking fields over from others.
    /// Applying them again changes nothing.
    ///
    /// # Errors
    /// [`super::CloudError::AccessDenied`] when the role has no access entry or not enough of one;
    /// [`super::CloudError::Unavailable`] while the API does not answer; [`super::CloudError::Invalid`] for an object that it
    /// does not take.
    async fn apply(&self, target: &KubernetesTarget, objects: &[Value]) -> CloudResult<()>;

    /// What a cluster's API takes as bearer token: a presigned request of `sts:GetCallerIdentity` that names the cluster, good for
    /// 15 minutes at most (aws-iam-authenticator, API authorization from outside a cluster).
    ///
    /// # Errors
    /// [`super::CloudError::RoleNotAssumable`] when the session is over and no other is to be had.
    async fn token(&self, cluster: &str) -> CloudResult<EksToken>;
}

/// Where a cluster's Kubernetes API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesTarget {
    /// The cluster.
    pub cluster: String,
    /// Where its API answers.
    pub endpoint: String,
    /// The certificate that it answers with, as base64 of PEM.
    pub certificate_authority: String,
}

/// A bearer token of a cluster's API.
#[derive(Debug, Clone)]
pub struct EksToken {
    /// The token: `k8s-aws-v1.` and more.
    pub token: SecretString,
    /// When it is good no more.
    pub expires_at: Timestamp,
}
