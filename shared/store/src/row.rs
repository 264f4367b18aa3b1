//! Entities as rows: the entity under `data`, its version beside it, and a few attributes that change without it.

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::{Error, Result, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Item, Key};

/// The entity itself.
pub(crate) const DATA: &str = "data";
/// Counts the entity's changes from 1; what an ETag shows.
pub(crate) const VERSION: &str = "version";
/// What kind of row it is.
pub(crate) const KIND: &str = "kind";
/// When DynamoDB may drop the row, in seconds since the Unix epoch.
pub(crate) const EXPIRES: &str = "expires";

/// Something that is kept as a row.
pub trait Entity: Serialize + DeserializeOwned + Send + Sync {
    /// The row's kind, as the stream's consumers see it.
    const KIND: &'static str;

    /// The entity's place in the orders that its partition is listed in besides the sort key's: attribute name and text.
    fn order(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// When the row is of no more use.
    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}

/// An entity as it was read.
#[derive(Debug, Clone)]
pub struct Row<T> {
    /// Where it is.
    pub key: Key,
    /// The entity.
    pub value: T,
    /// Its version when it was read.
    pub version: u64,
    attributes: Item,
}

impl<T: Entity> Row<T> {
    /// Reads a row.
    ///
    /// # Errors
    /// [`Error::Internal`] when the row is not of this kind: a defect, or another version of the software wrote it.
    pub(crate) fn of_item(mut item: Item) -> Result<Self> {
        let key = Key::of_item(&item).ok_or_else(|| Error::internal("a row without key"))?;
        let broken = |what: &dyn std::fmt::Display| Error::internal(format!("row {key:?} of kind {}: {what}", T::KIND));
        if item.get(KIND).and_then(|kind| kind.as_s().ok()).map(String::as_str) != Some(T::KIND) {
            return Err(broken(&"is of another kind"));
        }
        let data = item.remove(DATA).ok_or_else(|| broken(&"has no data"))?;
        let value = serde_dynamo::from_attribute_value(data).map_err(|error| broken(&error))?;
        let version = number(&item, VERSION).ok_or_else(|| broken(&"has no version"))?;
        Ok(Self { key, value, version, attributes: item })
    }

    /// A text beside the entity.
    #[must_use]
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_s().ok().map(String::as_str)
    }

    /// A number beside the entity; 0 when there is none.
    #[must_use]
    pub fn count(&self, attribute: &str) -> u64 {
        number(&self.attributes, attribute).unwrap_or_default()
    }

    /// Notes what was written beside the entity since it was read.
    pub(crate) fn note(&mut self, attribute: impl Into<String>, value: AttributeValue) {
        self.attributes.insert(attribute.into(), value);
    }

    /// What is beside the entity, keys and orders included.
    pub(crate) fn attributes(&self) -> &Item {
        &self.attributes
    }

    /// A structure beside the entity.
    pub(crate) fn part<P: DeserializeOwned>(&self, attribute: &str) -> Option<P> {
        serde_dynamo::from_attribute_value(self.attributes.get(attribute)?.clone()).ok()
    }
}

pub(crate) fn number(item: &Item, attribute: &str) -> Option<u64> {
    item.get(attribute)?.as_n().ok()?.parse().ok()
}

/// A value as an attribute.
pub(crate) fn attribute<T: Serialize>(value: &T) -> Result<AttributeValue> {
    serde_dynamo::to_attribute_value(value).map_err(Error::internal)
}

/// A new entity's row.
pub(crate) fn new_item<T: Entity>(key: &Key, value: &T) -> Result<Item> {
    let mut item = key.to_item();
    item.insert(KIND.to_owned(), AttributeValue::S(T::KIND.to_owned()));
    item.insert(VERSION.to_owned(), AttributeValue::N("1".to_owned()));
    item.insert(DATA.to_owned(), attribute(value)?);
    for (name, text) in value.order() {
        item.insert(name.to_owned(), AttributeValue::S(text));
    }
    if let Some(expires_at) = value.expires_at() {
        item.insert(EXPIRES.to_owned(), AttributeValue::N(expires_at.as_second().to_string()));
    }
    Ok(item)
}
