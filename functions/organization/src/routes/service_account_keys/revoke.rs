//! `DELETE /org/service-accounts/{serviceAccount}/keys/{key}`: a key's end.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageServiceAccounts;
use mainsheet_core::{ServiceAccountId, ServiceAccountKeyId};

/// Revoke a key of a service account
///
/// Requests with it are refused from the next one on. Asks a person for a password or second factor given within the last 10
/// minutes.
#[utoipa::path(
    delete, path = "/org/service-accounts/{serviceAccount}/keys/{key}", operation_id = "revokeServiceAccountKey", tag = "service-accounts",
    params(("serviceAccount" = ServiceAccountId, Path, description = "The service account."), ("key" = ServiceAccountKeyId, Path, description = "The key.")),
    responses((status = 204, description = "It is void.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageServiceAccounts")))
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Permitted<CanManageServiceAccounts>,
    Path((account, key)): Path<(ServiceAccountId, ServiceAccountKeyId)>,
) -> Result<StatusCode> {
    caller.require_recent_proof(app.now())?;
    let (_, keys) = app.store.service_account_and_keys(caller.tenant(), &account).await?;
    app.store
        .change(caller.audit("service_account_key.revoke", &key))
        .revoke_service_account_key(caller.tenant(), &account, &keys, &key)
        .commit()
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
