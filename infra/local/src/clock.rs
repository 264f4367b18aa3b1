//! The platform's clock: the machine's, moved ahead by what `/_local/clock` was told, also after a restart.

use std::time::Duration;

use mainsheet_core::time::OffsetClock;
use mainsheet_core::{Clock, Result, Timestamp};

use crate::local_table::LocalTable;

const LIST: &str = "CLOCK";
const KEY: &str = "OFFSET_MS";

/// The clock, and where its offset is kept.
#[derive(Clone)]
pub(crate) struct PlatformClock {
    clock: OffsetClock,
    table: LocalTable,
}

impl PlatformClock {
    pub(crate) async fn open(table: LocalTable) -> Result<Self> {
        let offset: Option<u64> = table.get(LIST, KEY).await?;
        Ok(Self { clock: OffsetClock::new(Duration::from_millis(offset.unwrap_or_default())), table })
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clock()
    }

    /// Moves the clock ahead, and answers what time it is then.
    pub(crate) async fn advance(&self, duration: Duration) -> Result<Timestamp> {
        let offset = self.clock.offset() + duration;
        self.table.put(LIST, KEY, &u64::try_from(offset.as_millis()).unwrap_or(u64::MAX)).await?;
        self.clock.advance(duration);
        Ok(self.clock.clock().now())
    }
}
