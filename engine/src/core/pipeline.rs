//! The way to the disk and from there into the graph.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Core, Output};
use crate::access::Access;
use crate::api::{Event, Outcome};
use crate::author::AuthorIx;
use crate::batch::Batch;
use crate::counters::Counter;
use crate::entry::{FLAG_GENESIS, LogEntry};
use crate::id::{DeviceId, Incarnation, PeerId};
use crate::limits::MAX_INFLIGHT_BATCHES;
use crate::ports::StoreError;
use crate::record::{ForkProof, Record};
use crate::state::EntryStamp;
use crate::wire::{Reject, Response};

/// Records on their way to the log, in order, and what follows once they are there.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    waiting: VecDeque<Pending>,
    /// Part of the open append.
    open: Vec<Pending>,
    /// Durable, not yet in the graph.
    unmerged: VecDeque<Option<Arc<Batch>>>,
    /// How many records were ever submitted, made durable, merged.
    submitted: u64,
    durable: u64,
    merged: u64,
    /// Records in the log.
    pub(super) end: u64,
    answers: VecDeque<DueAnswer>,
}

/// A record on its way.
#[derive(Debug)]
pub(super) enum Pending {
    Foreign(Arc<Batch>),
    Own(Arc<Batch>),
    Parked(Arc<Batch>),
    Consent {
        device: DeviceId,
        access: Access,
    },
    Fork(ForkProof),
    Identity {
        device: DeviceId,
        incarnation: Incarnation,
    },
    /// The last group of this core: the log is replayed after it.
    Final(Record),
}

/// An answer that waits until all that was submitted before it is durable.
#[derive(Debug)]
struct DueAnswer {
    after: u64,
    call: u64,
    authors: Vec<AuthorIx>,
}

impl Pipeline {
    /// Puts a record in line; returns its place.
    pub(super) fn submit(&mut self, pending: Pending) -> u64 {
        self.waiting.push_back(pending);
        self.submitted += 1;
        self.submitted
    }

    /// Whether so much waits for the disk that no more should be fetched.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() + self.open.len() + self.unmerged.len() >= MAX_INFLIGHT_BATCHES
    }

    /// Whether all that was submitted is durable and merged.
    pub(super) fn is_quiet(&self) -> bool {
        self.merged == self.submitted
    }

    /// Whether the record at `place` is durable and merged.
    pub(super) fn is_merged(&self, place: u64) -> bool {
        place <= self.merged
    }

    pub(super) fn last_place(&self) -> u64 {
        self.submitted
    }

    /// Whether a record that tells of a name of this device waits.
    fn brings_name(&self) -> bool {
        self.waiting.iter().any(|pending| matches!(pending, Pending::Identity { .. }))
    }

    /// Takes the calls whose answers can never come.
    pub(super) fn drain_answers(&mut self) -> Vec<u64> {
        self.answers.drain(..).map(|due| due.call).collect()
    }
}

/// The entries of a batch by author: what the index keeps.
pub(super) fn spans(
    core_authors: &crate::author::Authors,
    batch: &Batch,
) -> SmallVec<[(AuthorIx, u64, u64); 1]> {
    batch
        .authors()
        .iter()
        .filter(|row| row.count > 0)
        .map(|row| {
            let author = core_authors.get(row.peer).expect("an admitted author has a number");
            (author, row.base + 1, row.last())
        })
        .collect()
}

impl Core {
    /// Hands what waits to the store as one append, unless one is open.
    pub(super) fn flush(&mut self) {
        if !self.pipeline.open.is_empty() || self.is_writing() {
            return;
        }
        if self.healing.is_none() && self.introduce() {
            self.seal_edits();
        }
        if self.pipeline.brings_name() && !self.introduced {
            // After a crash a name that the log alone knew would look like one of a restored backup.
            return;
        }
        if self.pipeline.waiting.is_empty() {
            return self.heal_when_quiet();
        }
        // The last group of a core takes everything, since nothing comes after it.
        let last = self.pipeline.waiting.iter().any(|pending| matches!(pending, Pending::Final(_)));
        let most = if last { usize::MAX } else { MAX_INFLIGHT_BATCHES * 4 };
        let group = self.pipeline.waiting.len().min(most);
        self.pipeline.open.extend(self.pipeline.waiting.drain(..group));
        let records = self.pipeline.open.iter().map(Pending::record).collect();
        self.outputs.push_back(Output::Append(records));
    }

    pub(super) fn appended(&mut self, result: Result<(), StoreError>) {
        let group = std::mem::take(&mut self.pipeline.open);
        if self.ended {
            return;
        }
        if let Err(error) = result {
            return self.fail(error);
        }
        let last = group.iter().any(|pending| matches!(pending, Pending::Final(_)));
        for pending in group {
            let position = self.pipeline.end;
            self.pipeline.end += 1;
            self.pipeline.durable += 1;
            let merge = self.record_durable(position, pending);
            self.pipeline.unmerged.push_back(merge);
        }
        if last {
            return self.end(super::Rebuild::Rotated { after: self.healed_after() });
        }
        while self.pipeline.answers.front().is_some_and(|due| due.after <= self.pipeline.durable) {
            let due = self.pipeline.answers.pop_front().expect("it has a front");
            self.answer_durable(due.call, &due.authors);
        }
    }

