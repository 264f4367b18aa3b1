//! A run's log: what its processes write, merged into one journal in which a line's place is its number on the wire.
//!
//! Processes write into files of their own, so that they need no agent to go on. The agent reads those files and gives
//! what it has read back to the file system. How far it has read is told by the journal itself: there is no second
//! place that could disagree after a crash.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use mainsheet_core::Clock;
use mainsheet_core::agent_protocol::{LogLine, LogSource, LogStream, MAX_LOG_BYTES, MAX_LOG_LINE_BYTES, MAX_LOG_LINES};
use nix::fcntl::{FallocateFlags, fallocate};
use serde::{Deserialize, Serialize};

/// What Sail writes, on either stream.
pub(crate) const SAIL_LOG: &str = "sail.log";
/// What the runner and the job's code write on standard output.
pub(crate) const STDOUT_LOG: &str = "stdout.log";
/// What they write on standard error.
pub(crate) const STDERR_LOG: &str = "stderr.log";

const JOURNAL: &str = "log.jsonl";
/// The most lines that are kept of a run's log.
const MAX_LINES: u64 = 100_000;
/// The most bytes that are kept of a run's log.
const MAX_BYTES: u64 = 50 * 1024 * 1024;
const CLOSING_LINE: &str = "the log is as long as it may be: the rest is dropped";
const READ_BYTES: usize = 64 * 1024;
/// Read at most so many times from one file in a row, so that one chatty process does not silence the others.
const READS_IN_A_ROW: usize = 64;
/// Give back to the file system in steps of this size.
const RELEASE_BYTES: u64 = 1024 * 1024;
/// What stays of a file that was read, for saying how a process ended.
const TAIL_BYTES: u64 = 64 * 1024;
const BLOCK_BYTES: u64 = 4096;

#[derive(Serialize, Deserialize)]
struct Entry {
    line: LogLine,
    /// How far its file was read with it, in bytes.
    end: u64,
    /// Nothing comes after it, because the log is as long as it may be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    closing: bool,
}

/// The log of one attempt of a run.
pub(crate) struct LogJournal {
    clock: Clock,
    journal: File,
    lines: u64,
    bytes: u64,
    closed: bool,
    sources: [Source; 3],
    /// Where to read on for sending: a line's number and its place in the journal.
    cursor: (u64, u64),
}

impl LogJournal {
    /// Opens the log in a run's directory, or begins one.
    ///
    /// # Errors
    /// When the file system refuses, or the journal is damaged.
    pub(crate) fn open(directory: &Path, clock: Clock) -> io::Result<Self> {
        let mut this = Self {
            clock,
            journal: open_to_append(&directory.join(JOURNAL))?,
            lines: 0,
            bytes: 0,
            closed: false,
            sources: [
                Source::open(&directory.join(SAIL_LOG), LogSource::Sail, LogStream::Stderr)?,
                Source::open(&directory.join(STDOUT_LOG), LogSource::Runner, LogStream::Stdout)?,
                Source::open(&directory.join(STDERR_LOG), LogSource::Runner, LogStream::Stderr)?,
            ],
            cursor: (0, 0),
        };
        this.recover()?;
        Ok(this)
    }

    fn recover(&mut self) -> io::Result<()> {
        let mut reader = BufReader::new(&self.journal);
        let mut text = Vec::new();
        while reader.read_until(b'\n', &mut text)? > 0 && text.ends_with(b"\n") {
            let entry: Entry = serde_json::from_slice(&text)?;
            for source in &mut self.sources {
                if (source.source, source.stream) == (entry.line.source, entry.line.stream) {
                    source.read = entry.end;
                }
            }
            self.lines += 1;
            self.bytes += text.len() as u64;
            self.closed = entry.closing;
            text.clear();
        }
        // What was being written when the agent was killed is read again.
        self.journal.set_len(self.bytes)
    }

