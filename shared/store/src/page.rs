//! Pages of a partition, and the opaque markers between them.

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainsheet_core::{Error, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::key::{PK, SK};
use crate::read::failed;
use crate::schema::{BY_NAME, BY_TIME};
use crate::{Entity, Item, Row, Store};

/// The most rows in a page (contract, behaviour section 1).
pub(crate) const MAX_LIMIT: u32 = 100;
/// How long a marker can be used.
const MARKER_VALID_SECONDS: i64 = 86_400;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// Rows in the answer, 0 to [`MAX_LIMIT`].
    pub limit: u32,
    /// Rows to leave out first, a few thousand at most.
    pub skip: u32,
    /// Where the page before ended.
    pub marker: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// Where it ended; `None` at the end of the list.
    pub marker: Option<String>,
}

impl<T> Page<T> {
    /// The page with each row made into something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(change).collect(), marker: self.marker }
    }
}

/// A partition in one of its orders.
#[derive(Debug, Clone)]
pub struct Listing {
    pub(crate) partition: String,
    index: Option<&'static str>,
    descending: bool,
    prefix: Option<String>,
}

impl Listing {
    /// All rows of a partition by their sort key.
    pub(crate) fn of(partition: impl Into<String>) -> Self {
        Self { partition: partition.into(), index: None, descending: false, prefix: None }
    }

    /// Those alone whose place in this order begins with this.
    pub(crate) fn beginning_with(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// In the order of a local index.
    pub(crate) fn ordered_by(mut self, index: &'static str) -> Self {
        debug_assert!([BY_NAME, BY_TIME].contains(&index));
        self.index = Some(index);
        self
    }

    /// From the end to the beginning.
    pub(crate) fn descending(mut self, descending: bool) -> Self {
        self.descending = descending;
        self
    }

    /// What a marker of this list must have been made for.
    pub(crate) fn fingerprint(&self, position: &str, issued_at: i64) -> String {
        let Self { partition, index, descending, prefix } = self;
        let scope = format!("{partition}|{index:?}|{descending}|{prefix:?}|{position}|{issued_at}");
        URL_SAFE_NO_PAD.encode(&digest(&SHA256, scope.as_bytes()).as_ref()[..12])
    }
}

/// What a marker says. It grants nothing: the partition always comes from the caller.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    #[serde(rename = "v")]
    version: u8,
    #[serde(rename = "k")]
    position: Vec<String>,
    #[serde(rename = "t")]
    issued_at: i64,
    #[serde(rename = "f")]
    fingerprint: String,
}

impl Listing {
    pub(crate) fn marker(&self, last: &Item, now: Timestamp) -> Option<String> {
        let position: Vec<String> = [Some(SK), self.index]
            .into_iter()
            .flatten()
            .map(|name| last.get(name)?.as_s().ok().cloned())
            .collect::<Option<_>>()?;
        let issued_at = now.as_second();
        let fingerprint = self.fingerprint(&position.join("|"), issued_at);
        let marker = Marker { version: 1, position, issued_at, fingerprint };
        serde_json::to_vec(&marker).ok().map(|text| URL_SAFE_NO_PAD.encode(text))
    }

    pub(crate) fn start_of(&self, marker: &str, now: Timestamp) -> Result<Item> {
        self.read_marker(marker, now).ok_or_else(bad_marker)
    }

    fn read_marker(&self, marker: &str, now: Timestamp) -> Option<Item> {
        let marker: Marker = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(marker).ok()?).ok()?;
        let names: Vec<&str> = [Some(SK), self.index].into_iter().flatten().collect();
        let age = now.as_second().checked_sub(marker.issued_at)?;
        let genuine = marker.version == 1
            && marker.fingerprint == self.fingerprint(&marker.position.join("|"), marker.issued_at)
            && (-60..=MARKER_VALID_SECONDS).contains(&age)
            && marker.position.len() == names.len()
            && marker.position.iter().all(|value| !value.is_empty());
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let mut start = Item::from([(PK.to_owned(), text(&self.partition))]);
        start.extend(names.iter().zip(&marker.position).map(|(name, value)| ((*name).to_owned(), text(value))));
        genuine.then_some(start)
    }
}

pub(crate) fn bad_marker() -> Error {
    let message = "`marker` is not one that this list answered, or has expired; begin again without it.";
    Error::malformed("invalid_marker", message)
}

impl Store {
    /// One page of a list: one query, and one more for every megabyte that `skip` passes over.
    pub(crate) async fn page<T: Entity>(&self, listing: &Listing, request: &PageRequest) -> Result<Page<Row<T>>> {
        let page = self.page_of_items(listing, request).await?;
        let rows = page.rows.into_iter().map(Row::of_item).collect::<Result<_>>()?;
        Ok(Page { rows, marker: page.marker })
    }

