//! A batch: the unit of transfer, durability and visibility.
//!
//! A [`Batch`] that exists is well formed: its bounds hold, its author table is sorted, each
//! author's entries follow each other without a gap, and every entry comes after all that it
//! saw, given what the table says the receiver must have already (the *bases*). So a receiver
//! that covers every base can apply the whole batch in order, and no part of it otherwise.
//!
//! ```text
//! batch   := version:u8 workspace:16 rows authors entries
//! authors := count (peer:16 base:varint hash:32)*          ascending by peer
//! entries := count (author kind<<1|genesis time delta-count (author sequence)* length payload)*
//! ```
//! All numbers are shortest LEB128; `author` is a row of the table, `time` the zigzag difference
//! to the entry before. `hash` is the author's running hash at `base`: for an author with entries
//! in the batch that is the sequence before its first one, else the highest that is relied on.
//! Nobody else stands in the table.

mod build;
mod decode;
mod expand;

use std::ops::Range;

use crate::codec::{put_varint, zigzag};
use crate::core::disguise::Disguise;
use crate::hash::{Hash, LINK_BYTES, Link, chain_next, payload_hash};
use crate::id::{Dot, PeerId, WorkspaceId};

pub(crate) use build::{BatchBuilder, NewEntry};
pub use decode::BatchError;

/// The version of the batch format that this engine writes.
pub const BATCH_VERSION: u8 = 1;

/// Well-formed entries in causal order, with what a receiver must have before them.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    workspace: WorkspaceId,
    authors: Vec<AuthorRow>,
    headers: Vec<Header>,
    deltas: Vec<(u16, u64)>,
    payloads: Vec<u8>,
}

/// An author of a batch: one that it has entries of, or relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorRow {
    /// The author.
    pub peer: PeerId,
    /// The sequence up to which the receiver must have this author's entries.
    pub base: u64,
    /// The author's running hash at `base`.
    pub hash: Hash,
    /// How many entries of the author the batch holds: `base + 1 ..= base + count`.
    pub count: u64,
}

impl AuthorRow {
    /// The last sequence of this author that is known after the batch.
    pub fn last(&self) -> u64 {
        self.base + self.count
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Header {
    author: u16,
    flags: u8,
    kind: u16,
    sequence: u64,
    timestamp_ms: u64,
    delta: Range<u32>,
    payload: Range<u32>,
}

/// One entry of a batch, read in place. Authors are rows of the batch's table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryRef<'a> {
    pub(crate) author: u16,
    pub(crate) flags: u8,
    pub(crate) kind: u16,
    pub(crate) sequence: u64,
    pub(crate) timestamp_ms: u64,
    /// The vector's components that rose since the author's previous entry; own one left out.
    pub(crate) delta: &'a [(u16, u64)],
    pub(crate) payload: &'a [u8],
}

impl Batch {
    /// The workspace that the entries belong to.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The authors that the batch has entries of or relies on, ascending.
    pub fn authors(&self) -> &[AuthorRow] {
        &self.authors
    }

    /// How many entries it holds; at least one.
    pub fn len(&self) -> usize {
        self.headers.len()
    }

    /// Never true of a batch that exists.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>()
            + self.authors.len() * size_of::<AuthorRow>()
            + self.headers.len() * size_of::<Header>()
            + self.deltas.len() * size_of::<(u16, u64)>()
            + self.payloads.len()
    }

