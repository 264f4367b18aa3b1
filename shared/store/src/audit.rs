//! The audit trail: who did what to which thing. Every [`crate::Change`] begins with its record.

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::organization::Organization;
use mainsheet_core::{
    AgentId, AuditId, LoginId, MemberId, RequestId, Result, ServiceAccountId, ServiceAccountKeyId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::audit_chain::seal_shard;
use crate::key::{PK, SK, tenant_partition};
use crate::read::failed;
use crate::schema::{DUE_AT, DUE_SHARD};
use crate::users::Access;
use crate::{Entity, Item, Key, Listing, Page, PageRequest, Row, Store, Tenant};

/// The most rows that are looked at for one page of the trail.
const MAX_LOOKED_AT: usize = 1000;
/// The most months that are looked at for one page of the trail.
const MAX_MONTHS: usize = 12;
/// The most organizations whose trail tells of a sign-in.
pub(crate) const MAX_NOTED_IN: usize = 20;

/// Whose trail a record belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// An organization's.
    Tenant(Tenant),
    /// A user's own: signing in and out.
    User(UserId),
    /// Mainsheet's: keys and the like.
    Platform,
}

impl Scope {
    pub(crate) fn partition(&self, name: &str) -> String {
        match self {
            Self::Tenant(tenant) => tenant_partition(tenant, name),
            Self::User(user) => format!("U#{user}#{name}"),
            Self::Platform => format!("PLATFORM#{name}"),
        }
    }
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Actor {
    /// A member of the organization, signed in.
    #[serde(rename_all = "camelCase")]
    Member {
        /// The member.
        member_id: MemberId,
        /// The person.
        user_id: UserId,
        /// The login they use.
        login_id: LoginId,
        /// Until when the role Emergency ends by itself, if it is what lets them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emergency_until: Option<Timestamp>,
    },
    /// A machine identity of the organization.
    #[serde(rename_all = "camelCase")]
    ServiceAccount {
        /// The account.
        service_account_id: ServiceAccountId,
        /// The key it used.
        key_id: ServiceAccountKeyId,
    },
    /// A person, in no organization's name.
    #[serde(rename_all = "camelCase")]
    User {
        /// The person.
        user_id: UserId,
    },
    /// A cluster's agent.
    #[serde(rename_all = "camelCase")]
    Agent {
        /// The agent.
        agent_id: AgentId,
    },
    /// Mainsheet itself.
    Platform,
}

/// Where a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The request.
    pub request_id: Option<RequestId>,
    /// The network address that it came from.
    pub address: Option<String>,
    /// The software that sent it.
    pub user_agent: Option<String>,
}

/// What a change does, for the trail.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Whose trail.
    pub scope: Scope,
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// What, as `<resource>.<verb>`.
    pub action: &'static str,
    /// To which thing: its id.
    pub target: String,
}

/// A record of the trail, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// Its id.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// What.
    pub action: String,
    /// To which thing.
    pub target: String,
    /// What was changed, where it is a setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

/// What of a setting was changed: the fields that differ alone. No secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Details {
    /// As they were; absent when there was nothing.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schema(value_type = Object)]
    pub before: Value,
    /// As they are now; absent when there is nothing left.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schema(value_type = Object)]
    pub after: Value,
}

impl Details {
    /// What differs between two states; `None` for what was not there or is there no more.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Internal`] when a state cannot be written as JSON.
    pub fn of<T: Serialize>(before: Option<&T>, after: Option<&T>) -> Result<Self> {
        let value = |state: Option<&T>| state.map_or(Ok(Value::Null), serde_json::to_value);
        let (before, after) = (value(before), value(after));
        let (before, after) = difference(
            before.map_err(mainsheet_core::Error::internal)?,
            after.map_err(mainsheet_core::Error::internal)?,
        );
        Ok(Self { before, after })
    }
}

