//! The ports of workers, which are queues, workflows and mail, and what can go wrong with a call of one.

use std::sync::{Arc, Mutex};

use mainsheet_core::{Error, Result};

use crate::fault::Fault;

/// Sees the calls of all ports, and has one of them go wrong. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ports(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    calls: usize,
    fault: Option<(usize, Fault)>,
}

impl Ports {
    /// How many calls there were since the last call of this, or since a fault was set.
    pub(crate) fn take_calls(&self) -> usize {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    /// From now on calls are counted from 0, and the one at `index` goes wrong, once.
    pub(crate) fn fault(&self, index: usize, fault: Fault) {
        *self.0.lock().unwrap() = Seen { calls: 0, fault: Some((index, fault)) };
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().fault = None;
    }

    /// A call: it takes effect and is answered, unless it goes wrong.
    pub(crate) fn call(&self, effect: impl FnOnce()) -> Result<()> {
        let fault = self.next();
        if fault.is_none_or(Fault::takes_effect) {
            effect();
        }
        fault.map_or(Ok(()), |_| Err(Error::unavailable("by the test's rule")))
    }

    fn next(&self) -> Option<Fault> {
        let mut seen = self.0.lock().unwrap();
        let index = seen.calls;
        seen.calls += 1;
        seen.fault.filter(|(place, _)| *place == index).map(|(_, fault)| fault)
    }
}
