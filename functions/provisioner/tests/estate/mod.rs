//! An organization with a connection, kept in a table: what operations are started on, and what becomes of them.

use mainsheet_auth::sealed::{Context, Sealer};
use mainsheet_core::cluster::AgentPulse;
use mainsheet_core::connection::{CloudProvider, Connection, ConnectionStatus, EXTERNAL_ID_FIELD, RoleArn};
use mainsheet_core::network::{Network, NetworkConfig};
use mainsheet_core::operation::{Operation, OperationKind, ResourceRef};
use mainsheet_core::provisioned_catalog::{ProvisionedCatalog, ProvisionedCatalogConfig};
use mainsheet_core::provisioned_cluster::{ClusterConfig, ProvisionedCluster};
use mainsheet_core::provisioning::{Provisioning, ProvisioningStatus};
use mainsheet_core::region::Region;
use mainsheet_core::{CatalogId, ClusterId, ConnectionId, MemberId, NetworkId, OrganizationId};
use mainsheet_store::audit::Audit;
use mainsheet_store::organizations::founding_tenant;
use mainsheet_store::provisioned::ProvisionedEntity;
use mainsheet_store::{Row, Store, Tenant};
use secrecy::SecretString;
use serde_json::json;

/// An organization with a connection.
pub(crate) struct Estate {
    pub(crate) store: Store,
    pub(crate) tenant: Tenant,
    pub(crate) connection: ConnectionId,
    region: Region,
    by: MemberId,
}

/// What a connection knows of the account.
pub(crate) struct Account<'a> {
    pub(crate) region: &'a str,
    pub(crate) role: RoleArn,
    /// The stack that made the role.
    pub(crate) stack: String,
    /// What the platform says when it enters.
    pub(crate) external_id: &'a str,
}

impl Estate {
    /// An organization that connected an account as `connection`.
    pub(crate) async fn connect(store: Store, sealer: &Sealer, connection: ConnectionId, account: Account<'_>) -> Self {
        let now = store.now();
        let tenant = founding_tenant(&OrganizationId::generate(now));
        let (by, region): (_, Region) = (MemberId::generate(now), account.region.parse().unwrap());
        let context = Context::organization(tenant.organization_id(), EXTERNAL_ID_FIELD);
        let connected = Connection {
            id: connection.clone(),
            name: "main".to_owned(),
            provider: CloudProvider::Aws,
            account_id: Some(account.role.account_id()),
            region: region.clone(),
            role_arn: Some(account.role),
            stack_arn: Some(account.stack),
            boundary_name: None,
            external_id: sealer.seal(&context, &SecretString::from(account.external_id)).unwrap(),
            status: ConnectionStatus::Active,
            status_message: None,
            live_operation: None,
            latest_operation: None,
            template_synced_at: None,
            template_sync_message: None,
            created_at: now,
            created_by: by.clone(),
            updated_at: now,
            updated_by: by.clone(),
        };
        let audit = Audit::of_platform(&tenant, "test.connect", &connection);
        store.change(audit).create_connection(&tenant, &connected).commit().await.unwrap();
        Self { store, tenant, connection, region, by }
    }

    /// The agent that was installed in a cluster says that it is there, as every agent does: through the table.
    pub(crate) async fn beat(&self, cluster: &ClusterId) {
        let pulse = AgentPulse { seen_at: Some(self.store.now()), ..AgentPulse::default() };
        // Nothing hears of agents of clusters that have none yet.
        let _ = self.store.note_pulse(&self.tenant, cluster, &pulse, 0).await;
    }

    /// A network that nothing of is in the account yet.
    pub(crate) async fn network(&self) -> Network {
        let now = self.store.now();
        let network = Network {
            id: NetworkId::generate(now),
            connection_id: self.connection.clone(),
            name: "main".to_owned(),
            region: self.region.clone(),
            config: NetworkConfig { cidr: "10.0.0.0/16".parse().unwrap() },
            provider_network_id: None,
            provisioning: Provisioning::pending(&self.by, now),
        };
        self.create(&network).await;
        network
    }

    /// A cluster that nothing of is in the account yet, in a network that is active. Its nodes are to be such machines.
    pub(crate) async fn cluster(&self, network: &NetworkId, machine: &str) -> ProvisionedCluster {
        let now = self.store.now();
        let nodes = json!({ "minSize": 1, "desiredSize": 2, "maxSize": 3, "instanceTypes": [machine] });
        let config = json!({ "kubernetesVersion": "1.34", "systemNodeGroup": nodes });
        let id = ClusterId::generate(now);
        let cluster = ProvisionedCluster {
            name: format!("cluster {id}"),
            id,
            connection_id: self.connection.clone(),
            network_id: network.clone(),
            region: self.region.clone(),
            config: serde_json::from_value(config).unwrap(),
            target: None,
            provider: None,
            job_runner_role_arn: None,
            health: None,
            provisioning: Provisioning::pending(&self.by, now),
        };
        self.create(&cluster).await;
        cluster
    }

