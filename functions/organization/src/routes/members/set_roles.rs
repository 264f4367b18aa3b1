//! `PUT /org/members/{member}/roles`: what a member is in the organization.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Path, Permitted, Result};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageRoles;
use mainsheet_core::role::OrganizationRole;
use mainsheet_core::{MemberId, RoleId};
use mainsheet_store::retry_races;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::view::{MemberItem, roles_named};

/// All roles that somebody has from now on.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RoleIdsWrite {
    /// Their ids; one at least.
    #[garde(length(max = 20))]
    #[schema(max_items = 20, examples(json!(["MEMBER", "BILLING"])))]
    pub(crate) role_ids: Vec<RoleId>,
}

/// Set a member's roles
///
/// Takes the place of all of them. Owner and Emergency are given and taken by Owners; the last Owner stays one.
#[utoipa::path(
    put, path = "/org/members/{member}/roles", operation_id = "setMemberRoles", tag = "members",
    params(("member" = MemberId, Path, description = "The member."), ("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = RoleIdsWrite,
    responses((status = 204, description = "The member has these roles.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageRoles")))
)]
pub(crate) async fn set_roles(
    State(app): State<App>,
    caller: Permitted<CanManageRoles>,
    Path(member): Path<MemberId>,
    if_match: IfMatch,
    Body(body): Body<RoleIdsWrite>,
) -> Result<StatusCode> {
    retry_races(|| set_once(&app, &caller, &member, &if_match, &body.role_ids)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_once(
    app: &App,
    caller: &Caller,
    member: &MemberId,
    if_match: &IfMatch,
    role_ids: &[RoleId],
) -> mainsheet_core::Result<()> {
    let row = app.store.member(caller.tenant(), member).await?;
    if_match.check(row.version).map_err(|problem| problem.0)?;
    let roles: Vec<OrganizationRole> = roles_named(role_ids)?;
    // What has ended by itself is given anew, and not kept.
    let before: Vec<OrganizationRole> = row.value.active_roles(app.now()).collect();
    let taken = before.iter().filter(|role| !roles.contains(role));
    let given = roles.iter().filter(|role| !before.contains(role));
    taken.chain(given).try_for_each(|role| caller.require_to_assign(*role))?;
    let change = app.store.change(caller.audit("member.set_roles", member));
    let mut record = row.value.clone();
    record.set_roles(roles, change.now());
    record.member.updated_at = change.now();
    record.member.updated_by = caller.member_id().clone();
    let (was, is) = (MemberItem::of(&row.value, change.now()), MemberItem::of(&record, change.now()));
    change.details(Some(&was), Some(&is)).change_member(caller.tenant(), &row, &record).commit().await
}
