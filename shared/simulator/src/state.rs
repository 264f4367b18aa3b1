//! What there is in the accounts.

use std::collections::{BTreeMap, BTreeSet};

use mainsheet_cloud::account::QuotaKind;
use mainsheet_core::connection::AccountId;
use mainsheet_core::region::Region;
use mainsheet_core::{ConnectionId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Fault;
use crate::clusters::SimulatedCluster;
use crate::stacks::SimulatedStack;

/// Everything.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    pub(crate) faults: Vec<Fault>,
    /// How many things were named: names are never given twice.
    pub(crate) named: u64,
}

/// An account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    /// Roles that the platform may enter by, by name.
    pub(crate) roles: BTreeMap<String, Role>,
    /// Quotas that are not what new accounts have.
    pub(crate) quotas: BTreeMap<QuotaKind, u64>,
    /// Names of buckets that something is in.
    #[serde(default)]
    pub(crate) full_buckets: BTreeSet<String>,
    pub(crate) regions: BTreeMap<Region, RegionState>,
}

/// A role that the connection's template made.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    /// What it demands of whoever assumes it, if it does.
    pub(crate) external_id: Option<String>,
    pub(crate) connection_id: ConnectionId,
    pub(crate) stack_arn: String,
    #[serde(default)]
    pub(crate) boundary_name: String,
    /// Actions that somebody took away from it.
    pub(crate) denied: BTreeSet<String>,
}

/// What there is in a region of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegionState {
    /// Deleted ones included: they can be looked at by their ARN.
    pub(crate) stacks: Vec<SimulatedStack>,
    pub(crate) clusters: BTreeMap<String, SimulatedCluster>,
}

impl State {
    /// What was due until now has happened.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        for region in self.accounts.values_mut().flat_map(|account| account.regions.values_mut()) {
            for cluster in region.clusters.values_mut() {
                cluster.settle(now);
            }
            region.clusters.retain(|_, cluster| !cluster.is_gone(now));
        }
    }
}
