//! Puts everything together, and takes it apart again in order.

use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use fd_lock::RwLock;
use mainsheet_agents::{AgentsState, Waiting};
use mainsheet_api::{App, BASE, assemble, document, with_problems};
use mainsheet_auth::keys::{KeyRing, Purpose, SigningKey};
use mainsheet_cloud::breached::breached_passwords;
use mainsheet_cloud::guarded_http::{GuardedHttp, Reach};
use mainsheet_core::{Error, Result};
use mainsheet_embedded::{EmbeddedDynamoDb, Gateway};
use mainsheet_identity::{IdentityState, SingleSignOn};
use mainsheet_infrastructure::{Cloud, InfrastructureState, LocalRegion};
use mainsheet_notifier::{MailKeys, Notifier};
use mainsheet_organization::OrganizationState;
use mainsheet_provisioner::{AgentSettings, Images, Provisioner};
use mainsheet_simulator::CloudSimulator;
use mainsheet_store::{Store, schema};
use mainsheet_workloads::WorkloadsState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::agents::BuiltInAgents;
use crate::clock::PlatformClock;
use crate::cloud;
use crate::control::{self, Control};
use crate::data_dir;
use crate::docs;
use crate::executions::LocalWorkflows;
use crate::keys::{self, login_code_key, sealer, signing_key};
use crate::local_table::LocalTable;
use crate::mailbox::Mailbox;
use crate::outbox::Outbox;
use crate::pages;
use crate::queues::LocalQueues;
use crate::settings::{BuiltInAgent, Settings};

/// The tenants' table.
const TABLE: &str = "mainsheet";
/// How often the scheduler ticks.
const TICK: Duration = Duration::from_secs(5);
/// How long requests may take to end when the platform stops.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs the platform until it is told to stop.
pub(crate) async fn run(settings: Settings) -> Result<()> {
    let stop = stop_signal()?;
    let data_dir = data_dir::open(&settings.data_dir)?;
    let mut lock = RwLock::new(File::create(data_dir.join("lock")).map_err(Error::unavailable)?);
    let in_use = || {
        Error::unavailable(format!("another platform uses {}; stop it, or set MAINSHEET_DATA_DIR", data_dir.display()))
    };
    let _lock = lock.try_write().map_err(|_| in_use())?;
    data_dir::check_layout(&data_dir)?;
    let listener = listen(settings.port).await?;
    let address = listener.local_addr().map_err(Error::unavailable)?;
    let platform = Platform::open(&settings, &data_dir, address).await?;
    platform.agents.start().await?;
    platform.outbox.redrive().await?;
    let outbox = Arc::clone(&platform.outbox);
    let mut background = JoinSet::new();
    background.spawn(async move { outbox.work().await });
    background.spawn(tick(platform.control.store.clone(), Arc::clone(&platform.outbox)));
    let server = tokio::spawn(serve(listener, platform.router, stop));
    greet(address, &data_dir);
    let ended = tokio::select! {
        served = server => served.map_err(Error::internal).flatten(),
        // Both go on for ever. A platform that answered without them would do nothing of what it says.
        Some(Err(panic)) = background.join_next() => Err(Error::internal(panic)),
    };
    tracing::info!("stopping; runs at hand go on and are found again at the next start");
    // An agent that begins at this moment would wait for a server that is gone, and the end for the agent.
    background.shutdown().await;
    platform.agents.shut_down().await;
    ended
}

struct Platform {
    router: Router,
    control: Control,
    outbox: Arc<Outbox>,
    agents: Arc<BuiltInAgents>,
}

impl Platform {
    async fn open(settings: &Settings, data_dir: &Path, address: SocketAddr) -> Result<Self> {
        let dynamodb = EmbeddedDynamoDb::open(&data_dir.join(data_dir::TABLE), settings.table_port).await?;
        let client = dynamodb.client();
        let local = LocalTable::open(client.clone()).await?;
        let clock = PlatformClock::open(local.clone()).await?;
        schema::create_table(&client, TABLE).await?;
        data_dir::note_layout(data_dir)?;
        let tenants = settings.table_url.as_deref().map_or(client, mainsheet_embedded::client);
        let store = Store::new(tenants, TABLE, clock.clock());
        let public_url = format!("http://{address}");
        let cloud = CloudSimulator::open(clock.clock(), &data_dir.join("cloud.json"))?;
        let api_url = format!("{public_url}{BASE}");
        let agents = Arc::new(BuiltInAgents::new(store.clone(), settings, data_dir, (api_url, cloud.clone())));
        let queues = LocalQueues::new(local.clone(), clock.clock());
        let mailbox = Mailbox::new(local.clone(), clock.clock());
        if settings.rotate_keys {
            keys::rotate(data_dir, store.now())?;
        }
        let mail_key = signing_key(data_dir, Purpose::MailLink)?;
        mail_key.publish(&store).await?;
        let mail_key = Arc::new(mail_key);
        let links = (Arc::clone(&mail_key), public_url.clone());
        let mail_keys = MailKeys { links: mail_key, codes: Arc::new(login_code_key(data_dir)?) };
        let provisioner = provisioner(data_dir, store.clone(), &public_url, cloud.clone())?;
        let notifier = Notifier::new(Arc::new(mailbox.clone()), mail_keys, clock.clock(), public_url)?;
        let workflows = LocalWorkflows::new(local.clone(), clock.clock(), provisioner);
        let workers = (Arc::clone(&agents), Arc::clone(&workflows));
        let outbox =
            Outbox::open(&dynamodb, (store.clone(), TABLE), (local, queues.clone()), notifier, workers).await?;
        let outbox = Arc::new(outbox);
        let control = Control {
            store: store.clone(),
            clock,
            mailbox,
            queues,
            outbox: Arc::clone(&outbox),
            agents: Arc::clone(&agents),
            workflows,
            cloud,
        };
        let router = router(settings, data_dir, store, &control, links).await?;
        Ok(Self { router, control, outbox, agents })
    }
}

