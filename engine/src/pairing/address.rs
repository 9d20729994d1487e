//! Addresses of an endpoint as canonical bytes.
//!
//! ```text
//! addresses := count:varint address*                       ascending by their bytes
//! address   := 0 length:varint url | 1 ipv4:4 port:u16le | 2 ipv6:16 port:u16le
//! ```
//!
//! Left out is what another device cannot use: addresses of a host's own transports, unspecified
//! ones, and link-local ones of IPv6, which mean nothing without the name of an interface.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use iroh::{EndpointAddr, RelayUrl, TransportAddr};

use crate::codec::{DecodeError, Reader, put_varint};
use crate::limits::{MAX_PAIRING_ADDRESSES, MAX_RELAY_URL_BYTES};

const RELAY: u8 = 0;
const IPV4: u8 = 1;
const IPV6: u8 = 2;

/// The part of an address that can be told to others, at most [`MAX_PAIRING_ADDRESSES`] of it.
pub(super) fn tellable(address: &EndpointAddr) -> BTreeSet<TransportAddr> {
    let told = address.addrs.iter().filter_map(|address| match address {
        TransportAddr::Relay(url) => {
            (url.as_str().len() <= MAX_RELAY_URL_BYTES).then(|| address.clone())
        }
        TransportAddr::Ip(socket) => {
            let ip = socket.ip();
            let link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
            let usable = !ip.is_unspecified() && !link_local && socket.port() != 0;
            // Without the flow label and the scope of IPv6.
            usable.then(|| TransportAddr::Ip(SocketAddr::new(ip, socket.port())))
        }
        _ => None,
    });
    told.take(MAX_PAIRING_ADDRESSES).collect()
}

/// Appends what [`tellable`] gave.
pub(super) fn put(out: &mut Vec<u8>, addresses: &BTreeSet<TransportAddr>) {
    let mut all: Vec<Vec<u8>> = addresses.iter().filter_map(encode).collect();
    all.sort_unstable();
    put_varint(out, all.len() as u64);
    all.iter().for_each(|address| out.extend_from_slice(address));
}

fn encode(address: &TransportAddr) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match address {
        TransportAddr::Relay(url) => {
            out.push(RELAY);
            put_varint(&mut out, url.as_str().len() as u64);
            out.extend_from_slice(url.as_str().as_bytes());
        }
        TransportAddr::Ip(socket) => {
            match socket.ip() {
                IpAddr::V4(ip) => {
                    out.push(IPV4);
                    out.extend_from_slice(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    out.push(IPV6);
                    out.extend_from_slice(&ip.octets());
                }
            }
            out.extend_from_slice(&socket.port().to_le_bytes());
        }
        _ => return None,
    }
    Some(out)
}

/// Reads addresses.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<BTreeSet<TransportAddr>, DecodeError> {
    let count = reader.bounded(MAX_PAIRING_ADDRESSES, "a count of addresses, at most 16")?;
    let mut all = BTreeSet::new();
    let mut before: Option<&[u8]> = None;
    for _ in 0..count {
        let start = reader.clone();
        let address = match reader.u8("a kind of address: 0, 1 or 2")? {
            RELAY => TransportAddr::Relay(read_url(reader)?),
            IPV4 => {
                let ip = Ipv4Addr::from(reader.array::<4>("an IPv4 address")?);
                TransportAddr::Ip(SocketAddr::new(ip.into(), read_port(reader)?))
            }
            IPV6 => {
                let ip = Ipv6Addr::from(reader.array::<16>("an IPv6 address")?);
                TransportAddr::Ip(SocketAddr::new(ip.into(), read_port(reader)?))
            }
            _ => return Err(start.error("a kind of address: 0, 1 or 2")),
        };
        let bytes = reader.since(start.offset());
        if before.is_some_and(|before| before >= bytes) {
            return Err(start.error("addresses in ascending order"));
        }
        before = Some(bytes);
        all.insert(address);
    }
    Ok(all)
}

fn read_port(reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
    let start = reader.clone();
    match u16::from_le_bytes(reader.array("a port")?) {
        0 => Err(start.error("a port other than 0")),
        port => Ok(port),
    }
}

fn read_url(reader: &mut Reader<'_>) -> Result<RelayUrl, DecodeError> {
    const EXPECTED: &str = "a relay's address, an http or https URL in its usual form";
    let length = reader.bounded(MAX_RELAY_URL_BYTES, "the length of a relay's URL")?;
    let start = reader.clone();
    let text = std::str::from_utf8(reader.bytes(length, EXPECTED)?);
    let url = text.ok().and_then(|text| Some((text, text.parse::<RelayUrl>().ok()?)));
    let url = url.filter(|(text, url)| {
        url.as_str() == *text && matches!(url.scheme(), "http" | "https") && url.has_host()
    });
    url.map(|(_, url)| url).ok_or_else(|| start.error(EXPECTED))
}
