//! The platform's clock: the machine's, moved ahead by what `/_local/clock` was told, also after a restart.

use std::sync::Arc;
use std::time::Duration;

use mainsheet_core::time::OffsetClock;
use mainsheet_core::{Clock, Result, Timestamp};
use tokio::sync::{Mutex, MutexGuard};

use crate::local_table::LocalTable;

const LIST: &str = "CLOCK";
const KEY: &str = "OFFSET_MS";

/// The clock, and where its offset is kept.
#[derive(Clone)]
pub(crate) struct PlatformClock {
    clock: OffsetClock,
    table: LocalTable,
    moving: Arc<Mutex<()>>,
}

/// The clock in the hands of whoever moves it: nobody else does meanwhile.
pub(crate) struct MovingClock<'c> {
    of: &'c PlatformClock,
    _alone: MutexGuard<'c, ()>,
}

impl PlatformClock {
    pub(crate) async fn open(table: LocalTable) -> Result<Self> {
        let offset: Option<u64> = table.get(LIST, KEY).await?;
        let clock = OffsetClock::new(Duration::from_millis(offset.unwrap_or_default()));
        Ok(Self { clock, table, moving: Arc::default() })
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clock()
    }

    /// Waits for its turn to move the clock.
    pub(crate) async fn moving(&self) -> MovingClock<'_> {
        MovingClock { of: self, _alone: self.moving.lock().await }
    }
}

impl MovingClock<'_> {
    /// Moves the clock ahead, and answers what time it is then.
    pub(crate) async fn advance(&self, duration: Duration) -> Result<Timestamp> {
        let PlatformClock { clock, table, .. } = self.of;
        let offset = clock.offset() + duration;
        table.put(LIST, KEY, &u64::try_from(offset.as_millis()).unwrap_or(u64::MAX)).await?;
        clock.advance(duration);
        Ok(clock.clock().now())
    }
}
