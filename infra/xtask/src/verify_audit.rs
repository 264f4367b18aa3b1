//! `cargo xtask verify-audit FILE`: whether anything in an exported audit log was changed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mainsheet_auth::audit_verify::{Jwks, Signature, verify};

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
    let export = std::fs::read_to_string(&options.file).unwrap();
    let keys = options.jwks.as_ref().map(|file| std::fs::read_to_string(file).unwrap());
    let keys: Option<Jwks> = keys.map(|text| serde_json::from_str(&text).unwrap());
    match verify(export.lines(), keys.as_ref()) {
        Ok(found) => {
            println!("{} records in {} blocks are as they were sealed.", found.records, found.blocks);
            println!("The checkpoint covers {} blocks.", found.covered);
            if found.unsealed > 0 {
                println!("{} records are too young for a block.", found.unsealed);
            }
            if found.signature == Signature::Unchecked {
                println!("The checkpoint's signature was not checked: give --jwks.");
            }
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            println!("Not as it was: {wrong}.");
            ExitCode::FAILURE
        }
    }
}
