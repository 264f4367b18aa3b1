//! Managed Kubernetes clusters in customers' accounts. The logical cluster in front of one has the same id.

use std::fmt;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::operation::ResourceRef;
use crate::provisioning::{Provisioned, Provisioning};
use crate::region::Region;
use crate::{ClusterId, ConnectionId, FieldErrors, NetworkId, Result, Timestamp};

/// The minor versions of Kubernetes 1 that a cluster can have, oldest first.
pub const KUBERNETES_MINORS: [u8; 3] = [33, 34, 35];
/// The most nodes of a node group (AWS, Amazon EKS service quotas).
pub const MAX_NODES: u16 = 450;
/// The most blocks of addresses that may reach a cluster's API (AWS, Amazon EKS service quotas).
pub const MAX_PUBLIC_ACCESS_CIDRS: usize = 40;

/// A provisioned cluster, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvisionedCluster {
    /// Its id, and that of the logical cluster that is in front of it while it is there.
    pub id: ClusterId,
    /// The account that it is in.
    pub connection_id: ConnectionId,
    /// The network that it is in.
    pub network_id: NetworkId,
    /// Its name, which is the logical cluster's: unique in the organization among what is not destroyed.
    pub name: String,
    /// Where it is: its network's.
    pub region: Region,
    /// What it is made of, as far as that is known: what was provisioned, and each change once it was made.
    pub config: ClusterConfig,
    /// What the update that is under way makes of it.
    pub target: Option<ClusterConfig>,
    /// What the provider calls it, once there is something to call.
    pub provider: Option<ProviderCluster>,
    /// The role that its jobs have, once there is one.
    pub job_runner_role_arn: Option<String>,
    /// What came of looking at its health.
    pub health: Option<LastHealth>,
    /// Where it stands.
    pub provisioning: Provisioning,
}

impl Provisioned for ProvisionedCluster {
    fn reference(&self) -> ResourceRef {
        ResourceRef::Cluster(self.id.clone())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn connection_id(&self) -> &ConnectionId {
        &self.connection_id
    }

    fn network_id(&self) -> Option<&NetworkId> {
        Some(&self.network_id)
    }

    fn provisioning(&self) -> &Provisioning {
        &self.provisioning
    }

    fn provisioning_mut(&mut self) -> &mut Provisioning {
        &mut self.provisioning
    }

    fn settle(&mut self, succeeded: bool) {
        if let Some(target) = self.target.take().filter(|_| succeeded) {
            self.config = target;
        }
    }
}

/// A cluster as its provider knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderCluster {
    /// Its name there.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Where its API answers, once it does.
    pub endpoint: Option<String>,
    /// The certificate that its API answers with, as base64 of PEM, once it does.
    pub certificate_authority: Option<String>,
}

/// What came of looking at a cluster's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastHealth {
    /// What was found.
    pub status: HealthStatus,
    /// Why, for a person.
    pub message: Option<String>,
    /// When.
    pub checked_at: Timestamp,
}

/// How a cluster is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All that there should be is there and works.
    Healthy,
    /// It works, and something of it does not.
    Degraded,
    /// It does not work.
    Unhealthy,
    /// Nobody could look.
    Unknown,
}

/// What a cluster is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterConfig {
    /// The version of its control plane and nodes.
    #[garde(skip)]
    pub kubernetes_version: KubernetesVersion,
    /// The nodes that hold what the cluster itself needs.
    #[garde(dive)]
    pub system_node_group: SystemNodeGroup,
    /// Where its API may be reached from, as blocks of addresses, at most 40; from anywhere when empty.
    #[serde(default)]
    #[garde(length(max = MAX_PUBLIC_ACCESS_CIDRS))]
    #[schema(max_items = 40)]
    pub public_access_cidrs: Vec<AccessCidr>,
}

