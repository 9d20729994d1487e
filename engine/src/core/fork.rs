//! Forks: one author with two histories.
//!
//! The honest cause is a device restored from a backup that went on under its old name. What can
//! be healed is healed: own entries that never left are *disowned* and made again under a new
//! incarnation. What cannot is proven, kept, told to the user, and the author is quarantined: no
//! further entry of it is accepted or sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::admit::Parting;
use super::pipeline::Pending;
use super::{Core, LoadPurpose};
use crate::api::Event;
use crate::author::AuthorIx;
use crate::batch::{Batch, BatchBuilder, EntryRef, NewEntry};
use crate::counters::Counter;
use crate::hash::{Hash, Link, chain_next, chain_start, payload_hash};
use crate::id::{DeviceId, PeerId};
use crate::record::{ForkProof, Record};
use crate::wire::{Exclusion, Frontier, FrontierRow, Reject};

/// The change of the own incarnation, while it is under way.
#[derive(Debug)]
pub(super) struct Healing {
    /// The last own entry that stays, as far as is known.
    after: u64,
    /// Where the search for own entries in the log goes on; `None` before it begins.
    next: Option<u64>,
    /// The vector of the own entry looked at last.
    vector: BTreeMap<PeerId, u64>,
    /// Disowned entries, to be made again.
    lost: Vec<LostEntry>,
    submitted: bool,
    loading: bool,
}

#[derive(Debug)]
struct LostEntry {
    /// Under the old name.
    sequence: u64,
    flags: u8,
    kind: u16,
    timestamp_ms: u64,
    /// What it had seen, own author left out.
    vector: BTreeMap<PeerId, u64>,
    payload: Vec<u8>,
}

impl Core {
    /// The last accepted sequence of each quarantined author.
    pub(super) fn closed(&self) -> BTreeMap<AuthorIx, u64> {
        self.forks.iter().map(|(&author, proof)| (author, proof.common)).collect()
    }

    /// The quarantined authors, and the last entry that both histories of each share.
    pub(crate) fn forks(&self) -> BTreeMap<PeerId, u64> {
        self.forks.values().map(|proof| (proof.author, proof.common)).collect()
    }

