//! Clusters, the pulse of their agents, and the inbox through which agents get their work.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck};
use mainsheet_core::agent_protocol::HEARTBEAT_VALID;
use mainsheet_core::cluster::{AgentPulse, Cluster, Place};
use mainsheet_core::provisioned_cluster::ProvisionedCluster;
use mainsheet_core::{AgentId, ClusterId, Error, JobId, JobRunId, OrganizationId, Result, TeamId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::agents::{RegistrationToken, agent_key, registration_key};
use crate::audit::Audit;
use crate::change::{Due, changed_meanwhile, retry_races};
use crate::key::tenant_partition;
use crate::outbox::Event;
use crate::provisioned::provisioned_key;
use crate::row::{DATA, attribute};
use crate::{Change, Entity, Item, Key, Listing, PageRequest, Row, Store, Tenant};

/// The most clusters that an organization can have. Lists of them are read whole.
pub const MAX_CLUSTERS: u64 = 100;

/// Beside a cluster: what its agent's last heartbeat said.
pub(crate) const PULSE: &str = "pulse";
/// Beside a cluster: its agent.
pub(crate) const AGENT: &str = "agent_id";

impl Entity for Cluster {
    const KIND: &'static str = "cluster";
}

/// A name that belongs to a cluster of the organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NameClaim {
    cluster_id: ClusterId,
}

impl Entity for NameClaim {
    const KIND: &'static str = "cluster_name";
}

/// Something that waits for a cluster's agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxEntry {
    /// What it is.
    pub kind: InboxKind,
    /// The run's job.
    pub job_id: JobId,
    /// The run.
    pub job_run_id: JobRunId,
    /// The run's lease; of a ready run the one before.
    pub attempt: u32,
    /// Who holds the lease; absent on a ready run.
    pub agent_id: Option<AgentId>,
}

/// What waits for a cluster's agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InboxKind {
    /// A run that somebody asked to stop.
    Cancel,
    /// A run that an agent holds.
    Leased,
    /// A run that any agent of the cluster may lease.
    Ready,
}

impl Entity for InboxEntry {
    const KIND: &'static str = "inbox";
}

pub(crate) fn cluster_key(tenant: &Tenant, cluster: &ClusterId) -> Key {
    Key::of_tenant(tenant, "CLUSTERS", cluster.as_str())
}

fn name_key(tenant: &Tenant, name: &str) -> Key {
    Key::of_tenant(tenant, "CLUSTER_NAMES", name.to_lowercase())
}

fn count_key(tenant: &Tenant) -> Key {
    Key::of_tenant(tenant, "SELF", "COUNT#CLUSTERS")
}

fn inbox_partition(tenant: &Tenant, cluster: &ClusterId) -> String {
    tenant_partition(tenant, format!("CLUSTER#{cluster}#INBOX"))
}

/// What the keys of runs begin with that any agent of the cluster may lease.
const READY: &str = "READY";

/// Stop orders sort before held runs, held ones before ready ones, and these by how long they have waited.
pub(crate) fn inbox_key(tenant: &Tenant, cluster: &ClusterId, kind: InboxKind, order: &str) -> Key {
    let kind = match kind {
        InboxKind::Cancel => "CANCEL",
        InboxKind::Leased => "LEASED",
        InboxKind::Ready => READY,
    };
    Key::global(inbox_partition(tenant, cluster), format!("{kind}#{order}"))
}

/// What the last heartbeat of a cluster's agent said.
#[must_use]
pub fn pulse(row: &Row<Cluster>) -> AgentPulse {
    row.part(PULSE).unwrap_or_default()
}

impl Store {
    /// A cluster.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such cluster.
    pub async fn cluster(&self, tenant: &Tenant, cluster: &ClusterId) -> Result<Row<Cluster>> {
        self.get(&cluster_key(tenant, cluster)).await?.ok_or(Error::NotFound)
    }

    /// All clusters of the tenant, at most [`MAX_CLUSTERS`].
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn clusters(&self, tenant: &Tenant) -> Result<Vec<Row<Cluster>>> {
        self.whole(&Listing::of(tenant_partition(tenant, "CLUSTERS"))).await
    }

