//! An organization with an account, and who does the steps of its operations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mainsheet_auth::sealed::{Context, Sealer};
use mainsheet_core::cluster::AgentPulse;
use mainsheet_core::connection::{CloudProvider, Connection, ConnectionStatus, EXTERNAL_ID_FIELD, RoleArn};
use mainsheet_core::network::{Network, NetworkConfig};
use mainsheet_core::operation::{Operation, OperationKind, OperationStatus, ResourceRef};
use mainsheet_core::provisioned_catalog::{ProvisionedCatalog, ProvisionedCatalogConfig};
use mainsheet_core::provisioned_cluster::{ClusterConfig, ProvisionedCluster};
use mainsheet_core::provisioning::{Provisioned, Provisioning, ProvisioningStatus};
use mainsheet_core::time::ManualClock;
use mainsheet_core::{CatalogId, ClusterId, ConnectionId, MemberId, NetworkId, OrganizationId, Timestamp};
use mainsheet_provisioner::{AgentSettings, Images, Provisioner};
use mainsheet_simulator::CloudSimulator;
use mainsheet_store::audit::Audit;
use mainsheet_store::organizations::founding_tenant;
use mainsheet_store::provisioned::ProvisionedEntity;
use mainsheet_store::{Row, Store, Tenant};
use mainsheet_workflow::{Execution, Step, StepOutcome};
use secrecy::SecretString;
use serde_json::json;

use super::faults::{Fault, Faulty};
use super::table::{LostWrite, TestTable};

const REGION: &str = "eu-central-1";
const ROLE: &str = "arn:aws:iam::123456789012:role/mainsheet";
/// What the account's role demands.
pub(crate) const EXTERNAL_ID: &str = "6f8d1e1c-8a43-4d53-8f4e-3c1f0c0a9c11";
/// How much faster time passes in the cloud.
const CLOUD_PACE: u32 = 6;
/// More steps than any operation takes.
const MOST_STEPS: usize = 3_000;

/// An organization with an account.
pub(crate) struct World<'t> {
    table: &'t TestTable,
    store: Store,
    clock: ManualClock,
    cloud_clock: ManualClock,
    pub(crate) faulty: Faulty,
    cloud: CloudSimulator,
    tenant: Tenant,
    connection: ConnectionId,
    by: MemberId,
    provisioner: Provisioner,
}

/// What befalls whoever does the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// A call into the account.
    Call(usize, Fault),
    /// A write to the table is refused, or has its effect and is not answered: what is left when the process dies there.
    Write(usize, LostWrite),
    /// A step is asked a second time after its answer.
    Repeated(usize),
    /// Somebody asks for cancellation before a step.
    Cancelled(usize),
}

/// What an operation took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Effort {
    pub(crate) steps: usize,
    pub(crate) calls: usize,
    pub(crate) writes: usize,
}

impl<'t> World<'t> {
    pub(crate) async fn new(table: &'t TestTable, external_id: &str) -> Self {
        let start = "2026-11-21T08:30:00.000Z".parse().unwrap();
        let (clock, cloud_clock) = (ManualClock::new(start), ManualClock::new(start));
        let (store, now) = (table.store(clock.clock()), clock.clock().now());
        let tenant = founding_tenant(&OrganizationId::generate(now));
        let sealer =
            Arc::new(Sealer::derive(&SecretString::from("a secret of tests, and of no use elsewhere")).unwrap());
        let cloud = CloudSimulator::new(cloud_clock.clock());
        let faulty = Faulty::new(Arc::new(cloud.clone()));
        let images = Images { agent: "agent:1".to_owned(), runtime: "runtime:1".to_owned() };
        let agent = AgentSettings { api_url: "https://mainsheet.example/api/v1".to_owned(), images };
        let provisioner = Provisioner::new(store.clone(), Arc::new(faulty.clone()), Arc::clone(&sealer), agent);
        let (by, id) = (MemberId::generate(now), ConnectionId::generate(now));
        let context = Context::organization(tenant.organization_id(), EXTERNAL_ID_FIELD);
        let role: RoleArn = ROLE.parse().unwrap();
        let stack = cloud.trust(&role, &REGION.parse().unwrap(), &id, EXTERNAL_ID).unwrap();
        let connection = Connection {
            id: id.clone(),
            name: "main".to_owned(),
            provider: CloudProvider::Aws,
            account_id: Some("123456789012".parse().unwrap()),
            region: REGION.parse().unwrap(),
            role_arn: Some(role),
            stack_arn: Some(stack),
            external_id: sealer.seal(&context, &SecretString::from(external_id)).unwrap(),
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
        let audit = Audit::of_platform(&tenant, "test.connect", &id);
        store.change(audit).create_connection(&tenant, &connection).commit().await.unwrap();
        Self { table, store, clock, cloud_clock, faulty, cloud, tenant, connection: id, by, provisioner }
    }

    fn store(&self) -> &Store {
        &self.store
    }

    fn now(&self) -> Timestamp {
        self.clock.clock().now()
    }

    /// Time passes, faster in the cloud: a look that finds nothing new is like any other.
    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.cloud_clock.advance(time * CLOUD_PACE);
    }

