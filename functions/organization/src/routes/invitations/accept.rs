//! `POST /org/invites/{token}/accept`: join the organization.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use garde::Validate;
use mainsheet_api::{Body, Path, Person, Problem, RequestOrigin, Result, text};
use mainsheet_auth::one_time::OneTimeToken;
use mainsheet_auth::{SignedIn, password};
use mainsheet_core::member::Member;
use mainsheet_core::organization::Organization;
use mainsheet_core::role::TeamRole;
use mainsheet_core::team::Team;
use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_core::{Error, MemberId, Timestamp, UserId};
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::exchange_codes::{EXCHANGE_CODE_VALID, ExchangeCode, ProvenBy};
use mainsheet_store::first_proof::Unproven;
use mainsheet_store::invitations::InvitationContext;
use mainsheet_store::members::MemberRecord;
use mainsheet_store::outbox::Mail;
use mainsheet_store::sign_in::Beside;
use mainsheet_store::users::{Access, Credentials};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::passwords::password_rule;
use crate::routes::invitations::link::{self, Opened, Proof};
use crate::routes::users::display_name;
use crate::{OrganizationState, mails};

/// Who accepts.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InvitationAccept {
    /// Needed when the invited address has no account.
    #[garde(dive)]
    user: Option<InvitationNewUser>,
}

/// A person without an account.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InvitationNewUser {
    /// The invited address.
    #[garde(length(chars, max = 254), email)]
    #[schema(format = "email", max_length = 254)]
    email: String,
    /// First name.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255)]
    given_name: String,
    /// Last name.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255)]
    family_name: String,
    /// 12 to 128 characters; no other rules, but not one that is known from leaks.
    #[garde(custom(password_rule))]
    #[schema(value_type = String, format = "password", min_length = 12, max_length = 128)]
    password: SecretString,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvitationAcceptResult {
    organization: Organization,
    /// Who joined; absent before anybody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    /// Exchanges for tokens at `POST /auth/token/exchange`, once, within a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    ota_code: Option<String>,
    /// What has to be done before the organization can be used; absent when nothing has.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<NextStep>,
}

/// What has to be done before the organization can be used.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvitationNextStep)]
pub(crate) enum NextStep {
    /// The address has an account: sign in with it and accept again. The invitation stays.
    Login,
    /// Confirm the address by the link that was mailed to it, then sign in.
    VerifyEmail,
}

/// Whoever is signed in while they accept; nobody has to be.
pub(crate) struct Perhaps(Option<SignedIn>);

impl FromRequestParts<OrganizationState> for Perhaps {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &OrganizationState) -> Result<Self> {
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Ok(Self(None));
        }
        let Person(person) = Person::from_request_parts(parts, state).await?;
        Ok(Self(Some(person)))
    }
}

/// Accept an invitation
///
/// For whoever holds its token. A new person says who they are, and comes in with `otaCode` if the token was mailed to them;
/// else they confirm the address first. Who has an account signs in with it and accepts with their access token; where nobody had
/// confirmed its address, the mailed token does, as `verifyEmail` would but without any password that stays, and the login that
/// accepts goes on; with any other token, and where more other addresses and seats come together than are written at once, the
/// address has to be confirmed before. It can be accepted once.
#[utoipa::path(
    post, path = "/org/invites/{token}/accept", operation_id = "acceptInvitation", tag = "invitations",
    params(("token" = String, Path, description = "The token of the invitation's link.")),
    request_body = InvitationAccept,
    responses((status = 200, description = "What came of it.", body = InvitationAcceptResult))
)]
pub(crate) async fn accept(
    State(state): State<OrganizationState>,
    Path(token): Path<String>,
    Perhaps(person): Perhaps,
    RequestOrigin(origin): RequestOrigin,
    Body(body): Body<InvitationAccept>,
) -> Result<Json<InvitationAcceptResult>> {
    let opened = link::open(&state, &token).await?;
    let context = state.app.store.invitation_context(&opened.tenant, &opened.row.value).await?;
    let accepting = Accepting { state: &state, opened, context, origin };
    let result = match (&accepting.context.user_id, person) {
        (None, None) => accepting.join_anew(body.user).await?,
        (Some(_), None) => accepting.sign_in_first(),
        (_, Some(person)) => accepting.join_with(&person).await?,
    };
    Ok(Json(result))
}

/// An invitation that is being accepted.
struct Accepting<'s> {
    state: &'s OrganizationState,
    opened: Opened,
    context: InvitationContext,
    origin: Origin,
}

