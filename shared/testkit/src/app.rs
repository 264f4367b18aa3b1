//! The control plane in one process, over a table and a clock of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use mainsheet_agents::{AgentsState, Waiting};
use mainsheet_api::{App, BASE, Document, assemble, document};
use mainsheet_auth::keys::{KeyRing, Purpose, SigningKey};
use mainsheet_auth::login_code::LoginCodeKey;
use mainsheet_auth::sealed::Sealer;
use mainsheet_cloud::guarded_http::{GuardedHttp, Reach};
use mainsheet_cloud::queue::{Message, Queue};
use mainsheet_cloud::workflows::WorkflowStart;
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::time::ManualClock;
use mainsheet_core::{TeamId, Timestamp};
use mainsheet_embedded::{Gateway, Stream};
use mainsheet_identity::{IdentityState, SingleSignOn};
use mainsheet_infrastructure::{Cloud, InfrastructureState, LocalRegion};
use mainsheet_notifier::{MailKeys, Notifier};
use mainsheet_organization::OrganizationState;
use mainsheet_simulator::CloudSimulator;
use mainsheet_store::Store;
use mainsheet_store::outbox::OutboxEvent;
use mainsheet_workloads::WorkloadsState;

use crate::client::Client;
use crate::delivery::{Delivered, MemoryQueues, Outbox, StartedWorkflows};
use crate::doors::{Seating, join, leave_all};
use crate::fault::{Fault, Lasting};
use crate::late_index::LATEST;
use crate::mail::{CatchingMailer, CaughtMail};
use crate::person::Person;
use crate::port::Ports;
use crate::proxy::{Pause, Rule, Verdict};
use crate::table::{Dump, Rows, TestTable};

/// The secrets that tests sign with.
const ACCESS_SECRET: &str = "the secret of the tests' access tokens, of no use elsewhere";
const AUDIT_SECRET: &str = "the secret of the tests' audit checkpoints, of no use elsewhere";
const MAIL_LINK_SECRET: &str = "the secret of the tests' mail links, of no use elsewhere";
const SEALING_SECRET: &str = "the secret that seals the tests' secrets, of no use elsewhere";
/// Where links in mails lead.
pub(crate) const PUBLIC_URL: &str = "https://mainsheet.example";
/// Where browsers may be sent after single sign-on.
pub const REDIRECT_URI: &str = "https://app.example/welcome";
/// Who the platform is to customers' accounts.
const PRINCIPAL: &str = "arn:aws:iam::210987654321:root";
/// Where CloudFormation finds the connection's template.
const TEMPLATE_URL: &str = "https://templates.example/connection.yaml";
/// When every test begins.
const BEGINNING: &str = "2026-11-21T08:30:00.000Z";

/// A control plane at one moment.
pub struct Snapshot {
    folder: tempfile::TempDir,
    stream: Stream,
    mails: usize,
    workflows: usize,
}

/// The control plane. Dropping it while events or messages wait fails the test: call [`TestApp::deliver`] first.
pub struct TestApp {
    router: Router,
    document: Document,
    paths: BTreeMap<&'static str, Vec<String>>,
    table: TestTable,
    store: Store,
    clock: ManualClock,
    mailer: CatchingMailer,
    notifier: Notifier,
    outbox: Outbox,
    ports: Ports,
    queues: MemoryQueues,
    workflows: StartedWorkflows,
    cloud: CloudSimulator,
}

impl TestApp {
    /// A new control plane with an empty table, behind a gateway.
    pub async fn start() -> Self {
        Self::behind(Gateway::AWS, Waiting::Held).await
    }

    /// Like [`TestApp::start`], but the gateway waits for an hour: for tests that send dozens of requests at once, each of which waits
    /// for all others on one machine.
    pub async fn start_patient() -> Self {
        Self::behind(Gateway { patience: Duration::from_secs(3600), ..Gateway::AWS }, Waiting::Held).await
    }

    /// Like [`TestApp::start`], but whatever an agent asks for, it is answered at once.
    pub(crate) async fn start_prompt() -> Self {
        Self::behind(Gateway::AWS, Waiting::Polled).await
    }

