//! Which addresses are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn net4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn net6(first: u16, second: u16, third: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), length)
}

/// What is not public of IPv4 (IANA, IPv4 Special-Purpose Address Registry).
const CLOSED_4: [Ipv4Net; 17] = [
    net4(0, 0, 0, 0, 8),        // this network
    net4(10, 0, 0, 0, 8),       // private
    net4(100, 64, 0, 0, 10),    // carriers' NAT; metadata of some clouds
    net4(127, 0, 0, 0, 8),      // loopback
    net4(168, 63, 129, 16, 32), // a cloud's platform services, in the midst of public addresses
    net4(169, 254, 0, 0, 16),   // link-local; metadata of most clouds
    net4(172, 16, 0, 0, 12),    // private
    net4(192, 0, 0, 0, 24),     // protocol assignments; metadata of some clouds
    net4(192, 0, 2, 0, 24),     // documentation
    net4(192, 31, 196, 0, 24),  // AS112
    net4(192, 52, 193, 0, 24),  // AMT
    net4(192, 88, 99, 0, 24),   // 6to4 relays
    net4(192, 168, 0, 0, 16),   // private
    net4(198, 18, 0, 0, 15),    // benchmarking
    net4(198, 51, 100, 0, 24),  // documentation
    net4(203, 0, 113, 0, 24),   // documentation
    net4(224, 0, 0, 0, 3),      // multicast, reserved, broadcast
];

/// The only part of IPv6 that is given out (RFC 4291, section 2.4). Outside are loopback, mapped and compatible IPv4, NAT64,
/// unique local, link-local and multicast addresses.
const GLOBAL_UNICAST: Ipv6Net = net6(0x2000, 0, 0, 3);

/// What is not public of it (IANA, IPv6 Special-Purpose Address Registry).
const CLOSED_6: [Ipv6Net; 5] = [
    net6(0x2001, 0, 0, 23),           // protocol assignments: Teredo, benchmarking, ORCHID
    net6(0x2001, 0x0db8, 0, 32),      // documentation
    net6(0x2002, 0, 0, 16),           // 6to4
    net6(0x2620, 0x004f, 0x8000, 48), // AS112
    net6(0x3fff, 0, 0, 20),           // documentation
];

/// Whether anybody on the internet can have this address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !CLOSED_4.iter().any(|closed| closed.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_UNICAST.contains(&address) && !CLOSED_6.iter().any(|closed| closed.contains(&address))
        }
    }
}

/// Whether it is this machine.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback()
}