    /// The names of the entries, in order.
    pub fn dots(&self) -> impl Iterator<Item = Dot> + '_ {
        self.headers.iter().map(|header| Dot {
            peer: self.authors[usize::from(header.author)].peer,
            sequence: header.sequence,
        })
    }

    /// The names of the entries with their author's running hash after each, in order, on top of
    /// the hashes that the table states. Two equal pairs mean equal histories of that author.
    pub fn running_hashes(&self) -> Vec<(Dot, Hash)> {
        let mut chains: Vec<Hash> = self.authors.iter().map(|row| row.hash).collect();
        let mut scratch = Vec::with_capacity(LINK_BYTES);
        let links = self.dots().zip(self.entries());
        links
            .map(|(dot, entry)| {
                let chain = &mut chains[usize::from(entry.author)];
                *chain = self.chain(chain, &entry, &mut scratch);
                (dot, *chain)
            })
            .collect()
    }

    /// Kind and payload of each entry, in order; for [`LogEntry::decode`](crate::LogEntry::decode).
    pub fn payloads(&self) -> impl ExactSizeIterator<Item = (u16, &[u8])> + '_ {
        self.entries().map(|entry| (entry.kind, entry.payload))
    }

    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = EntryRef<'_>> + '_ {
        (0..self.headers.len()).map(|place| self.entry(place))
    }

    /// The entry at a place, from 0.
    pub(crate) fn entry(&self, place: usize) -> EntryRef<'_> {
        let header = &self.headers[place];
        EntryRef {
            author: header.author,
            flags: header.flags,
            kind: header.kind,
            sequence: header.sequence,
            timestamp_ms: header.timestamp_ms,
            delta: &self.deltas[header.delta.start as usize..header.delta.end as usize],
            payload: &self.payloads[header.payload.start as usize..header.payload.end as usize],
        }
    }

    /// The author's running hash after `entry`, given the one before it.
    pub(crate) fn chain(
        &self,
        previous: &Hash,
        entry: &EntryRef<'_>,
        scratch: &mut Vec<u8>,
    ) -> Hash {
        let link = Link {
            flags: entry.flags,
            sequence: entry.sequence,
            timestamp_ms: entry.timestamp_ms,
            delta: entry
                .delta
                .iter()
                .map(|&(author, sequence)| (self.authors[usize::from(author)].peer, sequence)),
            delta_len: entry.delta.len(),
            kind: entry.kind,
            payload_hash: payload_hash(entry.payload),
            payload_len: entry.payload.len(),
        };
        chain_next(previous, link, scratch)
    }

    /// Puts on a disguise, which keeps all lengths.
    pub(crate) fn disguise(&mut self, by: &mut dyn Disguise) {
        for row in self.authors.iter_mut().filter(|row| row.base > 0) {
            row.hash = by.hash(row.hash);
        }
        for Header { kind, payload, .. } in &self.headers {
            let payload = payload.start as usize..payload.end as usize;
            by.payload(*kind, &mut self.payloads[payload]);
        }
    }

    /// The batch as bytes; see the module for the format.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_onto(&mut out);
        out
    }

    /// Appends [`encode`](Self::encode) to `out`.
    pub(crate) fn encode_onto(&self, out: &mut Vec<u8>) {
        out.reserve(self.payloads.len() + self.headers.len() * 8 + self.authors.len() * 52 + 64);
        out.push(BATCH_VERSION);
        out.extend_from_slice(self.workspace.0.as_bytes());
        put_varint(out, self.authors.len() as u64);
        for row in &self.authors {
            out.extend_from_slice(row.peer.0.as_bytes());
            put_varint(out, row.base);
            out.extend_from_slice(&row.hash.0);
        }
        put_varint(out, self.headers.len() as u64);
        let mut time = 0u64;
        for entry in self.entries() {
            put_varint(out, u64::from(entry.author));
            put_varint(out, u64::from(entry.kind) << 1 | u64::from(entry.flags));
            put_varint(out, zigzag(entry.timestamp_ms.wrapping_sub(time) as i64));
            time = entry.timestamp_ms;
            put_varint(out, entry.delta.len() as u64);
            for &(author, sequence) in entry.delta {
                put_varint(out, u64::from(author));
                put_varint(out, sequence);
            }
            put_varint(out, entry.payload.len() as u64);
            out.extend_from_slice(entry.payload);
        }
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = self.authors.iter().map(|row| (row.peer, row.base..=row.last()));
        f.debug_map().entries(rows).finish()
    }
}

#[cfg(test)]
mod tests;
