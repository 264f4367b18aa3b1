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
    /// When it was set up.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// By whom.
    pub updated_by: MemberId,
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
