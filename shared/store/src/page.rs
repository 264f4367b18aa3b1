//! Pages of a partition, and the opaque markers between them.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use mainsheet_core::{ClusterId, Error, MemberId, Result, TeamId};

use crate::key::{PK, SK};
use crate::marker::bad_marker;
use crate::read::{MOST_ROWS, failed};
use crate::schema::{BY_NAME, BY_TIME};
use crate::{Entity, Item, Row, Store};

/// The most rows in a page (contract, behaviour section 1).
pub(crate) const MAX_LIMIT: u32 = 100;
/// The most bytes of rows in a page, unless its first row alone is larger: a function answers 6 MB at most, and what rows point at
/// comes along. Texts count as they stand in a function's answer.
pub(crate) const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// The most queries that the rows of a list are counted by.
const MOST_COUNTED: usize = 4;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// Rows in the answer, 0 to [`MAX_LIMIT`].
    pub limit: u32,
    /// Rows to leave out first, a few thousand at most.
    pub skip: u32,
    /// The part was named by its page number: it has all of its rows or none, because who asks for the next number would miss
    /// what was left out.
    pub is_numbered: bool,
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
    /// How many there are in all, where they were counted because none was to be shown.
    counted: Option<u64>,
}

impl<T> Page<T> {
    pub(crate) fn of(rows: Vec<T>, marker: Option<String>) -> Self {
        Self { rows, marker, counted: None }
    }

    /// No rows, of a list that has so many.
    fn of_none(counted: Option<u64>) -> Self {
        Self { rows: Vec::new(), marker: None, counted }
    }

    /// The page with each row made into something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(change).collect(), marker: self.marker, counted: self.counted }
    }

    /// The page with these rows in place of its own, each of which is of one of its own.
    pub(crate) fn with_rows<U>(self, rows: Vec<U>) -> Page<U> {
        Page { rows, marker: self.marker, counted: self.counted }
    }

    /// How many there are in all, where that is known: they were counted, or the list ends with this page, and its beginning was
    /// not left out by a marker.
    #[must_use]
    pub fn known_total(&self, request: &PageRequest) -> Option<u64> {
        if self.counted.is_some() {
            return self.counted;
        }
        let begins_before = request.marker.is_some() || (self.rows.is_empty() && request.skip > 0);
        let ends_here = request.limit > 0 && self.marker.is_none() && !begins_before;
        ends_here.then(|| u64::from(request.skip) + self.rows.len() as u64)
    }
}

/// What of an organization's rows a list keeps. A marker is good for that alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBy<'k> {
    /// What is shared with a team.
    Team(&'k TeamId),
    /// What runs on a cluster.
    Cluster(&'k ClusterId),
    /// What somebody reaches. Through which teams is left open: their seats may change between two pages.
    Member(&'k MemberId),
}

/// A partition in one of its orders.
#[derive(Debug, Clone)]
pub struct Listing {
    pub(crate) partition: String,
    index: Option<&'static str>,
    descending: bool,
    prefix: Option<String>,
    between: Option<(String, String)>,
    kept_by: Option<String>,
}

impl Listing {
    /// All rows of a partition by their sort key.
    pub(crate) fn of(partition: impl Into<String>) -> Self {
        let partition = partition.into();
        Self { partition, index: None, descending: false, prefix: None, between: None, kept_by: None }
    }

    /// Those alone whose place in this order begins with this.
    pub(crate) fn beginning_with(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Those alone whose place in the list's order is within these texts.
    pub(crate) fn between(mut self, first: String, last: String) -> Self {
        self.between = Some((first, last));
        self
    }

    /// Those alone that are kept by this when they are read.
    pub(crate) fn kept_by(mut self, kept_by: KeptBy<'_>) -> Self {
        self.kept_by = Some(format!("{kept_by:?}"));
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
    pub(crate) fn scope(&self) -> String {
        let Self { partition, index, descending, prefix, between, kept_by } = self;
        let kept_by = kept_by.as_ref().map(|kept_by| format!("|{kept_by}")).unwrap_or_default();
        format!("{partition}|{index:?}|{descending}|{prefix:?}|{between:?}{kept_by}")
    }

    /// The attributes that say where in the list a row is.
    fn order(&self) -> impl Iterator<Item = &'static str> {
        [Some(SK), self.index].into_iter().flatten()
    }
}

/// The rows that are left of a page's bytes.
pub(crate) struct Room(usize);

impl Room {
    pub(crate) fn of_a_page() -> Self {
        Self(MAX_PAGE_BYTES)
    }

    /// Whether a row has room after `before` others, as it stands in the table.
    pub(crate) fn takes_item(&mut self, item: &Item, before: usize) -> bool {
        self.takes(size_of_item(item), before)
    }

    /// Whether a row has room after `before` others, of which the first one always has.
    fn takes(&mut self, size: usize, before: usize) -> bool {
        let fits = before == 0 || size <= self.0;
        self.0 = self.0.saturating_sub(size);
        fits
    }
}

/// The bytes of a row in an answer, about.
fn size_of_item(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size_of(value)).sum()
}

fn size_of(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.bytes().map(escaped).sum(),
        AttributeValue::L(values) => values.iter().map(|value| 1 + size_of(value)).sum(),
        AttributeValue::M(values) => values.iter().map(|(name, value)| 1 + name.len() + size_of(value)).sum(),
        _ => 1,
    }
}

/// The bytes that a byte of a text becomes: a function answers JSON within a JSON text.
fn escaped(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' => 4,
        b'\n' | b'\r' | b'\t' => 3,
        0..0x20 => 7,
        _ => 1,
    }
}