    /// What follows from a record being durable; returns the batch to merge, if any.
    fn record_durable(&mut self, position: u64, pending: Pending) -> Option<Arc<Batch>> {
        match pending {
            Pending::Foreign(batch) => {
                self.index_batch(position, &batch);
                Some(batch)
            }
            Pending::Own(batch) => {
                self.index_batch(position, &batch);
                self.settle_receipts();
                None
            }
            Pending::Consent { device, access } => {
                self.set_consent(device, access);
                self.settle_receipts();
                None
            }
            Pending::Identity { device, incarnation } => {
                self.incarnations.push(incarnation);
                self.names.insert(PeerId::derive(device, incarnation));
                self.named_device = device;
                None
            }
            Pending::Parked(_) | Pending::Fork(_) => None,
            Pending::Final(_) => None,
        }
    }

    /// A consent is durable. What the user said since then holds at once where it allows less.
    pub(super) fn set_consent(&mut self, device: DeviceId, access: Access) {
        let later = self.edits.least_pending(device).unwrap_or(Access::Full);
        self.consent(device, access.min(later));
        if access == Access::None {
            self.acknowledged.forget(device);
        }
    }

    pub(super) fn consent(&mut self, device: DeviceId, access: Access) {
        match access {
            Access::None => self.consents.remove(&device),
            access => self.consents.insert(device, access),
        };
    }

    /// What `device` may do with the workspace.
    pub(crate) fn access_of(&self, device: DeviceId) -> Access {
        self.consents.get(&device).copied().unwrap_or(Access::None)
    }

    fn index_batch(&mut self, position: u64, batch: &Batch) {
        let spans = spans(&self.authors, batch);
        for &(author, _, last) in &spans {
            self.ledger.chain_mut(author).set_durable(last);
        }
        self.index.push(position, spans, batch.memory());
    }

    /// Merges durable batches until there is something to tell: one at a time, so that the
    /// embedder's calls come in between.
    pub(super) fn merge_some(&mut self) {
        while self.outputs.is_empty() {
            let Some(next) = self.pipeline.unmerged.pop_front() else { return };
            if let Some(batch) = next {
                self.merge(&batch);
                self.settle_view();
            }
            self.pipeline.merged += 1;
            self.continue_rounds();
        }
    }

    /// Applies a durable batch of other authors to the graph.
    pub(super) fn merge(&mut self, batch: &Batch) {
        let rows: SmallVec<[AuthorIx; 8]> = batch
            .authors()
            .iter()
            .map(|row| self.ledger.intern(&mut self.authors, row.peer))
            .collect();
        let mut delta: SmallVec<[(AuthorIx, u64); 8]> = SmallVec::new();
        for entry in batch.entries() {
            delta.clear();
            delta.extend(entry.delta.iter().map(|&(row, seq)| (rows[usize::from(row)], seq)));
            let stamp = EntryStamp {
                author: rows[usize::from(entry.author)],
                sequence: entry.sequence,
                timestamp_ms: entry.timestamp_ms,
                genesis: entry.flags & FLAG_GENESIS != 0,
            };
            let operation = LogEntry::decode(entry.kind, entry.payload);
            if let LogEntry::Opaque { kind, .. } = &operation {
                self.counters.note(opaque(*kind));
            }
            self.state.apply(&self.authors, stamp, &delta, operation);
        }
        for (row, &author) in batch.authors().iter().zip(&rows) {
            if row.count > 0 {
                self.edits.advance(author);
            }
        }
    }

    /// Answers `call` once all that was submitted so far is durable.
    pub(super) fn answer_when_durable(&mut self, call: u64, authors: Vec<AuthorIx>) {
        let after = self.pipeline.submitted;
        if after <= self.pipeline.durable {
            return self.answer_durable(call, &authors);
        }
        self.pipeline.answers.push_back(DueAnswer { after, call, authors });
    }

    fn answer_durable(&mut self, call: u64, authors: &[AuthorIx]) {
        let have = authors
            .iter()
            .map(|&author| (self.authors.peer(author), self.sendable(author)))
            .collect();
        self.answer(call, Response::Durable { have });
    }

    pub(super) fn refuse_open_answers(&mut self) {
        for call in self.pipeline.drain_answers() {
            self.answer(call, Response::Refused(Reject::Unavailable));
        }
        for purpose in std::mem::take(&mut self.loads).into_values() {
            if let super::LoadPurpose::Answer(pull) = purpose {
                self.answer(pull.call, Response::Refused(Reject::Unavailable));
            }
        }
        for call in self.offers.take_waiting() {
            self.answer(call, Response::Refused(Reject::Unavailable));
        }
        for (_, waiting) in std::mem::take(&mut self.after_promise) {
            if let super::promise::AfterPromise::Pull { call, .. } = waiting {
                self.answer(call, Response::Refused(Reject::Unavailable));
            }
        }
    }

    /// Tells the user which edits are durable now.
    fn settle_receipts(&mut self) {
        let durable = self.ledger.chain(self.me).durable();
        for receipt in self.edits.take_settled(durable, self.pipeline.durable) {
            let outcome = Outcome::Durable(receipt.dots().collect());
            self.event(Event::Settled { receipt, outcome });
        }
    }
}

/// What it means that an entry of this kind could not be read.
fn opaque(kind: u16) -> Counter {
    match LogEntry::<String>::is_known_kind(kind) {
        true => Counter::VoidPayload,
        false => Counter::UnknownKind,
    }
}

impl Pending {
    fn record(&self) -> Record {
        match self {
            Pending::Foreign(batch) | Pending::Own(batch) => Record::Ready(Arc::clone(batch)),
            Pending::Parked(batch) => Record::Parked(Arc::clone(batch)),
            Pending::Consent { device, access } => {
                Record::Consent { device: *device, access: *access }
            }
            Pending::Fork(proof) => Record::Fork(*proof),
            Pending::Identity { device, incarnation } => {
                Record::Identity { device: *device, incarnation: *incarnation }
            }
            Pending::Final(record) => record.clone(),
        }
    }
}
