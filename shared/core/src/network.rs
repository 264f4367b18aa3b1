//! Networks that the platform makes in customers' accounts.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::operation::ResourceRef;
use crate::provisioning::{Provisioned, Provisioning};
use crate::region::Region;
use crate::{ConnectionId, NetworkId};

/// A network, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// The account that it is in.
    pub connection_id: ConnectionId,
    /// Its name, for people.
    pub name: String,
    /// Where it is.
    pub region: Region,
    /// What it is made of.
    pub config: NetworkConfig,
    /// The provider's own id of it (`vpc-...`), once there is one.
    pub provider_network_id: Option<String>,
    /// Where it stands.
    pub provisioning: Provisioning,
}

impl Provisioned for Network {
    fn reference(&self) -> ResourceRef {
        ResourceRef::Network(self.id.clone())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn connection_id(&self) -> &ConnectionId {
        &self.connection_id
    }

    fn network_id(&self) -> Option<&NetworkId> {
        None
    }

    fn provisioning(&self) -> &Provisioning {
        &self.provisioning
    }

    fn provisioning_mut(&mut self) -> &mut Provisioning {
        &mut self.provisioning
    }
}

/// What a network is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkConfig {
    /// Its addresses; they cannot be changed once it was provisioned.
    #[garde(skip)]
    pub cidr: NetworkCidr,
}

/// Addresses of a network: /16 to /20 in a private range (RFC 1918; contract, decisions, Infrastructure).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, max_length = 18, examples("10.0.0.0/16"))]
pub struct NetworkCidr(Ipv4Net);

/// Addresses that no network of ours can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCidr {
    /// It is not written as a block of addresses.
    #[error("must be a block of IPv4 addresses, as in `10.0.0.0/16`")]
    Malformed,
    /// Its address is not the block's first.
    #[error("must begin with the block's first address")]
    HostBits,
    /// Its size is none of those that are possible.
    #[error("must be from /16 to /20 in size")]
    Size,
    /// It is not private.
    #[error("must lie in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")]
    Public,
}

impl NetworkCidr {
    /// The block of addresses.
    #[must_use]
    pub fn block(self) -> Ipv4Net {
        self.0
    }
}

impl FromStr for NetworkCidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let block: Ipv4Net = text.parse().map_err(|_| InvalidCidr::Malformed)?;
        let private =
            [(Ipv4Addr::new(10, 0, 0, 0), 8), (Ipv4Addr::new(172, 16, 0, 0), 12), (Ipv4Addr::new(192, 168, 0, 0), 16)];
        let lies_in = |(first, length)| Ipv4Net::new(first, length).is_ok_and(|range| range.contains(&block));
        match () {
            () if block.addr() != block.network() => Err(InvalidCidr::HostBits),
            () if !(16..=20).contains(&block.prefix_len()) => Err(InvalidCidr::Size),
            () if !private.into_iter().any(lies_in) => Err(InvalidCidr::Public),
            () => Ok(Self(block)),
        }
    }
}

impl fmt::Display for NetworkCidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TryFrom<String> for NetworkCidr {
    type Error = InvalidCidr;

    fn try_from(text: String) -> Result<Self, InvalidCidr> {
        text.parse()
    }
}

impl From<NetworkCidr> for String {
    fn from(cidr: NetworkCidr) -> Self {
        cidr.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_private_and_of_a_possible_size() {
        for text in ["10.0.0.0/16", "10.255.240.0/20", "172.16.0.0/16", "172.31.240.0/20", "192.168.0.0/16"] {
            assert_eq!(text.parse::<NetworkCidr>().unwrap().to_string(), text);
        }
        for (text, refusal) in [
            ("", InvalidCidr::Malformed),
            ("10.0.0.0", InvalidCidr::Malformed),
            ("fd00::/16", InvalidCidr::Malformed),
            ("10.0.0.1/16", InvalidCidr::HostBits),
            ("10.0.0.0/15", InvalidCidr::Size),
            ("10.0.0.0/21", InvalidCidr::Size),
            ("11.0.0.0/16", InvalidCidr::Public),
            ("172.32.0.0/16", InvalidCidr::Public),
            ("192.169.0.0/16", InvalidCidr::Public),
        ] {
            assert_eq!(text.parse::<NetworkCidr>(), Err(refusal), "{text}");
        }
    }
}