    /// All of a list of small rows: one query for every megabyte.
    pub(crate) async fn whole<T: Entity>(&self, listing: &Listing) -> Result<Vec<Row<T>>> {
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let answer = self.query(listing).set_exclusive_start_key(start).send().await.map_err(failed)?;
            for item in answer.items.unwrap_or_default() {
                rows.push(Row::of_item(item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(rows);
            }
        }
    }

    /// One page of a list, as it stands in the table.
    pub(crate) async fn page_of_items(&self, listing: &Listing, request: &PageRequest) -> Result<Page<Item>> {
        let now = self.now();
        let mut start = request.marker.as_deref().map(|marker| listing.start_of(marker, now)).transpose()?;
        if request.limit == 0 {
            return Ok(Page { rows: Vec::new(), marker: None });
        }
        if request.skip > 0 {
            start = match self.skip(listing, start, request.skip).await? {
                Some(start) => Some(start),
                None => return Ok(Page { rows: Vec::new(), marker: None }),
            };
        }
        // One more than asked for tells whether there is a next page without a read of its own.
        let wanted = request.limit.min(MAX_LIMIT) as usize;
        let mut rows: Vec<Item> = Vec::with_capacity(wanted + 1);
        loop {
            let missing = i32::try_from(wanted + 1 - rows.len()).unwrap_or(i32::MAX);
            let query = self.query(listing).limit(missing).set_exclusive_start_key(start.take());
            let answer = query.send().await.map_err(failed)?;
            rows.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if rows.len() > wanted || start.is_none() {
                break;
            }
        }
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let marker = if more { rows.last().and_then(|last| listing.marker(last, now)) } else { None };
        Ok(Page { rows, marker })
    }

    /// One page of those rows of a list that `keep` keeps. The first query takes as many rows as the page needs if all of
    /// them are kept; further ones take a megabyte each, until the page is full or the list ends.
    pub(crate) async fn page_where<T: Entity>(
        &self,
        listing: &Listing,
        request: &PageRequest,
        keep: impl Fn(&Row<T>) -> bool,
    ) -> Result<Page<Row<T>>> {
        let now = self.now();
        let mut start = request.marker.as_deref().map(|marker| listing.start_of(marker, now)).transpose()?;
        if request.limit == 0 {
            return Ok(Page { rows: Vec::new(), marker: None });
        }
        let wanted = request.limit.min(MAX_LIMIT) as usize;
        let mut passed_over = request.skip;
        let mut limit = i32::try_from(wanted + 1).ok().filter(|_| request.skip == 0);
        let mut rows = Vec::with_capacity(wanted);
        loop {
            let query = self.query(listing).set_limit(limit.take()).set_exclusive_start_key(start.take());
            let answer = query.send().await.map_err(failed)?;
            for item in answer.items.unwrap_or_default() {
                let row = Row::of_item(item)?;
                if !keep(&row) {
                    continue;
                }
                if passed_over > 0 {
                    passed_over -= 1;
                } else if rows.len() < wanted {
                    rows.push(row);
                } else {
                    let marker = rows.last().and_then(|last: &Row<T>| listing.marker(last.attributes(), now));
                    return Ok(Page { rows, marker });
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(Page { rows, marker: None });
            }
        }
    }

    /// Where a list goes on after `count` rows; `None` when it ends before.
    async fn skip(&self, listing: &Listing, mut start: Option<Item>, count: u32) -> Result<Option<Item>> {
        let mut missing = i32::try_from(count).unwrap_or(i32::MAX);
        while missing > 0 {
            let query = self.query(listing).select(Select::Count).limit(missing).set_exclusive_start_key(start.take());
            let answer = query.send().await.map_err(failed)?;
            missing -= answer.count;
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(None);
            }
        }
        Ok(start)
    }

    /// All rows of a list that match: a query for every megabyte of the partition.
    pub(crate) async fn rows_where<T: Entity>(
        &self,
        listing: &Listing,
        matches: impl Fn(&T) -> bool,
    ) -> Result<Vec<Row<T>>> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let answer = self.query(listing).set_exclusive_start_key(start).send().await.map_err(failed)?;
            for item in answer.items.unwrap_or_default() {
                let row = Row::of_item(item)?;
                if matches(&row.value) {
                    found.push(row);
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    fn query(&self, listing: &Listing) -> QueryFluentBuilder {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .set_index_name(listing.index.map(str::to_owned))
            .scan_index_forward(!listing.descending)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", AttributeValue::S(listing.partition.clone()));
        match &listing.prefix {
            None => query,
            Some(prefix) => query
                .key_condition_expression("#pk = :pk AND begins_with(#place, :prefix)")
                .expression_attribute_names("#place", listing.index.unwrap_or(SK))
                .expression_attribute_values(":prefix", AttributeValue::S(prefix.clone())),
        }
    }
}
