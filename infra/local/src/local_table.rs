//! What only the embedded platform keeps: queued messages, caught mails, how far it has come. A table of its own beside the
//! tenants', so that none of it is in their stream.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use mainsheet_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

const TABLE: &str = "mainsheet-local";

/// Values by list and key. Lists are in the order of their keys.
#[derive(Clone)]
pub(crate) struct LocalTable(Client);

#[allow(clippy::disallowed_methods, reason = "these rows are no tenant's: there is nobody to audit and no one to tell")]
impl LocalTable {
    /// Opens the table, and makes it the first time.
    pub(crate) async fn open(client: Client) -> Result<Self> {
        let attribute =
            |name| AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
        let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let request = client
            .create_table()
            .table_name(TABLE)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute("list").map_err(Error::internal)?)
            .attribute_definitions(attribute("key").map_err(Error::internal)?)
            .key_schema(key("list", KeyType::Hash).map_err(Error::internal)?)
            .key_schema(key("key", KeyType::Range).map_err(Error::internal)?);
        match request.send().await {
            Ok(_) => Ok(Self(client)),
            Err(error)
                if error.as_service_error().is_some_and(
                    aws_sdk_dynamodb::operation::create_table::CreateTableError::is_resource_in_use_exception,
                ) =>
            {
                Ok(Self(client))
            }
            Err(error) => Err(Error::unavailable(DisplayErrorContext(error))),
        }
    }

    pub(crate) async fn put<T: Serialize>(&self, list: &str, key: &str, value: &T) -> Result<()> {
        let text = serde_json::to_string(value).map_err(Error::internal)?;
        let request = self.0.put_item().table_name(TABLE).item("list", text_of(list)).item("key", text_of(key));
        let request = request.item("value", AttributeValue::S(text));
        request.send().await.map(|_| ()).map_err(|error| Error::unavailable(DisplayErrorContext(error)))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, list: &str, key: &str) -> Result<Option<T>> {
        let request = self.0.get_item().table_name(TABLE).key("list", text_of(list)).key("key", text_of(key));
        let answer = request.send().await.map_err(|error| Error::unavailable(DisplayErrorContext(error)))?;
        answer.item.as_ref().map(value_of).transpose()
    }

    pub(crate) async fn remove(&self, list: &str, key: &str) -> Result<()> {
        let request = self.0.delete_item().table_name(TABLE).key("list", text_of(list)).key("key", text_of(key));
        request.send().await.map(|_| ()).map_err(|error| Error::unavailable(DisplayErrorContext(error)))
    }

    /// All of a list.
    pub(crate) async fn all<T: DeserializeOwned>(&self, list: &str) -> Result<Vec<(String, T)>> {
        let mut values = Vec::new();
        let mut start = None;
        loop {
            let request = self.0.query().table_name(TABLE).set_exclusive_start_key(start);
            let request = request
                .key_condition_expression("#list = :list")
                .expression_attribute_names("#list", "list")
                .expression_attribute_values(":list", text_of(list));
            let answer = request.send().await.map_err(|error| Error::unavailable(DisplayErrorContext(error)))?;
            for item in answer.items() {
                let key = item.get("key").and_then(|key| key.as_s().ok()).cloned().unwrap_or_default();
                values.push((key, value_of(item)?));
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(values);
            }
        }
    }
}

fn text_of(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn value_of<T: DeserializeOwned>(item: &mainsheet_store::Item) -> Result<T> {
    let text = item.get("value").and_then(|value| value.as_s().ok()).map(String::as_str).unwrap_or_default();
    serde_json::from_str(text).map_err(Error::internal)
}
