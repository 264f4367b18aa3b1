//! `GET /infra/connections/{connection}/clusters/{cluster}/metrics`: how busy a cluster was, and what that cost.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{App, Path, Permitted, Query, Result};
use mainsheet_auth::needs::CanViewClusters;
use mainsheet_core::prices::{HourlyPrice, PriceTable};
use mainsheet_core::provisioned_cluster::{ClusterConfig, ProvisionedCluster};
use mainsheet_core::{ClusterId, ConnectionId, Timestamp};
use mainsheet_store::metrics::{SAMPLE, Sample};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ClusterPath;

/// Which time is looked back on.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MetricsQuery {
    /// `1h` in points of 5 minutes, `24h` of half an hour, `7d` of 4 hours.
    #[serde(default)]
    #[garde(skip)]
    #[param(inline)]
    period: Period,
}

/// A time to look back on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
pub(crate) enum Period {
    /// An hour.
    #[default]
    #[serde(rename = "1h")]
    Hour,
    /// A day.
    #[serde(rename = "24h")]
    Day,
    /// A week.
    #[serde(rename = "7d")]
    Week,
}

impl Period {
    /// How long it is, and how many samples make a point.
    fn shape(self) -> (Duration, u32) {
        match self {
            Self::Hour => (Duration::from_secs(3600), 1),
            Self::Day => (Duration::from_secs(24 * 3600), 6),
            Self::Week => (Duration::from_secs(7 * 24 * 3600), 48),
        }
    }
}

/// How busy a cluster was. Times in which its agent said nothing have no points.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterMetrics {
    /// Average share of CPU in use, in percent.
    cpu_utilization: Vec<MetricPoint>,
    /// Average share of memory in use, in percent.
    memory_utilization: Vec<MetricPoint>,
    /// What control plane and system nodes cost in the point's time, in cents of a US dollar, by the price table: an estimate.
    estimated_cost: Vec<MetricPoint>,
    /// Average number of runs at work, rounded up.
    active_job_count: Vec<MetricPoint>,
}

/// A value of a time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MetricPoint {
    /// When that time began.
    timestamp: Timestamp,
    value: u64,
}

/// Show a cluster's metrics
///
/// From the heartbeats of its agent.
#[utoipa::path(
    get, path = "/infra/connections/{connection}/clusters/{cluster}/metrics", operation_id = "getClusterMetrics", tag = "clusters",
    params(("connection" = ConnectionId, Path, description = "The connection."), ("cluster" = ClusterId, Path, description = "The cluster."), MetricsQuery),
    responses((status = 200, description = "The series.", body = ClusterMetrics)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanViewClusters")))
)]
pub(crate) async fn metrics(
    State(app): State<App>,
    caller: Permitted<CanViewClusters>,
    Path(path): Path<ClusterPath>,
    Query(query): Query<MetricsQuery>,
) -> Result<Json<ClusterMetrics>> {
    let row = app.store.provisioned_in::<ProvisionedCluster>(caller.tenant(), &path.connection, &path.cluster).await?;
    let (length, samples_of_point) = query.period.shape();
    let samples = app.store.samples(caller.tenant(), &path.cluster, app.now() - length).await?;
    let points = points(&samples, SAMPLE * samples_of_point);
    let price = hourly_price(&row.value.config);
    let series = |value: &dyn Fn(&Sample) -> u64| {
        points.iter().map(|(timestamp, sample)| MetricPoint { timestamp: *timestamp, value: value(sample) }).collect()
    };
    Ok(Json(ClusterMetrics {
        cpu_utilization: series(&|sample| sample.cpu_percent()),
        memory_utilization: series(&|sample| sample.memory_percent()),
        estimated_cost: series(&|sample| cents(price, sample.covered())),
        active_job_count: series(&|sample| sample.runs()),
    }))
}

/// Samples added up to points of a length, each at its beginning.
fn points(samples: &[Sample], length: Duration) -> Vec<(Timestamp, Sample)> {
    let step = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let mut points: Vec<(Timestamp, Sample)> = Vec::new();
    for sample in samples {
        let beginning = Timestamp::from_millisecond(sample.at.as_millisecond() / step * step);
        match points.last_mut().filter(|(at, _)| *at == beginning) {
            Some((_, sum)) => sum.add(sample),
            None => points.push((beginning, sample.clone())),
        }
    }
    points
}

/// What a cluster costs by the table: control plane, nodes, their disks.
fn hourly_price(config: &ClusterConfig) -> HourlyPrice {
    let price = |thing: &str| PriceTable::current().of(thing).unwrap_or_default();
    let group = &config.system_node_group;
    let node = [
        price(group.instance_types.first().map(String::as_str).unwrap_or_default()),
        price("gp3-gigabyte").times(group.disk_size_gb.into()),
    ];
    let nodes = node.into_iter().sum::<HourlyPrice>().times(group.desired_size.into());
    [price("eks-cluster"), nodes].into_iter().sum()
}

/// Millionths an hour over a time, in cents, rounded.
fn cents(price: HourlyPrice, time: Duration) -> u64 {
    let micros = u128::from(price.0) * u128::from(time.as_secs()) / 3600;
    u64::try_from((micros + 5_000) / 10_000).unwrap_or(u64::MAX)
}
