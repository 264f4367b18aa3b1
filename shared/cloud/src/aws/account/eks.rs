//! Amazon EKS: clusters, with what belongs to them.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_eks::types::{
    AccessScope, AccessScopeType, AddonInfo, AddonVersionInfo, AmiTypes, AuthenticationMode, CapacityTypes,
    CreateAccessConfigRequest, NodegroupScalingConfig, ResolveConflicts, VpcConfigRequest,
};

use super::eks_answers::{add_on, cluster, node_group, update, update_id, without};
use super::refusal::Asked;
use super::{Session, TOKEN_TAG};
use crate::account::{
    Action, AddOn, Architecture, CONNECTION_TAG, ClientToken, CloudError, CloudResult, Clusters, EksCluster,
    NAME_PREFIX, NewAccessEntry, NewAddOn, NewCluster, NewNodeGroup, NodeGroup, NodeScaling, OwnedKind, OwnedResource,
    Tags, Update, UpdateTarget,
};

/// What a cluster's administrator may do, as EKS has it (Amazon EKS, access policy permissions).
const ADMINISTRATOR: &str = "cluster-access-policy/AmazonEKSClusterAdminPolicy";

#[async_trait]
impl Clusters for Session {
    async fn create_cluster(&self, new: &NewCluster) -> CloudResult<EksCluster> {
        let network = VpcConfigRequest::builder()
            .set_subnet_ids(Some(new.subnet_ids.clone()))
            .endpoint_private_access(true)
            .endpoint_public_access(true)
            .set_public_access_cidrs((!new.public_access_cidrs.is_empty()).then(|| new.public_access_cidrs.clone()));
        // Who may use the cluster's API is said by access entries alone, also of whoever creates it.
        let access = CreateAccessConfigRequest::builder()
            .authentication_mode(AuthenticationMode::Api)
            .bootstrap_cluster_creator_admin_permissions(false);
        let request = self
            .eks
            .create_cluster()
            .name(&new.name)
            .version(&new.version)
            .role_arn(&new.role_arn)
            .resources_vpc_config(network.build())
            .access_config(access.build())
            .set_tags(Some(tags(&new.tags, &new.token)))
            .client_request_token(new.token.as_str());
        match self.answer(Asked::new(Action::CreateCluster, "cluster", &new.name), request.send().await).await {
            Ok(made) => cluster(made.cluster),
            Err(taken @ CloudError::AlreadyExists { .. }) => {
                let present = self.cluster(&new.name).await?;
                if by(&present.tags, &new.token) { Ok(present) } else { Err(taken) }
            }
            Err(error) => Err(error),
        }
    }

    async fn cluster(&self, name: &str) -> CloudResult<EksCluster> {
        let request = self.eks.describe_cluster().name(name);
        let answer = self.answer(Asked::new(Action::DescribeCluster, "cluster", name), request.send().await).await?;
        cluster(answer.cluster)
    }

    async fn update_cluster_version(&self, name: &str, version: &str, token: &ClientToken) -> CloudResult<String> {
        let request =
            self.eks.update_cluster_version().name(name).version(version).client_request_token(token.as_str());
        let asked = Asked::new(Action::UpdateClusterVersion, "cluster", name);
        update_id(self.answer(asked, request.send().await).await?.update)
    }

    async fn update_public_access(&self, name: &str, cidrs: &[String], token: &ClientToken) -> CloudResult<String> {
        let anywhere = vec!["0.0.0.0/0".to_owned()];
        let cidrs = if cidrs.is_empty() { anywhere } else { cidrs.to_vec() };
        let network = VpcConfigRequest::builder().set_public_access_cidrs(Some(cidrs)).build();
        let request = self
            .eks
            .update_cluster_config()
            .name(name)
            .resources_vpc_config(network)
            .client_request_token(token.as_str());
        let asked = Asked::new(Action::UpdateClusterConfig, "cluster", name);
        update_id(self.answer(asked, request.send().await).await?.update)
    }

    async fn delete_cluster(&self, name: &str) -> CloudResult<()> {
        let request = self.eks.delete_cluster().name(name);
        self.answer(Asked::new(Action::DeleteCluster, "cluster", name), request.send().await).await.map(|_| ())
    }

