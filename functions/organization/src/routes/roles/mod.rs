//! The fixed catalogues of roles.

pub(crate) mod get;
pub(crate) mod get_team_role;
pub(crate) mod list;
pub(crate) mod list_team_roles;

use mainsheet_auth::Relation;
use mainsheet_auth::permission::Bundle;
use mainsheet_core::{OrganizationId, RoleId};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A role by ids.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoleDetailItem {
    role_id: RoleId,
    /// Permissions that it has besides those of its bundles.
    permission_ids: Vec<&'static str>,
    bundle_ids: Vec<&'static str>,
    /// The permissions of its bundles, by bundle.
    bundle_permissions: BTreeMap<&'static str, Vec<&'static str>>,
}

/// A permission.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RolePermission)]
pub(crate) struct PermissionView {
    relation: &'static str,
    description: &'static str,
    /// What it can be held over.
    valid_object_types: &'static [&'static str],
    /// Whether it comes with roles alone.
    system_only: bool,
}

/// Permissions that go together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PermissionBundle {
    id: &'static str,
    code: &'static str,
    organization_id: OrganizationId,
    name: &'static str,
}

/// What a role has, in bundles and besides them.
pub(crate) struct Holdings {
    pub(crate) bundles: &'static [Bundle],
    pub(crate) besides: &'static [Relation],
}

impl Holdings {
    fn item(&self, role_id: RoleId) -> RoleDetailItem {
        let of_bundle = |bundle: &Bundle| (bundle.as_str(), names(bundle.relations()));
        RoleDetailItem {
            role_id,
            permission_ids: names(self.besides),
            bundle_ids: self.bundles.iter().map(|bundle| bundle.as_str()).collect(),
            bundle_permissions: self.bundles.iter().map(of_bundle).collect(),
        }
    }

    fn permissions(&self) -> Vec<PermissionView> {
        let relations = self.bundles.iter().flat_map(|bundle| bundle.relations()).chain(self.besides);
        relations.copied().map(PermissionView::from).collect()
    }

    fn bundles(&self, organization: &OrganizationId) -> Vec<PermissionBundle> {
        let view = |bundle: &Bundle| PermissionBundle {
            id: bundle.as_str(),
            code: bundle.as_str(),
            organization_id: organization.clone(),
            name: bundle.title(),
        };
        self.bundles.iter().map(view).collect()
    }
}

impl From<Relation> for PermissionView {
    fn from(relation: Relation) -> Self {
        Self {
            relation: relation.as_str(),
            description: relation.description(),
            valid_object_types: relation.scope().object_types(),
            system_only: relation.is_system_only(),
        }
    }
}

fn names(relations: &[Relation]) -> Vec<&'static str> {
    relations.iter().map(|relation| relation.as_str()).collect()
}
