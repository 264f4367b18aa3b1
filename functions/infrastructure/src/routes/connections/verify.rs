//! `POST /infra/connections/{connection}/verify`: try the role that the template created.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Command, Path, Permitted, Result, Tagged};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManageConnections;
use mainsheet_cloud::account::{CloudError, Verification};
use mainsheet_core::connection::{Connection, ConnectionEvent, RoleArn};
use mainsheet_core::{ConnectionId, Error};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::cloud::{Cloud, describe, in_time, refused};
use crate::view::connection::ConnectionView;

/// Which role is tried.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConnectionVerify {
    /// The role that the stack created: its output `RoleArn`. It is in the connection's account, where that is known, and demands
    /// the connection's external id.
    #[garde(skip)]
    role_arn: RoleArn,
}

/// Verify a connection's role
///
/// A role that lets the platform in makes the connection `active`; one that does not makes it `failed`, and `statusMessage` says
/// why. It may be repeated.
#[utoipa::path(
    post, path = "/infra/connections/{connection}/verify", operation_id = "verifyConnection", tag = "connections",
    params(("connection" = ConnectionId, Path, description = "The connection.")),
    request_body = ConnectionVerify,
    responses((status = 200, description = "The connection, `active` or `failed`.", body = ConnectionView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageConnections")))
)]
pub(crate) async fn verify(
    State(app): State<App>,
    State(cloud): State<Cloud>,
    caller: Permitted<CanManageConnections>,
    Path(id): Path<ConnectionId>,
    Command { body, idempotent }: Command<ConnectionVerify>,
) -> Result<Tagged<ConnectionView>> {
    let row = app.store.connection(caller.tenant(), &id).await?;
    if idempotent.earlier::<ConnectionId>()?.is_some() {
        return Ok(Tagged { body: ConnectionView::from(&row), version: row.version });
    }
    require_account(&cloud, &row.value, &body.role_arn)?;
    let found = in_time(try_role(&cloud, &caller, &row.value, &body.role_arn)).await?;
    let change = app.store.change(caller.audit("connection.verify", &id));
    let (mut connection, now) = (row.value.clone(), change.now());
    match found {
        Ok(verification) => {
            connection.account_id = Some(body.role_arn.account_id());
            connection.role_arn = Some(body.role_arn);
            connection.stack_arn = verification.stack_arn;
            connection.boundary_name = verification.boundary_name;
            connection.apply(ConnectionEvent::Verify, None, now);
        }
        // What works is not given up for a role that does not.
        Err(message) if connection.role_arn.as_ref().is_some_and(|known| *known != body.role_arn) => {
            return Err(Error::conflict("role_not_verified", message).into());
        }
        Err(message) => connection.apply(ConnectionEvent::Refuse, Some(message), now),
    }
    connection.updated_by = caller.member_id().clone();
    change.replace_used_connection(&row, &connection).idempotent(idempotent.request(), id.as_str()).commit().await?;
    Ok(Tagged { body: ConnectionView::with(&connection, Some(now)), version: row.version + 1 })
}

/// The role is in the connection's account, and not in the platform's own, whose roles are for itself alone.
fn require_account(cloud: &Cloud, connection: &Connection, role: &RoleArn) -> mainsheet_core::Result<()> {
    let account = role.account_id();
    if account.as_str() == cloud.account_id() {
        return Err(Error::invalid("roleArn", "must be a role of your own account: this one is in the platform's"));
    }
    match &connection.account_id {
        Some(known) if *known != account => {
            Err(Error::invalid("roleArn", format!("must be a role of the connection's account, which is {known}")))
        }
        _ => Ok(()),
    }
}

/// What is found in the account; the inner error says for people why the role is no good.
async fn try_role(
    cloud: &Cloud,
    caller: &Caller,
    connection: &Connection,
    role: &RoleArn,
) -> mainsheet_core::Result<Result<Verification, String>> {
    let account = match cloud.try_role(caller, connection, role, None).await? {
        Ok(account) => account,
        Err(error) => return no_good(error),
    };
    match cloud.is_open_to_all(caller, connection, role).await? {
        Ok(false) => {}
        Ok(true) => return Ok(Err(open_to_all(role))),
        Err(error) => return no_good(error),
    }
    match account.verify().await {
        Ok(verification) if verification.account_id != role.account_id() => {
            Ok(Err(format!("The role leads into the account {}, which is not its own.", verification.account_id)))
        }
        Ok(verification) if !verification.missing_actions.is_empty() => Ok(Err(missing(&verification))),
        Ok(verification) => Ok(Ok(verification)),
        Err(error) => no_good(error),
    }
}

/// Why a role is no good, unless nothing was found out about it.
fn no_good<T>(error: CloudError) -> mainsheet_core::Result<Result<T, String>> {
    match error {
        CloudError::Throttled { .. } | CloudError::Unavailable { .. } => Err(refused(error)),
        error => Ok(Err(describe(&error))),
    }
}

fn open_to_all(role: &RoleArn) -> String {
    format!(
        "The role {role} lets the platform in without this connection's external id, so whoever knows the role's name could connect \
         your account. Have its trust policy demand `sts:ExternalId`, as the connection's template does, and verify it again."
    )
}

fn missing(verification: &Verification) -> String {
    let shown = 10;
    let named: Vec<&str> = verification.missing_actions.iter().take(shown).map(String::as_str).collect();
    let more = match verification.missing_actions.len().saturating_sub(shown) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "The role does not permit {}{more}. Bring its stack to the newest template, and look for a policy of your organization \
         that denies it.",
        named.join(", ")
    )
}
