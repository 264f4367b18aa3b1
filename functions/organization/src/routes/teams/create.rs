//! `POST /org/teams`: a new team, with its creator as its first Team Admin.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Idempotent, Permitted, Result, Tagged, created, text};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageTeams;
use mainsheet_core::role::TeamRole;
use mainsheet_core::team::{Team, TeamWithCount};
use mainsheet_core::{Error, OrganizationId, RoleId, TeamId};
use mainsheet_store::retry_races;
use mainsheet_store::teams::{Seat, with_count};
use serde::Deserialize;
use utoipa::ToSchema;

/// A new team.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TeamCreate {
    /// The caller's organization, if it is repeated here.
    #[garde(skip)]
    organization_id: Option<OrganizationId>,
    /// Its name.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// The team role of members who are added without one; `EDITOR` unless given.
    #[garde(skip)]
    #[schema(value_type = Option<String>, pattern = "^(TEAMADMIN|EDITOR|VIEWER)$")]
    default_role_id: Option<RoleId>,
}

/// Create a team
#[utoipa::path(
    post, path = "/org/teams", operation_id = "createTeam", tag = "teams",
    request_body = TeamCreate,
    responses((status = 201, description = "The new team.", body = TeamWithCount, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageTeams")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Permitted<CanManageTeams>,
    Command { body, idempotent }: Command<TeamCreate>,
) -> Result<(StatusCode, Tagged<TeamWithCount>)> {
    let organization = caller.tenant().organization_id();
    if body.organization_id.as_ref().is_some_and(|id| id != organization) {
        return Err(
            Error::malformed("contradictory_ids", "`organizationId` is not the organization of the request.").into()
        );
    }
    if let Some(earlier) = idempotent.earlier::<TeamId>()? {
        let row = app.store.team(caller.tenant(), &earlier).await?;
        let version = row.version;
        return Ok(created(with_count(row), version));
    }
    let role = body.default_role_id.unwrap_or_else(|| TeamRole::Editor.into());
    if TeamRole::try_from(&role).is_err() {
        return Err(Error::invalid("defaultRoleId", "is no role of teams").into());
    }
    let now = app.now();
    let team = Team {
        id: TeamId::generate(now),
        organization_id: organization.clone(),
        name: body.name,
        default_role_id: role,
        created_at: now,
        created_by: caller.member_id().clone(),
        updated_at: now,
        updated_by: caller.member_id().clone(),
    };
    // A change of the creator's own record at the same moment does not stand against it.
    retry_races(|| found(&app, &caller, &team, &idempotent)).await?;
    let member_count = caller.user_id().is_some().into();
    Ok(created(TeamWithCount { team, member_count }, 1))
}

/// Writes the team, and its creator as the first who sits in it. A service account has no seats; its team begins empty.
async fn found(app: &App, caller: &Caller, team: &Team, idempotent: &Idempotent) -> mainsheet_core::Result<()> {
    let tenant = caller.tenant();
    let change = app.store.change(caller.audit("team.create", &team.id)).details(None, Some(team));
    let change = if caller.user_id().is_some() {
        let creator = app.store.member(tenant, caller.member_id()).await?;
        let mut leader = creator.value.clone();
        leader.seats.insert(team.id.clone(), vec![TeamRole::Admin]);
        let seat = Seat::new(caller.member_id().clone(), caller.member_id().clone(), change.now());
        change.create_team(tenant, team, Some(&seat)).change_membership(tenant, &creator, &leader)
    } else {
        change.create_team(tenant, team, None)
    };
    change.idempotent(idempotent.request(), team.id.as_str()).commit().await
}
