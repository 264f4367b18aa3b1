//! The workflows there are, one for each kind of operation.

use mainsheet_core::operation::OperationKind;

use crate::{Stage, Step, Workflow};

/// All of them.
pub const ALL: [&Workflow; 8] = [
    &NETWORK_PROVISION,
    &NETWORK_DESTROY,
    &CLUSTER_PROVISION,
    &CLUSTER_UPDATE,
    &CLUSTER_DESTROY,
    &CATALOG_PROVISION,
    &CATALOG_DESTROY,
    &CONNECTION_SYNC_TEMPLATE,
];

/// The workflow of a kind of operation.
#[must_use]
pub const fn workflow(operation: OperationKind) -> &'static Workflow {
    match operation {
        OperationKind::NetworkProvision => &NETWORK_PROVISION,
        OperationKind::NetworkDestroy => &NETWORK_DESTROY,
        OperationKind::ClusterProvision => &CLUSTER_PROVISION,
        OperationKind::ClusterUpdate => &CLUSTER_UPDATE,
        OperationKind::ClusterDestroy => &CLUSTER_DESTROY,
        OperationKind::CatalogProvision => &CATALOG_PROVISION,
        OperationKind::CatalogDestroy => &CATALOG_DESTROY,
        OperationKind::ConnectionSyncTemplate => &CONNECTION_SYNC_TEMPLATE,
    }
}

const ASSUME_ROLE: Stage = Stage::at_once(Step::AssumeRole);
const DELETE_NETWORK_STACK: Stage = Stage::polled(Step::DeleteNetworkStack, 15, 45);
const DELETE_CATALOG_STACK: Stage = Stage::polled(Step::DeleteCatalogStack, 10, 20);

/// How a cluster goes: what stands on something goes before it. The load balancers and volumes that workloads asked Kubernetes
/// for are not ours to delete.
const DELETE_CLUSTER: [Stage; 4] = [
    Stage::at_once(Step::RetireAgent),
    Stage::polled(Step::DeleteNodeGroups, 20, 45),
    Stage::polled(Step::DeleteControlPlane, 20, 45),
    Stage::polled(Step::DeleteScaffoldingStack, 10, 20),
];

const NETWORK_PROVISION: Workflow = Workflow {
    operation: OperationKind::NetworkProvision,
    steps: &[ASSUME_ROLE, Stage::polled(Step::CreateNetworkStack, 15, 30)],
    undo: &[DELETE_NETWORK_STACK],
    undone: Step::Fail,
};

const NETWORK_DESTROY: Workflow = Workflow {
    operation: OperationKind::NetworkDestroy,
    steps: &[ASSUME_ROLE, DELETE_NETWORK_STACK],
    undo: &[],
    undone: Step::Fail,
};

const CLUSTER_PROVISION: Workflow = Workflow {
    operation: OperationKind::ClusterProvision,
    steps: &[
        ASSUME_ROLE,
        Stage::polled(Step::CreateScaffoldingStack, 10, 20),
        Stage::polled(Step::CreateControlPlane, 30, 45),
        Stage::polled(Step::TrustPodIdentities, 10, 20),
        Stage::polled(Step::CreateNodeGroup, 20, 45),
        Stage::at_once(Step::CreateAccessEntry),
        Stage::polled(Step::InstallAddOns, 15, 30),
        Stage::at_once(Step::InstallAgent),
        Stage::polled(Step::AwaitAgent, 10, 20),
    ],
    undo: &DELETE_CLUSTER,
    undone: Step::Fail,
};

/// What Kubernetes has become cannot be undone, but it may well work.
const CLUSTER_UPDATE: Workflow = Workflow {
    operation: OperationKind::ClusterUpdate,
    steps: &[
        ASSUME_ROLE,
        Stage::polled(Step::UpdateControlPlane, 30, 90),
        Stage::polled(Step::UpdateNodeGroup, 30, 120),
        Stage::polled(Step::UpdateAddOns, 15, 45),
    ],
    undo: &[Stage::polled(Step::InspectCluster, 30, 60)],
    undone: Step::Revert,
};

const CLUSTER_DESTROY: Workflow = Workflow {
    operation: OperationKind::ClusterDestroy,
    steps: &[ASSUME_ROLE, DELETE_CLUSTER[0], DELETE_CLUSTER[1], DELETE_CLUSTER[2], DELETE_CLUSTER[3]],
    undo: &[],
    undone: Step::Fail,
};

const CATALOG_PROVISION: Workflow = Workflow {
    operation: OperationKind::CatalogProvision,
    steps: &[ASSUME_ROLE, Stage::polled(Step::CreateCatalogStack, 10, 20)],
    undo: &[DELETE_CATALOG_STACK],
    undone: Step::Fail,
};

const CATALOG_DESTROY: Workflow = Workflow {
    operation: OperationKind::CatalogDestroy,
    steps: &[ASSUME_ROLE, DELETE_CATALOG_STACK],
    undo: &[],
    undone: Step::Fail,
};

/// CloudFormation undoes a failed update by itself.
const CONNECTION_SYNC_TEMPLATE: Workflow = Workflow {
    operation: OperationKind::ConnectionSyncTemplate,
    steps: &[ASSUME_ROLE, Stage::polled(Step::UpdateConnectionStack, 10, 30)],
    undo: &[],
    undone: Step::Fail,
};
