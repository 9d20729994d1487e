//! What is notable about a history at the end of a run: counted, judged by nobody.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync::{Conflict, ConflictKind, Dot, LogEntry, NodeId, PeerId, SyncedLogEntry};

use super::shared::World;
use crate::oracle::View;

impl World {
    /// Counts what the end of one history shows.
    pub(crate) fn count_notable(&self, view: &View) {
        let kinds = view.graph.conflicts.iter().map(|conflict| conflict.kind);
        let deletes = kinds.filter(|&kind| kind == ConflictKind::DeleteVsUpdate).count();
        let (concurrent, met) = (concurrent(&view.history), met(&view.history));
        let prompted = self.prompted.borrow();
        let prompts = |of: &BTreeSet<Dot>| of.intersection(&prompted).count();
        let ghosts = view.graph.nodes.values().filter(|node| node.ghost).count();
        for (what, times) in [
            ("concurrent edits", concurrent.len()),
            ("concurrent edits that met", met.len()),
            ("concurrent edits that met and prompted", prompts(&met)),
            ("concurrent edits that prompted", prompts(&concurrent)),
            ("deletes that met an update", deletes),
            ("ghosts at the end", ghosts),
            ("restores that beat a delete", restores(view)),
        ] {
            self.count_many(what, times as u64);
        }
    }

    /// A user is shown these conflicts.
    pub(crate) fn prompts(&self, conflicts: &[Conflict]) {
        let dots = conflicts.iter().flat_map(|conflict| {
            let claims = conflict.claims.iter().map(|claim| claim.stamp.dot);
            claims.chain(conflict.removals.iter().map(|removal| removal.dot))
        });
        self.prompted.borrow_mut().extend(dots);
    }
}

/// What an edit does to a page, or to what leads from one page to another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Writes,
    Removes,
    /// An edge or a visit touches the page.
    Touches,
}

/// The edits that some edit by another author did not know of, nor they of it.
fn concurrent(history: &[SyncedLogEntry]) -> BTreeSet<Dot> {
    let by_dot: BTreeMap<Dot, &SyncedLogEntry> =
        history.iter().filter(|entry| !entry.genesis).map(|entry| (entry.dot(), entry)).collect();
    let authors: BTreeSet<PeerId> = by_dot.keys().map(|dot| dot.peer).collect();
    let alone = |entry: &SyncedLogEntry| {
        // Of an author's entries it did not know, the first knew least.
        let first = |peer| {
            let from = Dot { peer, sequence: entry.version_vector.get(peer) + 1 };
            by_dot.range(from..=Dot { peer, sequence: u64::MAX }).next()
        };
        let mut firsts = authors.iter().filter_map(|&peer| first(peer));
        firsts.all(|(_, other)| other.peer_id == entry.peer_id || other.saw(entry.dot()))
    };
    by_dot.values().filter(|entry| !alone(entry)).map(|entry| entry.dot()).collect()
}

/// The concurrent edits of one page or pair, visits among them. An edge or visit meets a page where
/// that is removed. Clearing the graph is left out.
fn met(history: &[SyncedLogEntry]) -> BTreeSet<Dot> {
    // Pages, and pairs of them.
    type Place = (NodeId, Option<NodeId>);
    let mut places: BTreeMap<Place, Vec<(&SyncedLogEntry, Does)>> = BTreeMap::new();
    for entry in history.iter().filter(|entry| !entry.genesis) {
        let mut file = |place, does| places.entry(place).or_default().push((entry, does));
        match entry.entry {
            LogEntry::AddNode { node_id, .. }
            | LogEntry::RestoreNode { node_id }
            | LogEntry::UpdateNodeTitle { node_id, .. }
            | LogEntry::UpdateNodeUrl { node_id, .. }
            | LogEntry::MoveNode { node_id, .. }
            | LogEntry::PinNode { node_id, .. } => file((node_id, None), Does::Writes),
            LogEntry::RemoveNode { node_id } => file((node_id, None), Does::Removes),
            LogEntry::AddEdge { from, to, .. }
            | LogEntry::AssertEdge { from, to }
            | LogEntry::RemoveEdge { from, to, .. }
            | LogEntry::SettleEdgePair { from, to }
            | LogEntry::AddTraversal { from, to, .. } => {
                file((from, Some(to)), Does::Writes);
                file((from, None), Does::Touches);
                file((to, None), Does::Touches);
            }
            LogEntry::ClearGraph | LogEntry::Opaque { .. } => {}
        }
    }
    let mut all = BTreeSet::new();
    for edits in places.values() {
        for (nth, &(one, does)) in edits.iter().enumerate() {
            for &(other, other_does) in &edits[nth + 1..] {
                let apart = [does, other_does].contains(&Does::Touches)
                    && ![does, other_does].contains(&Does::Removes);
                if !apart && one.dot().peer != other.dot().peer && unaware(one, other) {
                    all.extend([one.dot(), other.dot()]);
                }
            }
        }
    }
    all
}

