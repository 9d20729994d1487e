//! The log as the full entries that it stands for.

use std::collections::BTreeMap;

use crate::entry::SyncedLogEntry;
use crate::id::{Dot, PeerId};
use crate::record::Record;
use crate::vector::VersionVector;

/// The entries that the records of a whole log stand for, in order, without what was disowned.
pub fn expand(records: &[Record]) -> Vec<SyncedLogEntry> {
    let disowned: Vec<(usize, PeerId, u64)> = records
        .iter()
        .enumerate()
        .filter_map(|(position, record)| match record {
            Record::Disown { author, after } => Some((position, *author, *after)),
            _ => None,
        })
        .collect();
    let mut vectors: BTreeMap<PeerId, VersionVector> = BTreeMap::new();
    let mut history = Vec::new();
    for (position, record) in records.iter().enumerate() {
        let Record::Ready(batch) = record else { continue };
        let counts = |dot: Dot| {
            disowned.iter().all(|&(at, author, after)| {
                at < position || author != dot.peer || dot.sequence <= after
            })
        };
        batch.expand_onto(&mut vectors, counts, &mut history);
    }
    history
}
