//! The serving half: answers to other devices.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::admit::{Admission, Parting};
use super::promise::AfterPromise;
use super::select::{Wanted, select};
use super::{Core, LoadPurpose, Output};
use crate::access::Access;
use crate::author::AuthorIx;
use crate::batch::{AuthorRow, Batch};
use crate::counters::Counter;
use crate::hash::Hash;
use crate::id::{DeviceId, PeerId, WorkspaceId};
use crate::limits::MAX_OPEN_ANSWERS;
use crate::wire::{Budget, Exclusion, Frontier, PullRequest, Reject, Request, Response};

/// A pull that waits for its records.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) call: u64,
    wanted: Wanted,
    budget: Budget,
    /// Where the records loaded end.
    after: u64,
}

impl Core {
    pub(super) fn asked(&mut self, call: u64, from: DeviceId, request: Request) {
        self.open_answers.insert(call, from);
        let workspace = match &request {
            Request::Frontier(request) => request.workspace,
            Request::Pull(request) => request.workspace,
            Request::Push(request) => request.batch.workspace(),
            Request::Snapshot(request) => request.workspace,
        };
        if let Some(reject) = self.turned_away(from, workspace) {
            match reject {
                Reject::NotShared => self.counters.note(Counter::TurnedAway),
                Reject::Busy => self.counters.note(Counter::AnsweredBusy),
                _ => {}
            }
            return self.answer(call, Response::Refused(reject));
        }
        match request {
            Request::Frontier(request) => self.answer_frontier(call, from, request.digest),
            Request::Pull(request) => self.asked_to_pull(call, from, request),
            Request::Push(request) => self.asked_to_push(call, from, request.batch),
            Request::Snapshot(request) => self.asked_for_snapshot(call, request),
        }
    }

    fn turned_away(&self, from: DeviceId, workspace: WorkspaceId) -> Option<Reject> {
        if workspace != self.config.workspace || !self.consents.contains_key(&from) {
            Some(Reject::NotShared)
        } else if self.ended {
            Some(Reject::Unavailable)
        } else if self.open_answers.len() > MAX_OPEN_ANSWERS {
            Some(Reject::Busy)
        } else {
            None
        }
    }

    pub(super) fn answer(&mut self, call: u64, response: Response) {
        self.outputs.push_back(Output::Answer { call, response });
    }

    /// The one way out for whatever goes to another device: the workspace may not be shared with it
    /// any more since that was prepared. `None` if nothing goes out.
    pub(super) fn let_out(&mut self, output: Output) -> Option<Output> {
        match output {
            Output::Ask { call, to, .. } if !self.consents.contains_key(&to) => {
                self.asks.remove(&call);
                None
            }
            Output::Answer { call, response } => {
                let asked_by = self.open_answers.remove(&call).expect("a call is answered once");
                let shared = self.consents.contains_key(&asked_by);
                let response = if shared { response } else { Response::Refused(Reject::NotShared) };
                Some(Output::Answer { call, response })
            }
            output => Some(output),
        }
    }

    /// In step only if there is nothing here that could be sent, promised already or not.
    fn answer_frontier(&mut self, call: u64, from: DeviceId, digest: Hash) {
        let frontier = self.frontier();
        let equal = frontier.digest() == digest;
        if equal {
            self.note_frontier(from, &frontier);
        }
        let response = if equal && !self.has_unpromised() {
            Response::InStep
        } else {
            Response::Frontier { frontier, excluded: self.exclusions() }
        };
        self.answer(call, response);
    }

    /// Whether durable own entries wait for the witness before they may be sent.
    pub(super) fn has_unpromised(&self) -> bool {
        self.ledger.chain(self.me).durable() > self.known_elsewhere() && !self.held_back
    }

    fn asked_to_pull(&mut self, call: u64, from: DeviceId, request: PullRequest) {
        // Whoever asks may know more of us than we do; look before anything new is promised.
        if self.heeds(from) {
            self.look_for_own_name(&request.have, from);
            self.weigh_exclusions(&request.excluded);
        }
        self.once_promised(AfterPromise::Pull { call, request });
    }

    pub(super) fn prepare_pull(&mut self, call: u64, request: PullRequest) {
        let excluded = self.of_no_use(&request.have, &request.excluded);
        let until = self.frontier().vector();
        let wanted = Wanted { have: request.have.vector(), until, excluded };
        if self.lies_below(&wanted) {
            self.counters.note(Counter::PeerSentToSnapshot);
            return self.answer(call, Response::Refused(Reject::Behind));
        }
        self.load_pull(Pull { call, wanted, budget: request.budget, after: 0 });
    }

