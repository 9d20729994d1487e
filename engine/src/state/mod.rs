//! The merge: a pure function of the set of entries applied.
//!
//! A [`State`] is what all entries applied so far mean together, with everything that later
//! entries are judged by. It knows neither log nor network nor clock, and nothing a reader can
//! see of it depends on the order of arrival, on batching or on the numbers that authors and
//! nodes have in memory: ties are broken, and everything is written down, by ids.
//!
//! Entries come in causal order, each once. That is what lets records be small: when an entry
//! comes, all that its author had seen is here, and nothing that comes later lies in its past.
//!
//! * **Values.** Each field of a node is a register that keeps its concurrent writes. A write
//!   replaces those that its author had seen. Of the others the last by (time, peer, sequence) is
//!   shown.
//! * **Existence.** A node exists iff one of its additions is uncovered. A removal *covers* what
//!   its author had seen; a clear removes every node, edge and visit at once. What a removal had
//!   not seen survives it. Genesis additions (a legacy log re-authored) do not survive any.
//! * **Edges and visits** are sets of additions. One is shown iff it is uncovered and, for each
//!   end, the end exists or the removal of that end does not cover it. So removing a node hides
//!   what its user saw there, and restoring it shows that again.
//! * **Conflicts** are read off, never remembered: a removed node with an uncovered current write
//!   (delete versus update), a node that does not exist but has a shown edge or visit (a ghost),
//!   two shown typed additions that had not seen each other (edge types). Which settles which is
//!   a matter of vectors too: settling an edge pair settles the disagreements its author had seen.
//!
//! [`State::apply`] changes records and notes what it touched; [`State::refresh`] ends a batch by
//! working out anew, for what was touched only, which facts a reader sees; a clear touches
//! everything, once per batch. [`State::join`] makes two states one. The rest reads.

mod causality;
mod conflict;
mod disguise;
mod join;
mod node;
mod pair;
mod read;
mod refresh;
mod register;
mod removal;
mod rivals;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::author::{AuthorIx, Authors};
use crate::entry::{EdgeKind, LogEntry};
use crate::graph::{ConflictId, ConflictKind, Subject};
use crate::id::NodeId;
use crate::vector::VersionVector;
use causality::{Clocks, Components};
use node::Node;
use pair::{Addition, Pair, Visit};
use removal::Removal;
use table::Table;

pub(crate) use causality::EntryStamp;
pub use refresh::Delta;

/// The merged graph with everything that later entries are judged by.
#[derive(Debug)]
pub(crate) struct State {
    clocks: Clocks,
    records: Records,
    /// The clears as one; applies to every node, edge and visit.
    clear: Option<Removal>,
    opaque: Vec<Opaque>,
    /// The conflicts that are listed.
    open: BTreeMap<ConflictId, (ConflictKind, Subject)>,
    /// Whether a clear came since the last refresh.
    cleared: bool,
    visible_nodes: usize,
    shown_pairs: usize,
    revision: u64,
}

/// An entry without a meaning here, kept for those to whom it has one.
#[derive(Clone, Debug)]
pub(crate) struct Opaque {
    pub(crate) stamp: EntryStamp,
    pub(crate) kind: u16,
    pub(crate) payload: Box<[u8]>,
}

/// Nodes and pairs, and which of them were touched since the last refresh.
#[derive(Debug)]
struct Records {
    nodes: Table<NodeId, Node>,
    pairs: Table<(u32, u32), Pair>,
    touched_nodes: Vec<u32>,
    touched_pairs: Vec<u32>,
}

impl State {
    /// The state before any entry. `key` keeps strangers from choosing colliding ids.
    pub(crate) fn new(key: [u64; 4]) -> Self {
        State {
            clocks: Clocks::default(),
            records: Records {
                nodes: Table::new(key),
                pairs: Table::new(key),
                touched_nodes: Vec::new(),
                touched_pairs: Vec::new(),
            },
            clear: None,
            opaque: Vec::new(),
            open: BTreeMap::new(),
            cleared: false,
            visible_nodes: 0,
            shown_pairs: 0,
            revision: 0,
        }
    }

    /// How many entries of `author` are applied.
    pub(crate) fn applied(&self, author: AuthorIx) -> u64 {
        self.clocks.applied(author)
    }

    /// Another number after everything that is applied.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Everything that is applied: the vector of an entry that were authored now.
    pub(crate) fn vector(&self, authors: &Authors) -> VersionVector {
        authors.sorted().into_iter().map(|(peer, author)| (peer, self.applied(author))).collect()
    }

