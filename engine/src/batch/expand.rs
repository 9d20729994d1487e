//! The entries of a batch in full, with whole vectors.

use std::collections::BTreeMap;

use super::Batch;
use crate::entry::{FLAG_GENESIS, LogEntry, SyncedLogEntry};
use crate::id::{Dot, PeerId};
use crate::vector::VersionVector;

impl Batch {
    /// The entries, in order, as what they stand for.
    ///
    /// `vectors` says of each author all that its entry before the batch covered, itself included,
    /// and is kept up; an author that it does not know had seen nothing.
    pub fn expand(&self, vectors: &mut BTreeMap<PeerId, VersionVector>) -> Vec<SyncedLogEntry> {
        let mut all = Vec::with_capacity(self.len());
        self.expand_onto(vectors, |_| true, &mut all);
        all
    }

    /// Appends the entries that count; the others leave no trace.
    pub(crate) fn expand_onto(
        &self,
        vectors: &mut BTreeMap<PeerId, VersionVector>,
        counts: impl Fn(Dot) -> bool,
        out: &mut Vec<SyncedLogEntry>,
    ) {
        let peer = |row: u16| self.authors[usize::from(row)].peer;
        for entry in self.entries() {
            let author = peer(entry.author);
            if !counts(Dot { peer: author, sequence: entry.sequence }) {
                continue;
            }
            let vector = vectors.entry(author).or_default();
            vector.raise(author, entry.sequence - 1);
            for &(row, sequence) in entry.delta {
                vector.raise(peer(row), sequence);
            }
            out.push(SyncedLogEntry {
                entry: LogEntry::decode(entry.kind, entry.payload).to_owned(),
                timestamp_ms: entry.timestamp_ms,
                peer_id: author,
                sequence: entry.sequence,
                version_vector: vector.clone(),
                genesis: entry.flags & FLAG_GENESIS != 0,
            });
        }
    }
}