    /// For each author that is quarantined here or by the peer, the last sequence that may be sent
    /// or relied on: what the peer has, if that is our branch, else what both branches share.
    pub(super) fn of_no_use(&self, theirs: &Frontier, told: &[Exclusion]) -> BTreeMap<PeerId, u64> {
        let mut limits = BTreeMap::new();
        for row in self.exclusions().iter().chain(told) {
            let limit = self.usable(row, theirs);
            let known = limits.entry(row.peer).or_insert(limit);
            *known = limit.min(*known);
        }
        limits
    }

    fn usable(&self, row: &Exclusion, theirs: &Frontier) -> u64 {
        let chain = self.authors.get(row.peer).map(|author| self.ledger.chain(author));
        let (Some(chain), Some(has)) = (chain, theirs.get(row.peer)) else { return row.common };
        let same = match chain.hash_at(has.sequence) {
            Some(ours) => ours == has.hash,
            // The peer goes further than we do: its branch tells.
            None => chain.hash_at(row.common.saturating_add(1)) == Some(row.branch),
        };
        if same { has.sequence.max(row.common) } else { row.common }
    }

    /// Whether something is wanted that no record holds.
    pub(super) fn lies_below(&self, wanted: &Wanted) -> bool {
        wanted.until.iter().any(|(peer, until)| {
            let closed = wanted.excluded.get(&peer).copied().unwrap_or(u64::MAX);
            let floor = self.authors.get(peer).map_or(0, |author| self.index.floor(author));
            wanted.have.get(peer) < floor.min(until).min(closed)
        })
    }

    /// Positions, from `from` on, of records with entries that are wanted.
    pub(super) fn positions_of(&self, wanted: &Wanted, entries: usize, from: u64) -> Vec<u64> {
        let lacking: Vec<_> = wanted
            .until
            .iter()
            .filter_map(|(peer, until)| {
                let first = wanted.have.get(peer) + 1;
                let closed = wanted.excluded.get(&peer).copied().unwrap_or(u64::MAX);
                (first <= until.min(closed)).then_some(())?;
                Some((self.authors.get(peer)?, first, until.min(closed)))
            })
            .collect();
        self.index.holding(&lacking, entries, from)
    }

    fn load_pull(&mut self, mut pull: Pull) {
        let entries = pull.budget.entries as usize;
        let positions = self.positions_of(&pull.wanted, entries, pull.after);
        match positions.last() {
            Some(&last) => {
                pull.after = last + 1;
                self.load(positions, LoadPurpose::Answer(pull));
            }
            None => self.answer(pull.call, Response::Batch { batch: None, more: false }),
        }
    }

    pub(super) fn answer_pull(&mut self, mut pull: Pull, batches: &[Arc<Batch>]) {
        let selection = select(batches, &mut pull.wanted, pull.budget);
        let full = selection.full;
        self.counters.note_many(Counter::BatchCut, u64::from(full));
        match self.ledger.seal(&self.authors, selection.builder) {
            Some(batch) => {
                let more = full || !self.positions_of(&pull.wanted, 1, 0).is_empty();
                self.answer(pull.call, Response::Batch { batch: Some(batch), more });
            }
            // All that was loaded is excluded: look further.
            None => self.load_pull(pull),
        }
    }

    fn asked_to_push(&mut self, call: u64, from: DeviceId, batch: Batch) {
        if !self.heeds(from) {
            return self.answer(call, Response::Refused(Reject::ReadOnly));
        }
        if self.pipeline.is_full() || self.joining.is_some() {
            self.counters.note(Counter::AnsweredBusy);
            return self.answer(call, Response::Refused(Reject::Busy));
        }
        let peers: Vec<PeerId> = batch.authors().iter().map(|row| row.peer).collect();
        match self.take_in(Arc::new(batch), from, None) {
            Ok(_) => {
                let authors = peers.into_iter().filter_map(|peer| self.authors.get(peer)).collect();
                self.answer_when_durable(call, authors);
            }
            Err(reject) => self.answer(call, Response::Refused(reject)),
        }
    }

