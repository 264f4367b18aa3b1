//! Catalog services that the platform makes in customers' accounts. The logical catalog in front of one has the same id.

use serde::{Deserialize, Serialize};

use crate::operation::ResourceRef;
use crate::provisioning::{Provisioned, Provisioning};
use crate::region::Region;
use crate::{CatalogId, ConnectionId, NetworkId, TeamId};

/// A provisioned catalog, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvisionedCatalog {
    /// Its id, and that of the logical catalog that is in front of it while it is there.
    pub id: CatalogId,
    /// The account that it is in.
    pub connection_id: ConnectionId,
    /// The network that it is in.
    pub network_id: NetworkId,
    /// Its name, which is the logical catalog's: unique in the organization among what is not destroyed.
    pub name: String,
    /// Where it is: its network's.
    pub region: Region,
    /// What it is made of.
    pub config: ProvisionedCatalogConfig,
    /// The teams that may use it once it is there.
    pub team_ids: Vec<TeamId>,
    /// Where it stands.
    pub provisioning: Provisioning,
}

impl Provisioned for ProvisionedCatalog {
    fn reference(&self) -> ResourceRef {
        ResourceRef::Catalog(self.id.clone())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn connection_id(&self) -> &ConnectionId {
        &self.connection_id
    }

    fn network_id(&self) -> Option<&NetworkId> {
        Some(&self.network_id)
    }

    fn provisioning(&self) -> &Provisioning {
        &self.provisioning
    }

    fn provisioning_mut(&mut self) -> &mut Provisioning {
        &mut self.provisioning
    }
}

/// What a provisioned catalog is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProvisionedCatalogConfig {
    /// What the service itself calls the catalog: lower-case letters, digits and `_`; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(bytes, min = 1, max = 64), pattern("^[a-z0-9_]+$")))]
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9_]+$", examples("default"))]
    pub catalog_name: Option<String>,
}
