//! `GET /me/clusters`: the clusters that the caller reaches through teams.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Member, PageQuery, Query, Result};
use mainsheet_core::cluster::Cluster;
use mainsheet_store::Row;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::routes::my_clusters::get::reaches;
use crate::view::cluster::{MyClusterIncluded, MyClusterItem};

/// What clusters can be sorted by.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SortBy {
    /// Their names.
    #[default]
    Name,
}

/// The order of the list.
pub(crate) type Order = mainsheet_api::Order<SortBy>;

/// Some of the clusters.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MyClusterPage {
    /// How many there are in all.
    total: u64,
    items: Vec<MyClusterItem>,
    included: MyClusterIncluded,
}

/// List my clusters
///
/// Those that are shared with one of the caller's teams.
#[utoipa::path(
    get, path = "/me/clusters", operation_id = "listMyClusters", tag = "clusters",
    params(PageQuery, Order),
    responses((status = 200, description = "Some of the clusters.", body = MyClusterPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Member(caller): Member,
    Query(query): Query<PageQuery>,
    Query(order): Query<Order>,
) -> Result<Json<MyClusterPage>> {
    let mut rows = app.store.clusters(caller.tenant()).await?;
    rows.retain(|row| reaches(&caller, &row.value));
    let SortBy::Name = order.sort_by;
    rows.sort_by_cached_key(|row: &Row<Cluster>| (row.value.name.to_lowercase(), row.value.id.clone()));
    if order.is_descending() {
        rows.reverse();
    }
    let shown: Vec<&Row<Cluster>> = query.cut(rows.iter()).collect();
    let items = shown.iter().map(|row| MyClusterItem::from(&row.value)).collect();
    let included = MyClusterIncluded::of(&app.store, &caller, &shown, app.now()).await?;
    Ok(Json(MyClusterPage { total: rows.len() as u64, items, included }))
}
