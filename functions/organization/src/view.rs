//! Members, their accounts and roles, as answers show them.

use std::collections::BTreeMap;

use mainsheet_auth::Relation;
use mainsheet_core::member::Member;
use mainsheet_core::role::{OrganizationRole, TeamRole};
use mainsheet_core::team::TeamWithCount;
use mainsheet_core::user::User;
use mainsheet_core::{Error, FieldErrors, MemberId, OrganizationId, Result, RoleId, TeamId, Timestamp, UserId};
use mainsheet_store::Row;
use mainsheet_store::members::{Account, MemberCounts, MemberLinks, MemberRecord};
use mainsheet_store::teams::with_count;
use serde::Serialize;
use utoipa::ToSchema;

/// A member by ids.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberItem {
    member_id: MemberId,
    user_id: UserId,
    /// What they are in the organization.
    role_ids: Vec<RoleId>,
    /// What they are in the teams that they have a seat of their own in, by team.
    team_role_ids: BTreeMap<TeamId, Vec<RoleId>>,
}

/// What members point at, each once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberIncluded {
    members: Vec<Member>,
    users: Vec<UserWithAuth>,
    roles: Vec<OrganizationRoleWithCounts>,
    teams: Vec<TeamWithCount>,
    team_roles: Vec<TeamRoleWithCounts>,
    #[serde(rename = "_entityRelations")]
    entity_relations: EntityRelations,
}

/// Which of them belong together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EntityRelations {
    /// What members are in the organization.
    member_roles: Vec<MemberRole>,
    /// What members are in teams; where the seat is automatic, `TEAMADMIN`, and no team is named: they sit in all of them.
    member_team_roles: Vec<MemberTeamRole>,
}

/// A member has a role of the organization.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberRole {
    member_id: MemberId,
    organization_role_id: RoleId,
}

/// A member has a role in a team.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberTeamRole {
    member_id: MemberId,
    #[serde(skip_serializing_if = "Option::is_none")]
    team_id: Option<TeamId>,
    team_role_id: RoleId,
    is_automatic: bool,
}

impl EntityRelations {
    fn of(rows: &[Row<MemberRecord>], now: Timestamp) -> Self {
        let records = || rows.iter().map(|row| &row.value);
        let role = |record: &MemberRecord, role: OrganizationRole| MemberRole {
            member_id: record.member.id.clone(),
            organization_role_id: role.into(),
        };
        let seat = |record: &MemberRecord, team: Option<&TeamId>, role: TeamRole| MemberTeamRole {
            member_id: record.member.id.clone(),
            team_id: team.cloned(),
            team_role_id: role.into(),
            is_automatic: team.is_none(),
        };
        let seats = |record: &MemberRecord| -> Vec<MemberTeamRole> {
            let automatic = record.is_in_all_teams(now).then(|| seat(record, None, TeamRole::Admin));
            let own = record.seats.iter().flat_map(|(team, roles)| roles.iter().map(move |role| (team, *role)));
            own.map(|(team, role)| seat(record, Some(team), role)).chain(automatic).collect()
        };
        Self {
            member_roles: records()
                .flat_map(|record| record.active_roles(now).map(move |held| role(record, held)))
                .collect(),
            member_team_roles: records().flat_map(seats).collect(),
        }
    }
}

/// A member of a team by ids.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TeamMemberItem {
    member_id: MemberId,
    user_id: UserId,
    /// What they are in the organization.
    role_ids: Vec<RoleId>,
    /// What they are in the team; `TEAMADMIN` where the seat is automatic.
    team_role_ids: Vec<RoleId>,
    /// Whether the seat comes from a role of the organization that sits in every team.
    is_automatic: bool,
}

/// What members of a team point at, each once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TeamMemberIncluded {
    members: Vec<Member>,
    users: Vec<UserWithAuth>,
    roles: Vec<OrganizationRoleWithCounts>,
    team_roles: Vec<TeamRoleWithCounts>,
}

