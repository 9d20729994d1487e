//! Entries to a batch.

use std::collections::BTreeMap;

use super::{AuthorRow, Batch, EntryRef, Header};
use crate::hash::Hash;
use crate::id::{PeerId, WorkspaceId};
use crate::limits::{AUTHOR_ROW_BYTES, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES};

/// Collects entries, in causal order, until a bound is reached.
#[derive(Debug, Default)]
pub(crate) struct BatchBuilder {
    rows: Vec<BuildRow>,
    by_peer: BTreeMap<PeerId, u16>,
    headers: Vec<Header>,
    deltas: Vec<(u16, u64)>,
    payloads: Vec<u8>,
    bytes: usize,
}

#[derive(Debug)]
struct BuildRow {
    peer: PeerId,
    relied: u64,
    /// First and last sequence of the author's own entries here.
    own: Option<(u64, u64)>,
}

/// An entry to be added; authors are rows that [`BatchBuilder::row`] gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewEntry<'a> {
    pub(crate) author: u16,
    pub(crate) flags: u8,
    pub(crate) kind: u16,
    pub(crate) sequence: u64,
    pub(crate) timestamp_ms: u64,
    pub(crate) delta: &'a [(u16, u64)],
    pub(crate) payload: &'a [u8],
}

impl BatchBuilder {
    pub(crate) fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.headers.len()
    }

    /// Bytes that the batch takes at most when encoded now.
    pub(crate) fn bytes(&self) -> usize {
        64 + self.rows.len() * AUTHOR_ROW_BYTES + self.bytes
    }

    /// The row of `peer`. A row alone adds nothing to the batch.
    pub(crate) fn row(&mut self, peer: PeerId) -> u16 {
        let rows = &mut self.rows;
        *self.by_peer.entry(peer).or_insert_with(|| {
            rows.push(BuildRow { peer, relied: 0, own: None });
            (rows.len() - 1) as u16
        })
    }

    /// Whether `payload_len` more bytes with `delta_len` components surely fit, even if every
    /// author that the entry names is new here.
    pub(crate) fn fits(&self, delta_len: usize, payload_len: usize) -> bool {
        self.headers.len() < MAX_BATCH_ENTRIES
            && self.bytes()
                + entry_bytes(delta_len, payload_len)
                + (delta_len + 1) * AUTHOR_ROW_BYTES
                <= MAX_BATCH_BYTES
    }

    /// Adds an entry that [`fits`](Self::fits). Its author's previous entry must be in the batch
    /// or known to the receiver; so must all that its delta names.
    pub(crate) fn push(&mut self, entry: NewEntry<'_>) {
        debug_assert!(self.fits(entry.delta.len(), entry.payload.len()));
        let BuildRow { relied, own, .. } = &mut self.rows[usize::from(entry.author)];
        let (first, last) = own.map_or((entry.sequence, entry.sequence - 1), |range| range);
        assert_eq!(last + 1, entry.sequence, "an author's entries follow each other in a batch");
        debug_assert!(own.is_some() || *relied < first, "an entry comes before those that saw it");
        *own = Some((first, entry.sequence));
        let delta_start = self.deltas.len();
        for &(row, sequence) in entry.delta {
            let BuildRow { relied, own, .. } = &mut self.rows[usize::from(row)];
            debug_assert!(own.is_none_or(|(_, last)| sequence <= last), "causes come first");
            *relied = sequence.max(*relied);
            self.deltas.push((row, sequence));
        }
        let payload_start = self.payloads.len();
        self.payloads.extend_from_slice(entry.payload);
        self.headers.push(Header {
            author: entry.author,
            flags: entry.flags,
            kind: entry.kind,
            sequence: entry.sequence,
            timestamp_ms: entry.timestamp_ms,
            delta: delta_start as u32..self.deltas.len() as u32,
            payload: payload_start as u32..self.payloads.len() as u32,
        });
        self.bytes += entry_bytes(entry.delta.len(), entry.payload.len());
    }

    /// Adds an entry of another batch. `rows` caches, for the rows of `from`, those here.
    pub(crate) fn copy(&mut self, from: &Batch, entry: &EntryRef<'_>, rows: &mut Vec<Option<u16>>) {
        rows.resize(from.authors().len(), None);
        let mut map = |builder: &mut Self, row: u16| {
            let row = usize::from(row);
            *rows[row].get_or_insert_with(|| builder.row(from.authors()[row].peer))
        };
        let author = map(self, entry.author);
        let delta: smallvec::SmallVec<[(u16, u64); 8]> =
            entry.delta.iter().map(|&(row, sequence)| (map(self, row), sequence)).collect();
        self.push(NewEntry {
            author,
            flags: entry.flags,
            kind: entry.kind,
            sequence: entry.sequence,
            timestamp_ms: entry.timestamp_ms,
            delta: &delta,
            payload: entry.payload,
        });
    }

    /// The batch, or `None` if it has no entry. `hash_at` knows the running hash of every base.
    pub(crate) fn finish(
        self,
        workspace: WorkspaceId,
        hash_at: impl Fn(PeerId, u64) -> Hash,
    ) -> Option<Batch> {
        if self.headers.is_empty() {
            return None;
        }
        // Rows that no entry uses stay out; the others are renumbered in the order of the ids.
        let mut renumbered = vec![u16::MAX; self.rows.len()];
        let mut authors = Vec::with_capacity(self.rows.len());
        for &row in self.by_peer.values() {
            let BuildRow { peer, relied, own } = self.rows[usize::from(row)];
            let (base, count) = match own {
                Some((first, last)) => (first - 1, last + 1 - first),
                None if relied > 0 => (relied, 0),
                None => continue,
            };
            renumbered[usize::from(row)] = authors.len() as u16;
            authors.push(AuthorRow { peer, base, hash: hash_at(peer, base), count });
        }
        let mut batch = Batch {
            workspace,
            authors,
            headers: self.headers,
            deltas: self.deltas,
            payloads: self.payloads,
        };
        for (row, _) in &mut batch.deltas {
            *row = renumbered[usize::from(*row)];
        }
        for header in &mut batch.headers {
            header.author = renumbered[usize::from(header.author)];
            let delta = header.delta.start as usize..header.delta.end as usize;
            batch.deltas[delta].sort_unstable();
        }
        Some(batch)
    }
}

fn entry_bytes(delta_len: usize, payload_len: usize) -> usize {
    2 + 3 + 10 + 2 + delta_len * 11 + 3 + payload_len
}
