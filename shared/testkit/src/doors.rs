//! Doors that only tests have: what no endpoint offers yet is written with the store's own functions.

use std::collections::BTreeMap;

use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::{MemberId, OrganizationId, TeamId, UserId};
use mainsheet_store::Store;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::users::Membership;

/// What somebody is in an organization.
#[derive(Debug, Clone)]
pub(crate) struct Seating {
    pub(crate) organization: OrganizationId,
    pub(crate) roles: Vec<OrganizationRole>,
    pub(crate) seats: BTreeMap<TeamId, Vec<TeamRole>>,
}

/// Makes a user a member of an organization, as accepting an invitation will.
pub(crate) async fn join(store: &Store, user: &UserId, seating: Seating) {
    let now = store.now();
    let membership = Membership::new(MemberId::generate(now), seating.roles, seating.seats, now);
    change_memberships(store, user, |memberships| {
        memberships.insert(seating.organization, membership);
    })
    .await;
}

/// Takes a user out of every organization.
pub(crate) async fn leave_all(store: &Store, user: &UserId) {
    change_memberships(store, user, BTreeMap::clear).await;
}

async fn change_memberships(
    store: &Store,
    user: &UserId,
    change: impl FnOnce(&mut BTreeMap<OrganizationId, Membership>),
) {
    let row = store.access(user).await.unwrap().unwrap();
    let mut access = row.value.clone();
    change(&mut access.memberships);
    let audit = Audit {
        scope: Scope::User(user.clone()),
        actor: Actor::Platform,
        origin: Origin::default(),
        action: "test.change_memberships",
        target: user.to_string(),
    };
    store.change(audit).replace_access(&row, &access).commit().await.unwrap();
}
