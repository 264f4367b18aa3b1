//! The embedded platform's program, started for a measurement.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program gets to answer at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// A platform without an agent, on a port and in a directory of its own.
pub(crate) struct Platform {
    program: Child,
    started: Instant,
    address: SocketAddr,
    /// Removed with it.
    _data: tempfile::TempDir,
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
        let data = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let started = Instant::now();
        let program = Command::new(program)
            .env("MAINSHEET_PORT", address.port().to_string())
            .env("MAINSHEET_DATA_DIR", data.path())
            .env("MAINSHEET_BUILT_IN_AGENT", "off")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { program, started, address, _data: data }
    }

    /// The time from its start to an answer of the API.
    pub(crate) fn first_answer(&mut self) -> Duration {
        while self.started.elapsed() < PATIENCE {
            if self.ask().is_some_and(|answer| answer.starts_with("HTTP/1.1 401")) {
                return self.started.elapsed();
            }
            assert!(self.program.try_wait().unwrap().is_none(), "the platform ended");
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("the platform does not answer");
    }

    fn ask(&self) -> Option<String> {
        let mut connection = TcpStream::connect(self.address).ok()?;
        connection.write_all(b"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Its memory.
    pub(crate) fn resident_megabytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes / 1024.0
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