    async fn create_node_group(&self, new: &NewNodeGroup) -> CloudResult<NodeGroup> {
        let request = self
            .eks
            .create_nodegroup()
            .cluster_name(&new.cluster)
            .nodegroup_name(&new.name)
            .node_role(&new.node_role_arn)
            .set_subnets(Some(new.subnet_ids.clone()))
            .set_instance_types(Some(new.instance_types.clone()))
            .ami_type(image(new.architecture))
            .capacity_type(CapacityTypes::OnDemand)
            .disk_size(number(new.disk_size_gib))
            .scaling_config(scaling(new.scaling))
            .set_tags(Some(tags(&new.tags, &new.token)))
            .client_request_token(new.token.as_str());
        match self.answer(Asked::new(Action::CreateNodegroup, "node group", &new.name), request.send().await).await {
            Ok(made) => node_group(made.nodegroup),
            Err(taken @ CloudError::AlreadyExists { .. }) => {
                let present = self.node_group(&new.cluster, &new.name).await?;
                if by(&present.tags, &new.token) { Ok(present) } else { Err(taken) }
            }
            Err(error) => Err(error),
        }
    }

    async fn node_group(&self, cluster: &str, name: &str) -> CloudResult<NodeGroup> {
        let request = self.eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name);
        let asked = Asked::new(Action::DescribeNodegroup, "node group", name);
        node_group(self.answer(asked, request.send().await).await?.nodegroup)
    }

    async fn node_groups(&self, cluster: &str) -> CloudResult<Vec<String>> {
        let asked = Asked::new(Action::ListNodegroups, "cluster", cluster);
        let mut pages = self.eks.list_nodegroups().cluster_name(cluster).into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(name) = pages.next().await {
            names.push(self.answer(asked, name).await?);
        }
        Ok(names)
    }

    async fn update_node_group_version(
        &self,
        cluster: &str,
        name: &str,
        version: &str,
        token: &ClientToken,
    ) -> CloudResult<String> {
        let request = self
            .eks
            .update_nodegroup_version()
            .cluster_name(cluster)
            .nodegroup_name(name)
            .version(version)
            .client_request_token(token.as_str());
        let asked = Asked::new(Action::UpdateNodegroupVersion, "node group", name);
        update_id(self.answer(asked, request.send().await).await?.update)
    }

    async fn scale_node_group(
        &self,
        cluster: &str,
        name: &str,
        wanted: NodeScaling,
        token: &ClientToken,
    ) -> CloudResult<String> {
        let request = self
            .eks
            .update_nodegroup_config()
            .cluster_name(cluster)
            .nodegroup_name(name)
            .scaling_config(scaling(wanted))
            .client_request_token(token.as_str());
        let asked = Asked::new(Action::UpdateNodegroupConfig, "node group", name);
        update_id(self.answer(asked, request.send().await).await?.update)
    }

    async fn delete_node_group(&self, cluster: &str, name: &str) -> CloudResult<()> {
        let request = self.eks.delete_nodegroup().cluster_name(cluster).nodegroup_name(name);
        self.answer(Asked::new(Action::DeleteNodegroup, "node group", name), request.send().await).await.map(|_| ())
    }

    async fn update(&self, cluster: &str, target: &UpdateTarget, id: &str) -> CloudResult<Update> {
        let request = self.eks.describe_update().name(cluster).update_id(id);
        let request = match target {
            UpdateTarget::ControlPlane => request,
            UpdateTarget::NodeGroup(name) => request.nodegroup_name(name),
            UpdateTarget::AddOn(name) => request.addon_name(name),
        };
        update(self.answer(Asked::new(Action::DescribeUpdate, "update", id), request.send().await).await?.update)
    }

    async fn create_access_entry(&self, new: &NewAccessEntry) -> CloudResult<()> {
        let request = self
            .eks
            .create_access_entry()
            .cluster_name(&new.cluster)
            .principal_arn(&new.principal_arn)
            .set_tags(Some(tags(&new.tags, &new.token)))
            .client_request_token(new.token.as_str());
        let asked = Asked::new(Action::CreateAccessEntry, "access entry", &new.principal_arn);
        match self.answer(asked, request.send().await).await {
            Ok(_) => {}
            Err(taken @ CloudError::AlreadyExists { .. }) => {
                if !by(&self.tags_of_access_entry(&new.cluster, &new.principal_arn).await?, &new.token) {
                    return Err(taken);
                }
            }
            Err(error) => return Err(error),
        }
        self.make_administrator(&new.cluster, &new.principal_arn).await
    }

    async fn access_entries(&self, cluster: &str) -> CloudResult<Vec<String>> {
        let asked = Asked::new(Action::ListAccessEntries, "cluster", cluster);
        let mut pages = self.eks.list_access_entries().cluster_name(cluster).into_paginator().items().send();
        let mut principals = Vec::new();
        while let Some(principal) = pages.next().await {
            let principal = self.answer(asked, principal).await?;
            // An entry without a policy, as of nodes or one that was about to be made, lets nobody do anything.
            if self.may_something(cluster, &principal).await? {
                principals.push(principal);
            }
        }
        Ok(principals)
    }

    async fn delete_access_entry(&self, cluster: &str, principal_arn: &str) -> CloudResult<()> {
        let request = self.eks.delete_access_entry().cluster_name(cluster).principal_arn(principal_arn);
        let asked = Asked::new(Action::DeleteAccessEntry, "access entry", principal_arn);
        self.answer(asked, request.send().await).await.map(|_| ())
    }

    async fn create_add_on(&self, new: &NewAddOn) -> CloudResult<AddOn> {
        // EKS brings some of them with a new cluster, unmanaged: they are taken over.
        let request = self
            .eks
            .create_addon()
            .cluster_name(&new.cluster)
            .addon_name(&new.name)
            .set_service_account_role_arn(new.role_arn.clone())
            .set_configuration_values(new.configuration.clone())
            .resolve_conflicts(ResolveConflicts::Overwrite)
            .set_tags(Some(tags(&new.tags, &new.token)))
            .client_request_token(new.token.as_str());
        match self.answer(Asked::new(Action::CreateAddon, "add-on", &new.name), request.send().await).await {
            Ok(made) => add_on(made.addon),
            Err(taken @ CloudError::AlreadyExists { .. }) => {
                let present = self.described_add_on(&new.cluster, &new.name).await?;
                let same =
                    present.tags().is_some_and(|tags| tags.get(TOKEN_TAG).is_some_and(|tag| tag == new.token.as_str()));
                if same { add_on(Some(present)) } else { Err(taken) }
            }
            Err(error) => Err(error),
        }
    }

    async fn add_on(&self, cluster: &str, name: &str) -> CloudResult<AddOn> {
        add_on(Some(self.described_add_on(cluster, name).await?))
    }

    async fn update_add_on(&self, cluster: &str, name: &str, token: &ClientToken) -> CloudResult<Option<String>> {
        let (present, of) = (self.add_on(cluster, name).await?, self.cluster(cluster).await?);
        let wanted = self.default_version(name, &of.version).await?;
        if present.version == wanted {
            return Ok(None);
        }
        let request = self
            .eks
            .update_addon()
            .cluster_name(cluster)
            .addon_name(name)
            .addon_version(wanted)
            // What the customer has set stays.
            .resolve_conflicts(ResolveConflicts::Preserve)
            .client_request_token(token.as_str());
        let asked = Asked::new(Action::UpdateAddon, "add-on", name);
        update_id(self.answer(asked, request.send().await).await?.update).map(Some)
    }

    async fn delete_add_on(&self, cluster: &str, name: &str) -> CloudResult<()> {
        let request = self.eks.delete_addon().cluster_name(cluster).addon_name(name);
        self.answer(Asked::new(Action::DeleteAddon, "add-on", name), request.send().await).await.map(|_| ())
    }
}

