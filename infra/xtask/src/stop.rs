//! How a chore that goes on hears that it is to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT. From `listen` on, neither ends the process by itself.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub(crate) fn listen() -> Self {
        let [terminate, interrupt] =
            [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| signal(kind).unwrap());
        Self { terminate, interrupt }
    }

    /// Waits for one of them.
    pub(crate) async fn told(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
