//! Identity providers: where the people of an organization sign in, and what says so.

use serde::{Deserialize, Serialize};

use crate::sealed::Sealed;
use crate::{IdentityProviderId, MemberId, Timestamp};

/// An identity provider of an organization (OpenID Connect Core).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityProvider {
    /// Its id.
    pub id: IdentityProviderId,
    /// What kind of product it is: the id of an entry of the catalogue.
    pub identity_provider_type_id: String,
    /// Its name for people.
    pub name: String,
    /// How to speak to it.
    pub oidc: OidcClient,
    /// Who last decided whom it vouches for.
    #[serde(default)]
    pub set_by: SetBy,
    /// When it was set up.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// By whom.
    pub updated_by: MemberId,
}

/// Who decided whom a provider vouches for: whoever chooses the provider chooses who it says that people are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetBy {
    /// Somebody who may manage Owners, so that it vouches for them, too.
    Owner,
    /// Somebody who may set up single sign-on; also where it was not noted who did.
    #[default]
    Administrator,
}

/// An organization as a client of its provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OidcClient {
    /// The provider's name for itself: an address below which its discovery document is.
    pub issuer: String,
    /// The client's name at the provider.
    pub client_id: String,
    /// The client's secret; public clients have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Sealed>,
    /// What is asked for; `openid` is among it.
    pub scopes: Vec<String>,
}

impl OidcClient {
    /// Whether both ask the same provider, as the same client, for the same: then they vouch for the same people. The secret only
    /// proves who asks.
    #[must_use]
    pub fn asks_as(&self, other: &Self) -> bool {
        (&self.issuer, &self.client_id, &self.scopes) == (&other.issuer, &other.client_id, &other.scopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_nobody_noted_was_no_owner() {
        let at = Timestamp::from_millisecond(0);
        let row = serde_json::json!({
            "id": IdentityProviderId::generate(at), "identityProviderTypeId": "oidc", "name": "SSO",
            "oidc": { "issuer": "https://one.example", "clientId": "mainsheet", "scopes": ["openid"] },
            "createdAt": at, "createdBy": MemberId::generate(at),
            "updatedAt": at, "updatedBy": MemberId::generate(at),
        });
        let provider: IdentityProvider = serde_json::from_value(row).unwrap();
        assert_eq!(provider.set_by, SetBy::Administrator);
    }
}
