//! The Python environment that Sail and the runner live in. The agent makes it by itself on first use; agents on one
//! machine can share one.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::credentials::sha256;

/// Every package with its version, transitive ones included.
const REQUIREMENTS: &str = include_str!("../python/requirements.txt");
const READY_FILE: &str = "ready";
const LOCK_POLL: Duration = Duration::from_millis(500);
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// Prints what an environment depends on, and fails when one cannot be made with this interpreter.
const PROBE: &str = "import os, sys; assert sys.version_info >= (3, 11), 'too old'; import ensurepip, venv; \
                     print(sys.implementation.cache_tag, os.path.realpath(sys.executable))";
const INSTALL_HINT: &str = "Python 3.11 or later with its venv module is needed \
                            (Debian packages python3 and python3-venv)";

/// Where an environment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Status {
    /// It is being made; what is done at the moment, for a person.
    Preparing(String),
    /// It can be used: its Python interpreter.
    Ready(PathBuf),
}

/// A private Python environment with the pinned engine, made in the background.
#[derive(Debug)]
pub struct Environment {
    folder: PathBuf,
    python: PathBuf,
    status: watch::Sender<Status>,
    begun: AtomicBool,
}

impl Environment {
    /// An environment below `folder`, made with the interpreter `python`. Nothing is done before [`Self::prepare`].
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, python: impl Into<PathBuf>) -> Arc<Self> {
        let status = watch::Sender::new(Status::Preparing("preparing the Spark environment".to_owned()));
        Arc::new(Self { folder: folder.into(), python: python.into(), status, begun: AtomicBool::new(false) })
    }

    /// Begins to prepare it in the background, once. Failures are tried again for as long as it takes.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn prepare(self: &Arc<Self>) {
        if !self.begun.swap(true, Ordering::SeqCst) {
            let this = Arc::clone(self);
            tokio::spawn(async move { this.prepare_for_as_long_as_it_takes().await });
        }
    }

    /// Where layers of packages over it are kept, for all runs together.
    pub(crate) fn layers(&self) -> PathBuf {
        self.folder.join("layers")
    }

    /// What is being done while it cannot be used yet, for a person; `None` once it is ready.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        match &*self.status.borrow() {
            Status::Preparing(message) => Some(message.clone()),
            Status::Ready(_) => None,
        }
    }

    /// Waits until it can be used and gives its Python interpreter. Waits for ever when [`Self::prepare`] is not called.
    pub async fn ready(&self) -> PathBuf {
        let mut status = self.status.subscribe();
        loop {
            if let Status::Ready(python) = &*status.borrow_and_update() {
                return python.clone();
            }
            if status.changed().await.is_err() {
                // The sender is ours and lives as long as we do.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn prepare_for_as_long_as_it_takes(&self) {
        let mut pause = FIRST_RETRY;
        loop {
            match self.prepare_once().await {
                Ok(python) => {
                    tracing::info!(python = %python.display(), "the Spark environment is ready");
                    self.status.send_replace(Status::Ready(python));
                    return;
                }
                Err(error) => {
                    let seconds = pause.as_secs();
                    tracing::warn!("cannot prepare the Spark environment: {error}; trying again in {seconds} s");
                    self.status
                        .send_replace(Status::Preparing(format!("cannot prepare the Spark environment: {error}")));
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_RETRY);
        }
    }

    fn tell(&self, message: &str) {
        tracing::info!("preparing the Spark environment: {message}");
        self.status.send_replace(Status::Preparing(format!("preparing the Spark environment: {message}")));
    }

    async fn prepare_once(&self) -> Result<PathBuf, String> {
        let at = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| format!("{path}: {error}")
        };
        // Another interpreter needs another environment, for instance after the system was upgraded.
        let interpreter = self.probe().await?;
        let key = sha256(format!("{interpreter}\n{REQUIREMENTS}").as_bytes());
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let folder = fs::canonicalize(&self.folder).map_err(at(&self.folder))?.join(&key[..16]);
        let python = folder.join("bin/python");
        if folder.join(READY_FILE).exists() {
            return Ok(python);
        }
        let lock = self.lock(&folder.with_extension("lock")).await?;
        if folder.join(READY_FILE).exists() {
            return Ok(python);
        }
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(&folder)(error)),
            _ => {}
        }
        self.fill(&folder, &python, &lock).await?;
        let ready = File::create(folder.join(READY_FILE)).and_then(|file| file.sync_all());
        ready.map_err(at(&folder))?;
        Ok(python)
    }

    async fn probe(&self) -> Result<String, String> {
        let output = Command::new(&self.python).args(["-c", PROBE]).stdin(Stdio::null()).output().await;
        let output =
            output.map_err(|error| format!("cannot run {}: {error}. {INSTALL_HINT}", self.python.display()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}: {}. {INSTALL_HINT}", self.python.display(), said.trim().lines().last().unwrap_or_default()))
    }

    /// Takes the lock that only one process has at a time.
    async fn lock(&self, path: &Path) -> Result<File, String> {
        let lock = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut told = false;
        while let Err(error) = lock.try_lock() {
            if let fs::TryLockError::Error(error) = error {
                return Err(format!("{}: {error}", path.display()));
            }
            if !std::mem::replace(&mut told, true) {
                self.tell("waiting for another process that prepares it");
            }
            sleep(LOCK_POLL).await;
        }
        Ok(lock)
    }

    async fn fill(&self, folder: &Path, python: &Path, lock: &File) -> Result<(), String> {
        self.tell("making a Python environment");
        let mut make = Command::new(&self.python);
        make.args(["-m", "venv"]).arg(folder);
        self.run(make, lock, |_| {}).await.map_err(|error| format!("{error}. {INSTALL_HINT}"))?;

        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS).map_err(|error| format!("{}: {error}", requirements.display()))?;
        let total = REQUIREMENTS.lines().filter(|line| line.contains("==")).count();
        let mut count = 0;
        let mut install = Command::new(python);
        install
            .args(["-m", "pip", "install", "--no-deps", "--disable-pip-version-check", "--no-input"])
            // Nothing is compiled here. PySpark's client is pure Python and published as source only.
            .args(["--only-binary=:all:", "--no-binary=pyspark-client", "--progress-bar=off", "-r"])
            .arg(&requirements);
        let progress = |line: &str| {
            if let Some(package) = line.strip_prefix("Collecting ") {
                count += 1;
                self.tell(&format!("downloading {} ({count}/{total})", package.split(' ').next().unwrap_or(package)));
            } else if line.starts_with("Installing") {
                self.tell("installing");
            }
        };
        self.run(install, lock, progress).await
    }

    /// Runs a command to its end. It holds the lock too: one that outlives a killed agent goes on alone.
    async fn run(&self, mut command: Command, lock: &File, mut on_line: impl FnMut(&str)) -> Result<(), String> {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        let failed = |error: io::Error| format!("{name}: {error}");
        let errors = tempfile::tempfile().map_err(failed)?;
        let mut child = command
            .stdin(lock.try_clone().map_err(failed)?)
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().map_err(failed)?)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let mut said = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout).lines();
            while let Some(line) = lines.next_line().await.map_err(failed)? {
                on_line(line.trim());
                said.push(line);
            }
        }
        let status = child.wait().await.map_err(failed)?;
        if status.success() {
            return Ok(());
        }
        let errors = read_all(errors).unwrap_or_default();
        let last = errors.lines().rev().find(|line| line.contains("ERROR")).or(errors.trim().lines().last());
        Err(last.or(said.last().map(String::as_str)).unwrap_or("it failed without a word").trim().to_owned())
    }
}

fn read_all(mut file: File) -> io::Result<String> {
    use std::io::{Read, Seek};
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_interpreter_is_named_with_what_to_install() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::new(folder.path(), "/nowhere/python3");
        let error = environment.prepare_once().await.unwrap_err();
        assert!(error.contains("/nowhere/python3") && error.contains("python3-venv"), "{error}");
        assert!(environment.message().is_some());
    }

    #[test]
    fn every_requirement_is_pinned() {
        for line in REQUIREMENTS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            assert_eq!(line.split("==").count(), 2, "{line}");
        }
    }
}
