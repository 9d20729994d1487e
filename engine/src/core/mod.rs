//! The core: the whole engine as a state machine without IO.
//!
//! It has no clock, no randomness, no sockets, no files and no tasks. Drive it like this: after
//! every call of [`Core::handle`], [`Core::edit`] or another method that changes something, take
//! outputs with [`Core::poll_output`] until it returns `None`, carry them out, and hand each result
//! back as an [`Input`]. At most one of [`Output::Append`], [`Output::SaveSnapshot`] and
//! [`Output::Rebase`] is open at a time, and one [`Output::Promise`]; loads, asks and answers may
//! overlap.
//!
//! The way of an operation:
//!
//! ```text
//! edit ──> volatile ──┐                        ┌──> state (own entries were applied when made)
//!                     ├──> pending ──(durable)─┤
//! batch ──> admit ────┘                        └──> index ──> answers, rounds ──> other devices
//!             │ ^
//!    early ──>└─┘ parked
//! ```
//!
//! The law: nothing is sent before it is durable here, own entries also not before the witness
//! knows that they may be sent; nothing is acknowledged before it is durable here; what cannot be
//! made durable is taken back by rebuilding everything from the log ([`Output::Rebuild`]).

mod acknowledged;
mod admit;
mod boundary;
mod compact;
pub(crate) mod disguise;
mod edit;
mod fetch;
mod foresee;
mod fork;
mod hindrance;
pub(crate) mod history;
mod image;
mod index;
mod join;
mod ledger;
mod offer;
mod open;
mod parked;
mod pipeline;
mod progress;
mod promise;
mod push;
mod round;
pub(crate) mod select;
mod serve;
mod shared;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::access::Access;
use crate::api::{Chore, Config, Event, Outcome, Receipt, SyncError};
use crate::author::{AuthorIx, Authors};
use crate::counters::{Counter, Counters};
use crate::graph::{Conflict, Edge, Graph, Node};
use crate::id::{DeviceId, Incarnation, NodeId, PeerId};
use crate::ports::StoreError;
use crate::record::{ForkProof, Record};
use crate::state::State;
use crate::vector::VersionVector;
use crate::wire::{Frontier, FrontierRow, Reject, Response};

pub use boundary::{Input, Output, Rebuild};
pub(crate) use open::{Replay, Replayed, Seeds};

use acknowledged::Acknowledged;
use compact::Compaction;
use edit::Edits;
use index::LogIndex;
use join::Joining;
use ledger::Ledger;
use offer::Offers;
use parked::Parked;
use pipeline::Pipeline;
use promise::AfterPromise;
use round::Round;
use snapshot::Root;

/// What a load is for.
#[derive(Debug)]
enum LoadPurpose {
    Answer(serve::Pull),
    Push(u64),
    Heal,
}

/// The engine of one opened workspace. See the module for how to drive it.
#[derive(Debug)]
pub(crate) struct Core {
    config: Config,
    authors: Authors,
    state: State,
    ledger: Ledger,
    index: LogIndex,
    parked: Parked,
    pipeline: Pipeline,
    edits: Edits,

    me: AuthorIx,
    /// Own incarnations that the log tells of, in order.
    incarnations: Vec<Incarnation>,
    /// Names that this device has authored under, as far as the log, or what it stands on, tells: its
    /// key may have been another one.
    names: BTreeSet<PeerId>,
    /// The device of the last of them.
    named_device: DeviceId,
    /// The present one.
    incarnation: Incarnation,
    /// Whether the log tells of the present one; it does so from its first entry on.
    named: bool,
    /// Whether the witness was told of the present one.
    introduced: bool,
    /// Whether somebody was asked what is known of the present name before anything was promised
    /// under it in this life: only then may more be promised unasked.
    looked: bool,
    table_key: [u64; 4],
    /// Randomness kept for the next change of the name.
    next_incarnation: Incarnation,
    /// Own entries up to here may be sent.
    promised: u64,
    /// Own entries up to here somebody else has, whatever was promised.
    confirmed: u64,
    promising: Option<u64>,
    /// What waits until own entries up to a sequence may be sent.
    after_promise: Vec<(u64, AfterPromise)>,

    /// The devices that may do anything, and what.
    consents: BTreeMap<DeviceId, Access>,
    acknowledged: Acknowledged,
    forks: BTreeMap<AuthorIx, ForkProof>,
    /// Authors whose histories seem to differ somewhere, without proof, and the devices that say so.
    suspected: BTreeMap<AuthorIx, BTreeSet<DeviceId>>,
    healing: Option<fork::Healing>,
    /// Somebody knows own entries that we do not: nothing more is promised under this name.
    held_back: bool,

    rounds: BTreeMap<u64, Round>,
    /// Which round an open ask belongs to, and what it asked.
    asks: BTreeMap<u64, (u64, round::Asked)>,
    next_call: u64,
    loads: BTreeMap<u64, LoadPurpose>,
    next_ticket: u64,
    /// Who waits for the answer to which call.
    open_answers: BTreeMap<u64, DeviceId>,

