//! Members of an organization.
//!
//! What a member may do is decided by their [`Membership`], which is read with every request. [`MemberRecord`] says the same for
//! lists, and its version guards both: whoever changes a membership has read the record, and writes the two in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use mainsheet_core::member::{AccountType, Member};
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::team::Team;
use mainsheet_core::user::User;
use mainsheet_core::{Error, MemberId, OrganizationId, Result, SeatId, TeamId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::audit::MAX_NOTED_IN;
use crate::change::{Due, update_of};
use crate::key::tenant_partition;
use crate::policies::Principal;
use crate::row::{DATA, VERSION, attribute};
use crate::schema::{BY_NAME, BY_TIME};
use crate::second_factors::{SecondFactor, second_factor_key};
use crate::teams::{MEMBERS, Seat, seat_key, take_teams, team_key};
use crate::users::{Access, Credentials, Membership, access_key, already_member, credentials_key, profile_key};
use crate::{Change, Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// The most teams that a member can have a seat of their own in: all of them are read with every request.
pub const MAX_SEATS: usize = 500;
/// The most members of an organization: a list with a filter that nobody matches reads them all.
pub const MAX_MEMBERS: u32 = 10_000;
/// The most seats that a member can come with, or that are given up at once: each is two writes of a transaction's hundred.
pub const MAX_SEATS_AT_ONCE: usize = 40;

/// Beside the counters of roles: how many there are of all, and of Owners who are let in.
const COUNT: &str = "n";
const OWNERS: &str = "owners";
/// Beside them, with the member's id behind it: until when somebody has the role Emergency. A counter could not tell, because the
/// role ends by itself.
const EMERGENCY_OF: &str = "EMERGENCY#";
/// Beside a member: when they last signed in.
const LAST_LOGIN_AT: &str = "last_login_at";

/// A member and what they are in the organization and its teams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct MemberRecord {
    /// The member.
    pub member: Member,
    /// What they are in the organization; never empty.
    pub roles: Vec<OrganizationRole>,
    /// What they are in their teams; none of the lists is empty.
    pub seats: BTreeMap<TeamId, Vec<TeamRole>>,
    /// When the role Emergency ends by itself, for who has it.
    pub emergency_until: Option<Timestamp>,
}

/// A record as its row has it: preferences as text, because the table's numbers are not JSON's.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    member: Member,
    preferences: String,
    roles: Vec<OrganizationRole>,
    seats: BTreeMap<TeamId, Vec<TeamRole>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    emergency_until: Option<Timestamp>,
}

impl From<MemberRecord> for Stored {
    fn from(record: MemberRecord) -> Self {
        let MemberRecord { mut member, roles, seats, emergency_until } = record;
        let preferences = serde_json::Value::Object(std::mem::take(&mut member.preferences)).to_string();
        Self { member, preferences, roles, seats, emergency_until }
    }
}

impl TryFrom<Stored> for MemberRecord {
    type Error = serde_json::Error;

    fn try_from(stored: Stored) -> Result<Self, serde_json::Error> {
        let Stored { mut member, preferences, roles, seats, emergency_until } = stored;
        member.preferences = serde_json::from_str(&preferences)?;
        Ok(Self { member, roles, seats, emergency_until })
    }
}

impl Entity for MemberRecord {
    const KIND: &'static str = "member";

    /// Members have no time to be listed by, and a local index cannot be added to a table: their addresses stand in that one.
    fn order(&self) -> Vec<(&'static str, String)> {
        // A sort key holds 1,024 bytes; 200 characters take 800 at most.
        let position = |text: &str| {
            let text: String = text.to_lowercase().chars().take(200).collect();
            format!("{text}#{}", self.member.id)
        };
        vec![(BY_NAME, position(&self.member.name)), (BY_TIME, position(&self.member.email))]
    }
}

impl Access {
    /// The same with one membership more, for a change that writes all of it and has [`Change::create_member`] besides.
    ///
    /// # Errors
    /// [`Error::Conflict`] when they are a member of the organization already.
    pub fn joining(mut self, record: &MemberRecord) -> Result<Self> {
        match self.memberships.insert(record.member.organization_id.clone(), record.membership()) {
            None => Ok(self),
            Some(_) => Err(already_member()),
        }
    }
}

