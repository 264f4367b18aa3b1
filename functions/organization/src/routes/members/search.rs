//! `GET /org/members`: the members, those that match.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Member, PageQuery, Query, Result};
use mainsheet_core::member::AccountType;
use mainsheet_core::{RoleId, TeamId, Timestamp};
use mainsheet_store::members::{MemberOrder, MemberRecord};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::view::{MemberIncluded, MemberItem};

/// What members can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SortBy {
    /// Their names.
    #[default]
    Name,
    /// Their addresses.
    Email,
}

impl From<SortBy> for MemberOrder {
    fn from(sort_by: SortBy) -> Self {
        match sort_by {
            SortBy::Name => Self::Name,
            SortBy::Email => Self::Email,
        }
    }
}

/// The order of the list.
pub(crate) type Order = mainsheet_api::Order<SortBy>;

/// Which members are wanted.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filtered {
    /// A JSON object as text, percent-encoded: members match that match all of its fields. `name` and `email` match by a part
    /// of it in any case; `roleId`, `teamId` (automatic seats count), `teamRoleId`, `accountType` and `isEnabled` as they are.
    /// Example: `{"name":"ada","isEnabled":true}`.
    #[serde(default, deserialize_with = "from_json")]
    #[garde(dive)]
    #[param(value_type = Option<String>, max_length = 1024)]
    filter: Option<Filter>,
}

/// What members have to match.
#[derive(Debug, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    #[garde(inner(length(chars, max = 255)))]
    name: Option<String>,
    #[garde(inner(length(chars, max = 255)))]
    email: Option<String>,
    #[garde(skip)]
    role_id: Option<RoleId>,
    #[garde(skip)]
    team_id: Option<TeamId>,
    #[garde(skip)]
    team_role_id: Option<RoleId>,
    #[garde(skip)]
    account_type: Option<AccountType>,
    #[garde(skip)]
    is_enabled: Option<bool>,
}

fn from_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Filter>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| serde::de::Error::custom(format!("is no such object: {error}")))
}

impl Filter {
    fn matches(&self, record: &MemberRecord, now: Timestamp) -> bool {
        let member = &record.member;
        let within = |wanted: &Option<String>, text: &str| {
            wanted.as_ref().is_none_or(|wanted| text.to_lowercase().contains(&wanted.to_lowercase()))
        };
        let has_role = |wanted: &RoleId| record.active_roles(now).any(|role| role.as_str() == wanted.as_str());
        let has_team_role =
            |wanted: &RoleId| record.seats.values().flatten().any(|role| role.as_str() == wanted.as_str());
        within(&self.name, &member.name)
            && within(&self.email, &member.email)
            && self.role_id.as_ref().is_none_or(has_role)
            && self.team_id.as_ref().is_none_or(|team| record.is_in_all_teams(now) || record.seats.contains_key(team))
            && self.team_role_id.as_ref().is_none_or(has_team_role)
            && self.account_type.is_none_or(|wanted| member.account_type == wanted)
            && self.is_enabled.is_none_or(|wanted| member.is_enabled == wanted)
    }
}

/// Some of the members.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberPage {
    /// How many match in all. With a filter absent where the list goes on after this answer or began before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    items: Vec<MemberItem>,
    included: MemberIncluded,
}

/// Search members
#[utoipa::path(
    get, path = "/org/members", operation_id = "searchMembers", tag = "members",
    params(PageQuery, Order, Filtered),
    responses((status = 200, description = "Some of the members.", body = MemberPage)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("member")))
)]
pub(crate) async fn search(
    State(app): State<App>,
    Member(caller): Member,
    Query(page): Query<PageQuery>,
    Query(order): Query<Order>,
    Query(Filtered { filter }): Query<Filtered>,
) -> Result<Json<MemberPage>> {
    let (tenant, now, request) = (caller.tenant(), app.now(), page.request()?);
    let (by, descending) = (order.sort_by.into(), order.is_descending());
    let found = match &filter {
        None => app.store.members(tenant, (by, descending), &request).await?,
        Some(filter) => {
            app.store.members_where(tenant, (by, descending), &request, |record| filter.matches(record, now)).await?
        }
    };
    let links = app.store.links_of_members(tenant, &found.rows).await?;
    let all = filter.is_none().then_some(links.counts.members);
    Ok(Json(MemberPage {
        total: all.or_else(|| found.known_total(&request)),
        items: found.rows.iter().map(|row| MemberItem::of(&row.value, now)).collect(),
        included: MemberIncluded::of(tenant.organization_id(), &found.rows, links, now),
    }))
}
