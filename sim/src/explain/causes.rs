//! What an event follows from, and the slice of a story that leads to one event.
//!
//! Happens-before (Lamport, 1978) over everything that a device does links almost all to all. So a
//! link within a device is kept only where entries bind: an entry is sent because it was stored,
//! stored because it arrived or was made, made in view of what was shown about the same nodes.
//! Such a link names its entries, and a slice about some entries follows no link of others.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync::NodeId;
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::events::Event;
use super::frames::{Frame, FrameKind};

/// Deaths and starts of a peer that count as causes of one event, at most.
const MOST_LIVES: usize = 8;

/// An event that another follows from: always, or as far as some entries are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) event: usize,
    /// Places in the list of entries; empty means always.
    pub(super) entries: Vec<usize>,
}

impl Cause {
    pub(super) fn whole(event: usize) -> Self {
        Cause { event, entries: Vec::new() }
    }
}

/// A list: the event, then the entries.
impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(1 + self.entries.len()))?;
        list.serialize_element(&self.event)?;
        self.entries.iter().try_for_each(|entry| list.serialize_element(entry))?;
        list.end()
    }
}

/// Where peers have what they have from, as the story is read.
#[derive(Default)]
pub(super) struct History {
    /// Who made an entry, and at which event.
    made: BTreeMap<usize, (usize, usize)>,
    /// By peer and entry: the event at which it arrived last.
    brought: BTreeMap<(usize, usize), usize>,
    /// By peer: the event at which a part of a snapshot arrived last.
    snapshot: BTreeMap<usize, usize>,
    /// By peer and entry: the event at which it became durable last.
    stored: BTreeMap<(usize, usize), usize>,
    /// By peer and entry: the event at which it was first shown.
    shown: BTreeMap<(usize, usize), usize>,
    /// By peer and node: the events that changed what is shown of it, with the entries shown then.
    touched: BTreeMap<(usize, NodeId), (usize, Vec<usize>)>,
    /// By peer: its deaths and starts.
    lives: BTreeMap<usize, Vec<usize>>,
    /// By peer and other side: the round begun last.
    rounds: BTreeMap<(usize, usize), usize>,
}

impl History {
    pub(super) fn authored(&mut self, me: usize, event: usize, entries: &[usize]) {
        for &entry in entries {
            // After a crash the same name may be given anew.
            self.made.insert(entry, (me, event));
        }
    }

    /// The event at which this very peer made an entry.
    pub(super) fn made_by(&self, me: usize, entry: usize) -> Option<usize> {
        self.made.get(&entry).filter(|&&(who, _)| who == me).map(|&(_, event)| event)
    }

    /// A frame arrives, for the first time.
    pub(super) fn arrived(&mut self, me: usize, event: usize, frame: &Frame) {
        for &entry in &frame.entries {
            self.brought.insert((me, entry), event);
        }
        if frame.kind == FrameKind::Snapshot {
            self.snapshot.insert(me, event);
        }
    }

    /// Entries became durable; why.
    pub(super) fn stored(&mut self, me: usize, event: usize, entries: &[usize]) -> Vec<Cause> {
        let from = |entry: usize| match self.made.get(&entry) {
            Some(&(who, event)) if who == me => Some(event),
            _ => self.brought.get(&(me, entry)).or(self.snapshot.get(&me)).copied(),
        };
        let causes = bundled(entries.iter().map(|&entry| (entry, from(entry))));
        for &entry in entries {
            self.stored.insert((me, entry), event);
        }
        causes
    }

    /// A base covers entries; those that were durable anyhow owe it nothing.
    pub(super) fn rebased(&mut self, me: usize, event: usize, entries: &[usize]) -> Vec<Cause> {
        let new = |entry: &usize| !self.stored.contains_key(&(me, *entry));
        let new: Vec<usize> = entries.iter().copied().filter(new).collect();
        self.stored(me, event, &new)
    }

    /// Where a peer has entries from that it sends.
    pub(super) fn of_acquired(&self, me: usize, entries: &[usize]) -> Vec<Cause> {
        bundled(entries.iter().map(|&entry| (entry, self.stored.get(&(me, entry)).copied())))
    }