/// The nodes that hold what a cluster itself needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SystemNodeGroup {
    /// Its name: letters, digits, `-` and `_`; `system` unless given. It stays what it is.
    #[serde(default = "SystemNodeGroup::default_name")]
    #[garde(length(bytes, min = 1, max = 63), pattern("^[A-Za-z0-9][A-Za-z0-9_-]*$"))]
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", examples("system"))]
    pub name: String,
    /// What its nodes may be, most wanted first; `m7g.large` unless given. All are of one architecture.
    #[serde(default = "SystemNodeGroup::default_instance_types")]
    #[garde(length(min = 1, max = 20), inner(length(bytes, max = 64), pattern("^[a-z0-9-]+\\.[a-z0-9-]+$")))]
    #[schema(min_items = 1, max_items = 20, examples(json!(["m7g.large", "m7g.xlarge"])))]
    pub instance_types: Vec<String>,
    /// The fewest nodes, at least 1.
    #[garde(range(min = 1, max = MAX_NODES))]
    #[schema(minimum = 1, maximum = 450)]
    pub min_size: u16,
    /// The most nodes, at most 450.
    #[garde(range(min = 1, max = MAX_NODES))]
    #[schema(minimum = 1, maximum = 450)]
    pub max_size: u16,
    /// How many nodes there are to be, `minSize` to `maxSize`.
    #[garde(range(min = 1, max = MAX_NODES))]
    #[schema(minimum = 1, maximum = 450)]
    pub desired_size: u16,
    /// The size of each node's disk in GB, 20 to 16384; 100 unless given.
    #[serde(default = "SystemNodeGroup::default_disk_size")]
    #[garde(range(min = 20, max = 16384))]
    #[schema(minimum = 20, maximum = 16384)]
    pub disk_size_gb: u16,
}

impl SystemNodeGroup {
    fn default_name() -> String {
        "system".to_owned()
    }

    fn default_instance_types() -> Vec<String> {
        vec!["m7g.large".to_owned()]
    }

    fn default_disk_size() -> u16 {
        100
    }
}

impl ClusterConfig {
    /// What a new cluster is made of has to make sense; `field` is where it stands in the request.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] that names the fields.
    pub fn check(&self, field: &str) -> Result<()> {
        let group = &self.system_node_group;
        let mut errors = FieldErrors::default();
        if group.min_size > group.max_size {
            errors.add(format!("{field}.systemNodeGroup.maxSize"), "must not be less than `minSize`");
        } else if !(group.min_size..=group.max_size).contains(&group.desired_size) {
            errors.add(format!("{field}.systemNodeGroup.desiredSize"), "must be from `minSize` to `maxSize`");
        }
        errors.into_result()
    }

    /// Whether a cluster that is made of this can be changed into `target`: its version one minor at a time and never down, the
    /// node group's size. Its name, instance types and disks stay: nodes would have to be replaced.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] that names the fields.
    pub fn check_update(&self, target: &Self, field: &str) -> Result<()> {
        target.check(field)?;
        let mut errors = FieldErrors::default();
        let (from, to) = (self.kubernetes_version, target.kubernetes_version);
        if to < from {
            errors.add(format!("{field}.kubernetesVersion"), format!("must not go back: the cluster has {from}"));
        } else if to.0 > from.0 + 1 {
            let next = KubernetesVersion(from.0 + 1);
            let message = format!("goes up one minor version at a time: the cluster has {from}, next is {next}");
            errors.add(format!("{field}.kubernetesVersion"), message);
        }
        let (was, is) = (&self.system_node_group, &target.system_node_group);
        for (name, same) in [
            ("name", was.name == is.name),
            ("instanceTypes", was.instance_types == is.instance_types),
            ("diskSizeGb", was.disk_size_gb == is.disk_size_gb),
        ] {
            if !same {
                errors.add(format!("{field}.systemNodeGroup.{name}"), "cannot be changed; make another cluster");
            }
        }
        errors.into_result()
    }
}

/// A version of Kubernetes that clusters can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^1\\.[0-9]{2}$", examples("1.35"))]
pub struct KubernetesVersion(u8);

/// A version that no cluster can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of 1.33, 1.34 and 1.35")]
pub struct UnsupportedVersion;

impl KubernetesVersion {
    /// All of them, oldest first.
    pub fn supported() -> impl Iterator<Item = Self> {
        KUBERNETES_MINORS.into_iter().map(Self)
    }

    /// Its number after the `1.`.
    #[must_use]
    pub fn minor(self) -> u8 {
        self.0
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "1.{}", self.0)
    }
}

impl FromStr for KubernetesVersion {
    type Err = UnsupportedVersion;

    fn from_str(text: &str) -> Result<Self, UnsupportedVersion> {
        Self::supported().find(|version| version.to_string() == text).ok_or(UnsupportedVersion)
    }
}

impl TryFrom<String> for KubernetesVersion {
    type Error = UnsupportedVersion;

    fn try_from(text: String) -> Result<Self, UnsupportedVersion> {
        text.parse()
    }
}

