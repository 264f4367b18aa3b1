//! `POST /auth/signup`: a person with an organization of their own.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Body, RequestOrigin, Result, text};
use mainsheet_auth::{breached, password};
use mainsheet_core::organization::{Organization, OrganizationSettings};
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::team::Team;
use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_core::{Error, MemberId, OrganizationId, TeamId, Timestamp, UserId};
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::organizations::founding_tenant;
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::teams::Seat;
use mainsheet_store::users::{Access, Credentials, Membership};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::sign_in::LoginResult;

/// A person who signs up, and their organization.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SignUpRequest {
    /// Their address. A link that confirms it is mailed there.
    #[garde(length(chars, max = 254), email)]
    #[schema(format = "email", max_length = 254, examples("ada@example.com"))]
    email: String,
    /// 12 to 128 characters; no other rules, but not one that is known from leaks.
    #[garde(required, inner(custom(password_length)))]
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

fn password_length(password: &SecretString, (): &()) -> garde::Result {
    let length = password.expose_secret().chars().count();
    if (password::MIN_LENGTH..=password::MAX_LENGTH).contains(&length) {
        Ok(())
    } else {
        Err(garde::Error::new("must be 12 to 128 characters long"))
    }
}

/// Sign up
///
/// Answers the same, after the same time, whether the address has an account or not; its owner is told by mail. Sending the
/// request again is harmless for that reason.
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
    let password = body.password.clone().ok_or_else(|| Error::invalid("password", "is required"))?;
    breached::refuse(&password)?;
    let hash = password::hash(password).await?;
    let found = app.store.look_up_sign_in(&NormalizedEmail::of(&body.email), &[]).await?;
    match found.user_id {
        None => match found_organization(&app, &body, hash, &origin).await {
            // Somebody else signed up with this address at the same moment: their mail is on its way.
            Err(Error::Conflict { code: "email_taken", .. }) => {}
            founded => founded?,
        },
        Some(user) => remind(&app, user, body.email, origin).await?,
    }
    Ok((StatusCode::CREATED, Json(LoginResult::verify_email())))
}

async fn found_organization(
    app: &App,
    body: &SignUpRequest,
    hash: String,
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
    let access = first_access(&organization_id, &member_id, &team_id);
    let organization = new_organization(&organization_id, &team_id, &body.organization_name, now);
    let team = first_team(&team_id, &organization_id, &member_id, now);
    let seat = Seat { member_id, roles: vec![TeamRole::Admin], created_at: now };
    let mail = Mail::VerifyEmail { user_id, email: body.email.clone() };
    app.store
        .change(audit)
        .create_user(&user, &Credentials { password_hash: hash }, &access)
        .create_organization(&tenant, &organization)
        .create_team(&tenant, &team, &seat)
        .emit(Event::MailRequested { mail })
        .commit()
        .await
}

fn new_user(id: &UserId, body: &SignUpRequest, now: Timestamp) -> User {
    let names: Vec<&str> = [&body.given_name, &body.family_name].into_iter().flatten().map(String::as_str).collect();
    let display_name = if names.is_empty() { body.email.clone() } else { names.join(" ") };
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
fn first_access(organization: &OrganizationId, member: &MemberId, team: &TeamId) -> Access {
    let membership = Membership {
        member_id: member.clone(),
        roles: vec![OrganizationRole::Owner],
        seats: BTreeMap::from([(team.clone(), vec![TeamRole::Admin])]),
        is_enabled: true,
    };
    Access { email_verified_at: None, memberships: BTreeMap::from([(organization.clone(), membership)]) }
}

fn new_organization(id: &OrganizationId, team: &TeamId, name: &str, now: Timestamp) -> Organization {
    Organization {
        id: id.clone(),
        slug: slug_of(name, id),
        name: name.to_owned(),
        settings: OrganizationSettings::default(),
        default_team_id: team.clone(),
        default_org_role_id: OrganizationRole::Member.into(),
        created_at: now,
        updated_at: now,
    }
}

/// The name in an address's letters, with the end of the id, so that no two organizations wish for the same.
fn slug_of(name: &str, id: &OrganizationId) -> String {
    let name: String = slug::slugify(name).chars().take(50).collect();
    let suffix = id.as_str()[12..].to_lowercase();
    match name.trim_matches('-') {
        "" => format!("org-{suffix}"),
        name => format!("{name}-{suffix}"),
    }
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

/// The address has an account: its owner is told, or asked once more to confirm it.
pub(crate) async fn remind(app: &App, user_id: UserId, email: String, origin: Origin) -> mainsheet_core::Result<()> {
    let access = app.store.access(&user_id).await?;
    let verified = access.is_some_and(|access| access.value.email_verified_at.is_some());
    let mail = if verified {
        Mail::AlreadyRegistered { email }
    } else {
        Mail::VerifyEmail { user_id: user_id.clone(), email }
    };
    let audit = Audit {
        scope: Scope::User(user_id.clone()),
        actor: Actor::Platform,
        origin,
        action: "user.remind",
        target: user_id.to_string(),
    };
    app.store.change(audit).emit(Event::MailRequested { mail }).commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_readable_and_their_own() {
        let id: OrganizationId = "01JD3Z5K8M4T9V2X7RQC".parse().unwrap();
        assert_eq!(slug_of("Ünïted  Sails & Co.", &id), "united-sails-co-9v2x7rqc");
        assert_eq!(slug_of("🙂", &id), "org-9v2x7rqc");
    }
}
