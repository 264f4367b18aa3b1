//! Codes that are traded for tokens: after single sign-on, and after an invitation was accepted.

use std::time::Duration;

use mainsheet_core::{Error, Result, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::identity_providers::SsoSession;
use crate::users::Access;
use crate::{Change, Entity, Key, Row, Store};

/// How long a code can be traded (contract, decisions, Identity: `otaCode`).
pub const EXCHANGE_CODE_VALID: Duration = Duration::from_secs(60);

/// How a person proved who they are before they got the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProvenBy {
    /// An identity provider said so, and that their address is theirs.
    SingleSignOn,
    /// An identity provider said so, but not that their address is theirs.
    UnverifiedSingleSignOn,
    /// They hold an invitation that was mailed to them, and their password where they had an account.
    Invitation,
}

/// Whom a code stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeCode {
    /// SHA-256 of the code, in hex.
    pub sha256: String,
    /// The person.
    pub user_id: UserId,
    /// Their [`Access::login_epoch`] when they proved it.
    pub epoch: u64,
    /// How they proved it.
    pub proven_by: ProvenBy,
    /// The provider's session that they came from, for the login that the code is traded for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_sign_on: Option<SsoSession>,
    /// When the code is good no more.
    pub expires_at: Timestamp,
}

impl ExchangeCode {
    /// Whether it leads to a login still: none were ended since it was given out.
    #[must_use]
    pub fn is_valid(&self, access: &Access) -> bool {
        self.epoch == access.login_epoch
    }
}

impl Entity for ExchangeCode {
    const KIND: &'static str = "exchange_code";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

fn exchange_code_key(sha256: &str) -> Key {
    Key::global(format!("EXCHANGE_CODE#{sha256}"), "EXCHANGE_CODE")
}

impl Store {
    /// A code by its hash, unless it has expired or was traded.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn exchange_code(&self, sha256: &str) -> Result<Option<Row<ExchangeCode>>> {
        let row: Option<Row<ExchangeCode>> = self.get(&exchange_code_key(sha256)).await?;
        Ok(row.filter(|row| row.value.expires_at > self.now()))
    }
}

impl Change<'_> {
    /// A new code.
    pub fn issue_exchange_code(self, code: &ExchangeCode) -> Self {
        self.create(&exchange_code_key(&code.sha256), code, Error::internal("an exchange code that was used before"))
    }

    /// The code is traded: once, whoever else tries at the same moment.
    pub fn trade_exchange_code(self, row: &Row<ExchangeCode>) -> Self {
        self.delete(row)
    }
}
