//! One round of sync with one peer: frontier, then pulls and pushes side by side.
//!
//! The goal is frozen when the round starts to push; what comes later is the next round's. A
//! pull asks for the next batch as soon as the last one is admitted, before it is durable. Pushes
//! run ahead of their answers by a small window and fall back to what the peer says it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::admit::Parting;
use super::fetch::Fetch;
use super::promise::AfterPromise;
use super::push::{Pushing, gain};
use super::{Core, Output};
use crate::api::{SyncError, SyncReport};
use crate::author::AuthorIx;
use crate::batch::Batch;
use crate::counters::Counter;
use crate::id::{DeviceId, PeerId};
use crate::limits::{MAX_LOST_CALLS, MAX_OPEN_PUSHES, MAX_ROUND_RETRIES};
use crate::ports::CallError;
use crate::vector::VersionVector;
use crate::wire::{
    Budget, Exclusion, Frontier, FrontierRequest, FrontierRow, PullRequest, Reject, Request,
    Response,
};

/// A round under way.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) peer: DeviceId,
    pub(super) report: SyncReport,
    lost_in_a_row: u32,
    pub(super) retries: u32,
    pub(super) pulling: Pulling,
    pub(super) pushing: Option<Pushing>,
    /// What the peer had at the start; before it answered, what we asked whether it has.
    pub(super) theirs: Frontier,
    /// How many entries of it were not here then.
    pub(super) lacking: u64,
    /// What it said that it cannot use.
    pub(super) excluded: Vec<Exclusion>,
    /// Authors of which it refused a push: what it surely shares with us.
    pub(super) parted: BTreeMap<PeerId, u64>,
    /// Authors whose history seems to differ: from where on we ask for it again.
    doubts: BTreeMap<AuthorIx, Doubt>,
    /// The record that must be merged before the round's work shows.
    last_place: u64,
}

#[derive(Debug)]
pub(super) enum Pulling {
    Idle,
    Asking,
    /// The peer's log does not hold what we lack; its snapshot is on its way.
    Fetching(Fetch),
    /// Another round fetches a snapshot.
    Waiting,
    /// The snapshot is being joined.
    Joining,
    Done,
}

#[derive(Debug, Clone, Copy)]
struct Doubt {
    low: u64,
    step: u64,
}

impl Round {
    pub(super) fn peer(&self) -> DeviceId {
        self.peer
    }

    /// Something differs at `at`: ask again from at most `from` on, further back every time.
    pub(super) fn doubt(&mut self, author: AuthorIx, at: u64, from: u64) {
        let low = at.saturating_sub(1).min(from);
        self.doubts
            .entry(author)
            .and_modify(|doubt| {
                doubt.step *= 2;
                doubt.low = doubt.low.saturating_sub(doubt.step).min(low);
            })
            .or_insert(Doubt { low, step: 1 });
        if matches!(self.pulling, Pulling::Done) {
            self.pulling = Pulling::Idle;
        }
    }

    /// Whether a snapshot is on its way here.
    pub(super) fn fetches(&self) -> bool {
        matches!(self.pulling, Pulling::Fetching(_))
    }

    /// Entries up to `sequence` turned out to be the same on both sides, or the fork is proven.
    pub(super) fn believe(&mut self, author: AuthorIx, sequence: u64) {
        if let Some(doubt) = self.doubts.get_mut(&author) {
            doubt.low = doubt.low.max(sequence);
        }
    }
}

impl Core {
    pub(super) fn start_round(&mut self, id: u64, peer: DeviceId) {
        let refusal = if self.ended {
            Some(SyncError::Closed)
        } else if !self.consents.contains_key(&peer) {
            Some(SyncError::NoConsent(peer))
        } else if self.rounds.values().any(|round| round.peer == peer) {
            Some(SyncError::UnderWay(peer))
        } else {
            None
        };
        if let Some(error) = refusal {
            self.outputs.push_back(Output::Finished { round: id, result: Err(error) });
            return;
        }
        let round = Round {
            peer,
            report: SyncReport::default(),
            lost_in_a_row: 0,
            retries: 0,
            pulling: Pulling::Idle,
            pushing: None,
            theirs: Frontier::default(),
            lacking: 0,
            excluded: Vec::new(),
            parted: BTreeMap::new(),
            doubts: BTreeMap::new(),
            last_place: 0,
        };
        self.rounds.insert(id, round);
        if self.looked {
            // The witness writes while the peer is asked.
            self.ensure_promise();
        }
        self.outputs.push_back(Output::Announce(self.frontier()));
        self.ask_frontier(id);
    }

