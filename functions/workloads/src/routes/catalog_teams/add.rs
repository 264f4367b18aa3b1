//! `POST /workloads/catalogs/{catalog}/teams`: let teams use a catalog.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_core::catalog::{Catalog, CatalogTeam};
use mainsheet_core::cluster::MAX_TEAMS;
use mainsheet_core::{CatalogId, Error, MemberId, TeamId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Some teams.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TeamIdsWrite)]
pub(crate) struct TeamIdsWrite {
    /// Their ids. Teams that are there already stay as they are.
    #[garde(length(min = 1, max = 50))]
    #[schema(min_items = 1, max_items = 50)]
    team_ids: Vec<TeamId>,
}

/// Links of teams with a catalog.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogTeamList {
    items: Vec<CatalogTeamView>,
}

/// A team that may use a catalog.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogTeam)]
pub(crate) struct CatalogTeamView {
    catalog_id: CatalogId,
    team_id: TeamId,
    created_at: Timestamp,
    created_by: MemberId,
    updated_at: Timestamp,
    updated_by: MemberId,
}

impl CatalogTeamList {
    /// The links of those of the teams that have one.
    pub(super) fn of<'a>(catalog: &Catalog, teams: impl IntoIterator<Item = &'a TeamId>) -> Self {
        let view = |team: &TeamId| {
            let link = catalog.teams.get(team)?;
            Some(CatalogTeamView {
                catalog_id: catalog.id.clone(),
                team_id: team.clone(),
                created_at: link.created_at,
                created_by: link.created_by.clone(),
                updated_at: link.created_at,
                updated_by: link.created_by.clone(),
            })
        };
        Self { items: teams.into_iter().filter_map(view).collect() }
    }
}

/// Share a catalog with teams
#[utoipa::path(
    post, path = "/workloads/catalogs/{catalog}/teams", operation_id = "addCatalogTeams", tag = "catalogs",
    params(("catalog" = CatalogId, Path, description = "The catalog.")),
    request_body = TeamIdsWrite,
    responses((status = 201, description = "The links of the named teams.", body = CatalogTeamList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn add(
    State(app): State<App>,
    caller: Permitted<CanManageCatalogs>,
    Path(id): Path<CatalogId>,
    Command { body, idempotent }: Command<TeamIdsWrite>,
) -> Result<(StatusCode, Json<CatalogTeamList>)> {
    let row = app.store.catalog(caller.tenant(), &id).await?;
    let named: BTreeSet<&TeamId> = body.team_ids.iter().collect();
    if idempotent.earlier::<CatalogId>()?.is_some() {
        return Ok((StatusCode::CREATED, Json(CatalogTeamList::of(&row.value, named))));
    }
    let change = app.store.change(caller.audit("catalog.share", &id));
    let mut catalog = row.value.clone();
    let link = CatalogTeam { created_at: change.now(), created_by: caller.member_id().clone() };
    for team in &body.team_ids {
        catalog.teams.entry(team.clone()).or_insert_with(|| link.clone());
    }
    if catalog.teams.len() > MAX_TEAMS {
        return Err(Error::invalid("teamIds", "would make it more than 100 teams of this catalog").into());
    }
    catalog.updated_at = change.now();
    catalog.updated_by = caller.member_id().clone();
    change
        .require_teams(caller.tenant(), &body.team_ids)
        .replace_catalog(caller.tenant(), &row, &catalog)
        .idempotent(idempotent.request(), id.as_str())
        .commit()
        .await?;
    Ok((StatusCode::CREATED, Json(CatalogTeamList::of(&catalog, named))))
}
