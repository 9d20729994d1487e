//! A batch is seen and stored whole or not at all.
//!
//! Peers may cut a transfer between entries, so what belongs together differs from peer to peer:
//! for one peer the batches are what reached it in one frame, and what its own user did in one
//! call. Whenever its reader or its disk moves, every entry gained must belong to such a batch of
//! which nothing is missing now. A batch of which a part came earlier on another way may be
//! completed; an entry that reached a peer in no frame came from nowhere.

use std::collections::BTreeMap;

use graphshell_sync::{Batch, Dot, PeerId, VersionVector};

use super::{Finding, View};

/// The batches that one peer has met so far, over all of its lives.
#[derive(Debug, Default)]
pub(crate) struct Atomic {
    /// What is there once all of the batch is.
    whole: Vec<VersionVector>,
    /// Of each author the runs of entries in these batches: first, last, batch.
    runs: BTreeMap<PeerId, Vec<(u64, u64, usize)>>,
    /// The first batch that came since the store was opened.
    present: usize,
}

impl Atomic {
    /// The peer got a batch from another.
    pub(crate) fn arrived(&mut self, batch: &Batch) {
        let rows = batch.authors().iter().filter(|row| row.count > 0);
        let runs: Vec<_> = rows.map(|row| (row.peer, row.base + 1, row.last())).collect();
        self.add(&runs);
    }

    /// The peer's user authored the entries `first..=last` in one call.
    pub(crate) fn authored(&mut self, author: PeerId, first: u64, last: u64) {
        self.add(&[(author, first, last)]);
    }

    /// What the peer's disk gained with a snapshot.
    pub(crate) fn joined(&mut self, before: &VersionVector, after: &VersionVector) {
        let gained = after.iter().filter(|&(peer, last)| last > before.get(peer));
        let runs: Vec<_> = gained.map(|(peer, last)| (peer, before.get(peer) + 1, last)).collect();
        self.add(&runs);
    }

    fn add(&mut self, runs: &[(PeerId, u64, u64)]) {
        let batch = self.whole.len();
        self.whole.push(runs.iter().map(|&(peer, _, last)| (peer, last)).collect());
        for &(peer, first, last) in runs {
            self.runs.entry(peer).or_default().push((first, last, batch));
        }
    }

    /// The store is opened: what came before and is not on the disk is gone.
    pub(crate) fn begin_anew(&mut self) {
        self.present = self.whole.len();
    }

    /// Whether the entry ever reached the peer.
    pub(crate) fn ever_met(&self, dot: Dot) -> bool {
        self.met_from(0, dot)
    }

    /// Whether the entry reached the peer since its store was opened.
    pub(crate) fn has_met(&self, dot: Dot) -> bool {
        self.met_from(self.present, dot)
    }

    fn met_from(&self, least: usize, dot: Dot) -> bool {
        let runs = self.runs.get(&dot.peer).map_or(&[][..], Vec::as_slice);
        let runs = runs.iter().filter(|&&(_, _, batch)| batch >= least);
        runs.into_iter().any(|&(first, last, _)| (first..=last).contains(&dot.sequence))
    }

    /// Judges a move of what `peer` shows or stores; `ours` tells its own authors, of which it
    /// may author entries by itself (when it takes another name).
    pub(crate) fn judge(
        &self,
        peer: usize,
        ours: impl Fn(PeerId) -> bool,
        what: &str,
        (before, after): (&VersionVector, &VersionVector),
    ) -> Result<(), Finding> {
        for (author, last) in after.iter() {
            let first = before.get(author) + 1;
            if first > last {
                continue;
            }
            if let Err((sequence, met)) = self.covered(author, first, last, after)
                && (met || !ours(author))
            {
                let detail = if met {
                    format!("{what} one part of a batch without the other")
                } else {
                    format!("{what} an entry that reached it in no frame")
                };
                return Err(Finding {
                    property: "batches are atomic",
                    peers: vec![peer],
                    operations: vec![Dot { peer: author, sequence }],
                    detail,
                });
            }
        }
        Ok(())
    }

