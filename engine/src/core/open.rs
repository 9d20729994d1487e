//! Opening: the log, replayed through the same gate and merge as live batches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::acknowledged::Acknowledged;
use super::admit::{Admission, Parting};
use super::compact::Compaction;
use super::index::LogIndex;
use super::ledger::Ledger;
use super::offer::Offers;
use super::parked::Parked;
use super::pipeline::{Pending, Pipeline, spans};
use super::select::{Wanted, select};
use super::shared::Weighed;
use super::snapshot::Root;
use super::{Core, Edits};
use crate::api::{Config, Event, OpenError};
use crate::author::{AuthorIx, Authors};
use crate::batch::Batch;
use crate::codec::DecodeError;
use crate::counters::Counters;
use crate::entry::FLAG_GENESIS;
use crate::id::{Incarnation, PeerId};
use crate::ports::Promise;
use crate::record::{Record, Snapshot};
use crate::state::State;
use crate::vector::VersionVector;
use crate::wire::Budget;

/// Entries that a later record of the log takes back: of an author, after a sequence, in the
/// records before a position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disowned {
    author: PeerId,
    after: u64,
    before: u64,
}

/// Whether a replay can go on.
#[derive(Debug)]
pub(crate) enum Replayed {
    /// Yes.
    Further,
    /// No: records before this one hold entries that were taken back. Start again from the log's
    /// beginning, without the snapshot, knowing this.
    Again(Vec<Disowned>),
}

/// A core that is being rebuilt from its log.
#[derive(Debug)]
pub(crate) struct Replay {
    core: Core,
    disowned: Vec<Disowned>,
    /// Whether the disk lost records that had been durable.
    lost: bool,
}

/// Randomness that one opening needs: keys of hash tables and names for new incarnations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeds {
    pub(crate) table: [u64; 4],
    /// For a log that has none.
    pub(crate) first: Incarnation,
    /// For the next change of the name.
    pub(crate) next: Incarnation,
}

impl Replay {
    /// A replay from the start. Receipts will be numbered from `first_receipt` on.
    pub(crate) fn new(
        config: Config,
        seeds: Seeds,
        first_receipt: u64,
        disowned: Vec<Disowned>,
    ) -> Self {
        let authors = Authors::new(seeds.table);
        let ledger = Ledger::new(config.workspace);
        // Until the log or the end of the replay names the author.
        let me = AuthorIx(u32::MAX);
        let core = Core {
            config,
            state: State::new(seeds.table),
            authors,
            ledger,
            index: LogIndex::default(),
            parked: Parked::default(),
            pipeline: Pipeline::default(),
            edits: Edits::starting_at(first_receipt),
            me,
            incarnations: Vec::new(),
            names: BTreeSet::new(),
            incarnation: seeds.first,
            named_device: config.device,
            named: false,
            introduced: false,
            looked: false,
            table_key: seeds.table,
            next_incarnation: seeds.next,
            promised: 0,
            confirmed: 0,
            promising: None,
            after_promise: Vec::new(),
            consents: BTreeMap::new(),
            acknowledged: Acknowledged::default(),
            forks: BTreeMap::new(),
            suspected: BTreeMap::new(),
            healing: None,
            held_back: false,
            rounds: BTreeMap::new(),
            asks: BTreeMap::new(),
            next_call: 0,
            loads: BTreeMap::new(),
            next_ticket: 0,
            open_answers: BTreeMap::new(),
            snapshot_at: 0,
            saving: None,
            checkpoint_wanted: false,
            root: Root::default(),
            compaction: Compaction::default(),
            joining: None,
            offers: Offers::default(),
            counters: Counters::default(),
            hindrances: BTreeMap::new(),
            ended: false,
            outputs: VecDeque::new(),
        };
        Replay { core, disowned, lost: false }
    }

