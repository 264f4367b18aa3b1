//! The customer's cloud: an account that the platform enters through a role of the customer's.
//!
//! [`CloudAccounts::open`] enters an account in one region; what it answers can be looked at ([`Discovery`]), built in through
//! CloudFormation ([`Stacks`]) and EKS ([`Clusters`]), and reaches into a cluster's Kubernetes API ([`KubernetesApi`]). The AWS
//! adapter is in `crate::aws`; the simulator that the embedded platform and the tests use is `shared/simulator`.
//!
//! Every call that makes something takes a [`ClientToken`] and tags. The same token makes the same thing once, however often
//! it is sent; what was made under another token is [`CloudError::AlreadyExists`].

mod action;
mod cluster;
mod discovery;
mod error;
mod kubeconfig;
mod kubernetes;
mod region_name;
mod stack;
mod template;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mainsheet_core::connection::RoleArn;
use mainsheet_core::region::Region;
use secrecy::SecretString;

pub use action::{Action, IMPLIED, SERVICE_ROLES, Scope};
pub use cluster::{
    AddOn, AddOnStatus, ClusterIssue, ClusterStatus, Clusters, EksCluster, NewAccessEntry, NewAddOn, NewCluster,
    NewNodeGroup, NodeGroup, NodeGroupStatus, NodeScaling, Update, UpdateStatus, UpdateTarget,
};
pub use discovery::{
    Architecture, CloudRegion, Discovery, InstanceType, InstanceTypeFilter, OwnedKind, OwnedResource, ProviderNetwork,
    Quota, QuotaKind, SYSTEM_PODS, SystemPods, Verification,
};
pub use error::{CloudError, CloudResult, found};
pub use kubeconfig::kubeconfig;
pub use kubernetes::{EksToken, KubernetesApi, KubernetesTarget};
pub use region_name::region_name;
pub use stack::{NewStack, Stack, StackEvent, StackResource, StackStatus, StackUpdate, Stacks};
pub use template::{Template, boundary_name, network_parameters};

/// What everything that the platform makes in a customer's account begins with; the role is limited to such names.
pub const NAME_PREFIX: &str = "mainsheet-";

/// The tag that says that something is the platform's, with [`SERVICE`] as its value.
pub const SERVICE_TAG: &str = "Service";
/// The value of [`SERVICE_TAG`].
pub const SERVICE: &str = "mainsheet";
/// The tag that names the connection that something was made for.
pub const CONNECTION_TAG: &str = "LakeSail-Connection";
/// The tag that names the organization that something was made for.
pub const TENANT_TAG: &str = "LakeSail-Tenant";
/// The tag that names the network, cluster or catalog that something was made for, as `<kind>/<id>`.
pub const RESOURCE_TAG: &str = "LakeSail-Resource";
/// The tag by which AWS counts what something costs for a partner's product (AWS Partner Revenue Measurement, "Manual
/// Implementation").
pub const PARTNER_TAG: &str = "aws-apn-id";

/// Tags of something in an account, by name.
pub type Tags = BTreeMap<String, String>;

/// Enters accounts.
#[async_trait]
pub trait CloudAccounts: Send + Sync {
    /// Enters an account through its role. May answer with a session that was opened before, while that is good for some time.
    ///
    /// # Errors
    /// [`CloudError::RoleNotAssumable`] when the role is gone, or does not trust the platform with this external id: AWS tells
    /// the two apart for nobody. [`CloudError::RegionUnavailable`] when the account has not enabled the region.
    async fn open(&self, access: &Access) -> CloudResult<Arc<dyn CloudAccount>>;
}

/// An account that was entered, in one region.
pub trait CloudAccount: Discovery + Stacks + Clusters + KubernetesApi {}

impl<T: Discovery + Stacks + Clusters + KubernetesApi> CloudAccount for T {}

/// What it takes to enter an account.
#[derive(Debug, Clone)]
pub struct Access {
    /// The customer's role.
    pub role_arn: RoleArn,
    /// What the role demands of whoever assumes it.
    pub external_id: SecretString,
    /// Where to work.
    pub region: Region,
    /// What the session is called in the customer's audit trail: 2 to 64 letters, digits and `=,.@-`. One for each operation or
    /// request, so that each can be found there.
    pub session_name: String,
}

/// What makes a call that creates something one call, however often it is sent: 1 to 64 letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ClientToken(String);

impl ClientToken {
    /// The most characters that every service takes (Amazon EKS, `clientRequestToken`).
    const MAX: usize = 64;

    /// A token made of `text`: what no service takes becomes a hyphen, and what is too long is cut.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let allowed = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        Self(text.chars().take(Self::MAX).map(allowed).collect())
    }

    /// As it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