    /// A catalog that nothing of is in the account yet, in a network that is active.
    pub(crate) async fn catalog(&self, network: &NetworkId) -> ProvisionedCatalog {
        let now = self.store.now();
        let id = CatalogId::generate(now);
        let catalog = ProvisionedCatalog {
            name: format!("catalog {id}"),
            id,
            connection_id: self.connection.clone(),
            network_id: network.clone(),
            region: self.region.clone(),
            config: ProvisionedCatalogConfig::default(),
            team_ids: Vec::new(),
            provisioning: Provisioning::pending(&self.by, now),
        };
        self.create(&catalog).await;
        catalog
    }

    async fn create<T: ProvisionedEntity>(&self, value: &T) {
        let change = self.store.change(self.audit("test.create"));
        change.create_provisioned(&self.tenant, value).commit().await.unwrap();
    }

    /// By whom the test does something.
    pub(crate) fn audit(&self, action: &'static str) -> Audit {
        Audit::of_platform(&self.tenant, action, &"test")
    }

    /// Somebody starts an operation. An update aims at another version and size.
    pub(crate) async fn start(&self, kind: OperationKind, resource: &ResourceRef) -> Operation {
        match resource {
            ResourceRef::Network(id) => self.start_on::<Network>(kind, id, |_| {}).await,
            ResourceRef::Catalog(id) => self.start_on::<ProvisionedCatalog>(kind, id, |_| {}).await,
            ResourceRef::Cluster(id) => {
                let aim = |cluster: &mut ProvisionedCluster| {
                    if kind == OperationKind::ClusterUpdate {
                        let mut target: ClusterConfig = cluster.config.clone();
                        target.kubernetes_version = "1.35".parse().unwrap();
                        target.system_node_group.desired_size = 3;
                        cluster.target = Some(target);
                    }
                };
                self.start_on::<ProvisionedCluster>(kind, id, aim).await
            }
            ResourceRef::Connection(_) => self.start_sync(kind).await,
        }
    }

    async fn start_on<T: ProvisionedEntity>(&self, kind: OperationKind, id: &T::Id, aim: impl Fn(&mut T)) -> Operation {
        let row: Row<T> = self.store.provisioned(&self.tenant, id).await.unwrap();
        let now = self.store.now();
        let mut after = row.value.clone();
        let operation = Operation::new(kind, after.reference(), &self.connection, &self.by, now);
        after.provisioning_mut().begin(kind.event().unwrap(), &operation.id, &self.by, now).unwrap();
        aim(&mut after);
        let change = self.store.change(self.audit("test.start"));
        change.start_operation(&self.tenant, &row, &after, &operation).commit().await.unwrap();
        operation
    }

    async fn start_sync(&self, kind: OperationKind) -> Operation {
        let row = self.store.connection(&self.tenant, &self.connection).await.unwrap();
        let now = self.store.now();
        let mut after = row.value.clone();
        let operation =
            Operation::new(kind, ResourceRef::Connection(self.connection.clone()), &self.connection, &self.by, now);
        after.begin(&operation.id, &self.by, now).unwrap();
        let change = self.store.change(self.audit("test.start"));
        change.start_connection_operation(&self.tenant, &row, &after, &operation).commit().await.unwrap();
        operation
    }

    /// Somebody asks for an operation's cancellation.
    pub(crate) async fn cancel(&self, operation: &Operation) {
        let row = self.store.operation(&self.tenant, &operation.id).await.unwrap();
        let mut after = row.value.clone();
        if after.request_cancellation(self.store.now()).is_ok() {
            let change = self.store.change(self.audit("test.cancel"));
            change.request_cancellation(&row, &after).commit().await.unwrap();
        }
    }

    /// The status of a network, cluster or catalog.
    pub(crate) async fn status(&self, resource: &ResourceRef) -> ProvisioningStatus {
        let (store, tenant) = (&self.store, &self.tenant);
        match resource {
            ResourceRef::Network(id) => {
                store.provisioned::<Network>(tenant, id).await.unwrap().value.provisioning.status
            }
            ResourceRef::Cluster(id) => {
                store.provisioned::<ProvisionedCluster>(tenant, id).await.unwrap().value.provisioning.status
            }
            ResourceRef::Catalog(id) => {
                store.provisioned::<ProvisionedCatalog>(tenant, id).await.unwrap().value.provisioning.status
            }
            ResourceRef::Connection(_) => ProvisioningStatus::Active,
        }
    }

    /// An operation as it stands now.
    pub(crate) async fn operation(&self, operation: &Operation) -> Operation {
        self.store.operation(&self.tenant, &operation.id).await.unwrap().value
    }

    /// The names of what is written down as perhaps being in the account on behalf of a resource.
    pub(crate) async fn intended(&self, resource: &ResourceRef) -> Vec<String> {
        let intents = self.store.intents(&self.tenant, resource).await.unwrap();
        intents.into_iter().map(|intent| intent.name).collect()
    }
}
