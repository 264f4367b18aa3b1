//! `GET /me/queries`: the saved queries that the caller reaches through teams.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, Member, Query, Result};
use mainsheet_auth::Relation;
use mainsheet_core::query::SavedQuery;
use mainsheet_store::KeptBy;
use mainsheet_store::queries::QueryOrder;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::reaches;
use crate::view::{QueryPage, total_of};

/// What queries can be sorted by.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum SortBy {
    /// Their names.
    Name,
    /// When they last changed.
    #[default]
    UpdatedAt,
}

/// The order of the list.
pub(crate) type Order = mainsheet_api::Order<SortBy>;

/// List my saved queries
///
/// Those that are shared with one of the caller's teams.
#[utoipa::path(
    get, path = "/me/queries", operation_id = "listMyQueries", tag = "queries",
    params(ListQuery, Order),
    responses((status = 200, description = "Some of the queries.", body = QueryPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Member(caller): Member,
    Query(query): Query<ListQuery>,
    Query(order): Query<Order>,
) -> Result<Json<QueryPage>> {
    let request = query.request()?;
    let by = match order.sort_by {
        SortBy::Name => QueryOrder::Name,
        SortBy::UpdatedAt => QueryOrder::Change,
    };
    let descending = order.is_descending();
    let mine = |saved: &SavedQuery| reaches(&caller, Relation::CanViewQueries, &saved.team_ids);
    let kept_by = KeptBy::Member(caller.member_id());
    let page = app.store.queries_where(caller.tenant(), by, descending, &request, kept_by, mine).await?;
    let links = app.store.links_of_queries(caller.tenant(), &page.rows).await?;
    let total = total_of(&page, &request, caller.sits_in_all().then_some(links.total));
    Ok(Json(QueryPage::of(&caller, page, links, total)))
}
