//! Writes to people: makes mails of events and hands them over.

mod template;

use std::sync::Arc;

use mainsheet_auth::keys::SigningKey;
use mainsheet_auth::login_code::LoginCodeKey;
use mainsheet_auth::mail_link::{EmailVerification, Invitation, PasswordReset};
use mainsheet_cloud::mail::{Mail, Mailer};
use mainsheet_core::{Clock, Result, Timestamp};
use mainsheet_store::audit::Origin;
use mainsheet_store::outbox::{Event, Mail as Request, OutboxEvent};

use template::{Templates, Values};

/// What mails are made with that nobody else can make.
#[derive(Debug, Clone)]
pub struct MailKeys {
    /// Signs the tokens of links.
    pub links: Arc<SigningKey>,
    /// Derives the codes that people sign in with.
    pub codes: Arc<LoginCodeKey>,
}

/// Writes mails.
pub struct Notifier {
    mailer: Arc<dyn Mailer>,
    keys: MailKeys,
    clock: Clock,
    public_url: String,
    templates: Templates,
}

impl Notifier {
    /// Links begin with `public_url`, which has no path and no slash at its end.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Internal`] when a template is broken.
    pub fn new(mailer: Arc<dyn Mailer>, keys: MailKeys, clock: Clock, public_url: String) -> Result<Self> {
        Ok(Self { mailer, keys, clock, public_url, templates: Templates::load()? })
    }

    /// Writes the mail that an event asks for. Handled twice, it hands the same mail over twice, under the same id.
    ///
    /// # Errors
    /// [`mainsheet_core::Error::Unavailable`] when the mail was not taken.
    pub async fn handle(&self, event: OutboxEvent) -> Result<()> {
        let Event::MailRequested { mail } = event.event else { return Ok(()) };
        let mail = self.write(event.id.to_string(), mail)?;
        self.mailer.send(mail).await
    }

    fn write(&self, id: String, request: Request) -> Result<Mail> {
        match request {
            Request::VerifyEmail { user_id, email, sign_up_id } => {
                self.verify_email(id, EmailVerification { user_id, email, sign_up_id })
            }
            Request::EmergencyUsed { email, organization_name, member_name, action, target, at } => {
                let subject = format!("{member_name} acts by the role Emergency in {organization_name}");
                let values = Values::new(&subject, &email).with("action", &action).with("target", &target);
                self.templates.write(id, "emergency-used", &values.with("at", &at.to_string()))
            }
            Request::AlreadyRegistered { email } => {
                self.notice(id, "already-registered", "You have an account already", &email)
            }
            Request::SignUpAgain { email } => self.notice(id, "sign-up-again", "Sign up once more", &email),
            Request::Invitation { invitation_id, organization_id, email, organization_name, invited_by } => {
                let invitation = Invitation { invitation_id, organization_id, email };
                self.invitation(id, invitation, &organization_name, &invited_by)
            }
            Request::LoginCode { login_code_id, email } => {
                let code = self.keys.codes.code(&login_code_id, &email);
                let values = Values::new(&format!("{code} is your code for Mainsheet"), &email).with("code", &code);
                self.templates.write(id, "login-code", &values)
            }
            Request::ResetPassword { user_id, email, seal } => {
                self.reset_password(id, PasswordReset { user_id, email, seal })
            }
            Request::NewDevice { email, at, origin } => {
                self.security_notice(id, ("new-device", "A new device signed in"), &email, at, &origin)
            }
            Request::AddressAdded { email, added, at, origin } => {
                let values = circumstances("An address was added", &email, at, &origin).with("added", &added);
                self.templates.write(id, "address-added", &values)
            }
            Request::MfaSetUp { email, at, origin } => {
                self.security_notice(id, ("mfa-set-up", "A second factor was set up"), &email, at, &origin)
            }
            Request::MfaReset { email, at, origin } => {
                self.security_notice(id, ("mfa-reset", "Your second factor was removed"), &email, at, &origin)
            }
            Request::PasswordSetByOrganization { email, at, origin } => self.security_notice(
                id,
                ("password-set-by-organization", "Your password was reset"),
                &email,
                at,
                &origin,
            ),
            Request::PasswordChanged { email, at, origin } => {
                self.security_notice(id, ("password-changed", "Your password was changed"), &email, at, &origin)
            }
        }
    }