    /// Starts from a snapshot, or the base, instead of the log's beginning.
    ///
    /// # Errors
    /// If it is unreadable; the replay is of no use then.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) -> Result<(), DecodeError> {
        self.core.restore(snapshot)
    }

    /// The position of the next record that is needed.
    pub(crate) fn position(&self) -> u64 {
        self.core.pipeline.end
    }

    /// Takes in the next record of the log.
    pub(crate) fn record(&mut self, record: Record) -> Result<Replayed, OpenError> {
        let position = self.core.pipeline.end;
        self.core.pipeline.end += 1;
        let damaged = |problem: String| Err(OpenError::Damaged { position, problem });
        match record {
            Record::Identity { device, incarnation } => {
                let core = &mut self.core;
                let peer = PeerId::derive(device, incarnation);
                core.me = core.ledger.intern(&mut core.authors, peer);
                core.root = Root::default();
                core.incarnations.push(incarnation);
                core.names.insert(peer);
                (core.incarnation, core.named) = (incarnation, true);
                core.named_device = device;
            }
            Record::Ready(batch) => {
                if batch.workspace() != self.core.config.workspace {
                    let (expected, found) = (self.core.config.workspace, batch.workspace());
                    return Err(OpenError::WrongWorkspace { expected, found });
                }
                let Some(batch) = self.keep(position, batch) else { return Ok(Replayed::Further) };
                let core = &mut self.core;
                match core.ledger.admit(&mut core.authors, batch, None, &BTreeMap::new()) {
                    Admission::Fresh(batch) => core.replay_batch(position, &batch),
                    Admission::Known => {}
                    Admission::Early => return damaged("its causes are missing".to_owned()),
                    Admission::OwnAhead | Admission::Parted(_) => {
                        return damaged("its running hashes do not continue the log".to_owned());
                    }
                    Admission::Refused(reject) => return damaged(reject.to_string()),
                }
            }
            Record::Parked(batch) => {
                self.core.parked.offer(&batch);
            }
            Record::Consent { device, access } => self.core.set_consent(device, access),
            Record::Fork(proof) => {
                let author = self.core.ledger.intern(&mut self.core.authors, proof.author);
                self.core.forks.insert(author, proof);
            }
            Record::Disown { author, after } => {
                let known = self.disowned.iter().any(|d| d.before == position);
                if !known {
                    let mut disowned = self.disowned.clone();
                    disowned.push(Disowned { author, after, before: position });
                    return Ok(Replayed::Again(disowned));
                }
                let core = &self.core;
                let kept = core.authors.get(author).map(|author| core.ledger.chain(author));
                if kept.is_some_and(|chain| chain.admitted() > after) {
                    return damaged("it takes back entries that stand in the base".to_owned());
                }
            }
        }
        Ok(Replayed::Further)
    }

    /// The part of a batch that no later record takes back.
    fn keep(&self, position: u64, batch: Arc<Batch>) -> Option<Arc<Batch>> {
        let until: VersionVector =
            batch.authors().iter().map(|row| (row.peer, row.last())).collect();
        let mut cut = BTreeMap::new();
        for disowned in self.disowned.iter().filter(|disowned| position < disowned.before) {
            if until.get(disowned.author) > disowned.after {
                cut.insert(disowned.author, disowned.after);
            }
        }
        if cut.is_empty() {
            return Some(batch);
        }
        let mut wanted = Wanted { have: VersionVector::new(), until, excluded: cut };
        let selection = select([&batch], &mut wanted, Budget::FULL);
        let ledger = &self.core.ledger;
        ledger.seal(&self.core.authors, selection.builder).map(Arc::new)
    }

    /// The log ended at `end` although it once reached further: joins what a snapshot taken there
    /// still tells. To be called once the whole log is replayed; then the core that comes of it
    /// authors under a new name, which [`Core::new_base`] has to keep before anything else is done.
    ///
    /// # Errors
    /// If the snapshot is unreadable or contradicts the log: it is of no use then, and the core is
    /// what the log alone gives.
    pub(crate) fn recover(&mut self, end: u64, newer: Option<&Snapshot>) -> Result<(), String> {
        self.lost = true;
        let core = &mut self.core;
        // A base that was taken later than the log's end tells of records that are no more.
        core.index.keep(0..end);
        core.pipeline.end = end;
        let Some(newer) = newer else { return Ok(()) };
        let seeds =
            Seeds { table: core.table_key, first: core.incarnation, next: core.next_incarnation };
        let mut later = Replay::new(core.config, seeds, 0, Vec::new()).core;
        later.restore(newer).map_err(|error| error.to_string())?;
        let shared = core.read_shared(&later.encode_shared()).map_err(|error| error.to_string())?;
        match core.weigh(&shared) {
            Weighed::Brings(_) => {}
            Weighed::Refused(reject) => return Err(reject.to_string()),
            Weighed::Parted(Parting { author, at, .. }) => {
                let author = shared.peer(author);
                return Err(format!("its history of {author} parts from the log's at {at}"));
            }
        }
        core.absorb(shared);
        core.take_over(&later);
        Ok(())
    }

    /// The core, ready to go. `witness` is what the memory outside the store says.
    pub(crate) fn finish(self, witness: Option<Promise>) -> Core {
        let mut core = self.core;
        core.edits.advance_all(core.authors.len());
        if core.named {
            let current = core.incarnation;
            if self.lost || core.was_restored(current, witness) {
                let old = core.peer_id();
                core.begin_incarnation();
                let new = core.peer_id();
                core.event(Event::Rotated { old, new });
            } else {
                let witnessed = witness.filter(|promise| promise.incarnation == current);
                // A base is taken only when all in it is promised.
                let witnessed = witnessed.map_or(0, |promise| promise.sequence);
                core.promised = witnessed.max(core.root.sequence);
            }
            if self.lost {
                // The base that is written next says so, in the place of a record.
                core.incarnations.push(core.incarnation);
                core.names.insert(core.peer_id());
                (core.named, core.named_device) = (true, core.config.device);
                core.promise(0);
            }
        } else {
            let peer = PeerId::derive(core.config.device, core.incarnation);
            core.me = core.ledger.intern(&mut core.authors, peer);
        }
        core.confirm_seen();
        core.settle_view_silently();
        core
    }

    /// The core as it is, for a copy that is never driven.
    pub(super) fn into_core(self) -> Core {
        self.core
    }
}

