//! Who sets up a second factor: somebody signed in, or somebody who may not sign in before they have one.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use garde::Validate;
use mainsheet_api::{Account, Body, Command, Idempotent, Problem, RequestOrigin, Result};
use mainsheet_auth::challenge::ChallengeToken;
use mainsheet_core::{Error, UserId};
use mainsheet_store::audit::{Audit, Origin};
use mainsheet_store::sign_in::{AtTheDoor, Awaits, Beside};
use serde::de::DeserializeOwned;

use crate::{IdentityState, sign_in};

/// A request of theirs. What they have set up so far is read with it.
pub(crate) struct Enrolling<T> {
    /// Who.
    pub(crate) person: AtTheDoor,
    origin: Origin,
    /// The body.
    pub(crate) body: T,
    /// Whether it was handled before. Half-done sign-ins have no idempotency keys.
    pub(crate) idempotent: Option<Idempotent>,
}

impl<T> Enrolling<T> {
    /// Whose second factor it is.
    pub(crate) fn user_id(&self) -> &UserId {
        &self.person.user.value.id
    }

    /// Where the request came from.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The beginning of an audit record.
    pub(crate) fn audit(&self, action: &'static str) -> Audit {
        sign_in::audit(&self.person, &self.origin, action, self.user_id().as_str())
    }

    /// Whether the same request was handled before.
    pub(crate) fn is_repeated(&self) -> Result<bool> {
        let earlier = self.idempotent.as_ref().map(Idempotent::earlier::<UserId>).transpose()?;
        Ok(earlier.flatten().is_some())
    }
}

impl<T> FromRequest<IdentityState> for Enrolling<T>
where
    T: DeserializeOwned + Validate<Context = ()> + Send,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &IdentityState) -> Result<Self> {
        match half_signed_in(request.headers(), state).await? {
            Some(token) => Self::with_challenge(request, state, token).await,
            None => Self::signed_in(request, state).await,
        }
    }
}

/// The challenge token that the request bears, if it bears one.
async fn half_signed_in(headers: &HeaderMap, state: &IdentityState) -> Result<Option<ChallengeToken>> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, token)) = header.and_then(|text| text.split_once(' ')) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    match ChallengeToken::check(&state.app.access_keys, token.trim(), state.app.now()).await {
        Ok(token) => Ok(Some(token)),
        Err(Error::Unauthenticated { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl<T> Enrolling<T>
where
    T: DeserializeOwned + Validate<Context = ()> + Send,
{
    /// Whoever has the first factor alone may set up the second one only while there is none.
    async fn with_challenge(request: Request, state: &IdentityState, token: ChallengeToken) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let RequestOrigin(origin) = RequestOrigin::from_request_parts(&mut parts, state).await?;
        let beside = Beside { challenge: Some(&token.challenge_id), ..Beside::default() };
        let over = || Error::unauthenticated("the challenge was finished, has expired, or is for another step");
        let person = state.app.store.at_the_door(&token.user_id, beside).await?.person.ok_or_else(over)?;
        let now = state.app.now();
        let challenge = person.challenge.as_ref().map(|row| &row.value);
        let may_enrol = challenge.is_some_and(|challenge| {
            challenge.awaits == Awaits::Enrolment && challenge.is_open(&person.access.value, now)
        });
        let has_factor = person.second_factor.as_ref().is_some_and(|row| row.value.totp.is_some());
        if !may_enrol || has_factor {
            return Err(over().into());
        }
        let single_sign_on = challenge.and_then(|challenge| challenge.single_sign_on.as_ref());
        person.access.value.require_account(single_sign_on)?;
        let Body(body) = Body::from_request(Request::from_parts(parts, body), state).await?;
        Ok(Self { person, origin, body, idempotent: None })
    }

    async fn signed_in(request: Request, state: &IdentityState) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let Account(signed_in) = Account::from_request_parts(&mut parts, state).await?;
        let command = Command::<T>::from_request(Request::from_parts(parts, body), state).await?;
        let gone = || Error::unauthenticated("the user is gone");
        let user_id = signed_in.user_id();
        let person = state.app.store.at_the_door(user_id, Beside::default()).await?.person.ok_or_else(gone)?;
        signed_in.login.require_recent_proof(state.app.now())?;
        Ok(Self { person, origin: signed_in.origin, body: command.body, idempotent: Some(command.idempotent) })
    }
}