    async fn behind(gateway: Gateway, waiting: Waiting) -> Self {
        let mut app = Self::with(TestTable::start().await, waiting).await;
        app.router = gateway.before(std::mem::take(&mut app.router));
        app
    }

    /// A new control plane that speaks to its table directly: for measuring time.
    pub async fn start_without_proxy() -> Self {
        Self::over(TestTable::start_without_proxy().await).await
    }

    /// A new control plane whose table is in a file, as the embedded platform's is: for measuring time with large tables. In memory
    /// SQLite looks through a part of its index of pages, which grows with the table, whenever a commit follows a split of a page.
    pub async fn start_in_file() -> Self {
        Self::over(TestTable::start_in_file().await).await
    }

    /// A new control plane whose agents are answered at once, as functions do.
    pub async fn start_polled() -> Self {
        Self::with(TestTable::start_without_proxy().await, Waiting::Polled).await
    }

    async fn over(table: TestTable) -> Self {
        Self::with(table, Waiting::Held).await
    }

    async fn with(table: TestTable, waiting: Waiting) -> Self {
        let clock = ManualClock::new(BEGINNING.parse().unwrap());
        let store = table.store(clock.clock());
        let access_key = published_key(&store, ACCESS_SECRET, Purpose::Access).await;
        let mail_key = published_key(&store, MAIL_LINK_SECRET, Purpose::MailLink).await;
        let audit_key = published_key(&store, AUDIT_SECRET, Purpose::Audit).await;
        let app = App::new(store.clone());
        app.warm().await.unwrap();
        let cloud = CloudSimulator::new(clock.clock());
        let routers = routers(&app, access_key, Arc::clone(&mail_key), audit_key, (waiting, cloud.clone()));
        let router = assemble(&clock.clock(), routers);
        let documents = documents();
        let paths = documents.iter().map(|(name, document)| (*name, paths_of(document))).collect();
        let document = document(documents.into_values());
        let outbox = Outbox::of(table.stream());
        let ports = Ports::default();
        let mailer = CatchingMailer::behind(&ports);
        let keys = MailKeys { links: mail_key, codes: Arc::new(login_code_key()) };
        let notifier = Notifier::new(Arc::new(mailer.clone()), keys, clock.clock(), PUBLIC_URL.to_owned()).unwrap();
        let _ = table.take_operations();
        let (queues, workflows) = (MemoryQueues::behind(&ports), StartedWorkflows::behind(&ports));
        Self { router, document, paths, table, store, clock, mailer, notifier, outbox, ports, queues, workflows, cloud }
    }

