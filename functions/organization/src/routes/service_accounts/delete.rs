//! `DELETE /org/service-accounts/{serviceAccount}`: a machine identity's end.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageServiceAccounts;
use mainsheet_core::ServiceAccountId;

/// Delete a service account
///
/// Its keys are void at once, and its policy goes with it.
#[utoipa::path(
    delete, path = "/org/service-accounts/{serviceAccount}", operation_id = "deleteServiceAccount", tag = "service-accounts",
    params(("serviceAccount" = ServiceAccountId, Path, description = "The service account."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageServiceAccounts")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Permitted<CanManageServiceAccounts>,
    Path(account): Path<ServiceAccountId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let (row, keys) = app.store.service_account_and_keys(caller.tenant(), &account).await?;
    if_match.check(row.version)?;
    app.store
        .change(caller.audit("service_account.delete", &account))
        .details(Some(&row.value), None)
        .delete_service_account(caller.tenant(), &row, &keys)
        .commit()
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