impl MemberRecord {
    /// A member who joins at `now`.
    #[must_use]
    pub fn new(
        member: Member,
        roles: Vec<OrganizationRole>,
        seats: BTreeMap<TeamId, Vec<TeamRole>>,
        now: Timestamp,
    ) -> Self {
        let mut record = Self { member, roles: Vec::new(), seats, emergency_until: None };
        record.set_roles(roles, now);
        record
    }

    /// Other roles, by the rules of [`Membership::set_roles`].
    pub fn set_roles(&mut self, roles: Vec<OrganizationRole>, now: Timestamp) {
        let mut membership = self.membership();
        membership.set_roles(roles, now);
        (self.roles, self.emergency_until) = (membership.roles, membership.emergency_until);
    }

    /// What decides what they may do, but for what policies grant them: that is kept with the membership alone.
    #[must_use]
    pub fn membership(&self) -> Membership {
        Membership {
            member_id: self.member.id.clone(),
            roles: self.roles.clone(),
            seats: self.seats.clone(),
            is_enabled: self.member.is_enabled,
            account_type: self.member.account_type,
            grants: None,
            emergency_until: self.emergency_until,
        }
    }

    /// The roles that count at a moment: Emergency ends by itself.
    pub fn active_roles(&self, now: Timestamp) -> impl Iterator<Item = OrganizationRole> {
        let is_over = self.emergency_until.is_none_or(|until| until <= now);
        let counts = move |role: &OrganizationRole| *role != OrganizationRole::Emergency || !is_over;
        self.roles.iter().copied().filter(counts)
    }

    /// Whether one of their roles seats them in every team.
    #[must_use]
    pub fn is_in_all_teams(&self, now: Timestamp) -> bool {
        self.active_roles(now).any(OrganizationRole::is_in_all_teams)
    }

    /// Whether they own the organization.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.roles.contains(&OrganizationRole::Owner)
    }

    /// What they count for, by counter. Who has the role Emergency is not counted but named.
    fn counts(&self) -> BTreeMap<&'static str, i64> {
        let roles = self.roles.iter().filter(|role| **role != OrganizationRole::Emergency).map(|role| role.as_str());
        let team_roles = self.seats.values().flatten().map(|role| role.as_str());
        let distinct: BTreeSet<&'static str> = roles.chain(team_roles).collect();
        let owner = (self.is_owner() && self.member.is_enabled).then_some(OWNERS);
        distinct.into_iter().chain([COUNT]).chain(owner).map(|counter| (counter, 1)).collect()
    }
}

/// How many members there are, and how many have each role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberCounts {
    /// Members in all.
    pub members: u64,
    by_role: BTreeMap<&'static str, u64>,
}

impl MemberCounts {
    fn read(batch: &crate::Batch, key: &Key, now: Timestamp) -> Self {
        let organization = OrganizationRole::ALL.iter().map(|role| role.as_str());
        let roles = organization.chain(TeamRole::ALL.iter().map(|role| role.as_str()));
        let mut by_role: BTreeMap<&'static str, u64> = roles.map(|role| (role, batch.count(key, role))).collect();
        let ends = batch.texts(key, EMERGENCY_OF).filter_map(|until| until.parse::<Timestamp>().ok());
        by_role.insert(OrganizationRole::Emergency.as_str(), ends.map(|until| u64::from(until > now)).sum());
        Self { members: batch.count(key, COUNT), by_role }
    }

    /// Members with a role of the organization.
    #[must_use]
    pub fn with_role(&self, role: OrganizationRole) -> u64 {
        self.by_role.get(role.as_str()).copied().unwrap_or_default()
    }

    /// Members with a role in one team or more, seats by an `allTeams` role left out.
    #[must_use]
    pub fn with_team_role(&self, role: TeamRole) -> u64 {
        self.by_role.get(role.as_str()).copied().unwrap_or_default()
    }
}

/// A person's account, as their organization sees it.
#[derive(Debug)]
pub struct Account {
    /// Who they are.
    pub user: User,
    /// What they may reach.
    pub access: Access,
    /// What proves who they are.
    pub credentials: Option<Credentials>,
    /// Their second factor, as far as they have set it up.
    pub second_factor: Option<SecondFactor>,
}

