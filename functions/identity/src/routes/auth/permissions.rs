//! `GET /auth/permissions`: what can be permitted.

use axum::Json;
use mainsheet_auth::Relation;
use serde::Serialize;
use utoipa::ToSchema;

/// All relations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PermissionList {
    items: Vec<Permission>,
}

/// What can be permitted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Permission {
    /// Its name.
    #[schema(examples("CanManageUsers"))]
    relation: &'static str,
    /// What it permits.
    description: &'static str,
    /// Over what it can be held: `organization`, `team`.
    valid_object_types: &'static [&'static str],
    /// Whether it comes with roles alone, so that no policy can give it.
    system_only: bool,
}

impl From<Relation> for Permission {
    fn from(relation: Relation) -> Self {
        Self {
            relation: relation.as_str(),
            description: relation.description(),
            valid_object_types: relation.scope().object_types(),
            system_only: relation.is_system_only(),
        }
    }
}

/// List permissions
#[utoipa::path(
    get, path = "/auth/permissions", operation_id = "listPermissions", tag = "authentication",
    responses((status = 200, description = "All of them.", body = PermissionList))
)]
pub(crate) async fn permissions() -> Json<PermissionList> {
    Json(PermissionList { items: Relation::ALL.iter().copied().map(Permission::from).collect() })
}
