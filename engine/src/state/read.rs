//! Reads: the graph and its parts as plain values.
//!
//! A reader sees the graph as of the last [`State::refresh`]; only [`State::exists`] and
//! [`State::knows`] count what was applied since, for the sake of an author in mid-batch.

use std::collections::BTreeSet;

use super::pair::{Ends, Pair};
use super::{Records, State, removal};
use crate::author::Authors;
use crate::entry::EdgeKind;
use crate::graph::{Edge, Graph, Node, Visit};
use crate::id::NodeId;

impl State {
    /// The whole graph.
    pub(crate) fn graph(&self, authors: &Authors) -> Graph {
        let records = &self.records;
        let nodes = records.nodes.iter().filter(|(_, node)| node.facts.visible());
        let edges = records.pairs.iter().filter(|(_, pair)| pair.facts.shown > 0);
        Graph {
            nodes: nodes.map(|(id, node)| (id, node.public(authors))).collect(),
            edges: edges
                .map(|((from, to), pair)| {
                    let ids = (records.nodes.key(from), records.nodes.key(to));
                    (ids, public(authors, pair, records.ends(from, to)))
                })
                .collect(),
            conflicts: self.conflicts(authors),
        }
    }

    /// A node that exists, or a ghost.
    pub(crate) fn node(&self, authors: &Authors, id: NodeId) -> Option<Node> {
        let node = self.records.nodes.get(&id).filter(|node| node.facts.visible())?;
        Some(node.public(authors))
    }

    /// What leads from one node to another, if anything is shown.
    pub(crate) fn edge(&self, authors: &Authors, from: NodeId, to: NodeId) -> Option<Edge> {
        let (pair, ends) = self.records.find_pair(from, to)?;
        (pair.facts.shown > 0).then(|| public(authors, pair, ends))
    }

    /// The shown pairs that a node is an end of, ascending.
    pub(crate) fn pairs_of(&self, id: NodeId) -> Vec<(NodeId, NodeId)> {
        let records = &self.records;
        let all = records.nodes.get(&id).into_iter().flat_map(|node| &node.pairs);
        let shown = all.filter(|&&index| records.pairs[index].facts.shown > 0);
        let mut ids: Vec<_> = shown
            .map(|&index| records.pairs.key(index))
            .map(|(from, to)| (records.nodes.key(from), records.nodes.key(to)))
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Whether the node exists now, unrefreshed entries included.
    pub(crate) fn exists(&self, id: NodeId) -> bool {
        let covered = |stamp| removal::covers(self.clear.as_ref(), stamp);
        let node = self.records.nodes.get(&id);
        node.is_some_and(|node| !node.additions.iter().all(covered))
    }

    /// Whether an addition of the node or a write to it ever came.
    pub(crate) fn knows(&self, id: NodeId) -> bool {
        self.records.nodes.get(&id).is_some_and(|node| node.known)
    }

    /// How many nodes a reader sees, ghosts included.
    pub(crate) fn node_count(&self) -> usize {
        self.visible_nodes
    }

    /// How many pairs (from, to) have a shown edge or visit.
    pub(crate) fn edge_count(&self) -> usize {
        self.shown_pairs
    }
}

impl Records {
    pub(super) fn find_pair(&self, from: NodeId, to: NodeId) -> Option<(&Pair, Ends<'_>)> {
        let (from, to) = (self.nodes.find(&from)?, self.nodes.find(&to)?);
        Some((self.pairs.get(&(from, to))?, self.ends(from, to)))
    }

    /// The kinds of the edges that are shown on a pair.
    pub(super) fn edge_kinds(&self, from: NodeId, to: NodeId) -> BTreeSet<EdgeKind> {
        let pair = self.find_pair(from, to);
        let shown = pair.into_iter().flat_map(|(pair, ends)| pair.shown_additions(ends));
        shown.map(|addition| addition.kind).collect()
    }
}

fn public(authors: &Authors, pair: &Pair, ends: Ends<'_>) -> Edge {
    let visit = |visit: &super::pair::Visit| Visit {
        timestamp_ms: visit.at_ms,
        dot: authors.dot(visit.stamp().dot()),
        trigger: visit.trigger,
    };
    let mut visits: Vec<_> = pair.shown_visits(ends).map(visit).collect();
    visits.sort_unstable();
    Edge { kinds: pair.shown_additions(ends).map(|addition| addition.kind).collect(), visits }
}
