//! From loaded records to one outgoing batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::{Batch, BatchBuilder};
use crate::id::PeerId;
use crate::limits::{MAX_BATCH_BYTES, MAX_BATCH_ENTRIES};
use crate::vector::VersionVector;
use crate::wire::Budget;

/// What a receiver may get.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// What it has.
    pub(crate) have: VersionVector,
    /// How far the sender goes.
    pub(crate) until: VersionVector,
    /// Authors of which it gets nothing past the given sequence, nor what relies on that.
    pub(crate) excluded: BTreeMap<PeerId, u64>,
}

/// An outgoing batch before its hashes are filled in.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) builder: BatchBuilder,
    /// Whether the batch's bounds were reached before the records ended.
    pub(crate) full: bool,
}

impl Budget {
    /// As much as one batch can hold.
    pub const FULL: Budget =
        Budget { entries: MAX_BATCH_ENTRIES as u32, bytes: MAX_BATCH_BYTES as u32 };
}

/// Picks the entries of `batches`, given in causal order, that are wanted, up to `budget`.
///
/// `wanted.have` grows by what was picked, and `wanted.excluded` by the authors whose entries turn
/// out to rely on excluded ones, so the result is causally closed over `have` before the call.
pub(crate) fn select<'a>(
    batches: impl IntoIterator<Item = &'a Arc<Batch>>,
    wanted: &mut Wanted,
    budget: Budget,
) -> Selection {
    let mut selection = Selection::default();
    let builder = &mut selection.builder;
    for batch in batches {
        let mut rows = Vec::new();
        for entry in batch.entries() {
            let author = batch.authors()[usize::from(entry.author)].peer;
            let within = entry.sequence > wanted.have.get(author)
                && entry.sequence <= wanted.until.get(author);
            if !within || wanted.excludes(author, entry.sequence) {
                continue;
            }
            let relies_on_excluded = entry.delta.iter().any(|&(row, sequence)| {
                wanted.excludes(batch.authors()[usize::from(row)].peer, sequence)
            });
            if relies_on_excluded {
                wanted.excluded.insert(author, entry.sequence - 1);
                continue;
            }
            let spent = builder.len() >= budget.entries as usize
                || builder.bytes() >= budget.bytes as usize;
            if !builder.is_empty() && spent || !builder.fits(entry.delta.len(), entry.payload.len())
            {
                selection.full = true;
                return selection;
            }
            builder.copy(batch, &entry, &mut rows);
            wanted.have.raise(author, entry.sequence);
        }
    }
    selection
}

impl Wanted {
    fn excludes(&self, author: PeerId, sequence: u64) -> bool {
        self.excluded.get(&author).is_some_and(|&common| sequence > common)
    }
}
