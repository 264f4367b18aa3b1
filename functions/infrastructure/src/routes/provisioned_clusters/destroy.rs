//! `DELETE /infra/connections/{connection}/clusters/{cluster}`: tear a cluster down.

use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageClusters;
use mainsheet_core::operation::OperationKind;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::{ClusterId, ConnectionId};

use super::ClusterPath;
use crate::provisioned::{Accepted, Start};
use crate::view::operation::OperationView;

/// Destroy a cluster
///
/// Runs that wait or go on there are cancelled. Its record stays.
#[utoipa::path(
    delete, path = "/infra/connections/{connection}/clusters/{cluster}", operation_id = "destroyProvisionedCluster", tag = "clusters",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("cluster" = ClusterId, Path, description = "The cluster.")),
    responses((status = 202, description = "The operation.", body = OperationView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageClusters")))
)]
pub(crate) async fn destroy(
    State(app): State<App>,
    caller: Permitted<CanManageClusters>,
    Path(path): Path<ClusterPath>,
) -> Result<Accepted> {
    let start = Start::<ProvisionedCluster> {
        connection: &path.connection,
        id: &path.cluster,
        kind: OperationKind::ClusterDestroy,
        idempotent: None,
    };
    start.answer(&app, &caller, |_| Ok(())).await
}
