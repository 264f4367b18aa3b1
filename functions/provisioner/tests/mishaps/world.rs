//! An organization with an account, and who does the steps of its operations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mainsheet_auth::sealed::Sealer;
use mainsheet_cloud::account::{Template, boundary_name};
use mainsheet_core::connection::{Connection, RoleArn};
use mainsheet_core::operation::{FailureCode, Operation, OperationKind, OperationStatus, ResourceRef};
use mainsheet_core::provisioning::Provisioned;
use mainsheet_core::time::ManualClock;
use mainsheet_core::{ConnectionId, Timestamp};
use mainsheet_provisioner::{AgentSettings, Call, Images, Provisioner};
use mainsheet_simulator::CloudSimulator;
use mainsheet_workflow::{Execution, Step, StepOutcome};
use secrecy::SecretString;
use serde_json::Value;

use super::estate::{Account, Estate};
use super::faults::{Fault, Faulty};
use super::table::{LostWrite, TestTable};

const REGION: &str = "eu-central-1";
const ROLE: &str = "arn:aws:iam::123456789012:role/mainsheet-main";
/// What the account's role demands.
pub(crate) const EXTERNAL_ID: &str = "6f8d1e1c-8a43-4d53-8f4e-3c1f0c0a9c11";
/// What a customer calls the boundary who does not call it as it is downloaded.
pub(crate) const CHOSEN_BOUNDARY: &str = "mainsheet-limits-of-ours";
/// What nodes of clusters are.
const MACHINE: &str = "m7g.large";
/// How much faster time passes in the cloud while something may go wrong: each thing is still looked at on its way.
const CLOUD_PACE: u32 = 6;
/// How much faster it passes before and after that: what was begun is there at the next look.
const HURRIED_PACE: u32 = 600;
/// More steps than any operation takes.
const MOST_STEPS: usize = 3_000;

/// An organization with an account.
pub(crate) struct World<'t> {
    table: &'t TestTable,
    clock: ManualClock,
    cloud_clock: ManualClock,
    pub(crate) faulty: Faulty,
    pub(crate) cloud: CloudSimulator,
    pub(crate) estate: Estate,
    pub(crate) provisioner: Provisioner,
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

