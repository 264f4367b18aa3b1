//! Regions of cloud providers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A region of AWS, such as `us-east-1` or `us-gov-west-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(as = RegionCode, value_type = String, min_length = 1, max_length = 64, examples("us-east-1"))]
pub struct Region(String);

/// A text that is no region of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no AWS region, such as `us-east-1`")]
pub struct InvalidRegion;

impl Region {
    /// As AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Region {
    /// Where new connections are unless they say otherwise.
    fn default() -> Self {
        Self("us-east-1".to_owned())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    fn from_str(text: &str) -> Result<Self, InvalidRegion> {
        if is_aws_region(text) { Ok(Self(text.to_owned())) } else { Err(InvalidRegion) }
    }
}

impl TryFrom<String> for Region {
    type Error = InvalidRegion;

    fn try_from(text: String) -> Result<Self, InvalidRegion> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

/// `us-east-1`, `us-gov-west-1` and their kind.
pub(crate) fn is_aws_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [area, words @ .., number] = &parts[..] else { return false };
    let word = |part: &str| !part.is_empty() && part.bytes().all(|letter| letter.is_ascii_lowercase());
    text.len() <= 64
        && area.len() == 2
        && word(area)
        && !words.is_empty()
        && words.iter().all(|part| word(part))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|digit| digit.is_ascii_digit())
}
