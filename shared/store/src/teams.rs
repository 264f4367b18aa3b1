//! Teams and who sits in them.

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::organization::Organization;
use mainsheet_core::team::{Team, TeamWithCount};
use mainsheet_core::{Error, MemberId, Result, SeatId, TeamId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::Due;
use crate::key::tenant_partition;
use crate::organizations::organization_key;
use crate::policies::Principal;
use crate::schema::BY_NAME;
use crate::{Batch, Change, Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// Beside a team: how many sit in it.
pub(crate) const MEMBERS: &str = "members";

impl Entity for Team {
    const KIND: &'static str = "team";

    fn order(&self) -> Vec<(&'static str, String)> {
        // A sort key holds 1,024 bytes; 200 characters take 800 at most.
        let name: String = self.name.to_lowercase().chars().take(200).collect();
        vec![(BY_NAME, format!("{name}#{}", self.id))]
    }
}

/// A member's seat in a team: what the team's number of members counts. What they are in the team is said by
/// [`crate::members::MemberRecord`], and decided by [`crate::users::Membership`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// Its id.
    pub id: SeatId,
    /// The member.
    pub member_id: MemberId,
    /// Since when.
    pub created_at: Timestamp,
    /// Who seated them.
    pub created_by: MemberId,
}

impl Entity for Seat {
    const KIND: &'static str = "seat";
}

pub(crate) fn team_key(tenant: &Tenant, team: &TeamId) -> Key {
    Key::of_tenant(tenant, "TEAMS", team.as_str())
}

/// Where the seats of a team are.
fn seats(team: &TeamId) -> String {
    format!("TEAM#{team}#SEATS")
}

pub(crate) fn seat_key(tenant: &Tenant, team: &TeamId, member: &MemberId) -> Key {
    Key::of_tenant(tenant, seats(team), member.as_str())
}

fn count_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "COUNT#TEAMS")
}

/// A row as the contract shows it.
#[must_use]
pub fn with_count(row: Row<Team>) -> TeamWithCount {
    let member_count = row.count(MEMBERS);
    TeamWithCount { team: row.value, member_count }
}

impl Store {
    /// A team.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such team.
    pub async fn team(&self, tenant: &Tenant, team: &TeamId) -> Result<Row<Team>> {
        self.get(&team_key(tenant, team)).await?.ok_or(Error::NotFound)
    }

    /// A page of the teams by name, and how many there are in all.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn teams(
        &self,
        tenant: &Tenant,
        descending: bool,
        request: &PageRequest,
    ) -> Result<(Page<Row<Team>>, u64)> {
        let listing = Listing::of(tenant_partition(tenant, "TEAMS")).ordered_by(BY_NAME).descending(descending);
        let count_key = count_key(tenant);
        let (page, count) = tokio::try_join!(self.page(&listing, request), self.get_batch([count_key.clone()]))?;
        Ok((page, count.count(&count_key, "n")))
    }

    /// All teams by name: a query for every megabyte of them.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn all_teams(&self, tenant: &Tenant) -> Result<Vec<Team>> {
        let listing = Listing::of(tenant_partition(tenant, "TEAMS")).ordered_by(BY_NAME);
        let rows: Vec<Row<Team>> = self.rows_where(&listing, |_: &Team| true).await?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }

    /// A team and its organization: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such team.
    pub async fn team_and_organization(
        &self,
        tenant: &Tenant,
        team: &TeamId,
    ) -> Result<(Row<Team>, Row<Organization>)> {
        let (team_key, organization_key) = (team_key(tenant, team), organization_key(tenant));
        let mut batch = self.get_batch([team_key.clone(), organization_key.clone()]).await?;
        batch.take(&team_key)?.zip(batch.take(&organization_key)?).ok_or(Error::NotFound)
    }

    /// A member's seat in a team.
    ///
    /// # Errors
    /// [`Error::NotFound`] when they have none of their own there.
    pub async fn seat(&self, tenant: &Tenant, team: &TeamId, member: &MemberId) -> Result<Row<Seat>> {
        self.get(&seat_key(tenant, team, member)).await?.ok_or(Error::NotFound)
    }

    /// The first seats of a team, `limit` at most.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn seats(&self, tenant: &Tenant, team: &TeamId, limit: u32) -> Result<Vec<Row<Seat>>> {
        let request = PageRequest { limit, ..PageRequest::default() };
        Ok(self.page(&Listing::of(tenant_partition(tenant, seats(team))), &request).await?.rows)
    }

    /// Those of the named teams that there are: one round trip.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn teams_named<'a>(
        &self,
        tenant: &Tenant,
        teams: impl IntoIterator<Item = &'a TeamId>,
    ) -> Result<Vec<Row<Team>>> {
        let keys: Vec<Key> = teams.into_iter().map(|team| team_key(tenant, team)).collect();
        let mut batch = self.get_batch(keys.clone()).await?;
        take_teams(&mut batch, &keys)
    }
}

/// The teams among rows that were read together.
pub(crate) fn take_teams(batch: &mut Batch, keys: &[Key]) -> Result<Vec<Row<Team>>> {
    keys.iter().filter_map(|key| batch.take(key).transpose()).collect()
}

impl Change<'_> {
    /// A new team, with its first member in it where there is one.
    pub fn create_team(self, tenant: &Tenant, team: &Team, first: Option<&Seat>) -> Self {
        let used = || Error::internal("a team id that was used before");
        let members = AttributeValue::N(usize::from(first.is_some()).to_string());
        let change = self
            .create_with(&team_key(tenant, &team.id), team, Item::from([(MEMBERS.to_owned(), members)]), used())
            .add(&count_key(tenant), "n", 1);
        first
            .into_iter()
            .fold(change, |change, seat| change.create(&seat_key(tenant, &team.id, &seat.member_id), seat, used()))
    }

    /// A team's new name or default role.
    pub fn replace_team(self, row: &Row<Team>, team: &Team) -> Self {
        self.replace(row, team, Due::Keep)
    }

    /// The end of a team, which must not have become the default one since `organization` was read. Its seats go with
    /// [`crate::outbox::Event::TeamDeleted`]; nobody can take a new one.
    pub fn delete_team(self, tenant: &Tenant, row: &Row<Team>, organization: &Row<Organization>) -> Self {
        let policy = Principal::Team(row.value.id.clone());
        self.delete(row).require_unchanged(organization).add(&count_key(tenant), "n", -1).forget_policy(tenant, &policy)
    }

    /// A team has to be there; the answer names the field that says otherwise.
    pub fn require_team(self, tenant: &Tenant, team: &TeamId, field: &str) -> Self {
        self.require(&team_key(tenant, team), Error::invalid(field, "is no team of this organization"))
    }

    /// The teams that a request names in `teamIds` have to be there; the answer names where one that is not is named first.
    pub fn require_teams(self, tenant: &Tenant, named: &[TeamId]) -> Self {
        named.iter().enumerate().fold(self, |change, (index, team)| {
            // A transaction touches no row twice.
            if named[..index].contains(team) {
                return change;
            }
            change.require_team(tenant, team, &format!("teamIds[{index}]"))
        })
    }
}
