//! Local authoring: a user's edit becomes entries that are in the graph at once (volatile) and on
//! their way to the disk.

use std::borrow::{Borrow, Cow};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::foresee::Foreseen;
use super::pipeline::Pending;
use super::{Core, Rebuild};
use crate::access::Access;
use crate::api::{EditError, Event, Outcome, Receipt};
use crate::author::AuthorIx;
use crate::batch::{Batch, BatchBuilder, NewEntry};
use crate::counters::Counter;
use crate::entry::{EdgeKind, FLAG_GENESIS, LogEntry};
use crate::graph::{Conflict, ConflictId, ConflictKind, Resolution, Subject};
use crate::hash::{Hash, Link, chain_next, payload_hash};
use crate::id::{DeviceId, PeerId};
use crate::limits::{MAX_AUTHORS, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, MAX_VOLATILE_ENTRIES};
use crate::state::EntryStamp;

/// Bytes that an entry takes beside its payload, without its vector.
const ENTRY_OVERHEAD: usize = 32;
/// Most bytes of one edit, so that it surely fits one batch.
const MAX_EDIT_BYTES: usize = MAX_BATCH_BYTES / 2;

/// Own entries that no append holds yet, and the receipts of all that are not durable.
#[derive(Debug, Default)]
pub(super) struct Edits {
    builder: BatchBuilder,
    /// Authors whose applied entries grew since the last own entry.
    advanced: Vec<AuthorIx>,
    next_receipt: u64,
    /// Receipts of entries that are not durable.
    entries: VecDeque<Receipt>,
    /// Receipts of consents that are not durable.
    consents: VecDeque<PendingConsent>,
    scratch: Scratch,
    /// Whether a legacy log was imported.
    pub(super) imported: bool,
}

#[derive(Debug, Default)]
struct Scratch {
    /// The payloads of one edit, one after the other, and where each ends.
    payloads: Vec<u8>,
    ends: Vec<usize>,
    link: Vec<u8>,
    delta: Vec<(AuthorIx, u64)>,
    rows: Vec<(u16, u64)>,
}

impl Edits {
    /// Receipts numbered from `first` on: numbers must not repeat while the workspace is open.
    pub(super) fn starting_at(first: u64) -> Self {
        Edits { next_receipt: first, ..Edits::default() }
    }

    pub(super) fn last_receipt(&self) -> u64 {
        self.next_receipt
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.builder.is_empty()
    }

    /// Whether the fate of every edit is known.
    pub(super) fn all_settled(&self) -> bool {
        self.entries.is_empty() && self.consents.is_empty()
    }

    /// Authors whose applied entries grew since the last own entry.
    pub(super) fn advanced(&self) -> &[AuthorIx] {
        &self.advanced
    }

    pub(super) fn advance(&mut self, author: AuthorIx) {
        if !self.advanced.contains(&author) {
            self.advanced.push(author);
        }
    }

    /// Receipts that are durable now: entries up to `sequence`, records up to `place`.
    pub(super) fn take_settled(&mut self, sequence: u64, place: u64) -> Vec<Receipt> {
        let entries = self.entries.partition_point(|receipt| receipt.last <= sequence);
        let consents = self.consents.partition_point(|consent| consent.place <= place);
        let consents = self.consents.drain(..consents).map(|consent| consent.receipt);
        self.entries.drain(..entries).chain(consents).collect()
    }

    /// The least that the user said of a device after the consent that becomes durable next.
    pub(super) fn least_pending(&self, device: DeviceId) -> Option<Access> {
        let of_it = self.consents.iter().filter(|consent| consent.device == device);
        of_it.skip(1).map(|consent| consent.access).min()
    }

    fn receipt(&mut self, author: PeerId, first: u64, last: u64) -> Receipt {
        self.next_receipt += 1;
        Receipt { number: self.next_receipt, author, first, last }
    }
}

/// A consent on its way to the disk.
#[derive(Debug)]
struct PendingConsent {
    receipt: Receipt,
    place: u64,
    device: DeviceId,
    access: Access,
}

/// What a used-up core leaves to the next one: edits whose fate is not known.
#[derive(Debug)]
pub(crate) struct Legacy {
    entries: VecDeque<Receipt>,
    consents: VecDeque<PendingConsent>,
    /// The author's running hash after the last entry of each receipt.
    hashes: Vec<Hash>,
    /// Rounds to be made again.
    rounds: Vec<(u64, DeviceId)>,
}

