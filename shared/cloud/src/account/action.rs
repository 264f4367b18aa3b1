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
    DescribeAddon = "eks:DescribeAddon",
    DescribeAddonVersions = "eks:DescribeAddonVersions",
    DescribeCluster = "eks:DescribeCluster",
    DescribeNodegroup = "eks:DescribeNodegroup",
    DescribeUpdate = "eks:DescribeUpdate",
    ListAccessEntries = "eks:ListAccessEntries",
    ListClusters = "eks:ListClusters",
    ListNodegroups = "eks:ListNodegroups",
    UpdateAddon = "eks:UpdateAddon",
    UpdateClusterConfig = "eks:UpdateClusterConfig",
    UpdateClusterVersion = "eks:UpdateClusterVersion",
    UpdateNodegroupConfig = "eks:UpdateNodegroupConfig",
    UpdateNodegroupVersion = "eks:UpdateNodegroupVersion",
    SimulatePrincipalPolicy = "iam:SimulatePrincipalPolicy",
    GetServiceQuota = "servicequotas:GetServiceQuota",
}

impl Action {
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
