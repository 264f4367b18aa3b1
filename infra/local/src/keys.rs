//! The secrets that keys are made from: in AWS from Secrets Manager, here in files that only their owner can read.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use mainsheet_auth::keys::{Purpose, SigningKey};
use mainsheet_auth::login_code::LoginCodeKey;
use mainsheet_auth::sealed::Sealer;
use mainsheet_core::{Error, Result, Timestamp};
use secrecy::SecretString;

/// When the secrets before were replaced.
const ROTATED_AT: &str = "rotated-at";

/// The key for a purpose. Its secret is made the first time.
pub(crate) fn signing_key(data_dir: &Path, purpose: Purpose) -> Result<SigningKey> {
    SigningKey::derive(&secret(data_dir, purpose.as_str())?, purpose)
}

/// What the codes in mails are derived with: from the secret of the links in mails. Codes of the secret before are taken for a while.
pub(crate) fn login_code_key(data_dir: &Path) -> Result<LoginCodeKey> {
    let (folder, name) = (data_dir.join("keys"), Purpose::MailLink.as_str());
    let key = LoginCodeKey::derive(&secret(data_dir, name)?)?;
    match (read(&folder.join(format!("{name}.previous.secret")))?, read(&folder.join(ROTATED_AT))?) {
        (Some(before), Some(rotated_at)) => {
            key.with_before(&SecretString::from(before), rotated_at.parse().map_err(Error::internal)?)
        }
        _ => Ok(key),
    }
}

/// What seals secrets at rest. Its secret is made the first time; without it, what it sealed is lost.
pub(crate) fn sealer(data_dir: &Path) -> Result<Sealer> {
    Sealer::derive(&secret(data_dir, "sealing")?)
}

/// Has new keys made for all that is signed. The secrets before are kept beside, and their public halves stay published until
/// nothing that they signed is good any more.
pub(crate) fn rotate(data_dir: &Path, now: Timestamp) -> Result<()> {
    let folder = data_dir.join("keys");
    fs::create_dir_all(&folder).map_err(Error::unavailable)?;
    write_private(&folder.join(ROTATED_AT), now.to_string().as_bytes())?;
    for purpose in [Purpose::Access, Purpose::MailLink, Purpose::Audit] {
        let file = |name: &str| folder.join(format!("{}.{name}", purpose.as_str()));
        match fs::rename(file("secret"), file("previous.secret")) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::unavailable(error)),
            _ => {}
        }
    }
    Ok(())
}

/// A secret of 32 random bytes as hex digits. It is made the first time.
fn secret(data_dir: &Path, name: &str) -> Result<SecretString> {
    let folder = data_dir.join("keys");
    fs::create_dir_all(&folder).map_err(Error::unavailable)?;
    let file = folder.join(format!("{name}.secret"));
    read(&file)?.map_or_else(|| make_secret(&file), |text| Ok(SecretString::from(text)))
}

/// A file's text; `None` when it is not there.
fn read(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::unavailable(format!("{}: {error}", file.display()))),
    }
}

fn make_secret(file: &Path) -> Result<SecretString> {
    let text = random_secret()?;
    write_private(file, text.as_bytes())?;
    Ok(SecretString::from(text))
}

/// 32 random bytes as hex digits.
pub(crate) fn random_secret() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(hex::encode(bytes))
}

/// Writes a file that only its owner can read: whole under another name first, so that it is there whole or not at all.
pub(crate) fn write_private(file: &Path, content: &[u8]) -> Result<()> {
    let draft = file.with_extension("draft");
    let mut options = OpenOptions::new();
    let mut out =
        options.write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(Error::unavailable)?;
    out.write_all(content).and_then(|()| out.sync_all()).map_err(Error::unavailable)?;
    fs::rename(&draft, file).map_err(Error::unavailable)
}
