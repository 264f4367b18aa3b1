//! EKS clusters, with what belongs to them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Architecture, ClientToken, CloudResult, Tags};

/// Builds, changes and removes clusters. All of it takes its time: a call begins it, and looking tells how far it is.
///
/// Errors besides those of every call: [`super::CloudError::NotFound`] when the cluster, or what of it is asked for, is not there;
/// [`super::CloudError::AlreadyExists`] when something of the name was made under another token;
/// [`super::CloudError::Conflict`] when its state, or something that stands on it, does not allow the call.
#[async_trait]
pub trait Clusters: Send + Sync {
    /// Begins to create a cluster's control plane.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn create_cluster(&self, cluster: &NewCluster) -> CloudResult<EksCluster>;

    /// A cluster as it is now.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn cluster(&self, name: &str) -> CloudResult<EksCluster>;

    /// Begins to bring a control plane to the next minor version, and answers the update's id.
    ///
    /// # Errors
    /// See [`Clusters`]; [`super::CloudError::Invalid`] for any other version.
    async fn update_cluster_version(&self, name: &str, version: &str, token: &ClientToken) -> CloudResult<String>;

    /// Begins to change where a cluster's API may be reached from, and answers the update's id.
    ///
    /// # Errors
    /// See [`Clusters`]; [`super::CloudError::Invalid`] when it is so already.
    async fn update_public_access(&self, name: &str, cidrs: &[String], token: &ClientToken) -> CloudResult<String>;

    /// Begins to delete a cluster. Its node groups go first. Deleting one that is being deleted changes nothing.
    ///
    /// # Errors
    /// See [`Clusters`]; [`super::CloudError::Conflict`] while it has node groups.
    async fn delete_cluster(&self, name: &str) -> CloudResult<()>;

    /// Begins to create a node group.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn create_node_group(&self, group: &NewNodeGroup) -> CloudResult<NodeGroup>;

    /// A node group as it is now.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn node_group(&self, cluster: &str, name: &str) -> CloudResult<NodeGroup>;

    /// The names of a cluster's node groups, whoever made them.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn node_groups(&self, cluster: &str) -> CloudResult<Vec<String>>;

    /// Begins to bring a node group's nodes to the control plane's version, one after the other, and answers the update's id.
    ///
    /// # Errors
    /// See [`Clusters`]; [`super::CloudError::Invalid`] for a version that is not the control plane's.
    async fn update_node_group_version(
        &self,
        cluster: &str,
        name: &str,
        version: &str,
        token: &ClientToken,
    ) -> CloudResult<String>;

    /// Begins to change how many nodes a group has, and answers the update's id.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn scale_node_group(
        &self,
        cluster: &str,
        name: &str,
        scaling: NodeScaling,
        token: &ClientToken,
    ) -> CloudResult<String>;

    /// Begins to delete a node group. Deleting one that is being deleted changes nothing.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn delete_node_group(&self, cluster: &str, name: &str) -> CloudResult<()>;

    /// How far an update is.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn update(&self, cluster: &str, target: &UpdateTarget, id: &str) -> CloudResult<Update>;

    /// Lets a role into a cluster's Kubernetes API, as its administrator. Done at once.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn create_access_entry(&self, entry: &NewAccessEntry) -> CloudResult<()>;

    /// The roles that may use a cluster's Kubernetes API.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn access_entries(&self, cluster: &str) -> CloudResult<Vec<String>>;

    /// Lets a role into a cluster's Kubernetes API no more.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn delete_access_entry(&self, cluster: &str, principal_arn: &str) -> CloudResult<()>;

    /// Begins to install an add-on, in the version that EKS has as default for the cluster's.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn create_add_on(&self, add_on: &NewAddOn) -> CloudResult<AddOn>;

    /// An add-on as it is now.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn add_on(&self, cluster: &str, name: &str) -> CloudResult<AddOn>;

    /// Begins to bring an add-on to the version that EKS has as default for the cluster's version, and answers the update's id;
    /// `None` when it has that.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn update_add_on(&self, cluster: &str, name: &str, token: &ClientToken) -> CloudResult<Option<String>>;

    /// Begins to remove an add-on.
    ///
    /// # Errors
    /// See [`Clusters`].
    async fn delete_add_on(&self, cluster: &str, name: &str) -> CloudResult<()>;
}