/// What members point at.
#[derive(Debug, Default)]
pub struct MemberLinks {
    /// Their accounts.
    pub accounts: Vec<Account>,
    /// Teams that some of them sit in.
    pub teams: Vec<Row<Team>>,
    /// How many members there are.
    pub counts: MemberCounts,
}

/// The order of a list of members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MemberOrder {
    /// By name.
    #[default]
    Name,
    /// By address.
    Email,
}

pub(crate) fn member_key(tenant: &Tenant, member: &MemberId) -> Key {
    Key::of_tenant(tenant, "MEMBERS", member.as_str())
}

fn counts_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "COUNT#MEMBERS")
}

/// The members in an order; the flag says whether from the end.
fn listing(tenant: &Tenant, (order, descending): (MemberOrder, bool)) -> Listing {
    let index = match order {
        MemberOrder::Name => BY_NAME,
        MemberOrder::Email => BY_TIME,
    };
    Listing::of(tenant_partition(tenant, "MEMBERS")).ordered_by(index).descending(descending)
}

/// A row with what stands beside it.
fn complete(mut row: Row<MemberRecord>) -> Row<MemberRecord> {
    row.value.member.last_login_at = row.text(LAST_LOGIN_AT).and_then(|text| text.parse().ok());
    row
}

impl Store {
    /// A member.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such member.
    pub async fn member(&self, tenant: &Tenant, member: &MemberId) -> Result<Row<MemberRecord>> {
        self.get(&member_key(tenant, member)).await?.map(complete).ok_or(Error::NotFound)
    }

    /// A team and a member: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such team or no such member.
    pub async fn team_and_member(
        &self,
        tenant: &Tenant,
        team: &TeamId,
        member: &MemberId,
    ) -> Result<(Row<Team>, Row<MemberRecord>)> {
        let (team_key, member_key) = (team_key(tenant, team), member_key(tenant, member));
        let mut batch = self.get_batch([team_key.clone(), member_key.clone()]).await?;
        let team = batch.take(&team_key)?.ok_or(Error::NotFound)?;
        Ok((team, batch.take(&member_key)?.map(complete).ok_or(Error::NotFound)?))
    }

