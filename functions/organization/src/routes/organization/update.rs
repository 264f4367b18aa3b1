//! `PATCH /org`: change what is given.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Permitted, Result, Tagged, text};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageOrganization;
use mainsheet_core::identity_provider::IdentityProvider;
use mainsheet_core::organization::Organization;
use mainsheet_core::role::OrganizationRole;
use mainsheet_core::{Error, RoleId, TeamId};
use mainsheet_store::Row;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::is_guarded;
use crate::routes::organization::settings::SettingsUpdate;

/// What to change of the organization. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OrganizationUpdate {
    /// Its name for people.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Its name in addresses: lower-case letters, digits and `-`; unique over all organizations.
    #[garde(inner(length(chars, min = 1, max = 63), pattern("^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$")))]
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$")]
    slug: Option<String>,
    /// Settings to change, each on its own.
    #[garde(dive)]
    settings: Option<SettingsUpdate>,
    /// The team that new members join: one whose policy gives no more than the caller holds.
    #[garde(skip)]
    default_team_id: Option<TeamId>,
    /// The role that new members get. Owner and Emergency are given to one person at a time.
    #[garde(skip)]
    #[schema(value_type = Option<String>, pattern = "^(ADMIN|BILLING|AUDITOR|MEMBER)$")]
    default_org_role_id: Option<RoleId>,
}

/// Change the organization
#[utoipa::path(
    patch, path = "/org", operation_id = "updateOrganization", tag = "organizations",
    params(("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = OrganizationUpdate,
    responses((status = 200, description = "The changed organization.", body = Organization, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageOrganization")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Permitted<CanManageOrganization>,
    if_match: IfMatch,
    Body(body): Body<OrganizationUpdate>,
) -> Result<Tagged<Organization>> {
    let role = body.default_org_role_id;
    role.as_ref().map_or(Ok(()), |role| may_be_default(&caller, role))?;
    let row = caller.organization(&app.store).await?;
    if_match.check(row.version)?;
    if let Some(team) = body.default_team_id.as_ref().filter(|team| **team != row.value.default_team_id) {
        caller.require_to_seat(&app.store, std::slice::from_ref(team)).await?;
    }
    let change = app.store.change(caller.audit("organization.update", &row.value.id));
    let before = row.value.clone();
    let organization = Organization {
        name: body.name.unwrap_or(before.name),
        slug: body.slug.unwrap_or(before.slug),
        settings: body.settings.unwrap_or_default().applied_to(before.settings),
        default_team_id: body.default_team_id.clone().unwrap_or(before.default_team_id),
        default_org_role_id: role.unwrap_or(before.default_org_role_id),
        updated_at: change.now(),
        ..row.value.clone()
    };
    let change = match &body.default_team_id {
        Some(team) => change.require_team(caller.tenant(), team, "defaultTeamId"),
        None => change,
    };
    let change = match organization.settings.auth.is_single_sign_on_only() {
        true => change.require_identity_provider(&provider(&app, &caller).await?),
        false => change,
    };
    let change = change.details(Some(&row.value), Some(&organization));
    change.replace_organization(&row, &organization).commit().await?;
    Ok(Tagged { body: organization, version: row.version + 1 })
}

/// Whoever comes gets the role, so it is none of those that only Owners give, and one that the caller could give themselves.
fn may_be_default(caller: &Caller, role: &RoleId) -> mainsheet_core::Result<()> {
    let refused = |why: &str| Error::invalid("defaultOrgRoleId", why);
    let role = OrganizationRole::try_from(role).map_err(|_| refused("is no role of organizations"))?;
    if is_guarded(role) {
        return Err(refused("is given to one person at a time"));
    }
    caller.require_to_assign(role)
}

/// Without passwords and mailed codes, somebody has to vouch for people, and for Owners, too.
async fn provider(app: &App, caller: &Caller) -> mainsheet_core::Result<Row<IdentityProvider>> {
    let found = app.store.identity_provider_for_owners(caller.tenant(), None).await?;
    found.ok_or_else(|| {
        Error::conflict(
            "identity_provider_required",
            "Without passwords and mailed codes Owners could not sign in. An Owner has to set up an identity provider with \
             `POST /auth/idps` first, or send one's `configWrite` with `PATCH /auth/idps/{idp}`.",
        )
    })
}
