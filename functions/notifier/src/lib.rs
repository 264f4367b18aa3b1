//! Writes to people: makes mails of events and hands them over.

mod template;

use std::sync::Arc;

use mainsheet_auth::keys::SigningKey;
use mainsheet_auth::mail_link::{EmailVerification, Invitation};
use mainsheet_cloud::mail::{Mail, Mailer};
use mainsheet_core::{Clock, Result};
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
            Request::VerifyEmail { user_id, email, sign_up_id } => {
                self.verify_email(id, EmailVerification { user_id, email, sign_up_id })?
            }
            Request::Invitation { invitation_id, organization_id, email, organization_name, invited_by } => {
                let invitation = Invitation { invitation_id, organization_id, email };
                self.invitation(id, invitation, &organization_name, &invited_by)?
            }
            Request::EmergencyUsed { email, organization_name, member_name, action, target, at } => {
                let subject = format!("{member_name} acts by the role Emergency in {organization_name}");
                let facts = [("action", action), ("target", target), ("at", at.to_string())];
                let values = Values { facts: &facts, ..Values::plain(&subject, &email) };
                self.templates.write(id, "emergency-used", &values)?
            }
            Request::AlreadyRegistered { email } => {
                self.notice(id, "already-registered", "You have an account already", &email)?
            }
            // Nothing asks for these yet.
            Request::LoginCode { .. }
            | Request::ResetPassword { .. }
            | Request::NewDevice { .. }
            | Request::MfaReset { .. }
            | Request::PasswordChanged { .. } => return Ok(()),
            Request::SignUpAgain { email } => self.notice(id, "sign-up-again", "Sign up once more", &email)?,
        };
        self.mailer.send(mail).await
    }

    fn verify_email(&self, id: String, verification: EmailVerification) -> Result<Mail> {
        let email = verification.email.clone();
        let token = verification.sign(&self.link_key, self.clock.now())?;
        let link = format!("{}/verify-email?token={token}", self.public_url);
        let plain = Values::plain("Confirm your address", &email);
        let values = Values { link: Some(&link), token: Some(&token), ..plain };
        self.templates.write(id, "verify-email", &values)
    }

    fn invitation(&self, id: String, invitation: Invitation, organization: &str, invited_by: &str) -> Result<Mail> {
        let email = invitation.email.clone();
        let token = invitation.sign(&self.link_key, self.clock.now())?;
        let link = format!("{}/accept-invitation?token={token}", self.public_url);
        let subject = format!("{invited_by} invites you to {organization}");
        let values = Values { link: Some(&link), token: Some(&token), ..Values::plain(&subject, &email) };
        self.templates.write(id, "invitation", &values)
    }

    fn notice(&self, id: String, template: &str, subject: &str, email: &str) -> Result<Mail> {
        self.templates.write(id, template, &Values::plain(subject, email))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use mainsheet_auth::keys::Purpose;
    use mainsheet_auth::mail_link::EMAIL_VERIFICATION_VALID;
    use mainsheet_core::time::ManualClock;
    use mainsheet_core::{Error, Timestamp};

    use super::*;

    /// Keeps mails, or takes none.
    #[derive(Default)]
    struct Recorder {
        mails: Mutex<Vec<Mail>>,
        is_down: bool,
    }

    #[async_trait]
    impl Mailer for Recorder {
        async fn send(&self, mail: Mail) -> Result<()> {
            if self.is_down {
                return Err(Error::unavailable("no mail today"));
            }
            self.mails.lock().unwrap().push(mail);
            Ok(())
        }
    }

    fn notifier(mailer: Arc<Recorder>) -> Notifier {
        let key = SigningKey::derive(&"a secret that only tests know, and no one else".into(), Purpose::MailLink);
        let clock = ManualClock::new(now()).clock();
        Notifier::new(mailer, Arc::new(key.unwrap()), clock, "https://mainsheet.example".to_owned()).unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-21T08:30:00Z".parse().unwrap()
    }

    fn event(event: Event) -> OutboxEvent {
        OutboxEvent { id: "EVENT1".parse().unwrap(), at: now(), organization_id: None, event }
    }

    async fn mail_of(request: Request) -> Mail {
        let recorder = Arc::new(Recorder::default());
        notifier(recorder.clone()).handle(event(Event::MailRequested { mail: request })).await.unwrap();
        let mut mails = recorder.mails.lock().unwrap();
        assert_eq!(mails.len(), 1);
        mails.remove(0)
    }

    fn verify_email() -> Request {
        Request::VerifyEmail { user_id: "ADA1".parse().unwrap(), email: "ada@example.com".to_owned(), sign_up_id: None }
    }

    /// The token, alone on its line.
    fn token(mail: &Mail) -> &str {
        mail.text.lines().find(|line| line.starts_with("eyJ")).unwrap()
    }

    /// Headers, text and HTML, as they are reviewed.
    fn shown(mail: &Mail) -> String {
        format!("To: {}\nSubject: {}\n\n{}\n\n{}", mail.to, mail.subject, mail.text, mail.html)
    }

    #[tokio::test]
    async fn the_mail_that_confirms_an_address() {
        let mail = mail_of(verify_email()).await;
        let token = token(&mail);
        assert_eq!(mail.id, "EVENT1");
        assert!(mail.text.lines().any(|line| line == format!("https://mainsheet.example/verify-email?token={token}")));
        assert_eq!(EMAIL_VERIFICATION_VALID.as_secs(), 7 * 24 * 3600, "as the mail says");
        insta::assert_snapshot!(shown(&mail).replace(token, "[token]"));
    }

    #[tokio::test]
    async fn the_mail_to_who_has_an_account_already() {
        let mail = mail_of(Request::AlreadyRegistered { email: "ada@example.com".to_owned() }).await;
        insta::assert_snapshot!(shown(&mail));
    }

    #[tokio::test]
    async fn the_mail_to_an_address_that_several_people_signed_up_with() {
        let mail = mail_of(Request::SignUpAgain { email: "ada@example.com".to_owned() }).await;
        insta::assert_snapshot!(shown(&mail));
    }

    #[tokio::test]
    async fn the_mail_to_owners_when_somebody_acts_in_an_emergency() {
        let mail = mail_of(Request::EmergencyUsed {
            email: "ada@example.com".to_owned(),
            organization_name: "Acme".to_owned(),
            member_name: "Grace Hopper".to_owned(),
            action: "organization.update".to_owned(),
            target: "ACME1".to_owned(),
            at: now(),
        });
        insta::assert_snapshot!(shown(&mail.await));
    }

    #[tokio::test]
    async fn nothing_is_fetched_when_a_mail_is_opened() {
        for request in [verify_email(), Request::AlreadyRegistered { email: "ada@example.com".to_owned() }] {
            let html = mail_of(request).await.html;
            for remote in ["src=", "url(", "@import", "<link", "<img", "<script"] {
                assert!(!html.contains(remote), "{remote}");
            }
        }
    }

    #[tokio::test]
    async fn an_event_that_comes_twice_gives_mails_of_one_id() {
        let recorder = Arc::new(Recorder::default());
        let notifier = notifier(recorder.clone());
        for _ in 0..2 {
            notifier.handle(event(Event::MailRequested { mail: verify_email() })).await.unwrap();
        }
        let mails = recorder.mails.lock().unwrap();
        assert_eq!((mails.len(), &mails[0]), (2, &mails[1]));
    }

    #[tokio::test]
    async fn a_mail_that_is_not_taken_comes_again() {
        let recorder = Arc::new(Recorder { is_down: true, ..Recorder::default() });
        let refused = notifier(recorder).handle(event(Event::MailRequested { mail: verify_email() })).await;
        assert!(matches!(refused, Err(Error::Unavailable { .. })));
    }

    #[tokio::test]
    async fn other_events_are_none_of_its_business() {
        let recorder = Arc::new(Recorder::default());
        let other = Event::JobDeleted { job_id: "JOB1".parse().unwrap() };
        notifier(recorder.clone()).handle(event(other)).await.unwrap();
        assert!(recorder.mails.lock().unwrap().is_empty());
    }
}
