//! The listing on AWS Marketplace that what is made counts for.

use std::str::FromStr;

use mainsheet_core::Error;

/// The code that AWS Marketplace gave a listing, such as `5ugbbrmu7ud3u5hsipfzug61p`: lower-case letters and digits. It is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductCode(String);

impl FromStr for ProductCode {
    type Err = Error;

    /// # Errors
    /// [`Error::Internal`] for anything else, such as the listing's product id, which has hyphens: whoever deployed gave it.
    fn from_str(text: &str) -> Result<Self, Error> {
        let is_code = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if is_code { Ok(Self(text.to_owned())) } else { Err(Error::internal(format!("{text:?} is no product code"))) }
    }
}

impl ProductCode {
    /// What the tag [`PARTNER_TAG`](mainsheet_cloud::account::PARTNER_TAG) says of whatever counts for the listing.
    pub(crate) fn tag(&self) -> String {
        format!("pc:{}", self.0)
    }
}
