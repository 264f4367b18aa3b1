//! `GET /org/service-accounts/{serviceAccount}/keys`: its keys, without the keys themselves.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerPage, MarkerQuery, Path, Permitted, Query, Result};
use mainsheet_auth::needs::CanManageServiceAccounts;
use mainsheet_core::ServiceAccountId;

use crate::routes::service_account_keys::ServiceAccountKeySummary;

/// List the keys of a service account
///
/// Oldest first; expired ones stay until they are revoked.
#[utoipa::path(
    get, path = "/org/service-accounts/{serviceAccount}/keys", operation_id = "listServiceAccountKeys", tag = "service-accounts",
    params(("serviceAccount" = ServiceAccountId, Path, description = "The service account."), MarkerQuery),
    responses((status = 200, description = "Some of the keys.", body = MarkerPage<ServiceAccountKeySummary>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageServiceAccounts")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanManageServiceAccounts>,
    Path(account): Path<ServiceAccountId>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<MarkerPage<ServiceAccountKeySummary>>> {
    let page = app.store.service_account_keys(caller.tenant(), &account, &query.request()).await?;
    Ok(Json(page.map(ServiceAccountKeySummary::from).into()))
}
