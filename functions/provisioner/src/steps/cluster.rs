//! Control planes.

use std::collections::BTreeSet;

use mainsheet_cloud::account::{
    ClientToken, ClusterStatus, EksCluster, NewAccessEntry, NewCluster, NodeGroupStatus, UpdateStatus, UpdateTarget,
    found,
};
use mainsheet_core::network::Network;
use mainsheet_core::operation::{ResourceAction, ResourceProgress};
use mainsheet_core::provisioned_cluster::{
    ClusterConfig, HealthStatus, LastHealth, ProviderCluster, ProvisionedCluster,
};

use crate::Reached;
use crate::steps::site::Site;
use crate::steps::stack::require_ours;
use crate::steps::stacks::output;
use crate::trouble::Trouble;
use crate::work::Thing;

pub(crate) const CLUSTER: &str = "AWS::EKS::Cluster";
const ACCESS_ENTRY: &str = "AWS::EKS::AccessEntry";
/// What an API is open to that is open to all.
const ANYWHERE: &str = "0.0.0.0/0";

/// The control plane is active.
pub(crate) async fn is_there(site: &Site<'_>) -> Result<Reached, Trouble> {
    let name = site.cluster_name();
    let thing = Thing { kind: CLUSTER, name: &name };
    let Some(found) = found(site.account.cluster(&name).await)? else {
        create(site, thing).await?;
        return Ok(Reached::NotYet);
    };
    require_ours(site, &found.tags, &format!("cluster {name}"))?;
    match found.status {
        ClusterStatus::Active => {
            note_provider(site, &found).await?;
            site.work.note_created(thing, &found.arn).await?;
            Ok(Reached::Done)
        }
        ClusterStatus::Creating | ClusterStatus::Updating => Ok(Reached::NotYet),
        ClusterStatus::Failed | ClusterStatus::Deleting => {
            site.work.note(thing, ResourceAction::Create, ResourceProgress::Failed).await?;
            Err(Trouble::failed_with(format!("The control plane {name} could not be made."), &found.issues))
        }
    }
}

async fn create(site: &Site<'_>, thing: Thing<'_>) -> Result<(), Trouble> {
    let cluster = site.cluster()?;
    let role_arn = output(&cluster.provisioning, "ClusterRoleArn")?.to_owned();
    let subnet_ids = private_subnets(site).await?;
    let intent = site.work.intend(thing).await?;
    let new = NewCluster {
        name: thing.name.to_owned(),
        version: cluster.config.kubernetes_version.to_string(),
        role_arn,
        subnet_ids,
        public_access_cidrs: public_access(&cluster.config),
        tags: intent.tags,
        token: ClientToken::new(&intent.client_token),
    };
    site.account.create_cluster(&new).await?;
    Ok(site.work.note(thing, ResourceAction::Create, ResourceProgress::Running).await?)
}

/// The private subnets of the cluster's network.
pub(crate) async fn private_subnets(site: &Site<'_>) -> Result<Vec<String>, Trouble> {
    let network = site.work.store().provisioned::<Network>(&site.work.tenant, &site.cluster()?.network_id).await?.value;
    let subnets = output(&network.provisioning, "PrivateSubnetIds")?;
    Ok(subnets.split(',').map(|subnet| subnet.trim().to_owned()).collect())
}

async fn note_provider(site: &Site<'_>, found: &EksCluster) -> Result<(), Trouble> {
    let learn = |cluster: &mut ProvisionedCluster| {
        cluster.provider = Some(ProviderCluster {
            name: found.name.clone(),
            arn: found.arn.clone(),
            endpoint: found.endpoint.clone(),
            certificate_authority: found.certificate_authority.clone(),
        });
    };
    Ok(site.work.store().note_provisioned(&site.work.tenant, &site.cluster()?.id, learn).await?)
}

/// The control plane has the version and the access that the update aims at.
pub(crate) async fn is_as_wanted(site: &Site<'_>) -> Result<Reached, Trouble> {
    let (name, wanted) = (site.cluster_name(), aim(site.cluster()?));
    let thing = Thing { kind: CLUSTER, name: &name };
    let cluster = site.account.cluster(&name).await?;
    match cluster.status {
        ClusterStatus::Active => {}
        ClusterStatus::Creating | ClusterStatus::Updating => return Ok(Reached::NotYet),
        ClusterStatus::Failed | ClusterStatus::Deleting => {
            return Err(Trouble::failed_with(format!("The control plane {name} does not work."), &cluster.issues));
        }
    }
    let version = wanted.kubernetes_version.to_string();
    let access = public_access(wanted);
    // The same token is the same update, however often it is asked for: how it went is seen by its id.
    let update = if cluster.version != version {
        site.account.update_cluster_version(&name, &version, &site.token("version")).await?
    } else if set(&cluster.public_access_cidrs) != set(&access) {
        site.account.update_public_access(&name, &access, &site.token("access")).await?
    } else {
        site.work.note_as_wanted(thing).await?;
        return Ok(Reached::Done);
    };
    site.work.note(thing, ResourceAction::Update, ResourceProgress::Running).await?;
    follow(site, thing, &UpdateTarget::ControlPlane, &update).await
}

