//! `cargo xtask verify-audit FILE`: whether anything in an exported audit log was changed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mainsheet_auth::audit_verify::{Jwks, Signature, Verified, verify};

/// What to check.
#[derive(Args)]
pub(crate) struct Options {
    /// The export: JSON lines
    file: PathBuf,
    /// The public keys, as `/.well-known/jwks.json` answers them; without them the checkpoint's signature is not checked
    #[arg(long)]
    jwks: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> ExitCode {
    match check(options) {
        Ok(found) => {
            tell(&found);
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("{why}.");
            ExitCode::FAILURE
        }
    }
}

/// What was found right, or why that cannot be said.
fn check(options: &Options) -> Result<Verified, String> {
    let export = read(&options.file)?;
    let keys = |file: &PathBuf| {
        let keys: Jwks =
            serde_json::from_str(&read(file)?).map_err(|error| format!("{} is no JWKS: {error}", file.display()))?;
        Ok::<_, String>(keys)
    };
    let keys = options.jwks.as_ref().map(keys).transpose()?;
    verify(export.lines(), keys.as_ref()).map_err(|wrong| format!("Not as it was: {wrong}"))
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

fn tell(found: &Verified) {
    println!("{} records in {} blocks are as they were sealed.", found.records, found.blocks);
    println!("The checkpoint covers {} blocks.", found.covered);
    if found.unsealed > 0 {
        println!("{} records are too young for a block.", found.unsealed);
    }
    if found.signature == Signature::Unchecked {
        println!("The checkpoint's signature was not checked: give --jwks.");
    }
}