    /// A page of the members in an order.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn members(
        &self,
        tenant: &Tenant,
        order: (MemberOrder, bool),
        request: &PageRequest,
    ) -> Result<Page<Row<MemberRecord>>> {
        Ok(self.page(&listing(tenant, order), request).await?.map(complete))
    }

    /// A page of those members in an order that match. What is read before the page is full depends on how many do.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn members_where(
        &self,
        tenant: &Tenant,
        order: (MemberOrder, bool),
        request: &PageRequest,
        matches: impl Fn(&MemberRecord) -> bool,
    ) -> Result<Page<Row<MemberRecord>>> {
        let page = self.page_where(&listing(tenant, order), request, 1, |row| matches(&row.value)).await?;
        Ok(page.map(complete))
    }

    /// Those who own the organization and are let in. It reads every member, of whom there are 10,000 at most.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn owners(&self, tenant: &Tenant) -> Result<Vec<Row<MemberRecord>>> {
        let listing = listing(tenant, (MemberOrder::Name, false));
        self.rows_where(&listing, |record: &MemberRecord| record.is_owner() && record.member.is_enabled).await
    }

    /// A page of the members, those who joined first in front.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn members_by_age(&self, tenant: &Tenant, request: &PageRequest) -> Result<Page<Row<MemberRecord>>> {
        Ok(self.page(&Listing::of(tenant_partition(tenant, "MEMBERS")), request).await?.map(complete))
    }

    /// How many members there are, and how many have each role: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn member_counts(&self, tenant: &Tenant) -> Result<MemberCounts> {
        let key = counts_key(tenant);
        Ok(MemberCounts::read(&self.get_batch([key.clone()]).await?, &key, self.now()))
    }

    /// What members point at: one round trip for every 100 of it, side by side.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn links_of_members(&self, tenant: &Tenant, members: &[Row<MemberRecord>]) -> Result<MemberLinks> {
        let records = || members.iter().map(|row| &row.value);
        let users: Vec<&UserId> = records().map(|record| &record.member.user_id).collect();
        let teams: BTreeSet<&TeamId> = records().flat_map(|record| record.seats.keys()).collect();
        let teams: Vec<Key> = teams.into_iter().map(|team| team_key(tenant, team)).collect();
        let counts_key = counts_key(tenant);
        let of_user =
            |user: &&UserId| [profile_key(user), access_key(user), credentials_key(user), second_factor_key(user)];
        let of_users = users.iter().flat_map(of_user);
        let mut batch = self.get_batch(of_users.chain(teams.iter().cloned()).chain([counts_key.clone()])).await?;
        let counts = MemberCounts::read(&batch, &counts_key, self.now());
        let mut accounts = Vec::with_capacity(users.len());
        for user in users {
            let (profile, access) = (batch.take::<User>(&profile_key(user))?, batch.take::<Access>(&access_key(user))?);
            let credentials = batch.take::<Credentials>(&credentials_key(user))?.map(|row| row.value);
            let second_factor = batch.take::<SecondFactor>(&second_factor_key(user))?.map(|row| row.value);
            if let Some((profile, access)) = profile.zip(access) {
                accounts.push(Account { user: profile.value, access: access.value, credentials, second_factor });
            }
        }
        Ok(MemberLinks { accounts, teams: take_teams(&mut batch, &teams)?, counts })
    }

    /// The profiles of users, in their order: one round trip for every 100 of them, side by side.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn users_named<'a>(&self, users: impl IntoIterator<Item = &'a UserId>) -> Result<Vec<User>> {
        let keys: Vec<Key> = users.into_iter().map(profile_key).collect();
        let mut batch = self.get_batch(keys.clone()).await?;
        let found: Vec<Row<User>> = keys.iter().filter_map(|key| batch.take(key).transpose()).collect::<Result<_>>()?;
        Ok(found.into_iter().map(|row| row.value).collect())
    }

    /// A team, unless it is gone, and a member's seat in it, unless it was given up: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn team_and_seat(
        &self,
        tenant: &Tenant,
        team: &TeamId,
        member: &MemberId,
    ) -> Result<(Option<Row<Team>>, Option<Row<Seat>>)> {
        let (team_key, seat_key) = (team_key(tenant, team), seat_key(tenant, team, member));
        let mut batch = self.get_batch([team_key.clone(), seat_key.clone()]).await?;
        Ok((batch.take(&team_key)?, batch.take(&seat_key)?))
    }
}

