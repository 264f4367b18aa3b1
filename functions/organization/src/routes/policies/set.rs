//! `PUT /org/policies/{principal}`: all that one principal is given, in place of what it was given before.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Path, Permitted, Result, Tagged};
use mainsheet_auth::needs::CanManagePolicies;
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::{Error, FieldErrors, Timestamp};
use mainsheet_store::policies::{Grants, Policy, Principal};
use mainsheet_store::{Change, retry_races};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::routes::policies::{Named, OrganizationPolicy};

/// What to give.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OrganizationPolicyWrite {
    /// Relations, as `GET /auth/permissions` lists them. Those that are `systemOnly` come with roles alone.
    #[garde(length(max = 100))]
    #[schema(max_items = 100, examples("CanManageUsers"))]
    permissions: Vec<String>,
    /// When it ends by itself; never unless given.
    #[garde(skip)]
    expires_at: Option<Timestamp>,
}

/// Set a policy
///
/// It adds to what roles permit. Nobody gives what they do not hold themselves, nor for longer than they hold it.
#[utoipa::path(
    put, path = "/org/policies/{principal}", operation_id = "setOrganizationPolicy", tag = "authorization-policies",
    params(("principal" = String, Path, description = "`user:ID`, `member:ID`, `team:ID` or `serviceAccount:ID`, percent-encoded."), ("If-Match" = Option<String>, Header, description = "The version to replace.")),
    request_body = OrganizationPolicyWrite,
    responses((status = 200, description = "The policy.", body = OrganizationPolicy, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManagePolicies")))
)]
pub(crate) async fn set(
    State(app): State<App>,
    caller: Permitted<CanManagePolicies>,
    Path(principal): Path<Named>,
    if_match: IfMatch,
    Body(body): Body<OrganizationPolicyWrite>,
) -> Result<Tagged<OrganizationPolicy>> {
    let grants = grants(body, app.now())?;
    caller.require_to_grant_all(&grants)?;
    let principal = principal.resolve(&app, &caller).await?;
    // Somebody else who gives something at the same moment is no reason to refuse it: the last one counts.
    let (policy, version) = retry_races(|| set_once(&app, &caller, (&principal, &grants), &if_match)).await?;
    Ok(Tagged { body: policy.into(), version })
}

async fn set_once(
    app: &App,
    caller: &Caller,
    (principal, grants): (&Principal, &Grants),
    if_match: &IfMatch,
) -> mainsheet_core::Result<(Policy, u64)> {
    let before = app.store.policy(caller.tenant(), principal).await?;
    let version = before.as_ref().map_or(0, |row| row.version);
    if_match.check(version).map_err(|problem| problem.0)?;
    let change = app.store.change(caller.audit("policy.set", principal));
    let (now, by) = (change.now(), caller.member_id());
    let first = before.as_ref().map(|row| (row.value.created_at, row.value.created_by.clone()));
    let (created_at, created_by) = first.unwrap_or_else(|| (now, by.clone()));
    let policy = Policy {
        principal: principal.clone(),
        grants: grants.clone(),
        created_at,
        created_by,
        updated_at: now,
        updated_by: by.clone(),
    };
    let change = change.details(before.as_ref().map(|row| &row.value.grants), Some(grants));
    let change = change.set_policy(caller.tenant(), before.as_ref(), &policy);
    decide(app, caller, change, &policy).await?.commit().await?;
    Ok((policy, version + 1))
}

/// What the body says, each relation once and in order.
fn grants(body: OrganizationPolicyWrite, now: Timestamp) -> mainsheet_core::Result<Grants> {
    let mut errors = FieldErrors::default();
    for (index, name) in body.permissions.iter().enumerate() {
        match name.parse::<Relation>() {
            Err(unknown) => errors.add(format!("permissions[{index}]"), unknown.to_string()),
            Ok(relation) if relation.is_system_only() => {
                errors.add(format!("permissions[{index}]"), "comes with roles alone: it is `systemOnly`");
            }
            Ok(_) => {}
        }
    }
    if body.expires_at.is_some_and(|expires_at| expires_at <= now) {
        errors.add("expiresAt", "has passed");
    }
    errors.into_result()?;
    let mut permissions = body.permissions;
    permissions.sort_unstable();
    permissions.dedup();
    Ok(Grants { permissions, expires_at: body.expires_at })
}

/// Writes the policy where it decides; the principal has to be there.
async fn decide<'c>(
    app: &App,
    caller: &Caller,
    change: Change<'c>,
    policy: &Policy,
) -> mainsheet_core::Result<Change<'c>> {
    let tenant = caller.tenant();
    match &policy.principal {
        Principal::User(user) => Ok(change.grant_to_user(tenant, user, Some(&policy.grants))),
        Principal::Team(team) => {
            let others = app.store.team_grants(tenant).await?;
            if others.of(team).is_none() && !others.has_room() {
                let message = "100 teams have policies. Delete one of them first.";
                return Err(Error::conflict("too_many_team_policies", message));
            }
            Ok(change.grant_to_team(tenant, team, Some(&policy.grants)))
        }
        Principal::ServiceAccount(account) => {
            let (_, keys) = app.store.service_account_and_keys(tenant, account).await?;
            Ok(change.grant_to_service_account(&keys, &policy.grants))
        }
    }
}