impl Core {
    /// Makes one edit of several operations: all of them become durable, or none.
    ///
    /// A write to a node that is gone restores it first. `now_ms` is the wall clock.
    pub(crate) fn edit(
        &mut self,
        now_ms: u64,
        operations: &[LogEntry],
    ) -> Result<Receipt, EditError> {
        self.check_open()?;
        if operations.iter().any(LogEntry::needs_edge) {
            self.settle_view();
        }
        let planned = self.plan_edit(operations)?;
        self.author_all(now_ms, 0, &planned)
    }

    /// Authors a folded legacy log as genesis entries; once per workspace.
    pub(crate) fn import(&mut self, operations: &[LogEntry]) -> Result<Vec<Receipt>, EditError> {
        self.check_open()?;
        if self.edits.imported {
            return Err(EditError::ImportedBefore);
        }
        if self.ledger.chain(self.me).admitted() > 0 {
            return Err(EditError::ImportTooLate);
        }
        let mut chunks: Vec<&[LogEntry]> = Vec::new();
        let (mut first, mut bytes) = (0, 0);
        for (index, operation) in operations.iter().enumerate() {
            let mut payload = Vec::new();
            operation.encode_payload(&mut payload)?;
            bytes += payload.len() + ENTRY_OVERHEAD;
            if bytes > MAX_EDIT_BYTES / 2 || index - first == MAX_BATCH_ENTRIES / 16 {
                chunks.push(&operations[first..index]);
                (first, bytes) = (index, payload.len() + ENTRY_OVERHEAD);
            }
        }
        chunks.push(&operations[first..]);
        chunks.retain(|chunk| !chunk.is_empty());
        let receipts = chunks.into_iter().map(|chunk| self.author_all(0, FLAG_GENESIS, chunk));
        let receipts = receipts.collect::<Result<_, _>>()?;
        self.edits.imported = true;
        Ok(receipts)
    }

    /// Settles a conflict by the operations that the resolution stands for.
    pub(crate) fn resolve(
        &mut self,
        now_ms: u64,
        id: ConflictId,
        resolution: &Resolution,
    ) -> Result<Receipt, EditError> {
        self.check_open()?;
        self.settle_view();
        let conflict =
            self.state.conflict(&self.authors, id).ok_or(EditError::NoSuchConflict(id))?;
        let operations = self.operations_of(&conflict, resolution)?;
        self.author_all(now_ms, 0, &operations)
    }

    fn operations_of(
        &self,
        conflict: &Conflict,
        resolution: &Resolution,
    ) -> Result<Vec<LogEntry>, EditError> {
        match (conflict.subject, resolution) {
            (Subject::Node(node_id), Resolution::KeepDeleted) => {
                Ok(vec![LogEntry::RemoveNode { node_id }])
            }
            (Subject::Node(node_id), Resolution::Restore { chosen }) => {
                let mut operations = vec![LogEntry::RestoreNode { node_id }];
                for &dot in chosen {
                    let claimed = conflict.kind == ConflictKind::DeleteVsUpdate
                        && conflict.claims.iter().any(|claim| claim.stamp.dot == dot);
                    let writes = self.state.writes_by(&self.authors, node_id, dot);
                    if !claimed || writes.is_empty() {
                        return Err(EditError::NoSuchClaim(dot));
                    }
                    operations.extend(writes);
                }
                Ok(operations)
            }
            (Subject::Pair(from, to), Resolution::KeepBoth) => {
                Ok(vec![LogEntry::SettleEdgePair { from, to }])
            }
            (Subject::Pair(from, to), Resolution::KeepEdge { edge_type }) => {
                let mut types = self.state.shown_types(from, to);
                if !types.contains(edge_type) {
                    return Err(EditError::NoSuchEdge(from, to));
                }
                types.retain(|other| other != edge_type);
                let kinds = types.into_iter().map(|other| Some(EdgeKind::Typed(other)));
                Ok(kinds.map(|kind| LogEntry::RemoveEdge { from, to, kind }).collect())
            }
            _ => Err(EditError::WrongResolution),
        }
    }

