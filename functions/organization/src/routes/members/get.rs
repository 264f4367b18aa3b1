//! `GET /org/members/{member}`: one member with roles and teams.

use axum::extract::State;
use mainsheet_api::{App, Member, Path, Result, Tagged};
use mainsheet_core::MemberId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::view::{MemberIncluded, MemberItem};

/// A member.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberDetail {
    item: MemberItem,
    included: MemberIncluded,
}

/// Show a member
#[utoipa::path(
    get, path = "/org/members/{member}", operation_id = "getMember", tag = "members",
    params(("member" = MemberId, Path, description = "The member.")),
    responses((status = 200, description = "The member.", body = MemberDetail, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    Member(caller): Member,
    Path(member): Path<MemberId>,
) -> Result<Tagged<MemberDetail>> {
    let tenant = caller.tenant();
    let row = app.store.member(tenant, &member).await?;
    let (version, rows) = (row.version, [row]);
    let links = app.store.links_of_members(tenant, &rows).await?;
    let item = MemberItem::of(&rows[0].value, app.now());
    let included = MemberIncluded::of(tenant.organization_id(), &rows, links, app.now());
    Ok(Tagged { body: MemberDetail { item, included }, version })
}
