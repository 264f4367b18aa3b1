//! `DELETE /workloads/clusters/{cluster}`: retire a self-registered cluster.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageClusters;
use mainsheet_core::{ClusterId, Error};
use mainsheet_store::outbox::Event;

/// Retire a cluster
///
/// Its agent's credentials end with it. Refused while runs wait or go on there.
#[utoipa::path(
    delete, path = "/workloads/clusters/{cluster}", operation_id = "retireCluster", tag = "clusters",
    params(("cluster" = ClusterId, Path, description = "The cluster."), ("If-Match" = Option<String>, Header, description = "The version to retire.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageClusters")))
)]
pub(crate) async fn retire(
    State(app): State<App>,
    caller: Permitted<CanManageClusters>,
    Path(cluster): Path<ClusterId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let row = app.store.cluster(caller.tenant(), &cluster).await?;
    if_match.check(row.version)?;
    if row.value.provisioned.is_some() {
        let message = "A provisioned cluster stands behind this one. Destroy that: it takes this one along.";
        return Err(Error::conflict("cluster_provisioned", message).into());
    }
    if !app.store.inbox(caller.tenant(), &cluster).await?.is_empty() {
        let message = "Runs wait or go on on this cluster. Cancel them, or wait for their end.";
        return Err(Error::conflict("cluster_in_use", message).into());
    }
    app.store
        .change(caller.audit("cluster.retire", &cluster))
        .retire_cluster(caller.tenant(), &row)
        .emit(Event::ClusterRetired { cluster_id: cluster })
        .commit()
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
