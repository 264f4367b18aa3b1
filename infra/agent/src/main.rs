//! The program `mainsheet-agent`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use mainsheet_agent::{Agent, AgentConfig, AgentEnd, Credentials, Environment};
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
    /// The Python interpreter to make the Spark environment with
    #[arg(long, env = "MAINSHEET_PYTHON", default_value = "python3")]
    python: PathBuf,
    /// Where Spark environments are, to share them [default: the folder `python` in the data directory]
    #[arg(long, env = "MAINSHEET_ENVIRONMENT_DIR")]
    environment_dir: Option<PathBuf>,
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
    let token = settings.registration_token.as_deref();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let credentials = tokio::select! {
        credentials = Credentials::obtain(&settings.data_dir, &settings.url, token) => credentials?,
        _ = terminate.recv() => return Ok(AgentEnd::Shutdown),
        _ = interrupt.recv() => return Ok(AgentEnd::Shutdown),
    };
    let environment_dir = settings.environment_dir.unwrap_or_else(|| settings.data_dir.join("python"));
    let mut agent = Agent::start(AgentConfig {
        api_url: settings.url,
        credentials,
        data_dir: settings.data_dir,
        output_base: settings.output_base,
        capacity: settings.capacity,
        environment: Environment::new(environment_dir, settings.python),
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