    /// The quarantined authors, as told to peers.
    pub(super) fn exclusions(&self) -> Vec<Exclusion> {
        let rows = self.forks.values().map(|proof| Exclusion {
            peer: proof.author,
            common: proof.common,
            branch: proof.ours,
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by_key(|row| row.peer);
        rows
    }

    /// Takes note that a peer's history of an author differs from ours. `by` is that peer, if it
    /// is known: a parked batch does not say who sent it.
    pub(super) fn part(
        &mut self,
        parting: Parting,
        by: Option<DeviceId>,
        round: Option<u64>,
    ) -> Reject {
        let Parting { author, at, proof } = parting;
        let common = at.saturating_sub(1);
        let peer = self.authors.peer(author);
        match proof {
            Some((ours, theirs)) => self.fork_proven(author, common, ours, theirs),
            None => {
                if author == self.me {
                    self.held_back = true;
                }
                let from = if author == self.me { self.known_elsewhere() } else { at };
                if let Some(round) = round.and_then(|round| self.rounds.get_mut(&round)) {
                    round.doubt(author, at, from);
                    round.report.forks.push(peer);
                }
                let known =
                    self.forks.contains_key(&author) || self.suspected.contains_key(&author);
                if let Some(by) = by.filter(|_| !self.forks.contains_key(&author)) {
                    self.suspected.entry(author).or_default().insert(by);
                }
                if !known {
                    self.counters.note(Counter::ForkSuspected);
                    self.event(Event::Fork { author: peer, common, proven: false });
                }
            }
        }
        Reject::Fork { author: peer, common }
    }

    /// What a peer's frontier says now counts, not what it said before: it may have healed since.
    pub(super) fn settle_suspicions(&mut self, by: DeviceId, theirs: &Frontier) {
        let (authors, ledger) = (&self.authors, &self.ledger);
        self.suspected.retain(|&author, devices| {
            let row = theirs.get(authors.peer(author));
            let same =
                |row: &FrontierRow| ledger.chain(author).hash_at(row.sequence) == Some(row.hash);
            if row.is_none_or(same) {
                devices.remove(&by);
            }
            !devices.is_empty()
        });
    }

    /// Both sides of a fork are known: `ours` and `theirs` are the hashes at `common + 1`.
    pub(super) fn fork_proven(&mut self, author: AuthorIx, common: u64, ours: Hash, theirs: Hash) {
        if author == self.me && common >= self.known_elsewhere() {
            self.counters.note(Counter::RenamedForFork);
            return self.start_healing(common);
        }
        // A third branch may part earlier than the two that are known.
        if self.forks.get(&author).is_some_and(|known| known.common <= common) {
            return;
        }
        let peer = self.authors.peer(author);
        let proof = ForkProof { author: peer, common, ours, theirs };
        self.counters.note(Counter::ForkProven);
        self.forks.insert(author, proof);
        self.suspected.remove(&author);
        self.rounds.values_mut().for_each(|round| round.believe(author, u64::MAX));
        self.pipeline.submit(Pending::Fork(proof));
        self.event(Event::Fork { author: peer, common, proven: true });
        if author == self.me {
            self.counters.note(Counter::RenamedForFork);
            self.change_name();
        }
    }

    /// Compares what a peer says it excludes with our own histories.
    pub(super) fn weigh_exclusions(&mut self, excluded: &[Exclusion]) {
        for row in excluded {
            let Some(author) = self.authors.get(row.peer) else { continue };
            let ours = self.ledger.chain(author).hash_at(row.common.saturating_add(1));
            if let Some(ours) = ours.filter(|&ours| ours != row.branch) {
                self.counters.note(Counter::ForkToldByPeer);
                self.fork_proven(author, row.common, ours, row.branch);
            }
        }
    }

    /// Begins to author as a new incarnation; own entries after `after` are made again.
    pub(super) fn start_healing(&mut self, after: u64) {
        if self.healing.is_none() {
            // From here on nothing is sealed until the end, where only what lies after `after` is
            // made again.
            self.seal_edits();
            self.healing = Some(Healing {
                after,
                next: None,
                vector: BTreeMap::new(),
                lost: Vec::new(),
                submitted: false,
                loading: false,
            });
        }
    }

    /// Whether the last append of this core is under way: nothing can be edited until the next.
    pub(super) fn changing_name(&self) -> bool {
        self.healing.as_ref().is_some_and(|healing| healing.submitted)
    }

    /// The last own entry that stays under the old name.
    pub(super) fn healed_after(&self) -> u64 {
        self.healing.as_ref().map_or(0, |healing| healing.after)
    }

    /// Begins to author as a new incarnation and keeps all entries made so far.
    pub(super) fn change_name(&mut self) {
        self.start_healing(self.ledger.chain(self.me).admitted());
    }

    /// Goes on with the change of the incarnation once nothing is on its way to the disk.
    pub(super) fn heal_when_quiet(&mut self) {
        if !self.pipeline.is_quiet() {
            return;
        }
        let tail = self.ledger.chain(self.me).durable();
        let Some(healing) = &mut self.healing else { return };
        if healing.submitted || healing.loading {
            return;
        }
        let next = *healing.next.get_or_insert_with(|| {
            // Not before: until now a base with another root may have been on its way.
            let seen = self.root.seen.iter();
            healing.vector = seen.map(|&(by, last)| (self.authors.peer(by), last)).collect();
            0
        });
        let lossless = tail <= healing.after && self.edits.is_sealed();
        let after_root = self.root.sequence + 1;
        let own = [(self.me, after_root, tail)];
        let positions = (!lossless).then(|| self.index.holding(&own, usize::MAX, next));
        match positions {
            Some(positions) if !positions.is_empty() => {
                healing.loading = true;
                healing.next = positions.last().map(|last| last + 1);
                self.load(positions, LoadPurpose::Heal);
            }
            _ => self.submit_healing(tail),
        }
    }

    /// Collects the own entries to be made again, with the vectors that they had.
    pub(super) fn heal_loaded(&mut self, batches: &[Arc<Batch>]) {
        let (me, root) = (self.peer_id(), self.root.sequence);
        let Some(healing) = &mut self.healing else { return };
        healing.loading = false;
        for batch in batches {
            let peers = batch.authors();
            let own =
                |e: &EntryRef<'_>| peers[usize::from(e.author)].peer == me && e.sequence > root;
            for entry in batch.entries().filter(own) {
                for &(row, sequence) in entry.delta {
                    healing.vector.insert(peers[usize::from(row)].peer, sequence);
                }
                if entry.sequence > healing.after {
                    healing.lost.push(LostEntry {
                        sequence: entry.sequence,
                        flags: entry.flags,
                        kind: entry.kind,
                        timestamp_ms: entry.timestamp_ms,
                        vector: healing.vector.clone(),
                        payload: entry.payload.to_vec(),
                    });
                }
            }
        }
    }

    /// The last append of this core: the new name, and under it what the old one lost.
    fn submit_healing(&mut self, tail: u64) {
        if let Some(unsealed) = self.take_unsealed() {
            self.heal_loaded(&[Arc::new(unsealed)]);
        }
        let elsewhere = self.known_elsewhere();
        let Some(healing) = &mut self.healing else { return };
        healing.submitted = true;
        // Others may have shown until now that they have more of it.
        healing.after = healing.after.max(elsewhere);
        let (after, mut lost) = (healing.after, std::mem::take(&mut healing.lost));
        lost.retain(|entry| entry.sequence > after);
        self.counters.note_many(Counter::AuthoredAnew, lost.len() as u64);
        let device = self.config.device;
        let incarnation = self.next_incarnation;
        self.pipeline.submit(Pending::Final(Record::Identity { device, incarnation }));
        let old = self.peer_id();
        if tail > after {
            self.pipeline.submit(Pending::Final(Record::Disown { author: old, after }));
        }
        let new = PeerId::derive(device, incarnation);
        for batch in self.reauthor(old, after, new, lost) {
            self.pipeline.submit(Pending::Final(Record::Ready(Arc::new(batch))));
        }
        self.flush();
    }

    fn reauthor(&self, old: PeerId, after: u64, new: PeerId, lost: Vec<LostEntry>) -> Vec<Batch> {
        let workspace = self.config.workspace;
        let start = chain_start(workspace, new);
        let mut hashes = vec![start];
        let mut scratch = Vec::new();
        let mut seen: BTreeMap<PeerId, u64> = BTreeMap::new();
        let mut builder = BatchBuilder::default();
        let mut batches = Vec::new();
        let finish = |builder: BatchBuilder, hashes: &[Hash]| {
            builder.finish(workspace, |peer, sequence| {
                if peer == new {
                    return hashes[sequence as usize];
                }
                let author = self.authors.get(peer).expect("a relied on author is known");
                self.ledger.chain(author).hash_at(sequence).expect("a relied on entry is known")
            })
        };
        for (index, mut entry) in lost.into_iter().enumerate() {
            if after > 0 {
                entry.vector.insert(old, after);
            }
            let delta: Vec<(PeerId, u64)> = entry
                .vector
                .iter()
                .map(|(&peer, &sequence)| (peer, sequence))
                .filter(|(peer, sequence)| seen.get(peer).is_none_or(|before| before < sequence))
                .collect();
            if !builder.fits(delta.len(), entry.payload.len()) {
                batches.extend(finish(std::mem::take(&mut builder), &hashes));
            }
            seen.extend(delta.iter().copied());
            let sequence = index as u64 + 1;
            let link = Link {
                flags: entry.flags,
                sequence,
                timestamp_ms: entry.timestamp_ms,
                delta: delta.iter().copied(),
                delta_len: delta.len(),
                kind: entry.kind,
                payload_hash: payload_hash(&entry.payload),
                payload_len: entry.payload.len(),
            };
            hashes.push(chain_next(&hashes[index], link, &mut scratch));
            let rows: Vec<(u16, u64)> =
                delta.iter().map(|&(peer, sequence)| (builder.row(peer), sequence)).collect();
            let author = builder.row(new);
            builder.push(NewEntry {
                author,
                flags: entry.flags,
                kind: entry.kind,
                sequence,
                timestamp_ms: entry.timestamp_ms,
                delta: &rows,
                payload: &entry.payload,
            });
        }
        batches.extend(finish(builder, &hashes));
        batches
    }
}