    /// Ends the rounds with a device that may not be asked any more.
    pub(super) fn end_rounds_with(&mut self, peer: DeviceId) {
        let ids: Vec<u64> =
            self.rounds.iter().filter(|(_, round)| round.peer == peer).map(|(&id, _)| id).collect();
        for id in ids {
            self.finish(id, Err(SyncError::NoConsent(peer)));
        }
    }

    fn ask_frontier(&mut self, id: u64) {
        let frontier = self.frontier();
        let digest = frontier.digest();
        if let Some(round) = self.rounds.get_mut(&id) {
            round.theirs = frontier;
        }
        let workspace = self.config.workspace;
        self.ask(id, Request::Frontier(FrontierRequest { workspace, digest }));
    }

    pub(super) fn ask(&mut self, id: u64, request: Request) {
        let Some(round) = self.rounds.get_mut(&id) else { return };
        round.report.calls += 1;
        self.next_call += 1;
        self.asks.insert(self.next_call, (id, Asked::of(&request)));
        self.outputs.push_back(Output::Ask { call: self.next_call, to: round.peer, request });
    }

    pub(super) fn returned(&mut self, call: u64, response: Result<Response, CallError>) {
        let Some((id, kind)) = self.asks.remove(&call) else { return };
        let Some(round) = self.rounds.get_mut(&id) else { return };
        if self.ended {
            return;
        }
        let response = match response {
            Ok(response) => {
                round.lost_in_a_row = 0;
                response
            }
            Err(error) => return self.call_lost(id, kind, error),
        };
        match (kind, response) {
            (Asked::Frontier, Response::InStep) => {
                // The peer has nothing else. Left to push are entries that were not promised then,
                // and what came since: it has what we asked with, not what we have now.
                round.pulling = Pulling::Done;
                let theirs = round.theirs.clone();
                self.begin_flow(id, &theirs, Vec::new());
            }
            (Asked::Frontier, Response::Frontier { frontier, excluded }) => {
                self.begin_flow(id, &frontier, excluded);
            }
            (Asked::Pull, Response::Batch { batch, more }) => self.pulled(id, batch, more),
            (Asked::Push, Response::Durable { have }) => {
                let peer = round.peer;
                self.note_durable(peer, &have);
                self.pushed(id, Some(&have), false);
            }
            (Asked::Snapshot, Response::Snapshot(part)) => self.part_fetched(id, part),
            (Asked::Push, Response::Published) => self.pushed(id, None, true),
            (kind, Response::Refused(reject)) => self.refused(id, kind, reject),
            _ => {
                let what = "a response to another request".to_owned();
                self.finish(id, Err(CallError::Nonsense(what).into()));
            }
        }
    }

    fn call_lost(&mut self, id: u64, kind: Asked, error: CallError) {
        let Some(round) = self.rounds.get_mut(&id) else { return };
        round.report.lost += 1;
        round.lost_in_a_row += 1;
        let over = round.lost_in_a_row > MAX_LOST_CALLS || matches!(error, CallError::Nonsense(_));
        if over || kind == Asked::Frontier && round.lost_in_a_row > 1 {
            return self.finish(id, Err(error.into()));
        }
        self.counters.note(Counter::CallRepeated);
        match kind {
            Asked::Frontier => self.ask_frontier(id),
            Asked::Pull => {
                round.pulling = Pulling::Idle;
                self.continue_round(id);
            }
            Asked::Push => self.pushed(id, None, false),
            Asked::Snapshot => self.ask_part(id),
        }
    }

