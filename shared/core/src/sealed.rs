//! Secrets at rest, as they lie in the table. `mainsheet_auth::sealed` seals and opens them.

use serde::{Deserialize, Serialize};

/// A sealed secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sealed {
    /// The data key under the sealing key, in base64url.
    pub data_key: String,
    /// The secret under the data key, in base64url.
    pub secret: String,
}