    /// The first 100 entries of a cluster's inbox. Where those are all of runs that agents hold, the first 100 that are ready come
    /// along, too.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn inbox(&self, tenant: &Tenant, cluster: &ClusterId) -> Result<Vec<InboxEntry>> {
        let all = Listing::of(inbox_partition(tenant, cluster));
        let request = PageRequest { limit: 100, ..PageRequest::default() };
        let page = self.page(&all, &request).await?.map(|row: Row<InboxEntry>| row.value);
        let mut entries = page.rows;
        if page.marker.is_some() && entries.iter().all(|entry| entry.kind != InboxKind::Ready) {
            let ready = all.beginning_with(format!("{READY}#"));
            entries.extend(self.page(&ready, &request).await?.map(|row: Row<InboxEntry>| row.value).rows);
        }
        Ok(entries)
    }

    /// A logical cluster comes to stand in front of a provisioned one, and its agent has something to register with. Repeated, the
    /// cluster stays as it is and another token is good as well.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such provisioned cluster.
    pub async fn enroll_provisioned_cluster(
        &self,
        tenant: &Tenant,
        cluster: &ClusterId,
        (token_sha256, expires_at): (&str, Timestamp),
    ) -> Result<()> {
        retry_races(|| async {
            let (provisioned, logical) = self.cluster_faces(tenant, cluster).await?;
            let token = RegistrationToken {
                organization_id: tenant.organization_id().clone(),
                cluster_id: cluster.clone(),
                expires_at,
                used_by: None,
            };
            let audit = Audit::of_platform(tenant, "cluster.enroll", cluster);
            let change = self.change(audit).overwrite(&registration_key(token_sha256), &token);
            let now = change.now();
            let change = match logical {
                Some(_) => change,
                None => change.create(
                    &cluster_key(tenant, cluster),
                    &logical_cluster(&provisioned.value, now),
                    changed_meanwhile(),
                ),
            };
            change.commit().await
        })
        .await
    }

    /// The logical cluster in front of a provisioned one goes, with its agent's credentials: work is given to it no more, and runs
    /// that wait there are cancelled. Repeated, nothing happens.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn withdraw_provisioned_cluster(&self, tenant: &Tenant, cluster: &ClusterId) -> Result<()> {
        retry_races(|| async {
            let Some(row) = self.get::<Cluster>(&cluster_key(tenant, cluster)).await? else { return Ok(()) };
            let audit = Audit::of_platform(tenant, "cluster.withdraw", cluster);
            let event = Event::ClusterRetired { cluster_id: cluster.clone() };
            self.change(audit).withdraw_cluster(&row).emit(event).commit().await
        })
        .await
    }

    /// A provisioned cluster, and the logical one that is in front of it, if it is there: one round trip.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such provisioned cluster.
    pub async fn cluster_faces(
        &self,
        tenant: &Tenant,
        cluster: &ClusterId,
    ) -> Result<(Row<ProvisionedCluster>, Option<Row<Cluster>>)> {
        let (provisioned, logical) =
            (provisioned_key::<ProvisionedCluster>(tenant, cluster), cluster_key(tenant, cluster));
        let mut batch = self.get_batch([provisioned.clone(), logical.clone()]).await?;
        Ok((batch.take(&provisioned)?.ok_or(Error::NotFound)?, batch.take(&logical)?))
    }

    /// Notes a heartbeat of a cluster's agent, which works on so many runs. It makes no new version of the cluster and is not
    /// audited.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the cluster is gone.
    pub async fn note_pulse(
        &self,
        tenant: &Tenant,
        cluster: &ClusterId,
        pulse: &AgentPulse,
        runs: usize,
    ) -> Result<()> {
        let sets = Item::from([(PULSE.to_owned(), attribute(pulse)?)]);
        self.telemetry()
            .annotate(&cluster_key(tenant, cluster), sets, &[], Error::NotFound)
            .add_to_sample(tenant, cluster, pulse, runs)
            .commit()
            .await
    }
}

