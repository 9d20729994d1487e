//! The reference model: what a set of entries means, by the plainest definitions.
//!
//! It exists to disagree with the engine. It therefore shares nothing with the engine's merge:
//! no vectors are joined, nothing is updated in place, no order of arrival exists. "Covered" is
//! read as what it stands for (some removal saw it), every question is answered by going through
//! all entries of the node or pair, and quadratic cost is accepted.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync::{
    Claim, Conflict, ConflictId, ConflictKind, Dot, EdgeKind, Graph, LogEntry, Node, NodeId,
    Position, Stamp, Subject, SyncedLogEntry as Entry, Visit,
};

type Pair = (NodeId, NodeId);

/// The graph, and the conflicts, that these entries mean.
///
/// The slice stands for a set: its order does not matter, nor does an entry that stands in it
/// twice. Of two different entries under one dot, which no history without a fork has, one counts.
pub fn graph(entries: &[Entry]) -> Graph {
    let by_dot: BTreeMap<Dot, &Entry> = entries.iter().map(|entry| (entry.dot(), entry)).collect();
    let mut all = All::default();
    for entry in by_dot.into_values() {
        all.file(entry);
    }
    all.graph()
}

/// The entries, filed by what they are about.
#[derive(Default)]
struct All<'a> {
    clears: Vec<&'a Entry>,
    nodes: BTreeMap<NodeId, AboutNode<'a>>,
    pairs: BTreeMap<Pair, AboutPair<'a>>,
}

#[derive(Default)]
struct AboutNode<'a> {
    /// AddNode and RestoreNode.
    additions: Vec<&'a Entry>,
    removals: Vec<&'a Entry>,
    /// Writes by register; each change writes that register only, and its kind names it.
    writes: BTreeMap<u16, Vec<Write<'a>>>,
}

struct Write<'a> {
    by: &'a Entry,
    change: LogEntry,
}

#[derive(Default)]
struct AboutPair<'a> {
    /// AddEdge and AssertEdge with their kind, AddTraversal without.
    additions: Vec<(Option<EdgeKind>, &'a Entry)>,
    /// RemoveEdge, with the kind that it names.
    removals: Vec<(Option<EdgeKind>, &'a Entry)>,
    settlements: Vec<&'a Entry>,
}

/// Whether `removals` are the removals of something that cover `entry`.
fn covered<'a>(removals: impl IntoIterator<Item = &'a Entry>, entry: &Entry) -> bool {
    removals.into_iter().any(|removal| entry.genesis || removal.saw(entry.dot()))
}

fn stamp(entry: &Entry) -> Stamp {
    Stamp { timestamp_ms: entry.timestamp_ms, dot: entry.dot() }
}

fn claim(by: &Entry, change: LogEntry) -> Claim {
    Claim { stamp: stamp(by), change }
}

fn visit(by: &Entry) -> Option<Visit> {
    let LogEntry::AddTraversal { timestamp_ms, trigger, .. } = by.entry else { return None };
    Some(Visit { timestamp_ms, dot: by.dot(), trigger })
}

/// The stamps of those that none of the others saw, ascending.
fn standing(removals: &[&Entry]) -> BTreeSet<Stamp> {
    let seen = |one: &Entry| removals.iter().any(|other| other.saw(one.dot()));
    removals.iter().filter(|one| !seen(one)).map(|one| stamp(one)).collect()
}

impl<'a> All<'a> {
    fn file(&mut self, entry: &'a Entry) {
        match entry.entry.clone() {
            LogEntry::AddNode { node_id, url, position } => {
                self.node(node_id).additions.push(entry);
                self.write(entry, node_id, LogEntry::UpdateNodeUrl { node_id, new_url: url });
                self.write(entry, node_id, LogEntry::MoveNode { node_id, position });
            }
            LogEntry::RestoreNode { node_id } => self.node(node_id).additions.push(entry),
            LogEntry::RemoveNode { node_id } => self.node(node_id).removals.push(entry),
            change @ (LogEntry::UpdateNodeTitle { node_id, .. }
            | LogEntry::UpdateNodeUrl { node_id, .. }
            | LogEntry::MoveNode { node_id, .. }
            | LogEntry::PinNode { node_id, .. }) => self.write(entry, node_id, change),
            LogEntry::ClearGraph => self.clears.push(entry),
            LogEntry::AddEdge { from, to, edge_type } => {
                self.add(entry, from, to, Some(EdgeKind::Typed(edge_type)));
            }
            LogEntry::AssertEdge { from, to } => {
                self.add(entry, from, to, Some(EdgeKind::Asserted))
            }
            LogEntry::AddTraversal { from, to, .. } => self.add(entry, from, to, None),
            LogEntry::RemoveEdge { from, to, kind } => {
                self.pair(from, to).removals.push((kind, entry))
            }
            LogEntry::SettleEdgePair { from, to } => self.pair(from, to).settlements.push(entry),
            LogEntry::Opaque { .. } => {}
        }
    }