/// A person and how they prove who they are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserWithAuth {
    user: User,
    emails: Vec<UserEmail>,
    auth: UserAuthState,
}

/// An address of a person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MemberUserEmail)]
pub(crate) struct UserEmail {
    user_id: UserId,
    email: String,
    /// Since when it is known to be theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<Timestamp>,
}

/// How a person proves who they are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserAuthState {
    /// Whether they have a second factor.
    #[serde(rename = "has2FA")]
    has_second_factor: bool,
    has_password: bool,
    /// Whether they have recovery codes.
    has_recovery: bool,
}

/// A role of the organization.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationRole)]
pub(crate) struct OrganizationRoleView {
    id: RoleId,
    organization_id: OrganizationId,
    name: &'static str,
    description: &'static str,
    /// Whether its holders sit in every team.
    all_teams: bool,
    /// Whether it is for emergencies only.
    break_glass: bool,
}

/// A role of the organization, and how many have it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrganizationRoleWithCounts {
    pub(crate) role: OrganizationRoleView,
    member_count: u64,
    permission_count: usize,
}

/// A role of teams.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TeamRole)]
pub(crate) struct TeamRoleView {
    id: RoleId,
    organization_id: OrganizationId,
    name: &'static str,
    description: &'static str,
}

/// A role of teams, and how many have it in one team or more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TeamRoleWithCounts {
    pub(crate) role: TeamRoleView,
    member_count: u64,
    permission_count: usize,
}

impl MemberItem {
    /// A member as they are at a moment.
    pub(crate) fn of(record: &MemberRecord, now: Timestamp) -> Self {
        let seats = record.seats.iter().map(|(team, roles)| (team.clone(), ids(roles)));
        Self {
            member_id: record.member.id.clone(),
            user_id: record.member.user_id.clone(),
            role_ids: record.active_roles(now).map(Into::into).collect(),
            team_role_ids: seats.collect(),
        }
    }
}

impl TeamMemberItem {
    pub(crate) fn of(record: &MemberRecord, team: &TeamId, now: Timestamp) -> Self {
        let seat = record.seats.get(team);
        Self {
            member_id: record.member.id.clone(),
            user_id: record.member.user_id.clone(),
            role_ids: record.active_roles(now).map(Into::into).collect(),
            team_role_ids: seat.map_or_else(|| vec![TeamRole::Admin.into()], |roles| ids(roles)),
            is_automatic: seat.is_none(),
        }
    }
}

impl MemberIncluded {
    pub(crate) fn of(
        organization: &OrganizationId,
        rows: &[Row<MemberRecord>],
        links: MemberLinks,
        now: Timestamp,
    ) -> Self {
        Self {
            members: members_of(rows),
            roles: organization_roles_of(organization, rows, &links.counts, now),
            team_roles: team_roles_of(organization, rows, &links.counts, now),
            users: links.accounts.into_iter().map(UserWithAuth::from).collect(),
            teams: links.teams.into_iter().map(with_count).collect(),
            entity_relations: EntityRelations::of(rows, now),
        }
    }
}

impl TeamMemberIncluded {
    pub(crate) fn of(
        organization: &OrganizationId,
        rows: &[Row<MemberRecord>],
        links: MemberLinks,
        now: Timestamp,
    ) -> Self {
        Self {
            members: members_of(rows),
            roles: organization_roles_of(organization, rows, &links.counts, now),
            team_roles: team_roles_of(organization, rows, &links.counts, now),
            users: links.accounts.into_iter().map(UserWithAuth::from).collect(),
        }
    }
}

fn members_of(rows: &[Row<MemberRecord>]) -> Vec<Member> {
    rows.iter().map(|row| row.value.member.clone()).collect()
}