    /// Nothing goes wrong from now on.
    pub(crate) fn heal(&self) {
        self.faulty.inject([]);
        self.table.lose(BTreeMap::new());
    }

    /// Something that an operation of this kind can be started on.
    pub(crate) async fn ready_for(&self, kind: OperationKind) -> ResourceRef {
        if kind == OperationKind::ConnectionSyncTemplate {
            return ResourceRef::Connection(self.connection.clone());
        }
        let network = self.network().await;
        if kind == OperationKind::NetworkProvision {
            return network.reference();
        }
        self.achieve(OperationKind::NetworkProvision, &network.reference()).await;
        match kind {
            OperationKind::ClusterProvision => self.cluster(&network.id).await.reference(),
            OperationKind::CatalogProvision => self.catalog(&network.id).await.reference(),
            OperationKind::ClusterUpdate | OperationKind::ClusterDestroy => {
                let cluster = self.cluster(&network.id).await.reference();
                self.achieve(OperationKind::ClusterProvision, &cluster).await;
                cluster
            }
            OperationKind::CatalogDestroy => {
                let catalog = self.catalog(&network.id).await.reference();
                self.achieve(OperationKind::CatalogProvision, &catalog).await;
                catalog
            }
            _ => network.reference(),
        }
    }

    async fn achieve(&self, kind: OperationKind, resource: &ResourceRef) {
        let operation = self.start(kind, resource).await;
        self.walk(&operation, &[]).await;
        let ended = self.operation(&operation).await;
        assert_eq!(ended.status, OperationStatus::Succeeded, "{} in preparation: {:?}", kind.as_str(), ended.error);
    }

    /// A network that nothing of is in the account yet.
    pub(crate) async fn network(&self) -> Network {
        let now = self.now();
        let network = Network {
            id: NetworkId::generate(now),
            connection_id: self.connection.clone(),
            name: "main".to_owned(),
            region: REGION.parse().unwrap(),
            config: NetworkConfig { cidr: "10.0.0.0/16".parse().unwrap() },
            provider_network_id: None,
            provisioning: Provisioning::pending(&self.by, now),
        };
        self.create(&network).await;
        network
    }