/// Who does the steps of workflows.
fn provisioner(data_dir: &Path, store: Store, public_url: &str, cloud: CloudSimulator) -> Result<Provisioner> {
    let image = |name: &str| format!("{name}:{}", env!("CARGO_PKG_VERSION"));
    let images = Images { agent: image("mainsheet-agent"), runtime: image("mainsheet-runtime") };
    let agent = AgentSettings { api_url: format!("{public_url}{BASE}"), images };
    Ok(Provisioner::new(store, Arc::new(cloud), Arc::new(sealer(data_dir)?), agent))
}

/// The protocol, its reference, and the control endpoints.
async fn router(
    settings: &Settings,
    data_dir: &Path,
    store: Store,
    control: &Control,
    (link_key, public_url): (Arc<SigningKey>, String),
) -> Result<Router> {
    let access_key = signing_key(data_dir, Purpose::Access)?;
    access_key.publish(&store).await?;
    let audit_key = signing_key(data_dir, Purpose::Audit)?;
    audit_key.publish(&store).await?;
    let http = guarded_http(settings)?;
    let breached = breached_passwords(http.clone(), settings.breached_passwords_url.as_deref())?;
    let app = App::new(store.clone()).with_breached_passwords(breached);
    app.warm().await?;
    let sealer = Arc::new(sealer(data_dir)?);
    let local_region = match settings.built_in_agent {
        BuiltInAgent::On => LocalRegion::BuiltInAgent,
        BuiltInAgent::Off => LocalRegion::Absent,
    };
    let mail_links = KeyRing::new(store, Purpose::MailLink);
    let login_codes = Arc::new(login_code_key(data_dir)?);
    let sso = SingleSignOn {
        http,
        sealer: Arc::clone(&sealer),
        public_url: public_url.clone(),
        redirect_uris: settings.redirect_uris.clone(),
    };
    let identity = IdentityState::new(app.clone(), Arc::new(access_key), mail_links.clone(), login_codes, sso);
    let cloud = Cloud {
        accounts: Arc::new(control.cloud.clone()),
        sealer: Arc::clone(&sealer),
        principal_arn: cloud::PRINCIPAL.to_owned(),
        template_url: format!("{public_url}{}", cloud::TEMPLATE),
        public_url: public_url.clone(),
    };
    let organization = OrganizationState::new(app.clone(), link_key, mail_links, public_url);
    let routers = [
        mainsheet_identity::router(identity),
        mainsheet_organization::router(organization, Arc::new(audit_key)),
        mainsheet_infrastructure::router(InfrastructureState { app: app.clone(), local_region, cloud }),
        mainsheet_workloads::router(WorkloadsState { app: app.clone(), sealer: Arc::clone(&sealer) }),
        mainsheet_agents::router(AgentsState { app, sealer, waiting: Waiting::Held }),
    ];
    let clock = control.clock.clock();
    let documents = [
        mainsheet_identity::document(),
        mainsheet_organization::document(),
        mainsheet_infrastructure::document(),
        mainsheet_workloads::document(),
        mainsheet_agents::document(),
    ];
    let protocol = assemble(&clock, routers);
    let beside = control::router(control.clone()).merge(cloud::router(control.cloud.clone()));
    let beside = with_problems(beside, &clock);
    let outbox = Arc::clone(&control.outbox);
    let wake = from_fn(move |request: Request, next: Next| wake_after(Arc::clone(&outbox), request, next));
    let protocol = Gateway::AWS.before(protocol);
    Ok(protocol.merge(docs::router(&document(documents))?).merge(pages::router()).merge(beside).layer(wake))
}

/// Requests to addresses that others choose: to this machine, too, where that is asked for.
fn guarded_http(settings: &Settings) -> Result<GuardedHttp> {
    GuardedHttp::new(if settings.allow_loopback_http { Reach::InternetAndLoopback } else { Reach::Internet })
}

/// What a request wrote is delivered right after its answer.
async fn wake_after(outbox: Arc<Outbox>, request: Request, next: Next) -> axum::response::Response {
    let writes = request.method() != Method::GET;
    let response = next.run(request).await;
    if writes {
        outbox.wake();
    }
    response
}

async fn tick(store: Store, outbox: Arc<Outbox>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match mainsheet_scheduler::tick(&store, TICK).await {
            Ok(_) => outbox.wake(),
            Err(error) => tracing::error!(%error, "a tick failed; the next one goes on"),
        }
    }
}

async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        stop.await;
        let _ = stopping.send(());
    });
    // A client that keeps its connection busy does not keep the platform from stopping.
    let patience = async {
        let _ = stopped.await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        served = server.into_future() => served.map_err(Error::unavailable),
        () = patience => Ok(()),
    }
}

fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::unavailable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::unavailable)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn listen(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let cannot =
        |error| Error::unavailable(format!("cannot listen on {address}: {error}; set MAINSHEET_PORT to another port"));
    TcpListener::bind(address).await.map_err(cannot)
}

fn greet(address: SocketAddr, data_dir: &Path) {
    tracing::info!("Mainsheet listens on http://{address}{BASE}");
    tracing::info!("API reference: http://{address}{BASE}/docs");
    tracing::info!("caught mail: http://{address}/_local/mail; data: {}", data_dir.display());
    tracing::info!("to begin, sign up with POST {BASE}/auth/signup, as the quickstart in README.md shows");
}
