//! What was said falsely under somebody's name.
//!
//! The rule of what is excused: of an author whom a liar named, entries from the first falsely named
//! one on may be quarantined, and the device may give that name up. Nothing else is excused: neither
//! that author's earlier entries, nor anybody whom no lie named.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync::{Dot, PeerId};

#[derive(Clone, Debug, Default)]
pub(crate) struct Slander {
    /// The first entry of each author that a lie named.
    named: BTreeMap<PeerId, u64>,
    /// The ids of altered snapshots.
    altered: BTreeSet<[u8; 32]>,
}

impl Slander {
    /// A lie says something about an entry.
    pub(crate) fn name(&mut self, author: PeerId, sequence: u64) {
        let first = self.named.entry(author).or_insert(sequence);
        *first = sequence.min(*first);
    }

    /// The snapshot with this id is altered.
    pub(crate) fn alter(&mut self, id: [u8; 32]) {
        self.altered.insert(id);
    }

    pub(crate) fn is_altered(&self, id: [u8; 32]) -> bool {
        self.altered.contains(&id)
    }

    /// Whether a lie named the author at all.
    pub(crate) fn about(&self, author: PeerId) -> bool {
        self.named.contains_key(&author)
    }

    /// Whether the histories of an author may be told to part after this entry.
    pub(crate) fn excuses(&self, after: Dot) -> bool {
        self.named.get(&after.peer).is_some_and(|&first| after.sequence + 1 >= first)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_came_before_the_first_lie_is_not_excused() {
        let (peer, other) = (PeerId(Uuid::from_u128(1)), PeerId(Uuid::from_u128(2)));
        let mut slander = Slander::default();
        slander.name(peer, 9);
        slander.name(peer, 7);
        let after = |peer, sequence| slander.excuses(Dot { peer, sequence });
        assert!(!after(peer, 5) && after(peer, 6) && after(peer, 99));
        assert!(!after(other, 99));
    }
}