/// The roles of the organization that some of the members have.
fn organization_roles_of(
    organization: &OrganizationId,
    rows: &[Row<MemberRecord>],
    counts: &MemberCounts,
    now: Timestamp,
) -> Vec<OrganizationRoleWithCounts> {
    let held = |role: &OrganizationRole| rows.iter().any(|row| row.value.active_roles(now).any(|held| held == *role));
    let roles = OrganizationRole::ALL.iter().copied().filter(held);
    roles.map(|role| OrganizationRoleWithCounts::of(role, organization, counts)).collect()
}

/// The roles of teams that some of the members have, automatic seats counted in.
fn team_roles_of(
    organization: &OrganizationId,
    rows: &[Row<MemberRecord>],
    counts: &MemberCounts,
    now: Timestamp,
) -> Vec<TeamRoleWithCounts> {
    let has = |record: &MemberRecord, role| {
        role == TeamRole::Admin && record.is_in_all_teams(now)
            || record.seats.values().flatten().any(|held| *held == role)
    };
    let roles = TeamRole::ALL.iter().copied().filter(|role| rows.iter().any(|row| has(&row.value, *role)));
    roles.map(|role| TeamRoleWithCounts::of(role, organization, counts)).collect()
}

impl From<Account> for UserWithAuth {
    fn from(account: Account) -> Self {
        let email = UserEmail {
            user_id: account.user.id.clone(),
            email: account.user.email.clone(),
            verified_at: account.access.email_verified_at,
        };
        let factor = account.second_factor.unwrap_or_default();
        let auth = UserAuthState {
            has_second_factor: factor.totp.is_some(),
            has_password: account.credentials.is_some_and(|credentials| credentials.password_hash.is_some()),
            has_recovery: !factor.recovery_codes.is_empty(),
        };
        Self { user: account.user, emails: vec![email], auth }
    }
}

impl OrganizationRoleWithCounts {
    pub(crate) fn of(role: OrganizationRole, organization: &OrganizationId, counts: &MemberCounts) -> Self {
        Self {
            role: OrganizationRoleView {
                id: role.into(),
                organization_id: organization.clone(),
                name: role.title(),
                description: role.description(),
                all_teams: role.is_in_all_teams(),
                break_glass: role == OrganizationRole::Emergency,
            },
            member_count: counts.with_role(role),
            permission_count: Relation::ALL.iter().filter(|relation| relation.is_held_by(role)).count(),
        }
    }
}

impl TeamRoleWithCounts {
    pub(crate) fn of(role: TeamRole, organization: &OrganizationId, counts: &MemberCounts) -> Self {
        Self {
            role: TeamRoleView {
                id: role.into(),
                organization_id: organization.clone(),
                name: role.title(),
                description: role.description(),
            },
            member_count: counts.with_team_role(role),
            permission_count: Relation::ALL.iter().filter(|relation| relation.is_held_in_team_by(role)).count(),
        }
    }
}

fn ids<R: Copy + Into<RoleId>>(roles: &[R]) -> Vec<RoleId> {
    roles.iter().copied().map(Into::into).collect()
}

/// The roles that a list of ids names, each once.
///
/// # Errors
/// [`Error::Conflict`] for an empty list (contract, decisions, Access); [`Error::Invalid`] for one of another catalogue.
pub(crate) fn roles_named<R>(ids: &[RoleId]) -> Result<Vec<R>>
where
    R: for<'id> TryFrom<&'id RoleId> + Ord + Copy,
{
    if ids.is_empty() {
        return Err(Error::conflict("roles_required", "Somebody has one role at least. Remove them to take all away."));
    }
    let mut errors = FieldErrors::default();
    let mut roles = Vec::with_capacity(ids.len());
    for (index, id) in ids.iter().enumerate() {
        match R::try_from(id) {
            Ok(role) => roles.push(role),
            Err(_) => errors.add(format!("roleIds[{index}]"), "is no role of this catalogue"),
        }
    }
    errors.into_result()?;
    roles.sort_unstable();
    roles.dedup();
    Ok(roles)
}
