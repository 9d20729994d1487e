//! The causal buffer: batches whose causes have not come yet.
//!
//! Parked batches stand in the log too, so they survive a restart; but nothing is promised about
//! them and a full buffer turns further ones away, since whoever sent them will send them again.

use std::sync::Arc;

use crate::batch::Batch;
use crate::limits::{MAX_PARKED_BATCHES, MAX_PARKED_BYTES};

/// Early batches, in the order of arrival.
#[derive(Clone, Debug, Default)]
pub(super) struct Parked {
    batches: Vec<Arc<Batch>>,
    bytes: usize,
}

impl Parked {
    /// Keeps `batch`; false if it is here already or there is no room.
    pub(super) fn offer(&mut self, batch: &Arc<Batch>) -> bool {
        let bytes = self.bytes + batch.memory();
        let room = self.batches.len() < MAX_PARKED_BATCHES && bytes <= MAX_PARKED_BYTES;
        if !room || self.batches.contains(batch) {
            return false;
        }
        self.bytes = bytes;
        self.batches.push(Arc::clone(batch));
        true
    }

    /// Takes out the first batch for which `ready` holds.
    pub(super) fn take(&mut self, ready: impl Fn(&Batch) -> bool) -> Option<Arc<Batch>> {
        let index = self.batches.iter().position(|batch| ready(batch))?;
        let batch = self.batches.remove(index);
        self.bytes -= batch.memory();
        Some(batch)
    }

    /// Forgets the batches for which `done` holds.
    pub(super) fn drop_where(&mut self, done: impl Fn(&Batch) -> bool) {
        while self.take(&done).is_some() {}
    }

    /// Changes batches in place, to ones that are as long.
    pub(super) fn for_each_mut(&mut self, change: impl FnMut(&mut Arc<Batch>)) {
        self.batches.iter_mut().for_each(change);
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Batch>> {
        self.batches.iter()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::batch::{BatchBuilder, NewEntry};
    use crate::hash::chain_start;
    use crate::id::{PeerId, WorkspaceId};
    use crate::limits::MAX_PAYLOAD_BYTES;

    /// A batch of so many entries, each as long as may be.
    fn long(author: u128, entries: u64) -> Arc<Batch> {
        let workspace = WorkspaceId(Uuid::from_u128(1));
        let mut batch = BatchBuilder::default();
        let author = batch.row(PeerId(Uuid::from_u128(author)));
        for sequence in 1..=entries {
            let (flags, kind, timestamp_ms, delta) = (0, 9999, 1, &[][..]);
            let payload = &vec![1; MAX_PAYLOAD_BYTES][..];
            batch.push(NewEntry { author, flags, kind, sequence, timestamp_ms, delta, payload });
        }
        Arc::new(batch.finish(workspace, |peer, _| chain_start(workspace, peer)).unwrap())
    }

    #[test]
    fn there_is_room_for_so_many_bytes_and_again_once_some_went() {
        let mut parked = Parked::default();
        let mut count = 0;
        while parked.offer(&long(count, 1)) {
            count += 1;
        }
        let all = parked.bytes;
        assert!(all <= MAX_PARKED_BYTES && all + all / parked.batches.len() > MAX_PARKED_BYTES);
        assert!(!parked.offer(&parked.batches[0].clone()), "it is here already");
        for _ in 0..2 {
            assert!(parked.take(|_| true).is_some());
            assert!(parked.offer(&long(count, 1)) && !parked.offer(&long(count + 1, 1)));
            count += 1;
        }
        assert_eq!(parked.bytes, all);
        parked.drop_where(|_| true);
        assert_eq!((parked.bytes, parked.iter().len()), (0, 0));
    }
}
