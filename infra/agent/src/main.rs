//! The program `mainsheet-agent`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use mainsheet_agent::{Agent, AgentConfig, AgentEnd, Credentials, Environment, Execution};
#[cfg(feature = "kubernetes")]
use mainsheet_agent::{Kubernetes, KubernetesSettings};
use mainsheet_core::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Executes Mainsheet jobs on this machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// The control plane's address with its base path, such as https://example.com/api/v1
    #[arg(long, env = "MAINSHEET_AGENT_URL")]
    url: String,
    /// The one-time registration token that the cluster's creation answered; needed the first time only
    #[arg(long, env = "MAINSHEET_AGENT_REGISTRATION_TOKEN", hide_env_values = true)]
    registration_token: Option<String>,
    /// Where it keeps its credentials, its runs and, unless told otherwise, its Python environment and results
    #[arg(long, env = "MAINSHEET_AGENT_DATA_DIR")]
    data_dir: PathBuf,
    /// Below which URI results go [default: the folder `output` in the data directory]
    #[arg(long, env = "MAINSHEET_AGENT_OUTPUT_BASE")]
    output_base: Option<String>,
    /// How many runs it executes at once [default: one a processor]
    #[arg(long, env = "MAINSHEET_AGENT_CAPACITY")]
    capacity: Option<u32>,
    #[cfg(feature = "kubernetes")]
    #[command(flatten)]
    kubernetes: KubernetesOptions,
    /// The Python interpreter to make the Spark environment with
    #[arg(long, env = "MAINSHEET_PYTHON", default_value = "python3")]
    python: PathBuf,
    /// Where Spark environments are, to share them [default: the folder `python` in the data directory]
    #[arg(long, env = "MAINSHEET_ENVIRONMENT_DIR")]
    environment_dir: Option<PathBuf>,
}

/// Runs as pods.
#[cfg(feature = "kubernetes")]
#[derive(Debug, clap::Args)]
struct KubernetesOptions {
    /// Executes runs as pods in this namespace, which is this agent's alone [default: as processes on this machine]
    #[arg(long, env = "MAINSHEET_KUBERNETES_NAMESPACE", requires = "image")]
    namespace: Option<String>,
    /// The image of the runs' pods
    #[arg(long, env = "MAINSHEET_KUBERNETES_IMAGE")]
    image: Option<String>,
    /// The service account of the runs' pods: the cluster's job role
    #[arg(long, env = "MAINSHEET_KUBERNETES_SERVICE_ACCOUNT", default_value = "mainsheet-job")]
    service_account: String,
    /// CPU of a Sail server and of a worker
    #[arg(long, env = "MAINSHEET_KUBERNETES_ENGINE_CPU", default_value = "2")]
    engine_cpu: String,
    /// Memory of a Sail server and of a worker
    #[arg(long, env = "MAINSHEET_KUBERNETES_ENGINE_MEMORY", default_value = "8Gi")]
    engine_memory: String,
    /// CPU of a runner
    #[arg(long, env = "MAINSHEET_KUBERNETES_RUNNER_CPU", default_value = "500m")]
    runner_cpu: String,
    /// Memory of a runner
    #[arg(long, env = "MAINSHEET_KUBERNETES_RUNNER_MEMORY", default_value = "2Gi")]
    runner_memory: String,
    /// What provides the runs' volumes
    #[arg(long, env = "MAINSHEET_KUBERNETES_VOLUME_PROVISIONER", default_value = "ebs.csi.aws.com")]
    volume_provisioner: String,
    /// How long a pod may take to come up, in seconds
    #[arg(long, env = "MAINSHEET_KUBERNETES_PATIENCE", default_value_t = 900)]
    patience: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(Settings::parse()).await {
        Ok(AgentEnd::Shutdown) => ExitCode::SUCCESS,
        // Was logged when it happened.
        Ok(AgentEnd::Revoked) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> Result<AgentEnd, Box<dyn std::error::Error>> {
    let execution = execution(&settings).await?;
    let token = settings.registration_token.as_deref();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let credentials = tokio::select! {
        credentials = Credentials::obtain(&settings.data_dir, &settings.url, token, execution.kind()) => credentials?,
        _ = terminate.recv() => return Ok(AgentEnd::Shutdown),
        _ = interrupt.recv() => return Ok(AgentEnd::Shutdown),
    };
    let mut agent = Agent::start(AgentConfig {
        api_url: settings.url,
        credentials,
        data_dir: settings.data_dir,
        output_base: settings.output_base,
        capacity: settings.capacity,
        execution,
        clock: Clock::system(),
    })?;
    tokio::select! {
        end = agent.ended() => return Ok(end),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping; runs at hand go on and are found again at the next start");
    agent.shutdown().await;
    Ok(AgentEnd::Shutdown)
}

async fn execution(settings: &Settings) -> Result<Execution, String> {
    #[cfg(feature = "kubernetes")]
    if let (Some(namespace), Some(image)) = (&settings.kubernetes.namespace, &settings.kubernetes.image) {
        let options = &settings.kubernetes;
        let settings = KubernetesSettings {
            namespace: namespace.clone(),
            service_account: options.service_account.clone(),
            image: image.clone(),
            engine_cpu: options.engine_cpu.clone(),
            engine_memory: options.engine_memory.clone(),
            runner_cpu: options.runner_cpu.clone(),
            runner_memory: options.runner_memory.clone(),
            volume_provisioner: options.volume_provisioner.clone(),
            patience: std::time::Duration::from_secs(options.patience),
        };
        return Ok(Execution::Kubernetes(Kubernetes::connect(settings).await?));
    }
    let folder = settings.environment_dir.clone().unwrap_or_else(|| settings.data_dir.join("python"));
    Ok(Execution::Process(Environment::new(folder, settings.python.clone())))
}