fn too_large(request: &PageRequest) -> Result<()> {
    if request.is_numbered {
        let message = "comes to more than one answer holds; ask for fewer, or go on with `marker` in place of `page`";
        return Err(Error::invalid("limit", message));
    }
    Ok(())
}

impl Store {
    /// Where a list goes on after a row.
    pub(crate) async fn marker(&self, listing: &Listing, last: &Item) -> Result<String> {
        let text = |name: &str| last.get(name)?.as_s().ok().cloned();
        let position: Option<Vec<String>> = listing.order().map(text).collect();
        let position = position.ok_or_else(|| Error::internal("a row of a list without its place there"))?;
        self.seal_marker(&listing.scope(), position).await
    }

    /// The row after which a list goes on; `None` at its beginning.
    pub(crate) async fn start_of(&self, listing: &Listing, marker: Option<&str>) -> Result<Option<Item>> {
        let Some(marker) = marker else { return Ok(None) };
        let position = self.open_marker(&listing.scope(), marker).await?;
        if position.len() != listing.order().count() {
            return Err(bad_marker());
        }
        let mut start = Item::from([(PK.to_owned(), AttributeValue::S(listing.partition.clone()))]);
        start.extend(listing.order().map(str::to_owned).zip(position.into_iter().map(AttributeValue::S)));
        Ok(Some(start))
    }

    /// One page of a list: one query, and one more for every megabyte that `skip` passes over.
    pub(crate) async fn page<T: Entity>(&self, listing: &Listing, request: &PageRequest) -> Result<Page<Row<T>>> {
        let page = self.page_of_items(listing, request).await?;
        let rows = page.rows.into_iter().map(Row::of_item).collect::<Result<_>>()?;
        Ok(Page::of(rows, page.marker))
    }

    /// All of a list of small rows: one query for every megabyte.
    pub(crate) async fn whole<T: Entity>(&self, listing: &Listing) -> Result<Vec<Row<T>>> {
        self.rows_where(listing, |_| true).await
    }

