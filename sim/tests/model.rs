//! The reference model against histories whose meaning was worked out by hand from the design.

use graphshell_sim::model;
use graphshell_sync::{
    ConflictKind, Dot, EdgeKind, EdgeType, Graph, LogEntry, NodeId, PeerId, Position, Subject,
    SyncedLogEntry, Trigger, VersionVector,
};
use uuid::Uuid;

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// A history by three authors; the ids of authors ascend.
#[derive(Default)]
struct Story {
    seen: [VersionVector; 3],
    entries: Vec<SyncedLogEntry>,
}

fn peer(author: usize) -> PeerId {
    PeerId(Uuid::from_u128(author as u128 + 1))
}

fn page(name: u128) -> NodeId {
    NodeId(Uuid::from_u128(name))
}

impl Story {
    fn put(&mut self, author: usize, timestamp_ms: u64, entry: LogEntry, genesis: bool) -> Dot {
        let version_vector = self.seen[author].clone();
        let peer_id = peer(author);
        let sequence = version_vector.get(peer_id) + 1;
        self.seen[author].raise(peer_id, sequence);
        let row =
            SyncedLogEntry { entry, timestamp_ms, peer_id, sequence, version_vector, genesis };
        let dot = row.dot();
        self.entries.push(row);
        dot
    }

    fn does(&mut self, author: usize, timestamp_ms: u64, entry: LogEntry) -> Dot {
        self.put(author, timestamp_ms, entry, false)
    }

    fn sees(&mut self, author: usize, other: usize) {
        let known = self.seen[other].clone();
        self.seen[author].join(&known);
    }

    fn all_meet(&mut self) {
        for (one, other) in [(A, B), (A, C), (B, A), (C, A)] {
            self.sees(one, other);
        }
    }

    /// The graph; whatever the order, and however often an entry stands there.
    fn graph(&self) -> Graph {
        let graph = model::graph(&self.entries);
        let mut other: Vec<_> = self.entries.iter().rev().cloned().collect();
        other.extend(self.entries.iter().cloned());
        assert_eq!(model::graph(&other), graph);
        graph
    }
}

fn add(node: u128) -> LogEntry {
    let position = Position::new(node as f32, 0.0).unwrap();
    LogEntry::AddNode { node_id: page(node), url: format!("https://page/{node}"), position }
}

fn title(node: u128, title: &str) -> LogEntry {
    LogEntry::UpdateNodeTitle { node_id: page(node), title: title.to_owned() }
}

fn remove(node: u128) -> LogEntry {
    LogEntry::RemoveNode { node_id: page(node) }
}

fn restore(node: u128) -> LogEntry {
    LogEntry::RestoreNode { node_id: page(node) }
}

fn visit(from: u128, to: u128) -> LogEntry {
    let (from, to) = (page(from), page(to));
    LogEntry::AddTraversal { from, to, timestamp_ms: 7, trigger: Trigger::Link }
}

fn typed(from: u128, to: u128, edge_type: EdgeType) -> LogEntry {
    LogEntry::AddEdge { from: page(from), to: page(to), edge_type }
}

fn cut(from: u128, to: u128, kind: Option<EdgeKind>) -> LogEntry {
    LogEntry::RemoveEdge { from: page(from), to: page(to), kind }
}

/// Kinds and subjects of the listed conflicts.
fn listed(graph: &Graph) -> Vec<(ConflictKind, Subject)> {
    let mut listed: Vec<_> = graph.conflicts.iter().map(|one| (one.kind, one.subject)).collect();
    listed.sort();
    listed
}

/// Pages 1 and 2, added by A and seen by all.
fn two_pages() -> Story {
    let mut story = Story::default();
    story.does(A, 1, add(1));
    story.does(A, 2, add(2));
    story.all_meet();
    story
}

#[test]
fn of_concurrent_titles_the_later_is_shown_and_nothing_is_listed() {
    let mut story = two_pages();
    story.does(A, 30, title(1, "later"));
    story.does(B, 20, title(1, "earlier"));
    let graph = story.graph();
    assert_eq!(graph.nodes[&page(1)].title, "later");
    assert_eq!(listed(&graph), []);
}

#[test]
fn at_equal_times_the_greater_author_wins() {
    let mut story = two_pages();
    story.does(B, 20, title(1, "of B"));
    story.does(A, 20, title(1, "of A"));
    assert_eq!(story.graph().nodes[&page(1)].title, "of B");
}

#[test]
fn a_write_replaces_what_its_author_saw_whatever_the_clocks_say() {
    let mut story = two_pages();
    story.does(A, 9_000, title(1, "from a fast clock"));
    story.sees(B, A);
    story.does(B, 5, title(1, "from a slow clock"));
    assert_eq!(story.graph().nodes[&page(1)].title, "from a slow clock");
}

