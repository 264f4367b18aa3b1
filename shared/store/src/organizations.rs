//! Organizations and their slugs.

use mainsheet_core::organization::Organization;
use mainsheet_core::{Error, OrganizationId, Result};
use serde::{Deserialize, Serialize};

use crate::change::Due;
use crate::policies::{TeamGrants, team_grants_key};
use crate::{Batch, Change, Entity, Key, Row, Store, Tenant};

impl Entity for Organization {
    const KIND: &'static str = "organization";
}

/// A slug that belongs to an organization; no two have the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlugClaim {
    organization_id: OrganizationId,
}

impl Entity for SlugClaim {
    const KIND: &'static str = "slug";
}

pub(crate) fn organization_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "ORGANIZATION")
}

fn slug_key(slug: &str) -> Key {
    Key::global(format!("SLUG#{slug}"), "SLUG")
}

fn slug_taken() -> Error {
    Error::conflict("slug_taken", "Another organization has this slug. Choose another one.")
}

/// What every request in an organization's name needs of it.
#[derive(Debug, Clone)]
pub struct Home {
    /// The proof that it may be touched.
    pub tenant: Tenant,
    /// The organization with its settings.
    pub organization: Row<Organization>,
    /// What its policies give to teams.
    pub team_grants: TeamGrants,
}

pub(crate) fn home_keys(tenant: &Tenant) -> [Key; 2] {
    [organization_key(tenant), team_grants_key(tenant)]
}

/// An organization among rows that were read together; `None` when it is gone.
pub(crate) fn take_home(batch: &mut Batch, tenant: Tenant) -> Result<Option<Home>> {
    let team_grants = TeamGrants::of_item(batch.take_item(&team_grants_key(&tenant)));
    let organization = batch.take(&organization_key(&tenant))?;
    Ok(organization.map(|organization| Home { tenant, organization, team_grants }))
}

impl Store {
    /// What a request in the organization's name needs of it: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is gone.
    pub async fn home(&self, tenant: &Tenant) -> Result<Home> {
        let mut batch = self.get_batch(home_keys(tenant)).await?;
        take_home(&mut batch, tenant.clone())?.ok_or(Error::NotFound)
    }

    /// The tenant itself.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is gone.
    pub async fn organization(&self, tenant: &Tenant) -> Result<Row<Organization>> {
        self.get(&organization_key(tenant)).await?.ok_or(Error::NotFound)
    }
}

/// The tenant that a new organization will be: it belongs to whoever creates it.
#[must_use]
pub fn founding_tenant(organization: &OrganizationId) -> Tenant {
    Tenant::proven(organization.clone())
}

impl Change<'_> {
    /// A new organization with a slug of its own.
    pub fn create_organization(self, tenant: &Tenant, organization: &Organization) -> Self {
        let claim = SlugClaim { organization_id: organization.id.clone() };
        self.create(&slug_key(&organization.slug), &claim, slug_taken()).create(
            &organization_key(tenant),
            organization,
            Error::internal("an organization id that was used before"),
        )
    }

    /// An organization's new settings; its slug moves with it.
    pub fn replace_organization(self, row: &Row<Organization>, organization: &Organization) -> Self {
        let change = self.replace(row, organization, Due::Keep);
        if row.value.slug == organization.slug {
            return change;
        }
        let claim = SlugClaim { organization_id: organization.id.clone() };
        change.remove(&slug_key(&row.value.slug)).create(&slug_key(&organization.slug), &claim, slug_taken())
    }
}