    fn verify_email(&self, id: String, verification: EmailVerification) -> Result<Mail> {
        let email = verification.email.clone();
        let token = verification.sign(&self.keys.links, self.clock.now())?;
        self.with_link(id, ("verify-email", "verify-email"), &token, Values::new("Confirm your address", &email))
    }

    fn reset_password(&self, id: String, reset: PasswordReset) -> Result<Mail> {
        let email = reset.email.clone();
        let token = reset.sign(&self.keys.links, self.clock.now())?;
        self.with_link(id, ("reset-password", "reset-password"), &token, Values::new("Set a new password", &email))
    }

    fn invitation(&self, id: String, invitation: Invitation, organization: &str, invited_by: &str) -> Result<Mail> {
        let email = invitation.email.clone();
        let token = invitation.sign(&self.keys.links, self.clock.now())?;
        let subject = format!("{invited_by} invites you to {organization}");
        self.with_link(id, ("invitation", "accept-invitation"), &token, Values::new(&subject, &email))
    }

    /// A mail with a token, alone on its line and in the link to a page.
    fn with_link(&self, id: String, (template, page): (&str, &str), token: &str, values: Values) -> Result<Mail> {
        let link = format!("{}/{page}?token={token}", self.public_url);
        self.templates.write(id, template, &values.with("link", &link).with("token", token))
    }

    /// A mail with nothing in it to click or copy.
    fn notice(&self, id: String, template: &str, subject: &str, email: &str) -> Result<Mail> {
        self.templates.write(id, template, &Values::new(subject, email))
    }

    /// A mail that tells what happened, when and from where.
    fn security_notice(
        &self,
        id: String,
        (template, subject): (&str, &str),
        email: &str,
        at: Timestamp,
        origin: &Origin,
    ) -> Result<Mail> {
        self.templates.write(id, template, &circumstances(subject, email, at, origin))
    }
}

