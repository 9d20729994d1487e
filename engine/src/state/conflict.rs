//! Conflicts as a reader sees them, read off the records.

use super::causality::EntryStamp;
use super::{Records, State};
use crate::author::{Authors, LocalDot};
use crate::entry::{EdgeKind, EdgeType, LogEntry};
use crate::graph::{Claim, Conflict, ConflictId, ConflictKind, Stamp, Subject};
use crate::id::{Dot, NodeId};

impl State {
    /// Kind and subject of every listed conflict, in the order of the ids.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (ConflictKind, Subject)> {
        self.open.values().copied()
    }

    /// The conflicts that are listed, in the order of their ids.
    pub(crate) fn conflicts(&self, authors: &Authors) -> Vec<Conflict> {
        self.open.keys().filter_map(|&id| self.conflict(authors, id)).collect()
    }

    /// One conflict, if it is listed.
    pub(crate) fn conflict(&self, authors: &Authors, id: ConflictId) -> Option<Conflict> {
        let &(kind, subject) = self.open.get(&id)?;
        let records = &self.records;
        let (removals, mut claims) = match subject {
            Subject::Node(node) => {
                let claims = match kind {
                    ConflictKind::DeleteVsUpdate => self.standing_writes(node),
                    _ => records.shown_around(node),
                };
                (self.standing_removals(authors, node), claims)
            }
            Subject::Pair(from, to) => (Vec::new(), records.disputes(from, to)),
        };
        claims.sort_by_cached_key(|(stamp, change)| (stamp.key(authors), change.kind()));
        let claim = |(stamp, change): (EntryStamp, LogEntry)| Claim {
            stamp: stamp.public(authors),
            change,
        };
        let claims = claims.into_iter().map(claim).collect();
        Some(Conflict { id, kind, subject, removals, claims })
    }

    /// What `dot` wrote in those registers of a node where no other write has seen it.
    pub(crate) fn writes_by(&self, authors: &Authors, node: NodeId, dot: Dot) -> Vec<LogEntry> {
        let Some(author) = authors.get(dot.peer) else { return Vec::new() };
        let local = LocalDot { author, sequence: dot.sequence };
        let record = self.records.nodes.get(&node);
        let writes = record.into_iter().flat_map(|record| record.writes(node));
        writes.filter(|(stamp, _)| stamp.dot() == local).map(|(_, change)| change).collect()
    }

    /// The types of the edges that are shown on a pair, ascending.
    pub(crate) fn shown_types(&self, from: NodeId, to: NodeId) -> Vec<EdgeType> {
        let typed = |kind| match kind {
            EdgeKind::Typed(edge_type) => Some(edge_type),
            EdgeKind::Asserted => None,
        };
        let edge = self.records.edge_kinds(from, to);
        edge.into_iter().filter_map(typed).collect()
    }

    /// The node's own removals that stand, then the clears that stand.
    fn standing_removals(&self, authors: &Authors, node: NodeId) -> Vec<Stamp> {
        let own = self.records.nodes.get(&node).and_then(|node| node.removal());
        let mut all = Vec::new();
        for removal in [own, self.clear.as_ref()].into_iter().flatten() {
            let start = all.len();
            all.extend(removal.by.stamps().map(|stamp| stamp.public(authors)));
            all[start..].sort_unstable();
        }
        all
    }

    /// The current writes to a node that no removal of it covers.
    fn standing_writes(&self, id: NodeId) -> Vec<(EntryStamp, LogEntry)> {
        let Some(node) = self.records.nodes.get(&id) else { return Vec::new() };
        let mut writes = node.writes(id);
        writes.retain(|(stamp, _)| node.stands(self.clear.as_ref(), stamp));
        writes
    }
}

impl Records {
    /// The shown edges and visits that touch a node.
    fn shown_around(&self, id: NodeId) -> Vec<(EntryStamp, LogEntry)> {
        let mut shown = Vec::new();
        let node = self.nodes.get(&id);
        for &index in node.into_iter().flat_map(|node| &node.pairs) {
            let (from, to) = self.pairs.key(index);
            let ends = self.ends(from, to);
            let (from, to) = (self.nodes.key(from), self.nodes.key(to));
            let pair = &self.pairs[index];
            let additions = pair.shown_additions(ends);
            shown.extend(additions.map(|edge| (edge.stamp(), edge.change(from, to))));
            let visits = pair.shown_visits(ends);
            shown.extend(visits.map(|visit| (visit.stamp(), visit.change(from, to))));
        }
        shown
    }

    /// The shown typed additions that disagree with another.
    fn disputes(&self, from: NodeId, to: NodeId) -> Vec<(EntryStamp, LogEntry)> {
        let Some((pair, ends)) = self.find_pair(from, to) else { return Vec::new() };
        let disputes = pair.disputes(ends);
        disputes.map(|edge| (edge.stamp(), edge.change(from, to))).collect()
    }
}