    /// The OpenAPI document of all routers.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The paths that each function answers, by the function's name.
    #[must_use]
    pub fn paths_of_functions(&self) -> &BTreeMap<&'static str, Vec<String>> {
        &self.paths
    }

    /// The document as it is checked in: pretty, in a stable order.
    #[must_use]
    pub fn openapi_json(&self) -> String {
        let document = serde_json::to_value(&self.document).unwrap();
        format!("{}\n", serde_json::to_string_pretty(&document).unwrap())
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &TestTable {
        &self.table
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The store, past the proxy: for measuring time.
    #[must_use]
    pub fn direct_store(&self) -> Store {
        self.table.direct_store(self.clock.clock())
    }

    /// All that is in the table.
    #[must_use]
    pub fn dump(&self) -> Dump {
        self.table.dump()
    }

    /// The table's rows as they are now, to see later what has changed. No event may wait.
    #[must_use]
    pub fn rows(&self) -> Rows {
        self.table.rows(self.outbox.stream())
    }

    /// Decides from now on what becomes of each round trip to the table. Until [`TestApp::heal`] it does not shake.
    pub fn set_rule(&self, rule: Rule) {
        self.table.set_rule(rule);
    }

    /// From now on the calls of an operation of the table are counted from 0, and the one at `index` waits until the pause ends.
    #[must_use]
    pub fn hold_call(&self, operation: &'static str, index: usize) -> Pause {
        let (pause, calls) = (Pause::default(), AtomicUsize::new(0));
        let held_back = pause.clone();
        self.set_rule(Arc::new(move |call| {
            let is_it = call.operation == operation && calls.fetch_add(1, Ordering::SeqCst) == index;
            if is_it { Verdict::Hold(held_back.clone()) } else { Verdict::Forward }
        }));
        pause
    }

    /// Customers' accounts.
    #[must_use]
    pub fn cloud(&self) -> &CloudSimulator {
        &self.cloud
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// Moves the clock ahead. Nothing else moves it.
    pub fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
        if duration >= LATEST {
            self.table.catch_up();
        }
    }

    /// From now on the table does not shake: for tests that count its calls or have faults of their own.
    #[must_use]
    pub fn steady(self) -> Self {
        self.table.hold();
        self
    }

    /// Somebody who is not signed in.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client::new(self.router.clone())
    }

    /// What was mailed so far, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<CaughtMail> {
        self.mailer.caught()
    }

    /// What an operation costs the table when it does not shake: its result, and the round trips it took.
    pub async fn measure<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        self.table.hold();
        let _ = self.table.take_operations();
        let result = work.await;
        let round_trips = self.table.take_operations();
        self.table.let_go();
        (result, round_trips)
    }

    /// The workflows that events started, oldest first.
    #[must_use]
    pub fn started_workflows(&self) -> Vec<WorkflowStart> {
        self.workflows.all()
    }

    /// Everything that waits happens: events are carried to queues and handled there, with all that follows from it.
    /// Queues deliver at least once, so each message is handled twice.
    pub async fn deliver(&self) {
        loop {
            while let Some(event) = self.outbox.take() {
                mainsheet_relay::carry(&self.queues, &self.workflows, &event).await.unwrap();
            }
            let Some((queue, message)) = self.queues.receive() else { return };
            let event: OutboxEvent = serde_json::from_str(&message.body).unwrap();
            assert_eq!(event.id.to_string(), message.id);
            for _ in 0..2 {
                self.try_to_handle(queue, &event).await.unwrap();
            }
        }
    }

    /// The relay gives up the events that wait. Answers what AWS Lambda sets aside in their place, as far as anybody reads it.
    #[must_use]
    pub fn give_up(&self) -> String {
        let given_up: Vec<OutboxEvent> = std::iter::from_fn(|| self.outbox.take()).collect();
        // To the second, as the stream tells it.
        let arrival = |event: &OutboxEvent| Timestamp::from_millisecond(event.at.as_second() * 1000).to_jiff();
        let batch = serde_json::json!({
            "approximateArrivalOfFirstRecord": given_up.first().map(|event| arrival(event).to_string()),
            "approximateArrivalOfLastRecord": given_up.last().map(|event| arrival(event).to_string()),
            "batchSize": given_up.len(),
        });
        serde_json::json!({ "version": "1.0", "DDBStreamBatchInfo": batch }).to_string()
    }

    /// The relay is handed what was set aside. What it carries waits for [`TestApp::deliver`].
    ///
    /// # Errors
    /// Its own.
    pub async fn carry_again(&self, message: &str) -> mainsheet_core::Result<()> {
        mainsheet_relay::carry_again(&self.store, &self.queues, &self.workflows, message).await
    }

    /// Like [`TestApp::deliver`], for times when handling goes wrong: what fails is delivered again, up to a few times. Answers how
    /// many failed.
    pub async fn deliver_through_faults(&self) -> usize {
        self.deliver_in_order(&mut Delivered::default()).await
    }

    /// Like [`TestApp::deliver_through_faults`], and notes what was delivered.
    pub async fn deliver_in_order(&self, delivered: &mut Delivered) -> usize {
        let mut failures = 0;
        while let Some((queue, message)) = self.next_message(MemoryQueues::receive).await {
            failures += self.deliver_once(queue, &message, failures).await;
            delivered.0.push((queue, message));
        }
        failures
    }

    /// The oldest message alone is handled, and what else waits goes on waiting.
    pub async fn deliver_one(&self) {
        let (queue, message) = self.next_message(MemoryQueues::receive).await.expect("a message that waits");
        let _ = self.deliver_once(queue, &message, 0).await;
    }

    /// Like [`TestApp::deliver_through_faults`], as badly as queues may: the newest first, each twice, and then all that was ever
    /// delivered once more.
    pub async fn deliver_in_disorder(&self, delivered: &mut Delivered) -> usize {
        let mut failures = 0;
        let mut again = 0..delivered.0.len();
        loop {
            while let Some((queue, message)) = self.next_message(MemoryQueues::receive_newest).await {
                for _ in 0..2 {
                    failures += self.deliver_once(queue, &message, failures).await;
                }
                delivered.0.push((queue, message));
                again = 0..delivered.0.len();
            }
            let Some((queue, message)) = again.next().map(|index| delivered.0[index].clone()) else { return failures };
            failures += self.deliver_once(queue, &message, failures).await;
        }
    }

    /// What is carried to the queues, and one message of them.
    async fn next_message(
        &self,
        receive: impl Fn(&MemoryQueues) -> Option<(Queue, Message)>,
    ) -> Option<(Queue, Message)> {
        while let Some(event) = self.outbox.take() {
            self.carry_once(&event).await;
        }
        receive(&self.queues)
    }

    /// Carries an event until that goes well.
    async fn carry_once(&self, event: &OutboxEvent) {
        let mut failures = 0;
        while let Err(error) = mainsheet_relay::carry(&self.queues, &self.workflows, event).await {
            failures += 1;
            assert!(failures < 20, "{event:?} cannot be carried: {error}");
        }
    }

    /// Handles a message until that goes well, and answers how often it did not.
    async fn deliver_once(&self, queue: Queue, message: &Message, failed_before: usize) -> usize {
        let event: OutboxEvent = serde_json::from_str(&message.body).unwrap();
        let mut failures = 0;
        while let Err(error) = self.try_to_handle(queue, &event).await {
            failures += 1;
            assert!(failed_before + failures < 20, "{event:?} cannot be handled: {error}");
        }
        failures
    }

    async fn try_to_handle(&self, queue: Queue, event: &OutboxEvent) -> mainsheet_core::Result<()> {
        match queue {
            Queue::Mail => self.notifier.handle(event.clone()).await,
            Queue::Runs => Box::pin(mainsheet_dispatcher::handle(&self.store, event)).await,
        }
    }

    /// Everything as it is now, to come back to. Nothing may wait.
    pub fn snapshot(&self) -> Snapshot {
        assert!(self.queues.is_empty(), "messages wait");
        let folder = tempfile::tempdir().unwrap();
        self.table.save(&folder.path().join("table"));
        let (mails, workflows) = (self.mailer.caught().len(), self.workflows.all().len());
        Snapshot { folder, stream: self.outbox.stream(), mails, workflows }
    }

    /// Goes back to what there was at a moment; the clock does not, nor do customers' accounts.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.queues.clear();
        self.mailer.truncate(snapshot.mails);
        self.workflows.truncate(snapshot.workflows);
        self.table.load(&snapshot.folder.path().join("table"));
        self.outbox.go_to(snapshot.stream.clone());
    }

    /// From now on the table's calls are counted from 0, and the one at `index` goes wrong.
    pub fn fault(&self, index: usize, fault: Fault, lasting: Lasting) {
        let _ = self.table.take_operations();
        self.table.set_rule(crate::fault::at(index, fault, lasting));
    }

    /// How often workers called a queue, a workflow or the mailer since the last call of this.
    #[must_use]
    pub fn take_port_calls(&self) -> usize {
        self.ports.take_calls()
    }

    /// From now on those calls are counted from 0, and the one at `index` goes wrong, once.
    pub fn fault_of_port(&self, index: usize, fault: Fault) {
        self.ports.fault(index, fault);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.table.heal();
        self.ports.heal();
    }

    /// The scheduler's tick, and what follows from it. Where the index was late, it ticks once more when the index shows everything.
    pub async fn tick(&self) -> mainsheet_scheduler::Ticked {
        let tick = || mainsheet_scheduler::tick(&self.store, mainsheet_scheduler::INTERVAL);
        let mut ticked = tick().await.unwrap();
        if self.table.catch_up() {
            ticked += tick().await.unwrap();
        }
        self.deliver().await;
        ticked
    }

    /// A person who signed up with an organization of their own, verified their address and signed in.
    pub async fn sign_up(&self, email: &str) -> Person {
        Person::sign_up(self, email).await
    }

    /// A person who signed up and was made a member of somebody else's organization, with nothing else to their name.
    pub async fn member(
        &self,
        email: &str,
        organization: &str,
        roles: &[OrganizationRole],
        seats: &[(&str, TeamRole)],
    ) -> Person {
        let person = self.sign_up(email).await;
        leave_all(&self.store, &person.user_id()).await;
        self.join(&person, organization, roles, seats).await;
        Person { organization_id: organization.to_owned(), team_id: String::new(), ..person }
    }

    /// Makes a person a member of one more organization.
    pub async fn join(
        &self,
        person: &Person,
        organization: &str,
        roles: &[OrganizationRole],
        seats: &[(&str, TeamRole)],
    ) {
        let seats = seats.iter().map(|(team, role)| (team.parse::<TeamId>().unwrap(), vec![*role])).collect();
        let seating = Seating { organization: organization.parse().unwrap(), roles: roles.to_vec(), seats };
        join(&self.store, &person.user_id(), seating).await;
    }
}