#[test]
fn a_removal_wins_over_a_concurrent_title_and_both_are_listed() {
    let mut story = two_pages();
    let removal = story.does(A, 10, remove(1));
    let update = story.does(B, 5, title(1, "unseen"));
    let graph = story.graph();
    assert!(!graph.nodes.contains_key(&page(1)));
    assert_eq!(listed(&graph), [(ConflictKind::DeleteVsUpdate, Subject::Node(page(1)))]);
    let conflict = &graph.conflicts[0];
    assert_eq!(conflict.removals.iter().map(|stamp| stamp.dot).collect::<Vec<_>>(), [removal]);
    assert_eq!(conflict.claims.len(), 1, "url and position were seen by the removal");
    assert_eq!(conflict.claims[0].stamp.dot, update);
    assert_eq!(conflict.claims[0].change, title(1, "unseen"));
}

#[test]
fn a_removal_that_saw_the_title_lists_nothing() {
    let mut story = two_pages();
    story.does(B, 5, title(1, "seen"));
    story.sees(A, B);
    story.does(A, 10, remove(1));
    assert_eq!(listed(&story.graph()), []);
}

#[test]
fn an_overwritten_update_is_no_claim() {
    let mut story = two_pages();
    story.does(A, 10, remove(1));
    story.does(B, 11, title(1, "first"));
    let second = story.does(B, 12, title(1, "second"));
    let graph = story.graph();
    let claims: Vec<_> = graph.conflicts[0].claims.iter().map(|claim| claim.stamp.dot).collect();
    assert_eq!(claims, [second]);
}

#[test]
fn an_unseen_second_addition_survives_a_removal() {
    let mut story = two_pages();
    story.does(A, 10, remove(1));
    story.does(B, 5, add(1));
    let graph = story.graph();
    assert!(!graph.nodes[&page(1)].ghost);
    assert_eq!(listed(&graph), []);
}

#[test]
fn a_restored_page_shows_what_was_written_before() {
    let mut story = two_pages();
    story.does(A, 3, title(1, "kept"));
    story.does(A, 4, remove(1));
    story.does(A, 5, restore(1));
    assert_eq!(story.graph().nodes[&page(1)].title, "kept");
}

#[test]
fn a_restore_beats_a_concurrent_removal() {
    let mut story = two_pages();
    story.does(A, 10, remove(1));
    story.sees(B, A);
    story.does(A, 20, remove(1));
    story.does(B, 15, restore(1));
    assert!(story.graph().nodes.contains_key(&page(1)));
}

#[test]
fn a_clear_takes_what_it_saw_and_leaves_concurrent_additions() {
    let mut story = two_pages();
    story.does(B, 5, add(3));
    story.does(A, 50, LogEntry::ClearGraph);
    let graph = story.graph();
    assert_eq!(graph.nodes.keys().copied().collect::<Vec<_>>(), [page(3)]);
}

#[test]
fn claims_stand_by_time_author_and_sequence() {
    let mut story = two_pages();
    story.does(A, 10, remove(1));
    let position = Position::new(5.0, 5.0).unwrap();
    let moved = story.does(C, 7, LogEntry::MoveNode { node_id: page(1), position });
    let pinned = story.does(B, 7, LogEntry::PinNode { node_id: page(1), is_pinned: true });
    let earlier = story.does(C, 6, title(1, "written last, on a clock set back"));
    let graph = story.graph();
    let claims: Vec<_> = graph.conflicts[0].claims.iter().map(|claim| claim.stamp.dot).collect();
    assert_eq!(claims, [earlier, pinned, moved]);
}

#[test]
fn a_page_that_was_removed_while_it_was_visited_is_a_ghost() {
    let mut story = two_pages();
    story.does(A, 10, remove(2));
    let went = story.does(B, 11, visit(1, 2));
    let graph = story.graph();
    assert!(graph.nodes[&page(2)].ghost);
    assert_eq!(graph.nodes[&page(2)].url, "https://page/2");
    assert_eq!(graph.edges[&(page(1), page(2))].visits.len(), 1);
    let kind = ConflictKind::ConcurrentStructuralChange;
    assert_eq!(listed(&graph), [(kind, Subject::Node(page(2)))]);
    assert_eq!(graph.conflicts[0].claims[0].stamp.dot, went);
    assert_eq!(graph.conflicts[0].claims[0].change, visit(1, 2));
}

#[test]
fn a_link_that_the_removal_saw_goes_with_the_page_and_returns_with_it() {
    let mut story = two_pages();
    story.does(A, 3, typed(1, 2, EdgeType::Hyperlink));
    story.does(A, 4, visit(2, 1));
    story.does(A, 5, remove(2));
    let graph = story.graph();
    assert!(graph.edges.is_empty() && graph.conflicts.is_empty());
    assert!(!graph.nodes.contains_key(&page(2)));
    story.does(B, 6, restore(2));
    assert_eq!(story.graph().edges.len(), 2);
}

#[test]
fn a_visit_to_a_page_that_nobody_added_shows_it_as_a_ghost() {
    let mut story = Story::default();
    story.does(A, 1, visit(1, 1));
    let graph = story.graph();
    assert!(graph.nodes[&page(1)].ghost);
    assert_eq!(graph.conflicts[0].removals, []);
    assert_eq!(graph.conflicts[0].claims.len(), 1, "a loop touches its page once");
}

