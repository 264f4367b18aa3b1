//! Credentials of cluster agents.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainsheet_core::cluster::Agent;
use mainsheet_core::{AgentId, Error, Result};
use mainsheet_store::{Row, Store};
use subtle::ConstantTimeEq;

/// Begins every agent token, so that secret scanners know one.
const AGENT_PREFIX: &str = "msa_";
/// Begins every registration token.
const REGISTRATION_PREFIX: &str = "msreg_";

/// SHA-256 of a secret text, in hex: what is kept in its place.
#[must_use]
pub fn sha256(secret: &str) -> String {
    hex::encode(digest(&SHA256, secret.as_bytes()))
}

/// A new registration token: 256 random bits.
///
/// # Errors
/// [`Error::Internal`] when there is no randomness.
pub fn new_registration_token() -> Result<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(Error::internal)?;
    Ok(format!("{REGISTRATION_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The agent that a token (`msa_<agentId>_<secret>`) belongs to: one read.
///
/// # Errors
/// [`Error::Unauthenticated`] when it belongs to none, or to one whose cluster was retired.
pub async fn authenticate(store: &Store, token: &str) -> Result<Row<Agent>> {
    let wrong = || Error::unauthenticated("not an agent's token");
    let (id, secret) = token.strip_prefix(AGENT_PREFIX).and_then(|rest| rest.split_once('_')).ok_or_else(wrong)?;
    let id: AgentId = id.parse().map_err(|_| wrong())?;
    let agent = store.agent(&id).await?.ok_or_else(wrong)?;
    let matches = sha256(secret).as_bytes().ct_eq(agent.value.secret_sha256.as_bytes());
    if bool::from(matches) { Ok(agent) } else { Err(wrong()) }
}
