//! `DELETE /workloads/clusters/{cluster}/teams/{team}`: stop a team from running work on a cluster.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageClusters;
use mainsheet_core::{ClusterId, Error, TeamId};
use serde::Deserialize;

/// The parameters of the path.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkPath {
    cluster: ClusterId,
    team: TeamId,
}

/// Stop sharing a cluster with a team
///
/// Runs that have begun go on; new ones of the team's jobs are refused.
#[utoipa::path(
    delete, path = "/workloads/clusters/{cluster}/teams/{team}", operation_id = "removeClusterTeam", tag = "clusters",
    params(("cluster" = ClusterId, Path, description = "The cluster."), ("team" = TeamId, Path, description = "The team.")),
    responses((status = 204, description = "It is shared no more.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageClusters")))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Permitted<CanManageClusters>,
    Path(path): Path<LinkPath>,
) -> Result<StatusCode> {
    let row = app.store.cluster(caller.tenant(), &path.cluster).await?;
    let mut cluster = row.value.clone();
    if cluster.teams.remove(&path.team).is_none() {
        return Err(Error::NotFound.into());
    }
    let change = app.store.change(caller.audit("cluster.unshare", &path.cluster));
    cluster.updated_at = change.now();
    cluster.updated_by = caller.member_id().clone();
    change.replace_cluster(&row, &cluster).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
