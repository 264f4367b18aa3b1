//! What an account has: regions, machines, networks, quotas, and what in it is the platform's.

use async_trait::async_trait;
use mainsheet_core::ConnectionId;
use mainsheet_core::connection::AccountId;
use mainsheet_core::region::Region;
use serde::{Deserialize, Serialize};

use super::{CloudResult, Tags};

/// Looks around in an account.
#[async_trait]
pub trait Discovery: Send + Sync {
    /// Who the platform is in the account, and what of the permissions that it needs is missing.
    ///
    /// # Errors
    /// Those of every call: see [`super::CloudError`].
    async fn verify(&self) -> CloudResult<Verification>;

    /// The regions that the account has enabled, by code.
    ///
    /// # Errors
    /// Those of every call.
    async fn regions(&self) -> CloudResult<Vec<CloudRegion>>;

    /// The kinds of machines that this region offers and EKS can have as nodes, by name.
    ///
    /// # Errors
    /// Those of every call.
    async fn instance_types(&self, filter: &InstanceTypeFilter) -> CloudResult<Vec<InstanceType>>;

    /// The networks (VPCs) that are in this region, whoever made them.
    ///
    /// # Errors
    /// Those of every call.
    async fn provider_networks(&self) -> CloudResult<Vec<ProviderNetwork>>;

    /// The quotas of this region that networks and clusters use up.
    ///
    /// # Errors
    /// Those of every call.
    async fn quotas(&self) -> CloudResult<Vec<Quota>>;

    /// What in this region was made for a connection, by its tag [`super::CONNECTION_TAG`]: stacks and clusters, and the node
    /// groups of those clusters. All else is inside of these.
    ///
    /// # Errors
    /// Those of every call.
    async fn owned(&self, connection: &ConnectionId) -> CloudResult<Vec<OwnedResource>>;
}

/// What came of looking who the platform is in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The account.
    pub account_id: AccountId,
    /// The stack that made the role, where the role was made by one.
    pub stack_arn: Option<String>,
    /// The policy that is the role's permissions boundary, by its name.
    pub boundary_name: Option<String>,
    /// Actions, as in IAM policies, that the platform needs and the role does not permit. The account is good when there are none.
    pub missing_actions: Vec<String>,
}

/// A region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudRegion {
    /// As in `eu-central-1`.
    pub code: Region,
    /// For people, as in `Europe (Frankfurt)`; the code where there is no name.
    pub name: String,
    /// The part of the world, as in `Europe`.
    pub group: String,
}

/// The instruction set of machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// As AWS and the contract write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// Which machines are wanted. `None` means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceTypeFilter {
    /// Of this architecture.
    pub architecture: Option<Architecture>,
    /// With so many virtual processors or more.
    pub min_vcpus: Option<u32>,
    /// With so much memory or more.
    pub min_memory_mib: Option<u64>,
}

impl InstanceTypeFilter {
    /// Whether a machine is wanted.
    #[must_use]
    pub fn admits(&self, machine: &InstanceType) -> bool {
        self.architecture.is_none_or(|wanted| wanted == machine.architecture)
            && self.min_vcpus.is_none_or(|least| machine.vcpus >= least)
            && self.min_memory_mib.is_none_or(|least| machine.memory_mib >= least)
    }
}

/// A kind of machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    /// As in `m7g.large`.
    pub name: String,
    /// Its virtual processors.
    pub vcpus: u32,
    /// Its memory.
    pub memory_mib: u64,
    /// Its architecture.
    pub architecture: Architecture,
    /// Its GPUs.
    pub gpus: u32,
    /// The network interfaces that it can have.
    pub network_interfaces: u32,
    /// The IPv4 addresses that each of them can have.
    pub addresses_per_interface: u32,
}

impl InstanceType {
    /// As in `m7g`.
    #[must_use]
    pub fn family(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// The most pods of a node: each has an address of an interface, whose first it keeps; two pods use the node's own
    /// (Amazon EKS, maximum pods per node; 110 up to 30 processors, 250 beyond).
    #[must_use]
    pub fn max_pods(&self) -> u32 {
        let most = if self.vcpus > 30 { 250 } else { 110 };
        (self.network_interfaces * self.addresses_per_interface.saturating_sub(1) + 2).min(most)
    }

    /// What pods may have of its processors, in thousandths of one: EKS reserves 6 % of the first, 1 % of the second, 0.5 % of
    /// the next two and 0.25 % of all others for the kubelet (Amazon EKS, `bootstrap.sh`, `get_cpu_millicores_to_reserve`).
    #[must_use]
    pub fn allocatable_milli_cpu(&self) -> u32 {
        let reserved: u32 = (1..=self.vcpus)
            .map(|processor| match processor {
                1 => 6_000,
                2 => 1_000,
                3 | 4 => 500,
                _ => 250,
            })
            .sum();
        self.vcpus * 1_000 - reserved / 100
    }
}

/// What the cluster's own pods use, to reckon what is left for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemPods {
    /// Pods on every node: network, proxy, identities of pods.
    pub per_node: u32,
    /// Pods on every system node besides.
    pub per_system_node: u32,
    /// Pods that a cluster has once: name service twice, the agent.
    pub fixed: u32,
    /// Room to leave for such pods on every node.
    pub per_node_margin: u32,
    /// Room to leave for such pods in the cluster.
    pub fixed_margin: u32,
    /// What they ask for on every node, in thousandths of a processor.
    pub milli_cpu_per_node: u32,
    /// What they ask for once, in thousandths of a processor.
    pub milli_cpu_fixed: u32,
}