    /// A cluster that nothing of is in the account yet, in a network that is active.
    pub(crate) async fn cluster(&self, network: &NetworkId) -> ProvisionedCluster {
        let now = self.now();
        let config =
            json!({ "kubernetesVersion": "1.34", "systemNodeGroup": { "minSize": 1, "desiredSize": 2, "maxSize": 3 } });
        let id = ClusterId::generate(now);
        let cluster = ProvisionedCluster {
            name: format!("cluster {id}"),
            id,
            connection_id: self.connection.clone(),
            network_id: network.clone(),
            region: REGION.parse().unwrap(),
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
        let now = self.now();
        let id = CatalogId::generate(now);
        let catalog = ProvisionedCatalog {
            name: format!("catalog {id}"),
            id,
            connection_id: self.connection.clone(),
            network_id: network.clone(),
            region: REGION.parse().unwrap(),
            config: ProvisionedCatalogConfig::default(),
            team_ids: Vec::new(),
            provisioning: Provisioning::pending(&self.by, now),
        };
        self.create(&catalog).await;
        catalog
    }

    async fn create<T: ProvisionedEntity>(&self, value: &T) {
        let change = self.store().change(self.audit("test.create"));
        change.create_provisioned(&self.tenant, value).commit().await.unwrap();
    }

    fn audit(&self, action: &'static str) -> Audit {
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
        let row: Row<T> = self.store().provisioned(&self.tenant, id).await.unwrap();
        let now = self.now();
        let mut after = row.value.clone();
        let operation = Operation::new(kind, after.reference(), &self.connection, &self.by, now);
        after.provisioning_mut().begin(kind.event().unwrap(), &operation.id, &self.by, now).unwrap();
        aim(&mut after);
        let change = self.store().change(self.audit("test.start"));
        change.start_operation(&self.tenant, &row, &after, &operation).commit().await.unwrap();
        operation
    }

    async fn start_sync(&self, kind: OperationKind) -> Operation {
        let row = self.store().connection(&self.tenant, &self.connection).await.unwrap();
        let now = self.now();
        let mut after = row.value.clone();
        let operation =
            Operation::new(kind, ResourceRef::Connection(self.connection.clone()), &self.connection, &self.by, now);
        after.begin(&operation.id, &self.by, now).unwrap();
        let change = self.store().change(self.audit("test.start"));
        change.start_connection_operation(&self.tenant, &row, &after, &operation).commit().await.unwrap();
        operation
    }

    async fn cancel(&self, operation: &Operation) {
        let row = self.store().operation(&self.tenant, &operation.id).await.unwrap();
        let mut after = row.value.clone();
        if after.request_cancellation(self.now()).is_ok() {
            let change = self.store().change(self.audit("test.cancel"));
            change.request_cancellation(&row, &after).commit().await.unwrap();
        }
    }

    /// Walks through an operation's workflow to its end, whatever happens on the way, and answers what that took.
    pub(crate) async fn walk(&self, operation: &Operation, mishaps: &[Mishap]) -> Effort {
        self.faulty.inject(mishaps.iter().filter_map(|mishap| match mishap {
            Mishap::Call(at, fault) => Some((*at, *fault)),
            _ => None,
        }));
        let lost = mishaps.iter().filter_map(|mishap| match mishap {
            Mishap::Write(at, lost) => Some((*at, *lost)),
            _ => None,
        });
        self.table.lose(lost.collect());
        let organization = self.tenant.organization_id().clone();
        let mut execution = Some(Execution::begin(operation.kind, organization, operation.id.clone(), self.now()));
        let (mut steps, mut writes) = (0, 0);
        while let Some(at) = execution {
            self.pass(at.due_at.since(self.now()));
            if mishaps.contains(&Mishap::Cancelled(steps)) {
                self.cancel(operation).await;
            }
            self.beat(operation, at.step).await;
            self.table.count(writes);
            let mut answer = self.ask(&at).await;
            if mishaps.contains(&Mishap::Repeated(steps)) {
                answer = self.ask(&at).await;
            }
            writes = self.table.pause();
            steps += 1;
            assert!(steps < MOST_STEPS, "it hangs at {:?}", at.step);
            execution = match answer {
                Some(answer) => at.advance(&answer, self.now()),
                None => Some(at),
            };
        }
        Effort { steps, calls: self.faulty.calls().len(), writes }
    }

    /// What the provisioner answers; `None` when it is killed.
    async fn ask(&self, execution: &Execution) -> Option<mainsheet_core::Result<StepOutcome>> {
        let request = execution.request();
        tokio::select! {
            answer = self.provisioner.handle(&request) => Some(answer),
            () = self.faulty.killed() => None,
        }
    }

    /// The agent that was installed says that it is there. It does so through the table, like every agent.
    async fn beat(&self, operation: &Operation, step: Step) {
        if let (Step::AwaitAgent, ResourceRef::Cluster(cluster)) = (step, &operation.resource) {
            let pulse = AgentPulse { seen_at: Some(self.now()), ..AgentPulse::default() };
            let _ = self.store().note_pulse(&self.tenant, cluster, &pulse, 0).await;
        }
    }

    /// The status of a network, cluster or catalog.
    pub(crate) async fn status(&self, resource: &ResourceRef) -> ProvisioningStatus {
        let (store, tenant) = (self.store(), &self.tenant);
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

    pub(crate) async fn operation(&self, operation: &Operation) -> Operation {
        self.store().operation(&self.tenant, &operation.id).await.unwrap().value
    }

    /// The names of what the platform made and is in the account.
    pub(crate) fn names(&self) -> Vec<String> {
        self.cloud.made_by_the_platform().into_iter().map(|found| found.name).collect()
    }

    /// The names of what is written down as perhaps being in the account on behalf of a resource.
    pub(crate) async fn intended(&self, resource: &ResourceRef) -> Vec<String> {
        let intents = self.store().intents(&self.tenant, resource).await.unwrap();
        intents.into_iter().map(|intent| intent.name).collect()
    }
}