impl Accepting<'_> {
    fn sign_in_first(self) -> InvitationAcceptResult {
        InvitationAcceptResult {
            organization: self.context.organization.value,
            user: None,
            ota_code: None,
            next_step: Some(NextStep::Login),
        }
    }

    /// The invited address has an account, and its owner is here.
    async fn join_with(self, person: &SignedIn) -> mainsheet_core::Result<InvitationAcceptResult> {
        if self.context.user_id.as_ref() != Some(person.user_id()) {
            let message = "The invitation is for another address. Sign in with the account that has it.";
            return Err(Error::Forbidden { code: "other_address", message: message.to_owned() });
        }
        let invited = NormalizedEmail::of(&self.opened.row.value.email);
        let (user, address) = self.state.app.store.profile_and_email(person.user_id(), &invited).await?;
        let is_theirs = address.is_some_and(|row| row.value.verified_at.is_some());
        if self.opened.proof == Proof::Nothing && !is_theirs {
            return Err(unconfirmed());
        }
        let user = user.value;
        let record = self.record(&user).await?;
        let tenant = &self.opened.tenant;
        let account = self.first_proof(person, &invited).await?;
        let change = self.state.app.store.change(self.audit(&user.id)).close_invitation(&self.opened.row);
        let now = change.now();
        let change = match account {
            None => change.join(tenant, &record),
            Some(account) => {
                require_room(&account, &person.access.value, &record)?;
                let change = change.noted_in(&person.access.value);
                let access = account.proven_at(now).sparing(&person.login.id).joining(&record)?;
                change.prove_primary_email(&account, &access, &Credentials::none()).create_member(tenant, &record)
            }
        };
        change.commit().await.map_err(gone)?;
        let organization = self.context.organization.value;
        Ok(InvitationAcceptResult { organization, user: Some(user), ota_code: None, next_step: None })
    }

    /// The account, if the invitation's link is the first proof that its primary address is theirs: it was mailed there.
    async fn first_proof(
        &self,
        person: &SignedIn,
        invited: &NormalizedEmail,
    ) -> mainsheet_core::Result<Option<Unproven>> {
        if self.opened.proof == Proof::Nothing || person.access.value.email_verified_at.is_some() {
            return Ok(None);
        }
        let store = &self.state.app.store;
        match store.at_the_door(person.user_id(), Beside::default()).await?.person {
            Some(person) => store.unproven(&person, invited).await,
            None => Ok(None),
        }
    }

    /// The invited address has no account yet.
    async fn join_anew(self, user: Option<InvitationNewUser>) -> mainsheet_core::Result<InvitationAcceptResult> {
        let invitation = &self.opened.row.value;
        let new = user.ok_or_else(|| Error::invalid("user", "is required: the invited address has no account"))?;
        if NormalizedEmail::of(&new.email) != NormalizedEmail::of(&invitation.email) {
            return Err(Error::invalid("user.email", "is not the invited address"));
        }
        if self.context.organization.value.settings.auth.check_breached_passwords {
            self.state.app.refuse_breached("user.password", &new.password).await?;
        }
        let credentials = Credentials { password_hash: Some(password::hash(new.password.clone()).await?) };
        let user = new_user(&new, self.state.app.now());
        let record = self.record(&user).await?;
        let code = OneTimeToken::generate()?;
        self.commit_new(&user, &credentials, &record, &code).await.map_err(gone)?;
        let organization = self.context.organization.value;
        let (ota_code, next_step) = match self.opened.proof {
            Proof::Address => (Some(code.reveal().to_owned()), None),
            Proof::Nothing => (None, Some(NextStep::VerifyEmail)),
        };
        Ok(InvitationAcceptResult { organization, user: Some(user), ota_code, next_step })
    }

    async fn commit_new(
        &self,
        user: &User,
        credentials: &Credentials,
        record: &MemberRecord,
        code: &OneTimeToken,
    ) -> mainsheet_core::Result<()> {
        let change = self.state.app.store.change(self.audit(&user.id));
        let now = change.now();
        let access = Access {
            email_verified_at: (self.opened.proof == Proof::Address).then_some(now),
            contested_until: None,
            awaited_password: (self.opened.proof == Proof::Nothing).then(|| credentials.seal()),
            login_epoch: 0,
            spared_login: None,
            memberships: BTreeMap::from([(record.member.organization_id.clone(), record.membership())]),
        };
        let change = change
            .close_invitation(&self.opened.row)
            .create_user(user, credentials, &access)
            .create_member(&self.opened.tenant, record);
        let change = match self.opened.proof {
            Proof::Address => change.issue_exchange_code(&ExchangeCode {
                sha256: code.sha256(),
                user_id: user.id.clone(),
                epoch: access.login_epoch,
                proven_by: ProvenBy::Invitation,
                single_sign_on: None,
                expires_at: now + EXCHANGE_CODE_VALID,
            }),
            Proof::Nothing => {
                let mail = Mail::VerifyEmail { user_id: user.id.clone(), email: user.email.clone(), sign_up_id: None };
                mails::ask(change, &NormalizedEmail::of(&user.email), self.context.mails.as_ref(), mail)?
            }
        };
        change.commit().await
    }

    /// The member that the person becomes.
    async fn record(&self, user: &User) -> mainsheet_core::Result<MemberRecord> {
        let invitation = &self.opened.row.value;
        let now = self.state.app.now();
        let id = MemberId::generate(now);
        let member = Member::joining(id, invitation.organization_id.clone(), user, invitation.account_type, now);
        let member = Member {
            name: invitation.name.clone().unwrap_or_else(|| member.name.clone()),
            invited_by_member_id: Some(invitation.created_by.clone()),
            invite_expires_at: Some(invitation.expires_at),
            invite_accepted_at: Some(now),
            ..member
        };
        Ok(MemberRecord::new(member, vec![invitation.role], self.seats().await?, now))
    }

    /// The seats that were offered, in teams that are still there; the default team's where none was.
    async fn seats(&self) -> mainsheet_core::Result<BTreeMap<mainsheet_core::TeamId, Vec<TeamRole>>> {
        let assignments = &self.opened.row.value.team_assignments;
        let mut seats = BTreeMap::new();
        for row in &self.context.teams {
            let offered = assignments.iter().find(|assignment| assignment.team_id == row.value.id);
            let role = offered.and_then(|assignment| assignment.role_id.as_ref()).unwrap_or(&row.value.default_role_id);
            seats.insert(row.value.id.clone(), vec![TeamRole::try_from(role).map_err(Error::internal)?]);
        }
        if assignments.is_empty() {
            let default = &self.context.organization.value.default_team_id;
            let team: Team = self.state.app.store.team(&self.opened.tenant, default).await?.value;
            seats.insert(team.id, vec![TeamRole::try_from(&team.default_role_id).map_err(Error::internal)?]);
        }
        Ok(seats)
    }

    fn audit(&self, user: &UserId) -> Audit {
        Audit {
            scope: Scope::Tenant(self.opened.tenant.clone()),
            actor: Actor::User { user_id: user.clone() },
            origin: self.origin.clone(),
            action: "invitation.accept",
            target: self.opened.row.value.id.to_string(),
        }
    }
}