/// By the add-ons and the agent that the platform installs: `vpc-cni` 50m and `kube-proxy` 100m on every node, `coredns`
/// 100m twice, the agent 100m.
pub const SYSTEM_PODS: SystemPods = SystemPods {
    per_node: 3,
    per_system_node: 0,
    fixed: 3,
    per_node_margin: 1,
    fixed_margin: 1,
    milli_cpu_per_node: 150,
    milli_cpu_fixed: 300,
};

/// A network (VPC) that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderNetwork {
    /// As in `vpc-0123456789abcdef0`.
    pub id: String,
    /// Its addresses; its first block where it has several.
    pub cidr: String,
    /// Its tag `Name`, or empty.
    pub name: String,
    /// In how many zones it has subnets.
    pub zones: u32,
    /// As the provider says: `available` or `pending`.
    pub state: String,
    /// Its tags.
    pub tags: Tags,
}

/// A quota that networks and clusters use up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Which one.
    pub kind: QuotaKind,
    /// What the account may have.
    pub limit: u64,
    /// What it has; `None` where the provider does not tell.
    pub used: Option<u64>,
}

/// Which quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKind {
    /// VPCs of a region.
    Vpcs,
    /// Internet gateways of a region.
    InternetGateways,
    /// NAT gateways of a zone.
    NatGatewaysPerZone,
    /// Elastic addresses of a region.
    ElasticIps,
    /// EKS clusters of a region.
    Clusters,
    /// Virtual processors of running standard machines (A, C, D, H, I, M, R, T, Z) of a region.
    StandardVcpus,
}

impl QuotaKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Vpcs,
        Self::InternetGateways,
        Self::NatGatewaysPerZone,
        Self::ElasticIps,
        Self::Clusters,
        Self::StandardVcpus,
    ];

    /// The service and the code that AWS Service Quotas knows it by: where to ask for more.
    #[must_use]
    pub const fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::Vpcs => ("vpc", "L-F678F1CE"),
            Self::InternetGateways => ("vpc", "L-A4707A72"),
            Self::NatGatewaysPerZone => ("vpc", "L-FE5A380F"),
            Self::ElasticIps => ("ec2", "L-0263D0A3"),
            Self::Clusters => ("eks", "L-1194D53C"),
            Self::StandardVcpus => ("ec2", "L-1216C47A"),
        }
    }

    /// What it counts, for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vpcs => "VPCs per region",
            Self::InternetGateways => "internet gateways per region",
            Self::NatGatewaysPerZone => "NAT gateways per availability zone",
            Self::ElasticIps => "EC2-VPC Elastic IPs",
            Self::Clusters => "EKS clusters",
            Self::StandardVcpus => "running on-demand standard instances (vCPUs)",
        }
    }
}

/// Something in an account that was made for a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedResource {
    /// What it is.
    pub kind: OwnedKind,
    /// Its name; of a node group `<cluster>/<node group>`.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: Tags,
}

/// What something in an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OwnedKind {
    /// A CloudFormation stack.
    #[serde(rename = "AWS::CloudFormation::Stack")]
    Stack,
    /// An EKS cluster.
    #[serde(rename = "AWS::EKS::Cluster")]
    Cluster,
    /// A node group of an EKS cluster.
    #[serde(rename = "AWS::EKS::Nodegroup")]
    NodeGroup,
}

impl OwnedKind {
    /// As CloudFormation calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stack => "AWS::CloudFormation::Stack",
            Self::Cluster => "AWS::EKS::Cluster",
            Self::NodeGroup => "AWS::EKS::Nodegroup",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(vcpus: u32, network_interfaces: u32, addresses_per_interface: u32) -> InstanceType {
        InstanceType {
            name: "m7g.large".to_owned(),
            vcpus,
            memory_mib: 8_192,
            architecture: Architecture::Arm64,
            gpus: 0,
            network_interfaces,
            addresses_per_interface,
        }
    }

    #[test]
    fn nodes_hold_what_eks_says() {
        // As in the table of maximum pods that EKS publishes, and what `kubectl describe node` shows.
        for (vcpus, interfaces, addresses, pods, milli_cpu) in [
            (2, 3, 10, 29, 1_930),    // m7g.large
            (4, 4, 15, 58, 3_920),    // m7g.xlarge
            (8, 4, 15, 58, 7_910),    // m7g.2xlarge
            (16, 8, 30, 110, 15_890), // m7g.4xlarge
            (48, 8, 30, 234, 47_810), // m7g.12xlarge
            (64, 15, 50, 250, 63_770),
        ] {
            let machine = machine(vcpus, interfaces, addresses);
            assert_eq!((machine.max_pods(), machine.allocatable_milli_cpu()), (pods, milli_cpu), "{vcpus}");
        }
    }

    #[test]
    fn filters_admit_what_is_enough() {
        let machine = machine(2, 3, 10);
        let filter =
            |architecture, min_vcpus, min_memory_mib| InstanceTypeFilter { architecture, min_vcpus, min_memory_mib };
        assert!(InstanceTypeFilter::default().admits(&machine));
        assert!(filter(Some(Architecture::Arm64), Some(2), Some(8_192)).admits(&machine));
        assert!(!filter(Some(Architecture::X86_64), None, None).admits(&machine));
        assert!(!filter(None, Some(3), None).admits(&machine));
        assert!(!filter(None, None, Some(8_193)).admits(&machine));
    }
}
