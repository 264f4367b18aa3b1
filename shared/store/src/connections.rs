//! Connections: cloud accounts, and how much of ours is in each.

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck};
use mainsheet_core::connection::{Connection, ConnectionStatus, connection_not_active};
use mainsheet_core::network::Network;
use mainsheet_core::operation::Operation;
use mainsheet_core::{ConnectionId, Error, Result, Timestamp};

use crate::change::{Due, update_of};
use crate::key::tenant_partition;
use crate::provisioned::networks;
use crate::row::DATA;
use crate::{Change, Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// Beside a connection or network: how many things in it are not destroyed.
pub(crate) const LIVING: &str = "living";
/// Beside a connection: when its role was last used.
const USED_AT: &str = "last_used_at";

impl Entity for Connection {
    const KIND: &'static str = "connection";
}

pub(crate) fn connection_key(tenant: &Tenant, connection: &ConnectionId) -> Key {
    Key::of_tenant(tenant, "CONNECTIONS", connection.as_str())
}

/// When a connection's role was last used.
#[must_use]
pub fn last_used_at(row: &Row<Connection>) -> Option<Timestamp> {
    row.text(USED_AT)?.parse().ok()
}

impl Store {
    /// A connection.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such connection.
    pub async fn connection(&self, tenant: &Tenant, connection: &ConnectionId) -> Result<Row<Connection>> {
        self.get(&connection_key(tenant, connection)).await?.ok_or(Error::NotFound)
    }

    /// A page of the organization's connections, oldest first.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn connections(&self, tenant: &Tenant, request: &PageRequest) -> Result<Page<Row<Connection>>> {
        self.page(&Listing::of(tenant_partition(tenant, "CONNECTIONS")), request).await
    }

    /// An active connection through which a region is reached: its own, or that of a network of it that is not gone. `None`
    /// when there is none. One or two queries for every megabyte of connections and networks.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn connection_to(&self, tenant: &Tenant, region: &str) -> Result<Reach> {
        let is_active = |connection: &Connection| connection.status == ConnectionStatus::Active;
        let connections = Listing::of(tenant_partition(tenant, "CONNECTIONS"));
        let active: Vec<Connection> =
            self.rows_where(&connections, is_active).await?.into_iter().map(|row| row.value).collect();
        if active.is_empty() {
            return Ok(Reach::Nothing);
        }
        if let Some(connection) = active.iter().find(|connection| connection.region.as_str() == region) {
            return Ok(Reach::Through(connection.id.clone()));
        }
        let is_there = |network: &Network| {
            let gone = network.provisioning.status.is_gone();
            network.region.as_str() == region
                && !gone
                && active.iter().any(|connection| connection.id == network.connection_id)
        };
        let networks = self.rows_where(&networks(tenant), is_there).await?;
        let network = networks.into_iter().next();
        Ok(network.map_or(Reach::OtherRegions, |network| Reach::Through(network.value.connection_id)))
    }
}

/// How a region is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Through this connection, which is active.
    Through(ConnectionId),
    /// Not at all: the active connections and their networks are in others.
    OtherRegions,
    /// Not at all: no connection is active.
    Nothing,
}

impl Change<'_> {
    /// A new connection.
    pub fn create_connection(self, tenant: &Tenant, connection: &Connection) -> Self {
        let used = Error::internal("a connection id that was used before");
        self.create(&connection_key(tenant, &connection.id), connection, used)
    }

    /// A connection's new settings, or what came of verifying it.
    pub fn replace_connection(self, row: &Row<Connection>, connection: &Connection) -> Self {
        self.replace(row, connection, Due::Keep)
    }

    /// Like [`Change::replace_connection`], when its role was used for that.
    pub fn replace_used_connection(self, row: &Row<Connection>, connection: &Connection) -> Self {
        let beside = used_at(self.now());
        self.replace_with(row, connection, Due::Keep, beside)
    }

    /// The end of a connection in which nothing lives: [`require_uninhabited`] says so of what was read, and the change holds
    /// on to it.
    pub fn delete_connection(self, row: &Row<Connection>) -> Self {
        self.delete_uncounted(row, LIVING)
    }

    /// An operation on the connection itself is started: `after` is what [`Connection::begin`] made of the row.
    pub fn start_connection_operation(
        self,
        tenant: &Tenant,
        row: &Row<Connection>,
        after: &Connection,
        operation: &Operation,
    ) -> Self {
        self.replace(row, after, Due::Keep).create_operation(tenant, operation)
    }

    /// The connection has to be active; the conflict `connection_not_active` when it is not.
    pub fn require_active_connection(self, tenant: &Tenant, connection: &ConnectionId) -> Self {
        let check = ConditionCheck::builder()
            .set_key(Some(connection_key(tenant, connection).to_item()))
            .condition_expression("#data.#status = :active")
            .expression_attribute_names("#data", DATA)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":active", active());
        self.check(check, connection_not_active())
    }

    /// Something more lives in the connection, which has to be active.
    pub(crate) fn settle_in_connection(self, tenant: &Tenant, connection: &ConnectionId) -> Self {
        let update = update_of(&connection_key(tenant, connection), Vec::new(), &[], &[(LIVING, 1)])
            .condition_expression("#data.#status = :active")
            .expression_attribute_names("#data", DATA)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":active", active());
        self.update(update, connection_not_active())
    }

    /// Something in the connection lives no more.
    pub(crate) fn leave_connection(self, tenant: &Tenant, connection: &ConnectionId) -> Self {
        let gone = Error::internal("a connection went before what was in it");
        self.annotate(&connection_key(tenant, connection), Item::new(), &[(LIVING, -1)], gone)
    }

    /// A connection's role was used.
    pub fn note_connection_use(self, tenant: &Tenant, connection: &ConnectionId) -> Self {
        let sets = used_at(self.now());
        self.annotate(&connection_key(tenant, connection), sets, &[], Error::NotFound)
    }
}

fn used_at(now: Timestamp) -> Item {
    Item::from([(USED_AT.to_owned(), AttributeValue::S(now.to_string()))])
}

fn active() -> AttributeValue {
    AttributeValue::S(ConnectionStatus::Active.as_str().to_owned())
}

/// Nothing lives in a connection or network.
///
/// # Errors
/// [`Error::Conflict`] (`not_empty`) while something does.
pub fn require_uninhabited<T: Entity>(row: &Row<T>) -> Result<()> {
    match row.count(LIVING) {
        0 => Ok(()),
        living => {
            let message = format!(
                "{living} networks, clusters or catalogs in it are not destroyed. Destroy them first, and delete those that are \
                 pending."
            );
            Err(Error::conflict("not_empty", message))
        }
    }
}
