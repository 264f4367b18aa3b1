//! The CloudFormation templates that run in customers' accounts: `infra/customer`.

use serde::{Deserialize, Serialize};

/// A template of `infra/customer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// The role that the platform enters an account by, and what limits it. The customer deploys it.
    Connection,
    /// A network: VPC, subnets, ways out. `NatGateways` is `one` unless given, or `none`.
    Network,
    /// What a cluster stands on: roles, the bucket of its results and, once it has the parameter `OidcIssuer` of the cluster
    /// (an update after the control plane is active), the identities of its pods, which the role of its jobs trusts.
    Cluster,
    /// A catalog: database and bucket.
    Catalog,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connection, Self::Network, Self::Cluster, Self::Catalog];

    /// Its name, which is that of its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Network => "network",
            Self::Cluster => "cluster",
            Self::Catalog => "catalog",
        }
    }

    /// The parameters that have to be given. Those that may be are in the file, with their defaults.
    #[must_use]
    pub const fn required_parameters(self) -> &'static [&'static str] {
        match self {
            Self::Connection => &[
                "IamRoleName",
                "IamPermissionBoundaryName",
                "LakeSailAccountID",
                "LakeSailTenantID",
                "LakeSailConnectionID",
                "LakeSailConnectionIDLowerCase",
                "LakeSailExternalID",
                "LakeSailPrincipal",
            ],
            Self::Network => &["ConnectionId", "Cidr"],
            Self::Cluster => &["ConnectionId", "ClusterName", "ResultsBucketName"],
            Self::Catalog => &["BucketName", "DatabaseName"],
        }
    }

    /// What a stack of it tells about what it made.
    #[must_use]
    pub const fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::Connection => &["RoleArn", "PermissionsBoundaryArn"],
            // Subnets with commas between them.
            Self::Network => &["VpcId", "PrivateSubnetIds", "PublicSubnetIds"],
            Self::Cluster => &["ClusterRoleArn", "NodeRoleArn", "JobRunnerRoleArn", "ResultsBucketName"],
            Self::Catalog => &["BucketName", "DatabaseName"],
        }
    }
}
