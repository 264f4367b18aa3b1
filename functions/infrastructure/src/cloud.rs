//! The way into customers' accounts, for what is looked up while somebody waits. What is built there is the workflows' business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mainsheet_auth::Caller;
use mainsheet_auth::sealed::{Context, Sealer};
use mainsheet_cloud::account::{Access, CloudAccount, CloudAccounts, CloudError, CloudResult};
use mainsheet_core::connection::{Connection, EXTERNAL_ID_FIELD, RoleArn};
use mainsheet_core::region::Region;
use mainsheet_core::{Error, Result};
use secrecy::SecretString;

/// How long to leave a provider alone that asks for patience and does not say for how long.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a look into an account may take with all of its calls, while somebody waits for it: less than the function has
/// (`template.yaml`), and that less than API Gateway waits for it.
pub const LOOK: Duration = Duration::from_secs(22);

/// Enters accounts, with the external ids that connections keep.
#[derive(Clone)]
pub struct Cloud {
    /// Where accounts are.
    pub accounts: Arc<dyn CloudAccounts>,
    /// Opens external ids.
    pub sealer: Arc<Sealer>,
    /// Who the platform is in its own cloud, as an ARN: what customers' roles trust.
    pub principal_arn: String,
    /// Where CloudFormation finds the connection's template.
    pub template_url: String,
    /// Where people reach the API, without a slash at its end.
    pub public_url: String,
}

impl fmt::Debug for Cloud {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cloud").field("principal_arn", &self.principal_arn).finish_non_exhaustive()
    }
}

impl Cloud {
    /// Enters an active connection's account in a region.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the connection is not active, or its role lets nobody in.
    pub(crate) async fn enter(
        &self,
        caller: &Caller,
        connection: &Connection,
        region: Option<&Region>,
    ) -> Result<Arc<dyn CloudAccount>> {
        connection.require_active()?;
        let role = connection.role_arn.as_ref();
        let role = role.ok_or_else(|| Error::internal("an active connection without a role"))?;
        let account = self.try_role(caller, connection, role, region).await?;
        account.map_err(refused)
    }

    /// Tries whether a role lets the platform in. The outer error is ours, the inner one the account's.
    pub(crate) async fn try_role(
        &self,
        caller: &Caller,
        connection: &Connection,
        role: &RoleArn,
        region: Option<&Region>,
    ) -> Result<Result<Arc<dyn CloudAccount>, CloudError>> {
        let access = Access {
            role_arn: role.clone(),
            external_id: self.external_id(caller, connection)?,
            region: region.unwrap_or(&connection.region).clone(),
            session_name: session_name(caller),
        };
        Ok(self.accounts.open(&access).await)
    }

    /// Whether a role lets the platform in for whoever knows the role's name: with an external id that is no connection's. Then
    /// every other organization could have it entered, too (AWS, the confused deputy problem). The outer error is ours, the inner
    /// one the account's.
    pub(crate) async fn is_open_to_all(
        &self,
        caller: &Caller,
        connection: &Connection,
        role: &RoleArn,
    ) -> Result<CloudResult<bool>> {
        let access = Access {
            role_arn: role.clone(),
            external_id: random_external_id()?,
            region: connection.region.clone(),
            session_name: session_name(caller),
        };
        Ok(match self.accounts.open(&access).await {
            Ok(_) => Ok(true),
            Err(CloudError::RoleNotAssumable { .. }) => Ok(false),
            Err(error) => Err(error),
        })
    }

    /// The platform's own account.
    pub(crate) fn account_id(&self) -> &str {
        self.principal_arn.split(':').nth(4).unwrap_or_default()
    }

    /// A connection's external id.
    pub(crate) fn external_id(&self, caller: &Caller, connection: &Connection) -> Result<SecretString> {
        let context = Context::organization(caller.tenant().organization_id(), EXTERNAL_ID_FIELD);
        self.sealer.open(&context, &connection.external_id)
    }
}

