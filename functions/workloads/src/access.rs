//! Extractors that load what the path names and check what the caller may do to it. A handler that asks for one cannot
//! forget either.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use mainsheet_api::{App, HasApp, Member, Path, Problem, Result};
use mainsheet_auth::{Caller, Needs, Relation};
use mainsheet_core::catalog::Catalog;
use mainsheet_core::job::{Job, JobDraft};
use mainsheet_core::job_run::JobRun;
use mainsheet_core::query::SavedQuery;
use mainsheet_core::{CatalogId, Error, JobId, JobRunId, QueryId, TeamId};
use mainsheet_store::Row;
use serde::Deserialize;

use crate::routes::jobs::create::slug;

/// A saved query that the caller has a relation to.
pub(crate) struct QueryFor<N> {
    pub(crate) caller: Caller,
    pub(crate) row: Row<SavedQuery>,
    needs: PhantomData<N>,
}

/// A catalog that the caller has a relation to.
pub(crate) struct CatalogFor<N> {
    pub(crate) caller: Caller,
    pub(crate) row: Row<Catalog>,
    needs: PhantomData<N>,
}

/// A job that the caller has a relation to.
pub(crate) struct JobFor<N> {
    pub(crate) caller: Caller,
    pub(crate) row: Row<Job>,
    needs: PhantomData<N>,
}

/// A job that the caller has a relation to, and its draft if it has one.
pub(crate) struct DraftFor<N> {
    pub(crate) caller: Caller,
    pub(crate) job: Row<Job>,
    pub(crate) draft: Option<Row<JobDraft>>,
    needs: PhantomData<N>,
}

/// Who is about to apply a job file, and the job that has its key already, if any; the caller may manage that one.
pub(crate) struct KeyedJob {
    pub(crate) caller: Caller,
    pub(crate) row: Option<Row<Job>>,
}

/// A team over which the caller has a relation.
pub(crate) struct TeamFor<N> {
    pub(crate) caller: Caller,
    pub(crate) team: TeamId,
    needs: PhantomData<N>,
}

/// A run of a job that the caller has a relation to.
pub(crate) struct JobRunFor<N> {
    pub(crate) caller: Caller,
    pub(crate) job: Row<Job>,
    pub(crate) row: Row<JobRun>,
    needs: PhantomData<N>,
}

#[derive(Deserialize)]
struct QueryPath {
    query: QueryId,
}

#[derive(Deserialize)]
struct CatalogPath {
    catalog: CatalogId,
}

#[derive(Deserialize)]
struct JobPath {
    job: JobId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobKeyPath {
    job_key: String,
}

#[derive(Deserialize)]
struct TeamPath {
    team: TeamId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobRunPath {
    job: JobId,
    job_run: JobRunId,
}

impl<S: HasApp, N: Needs> FromRequestParts<S> for QueryFor<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(QueryPath { query }) = Path::from_request_parts(parts, state).await?;
        let row = state.app().store.query_saved(caller.tenant(), &query).await?;
        caller.require_in_any(N::RELATION, Relation::CanViewQueries, &row.value.team_ids)?;
        Ok(Self { caller, row, needs: PhantomData })
    }
}

impl<S: HasApp, N: Needs> FromRequestParts<S> for CatalogFor<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(CatalogPath { catalog }) = Path::from_request_parts(parts, state).await?;
        let row = state.app().store.catalog(caller.tenant(), &catalog).await?;
        let teams: Vec<TeamId> = row.value.teams.keys().cloned().collect();
        caller.require_in_any(N::RELATION, Relation::CanViewCatalogs, &teams)?;
        Ok(Self { caller, row, needs: PhantomData })
    }
}

impl<S: HasApp, N: Needs> FromRequestParts<S> for JobFor<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(JobPath { job }) = Path::from_request_parts(parts, state).await?;
        let row = Self::load(&state.app(), &caller, &job).await?;
        Ok(Self { caller, row, needs: PhantomData })
    }
}

