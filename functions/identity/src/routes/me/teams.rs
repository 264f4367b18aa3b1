//! `GET /me/teams`: the teams that the caller sits in.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Member, Result};
use mainsheet_core::team::Team;
use serde::Serialize;
use utoipa::ToSchema;

/// Teams.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MyTeamList {
    items: Vec<Team>,
}

/// List my teams
///
/// By name; in the organization of the request, all of them for whom a role seats in every team.
#[utoipa::path(
    get, path = "/me/teams", operation_id = "listMyTeams", tag = "users",
    responses((status = 200, description = "The teams.", body = MyTeamList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn teams(State(app): State<App>, Member(caller): Member) -> Result<Json<MyTeamList>> {
    let tenant = caller.tenant();
    let mut items: Vec<Team> = if caller.sits_in_all() {
        app.store.all_teams(tenant).await?
    } else {
        app.store.teams_named(tenant, caller.seats().keys()).await?.into_iter().map(|row| row.value).collect()
    };
    items.sort_by_cached_key(|team| (team.name.to_lowercase(), team.id.clone()));
    Ok(Json(MyTeamList { items }))
}
