//! Secrets from AWS Secrets Manager.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use mainsheet_core::{Error, Result, Timestamp};
use secrecy::SecretString;

use crate::aws::required;

/// What a secret was before it was changed.
#[derive(Debug)]
pub struct SecretBefore {
    /// Its text.
    pub text: SecretString,
    /// When it was changed.
    pub changed_at: Timestamp,
}

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

/// What the secret whose ARN is in `variable` was before; `None` when it was never changed, and of a file.
///
/// # Errors
/// Those of [`secret`].
pub async fn secret_before(config: &SdkConfig, variable: &str) -> Result<Option<SecretBefore>> {
    let id = required(variable)?;
    if id.starts_with("file:") {
        return Ok(None);
    }
    let client = Client::new(config);
    let before = match client.get_secret_value().secret_id(&id).version_stage("AWSPREVIOUS").send().await {
        Err(error) if error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception) => {
            return Ok(None);
        }
        answer => answer.map_err(|error| Error::unavailable(DisplayErrorContext(error)))?,
    };
    let present = client.get_secret_value().secret_id(id).send().await;
    let present = present.map_err(|error| Error::unavailable(DisplayErrorContext(error)))?;
    let changed_at = present.created_date.and_then(|date| date.to_millis().ok()).unwrap_or_default();
    Ok(before.secret_string.map(|text| SecretBefore {
        text: SecretString::from(text),
        changed_at: Timestamp::from_millisecond(changed_at),
    }))
}
