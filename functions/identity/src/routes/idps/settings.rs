//! What can be written of an identity provider.

use garde::Validate;
use mainsheet_api::text;
use mainsheet_auth::sealed::{Context, Sealed};
use mainsheet_auth::{Caller, Relation};
use mainsheet_core::identity_provider::{OidcClient, SetBy};
use mainsheet_core::{Error, OrganizationId, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::SingleSignOn;

/// What is asked for unless something else is.
const SCOPES: [&str; 3] = ["openid", "email", "profile"];
/// The longest secret, in bytes.
const MAX_SECRET: usize = 2048;

/// How to speak to a provider.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IdentityProviderConfigWrite {
    /// By OpenID Connect.
    #[garde(dive)]
    pub(super) oidc: Option<OidcConfigWrite>,
}

/// How to speak to a provider by OpenID Connect. A new provider takes `issuer` and `clientId`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OidcConfigWrite {
    /// The provider's name for itself: `https://`, and its discovery document is below.
    #[garde(inner(length(chars, min = 1, max = 1023)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 1023)]
    issuer: Option<String>,
    /// The organization's name at the provider.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    client_id: Option<String>,
    /// Absent for public clients, which PKCE protects. It is forgotten when the issuer changes without it.
    #[garde(custom(optional_secret))]
    #[schema(value_type = Option<String>, format = "password", min_length = 1, max_length = 2048)]
    client_secret: Option<SecretString>,
    /// What is asked for; `openid` has to be among it. `openid`, `email` and `profile` unless given.
    #[garde(inner(length(min = 1, max = 20), inner(length(chars, min = 1, max = 255), pattern("^[!#-\\[\\]-~]+$"))))]
    #[schema(min_items = 1, max_items = 20)]
    scopes: Option<Vec<String>>,
}

/// A secret that can be sent in a header.
#[allow(clippy::ref_option, reason = "garde passes the field")]
fn optional_secret(secret: &Option<SecretString>, context: &()) -> garde::Result {
    secret.as_ref().map_or(Ok(()), |text| secret_rule(text, context))
}

/// See [`optional_secret`].
pub(super) fn secret_rule(secret: &SecretString, _: &()) -> garde::Result {
    let text = secret.expose_secret();
    if !(1..=MAX_SECRET).contains(&text.len()) {
        return Err(garde::Error::new("must have 1 to 2048 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(garde::Error::new("must not contain control characters"));
    }
    Ok(())
}

impl SingleSignOn {
    /// A client secret as it is kept.
    pub(crate) fn seal(&self, organization: &OrganizationId, secret: &SecretString) -> Result<Sealed> {
        self.sealer.seal(&Context::organization(organization, "idp_client_secret"), secret)
    }

    /// A client secret as it is sent.
    pub(crate) fn unseal(&self, organization: &OrganizationId, sealed: &Sealed) -> Result<SecretString> {
        self.sealer.open(&Context::organization(organization, "idp_client_secret"), sealed)
    }

    /// The address of a provider, which requests may go to.
    pub(super) fn checked_address(&self, address: &str, field: &str) -> Result<()> {
        self.http.check(address).map_err(|failure| Error::invalid(field, format!("cannot be asked: {failure}")))?;
        if address.contains(['?', '#']) {
            return Err(Error::invalid(field, "must have neither a query nor a fragment"));
        }
        Ok(())
    }
}

/// Who decides whom a provider vouches for, if this caller writes its settings.
pub(super) fn set_by(caller: &Caller) -> SetBy {
    if caller.may(Relation::CanManageOwners) { SetBy::Owner } else { SetBy::Administrator }
}

impl OidcConfigWrite {
    /// A new provider's settings, or `before` with what is given here.
    pub(super) fn applied(
        self,
        sso: &SingleSignOn,
        organization: &OrganizationId,
        before: Option<&OidcClient>,
    ) -> Result<OidcClient> {
        let required = |field: &str| Error::invalid(format!("configWrite.oidc.{field}"), "is required");
        if let Some(issuer) = &self.issuer {
            sso.checked_address(issuer, "configWrite.oidc.issuer")?;
        }
        if self.scopes.as_ref().is_some_and(|scopes| !scopes.iter().any(|scope| scope == "openid")) {
            return Err(Error::invalid("configWrite.oidc.scopes", "must contain `openid`"));
        }
        let issuer =
            self.issuer.or_else(|| before.map(|oidc| oidc.issuer.clone())).ok_or_else(|| required("issuer"))?;
        let client_id = self.client_id.or_else(|| before.map(|oidc| oidc.client_id.clone()));
        let scopes = self.scopes.or_else(|| before.map(|oidc| oidc.scopes.clone()));
        // A secret is only told to the provider that issued it.
        let kept = before.filter(|oidc| oidc.issuer == issuer).and_then(|oidc| oidc.client_secret.clone());
        let client_secret = match &self.client_secret {
            Some(secret) => Some(sso.seal(organization, secret)?),
            None => kept,
        };
        Ok(OidcClient {
            issuer,
            client_id: client_id.ok_or_else(|| required("clientId"))?,
            client_secret,
            scopes: scopes.unwrap_or_else(default_scopes),
        })
    }
}

/// What is asked for unless something else is.
pub(super) fn default_scopes() -> Vec<String> {
    SCOPES.map(str::to_owned).to_vec()
}
