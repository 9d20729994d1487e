//! What the devices that the workspace is shared with durably have, by their own word: what all of
//! them have may be cut from the log.
//!
//! A device says so with the frontier of a round, and with the answer to a push. What a pull names
//! may still be on the way to the asking side's disk, so it counts for nothing here.

use std::collections::BTreeMap;

use super::Core;
use crate::author::AuthorIx;
use crate::id::DeviceId;
use crate::vector::VersionVector;
use crate::wire::Frontier;

/// For each device how far it durably has each author's entries, by author number.
#[derive(Clone, Debug, Default)]
pub(super) struct Acknowledged(BTreeMap<DeviceId, Vec<u64>>);

impl Acknowledged {
    /// The device said how far it is; an older disk may have taken the place of the one before.
    pub(super) fn replace(&mut self, by: DeviceId, rows: impl Iterator<Item = (AuthorIx, u64)>) {
        self.0.insert(by, Vec::new());
        rows.for_each(|(author, sequence)| self.raise(by, author, sequence));
    }

    pub(super) fn raise(&mut self, by: DeviceId, author: AuthorIx, sequence: u64) {
        let row = self.0.entry(by).or_default();
        if row.len() <= author.index() {
            row.resize(author.index() + 1, 0);
        }
        row[author.index()] = sequence.max(row[author.index()]);
    }

    pub(super) fn forget(&mut self, device: DeviceId) {
        self.0.remove(&device);
    }

    /// How far the device has the author's entries, as far as it said.
    pub(super) fn get(&self, device: DeviceId, author: AuthorIx) -> u64 {
        self.0.get(&device).and_then(|row| row.get(author.index())).copied().unwrap_or(0)
    }

    /// How far all of `devices` have the author's entries; if there are none, as far as can be.
    pub(super) fn by_all(&self, devices: impl Iterator<Item = DeviceId>, author: AuthorIx) -> u64 {
        devices.map(|device| self.get(device, author)).min().unwrap_or(u64::MAX)
    }
}

impl Core {
    /// A device said that this is its durable frontier; what differs from ours says nothing.
    pub(super) fn note_frontier(&mut self, by: DeviceId, theirs: &Frontier) {
        if !self.consents.contains_key(&by) {
            return;
        }
        let (authors, ledger) = (&self.authors, &self.ledger);
        let rows = theirs.rows().iter().filter_map(|row| {
            let author = authors.get(row.peer)?;
            let chain = ledger.chain(author);
            let sequence = row.sequence.min(chain.admitted());
            let same = sequence < row.sequence || chain.hash_at(sequence) == Some(row.hash);
            same.then_some((author, sequence))
        });
        self.acknowledged.replace(by, rows);
    }

    /// A device said that it durably has this, after it took a push in.
    pub(super) fn note_durable(&mut self, by: DeviceId, have: &VersionVector) {
        if !self.consents.contains_key(&by) {
            return;
        }
        for (peer, sequence) in have.iter() {
            if let Some(author) = self.authors.get(peer) {
                let sequence = sequence.min(self.ledger.chain(author).durable());
                self.acknowledged.raise(by, author, sequence);
            }
        }
    }
}