/// Two values without the fields that are the same in both.
fn difference(before: Value, after: Value) -> (Value, Value) {
    let (before, mut after) = match (before, after) {
        (Value::Object(before), Value::Object(after)) => (before, after),
        others => return others,
    };
    let (mut old, mut new) = (Map::new(), Map::new());
    for (name, was) in before {
        match after.remove(&name) {
            Some(is) if is == was => {}
            Some(is) => {
                let (was, is) = difference(was, is);
                old.insert(name.clone(), was);
                new.insert(name, is);
            }
            None => {
                old.insert(name, was);
            }
        }
    }
    new.extend(after);
    (Value::Object(old), Value::Object(new))
}

impl Entity for AuditRecord {
    const KIND: &'static str = "audit";
}

impl Audit {
    /// What the platform itself does in an organization's name.
    #[must_use]
    pub fn of_platform(tenant: &Tenant, action: &'static str, target: &impl ToString) -> Self {
        Self {
            scope: Scope::Tenant(tenant.clone()),
            actor: Actor::Platform,
            origin: Origin::default(),
            action,
            target: target.to_string(),
        }
    }

    /// The record as it will be kept.
    pub(crate) fn record(&self, details: Option<Details>, now: Timestamp) -> AuditRecord {
        AuditRecord {
            id: AuditId::generate(now),
            at: now,
            actor: self.actor.clone(),
            origin: self.origin.clone(),
            action: self.action.to_owned(),
            target: self.target.clone(),
            details,
        }
    }
}

impl Scope {
    /// Where a record of this trail is, one partition a month, so that none outgrows DynamoDB's item collections; and what stands
    /// beside it: that an organization's has to be sealed.
    pub(crate) fn place(&self, record: &AuditRecord) -> (Key, Item) {
        let month = month_of(record.at);
        let key = Key::global(self.partition(&format!("AUDIT#{month}")), record.id.as_str());
        let due = match self {
            Self::Tenant(_) => Item::from([
                (DUE_SHARD.to_owned(), AttributeValue::S(seal_shard(&key))),
                (DUE_AT.to_owned(), AttributeValue::S(record.at.to_string())),
            ]),
            Self::User(_) | Self::Platform => Item::new(),
        };
        (key, due)
    }
}

/// The organizations that hear of a person's signing in.
pub(crate) fn noted_in(access: &Access) -> Vec<Tenant> {
    access.memberships.keys().filter_map(|id| Some(access.membership(id)?.0)).take(MAX_NOTED_IN).collect()
}

/// A month as partitions name it: `2026-11`.
fn month_of(moment: Timestamp) -> String {
    moment.to_string().chars().take(7).collect()
}

/// The month before: `None` before the year 1970.
fn month_before(month: &str) -> Option<String> {
    let first: Timestamp = format!("{month}-01T00:00:00Z").parse().ok()?;
    let before = first - std::time::Duration::from_millis(1);
    (before < first).then(|| month_of(before))
}

/// What of a trail is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By whom: the id of a member, user, service account or agent.
    pub actor: Option<String>,
    /// What was done, as `<resource>.<verb>`.
    pub action: Option<String>,
    /// To which thing.
    pub target: Option<String>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
}

impl AuditFilter {
    fn wants(&self, record: &AuditRecord) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        self.actor.as_deref().is_none_or(|actor| record.actor.is(actor))
            && is(&self.action, &record.action)
            && is(&self.target, &record.target)
            && self.from.is_none_or(|from| record.at >= from)
            && self.to.is_none_or(|to| record.at < to)
    }

    /// The list that these filters make, for markers alone.
    fn listing(&self, tenant: &Tenant) -> Listing {
        Listing::of(tenant_partition(tenant, format!("AUDIT?{self:?}"))).descending(true)
    }
}

impl Actor {
    /// Whether this is who has that id.
    fn is(&self, id: &str) -> bool {
        match self {
            Self::Member { member_id, user_id, .. } => member_id.as_str() == id || user_id.as_str() == id,
            Self::User { user_id } => user_id.as_str() == id,
            Self::Agent { agent_id } => agent_id.as_str() == id,
            Self::ServiceAccount { service_account_id, .. } => service_account_id.as_str() == id,
            Self::Platform => false,
        }
    }
}

