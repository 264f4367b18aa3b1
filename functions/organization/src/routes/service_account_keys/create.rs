//! `POST /org/service-accounts/{serviceAccount}/keys`: a new key, shown this once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageServiceAccounts;
use mainsheet_auth::service_key::NewServiceKey;
use mainsheet_core::service_account::ServiceAccountKey;
use mainsheet_core::{Error, ServiceAccountId, ServiceAccountKeyId, Timestamp};
use mainsheet_store::service_accounts::MAX_KEYS;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new key.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ServiceAccountKeyCreate {
    /// When it is good no more; never unless given.
    #[garde(skip)]
    expires_at: Option<Timestamp>,
}

/// A new key, with the key itself.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatedServiceAccountKey {
    #[serde(flatten)]
    summary: ServiceAccountKey,
    /// For `Authorization: Bearer`. Shown once; absent when the request is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// Create a key of a service account
///
/// At most 20 keys an account. Whoever makes one can act as the account, so they have to hold what its policy gives it. Asks a
/// person for a password or second factor given within the last 10 minutes; a key makes none that outlives it.
#[utoipa::path(
    post, path = "/org/service-accounts/{serviceAccount}/keys", operation_id = "createServiceAccountKey", tag = "service-accounts",
    params(("serviceAccount" = ServiceAccountId, Path, description = "The service account.")),
    request_body = ServiceAccountKeyCreate,
    responses((status = 201, description = "The new key.", body = CreatedServiceAccountKey)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageServiceAccounts")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Permitted<CanManageServiceAccounts>,
    Path(account): Path<ServiceAccountId>,
    Command { body, idempotent }: Command<ServiceAccountKeyCreate>,
) -> Result<(StatusCode, Json<CreatedServiceAccountKey>)> {
    if let Some(earlier) = idempotent.earlier::<ServiceAccountKeyId>()? {
        let row = app.store.service_account_key(caller.tenant(), &account, &earlier).await?;
        return Ok((StatusCode::CREATED, Json(CreatedServiceAccountKey { summary: row.value, key: None })));
    }
    let (_, keys) = app.store.service_account_and_keys(caller.tenant(), &account).await?;
    let now = app.now();
    caller.require_recent_proof(now)?;
    caller.require_to_issue_key(&keys.value.grants, body.expires_at)?;
    if body.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(Error::invalid("expiresAt", "has passed").into());
    }
    if keys.value.keys.len() >= MAX_KEYS {
        return Err(Error::conflict("too_many_keys", "The service account has 20 keys. Revoke one first.").into());
    }
    let key = NewServiceKey::generate()?;
    let summary = ServiceAccountKey {
        id: ServiceAccountKeyId::generate(now),
        prefix: key.prefix(),
        expires_at: body.expires_at,
        created_at: now,
        updated_at: now,
    };
    app.store
        .change(caller.audit("service_account_key.create", &summary.id))
        .details(None, Some(&summary))
        .create_service_account_key(caller.tenant(), &account, &keys, (&summary, &key.sha256()))
        .idempotent(idempotent.request(), summary.id.as_str())
        .commit()
        .await?;
    let key = Some(key.reveal().to_owned());
    Ok((StatusCode::CREATED, Json(CreatedServiceAccountKey { summary, key })))
}
