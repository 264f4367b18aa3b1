//! Teams and who sits in them.

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::role::TeamRole;
use mainsheet_core::team::{Team, TeamWithCount};
use mainsheet_core::{Error, MemberId, Result, TeamId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::key::tenant_partition;
use crate::schema::BY_NAME;
use crate::{Batch, Change, Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// Beside a team: how many sit in it.
const MEMBERS: &str = "members";

impl Entity for Team {
    const KIND: &'static str = "team";

    fn order(&self) -> Vec<(&'static str, String)> {
        // A sort key holds 1,024 bytes; 200 characters take 800 at most.
        let name: String = self.name.to_lowercase().chars().take(200).collect();
        vec![(BY_NAME, format!("{name}#{}", self.id))]
    }
}

/// A member's seat in a team. What it permits is decided by [`crate::users::Membership`], which says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// The member.
    pub member_id: MemberId,
    /// What they are in the team.
    pub roles: Vec<TeamRole>,
    /// Since when.
    pub created_at: Timestamp,
}

impl Entity for Seat {
    const KIND: &'static str = "seat";
}

pub(crate) fn team_key(tenant: &Tenant, team: &TeamId) -> Key {
    Key::of_tenant(tenant, "TEAMS", team.as_str())
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
        first.into_iter().fold(change, |change, seat| {
            let key = Key::of_tenant(tenant, format!("TEAM#{}#SEATS", team.id), seat.member_id.as_str());
            change.create(&key, seat, used())
        })
    }

    /// A team has to be there; the answer names the field that says otherwise.
    pub fn require_team(self, tenant: &Tenant, team: &TeamId, field: &str) -> Self {
        self.require(&team_key(tenant, team), Error::invalid(field, "is no team of this organization"))
    }

    /// The teams have to be there; the answer names the field that says otherwise.
    pub fn require_teams<'a>(self, tenant: &Tenant, teams: impl IntoIterator<Item = &'a TeamId>) -> Self {
        teams
            .into_iter()
            .enumerate()
            .fold(self, |change, (index, team)| change.require_team(tenant, team, &format!("teamIds[{index}]")))
    }
}
