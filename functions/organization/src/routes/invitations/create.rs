//! `POST /org/invites`: invite an address.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{Command, Permitted, Result, text};
use mainsheet_auth::Caller;
use mainsheet_auth::mail_link::INVITATION_VALID;
use mainsheet_auth::needs::CanManageMembers;
use mainsheet_core::invitation::TeamAssignment;
use mainsheet_core::member::AccountType;
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::user::NormalizedEmail;
use mainsheet_core::{Error, FieldErrors, InvitationId, OrganizationId, RoleId, invitation};
use mainsheet_store::Change;
use mainsheet_store::invitations::InvitationContext;
use mainsheet_store::members::MAX_SEATS_AT_ONCE;
use mainsheet_store::outbox::Mail;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::routes::invitations::{Invitation, may_offer};
use crate::{OrganizationState, mails};

fn yes() -> bool {
    true
}

/// Whom to invite, and what they will be.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InvitationCreate {
    /// The caller's organization, if it is repeated here.
    #[garde(skip)]
    organization_id: Option<OrganizationId>,
    /// What the organization will call the person.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// The address.
    #[garde(length(chars, max = 254), email)]
    #[schema(format = "email", max_length = 254, examples("alice@example.com"))]
    email: String,
    /// What they will be in the organization.
    #[garde(skip)]
    #[schema(value_type = String, pattern = "^(OWNER|ADMIN|BILLING|AUDITOR|MEMBER|EMERGENCY)$")]
    organization_role_id: RoleId,
    /// Who will look after their account.
    #[serde(default)]
    #[garde(skip)]
    account_type: AccountType,
    /// Seats that they will have; one in the default team unless given.
    #[serde(default)]
    #[garde(length(max = MAX_SEATS_AT_ONCE))]
    #[schema(max_items = 40)]
    team_assignments: Vec<TeamAssignment>,
    /// Whether the invitation is mailed; without, `inviteUrl` is there to hand over.
    #[serde(default = "yes")]
    #[garde(skip)]
    send_email: bool,
}

/// Invite somebody
///
/// Good for 7 days. Owner and Emergency are offered by Owners, other roles but Member by who manages roles.
#[utoipa::path(
    post, path = "/org/invites", operation_id = "createInvitation", tag = "invitations",
    request_body = InvitationCreate,
    responses((status = 201, description = "The invitation.", body = Invitation)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageMembers")))
)]
pub(crate) async fn create(
    State(state): State<OrganizationState>,
    caller: Permitted<CanManageMembers>,
    Command { body, idempotent }: Command<InvitationCreate>,
) -> Result<(StatusCode, Json<Invitation>)> {
    let (store, tenant) = (&state.app.store, caller.tenant());
    if body.organization_id.as_ref().is_some_and(|id| id != tenant.organization_id()) {
        let message = "`organizationId` is not the organization of the request.";
        return Err(Error::malformed("contradictory_ids", message).into());
    }
    if let Some(earlier) = idempotent.earlier::<InvitationId>()? {
        let (row, organization) = futures::try_join!(store.invitation(tenant, &earlier), store.organization(tenant))?;
        let shown = Invitation::with_link(&state, &caller, &organization.value, row.value).await?;
        return Ok((StatusCode::CREATED, Json(shown.into_organization(organization.value))));
    }
    let (invitation, send_email) = offered(&state, &caller, body)?;
    let context = store.invitation_context(tenant, &invitation).await?;
    may_offer(&caller, store, &context.organization.value, &invitation).await?;
    require_teams(&invitation, &context)?;
    let change = store
        .change(caller.audit("invitation.create", &invitation.id))
        .details(None, Some(&invitation))
        .create_invitation(tenant, &invitation)
        .idempotent(idempotent.request(), invitation.id.as_str());
    let change = match &context.user_id {
        Some(user) => change.require_stranger(user, tenant),
        None => change,
    };
    let change = if send_email { mailed(change, &invitation, &context)? } else { change };
    change.commit().await?;
    let organization = context.organization.value;
    let shown = Invitation::with_link(&state, &caller, &organization, invitation).await?;
    Ok((StatusCode::CREATED, Json(shown.into_organization(organization))))
}

/// What is offered, and whether it is mailed.
fn offered(
    state: &OrganizationState,
    caller: &Caller,
    body: InvitationCreate,
) -> mainsheet_core::Result<(invitation::Invitation, bool)> {
    let role = OrganizationRole::try_from(&body.organization_role_id)
        .map_err(|_| Error::invalid("organizationRoleId", "is no role of organizations"))?;
    let now = state.app.now();
    let invitation = invitation::Invitation {
        id: InvitationId::generate(now),
        organization_id: caller.tenant().organization_id().clone(),
        name: body.name,
        email: body.email,
        role,
        account_type: body.account_type,
        team_assignments: body.team_assignments,
        created_at: now,
        created_by: caller.member_id().clone(),
        expires_at: now + INVITATION_VALID,
    };
    Ok((invitation, body.send_email))
}

/// Asks for the mail.
fn mailed<'s>(
    change: Change<'s>,
    invitation: &invitation::Invitation,
    context: &InvitationContext,
) -> mainsheet_core::Result<Change<'s>> {
    let organization = &context.organization.value;
    let mail = Mail::Invitation {
        invitation_id: invitation.id.clone(),
        organization_id: organization.id.clone(),
        email: invitation.email.clone(),
        organization_name: organization.name.clone(),
        invited_by: context.invited_by.as_ref().map_or_else(|| organization.name.clone(), |member| member.name.clone()),
    };
    mails::ask(change, &NormalizedEmail::of(&invitation.email), context.mails.as_ref(), mail)
}

/// The teams are there, each once, and the roles are roles of teams.
fn require_teams(invitation: &invitation::Invitation, context: &InvitationContext) -> mainsheet_core::Result<()> {
    let mut errors = FieldErrors::default();
    let assignments = &invitation.team_assignments;
    for (index, TeamAssignment { team_id, role_id }) in assignments.iter().enumerate() {
        if !context.teams.iter().any(|row| row.value.id == *team_id) {
            errors.add(format!("teamAssignments[{index}].teamId"), "is no team of this organization");
        }
        if assignments.iter().take(index).any(|earlier| earlier.team_id == *team_id) {
            errors.add(format!("teamAssignments[{index}].teamId"), "is named twice");
        }
        if role_id.as_ref().is_some_and(|role| TeamRole::try_from(role).is_err()) {
            errors.add(format!("teamAssignments[{index}].roleId"), "is no role of teams");
        }
    }
    errors.into_result()
}