impl Session {
    /// The clusters of this region, by name, whoever made them.
    pub(super) async fn clusters(&self) -> CloudResult<Vec<String>> {
        let asked = Asked::new(Action::ListClusters, "clusters", "of the region");
        let mut pages = self.eks.list_clusters().into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(name) = pages.next().await {
            names.push(self.answer(asked, name).await?);
        }
        Ok(names)
    }

    /// The clusters that were made for a connection, and their node groups, whoever made those.
    pub(super) async fn owned_clusters(&self, connection: &str) -> CloudResult<Vec<OwnedResource>> {
        let mut owned = Vec::new();
        // Others may not even be looked at.
        for name in self.clusters().await?.into_iter().filter(|name| name.starts_with(NAME_PREFIX)) {
            let cluster = self.cluster(&name).await?;
            if cluster.tags.get(CONNECTION_TAG).is_none_or(|tag| tag != connection) {
                continue;
            }
            for group in self.node_groups(&name).await? {
                let group = self.node_group(&name, &group).await?;
                let full_name = format!("{name}/{}", group.name);
                owned.push(OwnedResource {
                    kind: OwnedKind::NodeGroup,
                    name: full_name,
                    arn: group.arn,
                    tags: group.tags,
                });
            }
            owned.push(OwnedResource { kind: OwnedKind::Cluster, name, arn: cluster.arn, tags: cluster.tags });
        }
        Ok(owned)
    }