    /// Takes in what was written since the last time, at most some megabytes, and says whether there is more. `ended`
    /// says that nobody writes any more, so that text without a line end is a line too.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn take_in(&mut self, ended: bool) -> io::Result<bool> {
        let mut more = false;
        for position in 0..self.sources.len() {
            let mut reads = 0;
            while !self.closed && reads < READS_IN_A_ROW && self.take_in_some(position, ended)? {
                reads += 1;
            }
            more |= !self.closed && reads == READS_IN_A_ROW;
            let source = &mut self.sources[position];
            if self.closed {
                source.skip_all()?;
            }
            source.release();
        }
        Ok(more)
    }

    /// Reads once from a source, and says whether there were lines.
    fn take_in_some(&mut self, position: usize, ended: bool) -> io::Result<bool> {
        let lines = self.sources[position].next_lines(ended)?;
        let Source { source, stream, mut read, .. } = self.sources[position];
        let (mut entries, mut number, mut closed) = (Vec::new(), self.lines, self.closed);
        for (message, end) in &lines {
            let size = self.bytes + entries.len() as u64;
            closed = number + 1 >= MAX_LINES || size >= MAX_BYTES;
            let message = if closed { CLOSING_LINE } else { message };
            let line = LogLine { timestamp: self.clock.now(), source, stream, message: message.to_owned() };
            serde_json::to_writer(&mut entries, &Entry { line, end: *end, closing: closed })?;
            entries.push(b'\n');
            number += 1;
            read = *end;
            if closed {
                break;
            }
        }
        self.append(&entries)?;
        (self.lines, self.closed, self.sources[position].read) = (number, closed, read);
        Ok(!lines.is_empty())
    }

    /// Writes entries, all or none: half of one would be in the way of all that come after it.
    fn append(&mut self, entries: &[u8]) -> io::Result<()> {
        if let Err(error) = self.journal.write_all(entries) {
            self.journal.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += entries.len() as u64;
        Ok(())
    }

    /// The lines from this number on, as many as one message may hold.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn batch(&mut self, first_line: u64) -> io::Result<Vec<LogLine>> {
        if first_line < self.cursor.0 {
            self.cursor = (0, 0);
        }
        let mut file = &self.journal;
        file.seek(SeekFrom::Start(self.cursor.1))?;
        let mut reader = BufReader::new(file);
        let (mut lines, mut bytes, mut text) = (Vec::new(), 0, Vec::new());
        let (mut number, mut place) = self.cursor;
        while lines.len() < MAX_LOG_LINES && reader.read_until(b'\n', &mut text)? > 0 {
            if number >= first_line {
                let Entry { line, .. } = serde_json::from_slice(&text)?;
                bytes += line.message.len();
                if bytes > MAX_LOG_BYTES {
                    break;
                }
                lines.push(line);
            }
            number += 1;
            place += text.len() as u64;
            text.clear();
            if number <= first_line {
                self.cursor = (number, place);
            }
        }
        Ok(lines)
    }
}

/// A file that a process writes into.
struct Source {
    file: File,
    source: LogSource,
    stream: LogStream,
    /// How far it was read, in bytes.
    read: u64,
    /// How much of it was given back, in bytes.
    released: u64,
}

impl Source {
    fn open(path: &Path, source: LogSource, stream: LogStream) -> io::Result<Self> {
        Ok(Self { file: open_to_append(path)?, source, stream, read: 0, released: 0 })
    }

    /// The next lines, each with how far the file is read with it.
    fn next_lines(&self, ended: bool) -> io::Result<Vec<(String, u64)>> {
        let mut buffer = vec![0; READ_BYTES];
        let length = self.file.read_at(&mut buffer, self.read)?;
        let (mut rest, mut end, mut lines) = (&buffer[..length], self.read, Vec::new());
        while let Some((line, used)) = next_line(rest, ended && length < READ_BYTES) {
            end += used as u64;
            rest = &rest[used..];
            lines.push((line, end));
        }
        Ok(lines)
    }

    fn skip_all(&mut self) -> io::Result<()> {
        self.read = self.read.max(self.file.metadata()?.len());
        Ok(())
    }

    /// Gives the disk space of what was read back, all but a tail. The file's length stays: whoever writes into it
    /// notices nothing.
    fn release(&mut self) {
        let end = self.read.saturating_sub(TAIL_BYTES) / BLOCK_BYTES * BLOCK_BYTES;
        if end < self.released + RELEASE_BYTES {
            return;
        }
        let (Ok(from), Ok(length)) = (i64::try_from(self.released), i64::try_from(end - self.released)) else { return };
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        if let Err(error) = fallocate(&self.file, hole, from, length) {
            tracing::debug!(%error, "the file system does not take back parts of files");
        }
        self.released = end;
    }
}

fn open_to_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

/// The first line of `bytes` and how many of them it takes up; one that is too long counts as several. `None` when it
/// has not come to its end yet.
fn next_line(bytes: &[u8], ended: bool) -> Option<(String, usize)> {
    let window = &bytes[..bytes.len().min(MAX_LOG_LINE_BYTES)];
    if let Some(length) = window.iter().position(|byte| *byte == b'\n') {
        return Some((text_of(&window[..length]), length + 1));
    }
    if window.len() < MAX_LOG_LINE_BYTES {
        return (ended && !window.is_empty()).then(|| (text_of(window), window.len()));
    }
    // Not within a character, if these are characters.
    let length = (1..=4).map(|back| window.len() - back).find(|end| bytes[*end] & 0xC0 != 0x80).unwrap_or(window.len());
    Some((text_of(&window[..length]), length))
}

fn text_of(line: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
    // What replaces bytes that are no text is longer than they are.
    text.truncate(text.floor_char_boundary(MAX_LOG_LINE_BYTES));
    text
}

