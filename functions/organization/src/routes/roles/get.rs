//! `GET /org/roles/{role}`: one role of the organization with its permissions and bundles.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Member, Path, Result};
use mainsheet_auth::permission::bundles_of;
use mainsheet_core::role::OrganizationRole;
use mainsheet_core::{Error, RoleId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::routes::roles::{Holdings, PermissionBundle, PermissionView, RoleDetailItem};
use crate::view::OrganizationRoleWithCounts;

/// A role of the organization.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationRoleDetail {
    item: RoleDetailItem,
    included: OrganizationRoleIncluded,
}

/// What it points at, each once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationRoleIncluded {
    roles: Vec<OrganizationRoleWithCounts>,
    permissions: Vec<PermissionView>,
    bundles: Vec<PermissionBundle>,
}

/// Show a role of the organization
#[utoipa::path(
    get, path = "/org/roles/{role}", operation_id = "getOrganizationRole", tag = "roles",
    params(("role" = RoleId, Path, description = "The role.")),
    responses((status = 200, description = "The role.", body = OrganizationRoleDetail)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    Member(caller): Member,
    Path(id): Path<RoleId>,
) -> Result<Json<OrganizationRoleDetail>> {
    let role = OrganizationRole::try_from(&id).map_err(|_| Error::NotFound)?;
    let counts = app.store.member_counts(caller.tenant()).await?;
    let organization = caller.tenant().organization_id();
    let holdings = Holdings { bundles: bundles_of(role), besides: &[] };
    let included = OrganizationRoleIncluded {
        roles: vec![OrganizationRoleWithCounts::of(role, organization, &counts)],
        permissions: holdings.permissions(),
        bundles: holdings.bundles(organization),
    };
    Ok(Json(OrganizationRoleDetail { item: holdings.item(id), included }))
}
