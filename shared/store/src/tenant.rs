//! The proof that an organization may be touched.

use mainsheet_core::OrganizationId;

/// An organization that a caller, an agent or an event was found to belong to. Every key of a tenant's partitions is made
/// from one, and only this crate makes them, out of what the table says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant(OrganizationId);

impl Tenant {
    /// Trusts that `organization_id` was read from a record that proves it.
    pub(crate) fn proven(organization_id: OrganizationId) -> Self {
        Self(organization_id)
    }

    /// The organization.
    #[must_use]
    pub fn organization_id(&self) -> &OrganizationId {
        &self.0
    }
}