impl Mishap {
    /// What an operation may give as its reason when this befell it; `None` for what it has to get over.
    pub(crate) fn reason(&self) -> Option<FailureCode> {
        match self {
            Self::Call(_, Fault::Deny) => Some(FailureCode::PermissionMissing),
            Self::Call(_, Fault::Lock) => Some(FailureCode::RoleNotAssumable),
            Self::Cancelled(_) => Some(FailureCode::Cancelled),
            Self::Call(..) | Self::Write(..) | Self::Repeated(_) => None,
        }
    }
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
        let sealer =
            Arc::new(Sealer::derive(&SecretString::from("a secret of tests, and of no use elsewhere")).unwrap());
        let cloud = CloudSimulator::new(cloud_clock.clock());
        let faulty = Faulty::new(Arc::new(cloud.clone()));
        let images = Images { agent: "agent:1".to_owned(), runtime: "runtime:1".to_owned() };
        let agent = AgentSettings { api_url: "https://mainsheet.example/api/v1".to_owned(), images };
        let provisioner = Provisioner::new(store.clone(), Arc::new(faulty.clone()), Arc::clone(&sealer), agent);
        let (role, id): (RoleArn, _) = (ROLE.parse().unwrap(), ConnectionId::generate(now));
        let stack = cloud.trust(&role, &REGION.parse().unwrap(), &id, EXTERNAL_ID).unwrap();
        let account = Account { region: REGION, role, stack, external_id };
        let estate = Estate::connect(store, &sealer, id, account).await;
        Self { table, clock, cloud_clock, faulty, cloud, estate, provisioner }
    }

    /// The customer deploys the connection's template, as `edit` makes it.
    pub(crate) async fn deploy(&self, edit: impl Fn(String) -> String) {
        let id = &self.estate.connection;
        let values = [
            ("IamRoleName", "mainsheet-main".to_owned()),
            ("IamPermissionBoundaryName", boundary_name(id)),
            ("LakeSailAccountID", "000000000000".to_owned()),
            ("LakeSailTenantID", self.estate.tenant.organization_id().to_string()),
            ("LakeSailConnectionID", id.to_string()),
            ("LakeSailConnectionIDLowerCase", id.as_str().to_lowercase()),
            ("LakeSailExternalID", EXTERNAL_ID.to_owned()),
            ("LakeSailPrincipal", "arn:aws:iam::000000000000:role/mainsheet-platform".to_owned()),
        ];
        let template = edit(Template::Connection.filled(&values.into()));
        let boundary = template.contains(CHOSEN_BOUNDARY).then(|| CHOSEN_BOUNDARY.to_owned());
        let (account, region) = ("123456789012".parse().unwrap(), REGION.parse().unwrap());
        let deployed = self.cloud.deploy(&account, &region, &template).unwrap();
        let row = self.estate.store.connection(&self.estate.tenant, id).await.unwrap();
        let after = Connection {
            role_arn: Some(deployed.role_arn),
            stack_arn: Some(deployed.stack_arn),
            boundary_name: boundary,
            ..row.value.clone()
        };
        self.estate
            .store
            .change(self.estate.audit("test.deploy"))
            .replace_connection(&row, &after)
            .commit()
            .await
            .unwrap();
    }

    fn now(&self) -> Timestamp {
        self.clock.clock().now()
    }

    /// Time passes, faster in the cloud: a look that finds nothing new is like any other.
    fn pass(&self, time: Duration, pace: u32) {
        self.clock.advance(time);
        self.cloud_clock.advance(time * pace);
    }

    /// Nothing goes wrong from now on.
    pub(crate) fn heal(&self) {
        self.faulty.inject([]);
        self.table.lose(BTreeMap::new());
    }

    /// Something that an operation of this kind can be started on.
    pub(crate) async fn ready_for(&self, kind: OperationKind) -> ResourceRef {
        if kind == OperationKind::ConnectionSyncTemplate {
            return ResourceRef::Connection(self.estate.connection.clone());
        }
        let network = self.estate.network().await;
        if kind == OperationKind::NetworkProvision {
            return network.reference();
        }
        self.achieve(OperationKind::NetworkProvision, &network.reference()).await;
        match kind {
            OperationKind::ClusterProvision => self.estate.cluster(&network.id, MACHINE).await.reference(),
            OperationKind::CatalogProvision => self.estate.catalog(&network.id).await.reference(),
            OperationKind::ClusterUpdate | OperationKind::ClusterDestroy => {
                let cluster = self.estate.cluster(&network.id, MACHINE).await.reference();
                self.achieve(OperationKind::ClusterProvision, &cluster).await;
                cluster
            }
            OperationKind::CatalogDestroy => {
                let catalog = self.estate.catalog(&network.id).await.reference();
                self.achieve(OperationKind::CatalogProvision, &catalog).await;
                catalog
            }
            _ => network.reference(),
        }
    }

    /// Does an operation with which nothing goes wrong.
    pub(crate) async fn achieve(&self, kind: OperationKind, resource: &ResourceRef) {
        let operation = self.estate.start(kind, resource).await;
        self.walk_at(HURRIED_PACE, &operation, &[]).await;
        let ended = self.estate.operation(&operation).await;
        assert_eq!(ended.status, OperationStatus::Succeeded, "{}: {:?}", kind.as_str(), ended.error);
    }

    /// Walks through an operation's workflow to its end, whatever happens on the way, and answers what that took.
    pub(crate) async fn walk(&self, operation: &Operation, mishaps: &[Mishap]) -> Effort {
        self.walk_at(CLOUD_PACE, operation, mishaps).await
    }

    async fn walk_at(&self, pace: u32, operation: &Operation, mishaps: &[Mishap]) -> Effort {
        self.faulty.inject(mishaps.iter().filter_map(|mishap| match mishap {
            Mishap::Call(at, fault) => Some((*at, *fault)),
            _ => None,
        }));
        let lost = mishaps.iter().filter_map(|mishap| match mishap {
            Mishap::Write(at, lost) => Some((*at, *lost)),
            _ => None,
        });
        self.table.lose(lost.collect());
        let organization = self.estate.tenant.organization_id().clone();
        let mut execution = Some(Execution::begin(operation.kind, organization, operation.id.clone(), self.now()));
        let (mut steps, mut writes) = (0, 0);
        while let Some(at) = execution {
            self.pass(at.due_at.since(self.now()), pace);
            if mishaps.contains(&Mishap::Cancelled(steps)) {
                self.estate.cancel(operation).await;
            }
            self.beat(operation, at.step).await;
            self.table.count(writes, self.now());
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

    /// Calls the function as AWS does.
    pub(crate) async fn call(&self, event: Value) -> StepOutcome {
        let call: Call = serde_json::from_value(event).unwrap();
        self.provisioner.handle(&call.into_step().unwrap()).await.unwrap()
    }

    /// Hours pass in which nothing comes about in the account.
    pub(crate) fn stall(&self, time: Duration) {
        self.pass(time, 0);
    }

    /// A step was not asked for so long because nobody was there to ask.
    pub(crate) async fn excuse(&self, event: Value, absence: Duration) {
        let call: Call = serde_json::from_value(event).unwrap();
        self.provisioner.excuse(&call.into_step().unwrap(), absence).await.unwrap();
    }

    /// Somebody puts something into a bucket.
    pub(crate) fn fill(&self, bucket: &str) {
        self.cloud.fill_bucket(&ROLE.parse::<RoleArn>().unwrap().account_id(), bucket).unwrap();
    }

    /// The agent that was installed says that it is there.
    async fn beat(&self, operation: &Operation, step: Step) {
        if let (Step::AwaitAgent, ResourceRef::Cluster(cluster)) = (step, &operation.resource) {
            self.estate.beat(cluster).await;
        }
    }

    /// The names of what the platform made and is in the account.
    pub(crate) fn names(&self) -> Vec<String> {
        self.cloud.made_by_the_platform().into_iter().map(|found| found.name).collect()
    }
}
