//! A run's directory. It holds everything about the run, and what it holds *is* the run's state: an agent that was
//! killed at any moment goes on from what it finds here.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mainsheet_core::Timestamp;
use mainsheet_core::agent_protocol::LeasedRun;
use mainsheet_core::job_run::JobRunResults;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const RUN_FILE: &str = "run.json";
const REPORTS_FILE: &str = "reports.jsonl";
const KEPT_FILE: &str = "kept";
/// Begins the name of a directory that is not made yet, or is being removed.
const UNUSED_PREFIX: &str = ".new-";

/// A run as it was leased, written down before anything is done for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Assignment {
    /// What to execute.
    pub(crate) lease: LeasedRun,
    /// When the lease arrived; the run's time limit counts from here.
    pub(crate) leased_at: Timestamp,
    /// Where its results go. No two attempts share a place, so that one that has lost its lease unknowingly cannot
    /// touch what a newer one writes.
    pub(crate) results: JobRunResults,
}

/// The directory of one attempt of a run.
#[derive(Debug, Clone)]
pub(crate) struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Makes the directory of a newly leased run, whole or not at all. When it returns, it outlasts a power cut.
    ///
    /// # Errors
    /// When the file system refuses; also when the directory exists.
    pub(crate) fn create(runs: &Path, assignment: &Assignment) -> io::Result<Self> {
        let run = &assignment.lease.run;
        let name = format!("{}-{}", run.job_run_id, run.attempt);
        let new = runs.join(format!("{UNUSED_PREFIX}{name}"));
        remove_if_there(&new)?;
        fs::create_dir_all(&new)?;
        let this = Self { path: new };
        this.write(RUN_FILE, assignment)?;
        let (path, folder) = (runs.join(name), File::open(runs)?);
        fs::rename(&this.path, &path)?;
        folder.sync_all()?;
        Ok(Self { path })
    }

    /// The directories of all runs that are to be gone on with. Half-made and half-removed ones are removed, kept ones left out; and
    /// so is what cannot be read, for it keeps no other run from being gone on with.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn scan(runs: &Path) -> io::Result<Vec<(Self, Assignment)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(runs)? {
            let this = Self { path: entry?.path() };
            match this.find_again() {
                Ok(Some(assignment)) => found.push((this, assignment)),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(path = %this.path.display(), %error, "not the directory of a run; leaving it alone");
                }
            }
        }
        Ok(found)
    }

    /// What is to be gone on with, if anything is.
    fn find_again(&self) -> io::Result<Option<Assignment>> {
        if self.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNUSED_PREFIX)) {
            remove_if_there(&self.path)?;
            return Ok(None);
        }
        if self.path(KEPT_FILE).exists() {
            return Ok(None);
        }
        let assignment = self.read::<Assignment>(RUN_FILE)?;
        if assignment.is_none() {
            // Without its description it is no run.
            remove_if_there(&self.path)?;
        }
        Ok(assignment)
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path of the journal of reports.
    pub(crate) fn reports(&self) -> PathBuf {
        self.path(REPORTS_FILE)
    }

    /// Reads a JSON file; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read or is not what it should be.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        read_json(&self.path(name))
    }

    /// Writes a JSON file, whole or not at all. When it returns, it outlasts a power cut.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn write<T: Serialize>(&self, name: &str, content: &T) -> io::Result<()> {
        write_json(&self.path(name), content)
    }

    /// Removes everything but what is needed to report that this was done.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if [RUN_FILE, REPORTS_FILE].iter().any(|kept| entry.file_name() == *kept) {
                continue;
            }
            remove_if_there(&entry.path())?;
        }
        Ok(())
    }

    /// Removes it, whole or not at all: what is half removed is never gone on with.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let (Some(runs), Some(name)) = (self.path.parent(), self.path.file_name()) else { return Ok(()) };
        let out_of_sight = runs.join(format!("{UNUSED_PREFIX}{}", name.to_string_lossy()));
        remove_if_there(&out_of_sight)?;
        match fs::rename(&self.path, &out_of_sight) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            moved => moved?,
        }
        File::open(runs)?.sync_all()?;
        if let Err(error) = remove_if_there(&out_of_sight) {
            tracing::warn!(path = %out_of_sight.display(), %error, "what is left of a run goes at the next start");
        }
        Ok(())
    }

    /// Leaves it for people to look at: it is not gone on with.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn keep(&self) -> io::Result<()> {
        // What its catalogs were opened with is of no more use.
        if let Some(mut assignment) = self.read::<Assignment>(RUN_FILE)? {
            assignment.lease.catalogs = None;
            self.write(RUN_FILE, &assignment)?;
        }
        self.write(KEPT_FILE, &"This run has ended; its cleanup mode says to keep this directory.")
    }
}

/// Reads a JSON file; `None` when it is not there.
///
/// # Errors
/// When it cannot be read or is not what it should be.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a JSON file that only its owner may read, whole or not at all. When it returns, it outlasts a power cut.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn write_json<T: Serialize>(path: &Path, content: &T) -> io::Result<()> {
    let parent = path.parent().unwrap_or_else(|| Path::new("."));
    // Temporary files have mode 0600 from the start.
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(parent)?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