    /// The peer's frontier is known: look at it, then pull, promise and push.
    fn begin_flow(&mut self, id: u64, theirs: &Frontier, excluded: Vec<Exclusion>) {
        let Some(peer) = self.rounds.get(&id).map(Round::peer) else { return };
        if self.heeds(peer) {
            self.weigh_exclusions(&excluded);
            self.heed_frontier(id, peer, theirs);
        }
        let lacking = if self.heeds(peer) { self.lacking_of(theirs) } else { 0 };
        let Some(round) = self.rounds.get_mut(&id) else { return };
        round.theirs = theirs.clone();
        round.lacking = lacking;
        round.excluded = excluded;
        self.note_frontier(peer, theirs);
        let nothing_to_pull = !self.heeds(peer);
        let Some(round) = self.rounds.get_mut(&id) else { return };
        if nothing_to_pull {
            round.pulling = Pulling::Done;
        }
        let had = theirs.vector();
        round.pushing = Some(Pushing {
            goal: VersionVector::new(),
            acked: had.clone(),
            sent: had.clone(),
            had,
            open: 0,
            published: false,
            lost: false,
            loading: true,
            exhausted: false,
        });
        self.once_promised(AfterPromise::Round(id));
        self.continue_round(id);
    }

    /// Looks where the peer's histories are not ours, and what it knows of this device.
    fn heed_frontier(&mut self, id: u64, peer: DeviceId, theirs: &Frontier) {
        self.settle_suspicions(peer, theirs);
        self.looked = true;
        let mut partings = Vec::new();
        for row in theirs.rows() {
            let Some(author) = self.authors.get(row.peer) else { continue };
            match self.ledger.chain(author).hash_at(row.sequence) {
                Some(ours) if ours != row.hash => {
                    partings.push(Parting { author, at: row.sequence, proof: None });
                }
                Some(_) if author == self.me => self.confirm(row.sequence),
                None if author == self.me => {
                    self.held_back = true;
                    let known = self.known_elsewhere();
                    if let Some(round) = self.rounds.get_mut(&id) {
                        round.doubt(author, row.sequence, known);
                    }
                }
                _ => {}
            }
        }
        for parting in partings {
            self.part(parting, Some(peer), Some(id));
        }
    }

    /// Gives every round the chance to go on.
    pub(super) fn continue_rounds(&mut self) {
        let ids: Vec<u64> = self.rounds.keys().copied().collect();
        for id in ids {
            self.continue_round(id);
        }
    }

    pub(super) fn continue_round(&mut self, id: u64) {
        if self.healing.is_some() {
            // The core is about to be replaced; the round ends with it.
            return;
        }
        let full = self.pipeline.is_full() || self.joining.is_some();
        let fetched = self.rounds.values().any(Round::fetches);
        let Some(round) = self.rounds.get_mut(&id) else { return };
        let Some(pushing) = &round.pushing else { return };
        let may_push = !pushing.loading && !pushing.exhausted && pushing.open < MAX_OPEN_PUSHES;
        let pushes_ended = pushing.exhausted && pushing.open == 0 && !pushing.loading;
        let waits = matches!(round.pulling, Pulling::Waiting) && !fetched;
        if (waits || matches!(round.pulling, Pulling::Idle)) && !full {
            round.pulling = Pulling::Asking;
            self.ask_pull(id);
        }
        if may_push {
            self.load_push(id);
        }
        let Some(round) = self.rounds.get(&id) else { return };
        let merged = self.pipeline.is_merged(round.last_place);
        if matches!(round.pulling, Pulling::Done) && pushes_ended && merged {
            self.complete(id);
        }
    }

    fn ask_pull(&mut self, id: u64) {
        let Some(round) = self.rounds.get(&id) else { return };
        let rows = self.authors.sorted().into_iter().map(|(peer, author)| {
            let chain = self.ledger.chain(author);
            let known = if author == self.me { self.sendable(author) } else { chain.admitted() };
            let doubted = round.doubts.get(&author).map_or(u64::MAX, |doubt| doubt.low);
            let sequence = known.min(doubted);
            let hash = chain.hash_at(sequence).expect("it lies within what is admitted");
            FrontierRow { peer, sequence, hash }
        });
        let request = PullRequest {
            workspace: self.config.workspace,
            have: Frontier::new(rows.collect()),
            excluded: self.exclusions(),
            budget: Budget::FULL,
        };
        self.ask(id, Request::Pull(request));
    }

