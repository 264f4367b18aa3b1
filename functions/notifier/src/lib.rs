//! Writes to people: makes mails of events and hands them over.

mod template;

use std::sync::Arc;

use mainsheet_auth::keys::SigningKey;
use mainsheet_auth::mail_link::EmailVerification;
use mainsheet_cloud::mail::{Mail, Mailer};
use mainsheet_core::{Clock, Result, UserId};
use mainsheet_store::outbox::{Event, Mail as Request, OutboxEvent};

use template::{Templates, Values};

/// Writes mails.
pub struct Notifier {
    mailer: Arc<dyn Mailer>,
    link_key: Arc<SigningKey>,
    clock: Clock,
    public_url: String,
    templates: Templates,
}

impl Notifier {
    /// `link_key` signs the tokens of links; these begin with `public_url`, which has no path and no slash at its end.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Internal`] when a template is broken.
    pub fn new(mailer: Arc<dyn Mailer>, link_key: Arc<SigningKey>, clock: Clock, public_url: String) -> Result<Self> {
        Ok(Self { mailer, link_key, clock, public_url, templates: Templates::load()? })
    }

    /// Writes the mail that an event asks for. Handled twice, it hands the same mail over twice, under the same id.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Unavailable`] when the mail was not taken.
    pub async fn handle(&self, event: OutboxEvent) -> Result<()> {
        let Event::MailRequested { mail } = event.event else { return Ok(()) };
        let id = event.id.to_string();
        let mail = match mail {
            Request::VerifyEmail { user_id, email } => self.verify_email(id, user_id, &email)?,
            Request::AlreadyRegistered { email } => self.already_registered(id, &email)?,
        };
        self.mailer.send(mail).await
    }

    fn verify_email(&self, id: String, user_id: UserId, email: &str) -> Result<Mail> {
        let verification = EmailVerification { user_id, email: email.to_owned() };
        let token = verification.sign(&self.link_key, self.clock.now())?;
        let link = format!("{}/verify-email?token={token}", self.public_url);
        let values = Values { subject: "Confirm your address", email, link: Some(&link), token: Some(&token) };
        self.templates.write(id, "verify-email", &values)
    }

    fn already_registered(&self, id: String, email: &str) -> Result<Mail> {
        let values = Values { subject: "You have an account already", email, link: None, token: None };
        self.templates.write(id, "already-registered", &values)
    }
}
