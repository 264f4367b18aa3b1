//! Mails to an address that anybody may type. Its owner is written to, whoever asked; so that nobody's mailbox is flooded,
//! the mails are throttled as failed sign-ins are.

use std::time::Duration;

use mainsheet_api::App;
use mainsheet_auth::mail_link::EMAIL_VERIFICATION_VALID;
use mainsheet_core::user::{NormalizedEmail, User};
use mainsheet_core::{Error, Result, SignUpId, Timestamp, UserId};
use mainsheet_store::audit::{Actor, Audit, Origin, Scope};
use mainsheet_store::outbox::{Event, Mail};
use mainsheet_store::sign_in::Beside;
use mainsheet_store::throttle::{Throttle, ThrottleKey};
use mainsheet_store::users::{Access, Credentials, WaitingSignUp};
use mainsheet_store::{Change, Row};

/// An address, whose it is, and the mails that were asked for it.
pub(crate) struct Mailbox {
    user_id: Option<UserId>,
    keys: [ThrottleKey; 1],
    found: Vec<Option<Row<Throttle>>>,
}

/// The person with an address.
pub(crate) struct Owner {
    user: User,
    access: Row<Access>,
    credentials: Row<Credentials>,
}

impl Owner {
    /// Whether the address is known to be theirs.
    pub(crate) fn is_verified(&self) -> bool {
        self.access.value.email_verified_at.is_some()
    }

    /// Whether others signed up with the address too, and nobody confirmed it yet.
    fn is_contested(&self, now: Timestamp) -> bool {
        self.access.value.contested_until.is_some_and(|until| until > now)
    }
}

impl Mailbox {
    pub(crate) async fn look_up(app: &App, email: &str) -> Result<Self> {
        let email = NormalizedEmail::of(email);
        let keys = [ThrottleKey::Mail(email.clone())];
        let found = app.store.look_up_sign_in(&email, &keys).await?;
        Ok(Self { user_id: found.user_id, keys, found: found.throttles })
    }

    fn throttle(&self) -> Option<&Row<Throttle>> {
        self.found.first().and_then(Option::as_ref)
    }

    /// How long until the next mail may be sent.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Duration> {
        self.throttle().and_then(|throttle| throttle.value.wait(now))
    }

    /// Whose address it is. Nobody's takes as long as somebody's.
    pub(crate) async fn owner(&self, app: &App) -> Result<Option<Owner>> {
        let user_id = self.user_id.clone().unwrap_or_else(|| UserId::generate(app.now()));
        let person = app.store.at_the_door(&user_id, Beside::default()).await?.person;
        Ok(person.map(|person| Owner {
            user: person.user.value,
            access: person.access,
            credentials: person.credentials,
        }))
    }

    /// Tells the owner that they have an account, or asks them once more to confirm their address.
    pub(crate) async fn remind(&self, app: &App, owner: &Owner, origin: Origin) -> Result<()> {
        let change = app.store.change(reminder(owner, origin));
        // To the address as its owner wrote it: there are mail servers that tell `Ada@` from `ada@`.
        let email = owner.user.email.clone();
        let mail = if owner.is_verified() {
            Mail::AlreadyRegistered { email }
        } else if owner.is_contested(change.now()) {
            // A link would confirm one sign-up's password, and which one is the owner's is not known.
            Mail::SignUpAgain { email }
        } else {
            Mail::VerifyEmail { user_id: owner.user.id.clone(), email, sign_up_id: None }
        };
        self.send(change, mail).await
    }

    /// Keeps the credentials of one more sign-up with an address that nobody confirmed. They count once its own link is used.
    pub(crate) async fn await_confirmation(
        &self,
        app: &App,
        owner: &Owner,
        credentials: Credentials,
        origin: Origin,
    ) -> Result<()> {
        let change = app.store.change(reminder(owner, origin));
        let User { id: user_id, email, .. } = owner.user.clone();
        let id = SignUpId::generate(change.now());
        let waiting = WaitingSignUp { credentials, expires_at: change.now() + EMAIL_VERIFICATION_VALID };
        let access = Access { contested_until: Some(waiting.expires_at), ..owner.access.value.clone() };
        let change = change.await_confirmation(&user_id, &id, &waiting).replace_access(&owner.access, &access);
        self.send(change, Mail::VerifyEmail { user_id, email, sign_up_id: Some(id) }).await
    }

    /// Mails a link that sets a new password, to the address that was asked for: it is one of the owner's.
    pub(crate) async fn send_reset(&self, app: &App, owner: &Owner, email: String, origin: Origin) -> Result<()> {
        let audit = Audit { action: "password_reset.send", ..reminder(owner, origin) };
        let written = Some(&owner.user.email).filter(|own| NormalizedEmail::of(own) == NormalizedEmail::of(&email));
        let email = written.cloned().unwrap_or(email);
        let mail = Mail::ResetPassword { user_id: owner.user.id.clone(), email, seal: owner.credentials.value.seal() };
        self.send(app.store.change(audit), mail).await
    }

    async fn send(&self, change: Change<'_>, mail: Mail) -> Result<()> {
        let change = change.emit(Event::MailRequested { mail });
        match change.count_failure(&self.keys[0], self.throttle()).commit().await {
            // Somebody else asked at the same moment: their mail is on its way.
            Err(Error::Conflict { .. }) => Ok(()),
            sent => sent,
        }
    }

    /// Counts a mail that nobody gets, so that asking for it looks the same from outside.
    pub(crate) async fn count(&self, app: &App) -> Result<()> {
        app.store.count_failures(&self.keys, &self.found).await
    }
}

fn reminder(owner: &Owner, origin: Origin) -> Audit {
    Audit {
        scope: Scope::User(owner.user.id.clone()),
        actor: Actor::Platform,
        origin,
        action: "user.remind",
        target: owner.user.id.to_string(),
    }
}