/// How far an update is. What it changes is looked at again when it is through.
pub(crate) async fn follow(
    site: &Site<'_>,
    thing: Thing<'_>,
    target: &UpdateTarget,
    update: &str,
) -> Result<Reached, Trouble> {
    let update = site.account.update(&site.cluster_name(), target, update).await?;
    match update.status {
        UpdateStatus::InProgress | UpdateStatus::Successful => Ok(Reached::NotYet),
        UpdateStatus::Failed | UpdateStatus::Cancelled => {
            site.work.note(thing, ResourceAction::Update, ResourceProgress::Failed).await?;
            Err(Trouble::failed_with(format!("{} could not be updated.", thing.name), &update.issues))
        }
    }
}

/// The control plane is gone, and all that was in it.
pub(crate) async fn is_gone(site: &Site<'_>) -> Result<Reached, Trouble> {
    let name = site.cluster_name();
    let thing = Thing { kind: CLUSTER, name: &name };
    let there = found(site.account.cluster(&name).await)?;
    let Some(cluster) = there.filter(|cluster| require_ours(site, &cluster.tags, &name).is_ok()) else {
        site.work.note_gone(thing).await?;
        forget_contents(site).await?;
        return Ok(Reached::Done);
    };
    match cluster.status {
        ClusterStatus::Active | ClusterStatus::Failed => {
            site.account.delete_cluster(&name).await?;
            site.work.note(thing, ResourceAction::Delete, ResourceProgress::Running).await?;
        }
        // EKS deletes nothing that it is about to make or to change.
        ClusterStatus::Creating | ClusterStatus::Updating | ClusterStatus::Deleting => {}
    }
    Ok(Reached::NotYet)
}

/// Access entries and add-ons go with their cluster.
async fn forget_contents(site: &Site<'_>) -> Result<(), Trouble> {
    let (store, tenant, resource) = (site.work.store(), &site.work.tenant, &site.work.operation.resource);
    for intent in store.intents(tenant, resource).await? {
        if intent.kind.starts_with("AWS::EKS::") {
            store.forget_intent(tenant, resource, (&intent.kind, &intent.name)).await?;
        }
    }
    Ok(())
}

/// The role that we enter by may use the cluster's Kubernetes API.
pub(crate) async fn lets_us_in(site: &Site<'_>) -> Result<Reached, Trouble> {
    let name = site.cluster_name();
    let principal = site.connection.role_arn.as_ref().map(ToString::to_string).unwrap_or_default();
    let thing = Thing { kind: ACCESS_ENTRY, name: &principal };
    if !site.account.access_entries(&name).await?.contains(&principal) {
        let intent = site.work.intend(thing).await?;
        let token = ClientToken::new(&intent.client_token);
        let entry = NewAccessEntry { cluster: name, principal_arn: principal.clone(), tags: intent.tags, token };
        site.account.create_access_entry(&entry).await?;
    }
    site.work.note(thing, ResourceAction::Create, ResourceProgress::Succeeded).await?;
    Ok(Reached::Done)
}

/// The cluster works, whatever an update made of it: what it has become is what it is from now on.
pub(crate) async fn works(site: &Site<'_>) -> Result<Reached, Trouble> {
    let (name, known) = (site.cluster_name(), site.cluster()?);
    let cluster = site.account.cluster(&name).await?;
    let group = site.account.node_group(&name, &known.config.system_node_group.name).await?;
    let in_motion = matches!(cluster.status, ClusterStatus::Updating | ClusterStatus::Creating)
        || matches!(group.status, NodeGroupStatus::Updating | NodeGroupStatus::Creating);
    if in_motion {
        return Ok(Reached::NotYet);
    }
    let works = cluster.status == ClusterStatus::Active && group.status == NodeGroupStatus::Active;
    let (issues, checked_at) = ([cluster.issues, group.issues].concat(), site.work.store().now());
    let health = LastHealth {
        status: if works { HealthStatus::Healthy } else { HealthStatus::Unhealthy },
        message: issues.first().map(|issue| format!("{}: {}", issue.code, issue.message)),
        checked_at,
    };
    let learn = |known: &mut ProvisionedCluster| {
        known.health = Some(health.clone());
        if !works {
            return;
        }
        let config = &mut known.config;
        config.kubernetes_version = cluster.version.parse().unwrap_or(config.kubernetes_version);
        let size = |size: u32| u16::try_from(size).unwrap_or(u16::MAX);
        config.system_node_group.min_size = size(group.scaling.min);
        config.system_node_group.desired_size = size(group.scaling.desired);
        config.system_node_group.max_size = size(group.scaling.max);
        if let Some(target) =
            known.target.as_ref().filter(|target| set(&public_access(target)) == set(&cluster.public_access_cidrs))
        {
            config.public_access_cidrs.clone_from(&target.public_access_cidrs);
        }
    };
    site.work.store().note_provisioned(&site.work.tenant, &known.id, learn).await?;
    if works {
        Ok(Reached::Done)
    } else {
        Err(Trouble::failed_with(format!("The cluster {name} does not work."), &issues))
    }
}

/// What a cluster is to be: the update's aim, or what it is.
pub(crate) fn aim(cluster: &ProvisionedCluster) -> &ClusterConfig {
    cluster.target.as_ref().unwrap_or(&cluster.config)
}

fn public_access(config: &ClusterConfig) -> Vec<String> {
    config.public_access_cidrs.iter().map(ToString::to_string).collect()
}

/// Blocks of addresses in no order; none are all of them.
fn set(blocks: &[String]) -> BTreeSet<&str> {
    if blocks.is_empty() { BTreeSet::from([ANYWHERE]) } else { blocks.iter().map(String::as_str).collect() }
}