fn new_user(new: &InvitationNewUser, now: Timestamp) -> User {
    User {
        id: UserId::generate(now),
        email: new.email.clone(),
        display_name: display_name(Some(&new.given_name), Some(&new.family_name), &new.email),
        given_name: Some(new.given_name.clone()),
        family_name: Some(new.family_name.clone()),
        created_at: now,
        updated_at: now,
    }
}

/// The account is begun anew and seated in one transaction. With too much in it for that, its address is confirmed before.
fn require_room(account: &Unproven, access: &Access, record: &MemberRecord) -> mainsheet_core::Result<()> {
    /// Of the invitation, the member, the organization's counts and its trail.
    const OTHER_WRITES: usize = 4;
    /// DynamoDB takes no more in a transaction.
    const MOST_WRITES: usize = 100;
    let seats = 2 * record.seats.len();
    let writes = OTHER_WRITES + account.writes() + seats + access.memberships.len();
    if writes > MOST_WRITES { Err(unconfirmed()) } else { Ok(()) }
}

/// Any organization can make an account for any address: neither it nor a link that was handed over shows whose the address is.
fn unconfirmed() -> Error {
    let message = "Nobody confirmed yet that the invited address is yours. Confirm it by the link that was mailed to it (`POST \
                   /auth/email/resend` mails another one), or accept by the invitation that was mailed; the invitation stays.";
    Error::Forbidden { code: "address_unverified", message: message.to_owned() }
}

/// Somebody else accepted or cancelled it at the same moment: then it is not there any more, as for everybody who comes later.
fn gone(error: Error) -> Error {
    match error {
        Error::Conflict { code: "changed_meanwhile", .. } => Error::NotFound,
        error => error,
    }
}
