//! What each step does.

mod add_ons;
mod agent;
mod cluster;
mod connection;
mod node_groups;
mod site;
mod stack;
mod stacks;

use mainsheet_workflow::Step;

use crate::trouble::Trouble;
use crate::work::Work;
use crate::{Reached, steps::site::Site};

/// Makes sure of what the step at hand is to make sure of, as far as it goes now.
pub(crate) async fn make_sure(work: &Work<'_>) -> Result<Reached, Trouble> {
    match work.stage.step {
        // What needs no account.
        Step::AwaitAgent => return agent::is_heard(work).await,
        Step::RetireAgent => return agent::is_retired(work).await,
        // An account that lets nobody in any more cannot keep what was never made in it, or is gone.
        step if (step.removes() || work.operation.kind.is_destroy()) && work.has_left_nothing().await? => {
            return Ok(Reached::Done);
        }
        _ => {}
    }
    let site = Site::enter(work).await?;
    match work.stage.step {
        Step::AssumeRole => site.lets_us_in().await,
        Step::CreateNetworkStack => stacks::network_is_there(&site).await,
        Step::CreateScaffoldingStack => stacks::scaffolding_is_there(&site).await,
        Step::TrustPodIdentities => stacks::identities_are_trusted(&site).await,
        Step::CreateCatalogStack => stacks::catalog_is_there(&site).await,
        Step::DeleteNetworkStack | Step::DeleteScaffoldingStack => stack::is_gone(&site, &site.stack_name()).await,
        Step::DeleteCatalogStack => stacks::catalog_is_gone(&site).await,
        Step::CreateControlPlane => cluster::is_there(&site).await,
        Step::UpdateControlPlane => cluster::is_as_wanted(&site).await,
        Step::DeleteControlPlane => cluster::is_gone(&site).await,
        Step::CreateAccessEntry => cluster::lets_us_in(&site).await,
        Step::InspectCluster => cluster::works(&site).await,
        Step::CreateNodeGroup => node_groups::system_is_there(&site).await,
        Step::UpdateNodeGroup => node_groups::system_is_as_wanted(&site).await,
        Step::DeleteNodeGroups => node_groups::are_gone(&site).await,
        Step::InstallAddOns => add_ons::are_there(&site).await,
        Step::UpdateAddOns => add_ons::are_of_the_version(&site).await,
        Step::InstallAgent => agent::is_installed(&site).await,
        Step::UpdateConnectionStack => connection::is_of_the_newest_template(&site).await,
        Step::AwaitAgent | Step::RetireAgent | Step::Succeed | Step::Revert | Step::Fail => Ok(Reached::Done),
    }
}
