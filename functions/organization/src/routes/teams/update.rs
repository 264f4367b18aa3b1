//! `PATCH /org/teams/{team}`: change what is given.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Result, Tagged, text};
use mainsheet_core::role::TeamRole;
use mainsheet_core::team::{Team, TeamWithCount};
use mainsheet_core::{Error, RoleId};
use mainsheet_store::teams::with_count;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::ManagedTeam;

/// What to change of a team. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TeamUpdate {
    /// Its name.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// The team role of members who are added without one.
    #[garde(skip)]
    #[schema(value_type = Option<String>, pattern = "^(TEAMADMIN|EDITOR|VIEWER)$")]
    default_role_id: Option<RoleId>,
}

/// Change a team
///
/// For its Team Admins as well.
#[utoipa::path(
    patch, path = "/org/teams/{team}", operation_id = "updateTeam", tag = "teams",
    params(("team" = mainsheet_core::TeamId, Path, description = "The team."), ("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = TeamUpdate,
    responses((status = 200, description = "The changed team.", body = TeamWithCount, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageTeams")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    ManagedTeam { caller, row }: ManagedTeam,
    if_match: IfMatch,
    Body(body): Body<TeamUpdate>,
) -> Result<Tagged<TeamWithCount>> {
    if_match.check(row.version)?;
    if body.default_role_id.as_ref().is_some_and(|role| TeamRole::try_from(role).is_err()) {
        return Err(Error::invalid("defaultRoleId", "is no role of teams").into());
    }
    let change = app.store.change(caller.audit("team.update", &row.value.id));
    let team = Team {
        name: body.name.unwrap_or_else(|| row.value.name.clone()),
        default_role_id: body.default_role_id.unwrap_or_else(|| row.value.default_role_id.clone()),
        updated_at: change.now(),
        updated_by: caller.member_id().clone(),
        ..row.value.clone()
    };
    change.details(Some(&row.value), Some(&team)).replace_team(&row, &team).commit().await?;
    let version = row.version + 1;
    Ok(Tagged { body: TeamWithCount { team, ..with_count(row) }, version })
}
