//! Steps: what can be asked of the provisioner, and what it answers.

use mainsheet_core::{OperationId, OrganizationId};
use serde::{Deserialize, Serialize};

/// Something that a workflow does. Each makes sure that something is so, however often it is asked and whatever was done of it
/// before: it begins what has not begun, and looks how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The account's role lets us in.
    AssumeRole,
    /// The network's stack is there.
    CreateNetworkStack,
    /// The network's stack is gone.
    DeleteNetworkStack,
    /// The stack of the cluster's roles is there.
    CreateScaffoldingStack,
    /// The cluster's control plane is active.
    CreateControlPlane,
    /// The roles of the cluster's pods trust the identities that the cluster gives them.
    TrustPodIdentities,
    /// The system node group is active.
    CreateNodeGroup,
    /// The role that we enter by may use the cluster's Kubernetes API.
    CreateAccessEntry,
    /// The add-ons are active.
    InstallAddOns,
    /// The agent's manifests are applied, with a registration token of its own.
    InstallAgent,
    /// The agent has sent a heartbeat.
    AwaitAgent,
    /// The control plane has the Kubernetes version and the access that are asked for.
    UpdateControlPlane,
    /// The system node group has the size and version that are asked for.
    UpdateNodeGroup,
    /// The add-ons are of the version that fits the cluster's.
    UpdateAddOns,
    /// The cluster works, whatever an update made of it.
    InspectCluster,
    /// No agent of the cluster has credentials any more.
    RetireAgent,
    /// The cluster has no node group any more.
    DeleteNodeGroups,
    /// The cluster's control plane is gone.
    DeleteControlPlane,
    /// The stack of the cluster's roles is gone.
    DeleteScaffoldingStack,
    /// The catalog's stack is there.
    CreateCatalogStack,
    /// The catalog's stack is gone.
    DeleteCatalogStack,
    /// The connection's own stack is that of the newest template.
    UpdateConnectionStack,
    /// The operation has succeeded, and its resource is told.
    Succeed,
    /// The operation has failed or was cancelled, and its resource works as before.
    Revert,
    /// The operation has failed or was cancelled, and its resource with it.
    Fail,
}

impl Step {
    /// Its name as a state: `CreateNetworkStack`.
    #[must_use]
    pub fn state_name(self) -> String {
        format!("{self:?}")
    }

    /// Whether all it does in the account is to remove what is there.
    #[must_use]
    pub fn removes(self) -> bool {
        matches!(
            self,
            Self::DeleteNetworkStack
                | Self::DeleteNodeGroups
                | Self::DeleteControlPlane
                | Self::DeleteScaffoldingStack
                | Self::DeleteCatalogStack
        )
    }

    /// What it does, for a person.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::AssumeRole => "Entering the account.",
            Self::CreateNetworkStack => "Building the network.",
            Self::DeleteNetworkStack => "Removing the network.",
            Self::CreateScaffoldingStack => "Making the cluster's roles.",
            Self::CreateControlPlane => "Building the control plane.",
            Self::TrustPodIdentities => "Connecting the pods' identities with their roles.",
            Self::CreateNodeGroup => "Starting the system nodes.",
            Self::CreateAccessEntry => "Opening the cluster's API to the platform's role.",
            Self::InstallAddOns => "Installing add-ons.",
            Self::InstallAgent => "Installing the agent.",
            Self::AwaitAgent => "Waiting for the agent's first heartbeat.",
            Self::UpdateControlPlane => "Updating the control plane.",
            Self::UpdateNodeGroup => "Updating the system nodes.",
            Self::UpdateAddOns => "Updating add-ons.",
            Self::InspectCluster => "Looking whether the cluster works.",
            Self::RetireAgent => "Taking the agent's credentials away.",
            Self::DeleteNodeGroups => "Stopping the nodes.",
            Self::DeleteControlPlane => "Removing the control plane.",
            Self::DeleteScaffoldingStack => "Removing the cluster's roles.",
            Self::CreateCatalogStack => "Building the catalog.",
            Self::DeleteCatalogStack => "Removing the catalog.",
            Self::UpdateConnectionStack => "Bringing the connection's stack to the newest template.",
            Self::Succeed => "Done.",
            Self::Revert => "It did not work out; everything is as before.",
            Self::Fail => "It did not work out.",
        }
    }

    /// As it stands on the wire: `create_network_stack`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AssumeRole => "assume_role",
            Self::CreateNetworkStack => "create_network_stack",
            Self::DeleteNetworkStack => "delete_network_stack",
            Self::CreateScaffoldingStack => "create_scaffolding_stack",
            Self::CreateControlPlane => "create_control_plane",
            Self::TrustPodIdentities => "trust_pod_identities",
            Self::CreateNodeGroup => "create_node_group",
            Self::CreateAccessEntry => "create_access_entry",
            Self::InstallAddOns => "install_add_ons",
            Self::InstallAgent => "install_agent",
            Self::AwaitAgent => "await_agent",
            Self::UpdateControlPlane => "update_control_plane",
            Self::UpdateNodeGroup => "update_node_group",
            Self::UpdateAddOns => "update_add_ons",
            Self::InspectCluster => "inspect_cluster",
            Self::RetireAgent => "retire_agent",
            Self::DeleteNodeGroups => "delete_node_groups",
            Self::DeleteControlPlane => "delete_control_plane",
            Self::DeleteScaffoldingStack => "delete_scaffolding_stack",
            Self::CreateCatalogStack => "create_catalog_stack",
            Self::DeleteCatalogStack => "delete_catalog_stack",
            Self::UpdateConnectionStack => "update_connection_stack",
            Self::Succeed => "succeed",
            Self::Revert => "revert",
            Self::Fail => "fail",
        }
    }
}

/// What the provisioner is asked. Ids alone: everything else is read from the table, where it is true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepRequest {
    /// Whose operation it is.
    pub organization_id: OrganizationId,
    /// The operation.
    pub operation_id: OperationId,
    /// What to do.
    pub step: Step,
}

/// How far a step has come. Why it failed is written on the operation; trouble that passes is an error instead, and the step
/// is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum StepOutcome {
    /// What the step makes sure of is so.
    Done,
    /// Not yet: ask again.
    Again,
    /// It cannot be, or not in time.
    Failed,
    /// Somebody asked for the operation to be cancelled.
    Cancelled,
}

impl StepOutcome {
    /// As it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Again => "again",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