    /// One page of a list, as it stands in the table.
    pub(crate) async fn page_of_items(&self, listing: &Listing, request: &PageRequest) -> Result<Page<Item>> {
        let mut start = self.start_of(listing, request.marker.as_deref()).await?;
        if request.limit == 0 {
            return Ok(Page::of_none(None));
        }
        if request.skip > 0 {
            start = match self.skip(listing, start, request.skip).await? {
                Some(start) => Some(start),
                None => return Ok(Page::of_none(None)),
            };
        }
        // One more than asked for tells whether there is a next page without a read of its own.
        let wanted = request.limit.min(MAX_LIMIT) as usize;
        let mut rows: Vec<Item> = Vec::with_capacity(wanted + 1);
        let mut room = Room::of_a_page();
        let is_cut = 'full: loop {
            let missing = i32::try_from(wanted + 1 - rows.len()).unwrap_or(i32::MAX);
            let query = self.query(listing).limit(missing).set_exclusive_start_key(start.take());
            let answer = query.send().await.map_err(failed)?;
            for item in answer.items.unwrap_or_default() {
                if rows.len() == wanted {
                    break 'full true;
                }
                if !room.takes(size_of_item(&item), rows.len()) {
                    too_large(request)?;
                    break 'full true;
                }
                rows.push(item);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break false;
            }
        };
        let marker = match rows.last() {
            Some(last) if is_cut => Some(self.marker(listing, last).await?),
            _ => None,
        };
        Ok(Page::of(rows, marker))
    }

    /// Where a page goes on that ends before its time after a row of its list.
    pub(crate) async fn cut_off(
        &self,
        listing: &Listing,
        request: &PageRequest,
        last: Option<&Item>,
    ) -> Result<Option<String>> {
        too_large(request)?;
        match last {
            Some(last) => Ok(Some(self.marker(listing, last).await?)),
            None => Ok(None),
        }
    }

    /// One page of those rows of a list that `keep` keeps. The first query takes as many rows as the page needs if it keeps `one_in`
    /// so many; further ones take a megabyte each, until the page is full or the list ends.
    pub(crate) async fn page_where<T: Entity>(
        &self,
        listing: &Listing,
        request: &PageRequest,
        one_in: u32,
        keep: impl Fn(&Row<T>) -> bool,
    ) -> Result<Page<Row<T>>> {
        let mut start = self.start_of(listing, request.marker.as_deref()).await?;
        if request.limit == 0 {
            return Ok(Page::of_none(self.count_where(listing, keep).await?));
        }
        let wanted = request.limit.min(MAX_LIMIT) as usize;
        let mut room = Room::of_a_page();
        let mut passed_over = request.skip;
        let needed = u64::from(one_in).saturating_mul(wanted as u64 + 1);
        let mut limit = i32::try_from(needed).map_or(MOST_ROWS, |needed| needed.min(MOST_ROWS));
        if request.skip > 0 {
            limit = MOST_ROWS;
        }
        let mut rows: Vec<Row<T>> = Vec::with_capacity(wanted);
        let is_cut = 'full: loop {
            let query = self.query(listing).limit(limit).set_exclusive_start_key(start.take());
            limit = MOST_ROWS;
            let answer = query.send().await.map_err(failed)?;
            for item in answer.items.unwrap_or_default() {
                let size = size_of_item(&item);
                let row = Row::of_item(item)?;
                if !keep(&row) {
                    continue;
                }
                if passed_over > 0 {
                    passed_over -= 1;
                    continue;
                }
                if rows.len() == wanted {
                    break 'full true;
                }
                if !room.takes(size, rows.len()) {
                    too_large(request)?;
                    break 'full true;
                }
                rows.push(row);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break false;
            }
        };
        let marker = match rows.last() {
            Some(last) if is_cut => Some(self.marker(listing, last.attributes()).await?),
            _ => None,
        };
        Ok(Page::of(rows, marker))
    }

    /// How many rows of a list `keep` keeps: a query for each megabyte. `None` of a list that takes more than [`MOST_COUNTED`].
    async fn count_where<T: Entity>(&self, listing: &Listing, keep: impl Fn(&Row<T>) -> bool) -> Result<Option<u64>> {
        let (mut count, mut start) = (0, None);
        for _ in 0..MOST_COUNTED {
            let query = self.query(listing).limit(MOST_ROWS).set_exclusive_start_key(start);
            let answer = query.send().await.map_err(failed)?;
            for item in answer.items.unwrap_or_default() {
                count += u64::from(keep(&Row::of_item(item)?));
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(Some(count));
            }
        }
        Ok(None)
    }

    /// A page up to where its rows weigh more than `most` together; its first row stays whatever it weighs.
    pub(crate) async fn cut<T: Entity>(
        &self,
        listing: &Listing,
        request: &PageRequest,
        mut page: Page<Row<T>>,
        most: usize,
        weight: impl Fn(&T) -> usize,
    ) -> Result<Page<Row<T>>> {
        let mut weighed = 0;
        let fitting = page.rows.iter().take_while(|row| {
            weighed += weight(&row.value);
            weighed <= most
        });
        let kept = fitting.count().max(1);
        if kept < page.rows.len() {
            too_large(request)?;
            page.rows.truncate(kept);
            if let Some(last) = page.rows.last() {
                page.marker = Some(self.marker(listing, last.attributes()).await?);
            }
        }
        Ok(page)
    }

    /// Where a list goes on after `count` rows; `None` when it ends before.
    async fn skip(&self, listing: &Listing, mut start: Option<Item>, count: u32) -> Result<Option<Item>> {
        let mut missing = i32::try_from(count).unwrap_or(i32::MAX);
        while missing > 0 {
            let query = self.query(listing).select(Select::Count).limit(missing.min(MOST_ROWS));
            let query = query.set_exclusive_start_key(start.take());
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
        self.each_item(listing, |item| {
            let row = Row::of_item(item)?;
            if matches(&row.value) {
                found.push(row);
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Goes through all of a list: a query for every megabyte.
    pub(crate) async fn each_item(&self, listing: &Listing, mut take: impl FnMut(Item) -> Result<()>) -> Result<()> {
        let mut start = None;
        loop {
            let query = self.query(listing).limit(MOST_ROWS).set_exclusive_start_key(start);
            let answer = query.send().await.map_err(failed)?;
            answer.items.unwrap_or_default().into_iter().try_for_each(&mut take)?;
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    pub(crate) fn query(&self, listing: &Listing) -> QueryFluentBuilder {
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
        let place = listing.index.unwrap_or(SK);
        match (&listing.prefix, &listing.between) {
            (None, None) => query,
            (Some(prefix), _) => query
                .key_condition_expression("#pk = :pk AND begins_with(#place, :prefix)")
                .expression_attribute_names("#place", place)
                .expression_attribute_values(":prefix", AttributeValue::S(prefix.clone())),
            (None, Some((first, last))) => query
                .key_condition_expression("#pk = :pk AND #place BETWEEN :first AND :last")
                .expression_attribute_names("#place", place)
                .expression_attribute_values(":first", AttributeValue::S(first.clone()))
                .expression_attribute_values(":last", AttributeValue::S(last.clone())),
        }
    }
}