    /// Applies one entry, the author's next, whose causes are applied.
    ///
    /// `delta` are the components of the entry's vector that rose since the author's previous
    /// entry, without the author's own. Readers of the graph see the entry after the next
    /// [`refresh`](Self::refresh).
    pub(crate) fn apply(
        &mut self,
        authors: &Authors,
        stamp: EntryStamp,
        delta: &[(AuthorIx, u64)],
        entry: LogEntry<&str>,
    ) {
        self.revision += 1;
        let author = self.clocks.advance(stamp.author, stamp.sequence, delta);
        let records = &mut self.records;
        let clear = self.clear.as_ref();
        match entry {
            LogEntry::AddNode { node_id, url, position } => {
                let node = records.node(node_id);
                node.add(stamp, clear);
                node.touch.changed |= node.url.write(authors, author, stamp, url.into());
                node.touch.changed |= node.position.write(authors, author, stamp, position);
            }
            LogEntry::RestoreNode { node_id } => records.node(node_id).add(stamp, clear),
            LogEntry::UpdateNodeUrl { node_id, new_url } => {
                let node = records.known(node_id);
                node.touch.changed |= node.url.write(authors, author, stamp, new_url.into());
            }
            LogEntry::UpdateNodeTitle { node_id, title } => {
                let node = records.known(node_id);
                node.touch.changed |= node.title.write(authors, author, stamp, title.into());
            }
            LogEntry::MoveNode { node_id, position } => {
                let node = records.known(node_id);
                node.touch.changed |= node.position.write(authors, author, stamp, position);
            }
            LogEntry::PinNode { node_id, is_pinned } => {
                let node = records.known(node_id);
                let changed = node.rare().pinned.write(authors, author, stamp, is_pinned);
                node.touch.changed |= changed;
            }
            LogEntry::RemoveNode { node_id } => {
                let node = records.node(node_id);
                removal::join(&mut node.rare().removal, authors, author, stamp);
                node.prune(clear);
                node.touch.removed = true;
            }
            LogEntry::AddEdge { from, to, edge_type } => {
                let others = author.components(&stamp);
                let addition = Addition::new(stamp, EdgeKind::Typed(edge_type), others);
                records.pair(from, to).add(addition, clear);
            }
            LogEntry::AssertEdge { from, to } => {
                let addition = Addition::new(stamp, EdgeKind::Asserted, Components::default());
                records.pair(from, to).add(addition, clear);
            }
            LogEntry::AddTraversal { from, to, timestamp_ms, trigger } => {
                records.pair(from, to).visit(Visit::new(stamp, timestamp_ms, trigger), clear);
            }
            LogEntry::RemoveEdge { from, to, kind } => {
                let covers = |stamp: &EntryStamp| stamp.genesis || author.saw(stamp.dot());
                records.pair(from, to).remove(kind, covers);
            }
            LogEntry::SettleEdgePair { from, to } => {
                records.pair(from, to).settle(author.past(&stamp));
            }
            LogEntry::ClearGraph => {
                removal::join(&mut self.clear, authors, author, stamp);
                self.cleared = true;
            }
            LogEntry::Opaque { kind, payload } => {
                self.opaque.push(Opaque { stamp, kind, payload: payload.into() });
            }
        }
    }
}

impl Records {
    /// The record of a node, to be changed.
    fn node(&mut self, id: NodeId) -> &mut Node {
        let (index, _) = self.nodes.intern(id);
        self.touch_node(index);
        &mut self.nodes[index]
    }

    /// The record of a node that is written to.
    fn known(&mut self, id: NodeId) -> &mut Node {
        let node = self.node(id);
        node.known = true;
        node
    }

    /// The record of a pair, its contents to be changed.
    fn pair(&mut self, from: NodeId, to: NodeId) -> &mut Pair {
        let (from, _) = self.nodes.intern(from);
        let (to, _) = self.nodes.intern(to);
        let index = self.intern_pair(from, to);
        self.touch_pair(index);
        let pair = &mut self.pairs[index];
        pair.touch.changed = true;
        pair
    }

    /// The number of the pair of two nodes, which know of it.
    fn intern_pair(&mut self, from: u32, to: u32) -> u32 {
        let (index, new) = self.pairs.intern((from, to));
        if new {
            self.nodes[from].pairs.push(index);
            if to != from {
                self.nodes[to].pairs.push(index);
            }
        }
        index
    }

    fn touch_node(&mut self, index: u32) {
        let touch = &mut self.nodes[index].touch;
        if !std::mem::replace(&mut touch.queued, true) {
            self.touched_nodes.push(index);
        }
    }

    fn touch_pair(&mut self, index: u32) {
        let touch = &mut self.pairs[index].touch;
        if !std::mem::replace(&mut touch.queued, true) {
            self.touched_pairs.push(index);
        }
    }
}
