//! What single sign-on stands on: the way out, the seal on secrets, and the addresses that people come back to.

use std::sync::Arc;

use mainsheet_api::BASE;
use mainsheet_auth::sealed::{Context, Sealer};
use mainsheet_cloud::guarded_http::GuardedHttp;
use mainsheet_core::identity_provider::IdentityProvider;
use mainsheet_core::organization::Organization;
use mainsheet_core::{Error, IdentityProviderId, OrganizationId, Result};
use mainsheet_store::identity_providers::sha256;
use url::Url;

use crate::oidc::Registered;

/// What single sign-on stands on.
#[derive(Debug, Clone)]
pub struct SingleSignOn {
    /// Requests to identity providers.
    pub http: GuardedHttp,
    /// Seals client secrets.
    pub sealer: Arc<Sealer>,
    /// Where people reach Mainsheet, without a path.
    pub public_url: String,
    /// Where browsers may be sent after signing in, besides [`SingleSignOn::public_url`]: whole addresses.
    pub redirect_uris: Vec<String>,
}

/// The page that browsers are sent to after signing in unless they asked for another one.
const SIGNED_IN: &str = "/signed-in";

impl SingleSignOn {
    /// Where a provider sends browsers back to.
    pub(crate) fn callback(&self, provider: &IdentityProviderId) -> String {
        format!("{}{BASE}/auth/sso/{provider}/callback", self.public_url)
    }

    /// Where a provider tells of logouts.
    pub(crate) fn backchannel_logout(&self, provider: &IdentityProviderId) -> String {
        format!("{}{BASE}/auth/sso/{provider}/backchannel-logout", self.public_url)
    }

    /// What the organization is at its provider.
    pub(crate) fn registered<'p>(
        &self,
        provider: &'p IdentityProvider,
        organization: &Organization,
    ) -> Result<Registered<'p>> {
        let sealed = provider.oidc.client_secret.as_ref();
        Ok(Registered {
            oidc: &provider.oidc,
            secret: sealed.map(|sealed| self.unseal(&organization.id, sealed)).transpose()?,
            callback: self.callback(&provider.id),
            acr: organization.settings.auth.acr.clone(),
        })
    }

    /// Where a browser goes in the end.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address that is not on the list.
    pub(crate) fn destination(&self, asked: Option<String>) -> Result<String> {
        let own = format!("{}{SIGNED_IN}", self.public_url);
        match asked {
            None => Ok(own),
            Some(asked) if asked == own || self.redirect_uris.contains(&asked) => Ok(asked),
            Some(_) => {
                Err(Error::invalid("redirectUri", "is not among the addresses that this installation sends people to"))
            }
        }
    }

    /// The destination with the one-time code.
    pub(crate) fn with_code(destination: &str, code: &str) -> Result<String> {
        let mut url = Url::parse(destination).map_err(Error::internal)?;
        url.query_pairs_mut().append_pair("code", code);
        Ok(url.into())
    }

    /// What the browser of an attempt is known by. Each attempt has a cookie of its own, so that two pages do not disturb each
    /// other. Without TLS, which is on this machine alone, browsers take no `__Host-` cookie.
    pub(crate) fn cookie_name(&self, state_sha256: &str) -> String {
        let attempt: String = state_sha256.chars().take(16).collect();
        let prefix = if self.is_secure() { "__Host-" } else { "" };
        format!("{prefix}mainsheet-sso-{attempt}")
    }

    /// Whether people reach Mainsheet over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// For whom a code verifier is sealed.
    pub(crate) fn verifier_context(organization: &OrganizationId) -> Context {
        Context::organization(organization, "sso_pkce_verifier")
    }
}

/// A provider's subject, as the table knows it. Another issuer's subjects are others, whatever they are called.
pub(crate) fn subject_sha256(issuer: &str, subject: &str) -> String {
    sha256(&format!("{issuer}\n{subject}"))
}

/// A provider's session, as the table knows it.
pub(crate) fn sid_sha256(issuer: &str, sid: &str) -> String {
    sha256(&format!("{issuer}\n{sid}"))
}
