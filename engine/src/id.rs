//! Names of things: workspaces, devices, authors, nodes, entries.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A graph that is synced as one; sync is opt-in per workspace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkspaceId(pub Uuid);

/// A page in the graph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Uuid);

impl NodeId {
    /// The node that a legacy log calls `id`.
    ///
    /// A UUID in its usual form (hyphenated, lowercase) is that UUID. Any other text becomes a UUID
    /// of version 8 from its hash: the same on every device, and no two texts share one.
    pub fn from_legacy(id: &str) -> Self {
        let mut usual = Uuid::encode_buffer();
        match Uuid::try_parse(id) {
            Ok(uuid) if uuid.hyphenated().encode_lower(&mut usual) == id => NodeId(uuid),
            _ => {
                let hash = blake3::derive_key("graphshell-sync 1 legacy node id", id.as_bytes());
                NodeId(uuid8(&hash))
            }
        }
    }
}

/// An author of entries: one incarnation of one device.
///
/// A UUID of version 8 (RFC 9562) over a hash of the device's public key and a random incarnation,
/// so that it certifies itself and a device restored from a backup starts anew.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerId(pub Uuid);

impl PeerId {
    /// The author that entries without any have: those of a legacy log.
    pub const LOCAL_DEFAULT: PeerId = PeerId(Uuid::nil());

    /// The author that `device` is in its `incarnation`.
    pub fn derive(device: DeviceId, incarnation: Incarnation) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("graphshell-sync 1 peer id");
        hasher.update(&device.0);
        hasher.update(&incarnation.0);
        PeerId(uuid8(hasher.finalize().as_bytes()))
    }
}

/// The Ed25519 public key of a device; what a network dials and authenticates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub [u8; 32]);

/// Random bytes that tell the lives of one device apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub [u8; 16]);

impl Incarnation {
    /// Another one that nobody can guess who does not know this one.
    pub(crate) fn successor(self) -> Self {
        let hash = blake3::derive_key("graphshell-sync 1 next incarnation", &self.0);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Incarnation(bytes)
    }
}

/// One entry: the `sequence`-th that `peer` authored, from 1, without gaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot {
    /// The author.
    pub peer: PeerId,
    /// Its place among the author's entries, from 1.
    pub sequence: u64,
}

/// A UUID of version 8 whose free bits are the first bytes of `hash`.
pub(crate) fn uuid8(hash: &[u8; 32]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Uuid::from_bytes(bytes)
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.peer, self.sequence)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl std::str::FromStr for DeviceId {
    type Err = DeviceIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(DeviceId)
            .ok_or_else(|| DeviceIdError(text.chars().take(80).collect()))
    }
}

/// A text is no device id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no device id: expected 64 lowercase hexadecimal digits")]
pub struct DeviceIdError(String);

impl Serialize for DeviceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! display_as_uuid {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
display_as_uuid!(WorkspaceId, NodeId, PeerId);

macro_rules! debug_as_display {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
debug_as_display!(Dot, DeviceId);

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}