/// What a look into an account finds, in time. One that is given up has changed nothing: looks make nothing.
///
/// # Errors
/// [`Error::ProviderUnavailable`] after [`LOOK`]; those of the look.
pub(crate) async fn in_time<T>(look: impl Future<Output = Result<T>>) -> Result<T> {
    within(LOOK, look).await
}

async fn within<T>(patience: Duration, look: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::provider_unavailable(format!("a customer's account was looked at for {patience:?}"));
    tokio::time::timeout(patience, look).await.map_err(late)?
}

/// A random UUID (RFC 9562, version 4).
pub(crate) fn random_external_id() -> Result<SecretString> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string().into())
}

/// What a request is called in the customer's audit trail.
fn session_name(caller: &Caller) -> String {
    let request = caller.subject.origin().request_id.as_ref();
    request.map_or_else(|| "mainsheet".to_owned(), |request| format!("mainsheet-{request}"))
}

/// What an account's refusal means to whoever asked for a look at it.
pub(crate) fn refused(error: CloudError) -> Error {
    let text = describe_of_active(&error);
    match error {
        CloudError::RoleNotAssumable { .. } => Error::conflict("role_not_assumable", text),
        CloudError::AccessDenied { .. } => Error::conflict("permission_missing", text),
        CloudError::QuotaExceeded { .. } => Error::conflict("quota_exceeded", text),
        CloudError::RegionUnavailable { .. } => Error::conflict("region_unavailable", text),
        CloudError::NotFound { .. } => Error::conflict("not_there", text),
        CloudError::AlreadyExists { .. } | CloudError::Conflict { .. } => Error::conflict("in_the_way", text),
        CloudError::Throttled { retry_after } => {
            Error::TooManyRequests { retry_after: retry_after.unwrap_or(PATIENCE) }
        }
        CloudError::Unavailable { message } => Error::provider_unavailable(message),
        CloudError::Invalid { message } => Error::internal(message),
    }
}

/// [`describe`] where the connection is still `active`, so that its template does not tell the external id.
pub(crate) fn describe_of_active(error: &CloudError) -> String {
    let text = describe(error);
    match error {
        CloudError::RoleNotAssumable { .. } => {
            format!("{text} Its external id is in the template again once verifying the connection has failed.")
        }
        _ => text,
    }
}

/// What was wrong and what to do, for people.
pub(crate) fn describe(error: &CloudError) -> String {
    match error {
        CloudError::RoleNotAssumable { role_arn, .. } => format!(
            "The role {role_arn} cannot be assumed: it is gone, or does not trust the platform with this connection's external \
             id. Deploy the connection's template again, and verify the role that it creates."
        ),
        CloudError::AccessDenied { action, .. } => format!(
            "The role does not permit `{action}`. Bring its stack to the newest template, and look for a policy of your \
             organization that denies it."
        ),
        CloudError::QuotaExceeded { quota, .. } => {
            format!(
                "The account's quota \"{quota}\" is used up. Ask AWS Service Quotas for more, or remove what is not needed."
            )
        }
        CloudError::RegionUnavailable { region } => {
            format!("The account has not enabled the region {region}. Enable it, or choose another one.")
        }
        CloudError::NotFound { what } => format!("There is no {what} in the account."),
        CloudError::AlreadyExists { what } => {
            format!("There is a {what} in the account that the platform did not make.")
        }
        CloudError::Conflict { message } | CloudError::Invalid { message } => message.clone(),
        CloudError::Throttled { .. } | CloudError::Unavailable { .. } => {
            "AWS does not answer at the moment. Try again later.".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_an_account_is_told_in_time_to_try_again() {
        let late = within(Duration::ZERO, pending::<Result<()>>()).await.unwrap_err();
        assert!(matches!(late, Error::ProviderUnavailable { .. }) && late.is_retryable(), "{late}");
        assert_eq!(within(Duration::ZERO, ready(Ok(1))).await, Ok(1));
    }
}
