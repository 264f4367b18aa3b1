//! What is due: leases that ended, runs that took too long.

use aws_sdk_dynamodb::types::AttributeValue;
use std::time::Duration;

use futures::future::try_join_all;
use mainsheet_core::agent_protocol::LEASE;
use mainsheet_core::job_run::JobRun;
use mainsheet_core::{Error, OrganizationId, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::{DUE_SHARDS, update_of};
use crate::read::failed;
use crate::schema::{DUE, DUE_AT, DUE_SHARD};
use crate::{Entity, Item, Key, Row, Store, Tenant};

/// The most runs that one look at the index takes from each shard.
const PER_SHARD: i32 = 100;

/// What the scheduler remembers between ticks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchedulerState {
    last_tick_at: Timestamp,
    /// Until when agents may come back after the control plane was away itself.
    grace_until: Option<Timestamp>,
}

impl Entity for SchedulerState {
    const KIND: &'static str = "scheduler";
}

fn state_key() -> Key {
    Key::global("SCHEDULER", "STATE")
}

/// A run that is due, and whose it is.
#[derive(Debug, Clone)]
pub struct DueRun {
    /// Its organization: the run's own key says so.
    pub tenant: Tenant,
    /// The run as the table has it now, which may be due no longer.
    pub row: Row<JobRun>,
}

impl Store {
    /// Notes a tick, and answers until when agents whose leases ended unseen may come back. After more than `longest_pause`
    /// without a tick nobody could renew a lease, so that is one lease from now.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn note_tick(&self, now: Timestamp, longest_pause: Duration) -> Result<Option<Timestamp>> {
        let before: Option<Row<SchedulerState>> = self.get(&state_key()).await?;
        let grace_until = match before.map(|row| row.value) {
            Some(before) if now.since(before.last_tick_at) > longest_pause => Some(now + LEASE),
            Some(before) => before.grace_until.filter(|until| *until > now),
            None => None,
        };
        self.telemetry().overwrite(&state_key(), &SchedulerState { last_tick_at: now, grace_until }).commit().await?;
        Ok(grace_until)
    }

    /// Runs that are due by `now`: one query a shard, one batch read for what they found. Costs what is due, not what exists.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn due_runs(&self, now: Timestamp) -> Result<Vec<DueRun>> {
        let shards = try_join_all((0..DUE_SHARDS).map(|shard| self.due_keys(format!("DUE#{shard}"), now))).await?;
        let keys: Vec<Key> = shards.into_iter().flatten().collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut batch = self.get_batch(keys.clone()).await?;
        let mut due = Vec::with_capacity(keys.len());
        for key in &keys {
            let row = match batch.take::<JobRun>(key) {
                Ok(Some(row)) => row,
                Ok(None) => continue,
                Err(error) => {
                    tracing::error!(%error, "a run that is due cannot be read");
                    continue;
                }
            };
            let still_due = crate::job_runs::due_at(&row).is_some_and(|due_at| due_at <= now);
            if let (true, Some(tenant)) = (still_due, tenant_of(key)) {
                due.push(DueRun { tenant, row });
            }
        }
        Ok(due)
    }

    /// The first keys of a shard that are due: one query, and more only where DynamoDB answers fewer than there are.
    pub(crate) async fn due_keys(&self, shard: String, now: Timestamp) -> Result<Vec<Key>> {
        let (mut keys, mut start) = (Vec::new(), None);
        loop {
            let missing = PER_SHARD.saturating_sub(i32::try_from(keys.len()).unwrap_or(i32::MAX));
            let (found, next) = self.due_page(&shard, (missing, start), now).await?;
            keys.extend(found);
            start = next;
            if start.is_none() || keys.len() >= PER_SHARD as usize {
                return Ok(keys);
            }
        }
    }

    /// At most so many keys of a shard that are due, from a place on, and where they go on.
    pub(crate) async fn due_page(
        &self,
        shard: &str,
        (limit, start): (i32, Option<Item>),
        now: Timestamp,
    ) -> Result<(Vec<Key>, Option<Item>)> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(DUE)
            .limit(limit)
            .set_exclusive_start_key(start)
            .key_condition_expression("#shard = :shard AND #at <= :now")
            .expression_attribute_names("#shard", DUE_SHARD)
            .expression_attribute_names("#at", DUE_AT)
            .expression_attribute_values(":shard", AttributeValue::S(shard.to_owned()))
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()));
        let answer = query.send().await.map_err(failed)?;
        let keys = answer.items.unwrap_or_default().iter().filter_map(Key::of_item).collect();
        Ok((keys, answer.last_evaluated_key))
    }

    /// Gives the agent of a run whose lease ended unseen a whole lease more, within the run's own time: the control plane was
    /// away itself.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is due at another moment by now.
    pub async fn extend_lease(&self, due: &DueRun, now: Timestamp) -> Result<()> {
        let seen = due.row.text(DUE_AT).unwrap_or_default().to_owned();
        let due_at = due.row.value.due_at(now + LEASE);
        let sets = vec![(DUE_AT.to_owned(), AttributeValue::S(due_at.to_string()))];
        let update = update_of(&due.row.key, sets, &[], &[])
            .condition_expression("#s0 = :seen")
            .expression_attribute_values(":seen", AttributeValue::S(seen));
        self.telemetry().update(update, Error::NotFound).commit().await
    }
}

impl crate::Change<'_> {
    /// What becomes of a run that is due, unless its lease was renewed meanwhile.
    pub fn settle_due_run(self, due: &DueRun, run: &JobRun) -> Self {
        self.replace_due_run(&due.tenant, &due.row, run)
    }
}

/// The organization in the key of a tenant's row.
pub(crate) fn tenant_of(key: &Key) -> Option<Tenant> {
    let organization: OrganizationId = key.pk.strip_prefix("O#")?.split('#').next()?.parse().ok()?;
    Some(Tenant::proven(organization))
}
