//! Policies: what one person, team or service account was given over the organization, besides roles.

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod set;

use std::str::FromStr;

use mainsheet_api::App;
use mainsheet_auth::Caller;
use mainsheet_core::{Error, MemberId, Result, Timestamp};
use mainsheet_store::Row;
use mainsheet_store::policies::{Grants, Policy, Principal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What one principal was given.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrganizationPolicy {
    principal: PrincipalView,
    /// Relations, in the order of their names.
    permissions: Vec<String>,
    /// When it ends by itself; never when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Whom a policy is for. A member is shown as the user they are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PrincipalView {
    #[serde(rename = "type")]
    kind: PrincipalKind,
    #[schema(pattern = "^[A-Z0-9]{1,20}$")]
    id: String,
}

/// The kinds of principals.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PrincipalKind {
    User,
    Team,
    ServiceAccount,
}

impl From<Policy> for OrganizationPolicy {
    fn from(policy: Policy) -> Self {
        let Grants { permissions, expires_at } = policy.grants;
        let principal = policy.principal.into();
        Self { principal, permissions, expires_at, created_at: policy.created_at, updated_at: policy.updated_at }
    }
}

impl From<Principal> for PrincipalView {
    fn from(principal: Principal) -> Self {
        let (kind, id) = match principal {
            Principal::User(id) => (PrincipalKind::User, id.to_string()),
            Principal::Team(id) => (PrincipalKind::Team, id.to_string()),
            Principal::ServiceAccount(id) => (PrincipalKind::ServiceAccount, id.to_string()),
        };
        Self { kind, id }
    }
}

/// A principal as paths name it.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Named {
    /// A user, team or service account.
    Principal(Principal),
    /// A member: the user they are.
    Member(MemberId),
}

impl TryFrom<String> for Named {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        fn id<T: FromStr>(text: &str) -> std::result::Result<T, String>
        where
            T::Err: ToString,
        {
            text.parse().map_err(|error: T::Err| error.to_string())
        }
        match text.split_once(':') {
            Some(("user", text)) => Ok(Self::Principal(Principal::User(id(text)?))),
            Some(("member", text)) => Ok(Self::Member(id(text)?)),
            Some(("team", text)) => Ok(Self::Principal(Principal::Team(id(text)?))),
            Some(("serviceAccount", text)) => Ok(Self::Principal(Principal::ServiceAccount(id(text)?))),
            _ => Err("must be `user:ID`, `member:ID`, `team:ID` or `serviceAccount:ID`".to_owned()),
        }
    }
}

impl Named {
    /// Whom it means.
    pub(crate) async fn resolve(self, app: &App, caller: &Caller) -> Result<Principal> {
        match self {
            Self::Principal(principal) => Ok(principal),
            Self::Member(member) => {
                let member = app.store.member(caller.tenant(), &member).await?.value.member;
                Ok(Principal::User(member.user_id))
            }
        }
    }
}

/// A principal's policy; absent is [`Error::NotFound`].
pub(crate) async fn load(app: &App, caller: &Caller, named: Named) -> Result<Row<Policy>> {
    let principal = named.resolve(app, caller).await?;
    app.store.policy(caller.tenant(), &principal).await?.ok_or(Error::NotFound)
}