    snapshot_at: u64,
    saving: Option<u64>,
    checkpoint_wanted: bool,
    root: Root,
    compaction: Compaction,
    joining: Option<Joining>,
    offers: Offers,
    /// What was told of chores that could not be done.
    hindrances: BTreeMap<Chore, StoreError>,

    /// Of this core and those before it.
    counters: Counters,
    /// The store failed, or own entries were disowned: nothing more happens here.
    ended: bool,
    outputs: VecDeque<Output>,
}

impl Core {
    /// Takes in what happened.
    pub(crate) fn handle(&mut self, input: Input) {
        match input {
            Input::Appended(result) => self.appended(result),
            Input::Loaded { ticket, records } => self.loaded(ticket, records),
            Input::Promised(result) => self.promise_kept(result),
            Input::SnapshotSaved(result) => self.snapshot_saved(result),
            Input::Rebased(result) => self.rebased(result),
            Input::Start { round, peer } => self.start_round(round, peer),
            Input::Abandon { round } => {
                self.rounds.remove(&round);
            }
            Input::Returned { call, response } => self.returned(call, response),
            Input::Asked { call, from, request } => self.asked(call, from, request),
        }
    }

    /// The next thing to do, in order.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() && !self.ended {
            self.merge_some();
            self.consider_join();
            self.wake_waiting();
            self.flush();
            self.consider_snapshot();
            self.consider_compaction();
            self.consider_offers();
            let delta = self.state.refresh();
            if !delta.is_empty() {
                self.outputs.push_back(Output::Event(Event::Changed(delta)));
            }
        }
        while let Some(output) = self.outputs.pop_front() {
            if let Some(output) = self.let_out(output) {
                return Some(output);
            }
        }
        None
    }

    /// Who authors here.
    pub(crate) fn peer_id(&self) -> PeerId {
        self.authors.peer(self.me)
    }

    /// All that is applied, volatile edits included.
    pub(crate) fn applied(&self) -> VersionVector {
        self.state.vector(&self.authors)
    }

    /// Another number after everything that is applied.
    pub(crate) fn revision(&self) -> u64 {
        self.state.revision()
    }

    /// What is durable and may be told to anybody.
    pub(crate) fn frontier(&self) -> Frontier {
        let rows = self.authors.sorted().into_iter().map(|(peer, author)| {
            let sequence = self.sendable(author);
            let hash = self.ledger.chain(author).hash_at(sequence).expect("durable is admitted");
            FrontierRow { peer, sequence, hash }
        });
        Frontier::new(rows.collect())
    }

    /// How far the durable history goes, whether it may be sent or not.
    pub(crate) fn durable(&self) -> Frontier {
        let rows = self.authors.sorted().into_iter().map(|(peer, author)| {
            let chain = self.ledger.chain(author);
            let sequence = chain.durable();
            let hash = chain.hash_at(sequence).expect("durable is admitted");
            FrontierRow { peer, sequence, hash }
        });
        Frontier::new(rows.collect())
    }

    /// The last entry of `author` that may leave the device.
    fn sendable(&self, author: AuthorIx) -> u64 {
        let durable = self.ledger.chain(author).durable();
        // What somebody has of us may leave as well, and what others wrote may rely on it.
        if author == self.me { durable.min(self.known_elsewhere()) } else { durable }
    }

    /// The whole graph.
    pub(crate) fn graph(&mut self) -> Graph {
        self.settle_view();
        self.state.graph(&self.authors)
    }

    /// The whole graph, unless it lags behind what is applied.
    pub(crate) fn told_graph(&self) -> Option<Graph> {
        self.state.is_fresh().then(|| self.state.graph(&self.authors))
    }

    /// One node.
    pub(crate) fn node(&mut self, id: NodeId) -> Option<Node> {
        self.settle_view();
        self.state.node(&self.authors, id)
    }

    /// What leads from one node to another.
    pub(crate) fn edge(&mut self, from: NodeId, to: NodeId) -> Option<Edge> {
        self.settle_view();
        self.state.edge(&self.authors, from, to)
    }

    /// The shown pairs that a node is an end of.
    pub(crate) fn edges_of(&mut self, id: NodeId) -> Vec<(NodeId, NodeId)> {
        self.settle_view();
        self.state.pairs_of(id)
    }

    /// How many nodes and pairs are shown.
    pub(crate) fn size(&mut self) -> (usize, usize) {
        self.settle_view();
        (self.state.node_count(), self.state.edge_count())
    }

    /// What a person may want to settle.
    pub(crate) fn conflicts(&mut self) -> Vec<Conflict> {
        self.settle_view();
        self.state.conflicts(&self.authors)
    }

    /// The canonical bytes of the merged state.
    pub(crate) fn state_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.state.encode(&self.authors, &mut out);
        out
    }

    /// Whether the workspace is shared with `device`.
    pub(crate) fn is_shared_with(&self, device: DeviceId) -> bool {
        self.consents.contains_key(&device)
    }

    /// The devices that the workspace is shared with, and what each may do.
    pub(crate) fn consents(&self) -> BTreeMap<DeviceId, Access> {
        self.consents.clone()
    }

    /// The positions of the records that the log has and goes on to have: not those that a
    /// compaction is about to drop.
    pub(crate) fn log_range(&self) -> Range<u64> {
        self.compaction.kept_from()..self.pipeline.end
    }

    /// How often rare things happened since the workspace was opened.
    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// The number of the last receipt given.
    pub(crate) fn next_receipt(&self) -> u64 {
        self.edits.last_receipt()
    }

    /// Whether all local edits are durable and nothing is on its way.
    pub(crate) fn is_flushed(&self) -> bool {
        self.ended || self.pipeline.is_quiet() && self.edits.is_sealed() && !self.is_writing()
    }

    /// Whether the store is at work on something that the log is not.
    fn is_writing(&self) -> bool {
        let joining = self.joining.as_ref().is_some_and(Joining::is_written);
        self.saving.is_some() || self.compaction.is_open() || joining
    }

    /// Whether nothing is on its way to the disk, and nothing shows that is not there.
    fn is_still(&self) -> bool {
        let quiet = self.pipeline.is_quiet() && self.edits.is_sealed();
        quiet && self.healing.is_none() && !self.is_writing()
    }

    /// Takes the place of a core that ended because of `why`, and tells the embedder.
    pub(crate) fn succeed(&mut self, old: Core, why: &Rebuild) {
        let (before, now) = (old.peer_id(), self.peer_id());
        self.counters.add(&old.counters);
        // A name that never became durable is nobody's, and none is changed.
        let renamed = old.names.contains(&before) && now != before;
        self.inherit(old.into_legacy(), why);
        self.event(Event::Reset);
        let told = |output: &Output| matches!(output, Output::Event(Event::Rotated { new, .. }) if *new == now);
        if renamed && !self.outputs.iter().any(told) {
            self.event(Event::Rotated { old: before, new: now });
        }
    }

    /// The fates of edits that nobody was told yet.
    pub(crate) fn fates(&self) -> Vec<(Receipt, Outcome)> {
        let fate = |output: &Output| match output {
            Output::Event(Event::Settled { receipt, outcome }) => Some((*receipt, outcome.clone())),
            _ => None,
        };
        self.outputs.iter().filter_map(fate).collect()
    }

    /// Brings what readers see up to date with volatile edits. Whether they see anything new.
    pub(crate) fn settle_view(&mut self) -> bool {
        let delta = self.state.refresh();
        let moved = !delta.is_empty();
        if moved {
            self.event(Event::Changed(delta));
        }
        moved
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn load(&mut self, positions: Vec<u64>, purpose: LoadPurpose) {
        self.next_ticket += 1;
        self.loads.insert(self.next_ticket, purpose);
        self.outputs.push_back(Output::Load { ticket: self.next_ticket, positions });
    }

    fn loaded(&mut self, ticket: u64, records: Result<Vec<Record>, StoreError>) {
        let Some(purpose) = self.loads.remove(&ticket) else { return };
        if self.ended {
            return;
        }
        let records = match records {
            Ok(records) => records,
            Err(error) => return self.not_loaded(purpose, error),
        };
        let batches: Vec<Arc<crate::batch::Batch>> = records
            .into_iter()
            .filter_map(|record| match record {
                Record::Ready(batch) => Some(batch),
                _ => None,
            })
            .collect();
        match purpose {
            LoadPurpose::Answer(pull) => self.answer_pull(pull, &batches),
            LoadPurpose::Push(round) => self.push_selected(round, &batches),
            LoadPurpose::Heal => self.heal_loaded(&batches),
        }
    }

    /// Records could not be read: whoever wanted them goes without. What was written is as good as
    /// before, and a store that fails as a whole fails the next write too.
    fn not_loaded(&mut self, purpose: LoadPurpose, error: StoreError) {
        match purpose {
            LoadPurpose::Answer(pull) => {
                self.answer(pull.call, Response::Refused(Reject::Unavailable));
                self.hindered(Chore::Serving, error);
            }
            LoadPurpose::Push(round) => self.finish(round, Err(error.into())),
            // The name cannot be changed without them.
            LoadPurpose::Heal => self.fail(error),
        }
    }

    /// The store cannot be trusted any more: everything under way ends, and all is rebuilt.
    fn fail(&mut self, error: StoreError) {
        if !self.ended {
            self.end(Rebuild::StoreFailed(error));
        }
    }

    /// Ends everything under way.
    fn end(&mut self, why: Rebuild) {
        self.ended = true;
        // After a change of the name the next core makes the rounds again.
        if let Rebuild::StoreFailed(error) = &why {
            self.counters.note(Counter::StoreReplayed);
            for round in std::mem::take(&mut self.rounds).into_keys() {
                let result = Err(SyncError::Store(error.clone()));
                self.outputs.push_back(Output::Finished { round, result });
            }
        }
        self.refuse_open_answers();
        self.outputs.push_back(Output::Rebuild(why));
    }
}
