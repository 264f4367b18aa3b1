//! Faults of the table: what can go wrong with a call, and a call of which it does. For any area: [`crate::TestApp::fault`].

use std::sync::Arc;

use crate::proxy::{Rule, Verdict};

/// What can go wrong with a call of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The table refuses it, because it has too much to do.
    Throttled,
    /// The table fails before it has done anything.
    ServerError,
    /// The request does not arrive.
    RequestLost,
    /// The table fails after it has done everything.
    ServerErrorAfter,
    /// Everything was done, and the answer does not arrive.
    AnswerLost,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 5] =
        [Self::Throttled, Self::ServerError, Self::RequestLost, Self::ServerErrorAfter, Self::AnswerLost];

    /// Whether the call takes effect all the same.
    #[must_use]
    pub fn takes_effect(self) -> bool {
        matches!(self, Self::ServerErrorAfter | Self::AnswerLost)
    }
}

/// How long a fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// It hits the first try; the client's own second one goes through.
    Once,
    /// It hits every try that the client makes, so that the call fails.
    ForTheCall,
}

/// The rule by which the call at `index` goes wrong, and no other.
pub(crate) fn at(index: usize, fault: Fault, lasting: Lasting) -> Rule {
    Arc::new(move |call| {
        let hits = call.index == index && (lasting == Lasting::ForTheCall || call.attempt == 1);
        if hits { Verdict::Break(fault) } else { Verdict::Forward }
    })
}
