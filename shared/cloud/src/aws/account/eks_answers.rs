//! What Amazon EKS answers, as the port has it.

use aws_sdk_eks::types as sdk;

use crate::account::{
    AddOn, AddOnStatus, CloudError, CloudResult, ClusterIssue, ClusterStatus, EksCluster, NodeGroup, NodeGroupStatus,
    NodeScaling, Update, UpdateStatus,
};

pub(super) fn cluster(cluster: Option<sdk::Cluster>) -> CloudResult<EksCluster> {
    let cluster = cluster.ok_or_else(|| without("the cluster"))?;
    let network = cluster.resources_vpc_config();
    let issues = cluster.health().map(sdk::ClusterHealth::issues).unwrap_or_default();
    let issues =
        issues.iter().map(|issue| told(issue.code().map(sdk::ClusterIssueCode::as_str), issue.message())).collect();
    Ok(EksCluster {
        status: match cluster.status() {
            Some(sdk::ClusterStatus::Creating | sdk::ClusterStatus::Pending) => ClusterStatus::Creating,
            Some(sdk::ClusterStatus::Active) => ClusterStatus::Active,
            Some(sdk::ClusterStatus::Updating) => ClusterStatus::Updating,
            Some(sdk::ClusterStatus::Deleting) => ClusterStatus::Deleting,
            Some(sdk::ClusterStatus::Failed) => ClusterStatus::Failed,
            other => return Err(unknown(other.map(sdk::ClusterStatus::as_str))),
        },
        certificate_authority: cluster.certificate_authority().and_then(sdk::Certificate::data).map(str::to_owned),
        oidc_issuer: cluster.identity().and_then(sdk::Identity::oidc).and_then(sdk::Oidc::issuer).map(str::to_owned),
        vpc_id: network.and_then(sdk::VpcConfigResponse::vpc_id).filter(|id| !id.is_empty()).map(str::to_owned),
        public_access_cidrs: network.map(|network| network.public_access_cidrs().to_vec()).unwrap_or_default(),
        issues,
        name: cluster.name.ok_or_else(|| without("the cluster's name"))?,
        arn: cluster.arn.ok_or_else(|| without("the cluster's ARN"))?,
        version: cluster.version.ok_or_else(|| without("the cluster's version"))?,
        endpoint: cluster.endpoint,
        tags: cluster.tags.unwrap_or_default().into_iter().collect(),
    })
}

pub(super) fn node_group(group: Option<sdk::Nodegroup>) -> CloudResult<NodeGroup> {
    let group = group.ok_or_else(|| without("the node group"))?;
    let issues = group.health().map(sdk::NodegroupHealth::issues).unwrap_or_default();
    let issues =
        issues.iter().map(|issue| told(issue.code().map(sdk::NodegroupIssueCode::as_str), issue.message())).collect();
    let size = |size: Option<i32>| size.and_then(|size| u32::try_from(size).ok()).unwrap_or_default();
    let scaling = group.scaling_config();
    Ok(NodeGroup {
        status: match group.status() {
            Some(sdk::NodegroupStatus::Creating) => NodeGroupStatus::Creating,
            Some(sdk::NodegroupStatus::Active) => NodeGroupStatus::Active,
            Some(sdk::NodegroupStatus::Updating) => NodeGroupStatus::Updating,
            Some(sdk::NodegroupStatus::Deleting) => NodeGroupStatus::Deleting,
            Some(sdk::NodegroupStatus::CreateFailed) => NodeGroupStatus::CreateFailed,
            Some(sdk::NodegroupStatus::DeleteFailed) => NodeGroupStatus::DeleteFailed,
            Some(sdk::NodegroupStatus::Degraded) => NodeGroupStatus::Degraded,
            other => return Err(unknown(other.map(sdk::NodegroupStatus::as_str))),
        },
        scaling: NodeScaling {
            min: size(scaling.and_then(sdk::NodegroupScalingConfig::min_size)),
            desired: size(scaling.and_then(sdk::NodegroupScalingConfig::desired_size)),
            max: size(scaling.and_then(sdk::NodegroupScalingConfig::max_size)),
        },
        issues,
        cluster: group.cluster_name.ok_or_else(|| without("the node group's cluster"))?,
        name: group.nodegroup_name.ok_or_else(|| without("the node group's name"))?,
        arn: group.nodegroup_arn.ok_or_else(|| without("the node group's ARN"))?,
        version: group.version.unwrap_or_default(),
        instance_types: group.instance_types.unwrap_or_default(),
        tags: group.tags.unwrap_or_default().into_iter().collect(),
    })
}

pub(super) fn add_on(add_on: Option<sdk::Addon>) -> CloudResult<AddOn> {
    let add_on = add_on.ok_or_else(|| without("the add-on"))?;
    let issues = add_on.health().map(sdk::AddonHealth::issues).unwrap_or_default();
    let issues =
        issues.iter().map(|issue| told(issue.code().map(sdk::AddonIssueCode::as_str), issue.message())).collect();
    Ok(AddOn {
        status: match add_on.status() {
            Some(sdk::AddonStatus::Creating) => AddOnStatus::Creating,
            Some(sdk::AddonStatus::Active) => AddOnStatus::Active,
            Some(sdk::AddonStatus::CreateFailed) => AddOnStatus::CreateFailed,
            Some(sdk::AddonStatus::Updating) => AddOnStatus::Updating,
            Some(sdk::AddonStatus::UpdateFailed) => AddOnStatus::UpdateFailed,
            Some(sdk::AddonStatus::Deleting) => AddOnStatus::Deleting,
            Some(sdk::AddonStatus::DeleteFailed) => AddOnStatus::DeleteFailed,
            Some(sdk::AddonStatus::Degraded) => AddOnStatus::Degraded,
            other => return Err(unknown(other.map(sdk::AddonStatus::as_str))),
        },
        issues,
        name: add_on.addon_name.ok_or_else(|| without("the add-on's name"))?,
        arn: add_on.addon_arn.ok_or_else(|| without("the add-on's ARN"))?,
        version: add_on.addon_version.unwrap_or_default(),
    })
}

pub(super) fn update(update: Option<sdk::Update>) -> CloudResult<Update> {
    let update = update.ok_or_else(|| without("the update"))?;
    let issues = update.errors().iter();
    let issues =
        issues.map(|issue| told(issue.error_code().map(sdk::ErrorCode::as_str), issue.error_message())).collect();
    Ok(Update {
        status: match update.status() {
            Some(sdk::UpdateStatus::InProgress) => UpdateStatus::InProgress,
            Some(sdk::UpdateStatus::Successful) => UpdateStatus::Successful,
            Some(sdk::UpdateStatus::Failed) => UpdateStatus::Failed,
            Some(sdk::UpdateStatus::Cancelled) => UpdateStatus::Cancelled,
            other => return Err(unknown(other.map(sdk::UpdateStatus::as_str))),
        },
        issues,
        id: update.id.ok_or_else(|| without("the update's id"))?,
    })
}

pub(super) fn update_id(update: Option<sdk::Update>) -> CloudResult<String> {
    update.and_then(|update| update.id).ok_or_else(|| without("the update's id"))
}

pub(super) fn without(what: &str) -> CloudError {
    CloudError::Unavailable { message: format!("EKS answered without {what}") }
}

fn told(code: Option<&str>, message: Option<&str>) -> ClusterIssue {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    ClusterIssue { code: text(code), message: text(message) }
}

fn unknown(status: Option<&str>) -> CloudError {
    CloudError::Invalid { message: format!("EKS has a status `{}`, which is new", status.unwrap_or_default()) }
}
