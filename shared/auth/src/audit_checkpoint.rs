//! Signed heads of audit trails: what somebody outside can keep, to show later that nothing before it was changed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header, encode};
use mainsheet_core::{Error, OrganizationId, Result, Timestamp};
use mainsheet_store::audit_chain::AuditHead;
use serde::{Deserialize, Serialize};

use crate::keys::SigningKey;

/// The header's `typ`.
const TYPE: &str = "audit-checkpoint+jwt";
const ISSUER: &str = "mainsheet";

/// What a checkpoint says. It never expires: it is a statement about the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCheckpoint {
    iss: String,
    /// Whose trail.
    #[serde(rename = "sub")]
    pub organization_id: OrganizationId,
    /// When it was signed, in seconds since the Unix epoch.
    pub iat: i64,
    /// Blocks so far.
    pub blocks: u64,
    /// Records in all of them.
    pub records: u64,
    /// The last block's hash.
    pub sha256: String,
}

impl AuditCheckpoint {
    /// The head of an organization's chain at a moment.
    #[must_use]
    pub fn new(organization_id: OrganizationId, head: AuditHead, now: Timestamp) -> Self {
        let AuditHead { blocks, records, sha256 } = head;
        Self { iss: ISSUER.to_owned(), organization_id, iat: now.as_second(), blocks, records, sha256 }
    }

    /// The checkpoint as a JWS (RFC 7515) by a key of [`crate::keys::Purpose::Audit`].
    ///
    /// # Errors
    /// [`Error::Internal`] when the key does not sign.
    pub fn sign(&self, key: &SigningKey) -> Result<String> {
        let header =
            Header { typ: Some(TYPE.to_owned()), kid: Some(key.kid().to_owned()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, self, key.encoding()).map_err(Error::internal)
    }

    /// Checks a checkpoint with the public key that its `kid` names: `find` answers the key's `x` (RFC 8037).
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn verify(jws: &str, find: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let header = decode_header(jws).map_err(|error| format!("the checkpoint is no JWS: {error}"))?;
        if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(TYPE) {
            return Err("the checkpoint is signed for another purpose".to_owned());
        }
        let kid = header.kid.ok_or("the checkpoint names no key")?;
        let x = find(&kid).ok_or_else(|| format!("the checkpoint's key {kid} is not among the published ones"))?;
        let key = DecodingKey::from_ed_components(&x).map_err(|error| format!("key {kid}: {error}"))?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["iss", "sub"]);
        validation.validate_exp = false;
        validation.validate_aud = false;
        let checked = decode::<Self>(jws, &key, &validation);
        Ok(checked.map_err(|error| format!("the checkpoint's signature does not hold: {error}"))?.claims)
    }

    /// What a checkpoint says, unchecked.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(jws: &str) -> Result<Self, String> {
        let payload = jws.split('.').nth(1).ok_or("the checkpoint is no JWS")?;
        let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|error| format!("the checkpoint is no JWS: {error}"))?;
        serde_json::from_slice(&bytes).map_err(|error| format!("the checkpoint is no JWS: {error}"))
    }
}
