//! The record of all that leads from one node to another.

use smallvec::SmallVec;

use super::causality::{Components, EntryStamp, Past};
use super::join::Sides;
use super::removal::{self, Removal};
use crate::author::AuthorIx;
use crate::entry::{EdgeKind, LogEntry, Trigger};
use crate::id::NodeId;

/// Edges and visits of one (from, to) that no removal of an edge and no clear covers.
#[derive(Debug, Default)]
pub(super) struct Pair {
    /// Each author's in the order of its sequences.
    pub(super) additions: SmallVec<[Addition; 1]>,
    pub(super) visits: SmallVec<[Visit; 1]>,
    /// What few pairs have.
    settled: Option<Box<Settlements>>,
    pub(super) removed: Removed,
    pub(super) facts: PairFacts,
    pub(super) touch: PairTouch,
}

/// What settlements of one pair had seen; no vector lies within another.
#[derive(Debug, Default)]
struct Settlements(Vec<Past>);

/// One addition of an edge. Flat, as is [`Visit`], since most of the memory of a graph is in them.
#[derive(Clone, Debug)]
pub(super) struct Addition {
    author: AuthorIx,
    genesis: bool,
    pub(super) kind: EdgeKind,
    sequence: u64,
    timestamp_ms: u64,
    /// What the author had seen of others, if the addition can disagree with another.
    pub(super) others: Components,
}

/// One visit.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    author: AuthorIx,
    genesis: bool,
    pub(super) trigger: Trigger,
    sequence: u64,
    timestamp_ms: u64,
    /// When, as the visit says itself.
    pub(super) at_ms: u64,
}

/// Which removals ever named this pair.
///
/// A removal's vector covers only what came before it and went with it, so all that is left of it
/// is that it happened: from then on no genesis addition counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Removed(u8);

/// What readers were last told of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PairFacts {
    /// How many additions and visits are shown.
    pub(super) shown: u32,
    /// Whether shown additions of different types disagree.
    pub(super) disputed: bool,
}

/// What this batch did to a pair so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PairTouch {
    pub(super) queued: bool,
    /// An edge or visit came or went.
    pub(super) changed: bool,
}

/// How far the ends of a pair let its contents be shown: for each end that does not exist, its
/// removal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends<'a>(pub(super) [Option<&'a Removal>; 2]);

impl Ends<'_> {
    pub(super) fn show(self, stamp: &EntryStamp) -> bool {
        !self.0.iter().any(|&end| removal::covers(end, stamp))
    }
}

impl Removed {
    /// A set that no removal can have made is none.
    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        (bits < 1 << 5).then_some(Removed(bits))
    }

    pub(super) fn bits(self) -> u8 {
        self.0
    }

    /// The bit of one kind; `None` stands for all kinds and visits.
    fn bit(kind: Option<EdgeKind>) -> u8 {
        1 << kind.map_or(0, kind_code)
    }

    /// Whether a removal reached this kind; `None` asks for visits.
    fn reached(self, kind: Option<EdgeKind>) -> bool {
        self.0 & (Self::bit(None) | Self::bit(kind)) != 0
    }
}

/// A small number for a kind of edge, from 1.
pub(super) fn kind_code(kind: EdgeKind) -> u8 {
    use crate::entry::EdgeType::{History, Hyperlink, UserGrouped};
    match kind {
        EdgeKind::Typed(Hyperlink) => 1,
        EdgeKind::Typed(History) => 2,
        EdgeKind::Typed(UserGrouped) => 3,
        EdgeKind::Asserted => 4,
    }
}

impl Addition {
    pub(super) fn new(stamp: EntryStamp, kind: EdgeKind, others: Components) -> Self {
        let EntryStamp { author, sequence, timestamp_ms, genesis } = stamp;
        Addition { author, genesis, kind, sequence, timestamp_ms, others }
    }

    pub(super) fn stamp(&self) -> EntryStamp {
        let &Addition { author, genesis, sequence, timestamp_ms, .. } = self;
        EntryStamp { author, sequence, timestamp_ms, genesis }
    }

    /// The operation that would do just this.
    pub(super) fn change(&self, from: NodeId, to: NodeId) -> LogEntry {
        match self.kind {
            EdgeKind::Typed(edge_type) => LogEntry::AddEdge { from, to, edge_type },
            EdgeKind::Asserted => LogEntry::AssertEdge { from, to },
        }
    }
}

impl Visit {
    pub(super) fn new(stamp: EntryStamp, at_ms: u64, trigger: Trigger) -> Self {
        let EntryStamp { author, sequence, timestamp_ms, genesis } = stamp;
        Visit { author, genesis, trigger, sequence, timestamp_ms, at_ms }
    }

