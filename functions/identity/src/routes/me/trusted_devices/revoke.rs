//! `DELETE /me/trusted-devices/{trustedDeviceId}`: a device has to give the second factor again.

use axum::extract::State;
use axum::http::StatusCode;
use mainsheet_api::{Account, App, Path, Result};
use mainsheet_core::{Error, TrustedDeviceId};

/// Trust a device no more
#[utoipa::path(
    delete, path = "/me/trusted-devices/{trustedDeviceId}", operation_id = "revokeMyTrustedDevice", tag = "users",
    params(("trustedDeviceId" = TrustedDeviceId, Path, description = "The device.")),
    responses((status = 204, description = "The device is trusted no more.")),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    Account(person): Account,
    Path(device_id): Path<TrustedDeviceId>,
) -> Result<StatusCode> {
    let row = app.store.trusted_device(person.user_id(), &device_id).await?;
    let row = row.filter(|row| row.value.is_trusted(&person.access.value, app.now())).ok_or(Error::NotFound)?;
    app.store.change(person.audit("trusted_device.revoke", &device_id)).distrust_device(&row).commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
