//! How busy this machine is.

use mainsheet_core::agent_protocol::Utilization;

/// Measures from one look to the next.
#[derive(Default)]
pub(crate) struct UtilizationMeter {
    /// Clock ticks of all processors so far: busy ones, and all.
    last: (u64, u64),
}

impl UtilizationMeter {
    /// How busy the machine has been since the last look (since it started, at the first).
    pub(crate) fn measure(&mut self, capacity: u32) -> Utilization {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let now = processor_ticks(&read("/proc/stat")).unwrap_or(self.last);
        let (busy, all) = (now.0.saturating_sub(self.last.0), now.1.saturating_sub(self.last.1));
        self.last = now;
        let memory = memory_share(&read("/proc/meminfo")).unwrap_or(0.0);
        Utilization { cpu: share(busy, all), memory, capacity }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share needs no more than the 52 bits that a double has")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64).clamp(0.0, 1.0) }
}

fn processor_ticks(stat: &str) -> Option<(u64, u64)> {
    let fields: Vec<u64> =
        stat.lines().next()?.split_ascii_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let all = fields.iter().sum();
    // The fourth is idle, the fifth waits for input and output.
    let idle: u64 = fields.get(3..5)?.iter().sum();
    Some((all - idle, all))
}

fn memory_share(meminfo: &str) -> Option<f64> {
    let kilobytes = |name: &str| -> Option<u64> {
        meminfo.lines().find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().nth(1)?.parse().ok())
    };
    let total = kilobytes("MemTotal")?;
    Some(share(total.saturating_sub(kilobytes("MemAvailable")?), total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_computed_from_what_the_kernel_says() {
        assert_eq!(processor_ticks("cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1 1 1 1"), Some((30, 100)));
        assert_eq!(memory_share("MemTotal:       200 kB\nMemAvailable:    50 kB\n"), Some(0.75));
        let measured = UtilizationMeter::default().measure(2);
        assert!((0.0..=1.0).contains(&measured.cpu) && measured.memory > 0.0, "{measured:?}");
    }
}
