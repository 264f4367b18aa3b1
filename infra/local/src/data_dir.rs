//! The folder that everything is kept in.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use mainsheet_core::{Error, Result};

/// The file of the table.
pub(crate) const TABLE: &str = "table.sqlite";
/// The file that says how the table is laid out.
const LAYOUT_FILE: &str = "layout";
/// How the table is laid out: which rows there are for each thing. To be raised whenever rows that exist already would be read in
/// another way, or others be missed: a list without its rows looks like one of nothing.
const LAYOUT: &str = "1";

/// Makes the folder, if it is not there.
pub(crate) fn open(path: &Path) -> Result<PathBuf> {
    let cannot = |error| Error::unavailable(format!("{}: {error}", path.display()));
    fs::create_dir_all(path).map_err(cannot)?;
    fs::canonicalize(path).map_err(cannot)
}

/// What is in the folder was written by a release with this one's layout.
pub(crate) fn check_layout(folder: &Path) -> Result<()> {
    let file = folder.join(LAYOUT_FILE);
    let cannot = |error: io::Error| Error::unavailable(format!("{}: {error}", file.display()));
    if !folder.join(TABLE).exists() {
        return fs::write(&file, LAYOUT).map_err(cannot);
    }
    match fs::read_to_string(&file) {
        Ok(layout) if layout == LAYOUT => Ok(()),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot(error)),
        Ok(_) | Err(_) => Err(Error::unavailable(format!(
            "another release of Mainsheet keeps its data in {}, in another layout; move that folder away, or set MAINSHEET_DATA_DIR",
            folder.display()
        ))),
    }
}
