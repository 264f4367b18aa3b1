//! Policies: relations that are given to one person, team or service account over the organization.
//!
//! A policy's own row is what lists and answers show. What decides is a copy where requests read it anyway: in the person's
//! access, in one row with the grants of all teams, in the keys of the service account. Both are written together.

use std::collections::BTreeMap;
use std::fmt;

use mainsheet_core::{Error, MemberId, Result, ServiceAccountId, TeamId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::change::{Due, changed_meanwhile, update_of};
use crate::key::tenant_partition;
use crate::row::{DATA, attribute};
use crate::teams::team_key;
use crate::users::access_key;
use crate::{Change, Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// The most teams with a policy: their grants are read with every request.
pub const MAX_TEAM_POLICIES: usize = 100;

/// Begins the attribute of a team in the row of all teams' grants.
const TEAM: &str = "T#";

/// What a policy gives, where it decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grants {
    /// Relations by name. One that is not known any more gives nothing.
    pub permissions: Vec<String>,
    /// When they end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Whom a policy is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "id")]
pub enum Principal {
    /// A member of the organization, as the person they are.
    User(UserId),
    /// Everybody with a seat in a team.
    Team(TeamId),
    /// A machine.
    ServiceAccount(ServiceAccountId),
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(formatter, "user:{id}"),
            Self::Team(id) => write!(formatter, "team:{id}"),
            Self::ServiceAccount(id) => write!(formatter, "serviceAccount:{id}"),
        }
    }
}

/// What one principal was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// To whom.
    pub principal: Principal,
    /// What, and until when.
    #[serde(flatten)]
    pub grants: Grants,
    /// When it was first set.
    pub created_at: Timestamp,
    /// Who set it first.
    pub created_by: MemberId,
    /// When it was last set.
    pub updated_at: Timestamp,
    /// Who set it last.
    pub updated_by: MemberId,
}

impl Entity for Policy {
    const KIND: &'static str = "policy";
}

/// What the policies of an organization give to its teams.
#[derive(Debug, Clone, Default)]
pub struct TeamGrants(BTreeMap<TeamId, Grants>);

impl TeamGrants {
    pub(crate) fn of_item(item: Option<Item>) -> Self {
        let team = |(name, value): (String, _)| {
            let id = name.strip_prefix(TEAM)?.parse().ok()?;
            Some((id, serde_dynamo::from_attribute_value(value).ok()?))
        };
        Self(item.into_iter().flatten().filter_map(team).collect())
    }

    /// What is given to a team.
    #[must_use]
    pub fn of(&self, team: &TeamId) -> Option<&Grants> {
        self.0.get(team)
    }

    /// Whether one team more can have a policy.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.0.len() < MAX_TEAM_POLICIES
    }
}

pub(crate) fn team_grants_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "TEAM_GRANTS")
}

pub(crate) fn policy_key(tenant: &Tenant, principal: &Principal) -> Key {
    Key::of_tenant(tenant, "POLICIES", principal.to_string())
}

impl Store {
    /// A page of the policies, by principal.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a bad marker.
    pub async fn policies(&self, tenant: &Tenant, request: &PageRequest) -> Result<Page<Row<Policy>>> {
        self.page(&Listing::of(tenant_partition(tenant, "POLICIES")), request).await
    }

    /// One principal's policy, if there is one.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn policy(&self, tenant: &Tenant, principal: &Principal) -> Result<Option<Row<Policy>>> {
        self.get(&policy_key(tenant, principal)).await
    }

    /// What the policies of an organization give to its teams.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn team_grants(&self, tenant: &Tenant) -> Result<TeamGrants> {
        Ok(TeamGrants::of_item(self.get_item(&team_grants_key(tenant)).await?))
    }
}

impl Change<'_> {
    /// A principal's policy, in place of the one that was read. Where it decides is written beside it, by
    /// [`Change::grant_to_user`], [`Change::grant_to_team`] or [`Change::grant_to_service_account`].
    pub fn set_policy(self, tenant: &Tenant, before: Option<&Row<Policy>>, policy: &Policy) -> Self {
        match before {
            Some(row) => self.replace(row, policy, Due::Keep),
            None => self.create(&policy_key(tenant, &policy.principal), policy, changed_meanwhile()),
        }
    }

    /// A policy's end. What decides is written beside it, as with [`Change::set_policy`].
    pub fn delete_policy(self, row: &Row<Policy>) -> Self {
        self.delete(row)
    }

    /// What decides for a person; [`Error::NotFound`] when they are no member.
    pub fn grant_to_user(self, tenant: &Tenant, user: &UserId, grants: Option<&Grants>) -> Self {
        let update = update_of(&access_key(user), Vec::new(), &[], &[("version", 1)])
            .condition_expression("attribute_exists(#data.memberships.#organization)")
            .expression_attribute_names("#data", DATA)
            .expression_attribute_names("#organization", tenant.organization_id().as_str());
        let update = match grants.map(attribute) {
            Some(Ok(grants)) => update
                .update_expression("SET #data.memberships.#organization.grants = :grants ADD #a0 :a0")
                .expression_attribute_values(":grants", grants),
            Some(Err(error)) => return self.with_defect(error),
            None => update.update_expression("REMOVE #data.memberships.#organization.grants ADD #a0 :a0"),
        };
        self.update(update, Error::NotFound)
    }

    /// What decides for the members of a team; [`Error::NotFound`] when there is no such team to give something to.
    pub fn grant_to_team(self, tenant: &Tenant, team: &TeamId, grants: Option<&Grants>) -> Self {
        let name = format!("{TEAM}{team}");
        let key = team_grants_key(tenant);
        match grants.map(attribute) {
            Some(Ok(grants)) => self
                .require(&team_key(tenant, team), Error::NotFound)
                .update(update_of(&key, vec![(name, grants)], &[], &[]), changed_meanwhile()),
            Some(Err(error)) => self.with_defect(error),
            None => self.update(update_of(&key, Vec::new(), &[&name], &[]), changed_meanwhile()),
        }
    }

    /// Whatever a principal was given is gone with the principal: for who removes a member or deletes a team. What decides for
    /// a member goes with their membership.
    pub fn forget_policy(self, tenant: &Tenant, principal: &Principal) -> Self {
        let change = self.remove(&policy_key(tenant, principal));
        match principal {
            Principal::Team(team) => change.grant_to_team(tenant, team, None),
            Principal::User(_) | Principal::ServiceAccount(_) => change,
        }
    }
}
