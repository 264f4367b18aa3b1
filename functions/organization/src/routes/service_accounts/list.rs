//! `GET /org/service-accounts`: the machine identities of the organization.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{App, MarkerPage, MarkerQuery, Permitted, Query, Result};
use mainsheet_auth::needs::CanManageServiceAccounts;
use mainsheet_core::service_account::ServiceAccount;

/// List service accounts
///
/// In the order of their creation.
#[utoipa::path(
    get, path = "/org/service-accounts", operation_id = "listServiceAccounts", tag = "service-accounts",
    params(MarkerQuery),
    responses((status = 200, description = "Some of the service accounts.", body = MarkerPage<ServiceAccount>)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageServiceAccounts")))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Permitted<CanManageServiceAccounts>,
    Query(query): Query<MarkerQuery>,
) -> Result<Json<MarkerPage<ServiceAccount>>> {
    let page = app.store.service_accounts(caller.tenant(), &query.request()).await?;
    Ok(Json(page.map(|row| row.value).into()))
}