    pub(super) fn stamp(&self) -> EntryStamp {
        let &Visit { author, genesis, sequence, timestamp_ms, .. } = self;
        EntryStamp { author, sequence, timestamp_ms, genesis }
    }

    /// The operation that would do just this.
    pub(super) fn change(&self, from: NodeId, to: NodeId) -> LogEntry {
        LogEntry::AddTraversal { from, to, timestamp_ms: self.at_ms, trigger: self.trigger }
    }
}

impl Pair {
    pub(super) fn add(&mut self, addition: Addition, clear: Option<&Removal>) {
        // Whatever a removal saw came before it; only genesis can be dead on arrival.
        let dead = self.removed.reached(Some(addition.kind)) || clear.is_some();
        if !(addition.genesis && dead) {
            self.additions.push(addition);
        }
    }

    pub(super) fn visit(&mut self, visit: Visit, clear: Option<&Removal>) {
        if !(visit.genesis && (self.removed.reached(None) || clear.is_some())) {
            self.visits.push(visit);
        }
    }

    /// Drops what a removal of this kind covers; `None` means all kinds and visits.
    pub(super) fn remove(&mut self, kind: Option<EdgeKind>, covers: impl Fn(&EntryStamp) -> bool) {
        self.removed.0 |= Removed::bit(kind);
        let named = |addition: &Addition| kind.is_none_or(|kind| kind == addition.kind);
        self.additions.retain(|addition| !(named(addition) && covers(&addition.stamp())));
        if kind.is_none() {
            self.visits.retain(|visit| !covers(&visit.stamp()));
        }
        if self.additions.is_empty() {
            self.settled = None;
        }
    }

    /// Drops what a clear covers.
    pub(super) fn prune(&mut self, clear: &Removal) {
        self.additions.retain(|addition| !clear.covers(&addition.stamp()));
        self.visits.retain(|visit| !clear.covers(&visit.stamp()));
        if self.additions.is_empty() {
            self.settled = None;
        }
    }

    /// Settles all disagreements between additions within `past`. Whether it may settle any.
    pub(super) fn settle(&mut self, past: Past) -> bool {
        // A later addition cannot lie within it, so without any now it means nothing.
        if self.additions.is_empty()
            || self.settlements().iter().any(|earlier| past.within(earlier))
        {
            return false;
        }
        let settled = &mut self.settled.get_or_insert_default().0;
        settled.retain(|earlier| !earlier.within(&past));
        settled.push(past);
        true
    }

    /// Takes in another state's record of this pair. Whether it may look different now.
    pub(super) fn join(&mut self, sides: &Sides<'_>, other: Pair, clear: Option<&Removal>) -> bool {
        self.removed.0 |= other.removed.0;
        let mut changed =
            sides.join(&mut self.additions, other.additions, |addition| addition.stamp().dot());
        changed |= sides.join(&mut self.visits, other.visits, |visit| visit.stamp().dot());
        let before = (self.additions.len(), self.visits.len());
        let removed = self.removed;
        self.additions.retain(|edge| !(edge.genesis && removed.reached(Some(edge.kind))));
        self.visits.retain(|visit| !(visit.genesis && removed.reached(None)));
        if let Some(clear) = clear {
            self.prune(clear);
        }
        changed |= before != (self.additions.len(), self.visits.len());
        self.touch.changed |= changed;
        if self.additions.is_empty() {
            self.settled = None;
        }
        let settled = other.settled.map_or_else(Vec::new, |settled| settled.0);
        settled.into_iter().fold(changed, |changed, past| self.settle(past) || changed)
    }

    /// What settlements of the pair had seen.
    pub(super) fn settlements(&self) -> &[Past] {
        self.settled.as_ref().map_or(&[], |settled| &settled.0)
    }

    pub(super) fn shown_additions<'a>(
        &'a self,
        ends: Ends<'a>,
    ) -> impl Iterator<Item = &'a Addition> + Clone {
        self.additions.iter().filter(move |addition| ends.show(&addition.stamp()))
    }

    pub(super) fn shown_visits<'a>(&'a self, ends: Ends<'a>) -> impl Iterator<Item = &'a Visit> {
        self.visits.iter().filter(move |visit| ends.show(&visit.stamp()))
    }

    /// How many additions and visits are shown.
    pub(super) fn count_shown(&self, ends: Ends<'_>) -> u32 {
        let count = match ends {
            Ends([None, None]) => self.additions.len() + self.visits.len(),
            _ => self.shown_additions(ends).count() + self.shown_visits(ends).count(),
        };
        u32::try_from(count).expect("a visit takes more than a byte of memory")
    }
}
