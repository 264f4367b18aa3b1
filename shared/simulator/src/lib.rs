//! A simulator of customers' AWS accounts, behind the port that the platform enters them by (`mainsheet_cloud::account`).
//!
//! It simulates behaviour, not resources: what is asked for takes its time by the injected clock, and what AWS would refuse is
//! refused, for the reason that AWS would give. Accounts begin to exist when somebody deploys the connection's template into
//! them, as in AWS ([`CloudSimulator::deploy`]). [`Fault`]s make calls fail as they do there.
//!
//! The embedded platform keeps its state in a file; the tests keep none. It is no part of what is deployed.

mod accounts;
mod catalogue;
mod clusters;
mod deploy;
mod discovery;
mod fault;
mod kubernetes;
mod session;
mod stacks;
mod state;
mod timeline;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainsheet_core::{Clock, Error, Result};

pub use deploy::{DeployError, Deployed};
pub use fault::{Fault, FaultError};
pub use kubernetes::AppliedAgent;
pub use session::Call;

use state::State;

/// Customers' accounts. Clones are the same accounts.
#[derive(Debug, Clone)]
pub struct CloudSimulator(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    file: Option<PathBuf>,
    state: Mutex<State>,
    calls: Mutex<Vec<Call>>,
}

impl CloudSimulator {
    /// Accounts that nobody has deployed anything into, kept nowhere.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::with(clock, None, State::default())
    }

    /// The accounts as `file` has them; none when there is no such file. Every change is written to it before it is answered.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the file cannot be read; [`Error::Internal`] when it holds something else.
    pub fn open(clock: Clock, file: &Path) -> Result<Self> {
        let state = match std::fs::read(file) {
            Ok(json) => serde_json::from_slice(&json).map_err(Error::internal)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(Error::unavailable(format!("{}: {error}", file.display()))),
        };
        Ok(Self::with(clock, Some(file.to_owned()), state))
    }

    fn with(clock: Clock, file: Option<PathBuf>, state: State) -> Self {
        Self(Arc::new(Shared { clock, file, state: Mutex::new(state), calls: Mutex::default() }))
    }

    /// Makes calls fail from now on. Faults are looked at in the order in which they were added.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when they cannot be kept.
    pub fn inject(&self, fault: Fault) -> Result<()> {
        self.change(|state| state.faults.push(fault))
    }

    /// No call fails any more that need not.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when that cannot be kept.
    pub fn clear_faults(&self) -> Result<()> {
        self.change(|state| state.faults.clear())
    }

    /// The calls since this process began, in order: what a test can make fail.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn now(&self) -> mainsheet_core::Timestamp {
        self.0.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(self.now());
        state
    }

    fn note(&self, call: Call) {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T> {
        let mut state = self.state();
        let answer = change(&mut state);
        self.keep(&state)?;
        Ok(answer)
    }

    /// Writes the state whole under another name first, so that it is there whole or not at all.
    fn keep(&self, state: &State) -> Result<()> {
        let Some(file) = &self.0.file else { return Ok(()) };
        let cannot = |error| Error::unavailable(format!("{}: {error}", file.display()));
        let draft = file.with_extension("draft");
        let json = serde_json::to_vec(state).map_err(Error::internal)?;
        std::fs::write(&draft, json).map_err(cannot)?;
        std::fs::File::open(&draft).and_then(|draft| draft.sync_all()).map_err(cannot)?;
        std::fs::rename(&draft, file).map_err(cannot)
    }
}

#[cfg(test)]
mod tests;
