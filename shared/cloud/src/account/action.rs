//! What the platform does in customers' accounts, as IAM calls it: the role has to permit all of it, and nothing else.

use std::fmt;

macro_rules! actions {
    ($($name:ident = $action:literal),+ $(,)?) => {
        /// A call that the platform makes itself, as in IAM policies.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "each is the call of its name")]
        pub enum Action { $($name),+ }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As in IAM policies: `eks:CreateCluster`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $action),+ }
            }
        }
    };
}

actions! {
    CreateStack = "cloudformation:CreateStack",
    DeleteStack = "cloudformation:DeleteStack",
    DescribeStackEvents = "cloudformation:DescribeStackEvents",
    DescribeStackResources = "cloudformation:DescribeStackResources",
    DescribeStacks = "cloudformation:DescribeStacks",
    UpdateStack = "cloudformation:UpdateStack",
    DescribeAddresses = "ec2:DescribeAddresses",
    DescribeInstanceTypes = "ec2:DescribeInstanceTypes",
    DescribeInternetGateways = "ec2:DescribeInternetGateways",
    DescribeRegions = "ec2:DescribeRegions",
    DescribeSubnets = "ec2:DescribeSubnets",
    DescribeVpcs = "ec2:DescribeVpcs",
    AssociateAccessPolicy = "eks:AssociateAccessPolicy",
    CreateAccessEntry = "eks:CreateAccessEntry",
    CreateAddon = "eks:CreateAddon",
    CreateCluster = "eks:CreateCluster",
    CreateNodegroup = "eks:CreateNodegroup",
    DeleteAccessEntry = "eks:DeleteAccessEntry",
    DeleteAddon = "eks:DeleteAddon",
    DeleteCluster = "eks:DeleteCluster",
    DeleteNodegroup = "eks:DeleteNodegroup",
    DescribeAccessEntry = "eks:DescribeAccessEntry",
    DescribeAddon = "eks:DescribeAddon",
    DescribeAddonVersions = "eks:DescribeAddonVersions",
    DescribeCluster = "eks:DescribeCluster",
    DescribeNodegroup = "eks:DescribeNodegroup",
    DescribeUpdate = "eks:DescribeUpdate",
    ListAccessEntries = "eks:ListAccessEntries",
    ListAssociatedAccessPolicies = "eks:ListAssociatedAccessPolicies",
    ListClusters = "eks:ListClusters",
    ListNodegroups = "eks:ListNodegroups",
    UpdateAddon = "eks:UpdateAddon",
    UpdateClusterConfig = "eks:UpdateClusterConfig",
    UpdateClusterVersion = "eks:UpdateClusterVersion",
    UpdateNodegroupConfig = "eks:UpdateNodegroupConfig",
    UpdateNodegroupVersion = "eks:UpdateNodegroupVersion",
    GetRole = "iam:GetRole",
    SimulatePrincipalPolicy = "iam:SimulatePrincipalPolicy",
    GetAwsDefaultServiceQuota = "servicequotas:GetAWSDefaultServiceQuota",
    GetServiceQuota = "servicequotas:GetServiceQuota",
}

/// What a call works on, as IAM sees it (AWS, Service Authorization Reference, resource types of actions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All that there is: AWS lets the call not be limited.
    Everything,
    /// A CloudFormation stack.
    Stack,
    /// An EKS cluster.
    Cluster,
    /// A node group of one.
    NodeGroup,
    /// An add-on of one.
    AddOn,
    /// An access entry of one.
    AccessEntry,
    /// The role that the platform enters by.
    OwnRole,
    /// A role that the platform hands over.
    Role,
}

/// What AWS demands of whoever makes the platform's calls, besides those (Amazon EKS and AWS CloudFormation, dependent actions).
pub const IMPLIED: &[(&str, Scope)] = &[
    ("eks:TagResource", Scope::Cluster),
    ("iam:ListAttachedRolePolicies", Scope::Role),
    ("iam:PassRole", Scope::Role),
];

/// What AWS demands besides where an account has never had a cluster or a node group.
pub const SERVICE_ROLES: &str = "iam:CreateServiceLinkedRole";

impl Action {
    /// What the call works on.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::CreateStack
            | Self::DeleteStack
            | Self::DescribeStackEvents
            | Self::DescribeStackResources
            | Self::UpdateStack => Scope::Stack,
            Self::CreateAccessEntry
            | Self::CreateAddon
            | Self::CreateCluster
            | Self::CreateNodegroup
            | Self::DeleteCluster
            | Self::DescribeCluster
            | Self::DescribeUpdate
            | Self::ListAccessEntries
            | Self::ListNodegroups
            | Self::UpdateClusterConfig
            | Self::UpdateClusterVersion => Scope::Cluster,
            Self::DeleteNodegroup
            | Self::DescribeNodegroup
            | Self::UpdateNodegroupConfig
            | Self::UpdateNodegroupVersion => Scope::NodeGroup,
            Self::DeleteAddon | Self::DescribeAddon | Self::UpdateAddon => Scope::AddOn,
            Self::AssociateAccessPolicy
            | Self::DeleteAccessEntry
            | Self::DescribeAccessEntry
            | Self::ListAssociatedAccessPolicies => Scope::AccessEntry,
            Self::GetRole | Self::SimulatePrincipalPolicy => Scope::OwnRole,
            // Stacks are also listed.
            Self::DescribeStacks
            | Self::DescribeAddresses
            | Self::DescribeInstanceTypes
            | Self::DescribeInternetGateways
            | Self::DescribeRegions
            | Self::DescribeSubnets
            | Self::DescribeVpcs
            | Self::DescribeAddonVersions
            | Self::ListClusters
            | Self::GetAwsDefaultServiceQuota
            | Self::GetServiceQuota => Scope::Everything,
        }
    }

    /// The service, as in `eks`.
    #[must_use]
    pub fn service(self) -> &'static str {
        self.as_str().split(':').next().unwrap_or_default()
    }

    /// The call, as in `CreateCluster`.
    #[must_use]
    pub fn operation(self) -> &'static str {
        self.as_str().split(':').nth(1).unwrap_or_default()
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
