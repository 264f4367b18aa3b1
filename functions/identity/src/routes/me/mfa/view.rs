//! Recovery codes as they are shown once.

use mainsheet_auth::recovery;
use mainsheet_core::Result;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

/// Recovery codes.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Ten codes, each good for one sign-in. They are shown this once: a request that is sent again with the same key does not
    /// get them.
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<String>>,
}

impl RecoveryCodes {
    /// New ones, and their hashes for the table.
    pub(crate) fn generate() -> Result<(Self, Vec<String>)> {
        let codes = recovery::generate()?;
        let hashes = codes.iter().map(recovery::sha256).collect();
        let shown = codes.iter().map(|code: &SecretString| code.expose_secret().to_owned()).collect();
        Ok((Self { codes: Some(shown) }, hashes))
    }

    /// They were shown before.
    pub(crate) fn shown() -> Self {
        Self { codes: None }
    }
}
