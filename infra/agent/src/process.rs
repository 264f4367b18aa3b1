//! Processes on this machine, named so that no other process is ever taken for one of ours.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

/// How long a process has to end by itself once it was asked to.
const TERMINATION_GRACE: Duration = Duration::from_secs(5);
/// How often is looked whether processes have ended.
const POLL: Duration = Duration::from_millis(50);

/// The variable that every process of a run carries, with the run's directory as its value. Children inherit it.
pub(crate) const RUN_VARIABLE: &str = "MAINSHEET_RUN";
/// The variable that tells a run's own processes apart.
pub(crate) const ROLE_VARIABLE: &str = "MAINSHEET_ROLE";

static BOOT_ID: LazyLock<String> = LazyLock::new(|| {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(|_| String::new(), |id| id.trim().to_owned())
});

/// A process, named for good: a process id alone is given to somebody else sooner or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessIdentity {
    pid: i32,
    /// In clock ticks since the machine started.
    start_time: u64,
    /// Which start of the machine that was.
    boot_id: String,
}

impl ProcessIdentity {
    /// The process that has this id at present, such as a child that was not collected yet.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let pid = pid.try_into().ok()?;
        Some(Self { pid, start_time: Stat::read(pid)?.start_time, boot_id: BOOT_ID.clone() })
    }

    /// Whether it still executes. One that has ended and was not collected yet does not.
    pub(crate) fn lives(&self) -> bool {
        self.boot_id == *BOOT_ID
            && Stat::read(self.pid).is_some_and(|stat| stat.start_time == self.start_time && stat.executes())
    }

    fn send(&self, signal: Signal) {
        if self.lives() {
            // It may end between the look and the signal: that is what the signal is for.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }
}

/// What `/proc/<pid>/stat` says, as far as it matters.
struct Stat {
    state: char,
    group: i32,
    start_time: u64,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in parentheses and may hold anything, so count from the last one.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            group: fields.get(2)?.parse().ok()?,
            start_time: fields.get(19)?.parse().ok()?,
        })
    }

    fn executes(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// Every process that carries the run's variable, or a given role of it, or is in one of `groups`.
fn find(run: &Path, role: Option<&str>, groups: &[i32]) -> Vec<ProcessIdentity> {
    let run = format!("{RUN_VARIABLE}={}", run.display());
    let role = role.map(|role| format!("{ROLE_VARIABLE}={role}"));
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let belongs = |pid: i32, stat: &Stat| {
        groups.contains(&stat.group)
            || std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                let has = |wanted: &str| environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes());
                has(&run) && role.as_deref().is_none_or(has)
            })
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|pid| Some((pid, Stat::read(pid)?)))
        .filter(|(pid, stat)| stat.executes() && belongs(*pid, stat))
        .map(|(pid, stat)| ProcessIdentity { pid, start_time: stat.start_time, boot_id: BOOT_ID.clone() })
        .collect()
}

/// Whether a process of the run in this role executes, also one that had no time yet to leave word of itself.
pub(crate) fn has_role(run: &Path, role: &str) -> bool {
    !find(run, Some(role), &[]).is_empty()
}

/// Ends every process of a run: asks first, and insists 5 seconds later. `leaders` lead process groups of the run;
/// their groups' members count as the run's even when they have dropped its variable.
pub(crate) async fn end_all(run: &Path, leaders: &[ProcessIdentity]) {
    let groups: Vec<i32> = leaders.iter().filter(|leader| leader.lives()).map(|leader| leader.pid).collect();
    let mut asked: Vec<ProcessIdentity> = Vec::new();
    let begun = Instant::now();
    loop {
        // Looked for each time anew, because what is being ended may still start others.
        let living = find(run, None, &groups);
        if living.is_empty() && !asked.iter().any(ProcessIdentity::lives) {
            return;
        }
        if begun.elapsed() >= TERMINATION_GRACE {
            living.iter().chain(&asked).for_each(|process| process.send(Signal::SIGKILL));
        }
        for process in living {
            if !asked.contains(&process) {
                process.send(Signal::SIGTERM);
                asked.push(process);
            }
        }
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spawn(run: &Path, script: &str) -> tokio::process::Child {
        tokio::process::Command::new("/bin/sh")
            .args(["-c", script])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env(RUN_VARIABLE, run)
            .env(ROLE_VARIABLE, "test")
            .process_group(0)
            .spawn()
            .unwrap()
    }

    #[tokio::test]
    async fn every_process_of_a_run_is_found_and_ended() {
        let run = tempfile::tempdir().unwrap();
        // One child drops the variable, and one leaves the group.
        let mut leader = spawn(run.path(), "env -i sleep 100 & setsid sleep 100 & wait").await;
        while find(run.path(), None, &[]).len() < 2 {
            sleep(POLL).await;
        }
        assert!(has_role(run.path(), "test"));
        assert!(!has_role(run.path(), "other"));
        let pid = i32::try_from(leader.id().unwrap()).unwrap();
        let identity = find(run.path(), None, &[]).into_iter().find(|process| process.pid == pid).unwrap();
        end_all(run.path(), std::slice::from_ref(&identity)).await;
        assert!(find(run.path(), None, &[pid]).is_empty());
        assert!(!identity.lives());
        leader.wait().await.unwrap();
        assert!(!identity.lives());
    }

    #[tokio::test]
    async fn a_process_that_does_not_listen_is_killed() {
        let run = tempfile::tempdir().unwrap();
        let mut leader = spawn(run.path(), "trap '' TERM; while true; do sleep 0.1; done").await;
        while !has_role(run.path(), "test") {
            sleep(POLL).await;
        }
        end_all(run.path(), &[]).await;
        assert!(!leader.wait().await.unwrap().success());
    }

    #[test]
    fn a_reused_process_id_is_somebody_else() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let me = ProcessIdentity { pid, start_time: Stat::read(pid).unwrap().start_time, boot_id: BOOT_ID.clone() };
        assert!(me.lives());
        assert!(!ProcessIdentity { start_time: me.start_time + 1, ..me.clone() }.lives());
        assert!(!ProcessIdentity { boot_id: "another".to_owned(), ..me }.lives());
    }
}
