//! Authenticators of people: their secrets lie sealed in the table.

use mainsheet_auth::sealed::{Context, Sealed};
use mainsheet_auth::totp::Authenticator;
use mainsheet_core::user::User;
use mainsheet_core::{Result, UserId};

use crate::IdentityState;

/// Binds a sealed secret to its owner and use.
fn context(user: &UserId) -> Context {
    Context::user(user, "totp")
}

/// The authenticator of a person whose secret is sealed.
pub(crate) fn open(state: &IdentityState, user: &User, sealed: &Sealed) -> Result<Authenticator> {
    Authenticator::of_secret(&user.email, &state.sealer.open(&context(&user.id), sealed)?)
}

/// An authenticator's secret, sealed for its owner.
pub(crate) fn seal(state: &IdentityState, user: &UserId, authenticator: &Authenticator) -> Result<Sealed> {
    state.sealer.seal(&context(user), &authenticator.secret())
}
