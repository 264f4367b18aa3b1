//! `GET /me/trusted-devices`: the devices that skip the second factor.

use axum::Json;
use axum::extract::State;
use mainsheet_api::{Account, App, Result};
use mainsheet_core::{Timestamp, TrustedDeviceId};
use mainsheet_store::second_factors::TrustedDevice as Record;
use serde::Serialize;
use utoipa::ToSchema;

/// Trusted devices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrustedDeviceList {
    items: Vec<TrustedDevice>,
}

/// A device that skips the second factor.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustedDevice {
    /// Its id.
    id: TrustedDeviceId,
    /// The client's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    /// Until when it is trusted.
    expires_at: Timestamp,
    /// Since when.
    created_at: Timestamp,
    /// The network address that it was trusted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_ip: Option<String>,
    /// The software that it was trusted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

impl From<Record> for TrustedDevice {
    fn from(device: Record) -> Self {
        Self {
            id: device.id,
            device_id: device.device_id,
            expires_at: device.expires_at,
            created_at: device.created_at,
            remote_ip: device.remote_ip,
            user_agent: device.user_agent,
        }
    }
}

/// List my trusted devices
///
/// Those that are trusted still, newest first, 100 at most.
#[utoipa::path(
    get, path = "/me/trusted-devices", operation_id = "listMyTrustedDevices", tag = "users",
    responses((status = 200, description = "The devices.", body = TrustedDeviceList)),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("self")))
)]
pub(crate) async fn list(State(app): State<App>, Account(person): Account) -> Result<Json<TrustedDeviceList>> {
    let now = app.now();
    let rows = app.store.trusted_devices(person.user_id()).await?.into_iter();
    let trusted = rows.filter(|row| row.value.is_trusted(&person.access.value, now));
    Ok(Json(TrustedDeviceList { items: trusted.map(|row| row.value.into()).collect() }))
}