impl Change<'_> {
    /// A new member with their seats, whose user's [`Access`] is created in the same transaction. The teams have to be there.
    pub fn create_member(self, tenant: &Tenant, record: &MemberRecord) -> Self {
        self.create(&member_key(tenant, &record.member.id), record, Error::internal("a member id that was used before"))
            .count_members(tenant, None, Some(record))
            .move_seats(tenant, &BTreeMap::new(), record)
    }

    /// The first member of an organization, whose team is created with their seat in it.
    pub fn create_founder(self, tenant: &Tenant, record: &MemberRecord) -> Self {
        self.create(&member_key(tenant, &record.member.id), record, Error::internal("a member id that was used before"))
            .count_members(tenant, None, Some(record))
    }

    /// A new member whose user has an account.
    pub fn join(self, tenant: &Tenant, record: &MemberRecord) -> Self {
        let membership = match attribute(&record.membership()) {
            Ok(membership) => membership,
            Err(error) => return self.with_defect(error),
        };
        let update = access_update(&record.member.user_id, tenant)
            .update_expression("SET #data.memberships.#organization = :membership ADD #version :one")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(#data.memberships.#organization)")
            .expression_attribute_values(":membership", membership);
        self.update(update, already_member()).create_member(tenant, record)
    }

    /// A member as they are from now on, with their permissions and seats. `row` is what they were; teams with a new seat have
    /// to be there.
    pub fn change_member(self, tenant: &Tenant, row: &Row<MemberRecord>, record: &MemberRecord) -> Self {
        self.change_membership(tenant, row, record).move_seats(tenant, &row.value.seats, record)
    }

    /// Like [`Change::change_member`], when the teams whose seats change are created or gone: these do not count them.
    pub fn change_membership(self, tenant: &Tenant, row: &Row<MemberRecord>, record: &MemberRecord) -> Self {
        let change = self.replace(row, record, Due::Keep);
        if row.value.membership() == record.membership() {
            return change;
        }
        if record.seats.len() > MAX_SEATS {
            return change.with_defect(Error::conflict("too_many_teams", "The member sits in 500 teams already."));
        }
        change.count_members(tenant, Some(&row.value), Some(record)).permit(tenant, &row.value, record)
    }

    /// A member is one no more. Their seats go with [`crate::outbox::Event::MemberRemoved`].
    pub fn remove_member(self, tenant: &Tenant, row: &Row<MemberRecord>) -> Self {
        let leave = access_update(&row.value.member.user_id, tenant)
            .update_expression("REMOVE #data.memberships.#organization ADD #version :one")
            .condition_expression("attribute_exists(pk)");
        self.expel(tenant, row).update(leave, Error::NotFound)
    }

    /// Like [`Change::remove_member`], for a member whose user is deleted in the same transaction.
    pub fn expel(self, tenant: &Tenant, row: &Row<MemberRecord>) -> Self {
        let policy = Principal::User(row.value.member.user_id.clone());
        self.delete(row).count_members(tenant, Some(&row.value), None).forget_policy(tenant, &policy)
    }

    /// Notes beside the members that a user is that they have just signed in; `reach` is the one organization that the login
    /// reaches, where it does not reach all.
    pub fn note_login(self, access: &Access, reach: Option<&OrganizationId>) -> Self {
        let at = self.now().to_string();
        let reached = access.memberships.keys().filter(|id| reach.is_none_or(|reach| reach == *id));
        let members = reached.filter_map(|id| access.membership(id)).take(MAX_NOTED_IN);
        members.fold(self, |change, (tenant, membership)| {
            let beside = Item::from([(LAST_LOGIN_AT.to_owned(), AttributeValue::S(at.clone()))]);
            change.annotate(
                &member_key(&tenant, &membership.member_id),
                beside,
                &[],
                crate::change::changed_meanwhile(),
            )
        })
    }

    /// Writes what decides what a member may do. A managed account that is let in no more has its logins ended.
    fn permit(self, tenant: &Tenant, before: &MemberRecord, record: &MemberRecord) -> Self {
        let membership = record.membership();
        let values = attribute(&membership.roles).and_then(|roles| Ok((roles, attribute(&membership.seats)?)));
        let (roles, seats) = match values {
            Ok(values) => values,
            Err(error) => return self.with_defect(error),
        };
        let mut set = "SET #data.memberships.#organization.#roles = :roles, \
                       #data.memberships.#organization.seats = :seats, \
                       #data.memberships.#organization.isEnabled = :enabled"
            .to_owned();
        let mut removes: Vec<&str> = Vec::new();
        let mut update = access_update(&record.member.user_id, tenant)
            .condition_expression("attribute_exists(#data.memberships.#organization)")
            .expression_attribute_names("#roles", "roles")
            .expression_attribute_values(":roles", roles)
            .expression_attribute_values(":seats", seats)
            .expression_attribute_values(":enabled", AttributeValue::Bool(membership.is_enabled));
        match membership.emergency_until {
            Some(until) => {
                set.push_str(", #data.memberships.#organization.emergencyUntil = :until");
                update = update.expression_attribute_values(":until", AttributeValue::S(until.to_string()));
            }
            None => removes.push("#data.memberships.#organization.emergencyUntil"),
        }
        let is_shut_out = before.member.is_enabled && !record.member.is_enabled;
        if is_shut_out && record.member.account_type == AccountType::Managed {
            set.push_str(", #data.loginEpoch = #data.loginEpoch + :one");
            removes.push("#data.sparedLogin");
        }
        let remove = if removes.is_empty() { String::new() } else { format!(" REMOVE {}", removes.join(", ")) };
        self.update(update.update_expression(format!("{set}{remove} ADD #version :one")), Error::NotFound)
    }

    /// Keeps the counters, an Owner who is let in, and the bound on members.
    fn count_members(self, tenant: &Tenant, before: Option<&MemberRecord>, after: Option<&MemberRecord>) -> Self {
        let mut changes = after.map(MemberRecord::counts).unwrap_or_default();
        for (counter, count) in before.map(MemberRecord::counts).unwrap_or_default() {
            *changes.entry(counter).or_default() -= count;
        }
        changes.retain(|_, amount| *amount != 0);
        let emergency = |record: Option<&MemberRecord>| record.and_then(|record| record.emergency_until);
        let (held, holds) = (emergency(before), emergency(after));
        if changes.is_empty() && held == holds {
            return self;
        }
        let amounts: Vec<(&str, i64)> = changes.iter().map(|(counter, amount)| (*counter, *amount)).collect();
        let member = after.or(before).map(|record| format!("{EMERGENCY_OF}{}", record.member.id)).unwrap_or_default();
        let begins =
            holds.filter(|_| held != holds).map(|until| (member.clone(), AttributeValue::S(until.to_string())));
        let ends = held.filter(|_| holds.is_none()).map(|_| member.as_str());
        let update = update_of(&counts_key(tenant), begins.into_iter().collect(), ends.as_slice(), &amounts);
        let of = |counter: &str| changes.get(counter).copied().unwrap_or_default();
        if of(OWNERS) < 0 {
            let update = update
                .condition_expression("#owners > :last")
                .expression_attribute_names("#owners", OWNERS)
                .expression_attribute_values(":last", AttributeValue::N("1".to_owned()));
            return self.update(update, last_owner());
        }
        if of(COUNT) > 0 {
            let update = update
                .condition_expression("attribute_not_exists(#count) OR #count < :most")
                .expression_attribute_names("#count", COUNT)
                .expression_attribute_values(":most", AttributeValue::N(MAX_MEMBERS.to_string()));
            return self.update(update, Error::conflict("too_many_members", "The organization has 10,000 members."));
        }
        self.update(update, crate::change::changed_meanwhile())
    }

    /// Takes and gives up seats, from those before to those of `record`.
    fn move_seats(self, tenant: &Tenant, before: &BTreeMap<TeamId, Vec<TeamRole>>, record: &MemberRecord) -> Self {
        let member = &record.member;
        let given_up: Vec<&TeamId> = before.keys().filter(|team| !record.seats.contains_key(*team)).collect();
        let taken: Vec<&TeamId> = record.seats.keys().filter(|team| !before.contains_key(*team)).collect();
        let change = given_up
            .into_iter()
            .fold(self, |change, team| change.remove(&seat_key(tenant, team, &member.id)).count_seat(tenant, team, -1));
        taken.into_iter().fold(change, |change, team| {
            let seat = Seat::new(member.id.clone(), member.updated_by.clone(), change.now());
            change.take_seat(tenant, team, &seat)
        })
    }

    /// A seat in a team, which has to be there.
    pub fn take_seat(self, tenant: &Tenant, team: &TeamId, seat: &Seat) -> Self {
        let taken = Error::conflict("already_seated", "The member sits in this team already.");
        self.create(&seat_key(tenant, team, &seat.member_id), seat, taken).count_seat(tenant, team, 1)
    }

    /// A seat is given up whose member or team is gone. `team` is the team where it is still there.
    pub fn give_up_seat(self, tenant: &Tenant, seat: &Row<Seat>, team: Option<&TeamId>) -> Self {
        let change = self.delete(seat);
        match team {
            Some(team) => change.count_seat(tenant, team, -1),
            None => change,
        }
    }

    fn count_seat(self, tenant: &Tenant, team: &TeamId, amount: i64) -> Self {
        let gone = Error::conflict("team_deleted", format!("Team {team} was deleted."));
        self.annotate(&team_key(tenant, team), Item::new(), &[(MEMBERS, amount)], gone)
    }
}

impl Seat {
    /// A seat that a member takes at `now`.
    #[must_use]
    pub fn new(member_id: MemberId, created_by: MemberId, now: Timestamp) -> Self {
        Self { id: SeatId::generate(now), member_id, created_at: now, created_by }
    }
}

/// An update that counts the row's version up.
fn versioned(key: &Key) -> UpdateBuilder {
    Update::builder()
        .set_key(Some(key.to_item()))
        .expression_attribute_names("#data", DATA)
        .expression_attribute_names("#version", VERSION)
        .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
}

/// An update of a user's membership of an organization.
fn access_update(user: &UserId, tenant: &Tenant) -> UpdateBuilder {
    versioned(&access_key(user)).expression_attribute_names("#organization", tenant.organization_id().as_str())
}

fn last_owner() -> Error {
    Error::conflict("last_owner", "An organization keeps an Owner who is let in. Make somebody else an Owner first.")
}
