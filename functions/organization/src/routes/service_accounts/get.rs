//! `GET /org/service-accounts/{serviceAccount}`: one machine identity.

use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result, Tagged};
use mainsheet_auth::needs::CanManageServiceAccounts;
use mainsheet_core::ServiceAccountId;
use mainsheet_core::service_account::ServiceAccount;

/// Show a service account
#[utoipa::path(
    get, path = "/org/service-accounts/{serviceAccount}", operation_id = "getServiceAccount", tag = "service-accounts",
    params(("serviceAccount" = ServiceAccountId, Path, description = "The service account.")),
    responses((status = 200, description = "The service account.", body = ServiceAccount, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageServiceAccounts")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Permitted<CanManageServiceAccounts>,
    Path(account): Path<ServiceAccountId>,
) -> Result<Tagged<ServiceAccount>> {
    let row = app.store.service_account(caller.tenant(), &account).await?;
    Ok(Tagged { body: row.value, version: row.version })
}
