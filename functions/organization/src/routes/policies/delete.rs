//! `DELETE /org/policies/{principal}`: one principal's policy ends.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{App, IfMatch, Path, Permitted, Result};
use mainsheet_auth::Caller;
use mainsheet_auth::needs::CanManagePolicies;
use mainsheet_core::Error;
use mainsheet_store::policies::{Grants, Principal};
use mainsheet_store::retry_races;

use crate::routes::policies::Named;

/// Delete a policy
///
/// What roles permit stays.
#[utoipa::path(
    delete, path = "/org/policies/{principal}", operation_id = "deleteOrganizationPolicy", tag = "authorization-policies",
    params(("principal" = String, Path, description = "`user:ID`, `member:ID`, `team:ID` or `serviceAccount:ID`, percent-encoded."), ("If-Match" = Option<String>, Header, description = "The version to delete.")),
    responses((status = 204, description = "It is gone.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManagePolicies")))
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Permitted<CanManagePolicies>,
    Path(principal): Path<Named>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let principal = principal.resolve(&app, &caller).await?;
    retry_races(|| delete_once(&app, &caller, &principal, &if_match)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_once(
    app: &App,
    caller: &Caller,
    principal: &Principal,
    if_match: &IfMatch,
) -> mainsheet_core::Result<()> {
    let tenant = caller.tenant();
    let row = app.store.policy(tenant, principal).await?.ok_or(Error::NotFound)?;
    if_match.check(row.version).map_err(|problem| problem.0)?;
    let change = app.store.change(caller.audit("policy.delete", principal));
    let change = change.details(Some(&row.value.grants), None).delete_policy(&row);
    let change = match principal {
        Principal::User(user) => change.grant_to_user(tenant, user, None),
        Principal::Team(team) => change.grant_to_team(tenant, team, None),
        Principal::ServiceAccount(account) => {
            let (_, keys) = app.store.service_account_and_keys(tenant, account).await?;
            change.grant_to_service_account(&keys, &Grants::default())
        }
    };
    change.commit().await
}