impl Core {
    /// Where the log begins, as the store says.
    pub(crate) fn set_log_first(&mut self, first: u64) {
        self.compaction.first = first;
    }

    /// What the log is to stand on from now on.
    pub(crate) fn new_base(&mut self) -> Snapshot {
        self.root = self.root_now();
        (self.snapshot_at, self.compaction.tried_at) = (self.pipeline.end, self.pipeline.end);
        self.snapshot()
    }

    /// Takes over what only this device knows from a later state of it.
    fn take_over(&mut self, later: &Core) {
        self.consents.clone_from(&later.consents);
        for &device in self.consents.keys() {
            let rows = later.authors.sorted().into_iter().filter_map(|(peer, author)| {
                Some((self.authors.get(peer)?, later.acknowledged.get(device, author)))
            });
            self.acknowledged.replace(device, rows);
        }
        for &proof in later.forks.values() {
            let author = self.ledger.intern(&mut self.authors, proof.author);
            let known = self.forks.entry(author).or_insert(proof);
            if proof.common < known.common {
                *known = proof;
            }
        }
        let known = |incarnation: &Incarnation| self.incarnations.contains(incarnation);
        let new = later.incarnations.iter().filter(|&incarnation| !known(incarnation)).copied();
        let new: Vec<_> = new.collect();
        self.incarnations.extend(new);
        self.names.extend(&later.names);
        self.edits.imported |= later.edits.imported;
        later.parked.iter().for_each(|batch| {
            self.parked.offer(batch);
        });
        self.drop_known_parked();
        if later.named {
            let peer = later.peer_id();
            self.me = self.ledger.intern(&mut self.authors, peer);
            (self.incarnation, self.named) = (later.incarnation, true);
            self.named_device = later.named_device;
        }
    }
}

impl Core {
    /// Whether the log is an older copy than what this device had, or another device's.
    fn was_restored(&self, current: Incarnation, witness: Option<Promise>) -> bool {
        let tail = self.ledger.chain(self.me).durable();
        self.named_device != self.config.device
            || match witness {
                None => true,
                Some(promise) if promise.incarnation == current => tail < promise.sequence,
                // The witness lags behind by one crash, or tells of a life this log knows not of.
                Some(promise) => !self.incarnations.contains(&promise.incarnation),
            }
    }

    /// Authors as a new incarnation; the log tells of it with its first entry.
    fn begin_incarnation(&mut self) {
        (self.incarnation, self.named) = (self.next_incarnation, false);
        (self.introduced, self.looked) = (false, false);
        // This core may have to take yet another name, and never the same one twice.
        self.next_incarnation = self.next_incarnation.successor();
        let peer = PeerId::derive(self.config.device, self.incarnation);
        self.me = self.ledger.intern(&mut self.authors, peer);
        (self.promised, self.confirmed) = (0, 0);
        self.root = Root::default();
    }

    /// Writes the present incarnation down, in the log and for the witness, before its first entry.
    pub(super) fn name_author(&mut self) {
        if !std::mem::replace(&mut self.named, true) {
            let (device, incarnation) = (self.config.device, self.incarnation);
            self.pipeline.submit(Pending::Identity { device, incarnation });
            if !self.introduced && self.promising.is_none() {
                self.promise(0);
            }
        }
    }

    fn replay_batch(&mut self, position: u64, batch: &Batch) {
        let spans = spans(&self.authors, batch);
        for &(author, _, last) in &spans {
            self.ledger.chain_mut(author).set_durable(last);
        }
        self.index.push(position, spans, batch.memory());
        let genesis = batch.entries().find(|entry| entry.flags & FLAG_GENESIS != 0);
        let author = genesis.map(|entry| batch.authors()[usize::from(entry.author)].peer);
        if author.is_some_and(|author| self.names.contains(&author)) {
            self.edits.imported = true;
        }
        self.merge(batch);
        self.drop_known_parked();
    }

    /// Forgets parked batches whose entries have all come.
    pub(super) fn drop_known_parked(&mut self) {
        let (ledger, authors) = (&self.ledger, &self.authors);
        self.parked.drop_where(|batch| {
            batch.authors().iter().all(|row| {
                authors.get(row.peer).is_some_and(|a| ledger.chain(a).admitted() >= row.last())
            })
        });
    }

    /// Brings derived facts up to date without telling anybody: readers start from here.
    fn settle_view_silently(&mut self) {
        self.state.refresh_silently();
    }
}

impl Edits {
    fn advance_all(&mut self, authors: usize) {
        for author in 0..authors {
            self.advance(AuthorIx(author as u32));
        }
    }
}
