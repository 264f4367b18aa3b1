//! `POST /auth/mfa/verify`: the second factor of a sign-in.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use garde::Validate;
use mainsheet_api::{Body, DpopKey, RequestOrigin, Result};
use mainsheet_auth::challenge::ChallengeToken;
use mainsheet_auth::recovery;
use mainsheet_auth::trusted_device::TrustedDeviceToken;
use mainsheet_core::{Error, Timestamp, TrustedDeviceId};
use mainsheet_store::audit::Origin;
use mainsheet_store::second_factors::{SecondFactor, TRUSTED_DEVICE_VALID, Totp, TrustedDevice};
use mainsheet_store::sign_in::{AtTheDoor, Beside, Challenge};
use mainsheet_store::throttle::ThrottleKey;
use mainsheet_store::{Row, retry_races};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::sign_in::{Demands, Entry, LoginResult, audit, note_failure};
use crate::{IdentityState, authenticator, trusted};

/// A second factor.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MfaVerify {
    /// The one that came with `nextStep`.
    #[garde(skip)]
    #[schema(value_type = String)]
    challenge_token: SecretString,
    /// Six digits of the authenticator.
    #[garde(skip)]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{6}$")]
    code: Option<SecretString>,
    /// A recovery code, in place of `code`.
    #[garde(skip)]
    #[schema(value_type = Option<String>)]
    recovery_code: Option<SecretString>,
    /// Whether this device skips the second factor for 30 days. It is given a cookie, and the same token in the header
    /// `Mainsheet-Trusted-Device` for clients that keep no cookies.
    #[serde(default)]
    #[garde(skip)]
    trust_device: bool,
}

/// What a person gives as their second factor.
enum Given {
    Code(SecretString),
    RecoveryCode(SecretString),
}

impl MfaVerify {
    fn given(&self) -> mainsheet_core::Result<Given> {
        match (&self.code, &self.recovery_code) {
            (Some(code), None) => Ok(Given::Code(code.clone())),
            (None, Some(code)) => Ok(Given::RecoveryCode(code.clone())),
            (Some(_), Some(_)) => Err(Error::invalid("recoveryCode", "goes without `code`")),
            (None, None) => Err(Error::invalid("code", "is required, or `recoveryCode`")),
        }
    }
}

/// Finish a sign-in with the second factor
///
/// A code of the authenticator and a recovery code count once each. Wrong ones make the next try wait, and the tenth for 15
/// minutes.
#[utoipa::path(
    post, path = "/auth/mfa/verify", operation_id = "verifyMfaChallenge", tag = "authentication",
    request_body = MfaVerify,
    responses((
        status = 200, description = "Tokens.", body = LoginResult,
        headers(("Mainsheet-Trusted-Device" = String, description = "What a trusted device sends when it signs in."))
    ))
)]
pub(crate) async fn verify_mfa(
    State(state): State<IdentityState>,
    RequestOrigin(origin): RequestOrigin,
    DpopKey(dpop_jkt): DpopKey,
    Body(body): Body<MfaVerify>,
) -> Result<(HeaderMap, Json<LoginResult>)> {
    let given = body.given()?;
    let now = state.app.now();
    let token = ChallengeToken::check(&state.app.access_keys, body.challenge_token.expose_secret(), now).await?;
    let key = ThrottleKey::SecondFactor(token.user_id.clone());
    let beside = Beside { challenge: Some(&token.challenge_id), throttle: Some(&key), ..Beside::default() };
    let door = state.app.store.at_the_door(&token.user_id, beside).await?;
    let person = door.person.ok_or_else(over)?;
    let _ = open_challenge(&person, now)?;
    state.app.store.count_try(std::slice::from_ref(&key), vec![door.throttle]).await?;
    let device = body.trust_device.then(|| TrustedDeviceToken::generate(TrustedDeviceId::generate(now))).transpose()?;
    let verification =
        Verification { state: &state, token: &token, given: &given, device: device.as_ref(), dpop_jkt, key, origin };
    let mut read = Some(person);
    let result = retry_races(|| {
        let person = read.take();
        verification.try_once(person)
    });
    let headers = device.as_ref().map(trusted::headers).transpose()?.unwrap_or_default();
    Ok((headers, Json(result.await?)))
}