    fn node(&mut self, node: NodeId) -> &mut AboutNode<'a> {
        self.nodes.entry(node).or_default()
    }

    fn pair(&mut self, from: NodeId, to: NodeId) -> &mut AboutPair<'a> {
        self.node(from);
        self.node(to);
        self.pairs.entry((from, to)).or_default()
    }

    fn write(&mut self, by: &'a Entry, node: NodeId, change: LogEntry) {
        self.node(node).writes.entry(change.kind()).or_default().push(Write { by, change });
    }

    fn add(&mut self, by: &'a Entry, from: NodeId, to: NodeId, kind: Option<EdgeKind>) {
        self.pair(from, to).additions.push((kind, by));
    }

    /// Whether the removals of the node cover the entry.
    fn gone_with(&self, node: NodeId, entry: &Entry) -> bool {
        covered(self.nodes[&node].removals.iter().chain(&self.clears).copied(), entry)
    }

    fn exists(&self, node: NodeId) -> bool {
        self.nodes[&node].additions.iter().any(|addition| !self.gone_with(node, addition))
    }

    /// Whether an addition of this kind (`None`: a visit) to the pair is shown.
    fn is_shown(&self, (from, to): Pair, kind: Option<EdgeKind>, entry: &Entry) -> bool {
        // A removal that names no kind means all of the pair; no removal means visits alone.
        let removals = self.pairs[&(from, to)].removals.iter();
        let meant = removals.filter(|(named, _)| named.is_none() || *named == kind);
        let removed = covered(meant.map(|(_, by)| *by).chain(self.clears.iter().copied()), entry);
        !removed && [from, to].iter().all(|&end| self.exists(end) || !self.gone_with(end, entry))
    }

    fn graph(&self) -> Graph {
        let mut graph = Graph::default();
        let mut touching: BTreeMap<NodeId, BTreeMap<Dot, &Entry>> = BTreeMap::new();
        for (&pair, about) in &self.pairs {
            let is_shown = |(kind, by): &(_, &Entry)| self.is_shown(pair, *kind, by);
            let shown: Vec<_> = about.additions.iter().copied().filter(is_shown).collect();
            if shown.is_empty() {
                continue;
            }
            let edge = graph.edges.entry(pair).or_default();
            edge.kinds = shown.iter().filter_map(|(kind, _)| *kind).collect();
            edge.visits = shown.iter().filter_map(|(_, by)| visit(by)).collect();
            edge.visits.sort();
            for &(_, by) in &shown {
                touching.entry(pair.0).or_default().insert(by.dot(), by);
                touching.entry(pair.1).or_default().insert(by.dot(), by);
            }
            let disputed = about.disputed(&shown).into_iter();
            let claims = disputed.map(|by| claim(by, by.entry.clone())).collect();
            let subject = Subject::Pair(pair.0, pair.1);
            self.list(&mut graph, ConflictKind::ConcurrentEdgeTypes, subject, claims);
        }
        for (&id, about) in &self.nodes {
            let exists = self.exists(id);
            let ghost = !exists && touching.contains_key(&id);
            if exists || ghost {
                graph.nodes.insert(id, about.node(ghost));
            }
            if exists {
                continue;
            }
            let subject = Subject::Node(id);
            let writes = about.current().filter(|write| !self.gone_with(id, write.by));
            let claims = writes.map(|write| claim(write.by, write.change.clone())).collect();
            self.list(&mut graph, ConflictKind::DeleteVsUpdate, subject, claims);
            let links = touching.remove(&id).into_iter().flat_map(BTreeMap::into_values);
            let claims = links.map(|by| claim(by, by.entry.clone())).collect();
            self.list(&mut graph, ConflictKind::ConcurrentStructuralChange, subject, claims);
        }
        graph.conflicts.sort_by_key(|conflict| conflict.id);
        graph
    }

    /// Lists a conflict unless nothing is claimed.
    fn list(&self, to: &mut Graph, kind: ConflictKind, subject: Subject, mut claims: Vec<Claim>) {
        if claims.is_empty() {
            return;
        }
        claims.sort_by_key(|claim| (claim.stamp, claim.change.kind()));
        let mut removals = Vec::new();
        if let Subject::Node(id) = subject {
            removals.extend(standing(&self.nodes[&id].removals));
            removals.extend(standing(&self.clears));
        }
        let id = ConflictId::derive(kind, subject);
        to.conflicts.push(Conflict { id, kind, subject, removals, claims });
    }
}

impl AboutPair<'_> {
    /// Those of the shown additions that disagree with another about the edge's type.
    fn disputed<'a>(&self, shown: &[(Option<EdgeKind>, &'a Entry)]) -> Vec<&'a Entry> {
        let settled = |a: &Entry, b: &Entry| {
            self.settlements.iter().any(|settling| settling.saw(a.dot()) && settling.saw(b.dot()))
        };
        let apart = |a: &Entry, b: &Entry| !a.saw(b.dot()) && !b.saw(a.dot()) && !settled(a, b);
        let mut typed = shown.to_vec();
        typed.retain(|(kind, by)| matches!(kind, Some(EdgeKind::Typed(_))) && !by.genesis);
        let open = |one, a| typed.iter().any(|&(two, b)| one != two && apart(a, b));
        typed.iter().filter(|&&(kind, by)| open(kind, by)).map(|(_, by)| *by).collect()
    }
}

impl<'a> AboutNode<'a> {
    /// The writes that no other write of the same register saw.
    fn current(&self) -> impl Iterator<Item = &Write<'a>> {
        self.writes.values().flat_map(|writes| {
            let seen = move |one: &Write<'_>| writes.iter().any(|other| other.by.saw(one.by.dot()));
            writes.iter().filter(move |one| !seen(one))
        })
    }

    fn node(&self, ghost: bool) -> Node {
        let (url, title, position) = (String::new(), String::new(), Position::default());
        let mut node = Node { url, title, position, pinned: false, ghost };
        let mut writes: Vec<_> = self.current().collect();
        // The greatest of each register comes last, and stays.
        writes.sort_by_key(|write| stamp(write.by));
        for write in writes {
            match write.change.clone() {
                LogEntry::UpdateNodeUrl { new_url, .. } => node.url = new_url,
                LogEntry::UpdateNodeTitle { title, .. } => node.title = title,
                LogEntry::MoveNode { position, .. } => node.position = position,
                LogEntry::PinNode { is_pinned, .. } => node.pinned = is_pinned,
                _ => unreachable!("a change writes one register"),
            }
        }
        node
    }
}
