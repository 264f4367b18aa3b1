//! Doors that only tests have: what no endpoint offers yet is written with the store's own functions.

use std::collections::BTreeMap;

use mainsheet_core::member::{AccountType, Member};
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::{MemberId, OrganizationId, TeamId, UserId};
use mainsheet_store::Store;
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::members::{MAX_SEATS_AT_ONCE, MemberRecord};
use mainsheet_store::organizations::founding_tenant;
use mainsheet_store::users::Membership;

/// What somebody is in an organization.
#[derive(Debug, Clone)]
pub(crate) struct Seating {
    pub(crate) organization: OrganizationId,
    pub(crate) roles: Vec<OrganizationRole>,
    pub(crate) seats: BTreeMap<TeamId, Vec<TeamRole>>,
}

/// Makes a user a member of an organization, as accepting an invitation does.
pub(crate) async fn join(store: &Store, user: &UserId, seating: Seating) {
    let profile = store.user(user).await.unwrap().value;
    let now = store.now();
    let id = MemberId::generate(now);
    let member = Member::joining(id, seating.organization.clone(), &profile, AccountType::Managed, now);
    let record = MemberRecord::new(member, seating.roles, BTreeMap::new(), now);
    // The platform's own way to a tenant: nobody is signed in here.
    let tenant = founding_tenant(&seating.organization);
    store.change(audit(user)).join(&tenant, &record).commit().await.unwrap();
    let seats: Vec<_> = seating.seats.into_iter().collect();
    for some in seats.chunks(MAX_SEATS_AT_ONCE) {
        let row = store.member(&tenant, &record.member.id).await.unwrap();
        let mut seated = row.value.clone();
        seated.seats.extend(some.iter().cloned());
        store.change(audit(user)).change_member(&tenant, &row, &seated).commit().await.unwrap();
    }
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
    store.change(audit(user)).replace_access(&row, &access).commit().await.unwrap();
}

fn audit(user: &UserId) -> Audit {
    Audit {
        scope: Scope::User(user.clone()),
        actor: Actor::Platform,
        origin: Origin::default(),
        action: "test.change_memberships",
        target: user.to_string(),
    }
}