/// A second factor on its way in.
struct Verification<'a> {
    state: &'a IdentityState,
    token: &'a ChallengeToken,
    given: &'a Given,
    device: Option<&'a TrustedDeviceToken>,
    dpop_jkt: Option<String>,
    key: ThrottleKey,
    origin: Origin,
}

impl Verification<'_> {
    /// With the person as they were read, or read anew: codes and challenges that another request used meanwhile count no more.
    async fn try_once(&self, person: Option<AtTheDoor>) -> mainsheet_core::Result<LoginResult> {
        let store = &self.state.app.store;
        let person = match person {
            Some(person) => person,
            None => {
                let beside = Beside { challenge: Some(&self.token.challenge_id), ..Beside::default() };
                store.at_the_door(&self.token.user_id, beside).await?.person.ok_or_else(over)?
            }
        };
        let now = self.state.app.now();
        let challenge = open_challenge(&person, now)?;
        let row = person.second_factor.as_ref().ok_or_else(not_set_up)?;
        let Some(factor) = self.used(&person, &row.value, now)? else {
            note_failure(self.state, Some(&person), &self.origin, std::slice::from_ref(&self.key)).await?;
            return Err(Error::unauthenticated("wrong or used second factor"));
        };
        let provider = challenge.value.single_sign_on.as_ref();
        let demands = Demands::of(self.state, &person.access.value, provider).await?;
        let entry = Entry {
            person: &person,
            device_id: challenge.value.device_id.clone(),
            dpop_jkt: self.dpop_jkt.clone(),
            single_sign_on: challenge.value.single_sign_on.clone(),
            origin: &self.origin,
            auth_time: challenge.value.created_at,
            proven_at: Some(now),
            demands: &demands,
        };
        let (login, refresh) = entry.login(now)?;
        let change = store.change(audit(&person, &self.origin, "login.create", login.id.as_str()));
        let change = change
            .noted_in(&person.access.value)
            .finish_challenge(challenge)
            .put_second_factor(&self.token.user_id, Some(row), &factor)
            .forgive(std::slice::from_ref(&self.key));
        let change = match self.device {
            None => change,
            Some(token) => change.trust_device(&self.trusted_device(token, challenge, now)),
        };
        entry.enter(change, &login).commit().await?;
        LoginResult::tokens(&self.state.access_key, &refresh, (&login, &person.access.value), now)
    }

    /// The second factor as it is once what was given is used; `None` when that is wrong, or was used before.
    fn used(
        &self,
        person: &AtTheDoor,
        factor: &SecondFactor,
        now: Timestamp,
    ) -> mainsheet_core::Result<Option<SecondFactor>> {
        let totp = factor.totp.as_ref().ok_or_else(not_set_up)?;
        match self.given {
            Given::RecoveryCode(code) => Ok(factor.without_recovery_code(&recovery::sha256(code))),
            Given::Code(code) => {
                let authenticator = authenticator::open(self.state, &person.user.value, &totp.secret)?;
                let step = authenticator.step_of(code.expose_secret(), now).filter(|step| *step > totp.last_step);
                let used =
                    |last_step| SecondFactor { totp: Some(Totp { last_step, ..totp.clone() }), ..factor.clone() };
                Ok(step.map(used))
            }
        }
    }

    fn trusted_device(&self, token: &TrustedDeviceToken, challenge: &Row<Challenge>, now: Timestamp) -> TrustedDevice {
        TrustedDevice {
            id: token.device_id.clone(),
            user_id: self.token.user_id.clone(),
            secret_sha256: token.sha256(),
            device_id: challenge.value.device_id.clone(),
            created_at: now,
            epoch: challenge.value.epoch,
            expires_at: now + TRUSTED_DEVICE_VALID,
            remote_ip: self.origin.address.clone(),
            user_agent: self.origin.user_agent.clone(),
        }
    }
}

fn open_challenge(person: &AtTheDoor, now: Timestamp) -> mainsheet_core::Result<&Row<Challenge>> {
    let open = person.challenge.as_ref().filter(|row| row.value.is_open(&person.access.value, now));
    open.ok_or_else(over)
}

fn over() -> Error {
    Error::unauthenticated("the challenge was finished, or has expired")
}

fn not_set_up() -> Error {
    Error::conflict("mfa_not_set_up", "There is no second factor yet. Set one up with this challenge token first.")
}
