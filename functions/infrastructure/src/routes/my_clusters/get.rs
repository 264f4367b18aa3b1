//! `GET /me/clusters/{cluster}`: one cluster within the caller's reach.

use axum::extract::State;
use mainsheet_api::{App, Member, Path, Result, Tagged};
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::cluster::Cluster;
use mainsheet_core::{ClusterId, Error};
use serde::Serialize;
use utoipa::ToSchema;

use crate::view::cluster::{MyClusterIncluded, MyClusterItem};

/// One cluster.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MyClusterDetail {
    item: MyClusterItem,
    included: MyClusterIncluded,
}

/// Show one of my clusters
#[utoipa::path(
    get, path = "/me/clusters/{cluster}", operation_id = "getMyCluster", tag = "clusters",
    params(("cluster" = ClusterId, Path, description = "The cluster.")),
    responses((status = 200, description = "The cluster.", body = MyClusterDetail, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    Member(caller): Member,
    Path(cluster): Path<ClusterId>,
) -> Result<Tagged<MyClusterDetail>> {
    let row = app.store.cluster(caller.tenant(), &cluster).await?;
    if !reaches(&caller, &row.value) {
        return Err(Error::NotFound.into());
    }
    let included = MyClusterIncluded::of(&app.store, &caller, &[&row], app.now()).await?;
    Ok(Tagged { body: MyClusterDetail { item: (&row.value).into(), included }, version: row.version })
}

/// A cluster is within reach through a team, and of those who could share it with one of theirs.
pub(crate) fn reaches(caller: &Caller, cluster: &Cluster) -> bool {
    caller.may(Relation::CanManageClusters) || cluster.teams.keys().any(|team| caller.sits_in(team))
}
