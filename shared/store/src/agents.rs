//! Cluster agents and the one-time tokens they register with.

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::cluster::{Agent, Cluster};
use mainsheet_core::{AgentId, ClusterId, Error, OrganizationId, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::Due;
use crate::clusters::{AGENT, cluster_key, tenant_of};
use crate::{Change, Entity, Item, Key, Row, Store, Tenant};

impl Entity for Agent {
    const KIND: &'static str = "agent";
}

/// A one-time token's record. The token itself is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationToken {
    /// Whose cluster it is for.
    pub organization_id: OrganizationId,
    /// Which cluster it is for.
    pub cluster_id: ClusterId,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// The agent that used it.
    pub used_by: Option<AgentId>,
}

impl Entity for RegistrationToken {
    const KIND: &'static str = "registration_token";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

pub(crate) fn agent_key(agent: &AgentId) -> Key {
    Key::global(format!("AGENT#{agent}"), "AGENT")
}

pub(crate) fn registration_key(token_sha256: &str) -> Key {
    Key::global(format!("REGISTRATION#{token_sha256}"), "REGISTRATION")
}

/// The organization that an agent works for: its own record says so.
#[must_use]
pub fn tenant_of_agent(agent: &Row<Agent>) -> Tenant {
    tenant_of(&agent.value.organization_id)
}

/// The organization that a registration token is for: its own record says so.
#[must_use]
pub fn tenant_of_token(token: &Row<RegistrationToken>) -> Tenant {
    tenant_of(&token.value.organization_id)
}

impl Store {
    /// An agent.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn agent(&self, agent: &AgentId) -> Result<Option<Row<Agent>>> {
        self.get(&agent_key(agent)).await
    }

    /// A registration token by its SHA-256 in hex.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn registration_token(&self, token_sha256: &str) -> Result<Option<Row<RegistrationToken>>> {
        self.get(&registration_key(token_sha256)).await
    }
}

impl Change<'_> {
    /// An agent in exchange for its token.
    pub fn register_agent(self, tenant: &Tenant, token: &Row<RegistrationToken>, agent: &Agent) -> Self {
        let used = RegistrationToken { used_by: Some(agent.id.clone()), ..token.value.clone() };
        self.replace(token, &used, Due::Keep).enroll_agent(tenant, agent)
    }

    /// The agent has to be there still; [`Error::NotFound`] when it was dismissed.
    pub fn require_agent(self, agent: &AgentId) -> Self {
        self.require(&agent_key(agent), Error::NotFound)
    }

    /// An agent of the platform's own, which needs no token.
    pub fn enroll_agent(self, tenant: &Tenant, agent: &Agent) -> Self {
        let sets = Item::from([(AGENT.to_owned(), AttributeValue::S(agent.id.to_string()))]);
        self.create(&agent_key(&agent.id), agent, Error::internal("an agent id that was used before")).annotate(
            &cluster_key(tenant, &agent.cluster_id),
            sets,
            &[],
            Error::NotFound,
        )
    }
}

/// The agent that serves a cluster, if one has registered.
#[must_use]
pub fn agent_of(cluster: &Row<Cluster>) -> Option<AgentId> {
    cluster.text(AGENT)?.parse().ok()
}
