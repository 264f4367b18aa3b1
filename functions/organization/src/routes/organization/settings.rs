//! What of an organization's settings is to change: each field on its own, so that one who turns one thing on turns nothing
//! else back.

use garde::Validate;
use mainsheet_api::text;
use mainsheet_core::organization::{
    AuthSettings, OrganizationSettings, SessionEndpointPolicies, SessionEndpointPolicy, SessionSettings,
};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// Settings to change. What is absent stays; `null` sets back what may be unset.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SettingsUpdate {
    /// How its people sign in.
    #[garde(dive)]
    auth: Option<AuthSettingsUpdate>,
    /// What their sessions may ask for.
    #[garde(skip)]
    sessions: Option<SessionSettingsUpdate>,
}

/// How the people of an organization sign in: what is to change.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AuthSettingsUpdate {
    /// No access before the address is verified.
    #[garde(skip)]
    require_email_verification: Option<bool>,
    /// Sign-in with address and password.
    #[garde(skip)]
    allow_login_with_password: Option<bool>,
    /// Sign-in with a mailed one-time code.
    #[garde(skip)]
    allow_login_with_email: Option<bool>,
    /// Access tokens bound to the client's key (RFC 9449).
    #[garde(skip)]
    require_dpop: Option<bool>,
    /// Refuse passwords known from leaks.
    #[garde(skip)]
    check_breached_passwords: Option<bool>,
    /// The authentication context class that is demanded (OpenID Connect Core, `acr`).
    #[serde(default, deserialize_with = "given")]
    #[garde(inner(inner(length(chars, min = 1, max = 255)), custom(text::optional_line)))]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    acr: Option<Option<String>>,
}

/// What the sessions of an organization may ask for: what is to change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SessionSettingsUpdate {
    /// Compute instances that may run at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    max_running_workloads: Option<Option<u32>>,
    /// Clients that may be connected at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    max_concurrent_clients: Option<Option<u32>>,
    /// Sessions that one member may have at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    max_concurrent_sessions_per_member: Option<Option<u32>>,
    /// For endpoint types without an entry of their own; takes the place of the whole policy.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<SessionEndpointPolicy>)]
    endpoint_fallback: Option<Option<SessionEndpointPolicy>>,
    /// By endpoint type; takes the place of all of them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<SessionEndpointPolicies>)]
    endpoint_defaults: Option<Option<SessionEndpointPolicies>>,
}

/// Tells `null`, which unsets, from what is absent, which stays.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl SettingsUpdate {
    /// The settings after the change.
    pub(crate) fn applied_to(self, before: OrganizationSettings) -> OrganizationSettings {
        OrganizationSettings {
            auth: self.auth.unwrap_or_default().applied_to(before.auth),
            sessions: self.sessions.unwrap_or_default().applied_to(before.sessions),
        }
    }
}

impl AuthSettingsUpdate {
    fn applied_to(self, before: AuthSettings) -> AuthSettings {
        AuthSettings {
            require_email_verification: self.require_email_verification.unwrap_or(before.require_email_verification),
            allow_login_with_password: self.allow_login_with_password.unwrap_or(before.allow_login_with_password),
            allow_login_with_email: self.allow_login_with_email.unwrap_or(before.allow_login_with_email),
            require_dpop: self.require_dpop.unwrap_or(before.require_dpop),
            check_breached_passwords: self.check_breached_passwords.unwrap_or(before.check_breached_passwords),
            acr: self.acr.unwrap_or(before.acr),
        }
    }
}

impl SessionSettingsUpdate {
    fn applied_to(self, before: SessionSettings) -> SessionSettings {
        SessionSettings {
            max_running_workloads: self.max_running_workloads.unwrap_or(before.max_running_workloads),
            max_concurrent_clients: self.max_concurrent_clients.unwrap_or(before.max_concurrent_clients),
            max_concurrent_sessions_per_member: self
                .max_concurrent_sessions_per_member
                .unwrap_or(before.max_concurrent_sessions_per_member),
            endpoint_fallback: self.endpoint_fallback.unwrap_or(before.endpoint_fallback),
            endpoint_defaults: self.endpoint_defaults.unwrap_or(before.endpoint_defaults),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn after(before: OrganizationSettings, update: Value) -> OrganizationSettings {
        let update: SettingsUpdate = serde_json::from_value(update).unwrap();
        update.validate().unwrap();
        update.applied_to(before)
    }

    #[test]
    fn what_is_absent_stays_and_null_unsets() {
        let strict = json!({ "auth": { "allowLoginWithPassword": false, "acr": "gold" }, "sessions": { "maxConcurrentClients": 5 } });
        let strict = after(OrganizationSettings::default(), strict);
        assert_eq!(after(strict.clone(), json!({})), strict);
        assert_eq!(after(strict.clone(), json!({ "auth": {}, "sessions": {} })), strict);

        let verified = after(strict.clone(), json!({ "auth": { "requireEmailVerification": false } }));
        assert!(!verified.auth.allow_login_with_password && !verified.auth.require_email_verification);
        assert_eq!((verified.auth.acr.as_deref(), &verified.sessions), (Some("gold"), &strict.sessions));

        let unset = after(strict, json!({ "auth": { "acr": null }, "sessions": { "maxConcurrentClients": null } }));
        assert_eq!((unset.auth.acr, unset.sessions), (None, SessionSettings::default()));
    }

    #[test]
    fn an_acr_is_a_line_of_some_length() {
        for acr in ["", " ", "a\nb", &"a".repeat(256)] {
            let update: SettingsUpdate = serde_json::from_value(json!({ "auth": { "acr": acr } })).unwrap();
            let report = update.validate().unwrap_err().to_string();
            assert!(report.starts_with("auth.acr"), "{report}");
        }
    }
}
