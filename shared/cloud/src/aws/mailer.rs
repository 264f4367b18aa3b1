//! Mail through Amazon SES.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, DisplayErrorContext};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use mainsheet_core::{Error, Result};

use crate::aws::settings::{optional, required};
use crate::mail::{Mail, Mailer};

/// Sends from the address in `MAINSHEET_MAIL_FROM`, with the configuration set in `MAINSHEET_MAIL_CONFIGURATION_SET` if there
/// is one. SES knows no idempotency: a mail that is handed over twice is sent twice, with the same `mainsheet-event` tag.
#[derive(Debug, Clone)]
pub struct SesMailer {
    client: Client,
    from: String,
    configuration_set: Option<String>,
}

impl SesMailer {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is no address.
    pub fn from_environment(config: &SdkConfig) -> Result<Self> {
        let from = required("MAINSHEET_MAIL_FROM")?;
        let configuration_set = optional("MAINSHEET_MAIL_CONFIGURATION_SET");
        Ok(Self { client: Client::new(config), from, configuration_set })
    }
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: Mail) -> Result<()> {
        let event = MessageTag::builder().name("mainsheet-event").value(&mail.id).build().map_err(Error::internal)?;
        let request = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .set_configuration_set_name(self.configuration_set.clone())
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .content(content(&mail).map_err(Error::internal)?)
            .email_tags(event);
        request.send().await.map(|_| ()).map_err(|error| Error::unavailable(DisplayErrorContext(error)))
    }
}

fn content(mail: &Mail) -> Result<EmailContent, BuildError> {
    let utf8 = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let body = Body::builder().text(utf8(&mail.text)?).html(utf8(&mail.html)?).build();
    let message = Message::builder().subject(utf8(&mail.subject)?).body(body).build();
    Ok(EmailContent::builder().simple(message).build())
}
