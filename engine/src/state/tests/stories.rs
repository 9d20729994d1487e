//! Claims about single rules, each told as a short history.

use super::{Replica, node, peer};
use crate::entry::{EdgeKind, EdgeType, LogEntry, Position, SyncedLogEntry, Trigger};
use crate::graph::{ConflictKind, Subject};
use crate::id::Dot;
use crate::vector::VersionVector;
use LogEntry::*;

/// Entries in the order they were authored, each with what its author had seen.
#[derive(Default)]
struct Story {
    entries: Vec<SyncedLogEntry>,
    clock: u64,
}

impl Story {
    /// `author`, having seen all entries at these places beside its own, does `entry`.
    fn tell(&mut self, author: u8, seen: &[usize], entry: LogEntry) -> usize {
        self.clock += 1;
        self.tell_at(self.clock, author, seen, entry)
    }

    fn tell_at(&mut self, time: u64, author: u8, seen: &[usize], entry: LogEntry) -> usize {
        let own = |synced: &&SyncedLogEntry| synced.peer_id == peer(author);
        let mut version_vector = VersionVector::new();
        for synced in
            seen.iter().map(|&at| &self.entries[at]).chain(self.entries.iter().filter(own))
        {
            version_vector.join(&synced.version_vector);
            version_vector.raise(synced.peer_id, synced.sequence);
        }
        self.entries.push(SyncedLogEntry {
            entry,
            timestamp_ms: time,
            peer_id: peer(author),
            sequence: version_vector.get(peer(author)) + 1,
            version_vector,
            genesis: false,
        });
        self.entries.len() - 1
    }

    fn dot(&self, at: usize) -> Dot {
        self.entries[at].dot()
    }

    fn end(&self) -> Replica {
        let mut replica = Replica::new(1, &[]);
        replica.apply_all(&self.entries);
        replica
    }
}

fn add(id: u8) -> LogEntry {
    AddNode { node_id: node(id), url: format!("page {id}"), position: Position::default() }
}

fn title(id: u8, title: &str) -> LogEntry {
    UpdateNodeTitle { node_id: node(id), title: title.to_owned() }
}

fn remove(id: u8) -> LogEntry {
    RemoveNode { node_id: node(id) }
}

fn visit(from: u8, to: u8) -> LogEntry {
    AddTraversal { from: node(from), to: node(to), timestamp_ms: 7, trigger: Trigger::Link }
}

fn edge(edge_type: EdgeType) -> LogEntry {
    AddEdge { from: node(1), to: node(2), edge_type }
}

fn kinds(replica: &Replica) -> Vec<(ConflictKind, Subject)> {
    let conflicts = replica.state.conflicts(&replica.authors);
    conflicts.iter().map(|conflict| (conflict.kind, conflict.subject)).collect()
}

#[test]
fn no_clock_undoes_a_write_made_while_looking_at_the_old_value() {
    let mut story = Story::default();
    let a = story.tell(1, &[], add(1));
    let old = story.tell_at(900, 1, &[], title(1, "from a fast clock"));
    story.tell_at(5, 2, &[a, old], title(1, "later"));
    assert_eq!(story.end().graph().nodes[&node(1)].title, "later");
}

#[test]
fn equal_times_are_decided_by_the_peer_not_by_its_number() {
    let mut story = Story::default();
    let a = story.tell(1, &[], add(1));
    story.tell_at(9, 2, &[a], title(1, "two"));
    story.tell_at(9, 3, &[a], title(1, "three"));
    let mut other = Replica::new(2, &[peer(3), peer(2), peer(1)]);
    other.apply_all(&story.entries);
    for replica in [story.end(), other] {
        assert_eq!(replica.graph().nodes[&node(1)].title, "three");
    }
}

#[test]
fn a_node_added_concurrently_with_a_clear_survives_it() {
    let mut story = Story::default();
    let old = story.tell(1, &[], add(1));
    story.tell(2, &[], add(2));
    story.tell(3, &[old], ClearGraph);
    let graph = story.end().graph();
    assert_eq!(graph.nodes.keys().collect::<Vec<_>>(), [&node(2)]);
    assert!(graph.conflicts.is_empty());
}

#[test]
fn a_restored_node_shows_its_old_values_edges_and_visits() {
    let mut story = Story::default();
    for entry in [add(1), add(2), title(1, "kept"), visit(1, 2), remove(1)] {
        story.tell(1, &[], entry);
    }
    assert!(story.end().graph().edges.is_empty());
    story.tell(1, &[], RestoreNode { node_id: node(1) });
    let graph = story.end().graph();
    assert_eq!(graph.nodes[&node(1)].title, "kept");
    assert_eq!(graph.edges[&(node(1), node(2))].visits.len(), 1);
}

