//! `POST /infra/connections/{connection}/clusters/{cluster}/provision`: build a cluster.

use axum::extract::State;
use mainsheet_api::{App, Command, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageClusters;
use mainsheet_core::operation::OperationKind;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::{ClusterId, ConnectionId};

use super::ClusterPath;
use crate::plan::{self, ProvisionRequest};
use crate::provisioned::{Accepted, Start};
use crate::view::operation::OperationView;

/// Provision a cluster
///
/// Answers at once; `GET /operations/{operationId}` tells how far it is. With `planHash` it is refused when the plan has changed.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/clusters/{cluster}/provision", operation_id = "provisionCluster", tag = "clusters",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("cluster" = ClusterId, Path, description = "The cluster.")),
    request_body(content = ProvisionRequest, description = "May be absent."),
    responses((status = 202, description = "The operation.", body = OperationView)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageClusters")))
)]
pub(crate) async fn provision(
    State(app): State<App>,
    caller: Permitted<CanManageClusters>,
    Path(path): Path<ClusterPath>,
    Command { body, idempotent }: Command<ProvisionRequest>,
) -> Result<Accepted> {
    let start = Start::<ProvisionedCluster> {
        connection: &path.connection,
        id: &path.cluster,
        kind: OperationKind::ClusterProvision,
        idempotent: Some(&idempotent),
    };
    start.answer(&app, &caller, |cluster| body.require_current(&plan::of_cluster(cluster))).await
}
