//! The provisioner as a Lambda function that the rendered state machines call, on ministack. `infra/ci/workflows-on-ministack` deploys
//! all that into it, and then runs this.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "what helps a test may fail it")]

#[path = "../estate/mod.rs"]
mod estate;

use std::time::{Duration, Instant};

use mainsheet_auth::sealed::Sealer;
use mainsheet_cloud::aws::{self, StepFunctions};
use mainsheet_cloud::workflows::{WorkflowStart, Workflows};
use mainsheet_core::operation::{FailureCode, Operation, OperationKind, OperationStatus, ResourceRef};
use mainsheet_core::provisioning::{Provisioned, ProvisioningStatus};

use estate::{Account, Estate};

const REGION: &str = "eu-central-1";
/// Of those that ministack has.
const MACHINE: &str = "m5.large";
/// How long an operation may take there.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often it is looked at.
const PACE: Duration = Duration::from_millis(250);

/// An organization whose operations are walked through by Step Functions.
struct Platform {
    estate: Estate,
    workflows: StepFunctions,
}

impl Platform {
    async fn connect() -> Self {
        let config = aws::config().await;
        let sealer = Sealer::derive(&aws::secret(&config, "MAINSHEET_SEALING_KEY_SECRET").await.unwrap()).unwrap();
        let told = |name: &str| aws::required(&format!("MAINSHEET_CONNECTION{name}")).unwrap();
        let external_id = told("_EXTERNAL_ID");
        let role = told("_ROLE").parse().unwrap();
        let account = Account { region: REGION, role, stack: told("_STACK"), external_id: &external_id };
        let estate = Estate::connect(aws::store(&config).unwrap(), &sealer, told("").parse().unwrap(), account).await;
        Self { estate, workflows: StepFunctions::from_environment(&config).unwrap() }
    }

    /// Starts an operation's execution, as the relay does, and follows it to its end.
    async fn follow(&self, operation: &Operation) -> Operation {
        let start = WorkflowStart {
            kind: operation.kind,
            organization_id: self.estate.tenant.organization_id().clone(),
            operation_id: operation.id.clone(),
        };
        self.workflows.start(start.clone()).await.unwrap();
        // The relay may do so twice: it is the same execution.
        self.workflows.start(start).await.unwrap();
        let since = Instant::now();
        loop {
            if let ResourceRef::Cluster(cluster) = &operation.resource {
                self.estate.beat(cluster).await;
            }
            let now = self.estate.operation(operation).await;
            if now.status.is_terminal() {
                return now;
            }
            assert!(since.elapsed() < PATIENCE, "{} hangs: {now:?}", operation.kind.as_str());
            tokio::time::sleep(PACE).await;
        }
    }

    /// An operation that ends well, and leaves its resource with `status`.
    async fn achieve(&self, kind: OperationKind, resource: &ResourceRef, status: ProvisioningStatus) {
        let operation = self.estate.start(kind, resource).await;
        let ended = self.follow(&operation).await;
        assert_eq!(ended.status, OperationStatus::Succeeded, "{}: {:?}", kind.as_str(), ended.error);
        assert_eq!(self.estate.status(resource).await, status, "{}", kind.as_str());
        let intended = self.estate.intended(resource).await;
        assert_eq!(intended.is_empty(), kind.is_destroy(), "{}: {intended:?}", kind.as_str());
    }
}

#[tokio::test]
#[ignore = "infra/ci/workflows-on-ministack runs it"]
async fn networks_clusters_and_catalogs_come_and_go_by_the_rendered_state_machines() {
    let platform = Platform::connect().await;
    let network = platform.estate.network().await;
    let there = network.reference();
    platform.achieve(OperationKind::NetworkProvision, &there, ProvisioningStatus::Active).await;

    let cluster = platform.estate.cluster(&network.id, MACHINE).await.reference();
    platform.achieve(OperationKind::ClusterProvision, &cluster, ProvisioningStatus::Active).await;
    let catalog = platform.estate.catalog(&network.id).await.reference();
    platform.achieve(OperationKind::CatalogProvision, &catalog, ProvisioningStatus::Active).await;

    platform.achieve(OperationKind::CatalogDestroy, &catalog, ProvisioningStatus::Destroyed).await;
    platform.achieve(OperationKind::ClusterDestroy, &cluster, ProvisioningStatus::Destroyed).await;
    platform.achieve(OperationKind::NetworkDestroy, &there, ProvisioningStatus::Destroyed).await;
}

#[tokio::test]
#[ignore = "infra/ci/workflows-on-ministack runs it"]
async fn what_is_cancelled_is_undone_by_the_rendered_state_machines() {
    let platform = Platform::connect().await;
    let network = platform.estate.network().await.reference();
    let operation = platform.estate.start(OperationKind::NetworkProvision, &network).await;
    platform.estate.cancel(&operation).await;
    let ended = platform.follow(&operation).await;
    assert_eq!(ended.status, OperationStatus::Cancelled, "{ended:?}");
    assert_eq!(ended.error.unwrap().code, FailureCode::Cancelled);
    assert_eq!(platform.estate.status(&network).await, ProvisioningStatus::Failed);
    platform.achieve(OperationKind::NetworkDestroy, &network, ProvisioningStatus::Destroyed).await;
}

#[tokio::test]
#[ignore = "infra/ci/workflows-on-ministack runs it"]
async fn a_connection_is_brought_to_the_newest_template_by_the_rendered_state_machine() {
    let platform = Platform::connect().await;
    let connection = ResourceRef::Connection(platform.estate.connection.clone());
    let operation = platform.estate.start(OperationKind::ConnectionSyncTemplate, &connection).await;
    let ended = platform.follow(&operation).await;
    assert_eq!(ended.status, OperationStatus::Succeeded, "{:?}", ended.error);
}
