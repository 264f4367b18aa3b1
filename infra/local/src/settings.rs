//! What can be set, by flag or by environment.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Parser, ValueEnum};

/// All of Mainsheet in one process, for one machine.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub(crate) struct Settings {
    /// The port of 127.0.0.1 to listen on; 0 takes a free one
    #[arg(long, env = "MAINSHEET_PORT", default_value_t = 8080)]
    pub(crate) port: u16,
    /// The port of 127.0.0.1 that the embedded DynamoDB answers on, for functions that run beside it; 0 takes a free one
    #[arg(long, env = "MAINSHEET_TABLE_PORT", default_value_t = 0)]
    pub(crate) table_port: u16,
    /// Where the platform reaches the tenants' table, for a proxy in front of it [default: directly]
    #[arg(long, env = "MAINSHEET_TABLE_URL")]
    pub(crate) table_url: Option<String>,
    /// Where everything is kept
    #[arg(long, env = "MAINSHEET_DATA_DIR", default_value = ".mainsheet")]
    pub(crate) data_dir: PathBuf,
    /// Whether to execute the runs of clusters of the region `local` on this machine
    #[arg(long, env = "MAINSHEET_BUILT_IN_AGENT", value_enum, default_value_t = BuiltInAgent::On)]
    pub(crate) built_in_agent: BuiltInAgent,
    /// How many runs the built-in agent executes at once [default: one a processor]
    #[arg(long, env = "MAINSHEET_AGENT_CAPACITY")]
    pub(crate) capacity: Option<u32>,
    /// Whether to begin with new keys that sign tokens, links in mails and checkpoints; what the last ones signed stays good
    #[arg(long)]
    pub(crate) rotate_keys: bool,
    /// Whether identity providers may be on this machine, without TLS
    #[arg(long, env = "MAINSHEET_ALLOW_LOOPBACK_HTTP", value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) allow_loopback_http: bool,
    /// Where browsers may be sent after single sign-on, besides this platform's own page; several with commas between them
    #[arg(long, env = "MAINSHEET_REDIRECT_URIS", value_delimiter = ',')]
    pub(crate) redirect_uris: Vec<String>,
    /// Where leaked passwords are asked for by the first 5 digits of their SHA-1, such as `https://api.pwnedpasswords.com/range`
    /// [default: the list that comes with the program alone]
    #[arg(long, env = "MAINSHEET_BREACHED_PASSWORDS_URL")]
    pub(crate) breached_passwords_url: Option<String>,
    /// The Python interpreter to make the Spark environment with
    #[arg(long, env = "MAINSHEET_PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,
    /// Where Spark environments are, to share them [default: the folder `python` in the data directory]
    #[arg(long, env = "MAINSHEET_ENVIRONMENT_DIR")]
    pub(crate) environment_dir: Option<PathBuf>,
}

/// Whether there is a built-in agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BuiltInAgent {
    /// There is.
    On,
    /// There is none: clusters wait for agents that are started by hand.
    Off,
}
