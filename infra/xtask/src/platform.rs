//! The embedded platform's program, started for a measurement.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program gets to answer at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// What it says on stderr, in its folder.
const LOG: &str = "log";
/// How many lines of that are shown when it has failed.
const LAST_LINES: usize = 20;

/// A platform without an agent, on a port and in a folder of its own.
pub(crate) struct Platform {
    program: Child,
    started: Instant,
    address: SocketAddr,
    /// Removed with it.
    folder: tempfile::TempDir,
}

impl Platform {
    /// Builds the program for release, and says where it is.
    pub(crate) fn build() -> PathBuf {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut build = Command::new(cargo);
        build.args(["build", "--release", "--package", "mainsheet"]).current_dir(crate::root());
        assert!(build.status().unwrap().success(), "the platform does not build");
        let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
        // A machine that is named has a folder of its own; joined to, no name adds nothing.
        let machine = std::env::var("CARGO_BUILD_TARGET").unwrap_or_default();
        crate::root().join(target).join(machine).join("release/mainsheet")
    }

    /// Starts a program.
    pub(crate) fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join(LOG)).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let started = Instant::now();
        let program = Command::new(program)
            .env("MAINSHEET_PORT", address.port().to_string())
            .env("MAINSHEET_DATA_DIR", folder.path().join("data"))
            .env("MAINSHEET_BUILT_IN_AGENT", "off")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { program, started, address, folder }
    }

    /// The time from its start to an answer of the API.
    pub(crate) fn first_answer(&mut self) -> Duration {
        while self.started.elapsed() < PATIENCE {
            if self.ask().is_some_and(|answer| answer.starts_with("HTTP/1.1 401")) {
                return self.started.elapsed();
            }
            assert!(self.program.try_wait().unwrap().is_none(), "the platform ended:\n{}", self.last_lines());
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("the platform does not answer:\n{}", self.last_lines());
    }

    fn ask(&self) -> Option<String> {
        let mut connection = TcpStream::connect(self.address).ok()?;
        connection.write_all(b"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Its memory. One that has ended has none, and is told of.
    pub(crate) fn resident_megabytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kilobytes.unwrap_or_else(|| panic!("the platform ended:\n{}", self.last_lines())) / 1024.0
    }

    /// What it said on stderr last.
    fn last_lines(&self) -> String {
        let log = std::fs::read(self.folder.path().join(LOG)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

/// Also where a measurement ends half way.
impl Drop for Platform {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that ends at once, and says why.
    const ENDS: &str = "mkdir";

    #[test]
    #[should_panic(expected = "mkdir: ")]
    fn one_that_does_not_start_says_why() {
        let _ = Platform::start(Path::new(ENDS)).first_answer();
    }

    #[test]
    #[should_panic(expected = "mkdir: ")]
    fn one_that_ends_half_way_says_why() {
        let mut platform = Platform::start(Path::new(ENDS));
        let _ = platform.program.wait().unwrap();
        let _ = platform.resident_megabytes();
    }
}