    /// Entries are shown, and so these nodes change; why.
    pub(super) fn shown(
        &mut self,
        me: usize,
        event: usize,
        entries: &[usize],
        nodes: &[NodeId],
    ) -> Vec<Cause> {
        let from = |entry: usize| match self.made.get(&entry) {
            Some(&(who, event)) if who == me => Some(event),
            _ => self.stored.get(&(me, entry)).copied(),
        };
        let mut causes = bundled(entries.iter().map(|&entry| (entry, from(entry))));
        // What is shown of a node follows from what was shown of it before.
        let before: BTreeSet<usize> = nodes
            .iter()
            .filter_map(|node| self.touched.get(&(me, *node)))
            .map(|(event, _)| *event)
            .collect();
        for before in before {
            let mut entries: Vec<usize> = self
                .touched
                .values()
                .filter(|(event, _)| *event == before)
                .flat_map(|(_, entries)| entries.iter().copied())
                .collect();
            entries.sort_unstable();
            entries.dedup();
            if !entries.is_empty() {
                causes.push(Cause { event: before, entries });
            }
        }
        // An own edit is shown where it is made.
        let own = entries.iter().map(|&entry| self.made_by(me, entry));
        let event =
            own.reduce(|one, other| one.filter(|_| one == other)).flatten().unwrap_or(event);
        for &node in nodes {
            self.touched.insert((me, node), (event, entries.to_vec()));
        }
        for &entry in entries {
            self.shown.entry((me, entry)).or_insert(event);
        }
        causes
    }

    /// A peer dies or starts; what that follows from.
    pub(super) fn life(&mut self, me: usize, event: usize) -> Vec<Cause> {
        let lives = self.lives.entry(me).or_default();
        let before = lives.last().copied();
        lives.push(event);
        before.map(Cause::whole).into_iter().collect()
    }

    pub(super) fn round(&mut self, me: usize, with: usize, event: usize) {
        self.rounds.insert((me, with), event);
    }

    /// The round that a peer has under way with another.
    pub(super) fn round_of(&self, me: usize, with: usize) -> Vec<Cause> {
        self.rounds.get(&(me, with)).copied().map(Cause::whole).into_iter().collect()
    }

    /// The events before `event` at which a peer first showed these entries.
    pub(super) fn of_shown(
        &self,
        me: usize,
        event: usize,
        entries: &BTreeSet<usize>,
    ) -> Vec<Cause> {
        let first =
            |entry: usize| self.shown.get(&(me, entry)).copied().filter(|&shown| shown < event);
        bundled(entries.iter().map(|&entry| (entry, first(entry))))
    }

    /// What a failure at `peers` follows from, as far as these entries are concerned.
    pub(super) fn of_failure(&self, peers: &[usize], entries: &BTreeSet<usize>) -> Vec<Cause> {
        let mut causes = Vec::new();
        for &peer in peers {
            let last = |entry: usize| {
                let shown = self.shown.get(&(peer, entry));
                shown.or_else(|| self.stored.get(&(peer, entry))).copied()
            };
            causes.extend(bundled(entries.iter().map(|&entry| (entry, last(entry)))));
            // That a peer once started is no news.
            let lives = self.lives.get(&peer).and_then(|lives| lives.get(1..)).unwrap_or(&[]);
            let lives = lives.iter().rev().take(MOST_LIVES);
            causes.extend(lives.copied().map(Cause::whole));
        }
        let made = |entry: usize| self.made.get(&entry).map(|&(_, event)| event);
        let made = bundled(entries.iter().map(|&entry| (entry, made(entry)))).into_iter();
        let known: BTreeSet<usize> = causes.iter().map(|cause| cause.event).collect();
        causes.extend(made.filter(|cause| !known.contains(&cause.event)));
        causes
    }
}

/// One cause for each event, with the entries that lead there.
fn bundled(links: impl Iterator<Item = (usize, Option<usize>)>) -> Vec<Cause> {
    let mut causes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (entry, event) in links {
        if let Some(event) = event {
            causes.entry(event).or_default().push(entry);
        }
    }
    causes.into_iter().map(|(event, entries)| Cause { event, entries }).collect()
}

/// The events that lead to `last`, itself included, in the order of the story; `about` are the
/// entries whose links count, `None` means all.
pub(super) fn slice(events: &[Event], last: usize, about: Option<&BTreeSet<usize>>) -> Vec<usize> {
    let mut found = BTreeSet::from([last]);
    let mut open = vec![last];
    while let Some(event) = open.pop() {
        for cause in &events[event].causes {
            let counts = cause.entries.is_empty()
                || about
                    .is_none_or(|about| cause.entries.iter().any(|entry| about.contains(entry)));
            if counts && found.insert(cause.event) {
                open.push(cause.event);
            }
        }
    }
    found.into_iter().collect()
}
