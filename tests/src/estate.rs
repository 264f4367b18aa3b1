//! What an organization has in cloud accounts: one thing of each kind for each thing that can be done to it.

use mainsheet_testkit::infrastructure::success;
use mainsheet_testkit::{Person, TestApp};

/// Networks, clusters and catalogs of one connection, and connections besides.
pub(crate) struct Estate {
    pub(crate) connection: String,
    /// One in which nothing lives, to delete.
    pub(crate) spare_connection: String,
    /// One to sync.
    pub(crate) synced_connection: String,
    /// An active network with things in it.
    pub(crate) network: String,
    /// A pending one, to provision.
    pub(crate) pending_network: String,
    /// An active one without things in it, to destroy.
    pub(crate) empty_network: String,
    /// A pending one, to delete.
    pub(crate) spare_network: String,
    /// An active cluster.
    pub(crate) cluster: String,
    /// A pending one, to provision.
    pub(crate) pending_cluster: String,
    /// An active one, to destroy.
    pub(crate) doomed_cluster: String,
    /// A pending one, to delete.
    pub(crate) spare_cluster: String,
    /// A pending catalog.
    pub(crate) catalog: String,
    /// One to provision.
    pub(crate) pending_catalog: String,
    /// An active one, to destroy.
    pub(crate) doomed_catalog: String,
    /// One to delete.
    pub(crate) spare_catalog: String,
    /// An operation that is under way.
    pub(crate) operation: String,
}

impl Estate {
    pub(crate) async fn of(app: &TestApp, owner: &Person) -> Self {
        let connection = app.connection(owner, "prod").await;
        let network = app.network(owner, &connection, "prod").await;
        let place = (connection.as_str(), network.as_str());
        let doomed_catalog = app.pending_catalog(owner, place, "doomed lake").await;
        let path = format!("/infra/connections/{connection}/catalogs/{doomed_catalog}/provision");
        app.settle(owner, &owner.act(&path).await.expect(202).text("id"), &success()).await;
        let underway = app.pending_network(owner, &connection, "under way").await;
        let path = format!("/infra/connections/{connection}/networks/{underway}/provision");
        let operation = owner.act(&path).await.expect(202).text("id");
        Self {
            spare_connection: app.connection(owner, "spare").await,
            synced_connection: app.connection(owner, "synced").await,
            pending_network: app.pending_network(owner, &connection, "pending").await,
            empty_network: app.network(owner, &connection, "empty").await,
            spare_network: app.pending_network(owner, &connection, "spare").await,
            cluster: app.provisioned_cluster(owner, place, "provisioned").await,
            pending_cluster: app.pending_cluster(owner, place, "pending").await,
            doomed_cluster: app.provisioned_cluster(owner, place, "doomed").await,
            spare_cluster: app.pending_cluster(owner, place, "spare").await,
            catalog: app.pending_catalog(owner, place, "lake").await,
            pending_catalog: app.pending_catalog(owner, place, "pending lake").await,
            spare_catalog: app.pending_catalog(owner, place, "spare lake").await,
            doomed_catalog,
            operation,
            network,
            connection,
        }
    }
}
