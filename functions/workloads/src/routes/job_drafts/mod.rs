//! A job's draft: the next version in the making.

pub(crate) mod create;
pub(crate) mod discard;
pub(crate) mod get;
pub(crate) mod publish;
pub(crate) mod update;

use mainsheet_core::Error;
use mainsheet_core::job::JobDraft;
use mainsheet_store::Row;

/// The draft has to be there; 404 otherwise.
pub(crate) fn existing(draft: Option<Row<JobDraft>>) -> mainsheet_core::Result<Row<JobDraft>> {
    draft.ok_or(Error::NotFound)
}