    /// Whether whole batches cover the run; if not, the first entry that none covers, and whether
    /// it was met at all.
    fn covered(
        &self,
        author: PeerId,
        first: u64,
        last: u64,
        after: &VersionVector,
    ) -> Result<(), (u64, bool)> {
        let runs = self.runs.get(&author).map_or(&[][..], Vec::as_slice);
        let near = || runs.iter().rev().filter(|&&(from, to, _)| to >= first && from <= last);
        let mut whole: Vec<(u64, u64)> = near()
            .filter(|&&(_, _, batch)| after.covers(&self.whole[batch]))
            .map(|&(from, to, _)| (from, to))
            .collect();
        whole.sort_unstable();
        let mut next = first;
        for (from, to) in whole {
            if from > next {
                break;
            }
            next = next.max(to + 1);
        }
        if next > last {
            return Ok(());
        }
        Err((next, near().any(|&(from, to, _)| (from..=to).contains(&next))))
    }
}

/// Judges that what a peer applied in the end was shown to the oracles, which look only when the
/// engine's revision is another.
pub(crate) fn judge_seen(view: &View, seen: &VersionVector) -> Result<(), Finding> {
    if seen.covers(&view.applied) {
        return Ok(());
    }
    Err(Finding {
        property: "a revision tells of every change",
        peers: vec![view.peer],
        operations: Vec::new(),
        detail: format!("{:?} is applied, the last change told was {seen:?}", view.applied),
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const A: PeerId = PeerId(Uuid::from_u128(1));
    const B: PeerId = PeerId(Uuid::from_u128(2));

    fn vector(a: u64, b: u64) -> VersionVector {
        [(A, a), (B, b)].into_iter().collect()
    }

    fn holds(atomic: &Atomic, before: (u64, u64), after: (u64, u64)) -> bool {
        let (before, after) = (vector(before.0, before.1), vector(after.0, after.1));
        atomic.judge(0, |author| author == B, "shows", (&before, &after)).is_ok()
    }

    #[test]
    fn part_of_a_batch_is_found() {
        let mut atomic = Atomic::default();
        atomic.add(&[(A, 1, 3), (B, 1, 2)]);
        assert!(holds(&atomic, (0, 0), (3, 2)));
        assert!(!holds(&atomic, (0, 0), (2, 2)), "cut within an author");
        assert!(!holds(&atomic, (0, 0), (3, 0)), "cut between authors");
        assert!(holds(&atomic, (2, 2), (3, 2)), "completed");
    }

    #[test]
    fn overlapping_batches_may_follow_each_other() {
        let mut atomic = Atomic::default();
        atomic.add(&[(A, 1, 3)]);
        atomic.add(&[(A, 2, 6)]);
        assert!(holds(&atomic, (0, 0), (3, 0)));
        assert!(holds(&atomic, (3, 0), (6, 0)));
        assert!(holds(&atomic, (0, 0), (6, 0)));
        assert!(!holds(&atomic, (3, 0), (5, 0)));
    }

    #[test]
    fn what_an_earlier_opening_of_the_store_met_is_gone() {
        let mut atomic = Atomic::default();
        let dot = |sequence| Dot { peer: A, sequence };
        atomic.add(&[(A, 1, 3)]);
        assert!(atomic.has_met(dot(3)) && !atomic.has_met(dot(4)));
        atomic.begin_anew();
        atomic.add(&[(A, 3, 4)]);
        assert!(!atomic.has_met(dot(2)) && atomic.has_met(dot(3)));
        assert!(atomic.ever_met(dot(2)));
    }

    #[test]
    fn only_own_entries_may_come_from_nowhere() {
        let atomic = Atomic::default();
        assert!(holds(&atomic, (0, 0), (0, 2)));
        assert!(!holds(&atomic, (0, 0), (1, 0)));
    }
}