    /// The one way in for entries of others, which `from` sent by itself or in answer to a `round`:
    /// admits, parks or refuses a batch. Returns how many entries were new.
    pub(super) fn take_in(
        &mut self,
        batch: Arc<Batch>,
        from: DeviceId,
        round: Option<u64>,
    ) -> Result<u64, Reject> {
        if batch.workspace() != self.config.workspace {
            return Err(Reject::NotShared);
        }
        self.gate()?;
        match self.admit(&batch) {
            Admission::Fresh(new) => {
                let mut fresh = new.len() as u64;
                if new.len() < batch.len() {
                    self.counters.note(Counter::BatchTrimmed);
                }
                self.pipeline.submit(super::pipeline::Pending::Foreign(new));
                fresh += self.unpark();
                Ok(fresh)
            }
            Admission::Known => {
                self.counters.note(Counter::BatchKnown);
                Ok(0)
            }
            Admission::Early => {
                if !self.parked.offer(&batch) {
                    self.counters.note(Counter::GapTurnedAway);
                } else {
                    self.counters.note(Counter::GapParked);
                    self.pipeline.submit(super::pipeline::Pending::Parked(batch));
                }
                Ok(0)
            }
            Admission::OwnAhead => {
                self.counters.note(Counter::RenamedForUnknown);
                self.change_name();
                Err(Reject::Unavailable)
            }
            Admission::Parted(parting) => Err(self.part(parting, Some(from), round)),
            Admission::Refused(reject) => {
                if matches!(reject, Reject::Fork { .. }) {
                    self.counters.note(Counter::QuarantinedRefused);
                }
                Err(reject)
            }
        }
    }

    /// Admits a batch of others. Whoever wrote it has the own entries that it holds or relies on.
    fn admit(&mut self, batch: &Arc<Batch>) -> Admission {
        let closed = self.closed();
        let me = Some(self.me);
        let admission = self.ledger.admit(&mut self.authors, Arc::clone(batch), me, &closed);
        if matches!(admission, Admission::Fresh(_) | Admission::Known) {
            let name = self.peer_id();
            let own = batch.authors().iter().find(|row| row.peer == name);
            self.confirm(own.map_or(0, AuthorRow::last));
        }
        admission
    }

    /// Admits parked batches whose causes have come; returns how many entries were new.
    pub(super) fn unpark(&mut self) -> u64 {
        let mut fresh = 0;
        loop {
            let (ledger, authors) = (&self.ledger, &self.authors);
            let ready = self.parked.take(|batch| {
                batch.authors().iter().all(|row| {
                    let chain = authors.get(row.peer).map(|author| ledger.chain(author));
                    row.base <= chain.map_or(0, |chain| chain.admitted())
                })
            });
            let Some(batch) = ready else { return fresh };
            match self.admit(&batch) {
                Admission::Fresh(batch) => {
                    self.counters.note(Counter::GapFilled);
                    fresh += batch.len() as u64;
                    self.pipeline.submit(super::pipeline::Pending::Foreign(batch));
                }
                Admission::OwnAhead => self.change_name(),
                Admission::Parted(parting) => {
                    self.part(parting, None, None);
                }
                Admission::Known | Admission::Early | Admission::Refused(_) => {}
            }
        }
    }

    /// Whether what `from` tells of entries and forks counts here.
    pub(super) fn heeds(&self, from: DeviceId) -> bool {
        self.access_of(from) == Access::Full
    }

    /// Somebody has own entries up to `sequence`, with our content.
    pub(super) fn confirm(&mut self, sequence: u64) {
        self.confirmed = self.confirmed.max(sequence);
    }

    /// Whoever wrote an entry that is known here has the own entries that it relies on.
    pub(super) fn confirm_seen(&mut self) {
        let others = (0..self.authors.len() as u32).map(AuthorIx).filter(|&by| by != self.me);
        let seen = others.map(|by| self.ledger.chain(by).seen(self.me)).max();
        self.confirm(seen.unwrap_or(0));
    }

    /// Own entries up to here have left, by the witness' word or because somebody has them.
    pub(super) fn known_elsewhere(&self) -> u64 {
        self.promised.max(self.confirmed)
    }

    /// Looks whether a peer knows own entries that we do not know or that differ from ours.
    pub(super) fn look_for_own_name(&mut self, theirs: &Frontier, from: DeviceId) {
        self.looked = true;
        let Some(row) = theirs.get(self.peer_id()) else { return };
        match self.ledger.chain(self.me).hash_at(row.sequence) {
            Some(ours) if ours == row.hash => self.confirm(row.sequence),
            Some(_) => {
                let at = row.sequence;
                self.part(Parting { author: self.me, at, proof: None }, Some(from), None);
            }
            None => self.held_back = true,
        }
    }
}
