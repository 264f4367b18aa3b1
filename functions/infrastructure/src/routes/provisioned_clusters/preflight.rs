//! `POST /infra/connections/{connection}/clusters/{cluster}/preflight`: whether the account would let a cluster be built.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{Action, App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageClusters;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::{ClusterId, ConnectionId};

use super::ClusterPath;
use crate::cloud::Cloud;
use crate::preflight::{self, Preflight, Wanted};

/// Look whether a cluster could be built
///
/// Asks the account, and makes nothing. The connection has to be active.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/clusters/{cluster}/preflight", operation_id = "preflightCluster", tag = "clusters",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("cluster" = ClusterId, Path, description = "The cluster.")),
    responses((status = 200, description = "What was found.", body = Preflight)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageClusters")))
)]
pub(crate) async fn preflight(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanManageClusters>,
    Path(path): Path<ClusterPath>,
    Action(idempotent): Action,
) -> Result<Json<Preflight>> {
    let tenant = caller.tenant();
    let (row, connection) =
        app.store.provisioned_with_connection::<ProvisionedCluster>(tenant, &path.connection, &path.cluster).await?;
    let wanted = Wanted::Cluster(&row.value.config.system_node_group);
    let found = preflight::look(&cloud, &caller, &connection.value, &row.value.region, &wanted).await?;
    // Sent again, it looks again: what it remembers is that the key belongs to this request.
    if idempotent.earlier::<ClusterId>()?.is_none() {
        app.store
            .change(caller.audit("cluster.preflight", &path.cluster))
            .note_connection_use(tenant, &path.connection)
            .idempotent(idempotent.request(), path.cluster.as_str())
            .commit()
            .await?;
    }
    Ok(Json(found))
}