#[test]
fn visits_are_never_a_conflict_and_stand_by_time() {
    let mut story = two_pages();
    story.does(B, 9, visit(1, 2));
    story.does(A, 8, visit(1, 2));
    let graph = story.graph();
    let visits = &graph.edges[&(page(1), page(2))].visits;
    assert_eq!(visits.iter().map(|visit| visit.dot.peer).collect::<Vec<_>>(), [peer(A), peer(B)]);
    assert_eq!(listed(&graph), []);
}

#[test]
fn a_removal_of_one_kind_leaves_other_kinds_and_visits() {
    let mut story = two_pages();
    let hyperlink = EdgeKind::Typed(EdgeType::Hyperlink);
    story.does(A, 3, typed(1, 2, EdgeType::Hyperlink));
    story.does(A, 4, LogEntry::AssertEdge { from: page(1), to: page(2) });
    story.does(A, 5, visit(1, 2));
    story.does(A, 6, cut(1, 2, Some(hyperlink)));
    let edge = &story.graph().edges[&(page(1), page(2))];
    assert_eq!(edge.kinds.iter().copied().collect::<Vec<_>>(), [EdgeKind::Asserted]);
    assert_eq!(edge.visits.len(), 1);
    story.does(B, 7, visit(1, 2));
    story.does(A, 8, cut(1, 2, None));
    let edge = &story.graph().edges[&(page(1), page(2))];
    assert!(edge.kinds.is_empty());
    assert_eq!(edge.visits.len(), 1, "the visit that the removal did not see");
}

#[test]
fn types_that_disagree_are_listed_until_they_are_settled_and_again_after_a_third() {
    let mut story = two_pages();
    story.does(A, 3, typed(1, 2, EdgeType::Hyperlink));
    story.does(B, 4, typed(1, 2, EdgeType::UserGrouped));
    let pair = [(ConflictKind::ConcurrentEdgeTypes, Subject::Pair(page(1), page(2)))];
    let first = story.graph();
    assert_eq!(listed(&first), pair);
    assert_eq!(first.conflicts[0].claims.len(), 2);
    assert_eq!(first.edges[&(page(1), page(2))].kinds.len(), 2);
    story.sees(A, B);
    story.does(A, 5, LogEntry::SettleEdgePair { from: page(1), to: page(2) });
    assert_eq!(listed(&story.graph()), []);
    story.does(C, 6, typed(1, 2, EdgeType::History));
    let again = story.graph();
    assert_eq!(listed(&again), pair);
    assert_eq!(again.conflicts[0].id, first.conflicts[0].id);
    assert_eq!(again.conflicts[0].claims.len(), 3, "the third disagrees with each of the two");
}

#[test]
fn types_agree_when_one_author_saw_the_other_or_both_assert() {
    let mut story = two_pages();
    story.does(A, 3, typed(1, 2, EdgeType::Hyperlink));
    story.sees(B, A);
    story.does(B, 4, typed(1, 2, EdgeType::History));
    story.does(A, 5, LogEntry::AssertEdge { from: page(2), to: page(1) });
    story.does(B, 5, LogEntry::AssertEdge { from: page(2), to: page(1) });
    story.does(C, 5, typed(2, 1, EdgeType::History));
    let graph = story.graph();
    assert_eq!(listed(&graph), []);
    assert_eq!(graph.edges[&(page(2), page(1))].kinds.len(), 2);
}

#[test]
fn one_profile_on_two_devices_lists_nothing_and_its_deletes_count_everywhere() {
    let mut story = Story::default();
    for author in [A, B] {
        story.put(author, 0, add(1), true);
        story.put(author, 0, add(2), true);
        story.put(author, 0, title(1, if author == A { "old" } else { "older" }), true);
        let kind = if author == A { EdgeType::Hyperlink } else { EdgeType::History };
        story.put(author, 0, typed(1, 2, kind), true);
    }
    let graph = story.graph();
    assert_eq!(graph.nodes[&page(1)].title, "older", "at equal times the greater author wins");
    assert_eq!(listed(&graph), []);
    // A removes page 1 without having seen that B has it too.
    story.does(A, 10, remove(1));
    let graph = story.graph();
    assert_eq!(graph.nodes.keys().copied().collect::<Vec<_>>(), [page(2)]);
    assert!(graph.edges.is_empty());
    assert_eq!(listed(&graph), []);
}

#[test]
fn removals_stand_unless_another_of_the_same_subject_saw_them() {
    let mut story = two_pages();
    story.does(A, 10, remove(1));
    let cleared = story.does(C, 4, LogEntry::ClearGraph);
    story.sees(B, A);
    let last = story.does(B, 20, remove(1));
    story.does(C, 30, title(1, "unseen"));
    let graph = story.graph();
    let conflict = &graph.conflicts[0];
    let removals: Vec<_> = conflict.removals.iter().map(|stamp| stamp.dot).collect();
    assert_eq!(removals, [last, cleared], "the page's own first, whatever the times");
}

#[test]
fn an_entry_of_an_unknown_kind_means_nothing() {
    let mut story = two_pages();
    let before = story.graph();
    story.does(B, 9, LogEntry::Opaque { kind: 900, payload: vec![1, 2, 3] });
    assert_eq!(story.graph(), before);
}
