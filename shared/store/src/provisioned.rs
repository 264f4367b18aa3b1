//! Networks, provisioned clusters and provisioned catalogs: three kinds with one life (`mainsheet_core::provisioning`) and one way
//! of being kept.

use std::collections::BTreeSet;
use std::fmt::Display;

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::connection::Connection;
use mainsheet_core::network::Network;
use mainsheet_core::operation::{Operation, ResourceRef};
use mainsheet_core::provisioned_catalog::ProvisionedCatalog;
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::provisioning::{Provisioned, ProvisioningEvent, ProvisioningStatus};
use mainsheet_core::{CatalogId, ClusterId, ConnectionId, Error, NetworkId, OperationId, Result};

use crate::change::{Due, retry_races, update_of};
use crate::connections::{LIVING, connection_key};
use crate::key::tenant_partition;
use crate::operations::operation_key;
use crate::row::DATA;
use crate::schema::BY_NAME;
use crate::{Batch, Change, Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// A kind of thing that is provisioned.
pub trait ProvisionedEntity: Entity + Provisioned {
    /// What its ids are.
    type Id: Display + Sync;
    /// Where its rows are.
    const PARTITION: &'static str;
}

macro_rules! kinds {
    ($($entity:ident: $id:ident, $kind:literal, $partition:literal;)+) => {$(
        impl Entity for $entity {
            const KIND: &'static str = $kind;

            fn order(&self) -> Vec<(&'static str, String)> {
                vec![(BY_NAME, place(self))]
            }
        }

        impl ProvisionedEntity for $entity {
            type Id = $id;
            const PARTITION: &'static str = $partition;
        }
    )+};
}

kinds! {
    Network: NetworkId, "network", "NETWORKS";
    ProvisionedCluster: ClusterId, "provisioned_cluster", "PROVISIONED_CLUSTERS";
    ProvisionedCatalog: CatalogId, "provisioned_catalog", "PROVISIONED_CATALOGS";
}

/// By connection, then by name.
fn place(value: &impl Provisioned) -> String {
    // A sort key holds 1,024 bytes; 200 characters take 800 at most.
    let name: String = value.name().to_lowercase().chars().take(200).collect();
    format!("{}#{name}#{}", value.connection_id(), value.reference().id())
}

pub(crate) fn provisioned_key<T: ProvisionedEntity>(tenant: &Tenant, id: &T::Id) -> Key {
    Key::of_tenant(tenant, T::PARTITION, id.to_string())
}

/// Those of one connection, by name.
fn in_connection<T: ProvisionedEntity>(tenant: &Tenant, connection: &ConnectionId) -> Listing {
    Listing::of(tenant_partition(tenant, T::PARTITION)).ordered_by(BY_NAME).beginning_with(format!("{connection}#"))
}

fn take_all<T: Entity>(batch: &mut Batch, keys: &[Key]) -> Result<Vec<Row<T>>> {
    keys.iter().filter_map(|key| batch.take(key).transpose()).collect()
}

/// The organization's networks, oldest first.
pub(crate) fn networks(tenant: &Tenant) -> Listing {
    Listing::of(tenant_partition(tenant, Network::PARTITION))
}

pub(crate) fn network_key(tenant: &Tenant, network: &NetworkId) -> Key {
    provisioned_key::<Network>(tenant, network)
}

/// What others point at, by its ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pointers {
    /// Connections.
    pub connections: BTreeSet<ConnectionId>,
    /// Networks.
    pub networks: BTreeSet<NetworkId>,
    /// Provisioned clusters.
    pub clusters: BTreeSet<ClusterId>,
    /// Provisioned catalogs.
    pub catalogs: BTreeSet<CatalogId>,
    /// Operations.
    pub operations: BTreeSet<OperationId>,
}

/// What others point at. What is not there is left out.
#[derive(Debug, Default)]
pub struct Pointed {
    /// Connections, oldest first.
    pub connections: Vec<Row<Connection>>,
    /// Networks, oldest first.
    pub networks: Vec<Row<Network>>,
    /// Provisioned clusters, oldest first.
    pub clusters: Vec<Row<ProvisionedCluster>>,
    /// Provisioned catalogs, oldest first.
    pub catalogs: Vec<Row<ProvisionedCatalog>>,
    /// Operations, oldest first.
    pub operations: Vec<Row<Operation>>,
}

