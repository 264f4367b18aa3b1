//! Saved queries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::job::Shared;
use crate::{CatalogId, JobId, MemberId, QueryId, TeamId, Timestamp};

/// The most jobs that one saved query can serve.
pub const MAX_JOBS: usize = 100;

/// A saved query, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedQuery {
    /// What the contract shows of it.
    pub query: Query,
    /// The teams that it is shared with; at least one.
    pub team_ids: Vec<TeamId>,
    /// Since when and by whom, for teams that it was not shared with from its beginning.
    #[serde(default)]
    pub shared: BTreeMap<TeamId, Shared>,
    /// The jobs that run it.
    pub job_ids: Vec<JobId>,
}

/// A reusable SQL text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Query {
    /// Its id.
    pub id: QueryId,
    /// The member who created it.
    pub member_id: MemberId,
    /// Its name.
    #[schema(min_length = 1, max_length = 255, examples("Daily Sales Summary"))]
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1023)]
    pub description: Option<String>,
    /// The schema that unqualified table names mean. The one snake_case field of the protocol.
    #[serde(rename = "catalog_schema", skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub catalog_schema: Option<String>,
    /// The catalog that unqualified schema names mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog_id: Option<CatalogId>,
    /// The SQL text.
    #[schema(min_length = 1, max_length = 8191, examples("SELECT region, SUM(amount) FROM sales GROUP BY region"))]
    pub query_text: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: MemberId,
}
