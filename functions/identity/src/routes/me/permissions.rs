//! `GET /me/permissions`: what the caller may do here.

use axum::Json;
use mainsheet_api::{Member, Result};
use mainsheet_auth::Relation;
use mainsheet_auth::permission::Scope;
use mainsheet_core::{MemberId, OrganizationId, TeamId};
use serde::Serialize;
use utoipa::ToSchema;

/// What somebody may do in an organization, by roles and policies together, at this moment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnPermissions {
    /// The organization.
    organization_id: OrganizationId,
    /// Who they are there: a member, or a service account.
    member_id: MemberId,
    /// What they may do over the organization, and so over every team.
    #[schema(value_type = Vec<String>, examples(json!(["CanViewClusters"])))]
    permissions: Vec<&'static str>,
    /// What they may do over teams that they have a seat in; all of it, whichever way they have it.
    teams: Vec<TeamPermissions>,
}

/// What somebody may do over a team.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TeamPermissions {
    team_id: TeamId,
    #[schema(value_type = Vec<String>)]
    permissions: Vec<&'static str>,
}

/// Show what I may do
#[utoipa::path(
    get, path = "/me/permissions", operation_id = "getMyPermissions", tag = "users",
    responses((status = 200, description = "What the caller may do.", body = OwnPermissions)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn permissions(Member(caller): Member) -> Result<Json<OwnPermissions>> {
    let teams = caller.seats().keys().map(|team| TeamPermissions {
        team_id: team.clone(),
        permissions: held(|relation| relation.scope() == Scope::Team && caller.may_in(relation, team)),
    });
    let teams = teams.collect();
    Ok(Json(OwnPermissions {
        organization_id: caller.tenant().organization_id().clone(),
        member_id: caller.member_id().clone(),
        permissions: held(|relation| caller.may(relation)),
        teams,
    }))
}

fn held(is_held: impl Fn(Relation) -> bool) -> Vec<&'static str> {
    Relation::ALL.iter().filter(|relation| is_held(**relation)).map(|relation| relation.as_str()).collect()
}
