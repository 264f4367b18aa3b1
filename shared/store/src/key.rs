//! Primary keys. The tenant is part of every partition key of a tenant's data.

use std::fmt::Display;

use aws_sdk_dynamodb::types::AttributeValue;
use mainsheet_core::UserId;

use crate::{Item, Tenant};

/// The partition key's attribute.
pub(crate) const PK: &str = "pk";
/// The sort key's attribute.
pub(crate) const SK: &str = "sk";

/// Where a row is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    /// In a partition of a tenant, as `O#<organization>#<partition>`.
    pub(crate) fn of_tenant(tenant: &Tenant, partition: impl Display, sk: impl Into<String>) -> Self {
        Self { pk: tenant_partition(tenant, partition), sk: sk.into() }
    }

    /// In the partition of a user, who may belong to several tenants or none.
    pub(crate) fn of_user(user: &UserId, sk: impl Into<String>) -> Self {
        Self { pk: format!("U#{user}"), sk: sk.into() }
    }

    /// Outside all tenants: what is looked up before a tenant is known.
    pub(crate) fn global(partition: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: partition.into(), sk: sk.into() }
    }

    pub(crate) fn to_item(&self) -> Item {
        Item::from([
            (PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (SK.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }

    pub(crate) fn of_item(item: &Item) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok().cloned();
        Some(Self { pk: text(PK)?, sk: text(SK)? })
    }
}

/// Which of so many shards a text belongs to, always the same.
pub(crate) fn shard_of(text: &str, shards: u8) -> u8 {
    text.bytes().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % shards
}

/// The name of a tenant's partition.
pub(crate) fn tenant_partition(tenant: &Tenant, partition: impl Display) -> String {
    format!("O#{}#{partition}", tenant.organization_id())
}