/// A cluster to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCluster {
    /// Its name: at most 100 letters, digits, `-` and `_`, beginning with [`super::NAME_PREFIX`].
    pub name: String,
    /// The minor version of Kubernetes, as in `1.35`.
    pub version: String,
    /// The role that the control plane has.
    pub role_arn: String,
    /// Subnets of at least two zones.
    pub subnet_ids: Vec<String>,
    /// Where its API may be reached from; from anywhere when empty.
    pub public_access_cidrs: Vec<String>,
    /// Its tags.
    pub tags: Tags,
    /// What makes it one cluster.
    pub token: ClientToken,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EksCluster {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Where it stands.
    pub status: ClusterStatus,
    /// The minor version of its control plane.
    pub version: String,
    /// Where its API answers, once it is active.
    pub endpoint: Option<String>,
    /// The certificate that its API answers with, as base64 of PEM, once it is active.
    pub certificate_authority: Option<String>,
    /// Who issues its pods' identities (an `https://` URL), once it is active.
    pub oidc_issuer: Option<String>,
    /// The VPC that it is in.
    pub vpc_id: Option<String>,
    /// Where its API may be reached from.
    pub public_access_cidrs: Vec<String>,
    /// What is wrong with it.
    pub issues: Vec<ClusterIssue>,
    /// Its tags.
    pub tags: Tags,
}

/// Where a cluster stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClusterStatus {
    /// It is being made.
    Creating,
    /// It works.
    Active,
    /// It works, and is being changed.
    Updating,
    /// It is being deleted.
    Deleting,
    /// It could not be made.
    Failed,
}

/// Something that is wrong with a cluster, a node group or an add-on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterIssue {
    /// As EKS calls it, as in `Ec2SubnetNotFound` or `InsufficientFreeAddresses`.
    pub code: String,
    /// For people.
    pub message: String,
}

/// A node group to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNodeGroup {
    /// The cluster.
    pub cluster: String,
    /// Its name: at most 63 letters, digits, `-` and `_`.
    pub name: String,
    /// The role that its nodes have.
    pub node_role_arn: String,
    /// Where its nodes are.
    pub subnet_ids: Vec<String>,
    /// What its nodes may be, most wanted first; all of one architecture.
    pub instance_types: Vec<String>,
    /// The architecture of those.
    pub architecture: Architecture,
    /// The size of each node's disk in GiB.
    pub disk_size_gib: u32,
    /// How many nodes.
    pub scaling: NodeScaling,
    /// Its tags.
    pub tags: Tags,
    /// What makes it one node group.
    pub token: ClientToken,
}

/// How many nodes a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeScaling {
    /// At least.
    pub min: u32,
    /// At present.
    pub desired: u32,
    /// At most.
    pub max: u32,
}

/// A node group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeGroup {
    /// The cluster.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Where it stands.
    pub status: NodeGroupStatus,
    /// The minor version of its nodes.
    pub version: String,
    /// What its nodes may be.
    pub instance_types: Vec<String>,
    /// How many nodes.
    pub scaling: NodeScaling,
    /// What is wrong with it.
    pub issues: Vec<ClusterIssue>,
    /// Its tags.
    pub tags: Tags,
}

/// Where a node group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NodeGroupStatus {
    /// It is being made.
    Creating,
    /// Its nodes work.
    Active,
    /// It is being changed.
    Updating,
    /// It is being deleted.
    Deleting,
    /// It could not be made.
    CreateFailed,
    /// It could not be deleted.
    DeleteFailed,
    /// Something is wrong with it.
    Degraded,
}

/// What an update is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateTarget {
    /// The control plane.
    ControlPlane,
    /// A node group.
    NodeGroup(String),
    /// An add-on.
    AddOn(String),
}

/// How far an update is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub status: UpdateStatus,
    /// Why it failed.
    pub issues: Vec<ClusterIssue>,
}

/// Where an update stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateStatus {
    /// It is being made.
    InProgress,
    /// It was made.
    Successful,
    /// It was not; what it was to change is as before.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

/// A role to be let into a cluster's Kubernetes API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccessEntry {
    /// The cluster.
    pub cluster: String,
    /// The role's ARN, not that of a session.
    pub principal_arn: String,
    /// Its tags.
    pub tags: Tags,
    /// What makes it one entry.
    pub token: ClientToken,
}

/// An add-on to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAddOn {
    /// The cluster.
    pub cluster: String,
    /// As EKS calls it, as in `vpc-cni`.
    pub name: String,
    /// The role that its pods have, where they need one.
    pub role_arn: Option<String>,
    /// What is to be different from its defaults, in JSON that fits the add-on's schema.
    pub configuration: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// What makes it one add-on.
    pub token: ClientToken,
}

/// An add-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddOn {
    /// As EKS calls it.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its version, as in `v1.20.4-eksbuild.1`.
    pub version: String,
    /// Where it stands.
    pub status: AddOnStatus,
    /// What is wrong with it.
    pub issues: Vec<ClusterIssue>,
}

/// Where an add-on stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AddOnStatus {
    /// It is being installed.
    Creating,
    /// It works.
    Active,
    /// It could not be installed.
    CreateFailed,
    /// It is being changed.
    Updating,
    /// It could not be changed.
    UpdateFailed,
    /// It is being removed.
    Deleting,
    /// It could not be removed.
    DeleteFailed,
    /// Its pods do not work; where it needs nodes, there are too few.
    Degraded,
}
