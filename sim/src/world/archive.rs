//! Every entry that any peer ever stored, in full: what a log that was cut tells no more.
//!
//! It is kept for the oracles alone, from what became durable somewhere, and only in runs whose
//! plan lets logs begin later than with their first record.

use std::collections::BTreeMap;

use graphshell_sync::wire::Frontier;
use graphshell_sync::{Batch, Dot, Hash, PeerId, SyncedLogEntry, VersionVector};

/// Entries by name and running hash, so that two contents of one name are two entries.
#[derive(Debug, Default)]
pub(crate) struct Archive(BTreeMap<(PeerId, u64, Hash), Stored>);

#[derive(Debug)]
struct Stored {
    entry: SyncedLogEntry,
    /// The author's running hash before it.
    before: Hash,
}

impl Archive {
    /// A batch became durable somewhere.
    pub(crate) fn add(&mut self, batch: &Batch) {
        let hashes = batch.running_hashes();
        let known = |&(dot, hash): &(Dot, Hash)| self.get(dot, hash).is_some();
        if hashes.iter().all(known) {
            return;
        }
        let mut vectors = BTreeMap::new();
        let mut before = BTreeMap::new();
        for row in batch.authors() {
            before.insert(row.peer, row.hash);
            let last = Dot { peer: row.peer, sequence: row.base };
            if let Some(stored) = self.get(last, row.hash) {
                let mut vector = stored.entry.version_vector.clone();
                vector.raise(row.peer, row.base);
                vectors.insert(row.peer, vector);
            }
        }
        for (entry, (dot, hash)) in batch.expand(&mut vectors).into_iter().zip(hashes) {
            let before = before.insert(dot.peer, hash).expect("every author has a row");
            self.0.insert((dot.peer, dot.sequence, hash), Stored { entry, before });
        }
    }

    fn get(&self, dot: Dot, hash: Hash) -> Option<&Stored> {
        self.0.get(&(dot.peer, dot.sequence, hash))
    }

    /// The history that a frontier stands for, causes before what relies on them.
    pub(crate) fn history(&self, frontier: &Frontier) -> Vec<SyncedLogEntry> {
        let mut history = Vec::new();
        for row in frontier.rows() {
            let mut hash = row.hash;
            for sequence in (1..=row.sequence).rev() {
                let Some(stored) = self.get(Dot { peer: row.peer, sequence }, hash) else { break };
                history.push(stored.entry.clone());
                hash = stored.before;
            }
        }
        // Whoever saw an entry covers more than the entry did.
        let covered = |vector: &VersionVector| vector.iter().map(|(_, last)| last).sum::<u64>();
        history.sort_by_cached_key(|entry| (covered(&entry.version_vector), entry.dot()));
        history
    }
}
