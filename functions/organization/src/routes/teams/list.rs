//! `GET /org/teams`: the teams with how many sit in each.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, ListQuery, Member, PageOf, Query, Result, SortDirection};
use mainsheet_core::team::TeamWithCount;
use mainsheet_store::teams::with_count;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

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
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct Order {
    /// What to sort by.
    #[serde(default, rename = "sortBy")]
    #[garde(skip)]
    #[param(inline)]
    _sort_by: SortBy,
    /// In which direction.
    #[serde(default)]
    #[garde(skip)]
    #[param(inline)]
    sort_direction: SortDirection,
}

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
    let descending = order.sort_direction == SortDirection::Desc;
    let (page, total) = app.store.teams(caller.tenant(), descending, &query.request()?).await?;
    let page = page.map(with_count);
    Ok(Json(PageOf { total, items: page.rows, marker: page.marker }))
}
