//! What something is when: it is told what it will become, and answers what it is now.

use std::time::Duration;

use mainsheet_core::Timestamp;
use serde::{Deserialize, Serialize};

/// The states of something, each with the moment from which it holds, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Timeline<S>(Vec<(Timestamp, S)>);

impl<S: Copy> Timeline<S> {
    /// Something that is `state` now.
    pub(crate) fn begin(now: Timestamp, state: S) -> Self {
        Self(vec![(now, state)])
    }

    /// What it was to become is void: it is `state` now, and after a while `then`.
    pub(crate) fn turn(&mut self, now: Timestamp, state: S, after: Duration, then: S) {
        self.0.retain(|(at, _)| *at < now);
        self.0.push((now, state));
        self.0.push((now + after, then));
    }

    /// What it is.
    pub(crate) fn at(&self, now: Timestamp) -> Option<S> {
        self.0.iter().rev().find(|(at, _)| *at <= now).map(|(_, state)| *state)
    }
}
