//! Where a step works: the account, the connection to it, and the names that things have there.

use std::sync::Arc;

use mainsheet_auth::sealed::Context;
use mainsheet_cloud::account::{Access, ClientToken, CloudAccount, NAME_PREFIX, boundary_name};
use mainsheet_core::Error;
use mainsheet_core::connection::{Connection, EXTERNAL_ID_FIELD};
use mainsheet_core::network::Network;
use mainsheet_core::operation::{FailureCode, OperationKind, ResourceRef};
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::region::Region;

use crate::Reached;
use crate::trouble::Trouble;
use crate::work::Work;

/// An account that was entered for a step.
pub(crate) struct Site<'w> {
    pub(crate) work: &'w Work<'w>,
    pub(crate) account: Arc<dyn CloudAccount>,
    pub(crate) connection: Connection,
    pub(crate) resource: Resource,
}

/// What the operation is about, as it stands in the table.
pub(crate) enum Resource {
    Connection,
    Network(Network),
    Cluster(Box<ProvisionedCluster>),
    Catalog(ProvisionedCatalog),
}

impl<'w> Site<'w> {
    /// Enters the account in the resource's region.
    pub(crate) async fn enter(work: &'w Work<'w>) -> Result<Self, Trouble> {
        let (store, tenant) = (work.store(), &work.tenant);
        let connection = store.connection(tenant, &work.operation.connection_id).await?.value;
        let resource = match &work.operation.resource {
            ResourceRef::Connection(_) => Resource::Connection,
            ResourceRef::Network(id) => Resource::Network(store.provisioned(tenant, id).await?.value),
            ResourceRef::Cluster(id) => Resource::Cluster(Box::new(store.provisioned(tenant, id).await?.value)),
            ResourceRef::Catalog(id) => Resource::Catalog(store.provisioned(tenant, id).await?.value),
        };
        let access = access(work, &connection, resource.region().unwrap_or(&connection.region))?;
        let account = work.provisioner.accounts.open(&access).await?;
        Ok(Self { work, account, connection, resource })
    }

    /// The role can be assumed, and permits what is needed. What is torn down needs less than what is built, and a newer template is
    /// the cure for what the role does not permit: that is not asked.
    pub(crate) async fn lets_us_in(&self) -> Result<Reached, Trouble> {
        let kind = self.work.operation.kind;
        if kind.is_destroy() || kind == OperationKind::ConnectionSyncTemplate {
            return Ok(Reached::Done);
        }
        let verification = self.account.verify().await?;
        if verification.missing_actions.is_empty() {
            return Ok(Reached::Done);
        }
        let actions = verification.missing_actions.join(", ");
        let message = format!("The connection's role does not permit what is needed: {actions}.");
        Err(Trouble::lasting(FailureCode::PermissionMissing, message))
    }

    /// The name of the resource's stack. It follows from the resource's id, so that it is known without having been told.
    pub(crate) fn stack_name(&self) -> String {
        let reference = &self.work.operation.resource;
        format!("{NAME_PREFIX}{}-{}", reference.kind().as_str(), reference.id().to_lowercase())
    }

    /// The name of the cluster in the account.
    pub(crate) fn cluster_name(&self) -> String {
        format!("{NAME_PREFIX}{}", self.work.operation.resource.id().to_lowercase())
    }

    /// The policy that limits every role of the connection's.
    pub(crate) fn boundary_name(&self) -> String {
        self.connection.boundary_name.clone().unwrap_or_else(|| boundary_name(&self.connection.id))
    }

    /// What the names of the connection's buckets begin with: buckets of all accounts share their names.
    pub(crate) fn bucket_prefix(&self) -> String {
        format!("{NAME_PREFIX}{}", self.connection.id).to_lowercase()
    }

    /// The name of the resource's bucket of something.
    pub(crate) fn bucket_name(&self, of: &str) -> String {
        format!("{}-{}-{of}", self.bucket_prefix(), self.work.operation.resource.id().to_lowercase())
    }

    /// The token of a call that is not written down as an intent: one for each operation, step and `part` of it.
    pub(crate) fn token(&self, part: &str) -> ClientToken {
        ClientToken::new(&format!("{}-{}-{part}", self.work.operation.id, self.work.stage.step.as_str()))
    }

    pub(crate) fn network(&self) -> Result<&Network, Trouble> {
        match &self.resource {
            Resource::Network(network) => Ok(network),
            _ => Err(wrong_resource("network")),
        }
    }

    pub(crate) fn cluster(&self) -> Result<&ProvisionedCluster, Trouble> {
        match &self.resource {
            Resource::Cluster(cluster) => Ok(cluster),
            _ => Err(wrong_resource("cluster")),
        }
    }

    pub(crate) fn catalog(&self) -> Result<&ProvisionedCatalog, Trouble> {
        match &self.resource {
            Resource::Catalog(catalog) => Ok(catalog),
            _ => Err(wrong_resource("catalog")),
        }
    }
}

impl Resource {
    fn region(&self) -> Option<&Region> {
        match self {
            Self::Connection => None,
            Self::Network(network) => Some(&network.region),
            Self::Cluster(cluster) => Some(&cluster.region),
            Self::Catalog(catalog) => Some(&catalog.region),
        }
    }
}

fn access(work: &Work<'_>, connection: &Connection, region: &Region) -> Result<Access, Trouble> {
    let Some(role_arn) = &connection.role_arn else {
        return Err(Trouble::lasting(FailureCode::RoleNotAssumable, "The connection's role was never verified."));
    };
    let context = Context::organization(work.tenant.organization_id(), EXTERNAL_ID_FIELD);
    Ok(Access {
        role_arn: role_arn.clone(),
        external_id: work.provisioner.sealer.open(&context, &connection.external_id)?,
        region: region.clone(),
        session_name: format!("mainsheet-{}", work.operation.id),
    })
}

fn wrong_resource(wanted: &str) -> Trouble {
    Trouble::Ours(Error::internal(format!("a step of a {wanted} for something else")))
}
