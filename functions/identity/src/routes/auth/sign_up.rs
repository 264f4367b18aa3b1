//! `POST /auth/signup`: a person with an organization of their own.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Body, RequestOrigin, Result, text};
use mainsheet_auth::password;
use mainsheet_core::member::{AccountType, Member};
use mainsheet_core::organization::{Organization, OrganizationSettings};
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::team::Team;
use mainsheet_core::user::User;
use mainsheet_core::{Error, MemberId, OrganizationId, TeamId, Timestamp, UserId};
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::members::MemberRecord;
use mainsheet_store::organizations::founding_tenant;
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::teams::Seat;
use mainsheet_store::throttle::ThrottleKey;
use mainsheet_store::users::{Access, Credentials};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::mailbox::Mailbox;
use crate::password_rule::is_long_enough_if_any;
use crate::sign_in::LoginResult;

/// The longest slug that is made of a name; a suffix makes it 63 characters, a DNS label's length.
const SLUG_LENGTH: usize = 56;
/// How many slugs are tried: the suggested one, then suffixes out of a billion.
const SLUG_TRIES: usize = 5;

/// A person who signs up, and their organization.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SignUpRequest {
    /// Their address. A link that confirms it is mailed there.
    #[garde(length(chars, max = 254), email)]
    #[schema(format = "email", max_length = 254, examples("ada@example.com"))]
    email: String,
    /// 12 to 128 characters; no other rules, but not one that is known from leaks. Without one, they sign in with mailed codes.
    #[garde(custom(is_long_enough_if_any))]
    #[schema(value_type = Option<String>, format = "password", min_length = 12, max_length = 128)]
    password: Option<SecretString>,
    /// First name.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    given_name: Option<String>,
    /// Last name.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    family_name: Option<String>,
    /// Their organization's name.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255, examples("Acme"))]
    organization_name: String,
}

/// Sign up
///
/// Answers the same, after the same time, whether the address has an account or not; its owner is told by mail. Sending the
/// request again makes no second account for that reason, with an `Idempotency-Key` or without one.
#[utoipa::path(
    post, path = "/auth/signup", operation_id = "signUp", tag = "authentication",
    request_body = SignUpRequest,
    responses((status = 201, description = "The address has to be confirmed.", body = LoginResult))
)]
pub(crate) async fn sign_up(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    Body(body): Body<SignUpRequest>,
) -> Result<(StatusCode, Json<LoginResult>)> {
    if let Some(password) = &body.password {
        app.refuse_breached("password", password).await?;
    }
    count_sign_up(&app, &origin).await?;
    let password_hash = match body.password.clone() {
        Some(password) => Some(password::hash(password).await?),
        None => None,
    };
    let mailbox = Mailbox::look_up(&app, &body.email).await?;
    let credentials = Credentials { password_hash };
    match mailbox.owner(&app).await? {
        None => match found_organization(&app, &body, &credentials, &origin).await {
            // Somebody else signed up with this address at the same moment: their mail is on its way.
            Err(Error::Conflict { code: "email_taken", .. }) => {}
            founded => founded?,
        },
        Some(owner) if mailbox.wait(app.now()).is_none() => match owner.is_verified() {
            true => mailbox.remind(&app, &owner, origin).await?,
            false => mailbox.await_confirmation(&app, &owner, credentials, origin).await?,
        },
        // Enough mails for now. Saying so here would tell that the address has an account.
        Some(_) => {}
    }
    Ok((StatusCode::CREATED, Json(LoginResult::verify_email())))
}

/// Sign-ups from one network address are throttled, as failures to sign in are.
async fn count_sign_up(app: &App, origin: &Origin) -> mainsheet_core::Result<()> {
    let Some(key) = origin.address.clone().map(ThrottleKey::SignUp) else { return Ok(()) };
    let keys = [key];
    let found = app.store.throttles(&keys).await?;
    app.store.count_try(&keys, found).await
}

async fn found_organization(
    app: &App,
    body: &SignUpRequest,
    credentials: &Credentials,
    origin: &Origin,
) -> mainsheet_core::Result<()> {
    let now = app.now();
    let (user_id, member_id) = (UserId::generate(now), MemberId::generate(now));
    let (organization_id, team_id) = (OrganizationId::generate(now), TeamId::generate(now));
    let tenant = founding_tenant(&organization_id);
    let audit = Audit {
        scope: Scope::Tenant(tenant.clone()),
        actor: Actor::User { user_id: user_id.clone() },
        origin: origin.clone(),
        action: "organization.sign_up",
        target: organization_id.to_string(),
    };
    let user = new_user(&user_id, body, now);
    let founder = founder(&user, &organization_id, &member_id, &team_id, now);
    let access = first_access(&founder, credentials);
    let organization = new_organization(&organization_id, &team_id, &body.organization_name, now);
    let team = first_team(&team_id, &organization_id, &member_id, now);
    let seat = Seat::new(member_id.clone(), member_id, now);
    let mail = Mail::VerifyEmail { user_id, email: body.email.clone(), sign_up_id: None };
    with_free_slug(organization, |organization| {
        app.store
            .change(audit.clone())
            .create_user(&user, credentials, &access)
            .create_organization(&tenant, organization)
            .create_team(&tenant, &team, Some(&seat))
            .create_founder(&tenant, &founder)
            .emit(Event::MailRequested { mail: mail.clone() })
            .commit()
    })
    .await
}

