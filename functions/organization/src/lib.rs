//! `/org/*`: the organization, its members, invitations, teams and roles, the accounts of its people, service accounts,
//! policies and the audit log.

mod access;
mod mails;
mod passwords;
mod routes;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use mainsheet_api::{App, Document, Routes, routes};
use mainsheet_auth::keys::{KeyRing, SigningKey};

use routes::audit::checkpoint::CheckpointState;
use routes::{
    audit, invitations, members, organization, policies, roles, service_account_keys, service_accounts, team_members,
    teams, users,
};

/// The state of this function's routes.
#[derive(Debug, Clone)]
pub struct OrganizationState {
    app: App,
    link_key: Arc<SigningKey>,
    mail_links: KeyRing,
    public_url: String,
}

impl OrganizationState {
    /// `link_key` signs the tokens of invitations' links, which begin with `public_url` (no path, no slash at its end);
    /// `mail_links` checks them.
    #[must_use]
    pub fn new(app: App, link_key: Arc<SigningKey>, mail_links: KeyRing, public_url: String) -> Self {
        Self { app, link_key, mail_links, public_url }
    }
}

impl FromRef<OrganizationState> for App {
    fn from_ref(state: &OrganizationState) -> Self {
        state.app.clone()
    }
}

/// Answers this function's routes. `audit_key` signs the checkpoints of audit logs.
pub fn router(state: OrganizationState, audit_key: Arc<SigningKey>) -> Router {
    let checkpoints = CheckpointState { app: state.app.clone(), key: audit_key };
    routes(Router::new()).with_state(state).merge(checkpoint_routes(Router::new()).with_state(checkpoints))
}

/// What the OpenAPI document says of them.
#[must_use]
pub fn document() -> Document {
    checkpoint_routes(routes(Document::default()))
}

fn checkpoint_routes<R: Routes<CheckpointState>>(routes: R) -> R {
    routes.routes(routes!(audit::checkpoint::checkpoint))
}

fn routes<R: Routes<OrganizationState>>(routes: R) -> R {
    routes
        .routes(routes!(organization::get::get, organization::update::update))
        .routes(routes!(members::search::search))
        .routes(routes!(members::get::get, members::update::update, members::remove::remove))
        .routes(routes!(members::set_roles::set_roles))
        .routes(routes!(invitations::list::list, invitations::create::create))
        .routes(routes!(invitations::get::get, invitations::cancel::cancel))
        .routes(routes!(invitations::accept::accept))
        .routes(routes!(teams::list::list, teams::create::create))
        .routes(routes!(teams::get::get, teams::update::update, teams::delete::delete))
        .routes(routes!(team_members::list::list))
        .routes(routes!(team_members::add::add, team_members::remove::remove))
        .routes(routes!(team_members::set_roles::set_roles))
        .routes(routes!(roles::list::list))
        .routes(routes!(roles::get::get))
        .routes(routes!(roles::list_team_roles::list))
        .routes(routes!(roles::get_team_role::get))
        .routes(routes!(users::list::list, users::create::create))
        .routes(routes!(users::get::get, users::update::update, users::delete::delete))
        .routes(routes!(users::reset_mfa::reset_mfa))
        .routes(routes!(users::change_password::change_password))
        .routes(routes!(users::reset_password::reset_password))
        .routes(routes!(service_accounts::list::list, service_accounts::create::create))
        .routes(routes!(service_accounts::get::get, service_accounts::update::update, service_accounts::delete::delete))
        .routes(routes!(service_account_keys::list::list, service_account_keys::create::create))
        .routes(routes!(service_account_keys::get::get, service_account_keys::revoke::revoke))
        .routes(routes!(policies::list::list))
        .routes(routes!(policies::get::get, policies::set::set, policies::delete::delete))
        .routes(routes!(audit::list::list))
        .routes(routes!(audit::blocks::blocks))
}
