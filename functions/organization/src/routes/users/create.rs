//! `POST /org/users`: an account that the organization manages.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Command, Permitted, Result, Tagged, created};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageUsers;
use mainsheet_core::member::{AccountType, Member};
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::user::User;
use mainsheet_core::{Error, MemberId, UserId};
use mainsheet_store::members::MemberRecord;
use mainsheet_store::users::{Access, Credentials};

use crate::mails::ask_to_confirm;
use crate::routes::users::{UserProfileWrite, display_name};

/// Create a user
///
/// With the organization's default role, and a seat in its default team. The address gets a link that confirms it, unless it
/// was sent too many mails (429); the password is set by resetting it. Whoever has an account already has to be invited.
#[utoipa::path(
    post, path = "/org/users", operation_id = "createUser", tag = "users",
    request_body = UserProfileWrite,
    responses((status = 201, description = "The new person.", body = User, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageUsers")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Permitted<CanManageUsers>,
    Command { body, idempotent }: Command<UserProfileWrite>,
) -> Result<(StatusCode, Tagged<User>)> {
    if let Some(earlier) = idempotent.earlier::<UserId>()? {
        let row = app.store.user(&earlier).await?;
        return Ok(created(row.value, row.version));
    }
    let user = new_user(&app, body)?;
    let record = new_member(&app, &caller, &user).await?;
    let tenant = caller.tenant();
    let access = Access {
        email_verified_at: None,
        contested_until: None,
        awaited_password: None,
        login_epoch: 0,
        spared_login: None,
        memberships: BTreeMap::from([(tenant.organization_id().clone(), record.membership())]),
    };
    let change = app
        .store
        .change(caller.audit("user.create", &user.id))
        .details(None, Some(&user))
        .create_user(&user, &Credentials::none(), &access)
        .create_member(tenant, &record)
        .idempotent(idempotent.request(), user.id.as_str());
    ask_to_confirm(&app, change, &user).await?.commit().await?;
    Ok(created(user, 1))
}

fn new_user(app: &App, body: UserProfileWrite) -> mainsheet_core::Result<User> {
    let email = body.email.ok_or_else(|| Error::invalid("email", "is required"))?;
    let now = app.now();
    let name = || display_name(body.given_name.as_deref(), body.family_name.as_deref(), &email);
    Ok(User {
        id: UserId::generate(now),
        display_name: body.display_name.clone().unwrap_or_else(name),
        email: email.clone(),
        given_name: body.given_name,
        family_name: body.family_name,
        created_at: now,
        updated_at: now,
    })
}

/// The person's seat: with the default role, in the default team.
async fn new_member(app: &App, caller: &Caller, user: &User) -> mainsheet_core::Result<MemberRecord> {
    let tenant = caller.tenant();
    let organization = caller.organization(&app.store).await?.value;
    let team = app.store.team(tenant, &organization.default_team_id).await?.value;
    let role = OrganizationRole::try_from(&organization.default_org_role_id).map_err(Error::internal)?;
    caller.require_to_assign(role)?;
    caller.require_to_seat(&app.store, std::slice::from_ref(&team.id)).await?;
    let team_role = TeamRole::try_from(&team.default_role_id).map_err(Error::internal)?;
    let now = app.now();
    let id = MemberId::generate(now);
    let member = Member::joining(id, organization.id, user, AccountType::Managed, now);
    let member = Member { created_by: caller.member_id().clone(), updated_by: caller.member_id().clone(), ..member };
    Ok(MemberRecord::new(member, vec![role], BTreeMap::from([(team.id, vec![team_role])]), now))
}
