//! What becomes durable at a peer: taken note of, and judged at that moment.

use std::collections::BTreeSet;

use graphshell_sync::wire::Frontier;
use graphshell_sync::{Dot, Hash, PeerId, Record, Snapshot, SyncedLogEntry};

use super::image::Handed;
use super::shared::World;
use crate::oracle::{Finding, bounds, compaction, durability};
use crate::trace::Mark;

impl World {
    /// Records have become durable at a peer.
    pub(crate) fn became_durable(&self, me: usize, records: &[Record]) {
        let peer = &self.peers[me];
        let mut image = peer.image.borrow_mut();
        let (before, old) = (image.contents.held.vector(), image.records.len());
        let fits = image.append(records, peer.author.get());
        let after = image.contents.held.vector();
        self.archive(records);
        let mut entries = 0;
        for record in records {
            match record {
                Record::Ready(batch) => {
                    entries += batch.len();
                }
                Record::Parked(_) => self.count("batches parked"),
                Record::Fork(_) => self.count("forks proven"),
                Record::Disown { author, after } => {
                    self.count("histories disowned");
                    let log = image.records.iter().filter_map(|bytes| Record::decode(bytes).ok());
                    let lost = durability::said_by(*author, *after, log);
                    // The new name stands in the same append.
                    let anew = name_in(records)
                        .map(|new| durability::said_by(new, 0, records.iter().cloned()));
                    let first = Dot { peer: *author, sequence: *after + 1 };
                    let anew = anew.unwrap_or_default();
                    self.judge(durability::judge_disowned(me, first, &lost, &anew));
                    peer.acknowledged.borrow_mut().disowned(*author, *after);
                    // An edit may be cut in the middle: what others hold of it stays.
                    peer.authored.borrow_mut().retain(|first, moment| {
                        first.peer != *author || first.sequence + moment.entries <= *after + 1
                    });
                }
                Record::Identity { device, incarnation } => {
                    // What was never durable under the old name was made again under the new one.
                    let new = PeerId::derive(*device, *incarnation);
                    let made = |dot: Dot| dot.peer == new || image.contents.held.get(dot).is_some();
                    peer.authored.borrow_mut().retain(|&dot, _| made(dot));
                    self.authors_as(me, new);
                }
                Record::Consent { device, access } => {
                    let mut lowering = peer.lowering.borrow_mut();
                    let pending = lowering.get_mut(device);
                    pending.and_then(|pending| pending.pop_front_if(|first| first == access));
                }
            }
        }
        self.judge(bounds::judge_waiting(me, image.contents.waiting()));
        // No round may count it: what waited for its causes comes in none.
        peer.moved.set(peer.moved.get() || entries > 0);
        let bytes = image.records[old..].concat();
        let count = records.len();
        self.tell(me, format_args!("has written {count} records, {entries} entries"), &bytes);
        self.mark(me, || Mark::Stored(records.to_vec()));
        self.judge(fits.map_err(|wrong| Finding {
            property: "a log contradicts itself",
            peers: vec![me],
            operations: vec![wrong.dot],
            detail: format!("the entry {}", wrong.what),
        }));
        let ours = |author| self.author(author) == Some(me);
        let whole = peer.atomic.borrow().judge(me, ours, "the disk holds", (&before, &after));
        self.judge(whole);
    }

    /// Keeps the entries of records that are durable somewhere.
    pub(crate) fn archive(&self, records: &[Record]) {
        let batches = records.iter().filter_map(|record| match record {
            Record::Ready(batch) if self.plan.cuts_logs() => Some(batch),
            _ => None,
        });
        batches.for_each(|batch| self.archive.borrow_mut().add(batch));
    }

    /// A peer has put a base under its log.
    pub(crate) fn rebased(&self, me: usize, base: Snapshot, first: u64, handed: Option<&Handed>) {
        let peer = &self.peers[me];
        let mut image = peer.image.borrow_mut();
        let (before, vector, recovers) =
            (image.contents.held.vector(), base.vector.clone(), image.lost > 0);
        let bytes = base.bytes.clone();
        let dropped = image.rebase(base, first, handed);
        let count = dropped.len();
        self.tell(me, format_args!("puts a base under its log and cuts {count} records"), &bytes);
        self.mark(me, || Mark::Rebased(vector.clone()));
        if recovers {
            self.count("records lost and recovered");
        } else if count > 0 {
            self.count("logs compacted");
        } else {
            self.count("snapshots joined");
        }
        let after = image.contents.held.vector();
        self.judge(compaction::judge_base(me, &after, &vector));
        // What a snapshot brings shows and is stored as one.
        peer.atomic.borrow_mut().joined(&before, &after);
        // What was disowned stands in the log too, and nobody is to have it.
        let counts = |&(dot, hash): &(Dot, Hash)| image.contents.held.get(dot) == Some(hash);
        let mut cut: Vec<_> = dropped.into_iter().flat_map(entries).filter(counts).collect();
        if !cut.is_empty() {
            // If it came back from others it stands there once more.
            let left = image.records.iter().filter_map(|bytes| Record::decode(bytes).ok());
            let left: BTreeSet<_> = left.flat_map(entries).collect();
            cut.retain(|entry| !left.contains(entry));
        }
        let cut: Vec<Dot> = cut.into_iter().map(|(dot, _)| dot).collect();
        for (place, other) in self.peers.iter().enumerate().filter(|&(place, _)| place != me) {
            let shares = image.contents.shared.contains_key(&other.device);
            let honest = other.liar.borrow().is_none();
            if shares && honest && peer.cut_by_word_of(place, other) {
                let held = &other.image.borrow().contents.held;
                self.judge(compaction::judge_cut(me, &cut, (place, held)));
            }
        }
    }

    /// The history that a frontier of a peer stands for, whatever its log still tells of it;
    /// `None` if the log tells all.
    pub(crate) fn whole_history(
        &self,
        me: usize,
        frontier: &Frontier,
    ) -> Option<Vec<SyncedLogEntry>> {
        let peer = &self.peers[me];
        // An engine that began to cut tells no more of what it cuts, unless the store refused.
        let whole = peer.image.borrow().base.is_none() && !peer.cuts.get();
        (!whole).then(|| self.archive.borrow().history(frontier))
    }
}

/// The name that records tell of, if they do.
fn name_in(records: &[Record]) -> Option<PeerId> {
    records.iter().find_map(|record| match record {
        Record::Identity { device, incarnation } => Some(PeerId::derive(*device, *incarnation)),
        _ => None,
    })
}

/// The entries of a record that is merged, each with its author's running hash there.
fn entries(record: Record) -> Vec<(Dot, Hash)> {
    match record {
        Record::Ready(batch) => batch.running_hashes(),
        _ => Vec::new(),
    }
}
