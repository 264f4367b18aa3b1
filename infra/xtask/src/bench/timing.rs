//! What a number of calls took.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::statistics::percentile;

/// What one round of calls took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    /// Half of the calls took no longer, in milliseconds.
    pub(super) p50: f64,
    /// All but one in a hundred took no longer, in milliseconds.
    pub(super) p99: f64,
    /// Processor time of the whole process for a call, in milliseconds.
    pub(super) cpu: f64,
}

/// Calls one after another.
pub(super) async fn round(calls: usize, mut call: impl AsyncFnMut()) -> Round {
    let mut times = Vec::with_capacity(calls);
    let cpu_before = processor_time();
    for _ in 0..calls {
        let begin = Instant::now();
        call().await;
        times.push(begin.elapsed());
    }
    Round::of(times, processor_time().saturating_sub(cpu_before))
}

impl Round {
    /// The times of calls, and the processor time of all of them.
    pub(super) fn of(mut times: Vec<Duration>, cpu: Duration) -> Self {
        times.sort_unstable();
        let at = |share| milliseconds(percentile(&times, share));
        Self { p50: at(50), p99: at(99), cpu: milliseconds(cpu) / times.len() as f64 }
    }
}

pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap().into()
}

/// One figure of each round.
pub(super) fn figures(rounds: &[Round], figure: fn(&Round) -> f64) -> Vec<f64> {
    rounds.iter().map(figure).collect()
}
