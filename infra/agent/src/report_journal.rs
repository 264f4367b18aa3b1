//! What has been said about a run, and how much of it the control plane has taken in.
//!
//! A report is on disk before it is sent, and is sent until it is taken: none is lost, doubled or reordered.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use mainsheet_core::agent_protocol::{ReportedEvent, RunReport};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Report(RunReport),
    /// The last report that was taken in.
    Taken(u64),
}

/// The journal of one attempt's reports.
pub(crate) struct ReportJournal {
    file: File,
    /// How long it is, in bytes.
    length: u64,
    reports: Vec<RunReport>,
    taken: u64,
}

impl ReportJournal {
    /// Opens the journal, or begins one. What was being written when the agent was killed is dropped.
    ///
    /// # Errors
    /// When the file system refuses, or the journal is damaged.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let length = whole as u64;
        file.set_len(length)?;
        file.seek(io::SeekFrom::End(0))?;
        let mut this = Self { file, length, reports: Vec::new(), taken: 0 };
        for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line)? {
                Entry::Report(report) => this.reports.push(report),
                Entry::Taken(last) => this.taken = last,
            }
        }
        Ok(this)
    }

    /// Notes an event, with what `detail` adds, unless it was noted before. When it returns, it outlasts a power cut.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn note(&mut self, event: ReportedEvent, detail: impl FnOnce(&mut RunReport)) -> io::Result<()> {
        if self.reports.iter().any(|report| report.event == event) {
            return Ok(());
        }
        let sequence = self.reports.len() as u64 + 1;
        let mut report = RunReport { sequence, event, message: None, runner_execution_time_us: None, results: None };
        detail(&mut report);
        self.append(&Entry::Report(report.clone()), File::sync_data)?;
        self.reports.push(report);
        Ok(())
    }

    /// Notes that everything up to this number was taken in.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn taken(&mut self, last: u64) -> io::Result<()> {
        if last > self.taken {
            // Forgetting this after a power cut costs one message sent again.
            self.append(&Entry::Taken(last), |_| Ok(()))?;
            self.taken = last;
        }
        Ok(())
    }

    /// Writes an entry and does with the file what makes it safe, or leaves the journal as it was: half of an entry would be in the
    /// way of all that come after it.
    fn append(&mut self, entry: &Entry, make_safe: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line).and_then(|()| make_safe(&self.file)) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// What has not been taken in yet, in order.
    pub(crate) fn waiting(&self) -> Vec<RunReport> {
        self.reports.iter().filter(|report| report.sequence > self.taken).cloned().collect()
    }

    /// How the run ended, once that was noted.
    pub(crate) fn ending(&self) -> Option<ReportedEvent> {
        use ReportedEvent::{Cancel, Fail, Succeed, TimeOut};
        self.reports.iter().map(|report| report.event).find(|event| matches!(event, Succeed | Fail | TimeOut | Cancel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_full_disk_refuses_is_noted_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reports.jsonl");
        let mut journal = ReportJournal::open(&path).unwrap();
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        journal.note(ReportedEvent::SailRequested, |_| {}).unwrap();
        let kept = std::mem::replace(&mut journal.file, full);
        journal.note(ReportedEvent::SailCreated, |_| {}).unwrap_err();
        journal.taken(1).unwrap_err();
        journal.file = kept;
        assert_eq!(journal.waiting().len(), 1, "nothing was taken, and one noted");
        journal.note(ReportedEvent::SailCreated, |_| {}).unwrap();
        journal.taken(1).unwrap();
        drop(journal);
        let waiting = ReportJournal::open(&path).unwrap().waiting();
        assert_eq!(waiting.iter().map(|report| report.sequence).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_torn_entry_is_dropped_and_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reports.jsonl");
        let mut journal = ReportJournal::open(&path).unwrap();
        journal.note(ReportedEvent::SailRequested, |_| {}).unwrap();
        journal.note(ReportedEvent::SailRequested, |_| {}).unwrap();
        journal.note(ReportedEvent::SailCreated, |_| {}).unwrap();
        journal.taken(1).unwrap();
        drop(journal);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"report\":{\"seq").unwrap();

        let mut journal = ReportJournal::open(&path).unwrap();
        journal.note(ReportedEvent::Fail, |report| report.message = Some("why".to_owned())).unwrap();
        drop(journal);
        let journal = ReportJournal::open(&path).unwrap();
        let waiting = journal.waiting();
        assert_eq!(waiting.iter().map(|report| report.sequence).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(waiting[1].message.as_deref(), Some("why"));
        assert_eq!(journal.ending(), Some(ReportedEvent::Fail));
    }
}