impl<N: Needs> JobFor<N> {
    async fn load(app: &App, caller: &Caller, job: &JobId) -> mainsheet_core::Result<Row<Job>> {
        let row = app.store.job(caller.tenant(), job).await?;
        caller.require_in_any(N::RELATION, Relation::CanViewJobs, &row.value.team_ids)?;
        Ok(row)
    }

    /// The job as it is by now.
    pub(crate) async fn read_again(&self, app: &App) -> mainsheet_core::Result<Row<Job>> {
        Self::load(app, &self.caller, &self.row.value.id).await
    }
}

impl<S: HasApp, N: Needs> FromRequestParts<S> for DraftFor<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(JobPath { job }) = Path::from_request_parts(parts, state).await?;
        let (job, draft) = Self::load(&state.app(), &caller, &job).await?;
        Ok(Self { caller, job, draft, needs: PhantomData })
    }
}

impl<N: Needs> DraftFor<N> {
    async fn load(
        app: &App,
        caller: &Caller,
        job: &JobId,
    ) -> mainsheet_core::Result<(Row<Job>, Option<Row<JobDraft>>)> {
        let (job, draft) = app.store.job_and_draft(caller.tenant(), job).await?;
        caller.require_in_any(N::RELATION, Relation::CanViewJobs, &job.value.team_ids)?;
        Ok((job, draft))
    }

    /// Both as they are by now.
    pub(crate) async fn read_again(&self, app: &App) -> mainsheet_core::Result<(Row<Job>, Option<Row<JobDraft>>)> {
        Self::load(app, &self.caller, &self.job.value.id).await
    }
}

impl<S: HasApp> FromRequestParts<S> for KeyedJob {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(JobKeyPath { job_key }) = Path::from_request_parts(parts, state).await?;
        if job_key.len() > 255 || slug(&job_key, &()).is_err() {
            let message = "`jobKey` in the path takes 1 to 255 lower-case letters, digits, `-` and `_`.";
            return Err(Error::malformed("malformed_key", message).into());
        }
        let row = Self::load(&state.app(), &caller, &job_key).await?;
        Ok(Self { caller, row })
    }
}

impl KeyedJob {
    async fn load(app: &App, caller: &Caller, key: &str) -> mainsheet_core::Result<Option<Row<Job>>> {
        let row = app.store.job_by_key(caller.tenant(), key).await?;
        if let Some(row) = &row {
            caller.require_in_any(Relation::CanManageJobs, Relation::CanViewJobs, &row.value.team_ids)?;
        }
        Ok(row)
    }

    /// The job that has this key by now, if any.
    pub(crate) async fn read_again(&self, app: &App, key: &str) -> mainsheet_core::Result<Option<Row<Job>>> {
        Self::load(app, &self.caller, key).await
    }
}

impl<S: HasApp, N: Needs> FromRequestParts<S> for TeamFor<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(TeamPath { team }) = Path::from_request_parts(parts, state).await?;
        // Whoever may not see what the team has need not hear that there is such a team.
        caller.require_in_any(N::RELATION, N::RELATION, std::slice::from_ref(&team))?;
        state.app().store.team(caller.tenant(), &team).await?;
        Ok(Self { caller, team, needs: PhantomData })
    }
}

impl<S: HasApp, N: Needs> FromRequestParts<S> for JobRunFor<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(JobRunPath { job, job_run }) = Path::from_request_parts(parts, state).await?;
        let (job, row) = state.app().store.job_and_run(caller.tenant(), &job, &job_run).await?;
        caller.require_in_any(N::RELATION, Relation::CanViewJobs, &job.value.team_ids)?;
        Ok(Self { caller, job, row, needs: PhantomData })
    }
}

/// Jobs for each that one team reaches: what a page of its jobs is read from at first.
pub(crate) const FEW: u32 = 100;

/// Whether a thing that is shared with these teams is within the caller's reach: in `/me/...` that is through a team that they
/// sit in.
pub(crate) fn reaches(caller: &Caller, relation: Relation, teams: &[TeamId]) -> bool {
    teams.iter().any(|team| caller.sits_in(team) && caller.may_in(relation, team))
}