#[test]
fn a_visit_that_the_removal_did_not_see_makes_a_ghost() {
    let mut story = Story::default();
    let (a, b) = (story.tell(1, &[], add(1)), story.tell(1, &[], add(2)));
    let removal = story.tell(1, &[], remove(2));
    let visit = story.tell(2, &[a, b], visit(1, 2));
    let replica = story.end();
    assert!(replica.graph().nodes[&node(2)].ghost);
    let conflicts = replica.state.conflicts(&replica.authors);
    let [conflict] = &conflicts[..] else { panic!("one conflict, not {conflicts:?}") };
    assert_eq!(conflict.kind, ConflictKind::ConcurrentStructuralChange);
    assert_eq!(conflict.removals[0].dot, story.dot(removal));
    assert_eq!(conflict.claims[0].stamp.dot, story.dot(visit));
    assert_eq!(conflict.claims[0].change, story.entries[visit].entry);
}

#[test]
fn keeping_a_node_deleted_settles_until_an_unseen_update_comes() {
    let mut story = Story::default();
    let a = story.tell(1, &[], add(1));
    let removal = story.tell(1, &[], remove(1));
    let update = story.tell(2, &[a], title(1, "unseen"));
    let listed = (ConflictKind::DeleteVsUpdate, Subject::Node(node(1)));
    assert_eq!(kinds(&story.end()), [listed]);
    let before = story.end().state.conflicts(&story.end().authors)[0].id;
    story.tell(3, &[removal, update], remove(1));
    assert_eq!(kinds(&story.end()), []);
    story.tell(4, &[update], title(1, "unseen again"));
    assert_eq!(kinds(&story.end()), [listed]);
    assert_eq!(story.end().state.conflicts(&story.end().authors)[0].id, before);
}

#[test]
fn a_settled_pair_opens_again_for_an_edge_that_the_settlement_did_not_see() {
    let mut story = Story::default();
    let nodes = [story.tell(1, &[], add(1)), story.tell(1, &[], add(2))];
    let a = story.tell(1, &[], edge(EdgeType::Hyperlink));
    let b = story.tell(2, &nodes, edge(EdgeType::History));
    let listed = [(ConflictKind::ConcurrentEdgeTypes, Subject::Pair(node(1), node(2)))];
    assert_eq!(kinds(&story.end()), listed);
    let replica = story.end();
    assert_eq!(
        replica.state.shown_types(node(1), node(2)),
        [EdgeType::Hyperlink, EdgeType::History]
    );
    story.tell(1, &[b], SettleEdgePair { from: node(1), to: node(2) });
    assert_eq!(kinds(&story.end()), []);
    story.tell(3, &[a], edge(EdgeType::UserGrouped));
    let replica = story.end();
    assert_eq!(kinds(&replica), listed);
    let conflict = &replica.state.conflicts(&replica.authors)[0];
    let claims: Vec<_> = conflict.claims.iter().map(|claim| claim.stamp.dot.peer).collect();
    assert_eq!(claims, [peer(2), peer(3)], "the third author had seen the first one's edge");
}

#[test]
fn settlements_that_know_nothing_of_each_other_both_stay() {
    let mut story = Story::default();
    let nodes = [story.tell(1, &[], add(1)), story.tell(1, &[], add(2))];
    let ours = story.tell(1, &[], edge(EdgeType::Hyperlink));
    let theirs = story.tell(2, &nodes, edge(EdgeType::History));
    story.tell(3, &nodes, edge(EdgeType::UserGrouped));
    let settle = || SettleEdgePair { from: node(1), to: node(2) };
    let one = story.tell(1, &[theirs], settle());
    let other = story.tell(3, &[ours], settle());
    let mut turned = story.entries.clone();
    turned.swap(one, other);
    let mut replica = Replica::new(1, &[]);
    replica.apply_all(&turned);
    assert_eq!(replica.bytes(), story.end().bytes());
    // What the first settled stays settled once the third edge is gone, and so with the second.
    for (who, gone, seen) in [(2, EdgeType::UserGrouped, other), (2, EdgeType::History, one)] {
        let mut story = Story { entries: story.entries.clone(), clock: story.clock };
        let kind = Some(EdgeKind::Typed(gone));
        story.tell(who, &[seen, one], RemoveEdge { from: node(1), to: node(2), kind });
        assert_eq!(kinds(&story.end()), [], "without {gone:?}");
    }
}

#[test]
fn settlements_of_different_edges_outlive_a_restart() {
    let mut story = Story::default();
    let nodes = [story.tell(1, &[], add(1)), story.tell(1, &[], add(2))];
    story.tell(1, &[], edge(EdgeType::Hyperlink));
    let theirs = story.tell(2, &nodes, edge(EdgeType::History));
    let third = story.tell(3, &nodes, edge(EdgeType::Hyperlink));
    story.tell(4, &nodes, edge(EdgeType::UserGrouped));
    let settle = || SettleEdgePair { from: node(1), to: node(2) };
    let one = story.tell(1, &[theirs], settle());
    let other = story.tell(4, &[third], settle());
    let told = story.entries.len();
    let remove = |edge_type| RemoveEdge {
        from: node(1),
        to: node(2),
        kind: Some(EdgeKind::Typed(edge_type)),
    };
    // What is left are the first two edges, or the last two: whoever removes the others saw them.
    for (seen, gone) in [
        ([other, third], [EdgeType::UserGrouped, EdgeType::Hyperlink]),
        ([one, theirs], [EdgeType::History, EdgeType::Hyperlink]),
    ] {
        let mut replica = story.end().reopened(2, &[]);
        let mut story = Story { entries: story.entries.clone(), clock: story.clock };
        for edge_type in gone {
            story.tell(5, &seen, remove(edge_type));
        }
        replica.apply_all(&story.entries[told..]);
        assert_eq!(kinds(&replica), [], "without {gone:?}");
        assert_eq!(replica.state.shown_types(node(1), node(2)).len(), 2, "without {gone:?}");
    }
}

