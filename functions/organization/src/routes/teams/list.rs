//! `GET /org/teams`: the teams with how many sit in each.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, ListQuery, Member, PageOf, Query, Result};
use mainsheet_core::team::TeamWithCount;
use mainsheet_store::teams::with_count;
use serde::Deserialize;
use utoipa::ToSchema;

/// What teams can be sorted by.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SortBy {
    /// Their names.
    #[default]
    Name,
    /// Teams have no address: the same as `name`.
    Email,
}

/// The order of the list.
pub(crate) type Order = mainsheet_api::Order<SortBy>;

/// List teams
#[utoipa::path(
    get, path = "/org/teams", operation_id = "listTeams", tag = "teams",
    params(ListQuery, Order),
    responses((status = 200, description = "Some of the teams.", body = PageOf<TeamWithCount>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    Member(caller): Member,
    Query(query): Query<ListQuery>,
    Query(order): Query<Order>,
) -> Result<Json<PageOf<TeamWithCount>>> {
    let descending = order.is_descending();
    let (page, total) = app.store.teams(caller.tenant(), descending, &query.request()?).await?;
    let page = page.map(with_count);
    Ok(Json(PageOf { total, items: page.rows, marker: page.marker }))
}