impl Pointers {
    /// Points at what something is in, and at its operation if one is under way.
    pub fn of_live<T: Provisioned>(rows: &[Row<T>]) -> Self {
        let mut pointers = Self::default();
        for row in rows {
            pointers.connections.insert(row.value.connection_id().clone());
            pointers.operations.extend(row.value.provisioning().live_operation.clone());
        }
        pointers
    }

    /// Points at what something is in, and at its latest operation.
    pub fn of_latest<T: Provisioned>(value: &T) -> Self {
        Self {
            connections: [value.connection_id().clone()].into(),
            operations: value.provisioning().latest_operation.iter().cloned().collect(),
            ..Self::default()
        }
    }
}

impl Store {
    /// What others point at: one round trip for every 100 of them, none for none.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn pointed(&self, tenant: &Tenant, pointers: &Pointers) -> Result<Pointed> {
        let connections: Vec<Key> = pointers.connections.iter().map(|id| connection_key(tenant, id)).collect();
        let networks: Vec<Key> = pointers.networks.iter().map(|id| network_key(tenant, id)).collect();
        let clusters: Vec<Key> =
            pointers.clusters.iter().map(|id| provisioned_key::<ProvisionedCluster>(tenant, id)).collect();
        let catalogs: Vec<Key> =
            pointers.catalogs.iter().map(|id| provisioned_key::<ProvisionedCatalog>(tenant, id)).collect();
        let operations: Vec<Key> = pointers.operations.iter().map(|id| operation_key(tenant, id)).collect();
        let all = [&connections, &networks, &clusters, &catalogs, &operations];
        let mut batch = self.get_batch(all.into_iter().flatten().cloned()).await?;
        Ok(Pointed {
            connections: take_all(&mut batch, &connections)?,
            networks: take_all(&mut batch, &networks)?,
            clusters: take_all(&mut batch, &clusters)?,
            catalogs: take_all(&mut batch, &catalogs)?,
            operations: take_all(&mut batch, &operations)?,
        })
    }

    /// The provisioned clusters in a network, by name: one query for every megabyte of the connection's.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn clusters_in_network(
        &self,
        tenant: &Tenant,
        network: &Network,
    ) -> Result<Vec<Row<ProvisionedCluster>>> {
        let listing = in_connection::<ProvisionedCluster>(tenant, &network.connection_id);
        self.rows_where(&listing, |cluster: &ProvisionedCluster| cluster.network_id == network.id).await
    }

    /// A network, cluster or catalog.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such thing.
    pub async fn provisioned<T: ProvisionedEntity>(&self, tenant: &Tenant, id: &T::Id) -> Result<Row<T>> {
        self.get(&provisioned_key::<T>(tenant, id)).await?.ok_or(Error::NotFound)
    }

    /// A network, cluster or catalog of a connection.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the connection has no such thing.
    pub async fn provisioned_in<T: ProvisionedEntity>(
        &self,
        tenant: &Tenant,
        connection: &ConnectionId,
        id: &T::Id,
    ) -> Result<Row<T>> {
        let row = self.provisioned::<T>(tenant, id).await?;
        if row.value.connection_id() == connection { Ok(row) } else { Err(Error::NotFound) }
    }

    /// A network, cluster or catalog of a connection, and the connection: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the connection has no such thing.
    pub async fn provisioned_with_connection<T: ProvisionedEntity>(
        &self,
        tenant: &Tenant,
        connection: &ConnectionId,
        id: &T::Id,
    ) -> Result<(Row<T>, Row<Connection>)> {
        let (thing, account) = (provisioned_key::<T>(tenant, id), connection_key(tenant, connection));
        let mut batch = self.get_batch([thing.clone(), account.clone()]).await?;
        let row: Row<T> = batch.take(&thing)?.ok_or(Error::NotFound)?;
        if row.value.connection_id() != connection {
            return Err(Error::NotFound);
        }
        Ok((row, batch.take(&account)?.ok_or(Error::NotFound)?))
    }

    /// A page of the organization's networks, clusters or catalogs, oldest first; those of one connection by name. One query.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn provisioned_page<T: ProvisionedEntity>(
        &self,
        tenant: &Tenant,
        connection: Option<&ConnectionId>,
        request: &PageRequest,
    ) -> Result<Page<Row<T>>> {
        let listing = match connection {
            Some(connection) => in_connection::<T>(tenant, connection),
            None => Listing::of(tenant_partition(tenant, T::PARTITION)),
        };
        self.page(&listing, request).await
    }

    /// Notes what has become known about something while an operation is at it: what the provider calls it, what it puts out. It
    /// makes a new version and is not audited. `learn` may be called more than once.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is gone.
    pub async fn note_provisioned<T: ProvisionedEntity>(
        &self,
        tenant: &Tenant,
        id: &T::Id,
        learn: impl Fn(&mut T) + Sync,
    ) -> Result<()> {
        retry_races(|| async {
            let row = self.provisioned::<T>(tenant, id).await?;
            let mut known = row.value.clone();
            learn(&mut known);
            known.provisioning_mut().updated_at = self.now();
            self.telemetry().replace(&row, &known, Due::Keep).commit().await
        })
        .await
    }
}

