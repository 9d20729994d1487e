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