impl Store {
    /// A page of an organization's trail, newest first. It looks at [`MAX_LOOKED_AT`] records and [`MAX_MONTHS`] months at most:
    /// where few records are wanted, a page can be short or empty and still have a marker.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Malformed`] for a bad marker.
    pub async fn audit_log(
        &self,
        tenant: &Tenant,
        organization: &Organization,
        filter: &AuditFilter,
        request: &PageRequest,
    ) -> Result<Page<Row<AuditRecord>>> {
        let (now, listing) = (self.now(), filter.listing(tenant));
        let start = self.start_of(&listing, request.marker.as_deref()).await?;
        let mut page = Page::of(Vec::new(), None);
        if request.limit == 0 {
            return Ok(page);
        }
        let newest = filter.to.unwrap_or(now).min(now);
        let oldest = filter.from.unwrap_or(organization.created_at).max(organization.created_at);
        // All of it is yet to come, or was before the organization.
        if oldest > newest {
            return Ok(page);
        }
        let mut position = match start.as_ref().and_then(|start| start.get(SK)?.as_s().ok()) {
            Some(position) => position.clone(),
            None => format!("{}#", month_of(newest)),
        };
        let (mut looked_at, mut months) = (0, 0);
        while looked_at < MAX_LOOKED_AT && months < MAX_MONTHS {
            let (month, after) = position.split_once('#').unwrap_or((&position, ""));
            if month < month_of(oldest).as_str() {
                return Ok(page);
            }
            let (month, after) = (month.to_owned(), after.to_owned());
            let (rows, is_last) = self.audit_rows(tenant, &month, &after, (oldest, newest)).await?;
            looked_at += rows.len().max(1);
            for row in rows {
                position = format!("{month}#{}", row.value.id);
                if filter.wants(&row.value) {
                    page.rows.push(row);
                }
                if page.rows.len() == request.limit as usize {
                    page.marker = Some(self.marker(&listing, &marker_at(&position)).await?);
                    return Ok(page);
                }
            }
            if is_last {
                months += 1;
                match month_before(&month) {
                    Some(before) => position = format!("{before}#"),
                    None => return Ok(page),
                }
            }
        }
        page.marker = Some(self.marker(&listing, &marker_at(&position)).await?);
        Ok(page)
    }

    /// Records of one month, newest first, after an id; and whether the month has no more.
    async fn audit_rows(
        &self,
        tenant: &Tenant,
        month: &str,
        after: &str,
        (oldest, newest): (Timestamp, Timestamp),
    ) -> Result<(Vec<Row<AuditRecord>>, bool)> {
        let partition = tenant_partition(tenant, format!("AUDIT#{month}"));
        let start = (!after.is_empty()).then(|| Key::global(partition.clone(), after).to_item());
        let newest = newest + std::time::Duration::from_millis(1);
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(100)
            .set_exclusive_start_key(start)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :oldest AND :newest")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", text(&partition))
            .expression_attribute_values(":oldest", text(AuditId::floor(oldest).as_str()))
            .expression_attribute_values(":newest", text(AuditId::floor(newest).as_str()));
        let answer = query.send().await.map_err(failed)?;
        let is_last = answer.last_evaluated_key.is_none();
        let rows = answer.items.unwrap_or_default().into_iter().map(Row::of_item).collect::<Result<_>>()?;
        Ok((rows, is_last))
    }
}

fn marker_at(position: &str) -> Item {
    Item::from([(SK.to_owned(), AttributeValue::S(position.to_owned()))])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn details_are_the_fields_that_differ() {
        let (before, after) =
            (json!({"a": {"x": 1, "y": 2}, "b": 3, "c": 4}), json!({"a": {"x": 1, "y": 5}, "b": 3, "d": 6}));
        let details = Details::of(Some(&before), Some(&after)).unwrap();
        assert_eq!((details.before, details.after), (json!({"a": {"y": 2}, "c": 4}), json!({"a": {"y": 5}, "d": 6})));
        let made = Details::of(None, Some(&after)).unwrap();
        assert_eq!((made.before, made.after), (Value::Null, after));
    }

    #[test]
    fn months_go_back_over_the_year() {
        assert_eq!(month_before("2026-01").as_deref(), Some("2025-12"));
        assert_eq!(month_before("1970-01"), None);
    }
}
