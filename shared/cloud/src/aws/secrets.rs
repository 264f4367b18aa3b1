//! Secrets from AWS Secrets Manager.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use mainsheet_core::{Error, Result};
use secrecy::SecretString;

use crate::aws::required;

/// The text of the secret whose ARN is in `variable`. Read once, during INIT. `file:PATH` in its place reads a file: that is
/// how a function runs beside the embedded platform, with its keys.
///
/// # Errors
/// [`Error::Internal`] when the variable is not set; [`Error::Unavailable`] when the secret cannot be read.
pub async fn secret(config: &SdkConfig, variable: &str) -> Result<SecretString> {
    let id = required(variable)?;
    if let Some(path) = id.strip_prefix("file:") {
        let text = std::fs::read_to_string(path);
        return text.map(SecretString::from).map_err(|error| Error::unavailable(format!("{path}: {error}")));
    }
    let request = Client::new(config).get_secret_value().secret_id(id);
    let answer = request.send().await.map_err(|error| Error::unavailable(DisplayErrorContext(error)))?;
    let text = answer.secret_string.ok_or_else(|| Error::internal(format!("the secret in {variable} has no text")))?;
    Ok(SecretString::from(text))
}