fn login_code_key() -> LoginCodeKey {
    LoginCodeKey::derive(&MAIL_LINK_SECRET.into()).unwrap()
}

async fn published_key(store: &Store, secret: &str, purpose: Purpose) -> Arc<SigningKey> {
    let key = SigningKey::derive(&secret.into(), purpose).unwrap();
    key.publish(store).await.unwrap();
    Arc::new(key)
}

/// The routers of all functions that answer requests. A new one's is added here, and to [`documents`].
fn routers(
    app: &App,
    access_key: Arc<SigningKey>,
    mail_key: Arc<SigningKey>,
    audit_key: Arc<SigningKey>,
    (waiting, cloud): (Waiting, CloudSimulator),
) -> [Router; 5] {
    let mail_links = KeyRing::new(app.store.clone(), Purpose::MailLink);
    let organization = OrganizationState::new(app.clone(), mail_key, mail_links.clone(), PUBLIC_URL.to_owned());
    let sealer = Arc::new(Sealer::derive(&SEALING_SECRET.into()).unwrap());
    let workloads = WorkloadsState { app: app.clone(), sealer: Arc::clone(&sealer) };
    let cloud = Cloud {
        accounts: Arc::new(cloud),
        sealer: Arc::clone(&sealer),
        principal_arn: PRINCIPAL.to_owned(),
        template_url: TEMPLATE_URL.to_owned(),
        public_url: PUBLIC_URL.to_owned(),
    };
    let infrastructure = InfrastructureState { app: app.clone(), local_region: LocalRegion::Absent, cloud };
    let agents = AgentsState { app: app.clone(), sealer, waiting };
    let identity = IdentityState::new(app.clone(), access_key, mail_links, Arc::new(login_code_key()), sso());
    [
        mainsheet_identity::router(identity),
        mainsheet_organization::router(organization, audit_key),
        mainsheet_infrastructure::router(infrastructure),
        mainsheet_workloads::router(workloads),
        mainsheet_agents::router(agents),
    ]
}

/// What they say of their routes, by the function's name.
fn documents() -> BTreeMap<&'static str, Document> {
    BTreeMap::from([
        ("identity", mainsheet_identity::document()),
        ("organization", mainsheet_organization::document()),
        ("infrastructure", mainsheet_infrastructure::document()),
        ("workloads", mainsheet_workloads::document()),
        ("agents", mainsheet_agents::document()),
    ])
}

/// Single sign-on with providers on this machine.
fn sso() -> SingleSignOn {
    SingleSignOn {
        http: GuardedHttp::new(Reach::InternetAndLoopback).unwrap(),
        sealer: Arc::new(Sealer::derive(&SEALING_SECRET.into()).unwrap()),
        public_url: PUBLIC_URL.to_owned(),
        redirect_uris: vec![REDIRECT_URI.to_owned()],
    }
}

/// The paths that a function answers.
fn paths_of(document: &Document) -> Vec<String> {
    document.paths.paths.keys().map(|path| format!("{BASE}{path}")).collect()
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.queues.is_empty() && self.outbox.is_empty(), "messages wait: call `deliver` before the end");
            self.table.assert_rules_kept();
        }
    }
}
