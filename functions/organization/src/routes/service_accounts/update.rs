//! `PATCH /org/service-accounts/{serviceAccount}`: change what is given.

use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Body, IfMatch, Path, Permitted, Result, Tagged, text};
use mainsheet_auth::needs::CanManageServiceAccounts;
use mainsheet_core::ServiceAccountId;
use mainsheet_core::service_account::ServiceAccount;
use serde::Deserialize;
use utoipa::ToSchema;

/// What to change of a service account. What is absent stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ServiceAccountUpdate {
    /// Its name; unique in the organization, without regard to case.
    #[garde(inner(length(chars, min = 1, max = 255)), custom(text::optional_line))]
    #[schema(min_length = 1, max_length = 255)]
    username: Option<String>,
    /// What it is for.
    #[garde(inner(length(chars, max = 1023)), custom(text::optional_lines))]
    #[schema(max_length = 1023)]
    description: Option<String>,
}

/// Change a service account
#[utoipa::path(
    patch, path = "/org/service-accounts/{serviceAccount}", operation_id = "updateServiceAccount", tag = "service-accounts",
    params(("serviceAccount" = ServiceAccountId, Path, description = "The service account."), ("If-Match" = Option<String>, Header, description = "The version to change.")),
    request_body = ServiceAccountUpdate,
    responses((status = 200, description = "The changed service account.", body = ServiceAccount, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageServiceAccounts")))
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Permitted<CanManageServiceAccounts>,
    Path(account): Path<ServiceAccountId>,
    if_match: IfMatch,
    Body(body): Body<ServiceAccountUpdate>,
) -> Result<Tagged<ServiceAccount>> {
    let row = app.store.service_account(caller.tenant(), &account).await?;
    if_match.check(row.version)?;
    let change = app.store.change(caller.audit("service_account.update", &account));
    let mut account = row.value.clone();
    account.username = body.username.unwrap_or(account.username);
    account.description = body.description.unwrap_or(account.description);
    account.updated_at = change.now();
    account.updated_by = caller.member_id().clone();
    change
        .details(Some(&row.value), Some(&account))
        .replace_service_account(caller.tenant(), &row, &account)
        .commit()
        .await?;
    Ok(Tagged { body: account, version: row.version + 1 })
}
