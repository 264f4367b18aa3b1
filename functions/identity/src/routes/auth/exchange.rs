//! `POST /auth/token/exchange`: tokens for a one-time code, from single sign-on or an accepted invitation.

use axum::Json;
use axum::extract::State;
use garde::Validate;
use mainsheet_api::{Body, DpopKey, RequestOrigin, Result};
use mainsheet_auth::one_time::OneTimeToken;
use mainsheet_core::Error;
use mainsheet_store::sign_in::Beside;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::IdentityState;
use crate::sign_in::{LoginResult, SignIn, Way, finish};
use crate::trusted::Shown;

/// A one-time code.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OneTimeCodeExchange {
    /// The code, good for 60 seconds and for once.
    #[garde(skip)]
    #[schema(value_type = String)]
    code: SecretString,
}

/// Exchange a one-time code for tokens
#[utoipa::path(
    post, path = "/auth/token/exchange", operation_id = "exchangeOneTimeCode", tag = "authentication",
    request_body = OneTimeCodeExchange,
    responses((status = 200, description = "Tokens, or the step that is missing.", body = LoginResult))
)]
pub(crate) async fn exchange(
    State(state): State<IdentityState>,
    RequestOrigin(origin): RequestOrigin,
    DpopKey(dpop_jkt): DpopKey,
    Shown(trusted_device): Shown,
    Body(body): Body<OneTimeCodeExchange>,
) -> Result<Json<LoginResult>> {
    let store = &state.app.store;
    let useless = || Error::unauthenticated("no such one-time code, or one that has expired or was traded");
    let row = store.exchange_code(&OneTimeToken::presented(body.code).sha256()).await?.ok_or_else(useless)?;
    let beside = Beside { trusted_device: trusted_device.as_ref().map(|token| &token.device_id), ..Beside::default() };
    let person = store.at_the_door(&row.value.user_id, beside).await?.person.ok_or_else(useless)?;
    if !row.value.is_valid(&person.access.value) {
        return Err(useless().into());
    }
    let way = Way::OneTimeCode(row.value.proven_by);
    let single_sign_on = row.value.single_sign_on.clone();
    let sign_in =
        SignIn { person, way, device_id: None, trusted_device, dpop_jkt, single_sign_on, origin, tries: Vec::new() };
    match finish(&state, sign_in, |change| change.trade_exchange_code(&row)).await {
        // It was traded at the same moment, and the other trade won.
        Err(Error::Conflict { .. }) => Err(useless().into()),
        result => Ok(Json(result?)),
    }
}