    async fn described_add_on(&self, cluster: &str, name: &str) -> CloudResult<aws_sdk_eks::types::Addon> {
        let request = self.eks.describe_addon().cluster_name(cluster).addon_name(name);
        let answer = self.answer(Asked::new(Action::DescribeAddon, "add-on", name), request.send().await).await?;
        answer.addon.ok_or_else(|| without("the add-on"))
    }

    /// The version of an add-on that EKS has as default for a version of Kubernetes.
    async fn default_version(&self, add_on: &str, kubernetes: &str) -> CloudResult<String> {
        let request = self.eks.describe_addon_versions().addon_name(add_on).kubernetes_version(kubernetes);
        let asked = Asked::new(Action::DescribeAddonVersions, "add-on", add_on);
        let answer = self.answer(asked, request.send().await).await?;
        let versions = answer.addons().iter().flat_map(AddonInfo::addon_versions);
        let is_default = |version: &&AddonVersionInfo| {
            let mut fitting = version.compatibilities().iter();
            fitting.any(|fit| fit.cluster_version() == Some(kubernetes) && fit.default_version())
        };
        let version = versions.filter(is_default).find_map(AddonVersionInfo::addon_version);
        let none =
            || CloudError::Invalid { message: format!("EKS has no add-on {add_on} for Kubernetes {kubernetes}") };
        version.map(str::to_owned).ok_or_else(none)
    }

    async fn tags_of_access_entry(&self, cluster: &str, principal: &str) -> CloudResult<Tags> {
        let request = self.eks.describe_access_entry().cluster_name(cluster).principal_arn(principal);
        let asked = Asked::new(Action::DescribeAccessEntry, "access entry", principal);
        let entry = self.answer(asked, request.send().await).await?.access_entry;
        Ok(entry.and_then(|entry| entry.tags).unwrap_or_default().into_iter().collect())
    }

    async fn make_administrator(&self, cluster: &str, principal: &str) -> CloudResult<()> {
        let request = self
            .eks
            .associate_access_policy()
            .cluster_name(cluster)
            .principal_arn(principal)
            .policy_arn(format!("arn:{}:eks::aws:{ADMINISTRATOR}", self.partition()))
            .access_scope(AccessScope::builder().r#type(AccessScopeType::Cluster).build());
        let asked = Asked::new(Action::AssociateAccessPolicy, "access entry", principal);
        self.answer(asked, request.send().await).await.map(|_| ())
    }

    async fn may_something(&self, cluster: &str, principal: &str) -> CloudResult<bool> {
        let request = self.eks.list_associated_access_policies().cluster_name(cluster).principal_arn(principal);
        let asked = Asked::new(Action::ListAssociatedAccessPolicies, "access entry", principal);
        Ok(!self.answer(asked, request.send().await).await?.associated_access_policies().is_empty())
    }
}

/// Whether the call with this token made what has these tags.
fn by(tags: &Tags, token: &ClientToken) -> bool {
    tags.get(TOKEN_TAG).is_some_and(|tag| tag == token.as_str())
}

fn tags(tags: &Tags, token: &ClientToken) -> HashMap<String, String> {
    let given = tags.iter().map(|(name, value)| (name.clone(), value.clone()));
    given.chain([(TOKEN_TAG.to_owned(), token.to_string())]).collect()
}

fn image(architecture: Architecture) -> AmiTypes {
    match architecture {
        Architecture::X86_64 => AmiTypes::Al2023X8664Standard,
        Architecture::Arm64 => AmiTypes::Al2023Arm64Standard,
    }
}

fn scaling(wanted: NodeScaling) -> NodegroupScalingConfig {
    NodegroupScalingConfig::builder()
        .min_size(number(wanted.min))
        .desired_size(number(wanted.desired))
        .max_size(number(wanted.max))
        .build()
}

fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
