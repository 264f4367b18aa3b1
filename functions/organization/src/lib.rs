//! `/org/*`: the organization, its teams, service accounts, policies and audit log.

mod routes;

use std::sync::Arc;

use mainsheet_api::App;
use mainsheet_auth::keys::SigningKey;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use routes::audit::checkpoint::CheckpointState;
use routes::{audit, organization, policies, service_account_keys, service_accounts, teams};

/// The routes of this function. `audit_key` signs the checkpoints of audit logs.
pub fn router(app: App, audit_key: Arc<SigningKey>) -> OpenApiRouter {
    let checkpoints = OpenApiRouter::new()
        .routes(routes!(audit::checkpoint::checkpoint))
        .with_state(CheckpointState { app: app.clone(), key: audit_key });
    OpenApiRouter::new()
        .routes(routes!(organization::get::get, organization::update::update))
        .routes(routes!(teams::list::list, teams::create::create))
        .routes(routes!(teams::get::get))
        .routes(routes!(service_accounts::list::list, service_accounts::create::create))
        .routes(routes!(service_accounts::get::get, service_accounts::update::update, service_accounts::delete::delete))
        .routes(routes!(service_account_keys::list::list, service_account_keys::create::create))
        .routes(routes!(service_account_keys::get::get, service_account_keys::revoke::revoke))
        .routes(routes!(policies::list::list))
        .routes(routes!(policies::get::get, policies::set::set, policies::delete::delete))
        .routes(routes!(audit::list::list))
        .routes(routes!(audit::blocks::blocks))
        .with_state(app)
        .merge(checkpoints)
}
