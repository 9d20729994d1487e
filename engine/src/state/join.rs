//! Two states become one: the state of all entries that either applied.
//!
//! A state keeps a record by the dot of the entry that made it, and its clocks say which entries
//! it applied. So a record that one state has and the other has not tells by itself what became
//! of it there: if the other applied its dot, it is superseded or removed, since an entry's
//! records never come back; if not, the other never saw it, and it lives. That is the join of the
//! optimized observed-remove set (Bieniusa et al., 2012) and of dot stores with a causal context
//! (Almeida et al., 2018). Only genesis records also die of removals that did not see them.
//!
//! Vectors that records carry were cut to what tells something in their own state. What lives
//! after a join lived in each state that had applied it, so nothing was cut that matters here.
//!
//! Both states are those of causally closed sets of entries of one workspace, and no dot stands
//! for two entries in them. Whoever joins answers for that.

use smallvec::SmallVec;

use super::causality::Clocks;
use super::removal::Removal;
use super::{Records, State};
use crate::author::{Authors, LocalDot};

/// What either side of a join has applied.
pub(super) struct Sides<'a> {
    ours: &'a Clocks,
    theirs: &'a Clocks,
}

impl Sides<'_> {
    /// Drops what the other side knows to be dead, and adds what only the other side knows.
    /// Whether anything came or went. An author's records stay in the order of its sequences.
    pub(super) fn join<T>(
        &self,
        ours: &mut SmallVec<[T; 1]>,
        theirs: SmallVec<[T; 1]>,
        dot: impl Fn(&T) -> LocalDot,
    ) -> bool {
        let mut held: SmallVec<[LocalDot; 4]> = theirs.iter().map(&dot).collect();
        held.sort_unstable();
        let before = ours.len();
        ours.retain(|record| {
            let dot = dot(record);
            !self.theirs.covers(dot) || held.binary_search(&dot).is_ok()
        });
        let lived = ours.len();
        ours.extend(theirs.into_iter().filter(|record| !self.ours.covers(dot(record))));
        (before, ours.len()) != (lived, lived)
    }
}

impl State {
    /// Takes in all that `other` applied, whose authors have the same numbers.
    ///
    /// Readers see it after the next [`refresh`](Self::refresh), which tells of every change.
    /// Commutative, associative and idempotent; entries may be applied before and after.
    pub(crate) fn join(&mut self, authors: &Authors, other: State) {
        self.revision += 1;
        let sides = Sides { ours: &self.clocks, theirs: &other.clocks };
        super::removal::merge(&mut self.clear, authors, &sides, other.clear);
        self.records.join(authors, &sides, other.records, self.clear.as_ref());
        let new = other.opaque.into_iter().filter(|opaque| !self.clocks.covers(opaque.stamp.dot()));
        self.opaque.extend(new);
        self.clocks.join(other.clocks);
    }
}

impl Records {
    /// Joins every record, also those that only one side has: the other may know them to be dead.
    fn join(
        &mut self,
        authors: &Authors,
        sides: &Sides<'_>,
        mut other: Records,
        clear: Option<&Removal>,
    ) {
        let nodes: Vec<u32> = other.nodes.iter().map(|(id, _)| self.nodes.intern(id).0).collect();
        let place = |end: u32| nodes[end as usize];
        let pairs = other.pairs.iter();
        let pairs: Vec<u32> =
            pairs.map(|((from, to), _)| self.intern_pair(place(from), place(to))).collect();
        for (index, twin) in (0..).zip(twins(&nodes, self.nodes.len())) {
            let theirs = twin.map(|twin| std::mem::take(&mut other.nodes[twin]));
            self.nodes[index].join(authors, sides, theirs.unwrap_or_default(), clear);
            self.touch_node(index);
        }
        for (index, twin) in (0..).zip(twins(&pairs, self.pairs.len())) {
            let theirs = twin.map(|twin| std::mem::take(&mut other.pairs[twin]));
            if self.pairs[index].join(sides, theirs.unwrap_or_default(), clear) {
                self.touch_pair(index);
            }
        }
    }
}

/// For each of `count` records here its number there, if any, given the numbers here of all
/// records there.
fn twins(here: &[u32], count: usize) -> Vec<Option<u32>> {
    let mut twins = vec![None; count];
    for (there, &here) in (0..).zip(here) {
        twins[here as usize] = Some(there);
    }
    twins
}
