//! `GET /workloads/clusters/{cluster}/teams`: the teams that may run work on a cluster.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, PageOf, PageQuery, Path, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewClusters;
use mainsheet_core::ClusterId;
use mainsheet_core::team::TeamWithCount;
use mainsheet_store::teams::with_count;

/// List the teams of a cluster
///
/// In the order of their ids.
#[utoipa::path(
    get, path = "/workloads/clusters/{cluster}/teams", operation_id = "listClusterTeams", tag = "clusters",
    params(("cluster" = ClusterId, Path, description = "The cluster."), PageQuery),
    responses((status = 200, description = "Some of the teams.", body = PageOf<TeamWithCount>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewClusters")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanViewClusters>,
    Path(id): Path<ClusterId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageOf<TeamWithCount>>> {
    let cluster = app.store.cluster(caller.tenant(), &id).await?.value;
    let teams = query.cut(cluster.teams.keys());
    let rows = app.store.teams_named(caller.tenant(), teams).await?;
    let items = rows.into_iter().map(with_count).collect();
    Ok(Json(PageOf { total: cluster.teams.len() as u64, items, marker: None }))
}
