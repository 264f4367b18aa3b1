//! The table's definition, as the embedded platform and the tests create it. `template.yaml` says the same for AWS; a test
//! compares the two.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, LocalSecondaryIndex, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType,
};
use mainsheet_core::{Error, Result};

use crate::key::{PK, SK};

/// Orders a partition by name or key.
pub const BY_NAME: &str = "by_name";
/// Orders a partition by a time.
pub const BY_TIME: &str = "by_time";
/// What is due, by shard and moment.
pub const DUE: &str = "due";
/// The shard of what is due.
pub const DUE_SHARD: &str = "due_shard";
/// The moment at which it is due, as RFC 3339 text.
pub const DUE_AT: &str = "due_at";

/// Every attribute that a key uses.
pub const KEY_ATTRIBUTES: [&str; 6] = [PK, SK, BY_NAME, BY_TIME, DUE_SHARD, DUE_AT];

/// Creates the table unless it exists.
///
/// # Errors
/// [`Error::Unavailable`] when the table's server refuses or does not answer.
pub async fn create_table(client: &Client, table: &str) -> Result<()> {
    let result = definition(client.create_table().table_name(table))?.send().await;
    match result {
        Ok(_) => Ok(()),
        Err(error)
            if error.as_service_error().is_some_and(
                aws_sdk_dynamodb::operation::create_table::CreateTableError::is_resource_in_use_exception,
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(Error::unavailable(DisplayErrorContext(error))),
    }
}

fn definition(mut request: CreateTableFluentBuilder) -> Result<CreateTableFluentBuilder> {
    for name in KEY_ATTRIBUTES {
        let text = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        request = request.attribute_definitions(text.build().map_err(Error::internal)?);
    }
    for element in key_schema(PK, SK)? {
        request = request.key_schema(element);
    }
    for index in [BY_NAME, BY_TIME] {
        let local = LocalSecondaryIndex::builder().index_name(index).set_key_schema(Some(key_schema(PK, index)?));
        request = request.local_secondary_indexes(local.projection(everything()).build().map_err(Error::internal)?);
    }
    let due = GlobalSecondaryIndex::builder().index_name(DUE).set_key_schema(Some(key_schema(DUE_SHARD, DUE_AT)?));
    let keys = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
    let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewImage);
    Ok(request
        .global_secondary_indexes(due.projection(keys).build().map_err(Error::internal)?)
        .stream_specification(stream.build().map_err(Error::internal)?)
        .billing_mode(BillingMode::PayPerRequest))
}

fn key_schema(partition: &str, sort: &str) -> Result<Vec<KeySchemaElement>> {
    let element = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    [element(partition, KeyType::Hash), element(sort, KeyType::Range)]
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(Error::internal)
}

fn everything() -> Projection {
    Projection::builder().projection_type(ProjectionType::All).build()
}
