//! How busy clusters were: what their agents' heartbeats said, added up over five minutes each.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::cluster::AgentPulse;
use mainsheet_core::{ClusterId, Error, Result, Timestamp};

use crate::change::update_of;
use crate::key::{SK, tenant_partition};
use crate::row::{EXPIRES, number};
use crate::{Change, Item, Key, Listing, Store, Tenant};

/// How long a sample is.
pub const SAMPLE: Duration = Duration::from_secs(300);
/// How long samples are kept: the longest time that is looked back on, and a day.
const KEPT: Duration = Duration::from_secs(8 * 24 * 3600);
/// What a share of 1 counts in a sum.
const WHOLE: f64 = 10_000.0;

/// What the heartbeats of a time said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When it begins.
    pub at: Timestamp,
    /// How many samples are added up in it.
    samples: u32,
    beats: u64,
    cpu: u64,
    memory: u64,
    runs: u64,
}

impl Sample {
    fn of_item(item: &Item) -> Option<Self> {
        let sum = |name: &str| number(item, name).unwrap_or_default();
        let at = item.get(SK)?.as_s().ok()?.parse().ok()?;
        let (beats, cpu, memory, runs) = (sum("beats"), sum("cpu"), sum("memory"), sum("runs"));
        Some(Self { at, samples: 1, beats, cpu, memory, runs })
    }

    /// Adds a later one.
    pub fn add(&mut self, later: &Self) {
        self.samples += later.samples;
        self.beats += later.beats;
        self.cpu += later.cpu;
        self.memory += later.memory;
        self.runs += later.runs;
    }

    /// Average share of CPU in use, in percent.
    #[must_use]
    pub fn cpu_percent(&self) -> u64 {
        self.average(self.cpu) / 100
    }

    /// Average share of memory in use, in percent.
    #[must_use]
    pub fn memory_percent(&self) -> u64 {
        self.average(self.memory) / 100
    }

    /// Average number of runs at work, rounded up.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs.div_ceil(self.beats.max(1))
    }

    /// The time that it tells of.
    #[must_use]
    pub fn covered(&self) -> Duration {
        SAMPLE * self.samples
    }

    fn average(&self, sum: u64) -> u64 {
        (sum + self.beats / 2) / self.beats.max(1)
    }
}

fn metrics_partition(tenant: &Tenant, cluster: &ClusterId) -> String {
    tenant_partition(tenant, format!("CLUSTER#{cluster}#METRICS"))
}

impl Store {
    /// The samples of a cluster after a moment, oldest first: a query for every megabyte, and a week of them is less.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn samples(&self, tenant: &Tenant, cluster: &ClusterId, since: Timestamp) -> Result<Vec<Sample>> {
        // Samples come by their moment, so the one of this very moment is not after it.
        let (first, last) = (format!("{since}~"), "~".to_owned());
        let listing = Listing::of(metrics_partition(tenant, cluster)).between(first, last);
        let mut samples = Vec::new();
        self.each_item(&listing, |item| {
            samples.extend(Sample::of_item(&item));
            Ok(())
        })
        .await?;
        Ok(samples)
    }
}

impl Change<'_> {
    /// Adds a heartbeat to the sample of its time.
    pub(crate) fn add_to_sample(self, tenant: &Tenant, cluster: &ClusterId, pulse: &AgentPulse, runs: usize) -> Self {
        let Some(utilization) = &pulse.utilization else { return self };
        let length = i64::try_from(SAMPLE.as_millis()).unwrap_or(i64::MAX);
        let at = Timestamp::from_millisecond(self.now().as_millisecond() / length * length);
        let expires = AttributeValue::N((at + KEPT).as_second().to_string());
        let key = Key::global(metrics_partition(tenant, cluster), at.to_string());
        let adds = [
            ("beats", 1),
            ("cpu", parts(utilization.cpu)),
            ("memory", parts(utilization.memory)),
            ("runs", i64::try_from(runs).unwrap_or(i64::MAX)),
        ];
        let update = update_of(&key, vec![(EXPIRES.to_owned(), expires)], &[], &adds);
        self.update(update, Error::internal("a sample without a condition"))
    }
}

/// A share from 0 to 1 in ten-thousandths.
#[allow(clippy::cast_possible_truncation, reason = "from 0 to 10,000")]
fn parts(share: f64) -> i64 {
    (share.clamp(0.0, 1.0) * WHOLE).round() as i64
}
