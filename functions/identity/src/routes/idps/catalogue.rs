//! The kinds of identity providers that can be set up.

use mainsheet_core::{Error, Result};

/// A kind of identity provider.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProviderType {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) registration: Registration,
    pub(super) setup_complexity: &'static str,
    pub(super) vendor_type: &'static str,
    pub(super) documentation_url: &'static str,
    pub(super) default_issuer: Option<&'static str>,
    pub(super) issuer_template: Option<&'static str>,
}

/// Whether clients can register themselves (RFC 7591).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registration {
    /// An administrator registers them.
    ByHand,
    /// They can, with an initial access token.
    WithToken,
    /// They can.
    Open,
}

const STANDARD: &str = "https://openid.net/specs/openid-connect-core-1_0.html";

/// All of them, in the order in which they are shown.
pub(super) const TYPES: &[ProviderType] = &[
    ProviderType {
        id: "okta",
        name: "Okta",
        description: "Okta Workforce Identity.",
        registration: Registration::WithToken,
        setup_complexity: "simple",
        vendor_type: "cloud",
        documentation_url: "https://developer.okta.com/docs/guides/",
        default_issuer: None,
        issuer_template: Some("https://{domain}.okta.com"),
    },
    ProviderType {
        id: "entra-id",
        name: "Microsoft Entra ID",
        description: "Microsoft Entra ID, formerly Azure Active Directory.",
        registration: Registration::ByHand,
        setup_complexity: "moderate",
        vendor_type: "cloud",
        documentation_url: "https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc",
        default_issuer: None,
        issuer_template: Some("https://login.microsoftonline.com/{tenant}/v2.0"),
    },
    ProviderType {
        id: "google",
        name: "Google Workspace",
        description: "Accounts of Google Workspace.",
        registration: Registration::ByHand,
        setup_complexity: "simple",
        vendor_type: "cloud",
        documentation_url: "https://developers.google.com/identity/openid-connect/openid-connect",
        default_issuer: Some("https://accounts.google.com"),
        issuer_template: None,
    },
    ProviderType {
        id: "auth0",
        name: "Auth0",
        description: "Auth0 by Okta.",
        registration: Registration::Open,
        setup_complexity: "simple",
        vendor_type: "cloud",
        documentation_url: "https://auth0.com/docs/get-started/applications/dynamic-client-registration",
        default_issuer: None,
        issuer_template: Some("https://{domain}.auth0.com/"),
    },
    ProviderType {
        id: "keycloak",
        name: "Keycloak",
        description: "A realm of a Keycloak server.",
        registration: Registration::WithToken,
        setup_complexity: "moderate",
        vendor_type: "self_hosted",
        documentation_url: "https://www.keycloak.org/securing-apps/client-registration",
        default_issuer: None,
        issuer_template: Some("https://{host}/realms/{realm}"),
    },
    ProviderType {
        id: "oidc",
        name: "OpenID Connect",
        description: "Any other provider that keeps to OpenID Connect Core and Discovery.",
        registration: Registration::Open,
        setup_complexity: "moderate",
        vendor_type: "generic",
        documentation_url: STANDARD,
        default_issuer: None,
        issuer_template: None,
    },
];

/// The type with an id; `field` is named when there is none.
pub(super) fn find(id: &str, field: &str) -> Result<&'static ProviderType> {
    let found = TYPES.iter().find(|kind| kind.id == id);
    found.ok_or_else(|| {
        Error::invalid(field, "is no type of identity provider; GET /auth/identity-provider-types lists them")
    })
}
