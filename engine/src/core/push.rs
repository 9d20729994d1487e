//! The pushing half of a round: a window of batches that runs ahead of its answers.
//!
//! What the peer says it durably has is the only progress; whenever all open pushes are answered
//! and it has less than was sent, sending goes on from there.

use std::sync::Arc;

use super::admit::Parting;
use super::round::Round;
use super::select::{Wanted, select};
use super::{Core, LoadPurpose};
use crate::batch::Batch;
use crate::counters::Counter;
use crate::id::PeerId;
use crate::limits::MAX_BATCH_ENTRIES;
use crate::vector::VersionVector;
use crate::wire::{Budget, PushRequest, Reject, Request};

#[derive(Debug)]
pub(super) struct Pushing {
    pub(super) goal: VersionVector,
    /// What the peer had at the start, and what it durably has by its own word.
    pub(super) had: VersionVector,
    pub(super) acked: VersionVector,
    /// What it has if all open pushes arrive.
    pub(super) sent: VersionVector,
    pub(super) open: u32,
    /// Whether, since no push was open, one was published, and one came to nothing.
    pub(super) published: bool,
    pub(super) lost: bool,
    pub(super) loading: bool,
    pub(super) exhausted: bool,
}

impl Core {
    /// Freezes the goal of a round's pushes.
    pub(super) fn begin_push(&mut self, id: u64) {
        let goal = self.frontier().vector();
        let Some(pushing) = self.rounds.get_mut(&id).and_then(|round| round.pushing.as_mut())
        else {
            return;
        };
        pushing.goal = goal;
        pushing.loading = false;
        self.continue_round(id);
    }

    /// What the next push may hold.
    fn push_wanted(&self, id: u64) -> Option<Wanted> {
        let round = self.rounds.get(&id)?;
        let pushing = round.pushing.as_ref()?;
        let mut excluded = self.of_no_use(&round.theirs, &round.excluded);
        for (&peer, &shared) in &round.parted {
            let limit = excluded.entry(peer).or_insert(shared);
            *limit = shared.min(*limit);
        }
        Some(Wanted { have: pushing.sent.clone(), until: pushing.goal.clone(), excluded })
    }

    pub(super) fn load_push(&mut self, id: u64) {
        let Some(wanted) = self.push_wanted(id) else { return };
        if self.lies_below(&wanted) {
            // Only the peer can ask for a snapshot.
            let Some(round) = self.rounds.get_mut(&id) else { return };
            round.report.peer_behind = true;
            self.counters.note(Counter::PeerBehind);
            if let Some(pushing) = &mut round.pushing {
                pushing.exhausted = true;
            }
            return self.continue_round(id);
        }
        let positions = self.positions_of(&wanted, MAX_BATCH_ENTRIES, 0);
        let Some(pushing) = self.rounds.get_mut(&id).and_then(|round| round.pushing.as_mut())
        else {
            return;
        };
        if positions.is_empty() {
            pushing.exhausted = true;
            return self.continue_round(id);
        }
        pushing.loading = true;
        self.load(positions, LoadPurpose::Push(id));
    }

    pub(super) fn push_selected(&mut self, id: u64, batches: &[Arc<Batch>]) {
        let Some(mut wanted) = self.push_wanted(id) else { return };
        let selection = select(batches, &mut wanted, Budget::FULL);
        let batch = self.ledger.seal(&self.authors, selection.builder);
        let Some(pushing) = self.rounds.get_mut(&id).and_then(|round| round.pushing.as_mut())
        else {
            return;
        };
        pushing.loading = false;
        match batch {
            Some(batch) => {
                pushing.sent = wanted.have;
                pushing.open += 1;
                self.ask(id, Request::Push(PushRequest { batch }));
            }
            // What is left is excluded.
            None => pushing.exhausted = true,
        }
        self.continue_round(id);
    }

    /// A push ended: `have` is what the peer said, if it said something.
    pub(super) fn pushed(&mut self, id: u64, have: Option<&VersionVector>, published: bool) {
        let Some(round) = self.rounds.get_mut(&id) else { return };
        let Some(pushing) = &mut round.pushing else { return };
        pushing.open -= 1;
        let before = pushing.acked.clone();
        if let Some(have) = have {
            // What the peer has beyond what we sent is none of this round's business.
            let of_ours = have.iter().map(|(peer, has)| (peer, has.min(pushing.sent.get(peer))));
            pushing.acked.join(&of_ours.collect());
        }
        pushing.published |= published;
        pushing.lost |= have.is_none() && !published;
        if pushing.open == 0 {
            // Who publishes does not say what: all of it, or all of it again.
            let (published, lost) =
                (std::mem::take(&mut pushing.published), std::mem::take(&mut pushing.lost));
            if published && !lost {
                round.report.published += gain(&pushing.acked, &pushing.sent);
                pushing.acked = pushing.sent.clone();
            }
        }
        let behind = pushing.open == 0 && !pushing.loading && !pushing.acked.covers(&pushing.sent);
        let moved = pushing.acked != before;
        if behind {
            self.counters.note(Counter::PushRepeated);
            pushing.sent = pushing.acked.clone();
            pushing.exhausted = false;
        }
        if moved {
            round.retries = 0;
        } else if behind && self.retry(id).is_none() {
            return;
        }
        self.continue_round(id);
    }

    /// The peer lets this device read only: the round goes on without pushes.
    pub(super) fn push_unwanted(&mut self, id: u64) {
        let Some(round) = self.rounds.get_mut(&id) else { return };
        let Some(pushing) = &mut round.pushing else { return };
        round.report.read_only = true;
        pushing.open -= 1;
        pushing.exhausted = true;
        self.continue_round(id);
    }

    /// The peer has another history of an author than we pushed: leave that author out, and look
    /// where both part.
    pub(super) fn push_parted(&mut self, id: u64, peer: PeerId, common: u64) {
        self.counters.note(Counter::PushParted);
        let Some(author) = self.authors.get(peer) else {
            return self.finish(id, Err(Reject::Fork { author: peer, common }.into()));
        };
        let by = self.rounds.get(&id).map(Round::peer);
        if !self.forks.contains_key(&author) && by.is_some_and(|peer| self.heeds(peer)) {
            let parting = Parting { author, at: common.saturating_add(1), proof: None };
            self.part(parting, by, Some(id));
        }
        let Some(round) = self.rounds.get_mut(&id) else { return };
        round
            .parted
            .entry(peer)
            .and_modify(|shared| *shared = common.min(shared.saturating_sub(1)))
            .or_insert(common);
        if self.retry(id).is_some() {
            self.pushed(id, None, false);
        }
    }
}

/// How many entries `after` covers beyond `before`.
pub(super) fn gain(before: &VersionVector, after: &VersionVector) -> u64 {
    after.iter().map(|(peer, sequence)| sequence.saturating_sub(before.get(peer))).sum()
}
