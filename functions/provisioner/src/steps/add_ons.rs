//! Add-ons.

use mainsheet_cloud::account::{AddOn, AddOnStatus, ClientToken, NewAddOn, UpdateTarget, found};
use mainsheet_core::operation::{ResourceAction, ResourceProgress};

use crate::Reached;
use crate::steps::cluster::follow;
use crate::steps::site::Site;
use crate::steps::stacks::output;
use crate::trouble::Trouble;
use crate::work::Thing;

const ADD_ON: &str = "AWS::EKS::Addon";

/// What makes volumes, for which its pods have a role.
const VOLUMES: &str = "aws-ebs-csi-driver";
/// What connects pods.
const NETWORK: &str = "vpc-cni";
/// It holds pods to network policies, by which those of a run are reached by each other alone. It does not by itself.
/// <https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html>
const NETWORK_POLICIES: &str = r#"{"enableNetworkPolicy":"true"}"#;
/// What every cluster has: the network of its pods, name service, and volumes, of which the agent has one.
const ADD_ONS: [&str; 4] = [NETWORK, "kube-proxy", "coredns", VOLUMES];

/// The add-ons are active.
pub(crate) async fn are_there(site: &Site<'_>) -> Result<Reached, Trouble> {
    let mut reached = Reached::Done;
    for name in ADD_ONS {
        if is_there(site, name).await? == Reached::NotYet {
            reached = Reached::NotYet;
        }
    }
    Ok(reached)
}

async fn is_there(site: &Site<'_>, name: &str) -> Result<Reached, Trouble> {
    let cluster = site.cluster_name();
    let thing = Thing { kind: ADD_ON, name };
    let Some(add_on) = found(site.account.add_on(&cluster, name).await)? else {
        let intent = site.work.intend(thing).await?;
        // One step makes several: each has a token of its own.
        let token = ClientToken::new(&format!("{}-{name}", intent.client_token));
        let role_arn = match name {
            VOLUMES => Some(output(&site.cluster()?.provisioning, "StorageRoleArn")?.to_owned()),
            _ => None,
        };
        let configuration = (name == NETWORK).then(|| NETWORK_POLICIES.to_owned());
        let new = NewAddOn { cluster, name: name.to_owned(), role_arn, configuration, tags: intent.tags, token };
        site.account.create_add_on(&new).await?;
        site.work.note(thing, ResourceAction::Create, ResourceProgress::Running).await?;
        return Ok(Reached::NotYet);
    };
    match add_on.status {
        AddOnStatus::Active => {
            site.work.note_created(thing, &add_on.arn).await?;
            Ok(Reached::Done)
        }
        // It gets over being degraded when its pods find nodes; if not, the step's deadline comes.
        AddOnStatus::Creating | AddOnStatus::Updating | AddOnStatus::Degraded => Ok(Reached::NotYet),
        _ => {
            site.work.note(thing, ResourceAction::Create, ResourceProgress::Failed).await?;
            Err(broken(name, &add_on))
        }
    }
}

/// The add-ons are of the version that EKS has as default for the cluster's.
pub(crate) async fn are_of_the_version(site: &Site<'_>) -> Result<Reached, Trouble> {
    let mut reached = Reached::Done;
    for name in ADD_ONS {
        if is_of_the_version(site, name).await? == Reached::NotYet {
            reached = Reached::NotYet;
        }
    }
    Ok(reached)
}

async fn is_of_the_version(site: &Site<'_>, name: &str) -> Result<Reached, Trouble> {
    let cluster = site.cluster_name();
    let thing = Thing { kind: ADD_ON, name };
    let add_on = site.account.add_on(&cluster, name).await?;
    match add_on.status {
        AddOnStatus::Active => {}
        AddOnStatus::Creating | AddOnStatus::Updating | AddOnStatus::Degraded => return Ok(Reached::NotYet),
        _ => return Err(broken(name, &add_on)),
    }
    let Some(update) = site.account.update_add_on(&cluster, name, &site.token(name)).await? else {
        site.work.note_as_wanted(thing).await?;
        return Ok(Reached::Done);
    };
    site.work.note(thing, ResourceAction::Update, ResourceProgress::Running).await?;
    follow(site, thing, &UpdateTarget::AddOn(name.to_owned()), &update).await
}

fn broken(name: &str, add_on: &AddOn) -> Trouble {
    Trouble::failed_with(format!("The add-on {name} does not work."), &add_on.issues)
}