#[test]
fn a_revision_tells_of_every_entry_and_of_every_join() {
    let mut story = Story::default();
    story.tell(1, &[], add(1));
    story.tell(1, &[], title(1, "first"));
    let mut replica = Replica::new(1, &[]);
    let mut revisions = vec![replica.state.revision()];
    for entry in &story.entries {
        replica.apply(entry);
        revisions.push(replica.state.revision());
    }
    story.tell(2, &[0], title(1, "second"));
    replica.join(&story.end());
    revisions.push(replica.state.revision());
    revisions.dedup();
    assert_eq!(revisions.len(), 4, "{revisions:?}");
}

#[test]
fn derived_facts_lag_behind_until_they_are_refreshed() {
    let mut story = Story::default();
    story.tell(1, &[], add(1));
    story.tell(1, &[], visit(1, 2));
    story.tell(1, &[], ClearGraph);
    let mut replica = Replica::new(1, &[]);
    assert!(replica.state.is_fresh());
    for entry in &story.entries {
        replica.apply(entry);
        assert!(!replica.state.is_fresh(), "{entry:?}");
        replica.state.refresh();
        assert!(replica.state.is_fresh(), "{entry:?}");
    }
}

#[test]
fn a_node_is_known_once_an_entry_named_it() {
    let mut story = Story::default();
    story.tell(1, &[], add(1));
    story.tell(1, &[], remove(1));
    let state = story.end().state;
    assert!(state.knows(node(1)) && !state.knows(node(2)));
}

#[test]
fn the_value_that_a_dot_wrote_can_be_named() {
    let mut story = Story::default();
    let a = story.tell(1, &[], add(1));
    let one = story.tell_at(50, 1, &[], title(1, "mine"));
    let two = story.tell_at(60, 2, &[a], title(1, "theirs"));
    let replica = story.end();
    let writes = |at| replica.state.writes_by(&replica.authors, node(1), story.dot(at));
    assert_eq!(writes(one), [title(1, "mine")]);
    assert_eq!(writes(two), [title(1, "theirs")]);
    assert_eq!(
        writes(a),
        [
            UpdateNodeUrl { node_id: node(1), new_url: "page 1".to_owned() },
            MoveNode { node_id: node(1), position: Position::default() },
        ]
    );
}

#[test]
fn very_many_rival_edges_on_one_pair_are_judged_one_by_one_not_two_by_two() {
    let mut replica = Replica::new(1, &[]);
    let mut entry = |author: u8, sequence, edge_type| {
        let version_vector = [(peer(author), sequence - 1)].into_iter().collect();
        replica.apply(&SyncedLogEntry {
            entry: edge(edge_type),
            timestamp_ms: sequence,
            peer_id: peer(author),
            sequence,
            version_vector,
            genesis: false,
        });
    };
    let many = 30_000;
    for sequence in 1..=many {
        entry(1, sequence, EdgeType::Hyperlink);
        entry(2, sequence, EdgeType::History);
    }
    replica.state.refresh();
    let conflicts = replica.state.conflicts(&replica.authors);
    assert_eq!(
        conflicts.iter().find_map(|conflict| match conflict.kind {
            ConflictKind::ConcurrentEdgeTypes => Some(conflict.claims.len() as u64),
            _ => None,
        }),
        Some(2 * many)
    );
    assert_eq!(replica.reopened(2, &[]).bytes(), replica.bytes());
}

#[test]
fn a_batch_of_clears_is_swept_once() {
    let mut story = Story::default();
    for id in 0..200 {
        story.tell(1, &[], add(id));
    }
    for _ in 0..2_000 {
        story.entries.push(SyncedLogEntry {
            sequence: story.entries.len() as u64 + 1,
            entry: ClearGraph,
            timestamp_ms: 0,
            peer_id: peer(1),
            version_vector: [(peer(1), story.entries.len() as u64)].into_iter().collect(),
            genesis: false,
        });
    }
    let mut replica = Replica::new(1, &[]);
    replica.apply_all(&story.entries[..200]);
    let delta = replica.apply_all(&story.entries[200..]);
    assert_eq!(delta.nodes.len(), 200);
    assert_eq!(replica.state.node_count(), 0);
}

#[test]
fn an_author_who_adds_a_node_again_and_again_takes_no_more_room() {
    let mut story = Story::default();
    story.tell(1, &[], add(1));
    let before = story.end().bytes().len();
    for _ in 0..50 {
        story.tell(1, &[], RestoreNode { node_id: node(1) });
    }
    assert_eq!(story.end().bytes().len(), before);
}