    fn pulled(&mut self, id: u64, batch: Option<Batch>, more: bool) {
        if more && batch.is_none() {
            let what = "more to come behind nothing".to_owned();
            return self.finish(id, Err(CallError::Nonsense(what).into()));
        }
        let Some(round) = self.rounds.get_mut(&id) else { return };
        round.pulling = if more { Pulling::Idle } else { Pulling::Done };
        let peer = round.peer;
        if let Some(batch) = batch {
            let batch = Arc::new(batch);
            match self.take_in(Arc::clone(&batch), peer, Some(id)) {
                Ok(fresh) => {
                    let place = self.pipeline.last_place();
                    let Some(round) = self.rounds.get_mut(&id) else { return };
                    round.report.pulled += fresh;
                    round.last_place = place;
                    for row in batch.authors() {
                        if let Some(author) = self.authors.get(row.peer) {
                            round.believe(author, row.last());
                        }
                    }
                    if fresh > 0 {
                        round.retries = 0;
                    } else if matches!(round.pulling, Pulling::Idle) && self.retry(id).is_none() {
                        return;
                    }
                }
                Err(Reject::Fork { .. }) => {
                    if self.retry(id).is_none() {
                        return;
                    }
                    if let Some(round) = self.rounds.get_mut(&id) {
                        round.pulling = Pulling::Idle;
                    }
                }
                Err(Reject::Unavailable) => return,
                // It is asked for again once the snapshot of another round is joined.
                Err(Reject::Busy) => {
                    if let Some(round) = self.rounds.get_mut(&id) {
                        round.pulling = Pulling::Idle;
                    }
                }
                Err(reject) => return self.finish(id, Err(reject.into())),
            }
        }
        self.continue_round(id);
    }

    /// Counts an exchange that moved nothing; ends the round after too many.
    pub(super) fn retry(&mut self, id: u64) -> Option<()> {
        self.retry_or(id, SyncError::Stalled)
    }

    /// [`retry`](Self::retry), with what is said of a round that ends.
    fn retry_or(&mut self, id: u64, error: SyncError) -> Option<()> {
        let round = self.rounds.get_mut(&id)?;
        round.retries += 1;
        if round.retries > MAX_ROUND_RETRIES {
            self.counters.note(Counter::RoundStalled);
            self.finish(id, Err(error));
            return None;
        }
        Some(())
    }

    fn refused(&mut self, id: u64, kind: Asked, reject: Reject) {
        if let (Asked::Push, Reject::Fork { author, common }) = (kind, &reject) {
            return self.push_parted(id, *author, *common);
        }
        if (kind, &reject) == (Asked::Push, &Reject::ReadOnly) {
            return self.push_unwanted(id);
        }
        if (kind, &reject) == (Asked::Pull, &Reject::Behind) {
            return self.fetch_snapshot(id);
        }
        if reject == Reject::Busy {
            return match kind {
                // Counted there.
                Asked::Push => self.pushed(id, None, false),
                _ if self.retry_or(id, reject.into()).is_none() => {}
                Asked::Frontier => self.ask_frontier(id),
                Asked::Pull => {
                    if let Some(round) = self.rounds.get_mut(&id) {
                        round.pulling = Pulling::Idle;
                    }
                    self.continue_round(id);
                }
                Asked::Snapshot => self.ask_part(id),
            };
        }
        self.finish(id, Err(reject.into()));
    }

    /// The round reached its goal.
    fn complete(&mut self, id: u64) {
        if self.held_back && self.healing.is_none() {
            // Somebody knows more of us, and nobody could say what: what was not sent is made
            // again under a new name.
            self.counters.note(Counter::RenamedForUnknown);
            self.start_healing(self.known_elsewhere());
        }
        let frontier = self.frontier();
        let Some(round) = self.rounds.get_mut(&id) else { return };
        if let Some(pushing) = &round.pushing {
            round.report.pushed = gain(&pushing.had, &pushing.acked) - round.report.published;
        }
        round.report.forks.sort_unstable();
        round.report.forks.dedup();
        let report = std::mem::take(&mut round.report);
        self.outputs.push_back(Output::Announce(frontier));
        self.finish(id, Ok(report));
    }

    pub(super) fn finish(&mut self, id: u64, result: Result<SyncReport, SyncError>) {
        if self.rounds.remove(&id).is_some() {
            self.outputs.push_back(Output::Finished { round: id, result });
        }
    }
}

/// Which request a response belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Frontier,
    Pull,
    Push,
    Snapshot,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        match request {
            Request::Frontier(_) => Asked::Frontier,
            Request::Pull(_) => Asked::Pull,
            Request::Push(_) => Asked::Push,
            Request::Snapshot(_) => Asked::Snapshot,
        }
    }
}