impl Change<'_> {
    /// A new network, cluster or catalog: its connection has to be active, and so has the network that it is in.
    pub fn create_provisioned<T: ProvisionedEntity>(self, tenant: &Tenant, value: &T) -> Self {
        let reference = value.reference();
        let change = match &reference {
            ResourceRef::Cluster(cluster) => self.claim_cluster(tenant, cluster, value.name()),
            ResourceRef::Catalog(catalog) => self.claim_catalog(tenant, catalog, value.name()),
            ResourceRef::Connection(_) | ResourceRef::Network(_) => self,
        };
        let change = match value.network_id() {
            Some(network) => change.settle_in_network(tenant, network),
            None => change,
        };
        let key = Key::of_tenant(tenant, T::PARTITION, reference.id());
        change
            .create(&key, value, Error::internal("an id that was used before"))
            .settle_in_connection(tenant, value.connection_id())
    }

    /// Its new settings.
    pub fn replace_provisioned<T: ProvisionedEntity>(self, row: &Row<T>, value: &T) -> Self {
        self.replace(row, value, Due::Keep)
    }

    /// The end of a record of which nothing is in the account: [`mainsheet_core::provisioning::Provisioning::require_gone`].
    pub fn delete_provisioned<T: ProvisionedEntity>(self, tenant: &Tenant, row: &Row<T>) -> Self {
        // What was destroyed has left already.
        let change = match row.value.provisioning().status {
            ProvisioningStatus::Destroyed => self,
            _ => self.leave(tenant, &row.value),
        };
        change.delete(row)
    }

    /// An operation on it is started: `after` is what [`mainsheet_core::provisioning::Provisioning::begin`] made of the row. Nothing
    /// may live in it when it is to be destroyed, and its connection has to be active for anything else.
    pub fn start_operation<T: ProvisionedEntity>(
        self,
        tenant: &Tenant,
        row: &Row<T>,
        after: &T,
        operation: &Operation,
    ) -> Self {
        let change = match operation.kind.event() {
            Some(ProvisioningEvent::Destroy) => self.replace_uncounted(row, after, LIVING),
            _ => self.replace(row, after, Due::Keep).require_active_connection(tenant, row.value.connection_id()),
        };
        change.create_operation(tenant, operation)
    }

    /// It lives no more: it counts nowhere, and its name is free.
    pub(crate) fn leave<T: ProvisionedEntity>(self, tenant: &Tenant, value: &T) -> Self {
        let change = match value.reference() {
            ResourceRef::Cluster(_) => self.release_cluster(tenant, value.name()),
            ResourceRef::Catalog(_) => self.release_catalog(tenant, value.name()),
            ResourceRef::Connection(_) | ResourceRef::Network(_) => self,
        };
        let change = match value.network_id() {
            Some(network) => {
                let gone = Error::internal("a network went before what was in it");
                change.annotate(&network_key(tenant, network), Item::new(), &[(LIVING, -1)], gone)
            }
            None => change,
        };
        change.leave_connection(tenant, value.connection_id())
    }

    /// Something more lives in the network, which has to be active.
    fn settle_in_network(self, tenant: &Tenant, network: &NetworkId) -> Self {
        let active = AttributeValue::S(ProvisioningStatus::Active.as_str().to_owned());
        let update = update_of(&network_key(tenant, network), Vec::new(), &[], &[(LIVING, 1)])
            .condition_expression("#data.#provisioning.#status = :active")
            .expression_attribute_names("#data", DATA)
            .expression_attribute_names("#provisioning", "provisioning")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":active", active);
        self.update(update, network_not_active())
    }
}

/// Nothing can be built in the network.
#[must_use]
pub fn network_not_active() -> Error {
    Error::conflict("network_not_active", "The network is not active. Provision it, and wait for the operation's end.")
}
