//! The log as the full entries that it stands for.

use std::collections::BTreeMap;

use crate::batch::Batch;
use crate::entry::{FLAG_GENESIS, LogEntry, SyncedLogEntry};
use crate::id::PeerId;
use crate::record::Record;
use crate::vector::VersionVector;

/// Expands the records of a whole log, in order, without what was disowned.
pub(crate) fn expand(records: &[Record]) -> Vec<SyncedLogEntry> {
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
        let kept = |peer: PeerId, sequence: u64| {
            disowned
                .iter()
                .all(|&(at, author, after)| at < position || author != peer || sequence <= after)
        };
        expand_batch(batch, &mut vectors, kept, &mut history);
    }
    history
}

fn expand_batch(
    batch: &Batch,
    vectors: &mut BTreeMap<PeerId, VersionVector>,
    kept: impl Fn(PeerId, u64) -> bool,
    history: &mut Vec<SyncedLogEntry>,
) {
    let peer = |row: u16| batch.authors()[usize::from(row)].peer;
    for entry in batch.entries() {
        let author = peer(entry.author);
        if !kept(author, entry.sequence) {
            continue;
        }
        let vector = vectors.entry(author).or_default();
        vector.raise(author, entry.sequence - 1);
        for &(row, sequence) in entry.delta {
            vector.raise(peer(row), sequence);
        }
        history.push(SyncedLogEntry {
            entry: LogEntry::decode(entry.kind, entry.payload).to_owned(),
            timestamp_ms: entry.timestamp_ms,
            peer_id: author,
            sequence: entry.sequence,
            version_vector: vector.clone(),
            genesis: entry.flags & FLAG_GENESIS != 0,
        });
    }
}
