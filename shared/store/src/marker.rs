//! The opaque markers between the pages of a list. They grant nothing, because the partition always comes from the caller; they are
//! sealed so that a list is only ever entered where it was left.

use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainsheet_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::{Entity, Key, Row, Store};

/// How long a marker can be used.
const VALID_SECONDS: i64 = 86_400;
/// How far the clocks of two functions may be apart.
const SKEW_SECONDS: i64 = 60;

/// What a marker says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    #[serde(rename = "v")]
    version: u8,
    #[serde(rename = "k")]
    position: Vec<String>,
    #[serde(rename = "t")]
    issued_at: i64,
    #[serde(rename = "m")]
    mac: String,
}

/// What markers are sealed with: made once, by whoever needs it first. Without the row, markers that are under way end.
#[derive(Serialize, Deserialize)]
struct MarkerSecret {
    hex: String,
}

impl Entity for MarkerSecret {
    const KIND: &'static str = "marker_secret";
}

fn secret_key() -> Key {
    Key::global("MARKERS", "SECRET")
}

pub(crate) fn bad_marker() -> Error {
    let message = "`marker` is not one that this list answered, or has expired; begin again without it.";
    Error::malformed("invalid_marker", message)
}

/// All that a marker's seal is over.
fn sealed(scope: &str, position: &[String], issued_at: i64) -> Result<Vec<u8>> {
    serde_json::to_vec(&(scope, position, issued_at)).map_err(Error::internal)
}

impl Store {
    /// Reads what requests need beside their own rows, so that the first one does not wait for it.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn warm(&self) -> Result<()> {
        self.marker_key().await.map(drop)
    }

    /// A marker of a position in the list that `scope` describes.
    pub(crate) async fn seal_marker(&self, scope: &str, position: Vec<String>) -> Result<String> {
        let issued_at = self.now().as_second();
        let mac = hmac::sign(self.marker_key().await?, &sealed(scope, &position, issued_at)?);
        let marker = Marker { version: 2, position, issued_at, mac: URL_SAFE_NO_PAD.encode(&mac.as_ref()[..16]) };
        Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&marker).map_err(Error::internal)?))
    }

    /// The position that a marker of this list names.
    pub(crate) async fn open_marker(&self, scope: &str, marker: &str) -> Result<Vec<String>> {
        let read = || {
            let marker: Marker = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(marker).ok()?).ok()?;
            let age = self.now().as_second().checked_sub(marker.issued_at)?;
            let is_fresh = marker.version == 2 && (-SKEW_SECONDS..=VALID_SECONDS).contains(&age);
            is_fresh.then_some(marker)
        };
        let marker = read().ok_or_else(bad_marker)?;
        let expected = hmac::sign(self.marker_key().await?, &sealed(scope, &marker.position, marker.issued_at)?);
        let given = URL_SAFE_NO_PAD.decode(&marker.mac).map_err(|_| bad_marker())?;
        let is_genuine = aws_lc_rs::constant_time::verify_slices_are_equal(&expected.as_ref()[..16], &given).is_ok();
        if is_genuine { Ok(marker.position) } else { Err(bad_marker()) }
    }

    async fn marker_key(&self) -> Result<&hmac::Key> {
        // Boxed: every list's future holds this one, and needs it once.
        self.marker_key.get_or_try_init(|| Box::pin(self.load_marker_key())).await
    }

    async fn load_marker_key(&self) -> Result<hmac::Key> {
        let known: Option<Row<MarkerSecret>> = self.get(&secret_key()).await?;
        let secret = match known {
            Some(row) => row.value,
            None => self.make_marker_secret().await?,
        };
        let bytes = hex::decode(secret.hex).map_err(Error::internal)?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    }

    async fn make_marker_secret(&self) -> Result<MarkerSecret> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(Error::internal)?;
        let secret = MarkerSecret { hex: hex::encode(bytes) };
        let taken = Error::conflict("marker_secret_made", "It was made at the same moment.");
        match self.telemetry().create(&secret_key(), &secret, taken).commit().await {
            Ok(()) => Ok(secret),
            Err(Error::Conflict { .. }) => {
                let row: Option<Row<MarkerSecret>> = self.get(&secret_key()).await?;
                Ok(row.ok_or_else(|| Error::internal("the secret of markers is gone"))?.value)
            }
            Err(error) => Err(error),
        }
    }
}