impl From<KubernetesVersion> for String {
    fn from(version: KubernetesVersion) -> Self {
        version.to_string()
    }
}

/// A block of addresses that may reach a cluster's API: any but private ones, which never arrive from outside (Amazon EKS,
/// cluster endpoint access).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, max_length = 18, examples("203.0.113.0/24"))]
pub struct AccessCidr(Ipv4Net);

/// A text that is no block of public addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a block of public IPv4 addresses, as in `203.0.113.0/24`")]
pub struct InvalidAccessCidr;

impl FromStr for AccessCidr {
    type Err = InvalidAccessCidr;

    fn from_str(text: &str) -> Result<Self, InvalidAccessCidr> {
        let block: Ipv4Net = text.parse().map_err(|_| InvalidAccessCidr)?;
        let reserved = block.addr().is_private() || block.addr().is_loopback() || block.addr().is_link_local();
        if block.addr() == block.network() && !reserved { Ok(Self(block)) } else { Err(InvalidAccessCidr) }
    }
}

impl fmt::Display for AccessCidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TryFrom<String> for AccessCidr {
    type Error = InvalidAccessCidr;

    fn try_from(text: String) -> Result<Self, InvalidAccessCidr> {
        text.parse()
    }
}

impl From<AccessCidr> for String {
    fn from(block: AccessCidr) -> Self {
        block.to_string()
    }
}

impl ProvisionedCluster {
    /// An update begins.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for what it cannot be changed into.
    pub fn aim(&mut self, target: ClusterConfig, field: &str) -> Result<()> {
        self.config.check_update(&target, field)?;
        self.target = Some(target);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn config(version: &str, (min_size, desired_size, max_size): (u16, u16, u16)) -> ClusterConfig {
        ClusterConfig {
            kubernetes_version: version.parse().unwrap(),
            system_node_group: SystemNodeGroup {
                name: SystemNodeGroup::default_name(),
                instance_types: SystemNodeGroup::default_instance_types(),
                min_size,
                max_size,
                desired_size,
                disk_size_gb: SystemNodeGroup::default_disk_size(),
            },
            public_access_cidrs: Vec::new(),
        }
    }

    fn refused(result: Result<()>) -> Vec<String> {
        match result {
            Err(Error::Invalid(errors)) => errors.iter().map(|(field, _)| field.to_owned()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn versions_go_up_one_minor_at_a_time() {
        let sizes = (1, 2, 3);
        for (from, to) in [("1.33", "1.33"), ("1.33", "1.34"), ("1.34", "1.35")] {
            assert_eq!(config(from, sizes).check_update(&config(to, sizes), "config"), Ok(()));
        }
        for (from, to) in [("1.33", "1.35"), ("1.35", "1.34")] {
            let refusal = refused(config(from, sizes).check_update(&config(to, sizes), "config"));
            assert_eq!(refusal, ["config.kubernetesVersion"]);
        }
        for text in ["1.32", "1.36", "1.034", "2.34", "latest", ""] {
            assert_eq!(text.parse::<KubernetesVersion>(), Err(UnsupportedVersion), "{text}");
        }
    }

    #[test]
    fn node_groups_have_sizes_that_fit() {
        assert_eq!(config("1.35", (1, 1, 1)).check("config"), Ok(()));
        assert_eq!(refused(config("1.35", (1, 4, 3)).check("config")), ["config.systemNodeGroup.desiredSize"]);
        assert_eq!(refused(config("1.35", (2, 1, 3)).check("config")), ["config.systemNodeGroup.desiredSize"]);
        assert_eq!(refused(config("1.35", (3, 3, 2)).check("config")), ["config.systemNodeGroup.maxSize"]);
        let mut other = config("1.35", (1, 2, 3));
        other.system_node_group.disk_size_gb = 50;
        let refusal = refused(config("1.35", (1, 2, 3)).check_update(&other, "config"));
        assert_eq!(refusal, ["config.systemNodeGroup.diskSizeGb"]);
    }

    #[test]
    fn apis_are_reached_from_public_addresses() {
        for text in ["203.0.113.0/24", "0.0.0.0/0", "198.51.100.7/32"] {
            assert_eq!(text.parse::<AccessCidr>().unwrap().to_string(), text);
        }
        for text in ["10.0.0.0/8", "203.0.113.1/24", "127.0.0.1/32", "anywhere"] {
            assert_eq!(text.parse::<AccessCidr>(), Err(InvalidAccessCidr), "{text}");
        }
    }
}
