//! Organizations: the tenants.

use serde::{Deserialize, Serialize};

use crate::{OrganizationId, RoleId, TeamId, Timestamp};

/// A tenant: every resource belongs to exactly one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name in addresses; unique over all organizations.
    #[schema(examples("acme-corp"))]
    pub slug: String,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// How its people sign in, and what their sessions may ask for.
    pub settings: OrganizationSettings,
    /// The team that new members join.
    pub default_team_id: TeamId,
    /// The role that new members get.
    pub default_org_role_id: RoleId,
    /// When it signed up.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Settings of an organization.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct OrganizationSettings {
    /// How its people sign in.
    pub auth: AuthSettings,
    /// What their sessions may ask for.
    pub sessions: SessionSettings,
}

/// How the people of an organization sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AuthSettings {
    /// No access before the address is verified.
    pub require_email_verification: bool,
    /// Sign-in with address and password.
    pub allow_login_with_password: bool,
    /// Sign-in with a mailed one-time code.
    pub allow_login_with_email: bool,
    /// Access tokens bound to the client's key (RFC 9449).
    pub require_dpop: bool,
    /// Refuse passwords known from leaks.
    pub check_breached_passwords: bool,
    /// The authentication context class that is demanded (OpenID Connect Core, `acr`). `mfa` demands a second factor of
    /// whoever signs in, in whichever way; other values are for identity providers alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub acr: Option<String>,
}

/// The `acr` that demands a second factor.
const ACR_OF_SECOND_FACTOR: &str = "mfa";

impl AuthSettings {
    /// Whether a second factor is demanded.
    #[must_use]
    pub fn demands_second_factor(&self) -> bool {
        self.acr.as_deref() == Some(ACR_OF_SECOND_FACTOR)
    }

    /// Whether single sign-on is the one way in.
    #[must_use]
    pub fn is_single_sign_on_only(&self) -> bool {
        !self.allow_login_with_password && !self.allow_login_with_email
    }
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            require_email_verification: true,
            allow_login_with_password: true,
            allow_login_with_email: true,
            require_dpop: false,
            check_breached_passwords: true,
            acr: None,
        }
    }
}

/// What the sessions of an organization may ask for. An absent number means no limit of the organization's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SessionSettings {
    /// Compute instances that may run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running_workloads: Option<u32>,
    /// Clients that may be connected at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_clients: Option<u32>,
    /// Sessions that one member may have at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_sessions_per_member: Option<u32>,
    /// For endpoint types without an entry of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_fallback: Option<SessionEndpointPolicy>,
    /// By endpoint type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_defaults: Option<SessionEndpointPolicies>,
}

/// Session limits by endpoint type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionEndpointPolicies {
    /// Spark Connect endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spark_connect: Option<SessionEndpointPolicy>,
}

/// Session limits of one endpoint type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SessionEndpointPolicy {
    /// Used when a session names no limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defaults: Option<SessionLimits>,
    /// Ceilings on what a session may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximums: Option<SessionLimits>,
}

/// Time limits of a session, in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SessionLimits {
    /// Silence until an active session is idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<u32>,
    /// Further silence until an idle session is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_close_delay_seconds: Option<u32>,
    /// Age at which a session is closed in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration_seconds: Option<u32>,
}
