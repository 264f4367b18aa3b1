//! `PATCH /org/members/{member}`: change what is given.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Result, Tagged, text};
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::member::{AccountType, Member};
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, MemberId, Timestamp};
use mainsheet_store::members::MemberRecord;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::access::{EditableMember, require_over};

/// The largest preferences, as JSON.
const MAX_PREFERENCES: usize = 16 * 1024;

/// What to change of a member. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MemberUpdate {
    /// What the organization calls them.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Where the organization reaches them: an address of their account.
    #[garde(inner(length(chars, max = 254), email))]
    #[schema(format = "email", max_length = 254)]
    email: Option<String>,
    /// Settings that clients keep for them, at most 16 KiB as JSON; takes the place of all of them.
    #[garde(inner(custom(not_too_long)))]
    #[schema(value_type = Option<Object>)]
    preferences: Option<Map<String, Value>>,
    /// Not taken here: an invitation is accepted with `POST /org/invites/{token}/accept`.
    #[garde(custom(no_token))]
    invitation_token: Option<String>,
    /// Whether the organization lets them in. Not for oneself to change back.
    #[garde(skip)]
    is_enabled: Option<bool>,
}

fn not_too_long(preferences: &Map<String, Value>, (): &()) -> garde::Result {
    let length = serde_json::to_string(preferences).map_or(usize::MAX, |text| text.len());
    if length <= MAX_PREFERENCES { Ok(()) } else { Err(garde::Error::new("is longer than 16 KiB")) }
}

fn no_token(token: &Option<String>, (): &()) -> garde::Result {
    match token {
        None => Ok(()),
        Some(_) => Err(garde::Error::new("is not taken here: accept it with `POST /org/invites/{token}/accept`")),
    }
}

impl MemberUpdate {
    /// Whether it changes what is the member's own.
    fn is_personal(&self) -> bool {
        self.name.is_some() || self.email.is_some() || self.preferences.is_some()
    }
}

/// Change a member
///
/// Members change their own name, address and preferences. Who manages members changes those of managed accounts, and lets
/// anybody in or not; a managed account that is not let in any more has its logins ended.
#[utoipa::path(
    patch, path = "/org/members/{member}", operation_id = "updateMember", tag = "members",
    params(("member" = MemberId, Path, description = "The member."), ("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = MemberUpdate,
    responses((status = 200, description = "The changed member.", body = Member, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageMembers")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    EditableMember { caller, row }: EditableMember,
    if_match: IfMatch,
    Body(body): Body<MemberUpdate>,
) -> Result<Tagged<Member>> {
    may_change(&caller, &row.value, &body, app.now())?;
    if_match.check(row.version)?;
    if let Some(email) = &body.email {
        require_own(&app, &row.value, email).await?;
    }
    let change = app.store.change(caller.audit("member.update", &row.value.member.id));
    let mut record = row.value.clone();
    let changed = &mut record.member;
    changed.name = body.name.unwrap_or_else(|| changed.name.clone());
    changed.email = body.email.unwrap_or_else(|| changed.email.clone());
    changed.preferences = body.preferences.unwrap_or_else(|| changed.preferences.clone());
    changed.is_enabled = body.is_enabled.unwrap_or(changed.is_enabled);
    changed.updated_at = change.now();
    changed.updated_by = caller.member_id().clone();
    let (was, is) = (told(&row.value.member), told(&record.member));
    change.details(Some(&was), Some(&is)).change_member(caller.tenant(), &row, &record).commit().await?;
    Ok(Tagged { body: record.member, version: row.version + 1 })
}

/// What the trail tells of a member: clients keep in preferences what they like.
fn told(member: &Member) -> Member {
    Member { preferences: Map::new(), ..member.clone() }
}

fn may_change(
    caller: &Caller,
    record: &MemberRecord,
    body: &MemberUpdate,
    now: Timestamp,
) -> mainsheet_core::Result<()> {
    let is_self = record.member.id == *caller.member_id();
    if is_self && body.is_enabled.is_none() {
        return Ok(());
    }
    caller.require(Relation::CanManageMembers)?;
    require_over(caller, record.active_roles(now))?;
    if !is_self && body.is_personal() && record.member.account_type == AccountType::External {
        let message = "The member's account is their own: they alone change their name, address and preferences.";
        return Err(Error::Forbidden { code: "external_account", message: message.to_owned() });
    }
    Ok(())
}

/// An address that is not theirs would speak for somebody else.
async fn require_own(app: &App, record: &MemberRecord, email: &str) -> mainsheet_core::Result<()> {
    let found = app.store.look_up_sign_in(&NormalizedEmail::of(email), &[]).await?;
    if found.user_id.as_ref() == Some(&record.member.user_id) {
        return Ok(());
    }
    Err(Error::invalid("email", "is no address of the member's account"))
}
