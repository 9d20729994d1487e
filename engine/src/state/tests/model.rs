//! The meaning of a set of entries, written down as naively as possible: every rule looks at all
//! entries, and no rule looks at an order.

use crate::entry::{EdgeKind, LogEntry, SyncedLogEntry};
use crate::graph::{
    Claim, Conflict, ConflictId, ConflictKind, Edge, Graph, Node, Stamp, Subject, Visit,
};
use crate::id::NodeId;
use LogEntry::*;

pub(super) struct Model<'a>(pub(super) &'a [&'a SyncedLogEntry]);

fn stamp(synced: &SyncedLogEntry) -> Stamp {
    Stamp { timestamp_ms: synced.timestamp_ms, dot: synced.dot() }
}

/// The ends and kind of an edge or visit; a visit has no kind.
fn link(synced: &SyncedLogEntry) -> Option<(NodeId, NodeId, Option<EdgeKind>)> {
    match synced.entry {
        AddEdge { from, to, edge_type } => Some((from, to, Some(EdgeKind::Typed(edge_type)))),
        AssertEdge { from, to } => Some((from, to, Some(EdgeKind::Asserted))),
        AddTraversal { from, to, .. } => Some((from, to, None)),
        _ => None,
    }
}

impl<'a> Model<'a> {
    fn all(&self, is: impl Fn(&LogEntry) -> bool) -> Vec<&'a SyncedLogEntry> {
        self.0.iter().copied().filter(|synced| is(&synced.entry)).collect()
    }

    fn covered(&self, synced: &SyncedLogEntry, removal: impl Fn(&LogEntry) -> bool) -> bool {
        let removals = self.all(|entry| removal(entry) || *entry == ClearGraph);
        removals.iter().any(|removal| synced.genesis || removal.saw(synced.dot()))
    }

    fn covered_at(&self, synced: &SyncedLogEntry, node: NodeId) -> bool {
        self.covered(synced, |entry| *entry == RemoveNode { node_id: node })
    }

    fn exists(&self, node: NodeId) -> bool {
        let additions = self.all(
            |entry| matches!(entry, AddNode { node_id, .. } | RestoreNode { node_id } if *node_id == node),
        );
        additions.iter().any(|addition| !self.covered_at(addition, node))
    }

    fn shown(&self, synced: &SyncedLogEntry) -> bool {
        let Some((from, to, kind)) = link(synced) else { return false };
        let names = |entry: &LogEntry| match *entry {
            RemoveEdge { from: f, to: t, kind: named } => {
                (f, t) == (from, to) && (named.is_none() || named == kind)
            }
            _ => false,
        };
        !self.covered(synced, names)
            && [from, to].iter().all(|&end| self.exists(end) || !self.covered_at(synced, end))
    }

    fn links(&self) -> Vec<&'a SyncedLogEntry> {
        self.0.iter().copied().filter(|synced| self.shown(synced)).collect()
    }

    /// The current writes of one register: `field` reads a write of it.
    fn current(
        &self,
        field: impl Fn(&LogEntry) -> Option<LogEntry>,
    ) -> Vec<(&'a SyncedLogEntry, LogEntry)> {
        let writes = |synced: &&'a SyncedLogEntry| Some((*synced, field(&synced.entry)?));
        let writes: Vec<_> = self.0.iter().filter_map(writes).collect();
        let mut current = writes.clone();
        current.retain(|(synced, _)| !writes.iter().any(|(other, _)| other.saw(synced.dot())));
        current.sort_by_key(|(synced, _)| stamp(synced));
        current
    }

    /// The current writes of the registers of a node: url, title, position, pinned.
    fn registers(&self, node: NodeId) -> [Vec<(&'a SyncedLogEntry, LogEntry)>; 4] {
        let of = |field: fn(&LogEntry) -> Option<(NodeId, LogEntry)>| {
            self.current(|entry| field(entry).filter(|write| write.0 == node).map(|write| write.1))
        };
        [
            of(|entry| match entry.clone() {
                AddNode { node_id, url: new_url, .. } | UpdateNodeUrl { node_id, new_url } => {
                    Some((node_id, UpdateNodeUrl { node_id, new_url }))
                }
                _ => None,
            }),
            of(|entry| match entry {
                UpdateNodeTitle { node_id, .. } => Some((*node_id, entry.clone())),
                _ => None,
            }),
            of(|entry| match *entry {
                AddNode { node_id, position, .. } | MoveNode { node_id, position } => {
                    Some((node_id, MoveNode { node_id, position }))
                }
                _ => None,
            }),
            of(|entry| match entry {
                PinNode { node_id, .. } => Some((*node_id, entry.clone())),
                _ => None,
            }),
        ]
    }

    fn node(&self, id: NodeId) -> Node {
        let mut node = Node {
            url: String::new(),
            title: String::new(),
            position: Default::default(),
            pinned: false,
            ghost: !self.exists(id),
        };
        for register in self.registers(id) {
            match register.into_iter().last().map(|(_, write)| write) {
                Some(UpdateNodeUrl { new_url, .. }) => node.url = new_url,
                Some(UpdateNodeTitle { title, .. }) => node.title = title,
                Some(MoveNode { position, .. }) => node.position = position,
                Some(PinNode { is_pinned, .. }) => node.pinned = is_pinned,
                _ => {}
            }
        }
        node
    }

    fn conflict(
        &self,
        kind: ConflictKind,
        subject: Subject,
        claims: Vec<(&SyncedLogEntry, LogEntry)>,
    ) -> Option<Conflict> {
        let id = ConflictId::derive(kind, subject);
        let mut removals = Vec::new();
        if let Subject::Node(node_id) = subject {
            for removal in [RemoveNode { node_id }, ClearGraph] {
                let standing = self.current(|entry| (*entry == removal).then_some(ClearGraph));
                removals.extend(standing.iter().map(|(synced, _)| stamp(synced)));
            }
        }
        let claim =
            |(synced, change): (&SyncedLogEntry, LogEntry)| Claim { stamp: stamp(synced), change };
        let mut claims: Vec<_> = claims.into_iter().map(claim).collect();
        claims.sort_by_key(|claim| (claim.stamp, claim.change.kind()));
        (!claims.is_empty()).then_some(Conflict { id, kind, subject, removals, claims })
    }

    fn open(&self, a: &SyncedLogEntry, b: &SyncedLogEntry) -> bool {
        let (AddEdge { from, to, edge_type }, AddEdge { edge_type: other, .. }) =
            (&a.entry, &b.entry)
        else {
            return false;
        };
        let settlements = self.all(|entry| *entry == SettleEdgePair { from: *from, to: *to });
        link(a).map(|link| (link.0, link.1)) == link(b).map(|link| (link.0, link.1))
            && edge_type != other
            && !a.genesis
            && !b.genesis
            && !a.saw(b.dot())
            && !b.saw(a.dot())
            && !settlements.iter().any(|settled| settled.saw(a.dot()) && settled.saw(b.dot()))
    }

    pub(super) fn graph(&self, ids: &[NodeId]) -> Graph {
        let links = self.links();
        let mut graph = Graph::default();
        for synced in &links {
            let (from, to, kind) = link(synced).expect("links are links");
            let edge = graph.edges.entry((from, to)).or_insert_with(Edge::default);
            edge.kinds.extend(kind);
            if let AddTraversal { timestamp_ms, trigger, .. } = synced.entry {
                edge.visits.push(Visit { timestamp_ms, dot: synced.dot(), trigger });
            }
            edge.visits.sort_unstable();
            let rivals =
                links.iter().filter(|rival| links.iter().any(|other| self.open(rival, other)));
            let rivals =
                rivals.filter(|rival| link(rival).is_some_and(|l| (l.0, l.1) == (from, to)));
            let claims = rivals.map(|rival| (*rival, rival.entry.clone())).collect();
            let subject = Subject::Pair(from, to);
            graph.conflicts.extend(self.conflict(
                ConflictKind::ConcurrentEdgeTypes,
                subject,
                claims,
            ));
        }
        for &id in ids {
            let touches =
                |synced: &&&SyncedLogEntry| link(synced).is_some_and(|l| l.0 == id || l.1 == id);
            let around: Vec<_> = links.iter().filter(touches).collect();
            if self.exists(id) || !around.is_empty() {
                graph.nodes.insert(id, self.node(id));
            }
            if !self.exists(id) {
                let claims = around.iter().map(|synced| (**synced, synced.entry.clone())).collect();
                let kind = ConflictKind::ConcurrentStructuralChange;
                graph.conflicts.extend(self.conflict(kind, Subject::Node(id), claims));
                let writes = self.registers(id).into_iter().flatten();
                let claims = writes
                    .filter(|(synced, _)| !synced.genesis && !self.covered_at(synced, id))
                    .collect();
                let kind = ConflictKind::DeleteVsUpdate;
                graph.conflicts.extend(self.conflict(kind, Subject::Node(id), claims));
            }
        }
        graph.conflicts.sort_by_key(|conflict| conflict.id);
        graph.conflicts.dedup_by_key(|conflict| conflict.id);
        graph
    }
}
