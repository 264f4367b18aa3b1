//! What an account has, and how much of it is used.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mainsheet_cloud::account::{
    Action, CONNECTION_TAG, CloudRegion, CloudResult, Discovery, InstanceType, InstanceTypeFilter, OwnedKind,
    OwnedResource, ProviderNetwork, Quota, QuotaKind, StackStatus, Tags, Verification,
};
use mainsheet_core::region::InvalidRegion;
use mainsheet_core::{ConnectionId, Timestamp};

use crate::session::{Scene, Session, invalid, role_name};
use crate::stacks::SimulatedStack;
use crate::state::RegionState;
use crate::{CloudSimulator, catalogue};

#[async_trait]
impl Discovery for Session {
    async fn verify(&self) -> CloudResult<Verification> {
        self.perform(&Action::SimulatePrincipalPolicy.into(), None, |scene| {
            let role = scene.account.roles.get(role_name(scene.role_arn));
            Ok(Verification {
                account_id: scene.account_id.clone(),
                stack_arn: role.map(|role| role.stack_arn.clone()),
                boundary_name: role.map(|role| role.boundary_name.clone()),
                missing_actions: role.map(|role| role.denied.iter().cloned().collect()).unwrap_or_default(),
            })
        })
    }

    async fn regions(&self) -> CloudResult<Vec<CloudRegion>> {
        self.call(Action::DescribeRegions, |_| {
            let region = |(code, name, group): &(&str, &str, &str)| {
                Ok(CloudRegion { code: code.parse()?, name: (*name).to_owned(), group: (*group).to_owned() })
            };
            let regions: Result<Vec<_>, InvalidRegion> = catalogue::REGIONS.iter().map(region).collect();
            regions.map_err(|error| invalid(error.to_string()))
        })
    }

    async fn instance_types(&self, filter: &InstanceTypeFilter) -> CloudResult<Vec<InstanceType>> {
        self.call(Action::DescribeInstanceTypes, |_| {
            Ok(catalogue::machines().into_iter().filter(|machine| filter.admits(machine)).collect())
        })
    }

    async fn provider_networks(&self) -> CloudResult<Vec<ProviderNetwork>> {
        self.call(Action::DescribeVpcs, |scene| {
            let now = scene.now;
            let default = ProviderNetwork {
                id: "vpc-0de1a017".to_owned(),
                cidr: "172.31.0.0/16".to_owned(),
                name: String::new(),
                zones: 3,
                state: "available".to_owned(),
                tags: Tags::new(),
            };
            let here = scene.here().stacks.iter().filter(|stack| stack.has("AWS::EC2::VPC", now)).map(network);
            Ok(std::iter::once(default).chain(here).collect())
        })
    }

    async fn quotas(&self) -> CloudResult<Vec<Quota>> {
        self.call(Action::GetServiceQuota, |scene| {
            let quota = |kind: &QuotaKind| Quota {
                kind: *kind,
                limit: scene.limit(*kind),
                used: (*kind != QuotaKind::NatGatewaysPerZone).then(|| scene.used(*kind)),
            };
            Ok(QuotaKind::ALL.iter().map(quota).collect())
        })
    }

    async fn owned(&self, connection: &ConnectionId) -> CloudResult<Vec<OwnedResource>> {
        self.call(Action::DescribeStacks, |scene| {
            let now = scene.now;
            let ours = |tags: &Tags| tags.get(CONNECTION_TAG).is_some_and(|tag| tag == connection.as_str());
            Ok(inventory(scene.here(), now).into_iter().filter(|resource| ours(&resource.tags)).collect())
        })
    }
}

impl CloudSimulator {
    /// Everything in all accounts that the platform made, by its tags, whatever connection it was made for.
    #[must_use]
    pub fn made_by_the_platform(&self) -> Vec<OwnedResource> {
        let (state, now) = (self.state(), self.now());
        let regions = state.accounts.values().flat_map(|account| account.regions.values());
        regions
            .flat_map(|region| inventory(region, now))
            .filter(|found| found.tags.contains_key(CONNECTION_TAG))
            .collect()
    }
}

/// What there is in a region.
fn inventory(here: &RegionState, now: Timestamp) -> Vec<OwnedResource> {
    let stacks = here.stacks.iter().filter(|stack| stack.status(now) != StackStatus::DeleteComplete);
    let stacks = stacks.map(|stack| owned(OwnedKind::Stack, stack.name.clone(), &stack.arn, &stack.tags));
    let clusters = here.clusters.values().flat_map(|cluster| {
        let itself = owned(OwnedKind::Cluster, cluster.name.clone(), &cluster.arn, &cluster.tags);
        let groups = cluster.node_groups.values().map(|group| {
            owned(OwnedKind::NodeGroup, format!("{}/{}", cluster.name, group.name), &group.arn, &group.tags)
        });
        std::iter::once(itself).chain(groups)
    });
    stacks.chain(clusters).collect()
}

impl Scene<'_> {
    /// What the account may have of something in this region.
    pub(crate) fn limit(&self, kind: QuotaKind) -> u64 {
        self.account.quotas.get(&kind).copied().unwrap_or_else(|| catalogue::default_quota(kind))
    }

    /// What it has of it. Every account comes with a VPC, and a gateway for that.
    pub(crate) fn used(&self, kind: QuotaKind) -> u64 {
        let Some(here) = self.account.regions.get(self.region) else { return u64::from(comes_with(kind)) };
        let stacks_with = |part| here.stacks.iter().filter(|stack| stack.has(part, self.now)).count();
        let made = match kind {
            QuotaKind::Vpcs => stacks_with("AWS::EC2::VPC"),
            QuotaKind::InternetGateways => stacks_with("AWS::EC2::InternetGateway"),
            QuotaKind::NatGatewaysPerZone => stacks_with("AWS::EC2::NatGateway"),
            QuotaKind::ElasticIps => stacks_with("AWS::EC2::EIP"),
            QuotaKind::Clusters => here.clusters.len(),
            QuotaKind::StandardVcpus => {
                let groups = here.clusters.values().flat_map(|cluster| cluster.node_groups.values());
                return groups.map(crate::clusters::SimulatedNodeGroup::vcpus).sum();
            }
        };
        made as u64 + u64::from(comes_with(kind))
    }
}

const fn comes_with(kind: QuotaKind) -> bool {
    matches!(kind, QuotaKind::Vpcs | QuotaKind::InternetGateways)
}

fn network(stack: &SimulatedStack) -> ProviderNetwork {
    let zones: BTreeSet<char> = stack
        .parts
        .iter()
        .filter(|part| part.kind == "AWS::EC2::Subnet")
        .filter_map(|part| part.logical_id.chars().last())
        .collect();
    ProviderNetwork {
        id: stack.outputs.get("VpcId").cloned().unwrap_or_default(),
        cidr: stack.parameters.get("Cidr").cloned().unwrap_or_default(),
        name: stack.name.clone(),
        zones: u32::try_from(zones.len()).unwrap_or(u32::MAX),
        state: "available".to_owned(),
        tags: stack.tags.clone(),
    }
}

fn owned(kind: OwnedKind, name: String, arn: &str, tags: &Tags) -> OwnedResource {
    OwnedResource { kind, name, arn: arn.to_owned(), tags: tags.clone() }
}
