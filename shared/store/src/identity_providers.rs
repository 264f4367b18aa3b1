//! Identity providers, and what is kept of signing in through them.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use mainsheet_core::identity_provider::{IdentityProvider, SetBy};
use mainsheet_core::organization::Organization;
use mainsheet_core::sealed::Sealed;
use mainsheet_core::{Error, IdentityProviderId, OrganizationId, Result, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::change::Due;
use crate::key::tenant_partition;
use crate::organizations::organization_key;
use crate::page::MAX_LIMIT;
use crate::{Change, Entity, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// How long a person may take at their provider's page.
pub const SSO_ATTEMPT_VALID: Duration = Duration::from_secs(10 * 60);
/// How long the way from a provider's session to its user is kept: longer than a login is used without a break.
const SESSION_KEPT: Duration = Duration::from_secs(400 * 24 * 3600);
/// How long a logout token's id is remembered: longer than such a token can be used.
const LOGOUT_TOKEN_REMEMBERED: Duration = Duration::from_secs(24 * 3600);

impl Entity for IdentityProvider {
    const KIND: &'static str = "identity_provider";
}

/// Whose a provider is: its id is all that an address for browsers has.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProviderOwner {
    organization_id: OrganizationId,
}

impl Entity for ProviderOwner {
    const KIND: &'static str = "identity_provider_owner";
}

/// A browser that was sent to a provider and has not come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SsoAttempt {
    /// SHA-256 of `state`, in hex.
    pub state_sha256: String,
    /// The provider.
    pub identity_provider_id: IdentityProviderId,
    /// SHA-256 of the browser's cookie, in hex.
    pub browser_sha256: String,
    /// SHA-256 of the nonce that the ID token has to name, in hex.
    pub nonce_sha256: String,
    /// What the code challenge was made of (RFC 7636).
    pub pkce_verifier: Sealed,
    /// Where the browser goes in the end.
    pub redirect_uri: String,
    /// When it is too late.
    pub expires_at: Timestamp,
}

impl Entity for SsoAttempt {
    const KIND: &'static str = "sso_attempt";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// Who somebody is at a provider, as the table knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SsoSession {
    /// Whose provider it is. A login that came from it reaches this organization alone.
    pub organization_id: OrganizationId,
    /// The provider.
    pub identity_provider_id: IdentityProviderId,
    /// SHA-256 of `sub`, in hex.
    pub subject_sha256: String,
    /// SHA-256 of `sid`, in hex, where the provider names its sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid_sha256: Option<String>,
}

/// Whose a provider's subject or session is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SsoLink {
    /// The person.
    pub user_id: UserId,
    /// When it is of no more use; a subject is the same person for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Entity for SsoLink {
    const KIND: &'static str = "sso_link";

    fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

/// Something that was used and cannot be used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    expires_at: Timestamp,
}

impl Entity for Used {
    const KIND: &'static str = "used";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// A provider in its organization.
#[derive(Debug, Clone)]
pub struct ProviderAtHome {
    /// The proof that the organization may be touched.
    pub tenant: Tenant,
    /// The provider.
    pub provider: Row<IdentityProvider>,
    /// The organization.
    pub organization: Row<Organization>,
}

/// SHA-256 of a text in hex: how the table knows a `sub`, a `sid` or a `jti`, which may be of any form.
#[must_use]
pub fn sha256(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}

fn provider_key(tenant: &Tenant, provider: &IdentityProviderId) -> Key {
    Key::of_tenant(tenant, "IDENTITY_PROVIDERS", provider.as_str())
}

fn owner_key(provider: &IdentityProviderId) -> Key {
    Key::global(format!("IDENTITY_PROVIDER#{provider}"), "OWNER")
}

fn attempt_key(state_sha256: &str) -> Key {
    Key::global(format!("SSO_ATTEMPT#{state_sha256}"), "SSO_ATTEMPT")
}

fn partition(provider: &IdentityProviderId, name: &str) -> String {
    format!("IDENTITY_PROVIDER#{provider}#{name}")
}

fn subject_key(tenant: &Tenant, provider: &IdentityProviderId, subject_sha256: &str) -> Key {
    Key::of_tenant(tenant, partition(provider, "SUBJECTS"), subject_sha256)
}

fn sid_key(tenant: &Tenant, provider: &IdentityProviderId, sid_sha256: &str) -> Key {
    Key::of_tenant(tenant, partition(provider, "SESSIONS"), sid_sha256)
}

fn logout_key(tenant: &Tenant, provider: &IdentityProviderId, jti: &str) -> Key {
    Key::of_tenant(tenant, partition(provider, "LOGOUT_TOKENS"), sha256(jti))
}

impl Store {
    /// A provider.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such provider.
    pub async fn identity_provider(
        &self,
        tenant: &Tenant,
        provider: &IdentityProviderId,
    ) -> Result<Row<IdentityProvider>> {
        self.get(&provider_key(tenant, provider)).await?.ok_or(Error::NotFound)
    }