/// What every security notice says: when it happened, and from where.
fn circumstances(subject: &str, email: &str, at: Timestamp, origin: &Origin) -> Values {
    let unknown = || "unknown".to_owned();
    let when = at.to_jiff().strftime("%-d %B %Y, %H:%M UTC").to_string();
    Values::new(subject, email)
        .with("when", &when)
        .with("address", &origin.address.clone().unwrap_or_else(unknown))
        .with("software", &origin.user_agent.clone().unwrap_or_else(unknown))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use mainsheet_auth::keys::Purpose;
    use mainsheet_auth::mail_link::{EMAIL_VERIFICATION_VALID, INVITATION_VALID, PASSWORD_RESET_VALID};
    use mainsheet_core::Error;
    use mainsheet_core::time::ManualClock;
    use mainsheet_store::sign_in::LOGIN_CODE_VALID;

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
        let codes = LoginCodeKey::derive(&"a secret that only tests know, and no one else".into());
        let keys = MailKeys { links: Arc::new(key.unwrap()), codes: Arc::new(codes.unwrap()) };
        Notifier::new(mailer, keys, clock, "https://mainsheet.example".to_owned()).unwrap()
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

    fn invitation() -> Request {
        Request::Invitation {
            invitation_id: "INVITATION1".parse().unwrap(),
            organization_id: "ACME".parse().unwrap(),
            email: "ada@example.com".to_owned(),
            organization_name: "Acme <Sails> & Co.".to_owned(),
            invited_by: "Grace Hopper".to_owned(),
        }
    }

    fn login_code() -> Request {
        Request::LoginCode { login_code_id: "CODE1".parse().unwrap(), email: "ada@example.com".to_owned() }
    }

    fn reset_password() -> Request {
        let seal = "0123456789abcdef".to_owned();
        Request::ResetPassword { user_id: "ADA1".parse().unwrap(), email: "ada@example.com".to_owned(), seal }
    }

    fn origin() -> Origin {
        let user_agent = Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0".to_owned());
        Origin { request_id: None, address: Some("203.0.113.7".to_owned()), user_agent }
    }

    fn new_device() -> Request {
        Request::NewDevice { email: "ada@example.com".to_owned(), at: now(), origin: origin() }
    }

    fn mfa_reset() -> Request {
        Request::MfaReset { email: "ada@example.com".to_owned(), at: now(), origin: Origin::default() }
    }

    fn address_added() -> Request {
        let (email, added) = ("ada@example.com".to_owned(), "ada@lovelace.example".to_owned());
        Request::AddressAdded { email, added, at: now(), origin: origin() }
    }

    fn mfa_set_up() -> Request {
        Request::MfaSetUp { email: "ada@example.com".to_owned(), at: now(), origin: origin() }
    }

    fn password_set_by_organization() -> Request {
        Request::PasswordSetByOrganization { email: "ada@example.com".to_owned(), at: now(), origin: origin() }
    }

    fn password_changed() -> Request {
        Request::PasswordChanged { email: "ada@example.com".to_owned(), at: now(), origin: origin() }
    }

    #[tokio::test]
    async fn the_mail_that_invites() {
        let mail = mail_of(invitation()).await;
        let token = token(&mail);
        assert!(
            mail.text.lines().any(|line| line == format!("https://mainsheet.example/accept-invitation?token={token}"))
        );
        assert_eq!(INVITATION_VALID.as_secs(), 7 * 24 * 3600, "as the mail says");
        insta::assert_snapshot!(shown(&mail).replace(token, "[token]"));
    }

    #[tokio::test]
    async fn the_mail_with_a_code() {
        let mail = mail_of(login_code()).await;
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
        let code = mail.text.lines().find(is_code).unwrap();
        assert_eq!(LOGIN_CODE_VALID.as_secs(), 10 * 60, "as the mail says");
        insta::assert_snapshot!(shown(&mail).replace(code, "[code]"));
    }

    #[tokio::test]
    async fn the_mail_that_sets_a_new_password() {
        let mail = mail_of(reset_password()).await;
        let token = token(&mail);
        assert!(
            mail.text.lines().any(|line| line == format!("https://mainsheet.example/reset-password?token={token}"))
        );
        assert_eq!(PASSWORD_RESET_VALID.as_secs(), 30 * 60, "as the mail says");
        insta::assert_snapshot!(shown(&mail).replace(token, "[token]"));
    }

    #[tokio::test]
    async fn the_mail_about_a_new_device() {
        insta::assert_snapshot!(shown(&mail_of(new_device()).await));
    }

    #[tokio::test]
    async fn the_mail_about_a_second_factor_that_is_gone() {
        insta::assert_snapshot!(shown(&mail_of(mfa_reset()).await));
    }

    #[tokio::test]
    async fn the_mail_about_one_more_address() {
        let mail = mail_of(address_added()).await;
        assert_eq!(mail.to, "ada@example.com", "not the new one");
        insta::assert_snapshot!(shown(&mail));
    }

    #[tokio::test]
    async fn the_mail_about_a_second_factor_that_was_set_up() {
        insta::assert_snapshot!(shown(&mail_of(mfa_set_up()).await));
    }

    #[tokio::test]
    async fn the_mail_about_a_new_password() {
        insta::assert_snapshot!(shown(&mail_of(password_changed()).await));
    }

    #[tokio::test]
    async fn the_mail_about_a_password_that_the_organization_set() {
        insta::assert_snapshot!(shown(&mail_of(password_set_by_organization()).await));
    }

    #[tokio::test]
    async fn a_name_that_ends_in_a_dot_ends_in_one_dot() {
        let Request::Invitation { invitation_id, organization_id, email, invited_by, .. } = invitation() else {
            panic!()
        };
        let organization_name = "Acme Inc.".to_owned();
        let request = Request::Invitation { invitation_id, organization_id, email, invited_by, organization_name };
        let mail = mail_of(request).await;
        assert!(mail.subject.ends_with("to Acme Inc."), "{}", mail.subject);
        assert!(!mail.text.contains("..") && !mail.html.contains(".."), "{}", mail.text);
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
        let notice = Request::AlreadyRegistered { email: "ada@example.com".to_owned() };
        let links = [verify_email(), invitation(), reset_password(), login_code()];
        for request in links.into_iter().chain([
            notice,
            new_device(),
            address_added(),
            mfa_set_up(),
            mfa_reset(),
            password_changed(),
            password_set_by_organization(),
        ]) {
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
