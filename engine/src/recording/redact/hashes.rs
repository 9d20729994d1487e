//! Running hashes of entries whose payloads were replaced.
//!
//! Where an entry stands in the recording, its new hash has to be what the engine works out from
//! the new payload and the new hash before; all others are no more than names, and become other random ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::Batch;
use crate::hash::Hash;

/// Old running hashes and the new ones in their place.
pub(super) struct Hashes {
    key: [u8; 32],
    /// For the hash after an entry: the entry, in a batch with new payloads and old hashes.
    links: BTreeMap<Hash, Link>,
    new: BTreeMap<Hash, Hash>,
}

struct Link {
    /// The hash before the entry; `None` if it is the author's first.
    before: Hash,
    first: bool,
    batch: Arc<Batch>,
    place: usize,
}

impl Hashes {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Hashes { key, links: BTreeMap::new(), new: BTreeMap::new() }
    }

    /// Learns the entries of a batch; `redacted` is the same one with new payloads. To be called
    /// for every batch of a recording before the first hash is asked for.
    pub(super) fn learn(&mut self, batch: &Batch, redacted: &Arc<Batch>) {
        let mut before: Vec<Hash> = batch.authors().iter().map(|row| row.hash).collect();
        let hashes = batch.running_hashes();
        for (place, (entry, (dot, after))) in batch.entries().zip(hashes).enumerate() {
            let chain = &mut before[usize::from(entry.author)];
            let link = Link {
                before: *chain,
                first: dot.sequence == 1,
                batch: Arc::clone(redacted),
                place,
            };
            self.links.entry(after).or_insert(link);
            *chain = after;
        }
    }

    /// The hash in the place of `old`.
    pub(super) fn of(&mut self, old: Hash) -> Hash {
        // Chains may be long: first back to what is known, then forth again.
        let mut line = Vec::new();
        let mut at = old;
        let mut hash = loop {
            if let Some(&known) = self.new.get(&at) {
                break known;
            }
            let Some(link) = self.links.get(&at) else {
                let other = Hash(*blake3::keyed_hash(&self.key, &at.0).as_bytes());
                self.new.insert(at, other);
                break other;
            };
            line.push(at);
            if link.first {
                break link.before;
            }
            at = link.before;
        };
        let mut scratch = Vec::new();
        while let Some(at) = line.pop() {
            let link = &self.links[&at];
            hash = link.batch.chain(&hash, &link.batch.entry(link.place), &mut scratch);
            self.new.insert(at, hash);
        }
        hash
    }

    /// A random hash in the place of one that is no running hash.
    pub(super) fn other(&self, old: Hash) -> Hash {
        Hash(*blake3::keyed_hash(&self.key, &old.0).as_bytes())
    }
}
