//! Extractors that load what the path names and check what the caller may do to it. A handler that asks for one cannot
//! forget either.

use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use mainsheet_api::{App, Member, Path, Problem, Result};
use mainsheet_auth::{Caller, Needs, Relation};
use mainsheet_core::catalog::Catalog;
use mainsheet_core::job::Job;
use mainsheet_core::job_run::JobRun;
use mainsheet_core::query::SavedQuery;
use mainsheet_core::{CatalogId, JobId, JobRunId, QueryId, TeamId};
use mainsheet_store::Row;
use serde::Deserialize;

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

/// A run of a job that the caller has a relation to.
pub(crate) struct JobRunFor<N> {
    pub(crate) caller: Caller,
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
struct JobRunPath {
    job: JobId,
    job_run: JobRunId,
}

impl<S, N> FromRequestParts<S> for QueryFor<N>
where
    S: Send + Sync,
    App: FromRef<S>,
    N: Needs,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(QueryPath { query }) = Path::from_request_parts(parts, state).await?;
        let row = App::from_ref(state).store.query_saved(caller.tenant(), &query).await?;
        caller.require_in_any(N::RELATION, Relation::CanViewQueries, &row.value.team_ids)?;
        Ok(Self { caller, row, needs: PhantomData })
    }
}

impl<S, N> FromRequestParts<S> for CatalogFor<N>
where
    S: Send + Sync,
    App: FromRef<S>,
    N: Needs,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(CatalogPath { catalog }) = Path::from_request_parts(parts, state).await?;
        let row = App::from_ref(state).store.catalog(caller.tenant(), &catalog).await?;
        let teams: Vec<TeamId> = row.value.teams.keys().cloned().collect();
        caller.require_in_any(N::RELATION, Relation::CanViewCatalogs, &teams)?;
        Ok(Self { caller, row, needs: PhantomData })
    }
}

impl<S, N> FromRequestParts<S> for JobFor<N>
where
    S: Send + Sync,
    App: FromRef<S>,
    N: Needs,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(JobPath { job }) = Path::from_request_parts(parts, state).await?;
        let row = App::from_ref(state).store.job(caller.tenant(), &job).await?;
        caller.require_in_any(N::RELATION, Relation::CanViewJobs, &row.value.team_ids)?;
        Ok(Self { caller, row, needs: PhantomData })
    }
}

impl<S, N> FromRequestParts<S> for JobRunFor<N>
where
    S: Send + Sync,
    App: FromRef<S>,
    N: Needs,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Member(caller) = Member::from_request_parts(parts, state).await?;
        let Path(JobRunPath { job, job_run }) = Path::from_request_parts(parts, state).await?;
        let (job, row) = App::from_ref(state).store.job_and_run(caller.tenant(), &job, &job_run).await?;
        caller.require_in_any(N::RELATION, Relation::CanViewJobs, &job.value.team_ids)?;
        Ok(Self { caller, row, needs: PhantomData })
    }
}
