//! The audit trail: who did what to which thing. Every [`crate::Change`] begins with its record.

use mainsheet_core::{AgentId, AuditId, LoginId, MemberId, RequestId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::key::tenant_partition;
use crate::{Entity, Key, Tenant};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type", rename_all_fields = "camelCase")]
pub enum Actor {
    /// A member of the organization, signed in.
    Member {
        /// The member.
        member_id: MemberId,
        /// The person.
        user_id: UserId,
        /// The login they use.
        login_id: LoginId,
    },
    /// A person, in no organization's name.
    User {
        /// The person.
        user_id: UserId,
    },
    /// A cluster's agent.
    Agent {
        /// The agent.
        agent_id: AgentId,
    },
    /// Mainsheet itself.
    Platform,
}

/// Where a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Entity for AuditRecord {
    const KIND: &'static str = "audit";
}

impl Audit {
    /// The record and its place: one partition a month, so that none outgrows DynamoDB's item collections.
    pub(crate) fn record(&self, now: Timestamp) -> (Key, AuditRecord) {
        let id = AuditId::generate(now);
        let month = now.to_string().chars().take(7).collect::<String>();
        let key = Key::global(self.scope.partition(&format!("AUDIT#{month}")), id.as_str());
        let record = AuditRecord {
            id,
            at: now,
            actor: self.actor.clone(),
            origin: self.origin.clone(),
            action: self.action.to_owned(),
            target: self.target.clone(),
        };
        (key, record)
    }
}
