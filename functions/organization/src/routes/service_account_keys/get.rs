//! `GET /org/service-accounts/{serviceAccount}/keys/{key}`: one key, without the key itself.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, Path, Permitted, Result};
use mainsheet_auth::needs::CanManageServiceAccounts;
use mainsheet_core::{ServiceAccountId, ServiceAccountKeyId};

use crate::routes::service_account_keys::ServiceAccountKeySummary;

/// Show a key of a service account
#[utoipa::path(
    get, path = "/org/service-accounts/{serviceAccount}/keys/{key}", operation_id = "getServiceAccountKey", tag = "service-accounts",
    params(("serviceAccount" = ServiceAccountId, Path, description = "The service account."), ("key" = ServiceAccountKeyId, Path, description = "The key.")),
    responses((status = 200, description = "The key.", body = ServiceAccountKeySummary)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageServiceAccounts")))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Permitted<CanManageServiceAccounts>,
    Path((account, key)): Path<(ServiceAccountId, ServiceAccountKeyId)>,
) -> Result<Json<ServiceAccountKeySummary>> {
    Ok(Json(app.store.service_account_key(caller.tenant(), &account, &key).await?.into()))
}
