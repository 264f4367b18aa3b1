//! The listing on AWS Marketplace that what is made counts for.

use std::str::FromStr;

use mainsheet_core::Error;

/// How long one may be, in characters: with what the tag adds, as long as AWS lets tags be, which is 256.
const LONGEST: usize = 253;

/// The code that AWS Marketplace gave a listing, such as `5ugbbrmu7ud3u5hsipfzug61p`: 1 to 253 lower-case letters and digits. It is no
/// secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductCode(String);

impl FromStr for ProductCode {
    type Err = Error;

    /// # Errors
    /// [`Error::Internal`] for anything else, such as the listing's product id, which has hyphens: whoever deployed gave it.
    fn from_str(text: &str) -> Result<Self, Error> {
        let has_length = (1..=LONGEST).contains(&text.len());
        if has_length && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::internal(format!("{text:?} is no product code")))
        }
    }
}

impl ProductCode {
    /// What the tag [`PARTNER_TAG`](mainsheet_cloud::account::PARTNER_TAG) says of whatever counts for the listing.
    pub(crate) fn tag(&self) -> String {
        format!("pc:{}", self.0)
    }
}