    /// A provider and its organization: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such provider.
    pub async fn identity_provider_and_organization(
        &self,
        tenant: &Tenant,
        provider: &IdentityProviderId,
    ) -> Result<(Row<IdentityProvider>, Row<Organization>)> {
        let (provider_key, organization_key) = (provider_key(tenant, provider), organization_key(tenant));
        let mut batch = self.get_batch([provider_key.clone(), organization_key.clone()]).await?;
        batch.take(&provider_key)?.zip(batch.take(&organization_key)?).ok_or(Error::NotFound)
    }

    /// A provider of the organization, another one than `except`, if there is one.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn any_identity_provider(
        &self,
        tenant: &Tenant,
        except: Option<&IdentityProviderId>,
    ) -> Result<Option<Row<IdentityProvider>>> {
        let page = self.identity_providers(tenant, &PageRequest { limit: 2, ..PageRequest::default() }).await?;
        Ok(page.rows.into_iter().find(|row| Some(&row.value.id) != except))
    }

    /// A provider of the organization by which Owners come in, another one than `except`, if there is one.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn identity_provider_for_owners(
        &self,
        tenant: &Tenant,
        except: Option<&IdentityProviderId>,
    ) -> Result<Option<Row<IdentityProvider>>> {
        let mut request = PageRequest { limit: MAX_LIMIT, ..PageRequest::default() };
        loop {
            let page = self.identity_providers(tenant, &request).await?;
            let mut others = page.rows.into_iter().filter(|row| Some(&row.value.id) != except);
            let found = others.find(|row| row.value.set_by == SetBy::Owner);
            if found.is_some() || page.marker.is_none() {
                return Ok(found);
            }
            request.marker = page.marker;
        }
    }

    /// A page of the providers, oldest first.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn identity_providers(
        &self,
        tenant: &Tenant,
        request: &PageRequest,
    ) -> Result<Page<Row<IdentityProvider>>> {
        self.page(&Listing::of(tenant_partition(tenant, "IDENTITY_PROVIDERS")), request).await
    }

    /// A page of the providers of an organization that a sign-in page names. Nobody proved to belong to it: only what is public
    /// of them may be shown.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn public_identity_providers(
        &self,
        organization: &OrganizationId,
        request: &PageRequest,
    ) -> Result<Page<Row<IdentityProvider>>> {
        self.identity_providers(&Tenant::proven(organization.clone()), request).await
    }

    /// A provider of an organization that a sign-in page names; as [`Store::public_identity_providers`].
    ///
    /// # Errors
    /// [`Error::NotFound`] when the organization has no such provider.
    pub async fn public_identity_provider(
        &self,
        organization: &OrganizationId,
        provider: &IdentityProviderId,
    ) -> Result<Row<IdentityProvider>> {
        self.identity_provider(&Tenant::proven(organization.clone()), provider).await
    }

    /// The organization whose provider it is: the table says so.
    async fn tenant_of_identity_provider(&self, provider: &IdentityProviderId) -> Result<Tenant> {
        let owner: Option<Row<ProviderOwner>> = self.get(&owner_key(provider)).await?;
        owner.map(|row| Tenant::proven(row.value.organization_id)).ok_or(Error::NotFound)
    }

    /// A provider and its organization, for a browser or a provider that comes with its id: two round trips.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such provider.
    pub async fn identity_provider_at_home(&self, provider: &IdentityProviderId) -> Result<ProviderAtHome> {
        let tenant = self.tenant_of_identity_provider(provider).await?;
        let (provider_key, organization_key) = (provider_key(&tenant, provider), organization_key(&tenant));
        let mut batch = self.get_batch([provider_key.clone(), organization_key.clone()]).await?;
        let provider = batch.take(&provider_key)?.ok_or(Error::NotFound)?;
        let organization = batch.take(&organization_key)?.ok_or(Error::NotFound)?;
        Ok(ProviderAtHome { tenant, provider, organization })
    }

    /// An attempt by the hash of its `state`, unless it took too long or has come back.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn sso_attempt(&self, state_sha256: &str) -> Result<Option<Row<SsoAttempt>>> {
        let row: Option<Row<SsoAttempt>> = self.get(&attempt_key(state_sha256)).await?;
        Ok(row.filter(|row| row.value.expires_at > self.now()))
    }

    /// Remembers a browser that is sent to a provider.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn begin_sso(&self, attempt: &SsoAttempt) -> Result<()> {
        let used = Error::internal("a state that was used before");
        self.telemetry().create(&attempt_key(&attempt.state_sha256), attempt, used).commit().await
    }

    /// The browser has come back: whatever becomes of it, its `state` is used.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it comes back twice at the same moment.
    pub async fn end_sso(&self, attempt: &Row<SsoAttempt>) -> Result<()> {
        self.telemetry().delete(attempt).commit().await
    }

    /// Whose a provider's subject is.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn user_of_subject(
        &self,
        tenant: &Tenant,
        provider: &IdentityProviderId,
        subject_sha256: &str,
    ) -> Result<Option<UserId>> {
        Ok(self.get::<SsoLink>(&subject_key(tenant, provider, subject_sha256)).await?.map(|row| row.value.user_id))
    }

    /// Whose a provider's session is.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn user_of_sid(
        &self,
        tenant: &Tenant,
        provider: &IdentityProviderId,
        sid_sha256: &str,
    ) -> Result<Option<UserId>> {
        Ok(self.get::<SsoLink>(&sid_key(tenant, provider, sid_sha256)).await?.map(|row| row.value.user_id))
    }
}

