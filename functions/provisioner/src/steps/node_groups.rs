//! Node groups.

use mainsheet_cloud::account::{
    Architecture, ClientToken, InstanceTypeFilter, NewNodeGroup, NodeGroupStatus, NodeScaling, UpdateTarget, found,
};
use mainsheet_core::operation::{ResourceAction, ResourceProgress};
use mainsheet_core::provisioned_cluster::SystemNodeGroup;

use crate::Reached;
use crate::steps::cluster::{aim, follow, private_subnets};
use crate::steps::site::Site;
use crate::steps::stacks::output;
use crate::trouble::Trouble;
use crate::work::Thing;

const NODE_GROUP: &str = "AWS::EKS::Nodegroup";

/// The system node group is active.
pub(crate) async fn system_is_there(site: &Site<'_>) -> Result<Reached, Trouble> {
    let (cluster, wanted) = (site.cluster_name(), &site.cluster()?.config.system_node_group);
    let thing = Thing { kind: NODE_GROUP, name: &wanted.name };
    let Some(group) = found(site.account.node_group(&cluster, &wanted.name).await)? else {
        create(site, thing, wanted).await?;
        return Ok(Reached::NotYet);
    };
    match group.status {
        NodeGroupStatus::Active => {
            site.work.note_created(thing, &group.arn).await?;
            Ok(Reached::Done)
        }
        NodeGroupStatus::Creating | NodeGroupStatus::Updating => Ok(Reached::NotYet),
        _ => {
            site.work.note(thing, ResourceAction::Create, ResourceProgress::Failed).await?;
            Err(Trouble::failed_with(format!("The node group {} could not be made.", wanted.name), &group.issues))
        }
    }
}

async fn create(site: &Site<'_>, thing: Thing<'_>, wanted: &SystemNodeGroup) -> Result<(), Trouble> {
    let node_role_arn = output(&site.cluster()?.provisioning, "NodeRoleArn")?.to_owned();
    let (subnet_ids, architecture) = (private_subnets(site).await?, architecture(site, wanted).await?);
    let intent = site.work.intend(thing).await?;
    let new = NewNodeGroup {
        cluster: site.cluster_name(),
        name: wanted.name.clone(),
        node_role_arn,
        subnet_ids,
        instance_types: wanted.instance_types.clone(),
        architecture,
        disk_size_gib: u32::from(wanted.disk_size_gb),
        scaling: scaling(wanted),
        tags: intent.tags,
        token: ClientToken::new(&intent.client_token),
    };
    site.account.create_node_group(&new).await?;
    Ok(site.work.note(thing, ResourceAction::Create, ResourceProgress::Running).await?)
}

/// The architecture of the wanted machines, which have to be offered in the region.
async fn architecture(site: &Site<'_>, wanted: &SystemNodeGroup) -> Result<Architecture, Trouble> {
    let offered = site.account.instance_types(&InstanceTypeFilter::default()).await?;
    let find = |name: &String| offered.iter().find(|machine| machine.name == *name).map(|machine| machine.architecture);
    let architectures: Vec<Option<Architecture>> = wanted.instance_types.iter().map(find).collect();
    match architectures.first().copied().flatten() {
        Some(first) if architectures.iter().all(|architecture| *architecture == Some(first)) => Ok(first),
        _ => {
            let message = "The node group's instance types are not all offered in this region with one architecture.";
            Err(Trouble::failed(message, Some(wanted.instance_types.join(", "))))
        }
    }
}

/// The system node group has the size and the version that the update aims at.
pub(crate) async fn system_is_as_wanted(site: &Site<'_>) -> Result<Reached, Trouble> {
    let (cluster, wanted) = (site.cluster_name(), aim(site.cluster()?));
    let name = &wanted.system_node_group.name;
    let thing = Thing { kind: NODE_GROUP, name };
    let group = site.account.node_group(&cluster, name).await?;
    match group.status {
        NodeGroupStatus::Active => {}
        NodeGroupStatus::Creating | NodeGroupStatus::Updating => return Ok(Reached::NotYet),
        _ => return Err(Trouble::failed_with(format!("The node group {name} does not work."), &group.issues)),
    }
    let (scaling, version) = (scaling(&wanted.system_node_group), wanted.kubernetes_version.to_string());
    let update = if group.scaling != scaling {
        site.account.scale_node_group(&cluster, name, scaling, &site.token("scale")).await?
    } else if group.version != version {
        site.account.update_node_group_version(&cluster, name, &version, &site.token("version")).await?
    } else {
        site.work.note_as_wanted(thing).await?;
        return Ok(Reached::Done);
    };
    site.work.note(thing, ResourceAction::Update, ResourceProgress::Running).await?;
    follow(site, thing, &UpdateTarget::NodeGroup(name.clone()), &update).await
}

/// The cluster has no node groups, whoever made them: it cannot go while it has.
pub(crate) async fn are_gone(site: &Site<'_>) -> Result<Reached, Trouble> {
    let cluster = site.cluster_name();
    let mut names = found(site.account.node_groups(&cluster).await)?.unwrap_or_default();
    names.sort();
    let mut left = false;
    for name in &names {
        left |= !is_gone(site, &cluster, name).await?;
    }
    if left {
        return Ok(Reached::NotYet);
    }
    let (store, tenant, resource) = (site.work.store(), &site.work.tenant, &site.work.operation.resource);
    for intent in store.intents(tenant, resource).await? {
        if intent.kind == NODE_GROUP {
            site.work.note_gone(Thing { kind: NODE_GROUP, name: &intent.name }).await?;
        }
    }
    Ok(Reached::Done)
}

async fn is_gone(site: &Site<'_>, cluster: &str, name: &str) -> Result<bool, Trouble> {
    let thing = Thing { kind: NODE_GROUP, name };
    let Some(group) = found(site.account.node_group(cluster, name).await)? else { return Ok(true) };
    match group.status {
        // EKS deletes nothing that it is about to make or to change.
        NodeGroupStatus::Creating | NodeGroupStatus::Updating | NodeGroupStatus::Deleting => {}
        NodeGroupStatus::DeleteFailed if site.work.has_asked(thing, ResourceAction::Delete) => {
            site.work.note(thing, ResourceAction::Delete, ResourceProgress::Failed).await?;
            return Err(Trouble::failed_with(format!("The node group {name} could not be removed."), &group.issues));
        }
        _ => {
            site.account.delete_node_group(cluster, name).await?;
            site.work.note(thing, ResourceAction::Delete, ResourceProgress::Running).await?;
        }
    }
    Ok(false)
}

fn scaling(wanted: &SystemNodeGroup) -> NodeScaling {
    NodeScaling {
        min: u32::from(wanted.min_size),
        desired: u32::from(wanted.desired_size),
        max: u32::from(wanted.max_size),
    }
}