    /// Says what another device may do with this workspace.
    pub(crate) fn share_with(
        &mut self,
        device: DeviceId,
        access: Access,
    ) -> Result<Receipt, EditError> {
        // It makes no entry: whoever is to be shut out can be, however much waits for the disk.
        self.check_running()?;
        if access < self.access_of(device) {
            // What is under way with that device ends now, not only once the disk knows.
            self.consent(device, access);
            self.end_rounds_with(device);
        }
        let receipt = self.edits.receipt(self.peer_id(), 1, 0);
        let place = self.pipeline.submit(Pending::Consent { device, access });
        self.edits.consents.push_back(PendingConsent { receipt, place, device, access });
        Ok(receipt)
    }

    fn check_running(&self) -> Result<(), EditError> {
        match self.ended || self.changing_name() {
            true => Err(EditError::Unavailable),
            false => Ok(()),
        }
    }

    fn check_open(&self) -> Result<(), EditError> {
        self.check_running()?;
        let volatile = self.ledger.chain(self.me).admitted() - self.ledger.chain(self.me).durable();
        if volatile >= MAX_VOLATILE_ENTRIES as u64 {
            return Err(EditError::Busy);
        }
        let newcomer = self.ledger.chain(self.me).admitted() == 0;
        if newcomer && self.ledger.population() >= MAX_AUTHORS {
            return Err(EditError::TooManyAuthors);
        }
        Ok(())
    }

