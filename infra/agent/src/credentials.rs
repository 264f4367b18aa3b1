//! Who the agent is to the control plane.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use mainsheet_core::AgentId;
use mainsheet_core::agent_protocol::{AgentBackend, AgentRegistered, AgentRegistration};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::client::{CallError, ControlPlane, persist};
use crate::run_directory::{read_json, write_json};

const CREDENTIALS_FILE: &str = "credentials.json";
const SECRET_BYTES: usize = 32;

/// An agent's name and the secret that proves it.
#[derive(Debug, Clone)]
pub struct Credentials {
    agent_id: AgentId,
    secret: SecretString,
}

impl Credentials {
    /// Credentials that were obtained elsewhere.
    #[must_use]
    pub fn new(agent_id: AgentId, secret: SecretString) -> Self {
        Self { agent_id, secret }
    }

    /// Which agent this is.
    #[must_use]
    pub fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    pub(crate) fn bearer(&self) -> SecretString {
        format!("msa_{}_{}", self.agent_id, self.secret.expose_secret()).into()
    }

    /// The credentials kept in `data_dir`; when there are none yet, registers with `token` and keeps them there.
    ///
    /// The secret is on disk before the control plane hears of it: a registration whose answer is lost, or whose agent
    /// is killed, is done again with the same secret and gives the same agent.
    ///
    /// # Errors
    /// [`CredentialsError`]. A control plane that cannot be reached is no error: it is waited for.
    pub async fn obtain(
        data_dir: &Path,
        api_url: &str,
        token: Option<&str>,
        backend: AgentBackend,
    ) -> Result<Self, CredentialsError> {
        let path = data_dir.join(CREDENTIALS_FILE);
        std::fs::create_dir_all(data_dir).map_err(|error| CredentialsError::file(data_dir, error))?;
        let kept: Option<Kept> = read_json(&path).map_err(|error| CredentialsError::file(&path, error))?;
        if let Some(Kept { secret, registered: Some(registered) }) = kept {
            return Ok(Self::new(registered.agent_id, secret.into()));
        }
        let token = token.ok_or(CredentialsError::NoToken)?;
        let mut kept = match kept {
            Some(kept) => kept,
            None => Kept { secret: new_secret()?, registered: None },
        };
        write_json(&path, &kept).map_err(|error| CredentialsError::file(&path, error))?;
        let registered = register(api_url, token, &kept.secret, backend).await?;
        let credentials = Self::new(registered.agent_id.clone(), kept.secret.clone().into());
        kept.registered = Some(registered);
        write_json(&path, &kept).map_err(|error| CredentialsError::file(&path, error))?;
        Ok(credentials)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    secret: String,
    /// Absent while the answer is not here.
    registered: Option<AgentRegistered>,
}

/// Why an agent has no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// It is not registered yet and was given nothing to register with.
    #[error("this agent is not registered yet: give it a registration token")]
    NoToken,
    /// The control plane does not take the token, or the registration.
    #[error("the control plane refused the registration: {0}")]
    Refused(String),
    /// The file they are kept in cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: std::io::Error,
    },
    /// The address or the machine is no good.
    #[error("{0}")]
    Unusable(String),
}

impl CredentialsError {
    fn file(path: &Path, error: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), error }
    }
}

fn new_secret() -> Result<String, CredentialsError> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| CredentialsError::Unusable(error.to_string()))?;
    Ok(hex(&bytes))
}

async fn register(
    api_url: &str,
    token: &str,
    secret: &str,
    backend: AgentBackend,
) -> Result<AgentRegistered, CredentialsError> {
    let control_plane = ControlPlane::new(api_url, None).map_err(CredentialsError::Unusable)?;
    let registration = AgentRegistration {
        registration_token: token.to_owned(),
        secret_sha256: sha256(secret.as_bytes()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        backend,
    };
    tracing::info!(api_url, "registering");
    persist(|| control_plane.register(&registration)).await.map_err(|error| match error {
        CallError::Revoked => CredentialsError::Refused("the registration token is not valid".to_owned()),
        CallError::Lost(why) | CallError::Refused(why) => CredentialsError::Refused(why),
        CallError::Unavailable { why, .. } => CredentialsError::Unusable(why),
    })
}

/// SHA-256 as 64 lower-case hex digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