/// The end of what was written into a log file, for saying how a process ended; at most `limit` bytes.
pub(crate) fn tail(path: &Path, limit: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    // What was given back to the file system reads as zeros.
    String::from_utf8_lossy(&read().unwrap_or_default()).trim_matches(['\0', '\n', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, name: &str, bytes: &[u8]) {
        open_to_append(&directory.join(name)).unwrap().write_all(bytes).unwrap();
    }

    fn messages(journal: &mut LogJournal, first: u64) -> Vec<String> {
        journal.batch(first).unwrap().into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn lines_keep_their_numbers_across_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = LogJournal::open(folder.path(), Clock::system()).unwrap();
        write(folder.path(), STDOUT_LOG, b"one\ntwo\r\nthr");
        write(folder.path(), SAIL_LOG, b"sail \xff\n");
        journal.take_in(false).unwrap();
        drop(journal);
        write(folder.path(), JOURNAL, b"{\"line\":{\"times");

        write(folder.path(), STDOUT_LOG, b"ee\nfour");
        let mut journal = LogJournal::open(folder.path(), Clock::system()).unwrap();
        journal.take_in(false).unwrap();
        journal.take_in(true).unwrap();
        journal.take_in(true).unwrap();
        assert_eq!(messages(&mut journal, 0), ["sail \u{fffd}", "one", "two", "three", "four"]);
        assert_eq!(messages(&mut journal, 3), ["three", "four"]);
        assert_eq!(messages(&mut journal, 1), ["one", "two", "three", "four"]);
        assert!(messages(&mut journal, 9).is_empty());
    }

    #[test]
    fn what_a_full_disk_refuses_is_taken_in_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = LogJournal::open(folder.path(), Clock::system()).unwrap();
        write(folder.path(), STDOUT_LOG, b"one\ntwo\n");
        let full = OpenOptions::new().read(true).append(true).open("/dev/full").unwrap();
        let kept = std::mem::replace(&mut journal.journal, full);
        journal.take_in(false).unwrap_err();
        journal.journal = kept;
        journal.take_in(false).unwrap();
        assert_eq!((messages(&mut journal, 0), journal.lines), (vec!["one".to_owned(), "two".to_owned()], 2));
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let text = "ä".repeat(MAX_LOG_LINE_BYTES);
        let (line, used) = next_line(&text.as_bytes()[1..], false).unwrap();
        assert!(line.len() <= MAX_LOG_LINE_BYTES && used <= MAX_LOG_LINE_BYTES);
        let (line, used) = next_line(text.as_bytes(), false).unwrap();
        assert!(line.chars().all(|letter| letter == 'ä'));
        assert_eq!(line.len(), used);
        assert!(text_of(&[0xff; MAX_LOG_LINE_BYTES]).len() <= MAX_LOG_LINE_BYTES);
        assert_eq!(next_line(b"abc", false), None);
        assert_eq!(next_line(b"abc", true), Some(("abc".to_owned(), 3)));
    }

    #[test]
    fn a_flood_is_cut_and_takes_no_disk() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let mut journal = LogJournal::open(folder.path(), Clock::system()).unwrap();
        let flood = "a line of a flood\n".repeat(1 << 16);
        for _ in 0..8 {
            write(folder.path(), STDOUT_LOG, flood.as_bytes());
            while journal.take_in(false).unwrap() {}
        }
        assert_eq!(journal.lines, MAX_LINES);
        let last = messages(&mut journal, MAX_LINES - 1);
        assert_eq!(last, [CLOSING_LINE]);
        let raw = std::fs::metadata(folder.path().join(STDOUT_LOG)).unwrap();
        assert!(raw.blocks() * 512 < 2 * RELEASE_BYTES, "{} blocks", raw.blocks());
        assert!(tail(&folder.path().join(STDOUT_LOG), 17).ends_with("line of a flood"));

        drop(journal);
        write(folder.path(), STDERR_LOG, b"more\n");
        let mut journal = LogJournal::open(folder.path(), Clock::system()).unwrap();
        assert!(!journal.take_in(true).unwrap());
        assert_eq!(journal.lines, MAX_LINES);
    }

    #[test]
    fn batches_stay_within_a_message() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = LogJournal::open(folder.path(), Clock::system()).unwrap();
        write(folder.path(), STDOUT_LOG, &[b'x'; 100 * 1024]);
        write(folder.path(), STDOUT_LOG, "\n".repeat(200).as_bytes());
        journal.take_in(false).unwrap();
        let (mut next, mut sizes) = (0, Vec::new());
        loop {
            let lines = journal.batch(next).unwrap();
            if lines.is_empty() {
                break;
            }
            assert!(lines.iter().map(|line| line.message.len()).sum::<usize>() <= MAX_LOG_BYTES);
            next += lines.len() as u64;
            sizes.push(lines.len());
        }
        assert_eq!(next, journal.lines);
        assert!(sizes.iter().all(|size| *size <= MAX_LOG_LINES), "{sizes:?}");
    }
}