impl Change<'_> {
    /// A new provider.
    pub fn create_identity_provider(self, tenant: &Tenant, provider: &IdentityProvider) -> Self {
        let used = || Error::internal("a provider id that was used before");
        let owner = ProviderOwner { organization_id: tenant.organization_id().clone() };
        self.create(&provider_key(tenant, &provider.id), provider, used()).create(
            &owner_key(&provider.id),
            &owner,
            used(),
        )
    }

    /// A provider's new settings.
    pub fn replace_identity_provider(self, row: &Row<IdentityProvider>, provider: &IdentityProvider) -> Self {
        self.replace(row, provider, Due::Keep)
    }

    /// The end of a provider, under the settings that were read with it. Nothing leads to what is left of it: its id is not used
    /// again.
    pub fn delete_identity_provider(self, row: &Row<IdentityProvider>, organization: &Row<Organization>) -> Self {
        self.delete(row).remove(&owner_key(&row.value.id)).require_unchanged(organization)
    }

    /// A provider has to be there still, as it was read: people have no other way in.
    pub fn require_identity_provider(self, row: &Row<IdentityProvider>) -> Self {
        self.require_unchanged(row)
    }

    /// The organization's settings have to be those that were read: they say whether people have another way in.
    pub fn require_settings(self, organization: &Row<Organization>) -> Self {
        self.require_unchanged(organization)
    }

    /// From now on the provider's subject is this person.
    pub fn link_subject(self, tenant: &Tenant, session: &SsoSession, user: &UserId) -> Self {
        let linked =
            Error::conflict("changed_meanwhile", "The same person signs in for the first time at this moment.");
        let link = SsoLink { user_id: user.clone(), expires_at: None };
        self.create(&subject_key(tenant, &session.identity_provider_id, &session.subject_sha256), &link, linked)
    }

    /// The provider's session is this person's, so that its end can be told.
    pub fn note_sso_session(self, tenant: &Tenant, session: &SsoSession, user: &UserId) -> Self {
        let Some(sid) = &session.sid_sha256 else { return self };
        let link = SsoLink { user_id: user.clone(), expires_at: Some(self.now() + SESSION_KEPT) };
        self.overwrite(&sid_key(tenant, &session.identity_provider_id, sid), &link)
    }

    /// A logout token is used; one that was used before is refused.
    pub fn use_logout_token(self, tenant: &Tenant, provider: &IdentityProviderId, jti: &str) -> Self {
        let used = Error::malformed("invalid_logout_token", "The logout token was used before.");
        let expires_at = self.now() + LOGOUT_TOKEN_REMEMBERED;
        self.create(&logout_key(tenant, provider, jti), &Used { expires_at }, used)
    }
}