/// Whether neither entry knew of the other.
fn unaware(one: &SyncedLogEntry, other: &SyncedLogEntry) -> bool {
    !one.saw(other.dot()) && !other.saw(one.dot())
}

/// Nodes that are shown since a restore did not know of a delete, nor the delete of it.
fn restores(view: &View) -> usize {
    let mut restored: BTreeMap<NodeId, Vec<&SyncedLogEntry>> = BTreeMap::new();
    for entry in &view.history {
        if let LogEntry::RestoreNode { node_id } = entry.entry {
            restored.entry(node_id).or_default().push(entry);
        }
    }
    let shown = |node: &NodeId| view.graph.nodes.get(node).is_some_and(|node| !node.ghost);
    let beaten = |delete: &SyncedLogEntry| {
        let LogEntry::RemoveNode { node_id } = delete.entry else { return None };
        let found = restored.get(&node_id)?.iter().any(|restore| unaware(restore, delete));
        (found && shown(&node_id)).then_some(node_id)
    };
    let nodes: BTreeSet<_> = view.history.iter().filter_map(beaten).collect();
    nodes.len()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::plan::node_id;

    /// The author's first entry, which has seen the first entries of `seen`.
    fn first(author: u128, seen: &[u128], entry: LogEntry) -> SyncedLogEntry {
        let peer = |number| PeerId(Uuid::from_u128(number));
        SyncedLogEntry {
            peer_id: peer(author),
            sequence: 1,
            version_vector: seen.iter().chain([&author]).map(|&it| (peer(it), 1)).collect(),
            timestamp_ms: 0,
            genesis: false,
            entry,
        }
    }

    fn authors(of: BTreeSet<Dot>) -> Vec<u128> {
        of.into_iter().map(|dot| dot.peer.0.as_u128()).collect()
    }

    #[test]
    fn edits_meet_that_know_nothing_of_each_other_and_touch_the_same() {
        let (page, other) = (node_id("page"), node_id("other"));
        let title = |node_id| LogEntry::UpdateNodeTitle { node_id, title: "title".to_owned() };
        let pin = LogEntry::PinNode { node_id: page, is_pinned: true };
        let edge = LogEntry::AssertEdge { from: page, to: other };
        let delete = LogEntry::RemoveNode { node_id: page };
        let of = |one: &LogEntry, two: &LogEntry, seen: &[u128]| {
            authors(met(&[first(1, &[], one.clone()), first(2, seen, two.clone())]))
        };
        assert_eq!(of(&title(page), &pin, &[]), [1, 2]);
        assert!(of(&title(page), &pin, &[1]).is_empty(), "the second knew of the first");
        assert!(of(&title(page), &title(other), &[]).is_empty());
        assert!(of(&title(page), &edge, &[]).is_empty(), "an edge changes no page");
        assert_eq!(of(&edge, &delete, &[]), [1, 2], "but misses it");
        assert_eq!(of(&edge, &edge, &[]), [1, 2]);
    }

    #[test]
    fn edits_are_concurrent_whatever_they_touch_if_neither_knew_of_the_other() {
        let pin = |name| LogEntry::PinNode { node_id: node_id(name), is_pinned: true };
        let one = first(1, &[], pin("page"));
        let two = first(2, &[], pin("other"));
        let three = first(3, &[1, 2], pin("page"));
        assert_eq!(authors(concurrent(&[one.clone(), two, three.clone()])), [1, 2]);
        let mut legacy = first(4, &[], pin("page"));
        let later = SyncedLogEntry { sequence: 2, ..legacy.clone() };
        legacy.genesis = true;
        assert_eq!(
            authors(concurrent(&[one, legacy, later])),
            [1, 4],
            "it is no edit, the next is"
        );
        assert!(concurrent(&[three]).is_empty());
    }
}
