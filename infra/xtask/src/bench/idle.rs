//! The embedded platform's program: how soon it answers, and what it holds in memory when nobody asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Options;
use super::table::Line;
use super::timing::milliseconds;

/// Resident memory, in MB.
const MEMORY_BAR: f64 = 120.0;
/// From start to first answer, in milliseconds.
const START_BAR: f64 = 1000.0;
/// Starts; each is a program of its own.
const STARTS: usize = 5;
/// How long a program gets to answer at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long nobody asks before its memory is read.
const IDLE: Duration = Duration::from_secs(3);

pub(super) fn measure(options: &Options) -> Vec<Line> {
    build();
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..STARTS.min(options.rounds) {
        let mut platform = Platform::start();
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

fn build() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--package", "mainsheet"]).current_dir(crate::root());
    assert!(build.status().unwrap().success(), "the platform does not build");
}

struct Platform {
    program: Child,
    started: Instant,
    address: SocketAddr,
    /// Removed with it.
    _data: tempfile::TempDir,
}

impl Platform {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let target = std::env::var("CARGO_TARGET_DIR").map_or_else(|_| crate::root().join("target"), Into::into);
        let started = Instant::now();
        let program = Command::new(target.join("release/mainsheet"))
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
    fn first_answer(&mut self) -> Duration {
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

    fn resident_megabytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes / 1024.0
    }

    fn stop(mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }
}
