//! What things cost in a customer's account: an estimate from a table that is data, with its source and date.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// The table. Prices of one region stand for all; discounts, traffic and taxes are left out.
static TABLE: LazyLock<PriceTable> = LazyLock::new(|| {
    // A test reads it, so that a table that cannot be read is no table that is shipped.
    serde_json::from_str(include_str!("prices.json")).unwrap_or_default()
});

/// Prices, and where they are from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceTable {
    /// Where they were read.
    pub source: String,
    /// The region that they are of.
    pub region: String,
    /// The day on which they were read.
    pub as_of: String,
    /// Of what money they are.
    pub currency: String,
    micros_per_hour: BTreeMap<String, u64>,
}

/// Millionths of the table's money for an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HourlyPrice(pub u64);

impl PriceTable {
    /// The table that the platform estimates by.
    #[must_use]
    pub fn current() -> &'static Self {
        &TABLE
    }

    /// The price of a thing, such as `m7g.large` or `nat-gateway`; `None` for what the table does not have.
    #[must_use]
    pub fn of(&self, thing: &str) -> Option<HourlyPrice> {
        self.micros_per_hour.get(thing).copied().map(HourlyPrice)
    }
}

impl HourlyPrice {
    /// The price of so many.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// As a number of the table's money, to the millionth.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "exact up to nine billion an hour")]
    pub fn as_money(self) -> f64 {
        self.0 as f64 / 1_000_000.0
    }
}

impl std::iter::Sum for HourlyPrice {
    fn sum<I: Iterator<Item = Self>>(prices: I) -> Self {
        Self(prices.map(|price| price.0).fold(0, u64::saturating_add))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read_and_says_where_it_is_from() {
        let table: PriceTable = serde_json::from_str(include_str!("prices.json")).unwrap();
        assert!(table.source.starts_with("https://") && table.as_of.parse::<jiff::civil::Date>().is_ok());
        for thing in ["eks-cluster", "nat-gateway", "public-ipv4", "gp3-gigabyte", "m7g.large"] {
            assert!(table.of(thing).is_some_and(|price| price.0 > 0), "{thing}");
        }
        assert_eq!(table.of("m7g.large").unwrap().times(3).as_money(), 0.2448);
    }
}
