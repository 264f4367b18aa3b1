//! The embedded platform's program: how soon it answers, and what it holds in memory when nobody asks.

use std::time::Duration;

use super::Options;
use super::table::Line;
use super::timing::milliseconds;
use crate::platform::Platform;

/// Resident memory, in MB.
const MEMORY_BAR: f64 = 120.0;
/// From start to first answer, in milliseconds.
const START_BAR: f64 = 1000.0;
/// Starts; each is a program of its own.
const STARTS: usize = 5;
/// How long nobody asks before its memory is read.
const IDLE: Duration = Duration::from_secs(3);

pub(super) fn measure(options: &Options) -> Vec<Line> {
    let program = Platform::build();
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..STARTS.min(options.rounds) {
        let mut platform = Platform::start(&program);
        starts.push(milliseconds(platform.first_answer()));
        std::thread::sleep(IDLE);
        memory.push(platform.resident_megabytes());
        platform.stop();
    }
    vec![
        Line::barred("platform without agent, start to first answer", "ms", starts, START_BAR),
        Line::barred("platform without agent, resident memory when idle", "MB", memory, MEMORY_BAR),
    ]
}
