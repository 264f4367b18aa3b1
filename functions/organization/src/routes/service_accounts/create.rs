//! `POST /org/service-accounts`: a new machine identity.

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Permitted, Result, Tagged, created, text};
use mainsheet_auth::needs::CanManageServiceAccounts;
use mainsheet_core::ServiceAccountId;
use mainsheet_core::service_account::ServiceAccount;
use serde::Deserialize;
use utoipa::ToSchema;

/// A new service account.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ServiceAccountCreate {
    /// Its name; unique in the organization, without regard to case.
    #[garde(length(chars, min = 1, max = 255), custom(text::line))]
    #[schema(min_length = 1, max_length = 255, examples("ci-deploy-bot"))]
    username: String,
    /// What it is for.
    #[garde(length(chars, max = 1023), custom(text::lines))]
    #[schema(max_length = 1023)]
    description: String,
}

/// Create a service account
///
/// It may do nothing before a policy says so, and needs a key to call.
#[utoipa::path(
    post, path = "/org/service-accounts", operation_id = "createServiceAccount", tag = "service-accounts",
    request_body = ServiceAccountCreate,
    responses((status = 201, description = "The new service account.", body = ServiceAccount, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageServiceAccounts")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Permitted<CanManageServiceAccounts>,
    Command { body, idempotent }: Command<ServiceAccountCreate>,
) -> Result<(StatusCode, Tagged<ServiceAccount>)> {
    if let Some(earlier) = idempotent.earlier::<ServiceAccountId>()? {
        let row = app.store.service_account(caller.tenant(), &earlier).await?;
        return Ok(created(row.value, row.version));
    }
    let now = app.now();
    let account = ServiceAccount {
        id: ServiceAccountId::generate(now),
        username: body.username,
        description: body.description,
        created_at: now,
        created_by: caller.member_id().clone(),
        updated_at: now,
        updated_by: caller.member_id().clone(),
    };
    app.store
        .change(caller.audit("service_account.create", &account.id))
        .details(None, Some(&account))
        .create_service_account(caller.tenant(), &account)
        .idempotent(idempotent.request(), account.id.as_str())
        .commit()
        .await?;
    Ok(created(account, 1))
}