    /// Checks an edit against the graph as it will be step by step, and adds the restores.
    fn plan_edit<'a>(
        &self,
        operations: &'a [LogEntry],
    ) -> Result<Vec<Cow<'a, LogEntry>>, EditError> {
        let (last, before) = operations.split_last().ok_or(EditError::Empty)?;
        let mut planned = Vec::with_capacity(operations.len());
        let mut foreseen = Foreseen::new(self);
        for operation in before {
            foreseen.check(operation, &mut planned)?;
            foreseen.step(operation);
        }
        foreseen.check(last, &mut planned)?;
        Ok(planned)
    }

    /// Writes operations down as own entries: in the graph at once, in the log soon.
    fn author_all<E: Borrow<LogEntry>>(
        &mut self,
        timestamp_ms: u64,
        flags: u8,
        operations: &[E],
    ) -> Result<Receipt, EditError> {
        let Scratch { payloads, ends, .. } = &mut self.edits.scratch;
        payloads.clear();
        ends.clear();
        for operation in operations {
            operation.borrow().encode_payload(payloads)?;
            ends.push(payloads.len());
            if payloads.len() > MAX_BATCH_BYTES {
                return Err(EditError::TooMany(operations.len()));
            }
        }
        let bytes = payloads.len() + operations.len() * ENTRY_OVERHEAD;
        let vector_bytes = self.edits.advanced.len() * 80;
        if operations.len() > MAX_BATCH_ENTRIES || bytes + vector_bytes > MAX_EDIT_BYTES {
            return Err(EditError::TooMany(operations.len()));
        }
        let builder = &self.edits.builder;
        let fits = builder.len() + operations.len() <= MAX_BATCH_ENTRIES
            && builder.bytes() + bytes + vector_bytes <= MAX_BATCH_BYTES;
        if !fits {
            self.seal_edits();
        }
        let first = self.ledger.chain(self.me).admitted() + 1;
        let mut start = 0;
        for (index, operation) in operations.iter().enumerate() {
            let end = self.edits.scratch.ends[index];
            self.author(timestamp_ms, flags, operation.borrow().kind(), start..end);
            start = end;
        }
        let last = self.ledger.chain(self.me).admitted();
        let receipt = self.edits.receipt(self.peer_id(), first, last);
        self.edits.entries.push_back(receipt);
        Ok(receipt)
    }

    /// Writes down one entry, whose payload lies in the scratch.
    fn author(&mut self, timestamp_ms: u64, flags: u8, kind: u16, payload: Range<usize>) {
        let me = self.me;
        let edits = &mut self.edits;
        let Scratch { payloads, link, delta, rows, .. } = &mut edits.scratch;
        let payload = &payloads[payload];
        delta.clear();
        // Genesis entries are from before everything: they have seen nothing.
        let genesis = flags & FLAG_GENESIS != 0;
        let seen = if genesis { 0 } else { edits.advanced.len() };
        for author in edits.advanced.drain(..seen) {
            let applied = self.state.applied(author);
            if author != me && applied > self.ledger.chain(me).seen(author) {
                delta.push((author, applied));
            }
        }
        delta.sort_unstable_by_key(|&(author, _)| self.authors.peer(author));
        rows.clear();
        for &(author, applied) in delta.iter() {
            self.ledger.chain_mut(me).raise_seen(author, applied);
            rows.push((edits.builder.row(self.authors.peer(author)), applied));
        }
        let chain = self.ledger.chain_mut(me);
        let sequence = chain.admitted() + 1;
        let named = delta.iter().map(|&(author, sequence)| (self.authors.peer(author), sequence));
        let covered = Link {
            flags,
            sequence,
            timestamp_ms,
            delta: named,
            delta_len: delta.len(),
            kind,
            payload_hash: payload_hash(payload),
            payload_len: payload.len(),
        };
        let hash = chain_next(&chain.head(), covered, link);
        chain.push(hash);
        let author = edits.builder.row(self.authors.peer(me));
        edits.builder.push(NewEntry {
            author,
            flags,
            kind,
            sequence,
            timestamp_ms,
            delta: rows,
            payload,
        });
        let stamp = EntryStamp { author: me, sequence, timestamp_ms, genesis };
        self.state.apply(&self.authors, stamp, delta, LogEntry::decode(kind, payload));
    }

    /// Puts the own entries that no append holds in line for the disk.
    pub(super) fn seal_edits(&mut self) {
        if let Some(batch) = self.take_unsealed() {
            self.name_author();
            self.pipeline.submit(Pending::Own(Arc::new(batch)));
        }
    }

    /// Takes the own entries that no append holds, as a batch.
    pub(super) fn take_unsealed(&mut self) -> Option<Batch> {
        let builder = std::mem::take(&mut self.edits.builder);
        self.ledger.seal(&self.authors, builder)
    }

    /// Whether the fate of an edit is still open.
    pub(crate) fn is_unsettled(&self, receipt: Receipt) -> bool {
        self.edits.entries.binary_search_by_key(&receipt.number, |r| r.number).is_ok()
            || self.edits.consents.iter().any(|consent| consent.receipt == receipt)
    }

    /// Ends this core.
    pub(crate) fn into_legacy(self) -> Legacy {
        let chain = self.ledger.chain(self.me);
        let hashes = self.edits.entries.iter().map(|receipt| {
            chain.hash_at(receipt.last).expect("own entries are in the ledger when made")
        });
        Legacy {
            hashes: hashes.collect(),
            rounds: self.rounds.iter().map(|(&id, round)| (id, round.peer())).collect(),
            entries: self.edits.entries,
            consents: self.edits.consents,
        }
    }

    /// Decides the fate of the edits that a used-up core left: in the log, made again under the
    /// new name, or refused.
    pub(crate) fn inherit(&mut self, legacy: Legacy, why: &Rebuild) {
        for (receipt, hash) in legacy.entries.into_iter().zip(legacy.hashes) {
            let chain = self.authors.get(receipt.author).map(|author| self.ledger.chain(author));
            let kept = chain.and_then(|chain| chain.hash_at(receipt.last)) == Some(hash);
            let outcome = match why {
                _ if kept => Outcome::Durable(receipt.dots().collect()),
                Rebuild::StoreFailed(error) => {
                    self.counters.note(Counter::EditTakenBack);
                    Outcome::Refused(error.clone())
                }
                Rebuild::Rotated { after } => {
                    let author = self.peer_id();
                    let first = receipt.first.saturating_sub(*after);
                    let last = receipt.last.saturating_sub(*after);
                    Outcome::Durable(Receipt { author, first, last, ..receipt }.dots().collect())
                }
            };
            self.event(Event::Settled { receipt, outcome });
        }
        for (round, peer) in legacy.rounds {
            self.counters.note(Counter::RoundRemade);
            self.start_round(round, peer);
        }
        for PendingConsent { receipt, device, access, .. } in legacy.consents {
            let outcome = match why {
                Rebuild::StoreFailed(error) if self.access_of(device) != access => {
                    Outcome::Refused(error.clone())
                }
                _ => Outcome::Durable(Vec::new()),
            };
            self.event(Event::Settled { receipt, outcome });
        }
    }
}
