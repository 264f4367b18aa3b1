//! Brings a pod's log into the files that a run's processes would write.
//!
//! `pod.py` numbers its lines, so that it is known after any interruption what has been brought. How far that is stands in
//! the run's directory beside how long the files were then; an agent that was killed cuts them to that length and brings the
//! same lines again to the same places.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::time::Duration;

use futures::AsyncBufReadExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::LogParams;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Role;
use super::api::will_pass;
use crate::backend::{OUTCOME_FILE, Outcome, PREVIEW_FILE};
use crate::log_journal::{SAIL_LOG, STDERR_LOG, STDOUT_LOG};
use crate::run_directory::RunDirectory;

const PREVIEW_PART: &str = "preview.part";
/// How often is noted how far the log was brought, while it comes.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Kubernetes rounds the moment that it is asked from.
const OVERLAP: Duration = Duration::from_secs(2);

/// How far a log was brought.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Progress {
    /// The number of the next line.
    next: u64,
    /// When the last line was written.
    at: Option<Timestamp>,
    /// How long the files are, in bytes.
    lengths: BTreeMap<String, u64>,
    /// There is nothing more to come.
    complete: bool,
}

/// A pod's log, as far as it was brought.
pub(crate) struct PodLog {
    directory: RunDirectory,
    role: Role,
    progress: Progress,
    noted: Instant,
    files: BTreeMap<String, File>,
}

/// A line of `pod.py`.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    number: u64,
    kind: &'a str,
    text: &'a str,
}

impl PodLog {
    /// Goes on with a log, or begins it.
    ///
    /// # Errors
    /// When the run's directory cannot be used.
    pub(crate) fn open(directory: &RunDirectory, role: Role) -> io::Result<Self> {
        let progress: Progress = directory.read(&progress_file(role))?.unwrap_or_default();
        let mut this =
            Self { directory: directory.clone(), role, progress, noted: Instant::now(), files: BTreeMap::new() };
        let names: &[&str] = match role {
            Role::Sail => &[SAIL_LOG],
            Role::Runner => &[STDOUT_LOG, STDERR_LOG, PREVIEW_PART],
        };
        for name in names {
            let file = OpenOptions::new().append(true).create(true).open(directory.path(name))?;
            this.files.insert((*name).to_owned(), file);
        }
        let is_whole =
            |(name, file): (&String, &File)| file.metadata().is_ok_and(|metadata| metadata.len() >= this.length(name));
        if !this.files.iter().all(is_whole) {
            // A power cut took what was written last: all over again.
            this.progress = Progress::default();
        }
        for (name, file) in &this.files {
            file.set_len(this.length(name))?;
        }
        Ok(this)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.progress.complete
    }

    fn length(&self, name: &str) -> u64 {
        self.progress.lengths.get(name).copied().unwrap_or_default()
    }

    /// Brings what there is and, as long as the pod executes, what comes. `over` says that it does not execute any more.
    ///
    /// # Errors
    /// When the run's directory cannot be written.
    pub(crate) async fn bring(&mut self, pods: &Api<Pod>, pod: &str, over: bool) -> io::Result<()> {
        let since_time = self.progress.at.map(|at| at - OVERLAP);
        let params = LogParams { follow: true, timestamps: true, since_time, ..LogParams::default() };
        let whole = match pods.log_stream(pod, &params).await {
            Ok(stream) => self.read(stream).await,
            // There is no log, nor will there be one: the pod is gone or never began.
            Err(error) => Ok(!will_pass(&error)),
        };
        self.progress.complete = over && *whole.as_ref().unwrap_or(&false);
        self.note()?;
        whole.map(drop)
    }

    /// Reads to the end and says whether it came to it.
    async fn read(&mut self, stream: impl futures::AsyncBufRead) -> io::Result<bool> {
        futures::pin_mut!(stream);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match stream.read_until(b'\n', &mut bytes).await {
                Ok(0) => return Ok(true),
                // Half a line comes again.
                Ok(_) if !bytes.ends_with(b"\n") => return Ok(false),
                Ok(_) => self.take(&String::from_utf8_lossy(&bytes))?,
                Err(error) => {
                    tracing::debug!(%error, "a pod's log broke off");
                    return Ok(false);
                }
            }
            if self.noted.elapsed() >= NOTE_EVERY {
                self.note()?;
            }
        }
    }

    fn take(&mut self, text: &str) -> io::Result<()> {
        let text = text.trim_end_matches('\n');
        let (at, text) = text.split_once(' ').unwrap_or((text, ""));
        let at: Option<Timestamp> = at.parse().ok();
        let Some(line) = parse(text) else {
            // Before our program began, or after it crashed.
            if at > self.progress.at {
                self.write(STDERR_LOG, &format!("{text}\n"))?;
                self.progress.at = at;
            }
            return Ok(());
        };
        if line.number < self.progress.next {
            return Ok(());
        }
        if line.number > self.progress.next {
            let lost = line.number - self.progress.next;
            self.write(STDERR_LOG, &format!("[{lost} lines were lost: the machine had removed them already]\n"))?;
        }
        match line.kind {
            "S" => self.write(STDOUT_LOG, &format!("{}\n", line.text))?,
            "E" => self.write(STDERR_LOG, &format!("{}\n", line.text))?,
            "P" => self.write(PREVIEW_PART, line.text)?,
            _ => self.take_outcome(line.text)?,
        }
        self.progress.next = line.number + 1;
        self.progress.at = at.or(self.progress.at);
        Ok(())
    }

    /// The outcome is what a run ends by: the preview is there before it.
    fn take_outcome(&self, text: &str) -> io::Result<()> {
        let preview = std::fs::read(self.directory.path(PREVIEW_PART))?;
        match serde_json::from_slice::<serde_json::Value>(&preview) {
            Ok(preview) => self.directory.write(PREVIEW_FILE, &preview)?,
            Err(error) if preview.is_empty() => tracing::debug!(%error, "a runner left no preview"),
            Err(error) => tracing::warn!(%error, "a runner's preview is damaged"),
        }
        match serde_json::from_str::<Outcome>(text) {
            Ok(outcome) => self.directory.write(OUTCOME_FILE, &outcome),
            Err(error) => {
                tracing::warn!(%error, "a runner's outcome is damaged");
                Ok(())
            }
        }
    }

    fn write(&mut self, name: &str, text: &str) -> io::Result<()> {
        // Sail's two streams are one log.
        let name = if self.role == Role::Sail { SAIL_LOG } else { name };
        if let Some(file) = self.files.get_mut(name) {
            file.write_all(text.as_bytes())?;
            *self.progress.lengths.entry(name.to_owned()).or_default() += text.len() as u64;
        }
        Ok(())
    }

    fn note(&mut self) -> io::Result<()> {
        self.noted = Instant::now();
        self.directory.write(&progress_file(self.role), &self.progress)
    }
}

fn progress_file(role: Role) -> String {
    format!("{}-log.json", role.name())
}

fn parse(text: &str) -> Option<Line<'_>> {
    let (number, rest) = text.split_once(' ')?;
    let (kind, text) = rest.split_once(' ')?;
    let known = matches!(kind, "S" | "E" | "P" | "X");
    known.then_some(Line { number: number.parse().ok()?, kind, text })
}
