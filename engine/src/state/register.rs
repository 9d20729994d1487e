//! A register that keeps its set of concurrent writes (a multi-value register).
//!
//! Entries come in causal order, so a write need not keep its vector: what it replaces is there
//! when it comes, and nothing that comes later lies in its past.

use smallvec::SmallVec;

use super::causality::{Clock, EntryStamp};
use super::join::Sides;
use crate::author::Authors;

/// One write that no other write had seen.
#[derive(Clone, Debug)]
pub(super) struct Write<V> {
    pub(super) stamp: EntryStamp,
    pub(super) value: V,
}

/// The current writes, in no order that two peers share.
#[derive(Clone, Debug)]
pub(super) struct Register<V>(SmallVec<[Write<V>; 1]>);

impl<V> Default for Register<V> {
    fn default() -> Self {
        Register(SmallVec::new())
    }
}

impl<V: PartialEq> Register<V> {
    /// Adds a write, which replaces all that its author had seen. Whether another value is shown.
    pub(super) fn write(
        &mut self,
        authors: &Authors,
        author: &Clock,
        stamp: EntryStamp,
        value: V,
    ) -> bool {
        if let [only] = self.0.as_mut_slice()
            && author.saw(only.stamp.dot())
        {
            let changed = only.value != value;
            *only = Write { stamp, value };
            return changed;
        }
        let before = self.shown(authors).map(|write| write.stamp);
        self.0.retain(|write| !author.saw(write.stamp.dot()));
        self.0.push(Write { stamp, value });
        self.shown(authors).map(|write| write.stamp) != before
    }

    /// Takes in the writes of another state's register. Whether another write is shown.
    pub(super) fn join(&mut self, authors: &Authors, sides: &Sides<'_>, other: Self) -> bool {
        let before = self.shown(authors).map(|write| write.stamp);
        sides.join(&mut self.0, other.0, |write| write.stamp.dot());
        self.shown(authors).map(|write| write.stamp) != before
    }

    /// The last of the current writes by (time, peer, sequence).
    pub(super) fn shown(&self, authors: &Authors) -> Option<&Write<V>> {
        match self.0.as_slice() {
            [only] => Some(only),
            writes => writes.iter().max_by_key(|write| write.stamp.key(authors)),
        }
    }
}

impl<V> Register<V> {
    /// A register of writes that had not seen each other.
    pub(super) fn new(writes: SmallVec<[Write<V>; 1]>) -> Self {
        Register(writes)
    }

    pub(super) fn writes(&self) -> &[Write<V>] {
        &self.0
    }

    pub(super) fn for_each_mut(&mut self, mut change: impl FnMut(&mut V)) {
        self.0.iter_mut().for_each(|write| change(&mut write.value));
    }

    pub(super) fn stamps(&self) -> impl Iterator<Item = &EntryStamp> {
        self.0.iter().map(|write| &write.stamp)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
