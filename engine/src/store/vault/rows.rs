//! What the database says of the log: how far each author is applied, and who may ask.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::Access;
use crate::id::{DeviceId, PeerId};
use crate::record::Record;
use crate::vector::VersionVector;

/// The rows that follow from the records. Derived: nobody may take a sequence from here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) authors: BTreeMap<PeerId, u64>,
    pub(super) peers: BTreeMap<DeviceId, Access>,
}

/// Rows that records changed.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) authors: BTreeSet<PeerId>,
    pub(super) peers: BTreeSet<DeviceId>,
}

impl Rows {
    pub(super) fn new(vector: &VersionVector, peers: &[(DeviceId, Access)]) -> Self {
        Rows { authors: vector.iter().collect(), peers: peers.iter().copied().collect() }
    }

    /// Follows records that came after all that were applied before.
    pub(super) fn apply(&mut self, records: &[Record], touched: &mut Touched) {
        for record in records {
            match record {
                Record::Ready(batch) => {
                    for row in batch.authors().iter().filter(|row| row.count > 0) {
                        let known = self.authors.entry(row.peer).or_insert(0);
                        *known = row.last().max(*known);
                        touched.authors.insert(row.peer);
                    }
                }
                Record::Disown { author, after } => {
                    match after {
                        0 => self.authors.remove(author),
                        after => self.authors.insert(*author, *after),
                    };
                    touched.authors.insert(*author);
                }
                Record::Consent { device, access } => {
                    self.peers.insert(*device, *access);
                    touched.peers.insert(*device);
                }
                Record::Identity { .. } | Record::Parked(_) | Record::Fork(_) => {}
            }
        }
    }
}