/// Founds an organization under the slug that its name suggests, or, where that is taken, with a suffix.
async fn with_free_slug<F>(
    mut organization: Organization,
    found: impl Fn(&Organization) -> F,
) -> mainsheet_core::Result<()>
where
    F: Future<Output = mainsheet_core::Result<()>>,
{
    let suggested = organization.slug.clone();
    for _ in 0..SLUG_TRIES {
        match found(&organization).await {
            Err(Error::Conflict { code: "slug_taken", .. }) => {
                organization.slug = with_suffix(&suggested, organization.created_at);
            }
            founded => return founded,
        }
    }
    Err(Error::unavailable("every suffix of a slug is taken"))
}

fn new_user(id: &UserId, body: &SignUpRequest, now: Timestamp) -> User {
    let display_name = User::named(body.given_name.as_deref(), body.family_name.as_deref(), &body.email);
    User {
        id: id.clone(),
        email: body.email.clone(),
        given_name: body.given_name.clone(),
        family_name: body.family_name.clone(),
        display_name,
        created_at: now,
        updated_at: now,
    }
}

/// Whoever founds an organization owns it, and leads its first team.
fn founder(
    user: &User,
    organization: &OrganizationId,
    member: &MemberId,
    team: &TeamId,
    now: Timestamp,
) -> MemberRecord {
    let member = Member::joining(member.clone(), organization.clone(), user, AccountType::Managed, now);
    MemberRecord::new(
        member,
        vec![OrganizationRole::Owner],
        BTreeMap::from([(team.clone(), vec![TeamRole::Admin])]),
        now,
    )
}

fn first_access(founder: &MemberRecord, credentials: &Credentials) -> Access {
    Access {
        email_verified_at: None,
        contested_until: None,
        awaited_password: Some(credentials.seal()),
        login_epoch: 0,
        spared_login: None,
        memberships: BTreeMap::from([(founder.member.organization_id.clone(), founder.membership())]),
    }
}

fn new_organization(id: &OrganizationId, team: &TeamId, name: &str, now: Timestamp) -> Organization {
    Organization {
        id: id.clone(),
        slug: slug_of(name),
        name: name.to_owned(),
        settings: OrganizationSettings::default(),
        default_team_id: team.clone(),
        default_org_role_id: OrganizationRole::Member.into(),
        created_at: now,
        updated_at: now,
    }
}

/// The name in an address's letters, with room for a suffix.
fn slug_of(name: &str) -> String {
    let slug: String = slug::slugify(name).chars().take(SLUG_LENGTH).collect();
    match slug.trim_end_matches('-') {
        "" => "org".to_owned(),
        slug => slug.to_owned(),
    }
}

/// The end of an id is random.
fn with_suffix(slug: &str, now: Timestamp) -> String {
    let id = OrganizationId::generate(now);
    format!("{slug}-{}", id.as_str()[14..].to_lowercase())
}

fn first_team(id: &TeamId, organization: &OrganizationId, member: &MemberId, now: Timestamp) -> Team {
    Team {
        id: id.clone(),
        organization_id: organization.clone(),
        name: "Default".to_owned(),
        default_role_id: TeamRole::Editor.into(),
        created_at: now,
        created_by: member.clone(),
        updated_at: now,
        updated_by: member.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_the_names_in_an_addresss_letters() {
        assert_eq!(slug_of("Ünïted  Sails & Co."), "united-sails-co");
        assert_eq!(slug_of("🙂"), "slight-smile");
        assert_eq!(slug_of("?!"), "org");
        assert_eq!(slug_of(&"long ".repeat(11)), "long-".repeat(10) + "long");
        assert_eq!(slug_of(&"l".repeat(255)).len(), SLUG_LENGTH);
    }

    #[test]
    fn suffixes_differ_and_fit() {
        let now = Timestamp::from_millisecond(0);
        let slugs = [0, 1].map(|_| with_suffix(&"s".repeat(SLUG_LENGTH), now));
        assert_ne!(slugs[0], slugs[1]);
        for slug in slugs {
            assert_eq!(slug.len(), 63);
            assert!(slug.bytes().all(|letter| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{slug}");
        }
    }
}
