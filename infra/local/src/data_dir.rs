//! The folder that everything is kept in.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use mainsheet_core::{Error, Result};

use crate::keys::write_private;

/// The file of the table.
pub(crate) const TABLE: &str = "table.sqlite";
/// The file that says how the table is laid out.
const LAYOUT_FILE: &str = "layout";
/// How the table is laid out: which rows there are for each thing. To be raised whenever rows that exist already would be read in
/// another way, or others be missed: a list without its rows looks like one of nothing.
const LAYOUT: &str = "2";
/// What it says while the tables are being made for the first time: there is nothing in them yet.
const UNFINISHED: &str = "unfinished";

/// Makes the folder, if it is not there.
pub(crate) fn open(path: &Path) -> Result<PathBuf> {
    let cannot = |error| Error::unavailable(format!("{}: {error}", path.display()));
    fs::create_dir_all(path).map_err(cannot)?;
    fs::canonicalize(path).map_err(cannot)
}

/// What is in the folder was written by a release with this one's layout. A first start that was cut off begins anew.
pub(crate) fn check_layout(folder: &Path) -> Result<()> {
    let file = folder.join(LAYOUT_FILE);
    let cannot = |error: io::Error| Error::unavailable(format!("{}: {error}", file.display()));
    if folder.join(TABLE).exists() {
        match fs::read_to_string(&file) {
            Ok(layout) if layout == LAYOUT => return Ok(()),
            Ok(layout) if layout == UNFINISHED => remove_table(folder)?,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(cannot(error)),
            Ok(_) | Err(_) => {
                return Err(Error::unavailable(format!(
                    "another release of Mainsheet keeps its data in {}, in another layout; move that folder away, or set MAINSHEET_DATA_DIR",
                    folder.display()
                )));
            }
        }
    }
    write_private(&file, UNFINISHED.as_bytes())
}

/// The tables are there.
pub(crate) fn note_layout(folder: &Path) -> Result<()> {
    write_private(&folder.join(LAYOUT_FILE), LAYOUT.as_bytes())
}

/// The file itself last: what SQLite keeps beside is none of another one's.
fn remove_table(folder: &Path) -> Result<()> {
    for beside in ["-journal", "-wal", "-shm", ""] {
        match fs::remove_file(folder.join(format!("{TABLE}{beside}"))) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::unavailable(error)),
            _ => {}
        }
    }
    Ok(())
}