impl Change<'_> {
    /// A new cluster, and the token that its agent registers with. `pulse` is what a built-in agent would say.
    pub fn create_cluster(
        self,
        tenant: &Tenant,
        cluster: &Cluster,
        pulse: &AgentPulse,
        token: (&str, &RegistrationToken),
    ) -> Self {
        let beside = match attribute(pulse) {
            Ok(pulse) => Item::from([(PULSE.to_owned(), pulse)]),
            Err(_) => Item::new(),
        };
        let used = || Error::internal("a cluster id or token that was used before");
        self.claim_cluster(tenant, &cluster.id, &cluster.name)
            .create_with(&cluster_key(tenant, &cluster.id), cluster, beside, used())
            .create(&registration_key(token.0), token.1, used())
    }

    /// A cluster's name becomes its own, and its place among the [`MAX_CLUSTERS`] of the organization.
    pub(crate) fn claim_cluster(self, tenant: &Tenant, cluster: &ClusterId, name: &str) -> Self {
        let update = crate::change::update_of(&count_key(tenant), Vec::new(), &[], &[("n", 1)])
            .condition_expression("attribute_not_exists(n) OR n < :most")
            .expression_attribute_values(":most", AttributeValue::N(MAX_CLUSTERS.to_string()));
        let full = Error::conflict("too_many_clusters", "An organization can have 100 clusters. Retire one first.");
        self.claim_cluster_name(tenant, cluster, name).update(update, full)
    }

    fn claim_cluster_name(self, tenant: &Tenant, cluster: &ClusterId, name: &str) -> Self {
        let taken = Error::conflict("cluster_name_taken", "Another cluster has this name. Choose another one.");
        self.create(&name_key(tenant, name), &NameClaim { cluster_id: cluster.clone() }, taken)
    }

    /// A cluster's name is free again, and its place.
    pub(crate) fn release_cluster(self, tenant: &Tenant, name: &str) -> Self {
        self.remove(&name_key(tenant, name)).add(&count_key(tenant), "n", -1)
    }

    /// A provisioned cluster has another name, and so has the logical one that is in front of it, if it is there.
    pub fn rename_provisioned_cluster(
        self,
        tenant: &Tenant,
        cluster: &ProvisionedCluster,
        logical: Option<&Row<Cluster>>,
        name: &str,
    ) -> Self {
        let (before, after) = (name_key(tenant, &cluster.name), name_key(tenant, name));
        let change =
            if before == after { self } else { self.claim_cluster_name(tenant, &cluster.id, name).remove(&before) };
        match logical {
            Some(row) => {
                let renamed = Cluster { name: name.to_owned(), updated_at: change.now(), ..row.value.clone() };
                change.replace(row, &renamed, Due::Keep)
            }
            None => change,
        }
    }

    /// A cluster's new settings.
    pub fn replace_cluster(self, row: &Row<Cluster>, cluster: &Cluster) -> Self {
        self.replace(row, cluster, Due::Keep)
    }

    /// The end of a cluster and of its agent's credentials.
    pub fn retire_cluster(self, tenant: &Tenant, row: &Row<Cluster>) -> Self {
        self.withdraw_cluster(row).release_cluster(tenant, &row.value.name)
    }

    /// A logical cluster goes, with its agent's credentials; its name stays taken.
    pub(crate) fn withdraw_cluster(self, row: &Row<Cluster>) -> Self {
        // An agent that registers at this moment makes no new version of the cluster: it has to be the one that was read.
        let agent = row.text(AGENT);
        let change = match agent.and_then(|agent| agent.parse::<AgentId>().ok()) {
            Some(agent) => self.remove(&agent_key(&agent)),
            None => self,
        };
        change.delete_with(row, AGENT, agent)
    }

    /// The cluster has to be there; [`Error::NotFound`] when it is not.
    pub fn require_cluster(self, tenant: &Tenant, cluster: &ClusterId) -> Self {
        self.require(&cluster_key(tenant, cluster), Error::NotFound)
    }

    /// The cluster has to be there with an agent that is alive, and shared with one of `teams` where they are given.
    pub fn require_usable_cluster(self, tenant: &Tenant, cluster: &ClusterId, teams: Option<&[TeamId]>) -> Self {
        let alive_since = self.now() - HEARTBEAT_VALID;
        let mut check = ConditionCheck::builder()
            .set_key(Some(cluster_key(tenant, cluster).to_item()))
            .expression_attribute_names("#pulse", PULSE)
            .expression_attribute_values(":since", AttributeValue::S(alive_since.to_string()));
        let mut condition = "#pulse.seenAt > :since".to_owned();
        if let Some(teams) = teams {
            let names: Vec<String> =
                (0..teams.len()).map(|index| format!("attribute_exists(#data.teams.#t{index})")).collect();
            condition = format!("{condition} AND ({})", names.join(" OR "));
            check = check.expression_attribute_names("#data", DATA);
            for (index, team) in teams.iter().enumerate() {
                check = check.expression_attribute_names(format!("#t{index}"), team.as_str());
            }
        }
        self.check(check.condition_expression(condition), cluster_unusable())
    }
}

/// A cluster that work cannot be given to.
#[must_use]
pub fn cluster_unusable() -> Error {
    Error::conflict(
        "cluster_not_active",
        "The cluster's agent has not reported within the last 2 minutes, or the cluster is gone or not shared with a team \
         of the job. Start its agent, share it, or choose another cluster.",
    )
}

/// The logical cluster in front of a provisioned one, as it begins.
fn logical_cluster(cluster: &ProvisionedCluster, now: Timestamp) -> Cluster {
    Cluster {
        id: cluster.id.clone(),
        name: cluster.name.clone(),
        region: cluster.region.to_string(),
        provisioned: Some(Place {
            connection_id: cluster.connection_id.clone(),
            network_id: cluster.network_id.clone(),
        }),
        teams: BTreeMap::new(),
        created_at: now,
        created_by: cluster.provisioning.created_by.clone(),
        updated_at: now,
        updated_by: cluster.provisioning.updated_by.clone(),
    }
}

/// The organization that a registration token or an agent names in its own record.
pub(crate) fn tenant_of(organization: &OrganizationId) -> Tenant {
    Tenant::proven(organization.clone())
}
