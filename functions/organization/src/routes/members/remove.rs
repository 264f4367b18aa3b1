//! `DELETE /org/members/{member}`: take a person out of the organization.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageMembers;
use mainsheet_core::MemberId;
use mainsheet_store::outbox::Event;
use mainsheet_store::retry_races;

use crate::access::require_over;
use crate::view::MemberItem;

/// Remove a member
///
/// What they could reach ends with the answer; teams count them a moment longer. The last Owner stays.
#[utoipa::path(
    delete, path = "/org/members/{member}", operation_id = "removeMember", tag = "members",
    params(("member" = MemberId, Path, description = "The member."), ("If-Match" = Option<String>, Header, description = "The version to remove.")),
    responses((status = 204, description = "The person is a member no more.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageMembers")))
)]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Permitted<CanManageMembers>,
    Path(member): Path<MemberId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    // A change of the member at the same moment is no reason to keep them.
    retry_races(|| remove_once(&app, &caller, &member, &if_match)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_once(app: &App, caller: &Caller, member: &MemberId, if_match: &IfMatch) -> mainsheet_core::Result<()> {
    let row = app.store.member(caller.tenant(), member).await?;
    if_match.check(row.version).map_err(|problem| problem.0)?;
    require_over(caller, row.value.active_roles(app.now()))?;
    let team_ids = row.value.seats.keys().cloned().collect();
    app.store
        .change(caller.audit("member.remove", member))
        .details(Some(&MemberItem::of(&row.value, app.now())), None)
        .remove_member(caller.tenant(), &row)
        .emit(Event::MemberRemoved { member_id: member.clone(), team_ids })
        .commit()
        .await
}
