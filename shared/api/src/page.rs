//! Lists: what is asked for and how it is answered.

use garde::Validate;
use mainsheet_core::{Error, Result};
use mainsheet_store::{Page, PageRequest};
use serde::{Deserialize, Serialize};

/// Rows that page numbers may pass over; markers go on from there.
const MAX_SKIPPED: u32 = 10_000;
/// The last page that can begin within those that page numbers may pass over.
pub const MAX_PAGE: u32 = MAX_SKIPPED + 1;

fn default_limit() -> u32 {
    100
}

/// Which part of a list is wanted, by page number or by marker.
#[derive(Debug, Clone, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The most items in the answer. Fewer come where they are large: go on with `marker` while there is one.
    #[serde(default = "default_limit")]
    #[garde(range(max = 100))]
    #[param(minimum = 0, maximum = 100, default = 100)]
    pub limit: u32,
    /// The page, counted from 1. Pages that begin beyond item 10,000 are reached with `marker`.
    #[garde(inner(range(min = 1, max = MAX_PAGE)))]
    #[param(minimum = 1, maximum = 10_001, default = 1)]
    pub page: Option<u32>,
    /// Where the answer before ended; takes the place of `page`.
    #[garde(inner(length(bytes, max = 1024)))]
    #[param(max_length = 1024)]
    pub marker: Option<String>,
}

impl ListQuery {
    /// The part of the list.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a page number together with a marker; [`Error::Invalid`] for a page too far in.
    pub fn request(&self) -> Result<PageRequest> {
        if self.page.is_some() && self.marker.is_some() {
            return Err(Error::malformed("page_and_marker", "Give `page` or `marker`, not both."));
        }
        let skip = (self.page.unwrap_or(1) - 1).saturating_mul(self.limit);
        if skip > MAX_SKIPPED {
            return Err(Error::invalid("page", "begins beyond item 10,000; go on with `marker` instead"));
        }
        let is_numbered = self.page.is_some();
        Ok(PageRequest { limit: self.limit, skip, is_numbered, marker: self.marker.clone() })
    }
}

/// Which part of a short list is wanted, by page number alone.
#[derive(Debug, Clone, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The most items in the answer.
    #[serde(default = "default_limit")]
    #[garde(range(max = 100))]
    #[param(minimum = 0, maximum = 100, default = 100)]
    pub limit: u32,
    /// The page, counted from 1.
    #[garde(inner(range(min = 1, max = MAX_PAGE)))]
    #[param(minimum = 1, maximum = 10_001, default = 1)]
    pub page: Option<u32>,
}

impl PageQuery {
    /// The part of a list that is read from the table.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a page too far in.
    pub fn request(&self) -> Result<PageRequest> {
        let skip = (self.page.unwrap_or(1) - 1).saturating_mul(self.limit);
        if skip > MAX_SKIPPED {
            return Err(Error::invalid("page", "begins beyond item 10,000"));
        }
        Ok(PageRequest { limit: self.limit, skip, is_numbered: true, marker: None })
    }

    /// The wanted part of all items.
    pub fn cut<I: Iterator>(&self, items: I) -> impl Iterator<Item = I::Item> {
        let limit = self.limit as usize;
        items.skip((self.page.unwrap_or(1) as usize - 1).saturating_mul(limit)).take(limit)
    }
}

/// Which part of a list is wanted, by marker.
#[derive(Debug, Clone, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MarkerQuery {
    /// The most items in the answer.
    #[serde(default = "default_limit")]
    #[garde(range(max = 100))]
    #[param(minimum = 0, maximum = 100, default = 100)]
    pub limit: u32,
    /// Where the answer before ended.
    #[garde(inner(length(bytes, max = 1024)))]
    #[param(max_length = 1024)]
    pub marker: Option<String>,
}

impl MarkerQuery {
    /// The part of the list.
    #[must_use]
    pub fn request(&self) -> PageRequest {
        PageRequest { limit: self.limit, marker: self.marker.clone(), ..PageRequest::default() }
    }
}

/// The direction of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SortDirection {
    /// From the first to the last.
    #[default]
    Asc,
    /// From the last to the first.
    Desc,
}

/// The order that a list is wanted in; `S` is what it can be sorted by.
#[derive(Debug, Clone, Deserialize, Validate, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Order<S: utoipa::ToSchema> {
    /// What to sort by.
    #[serde(default)]
    #[garde(skip)]
    #[param(inline)]
    pub sort_by: S,
    /// In which direction.
    #[serde(default)]
    #[garde(skip)]
    #[param(inline)]
    pub sort_direction: SortDirection,
}

impl<S: utoipa::ToSchema> Order<S> {
    /// Whether it is from the last to the first.
    #[must_use]
    pub fn is_descending(&self) -> bool {
        self.sort_direction == SortDirection::Desc
    }
}

/// A part of a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageOf<T> {
    /// How many there are in all.
    pub total: u64,
    /// This part of them.
    pub items: Vec<T>,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

/// A part of a list that has markers and no total.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarkerPage<T> {
    /// This part of the list.
    pub items: Vec<T>,
    /// Where this part ended; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

impl<T> From<Page<T>> for MarkerPage<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.rows, marker: page.marker }
    }
}
