//! Running hashes: one chain per author over the header and payload hash of every entry.
//!
//! The chain covers the payload's hash, not the payload, so that a payload can be erased later
//! and the chain still holds. The chain of an author starts from the workspace and the author's
//! id; every link therefore binds both without repeating them.

use std::fmt;

use crate::codec::put_varint;
use crate::id::{PeerId, WorkspaceId};

/// A BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0[..6]))
    }
}

/// What one link of a chain covers, beside the links before it. Of the payload it needs the hash
/// and the length only.
pub(crate) struct Link<D> {
    pub(crate) flags: u8,
    pub(crate) sequence: u64,
    pub(crate) timestamp_ms: u64,
    /// The components that rose since the author's previous entry, in the order of the ids.
    pub(crate) delta: D,
    pub(crate) delta_len: usize,
    pub(crate) kind: u16,
    pub(crate) payload_hash: Hash,
    pub(crate) payload_len: usize,
}

/// The hash by which a chain covers a payload.
pub(crate) fn payload_hash(payload: &[u8]) -> Hash {
    Hash(*blake3::hash(payload).as_bytes())
}

/// The chain of `author` before its first entry.
pub(crate) fn chain_start(workspace: WorkspaceId, author: PeerId) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("graphshell-sync 1 entry chain");
    hasher.update(workspace.0.as_bytes());
    hasher.update(author.0.as_bytes());
    Hash(*hasher.finalize().as_bytes())
}

/// What most links take before they are hashed, in bytes.
pub(crate) const LINK_BYTES: usize = 256;

/// The chain after one more entry. `scratch` is overwritten.
pub(crate) fn chain_next<D: Iterator<Item = (PeerId, u64)>>(
    previous: &Hash,
    link: Link<D>,
    scratch: &mut Vec<u8>,
) -> Hash {
    scratch.clear();
    scratch.extend_from_slice(&previous.0);
    scratch.extend_from_slice(&link.payload_hash.0);
    scratch.push(link.flags);
    put_varint(scratch, link.sequence);
    put_varint(scratch, link.timestamp_ms);
    put_varint(scratch, u64::from(link.kind));
    put_varint(scratch, link.payload_len as u64);
    put_varint(scratch, link.delta_len as u64);
    for (peer, sequence) in link.delta {
        scratch.extend_from_slice(peer.0.as_bytes());
        put_varint(scratch, sequence);
    }
    Hash(*blake3::hash(scratch).as_bytes())
}

#[cfg(test)]
mod tests;
