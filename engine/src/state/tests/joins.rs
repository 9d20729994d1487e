//! Laws of the join: the state of a union of sets of entries is the join of their states.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::history::{closed, entries, reorder, shuffled, steps};
use super::laws::{choices, complain};
use super::{Replica, node, peer};
use crate::entry::{EdgeKind, EdgeType, LogEntry, SyncedLogEntry, Trigger};
use crate::graph::ConflictKind;
use crate::testing::cases;
use crate::vector::VersionVector;

fn places() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..5)
}

/// A replica that applied all of `set`, in some causal order that the choices pick.
fn applied(set: &[&SyncedLogEntry], order: &[Index], key: u64) -> Replica {
    let set: Vec<_> = set.iter().copied().cloned().collect();
    let mut replica = Replica::new(key, &shuffled(order));
    replica.apply_all(reorder(&set, order));
    replica
}

fn dots(set: &[&SyncedLogEntry]) -> Vec<crate::id::Dot> {
    set.iter().map(|synced| synced.dot()).collect()
}

/// The entries of `entries` that are in one of the sets, in their order there.
fn union<'a>(
    entries: &'a [SyncedLogEntry],
    sets: &[&[&SyncedLogEntry]],
) -> Vec<&'a SyncedLogEntry> {
    let dots: Vec<_> = sets.iter().flat_map(|set| dots(set)).collect();
    entries.iter().filter(|synced| dots.contains(&synced.dot())).collect()
}

fn same(one: &Replica, other: &Replica) -> Result<(), TestCaseError> {
    prop_assert_eq!(one.graph(), other.graph());
    prop_assert_eq!(one.bytes(), other.bytes());
    prop_assert_eq!(one.state.vector(&one.authors), other.state.vector(&other.authors));
    prop_assert_eq!(one.state.node_count(), other.state.node_count());
    prop_assert_eq!(one.state.edge_count(), other.state.edge_count());
    for id in [0, 1, 2].map(node) {
        prop_assert_eq!(one.state.knows(id), other.state.knows(id));
        prop_assert_eq!(one.state.exists(id), other.state.exists(id));
        prop_assert_eq!(one.state.pairs_of(id), other.state.pairs_of(id));
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(768))]

    #[test]
    fn a_join_is_the_state_of_the_union_and_goes_on_like_it(
        steps in steps(64),
        (a, b) in (places(), places()),
        order in choices(),
        key in 2..u64::MAX,
    ) {
        let entries = entries(&steps);
        let (a, b) = (closed(&entries, &a), closed(&entries, &b));
        let both = union(&entries, &[&a, &b]);
        let mut direct = applied(&both, &order, 1);

        let mut joined = applied(&a, &order, key);
        let before = joined.graph();
        let delta = joined.join(&applied(&b, &order, 2));
        same(&direct, &joined)?;
        prop_assert_eq!(complain(&before, &joined.graph(), &delta), None);

        let known = dots(&both);
        let rest = entries.iter().filter(|synced| !known.contains(&synced.dot()));
        for batch in rest.collect::<Vec<_>>().chunks(3) {
            let delta = direct.apply_all(batch.iter().copied());
            prop_assert_eq!(delta, joined.apply_all(batch.iter().copied()));
            same(&direct, &joined)?;
        }
    }

    #[test]
    fn a_join_needs_no_view_of_either_state(
        steps in steps(64),
        (a, b) in (places(), places()),
        (cut, order) in (any::<Index>(), choices()),
    ) {
        let entries = entries(&steps);
        let (a, b) = (closed(&entries, &a), closed(&entries, &b));
        let direct = applied(&union(&entries, &[&a, &b]), &order, 1);

        // Readers saw part of one state and nothing of the other.
        let (seen, unseen) = a.split_at(cut.index(a.len() + 1));
        let mut joined = applied(seen, &order, 2);
        let before = joined.graph();
        unseen.iter().for_each(|synced| joined.apply(synced));
        let mut other = Replica::new(3, &shuffled(&order));
        b.iter().for_each(|synced| other.apply(synced));
        prop_assert_eq!(&joined.authors.sorted(), &other.authors.sorted());

        let delta = joined.join_state(other.state, &other.vectors);
        same(&direct, &joined)?;
        prop_assert_eq!(complain(&before, &joined.graph(), &delta), None);
    }

    #[test]
    fn joins_commute_associate_and_tell_nothing_twice(
        steps in steps(64),
        (a, b, c) in (places(), places(), places()),
        order in choices(),
    ) {
        let entries = entries(&steps);
        let [a, b, c] = [&a, &b, &c].map(|places| closed(&entries, places));
        let state = |set: &[&SyncedLogEntry]| applied(set, &order, 1);

        let mut left = state(&a);
        left.join(&state(&b));
        let mut flipped = state(&b);
        flipped.join(&state(&a));
        same(&left, &flipped)?;

        left.join(&state(&c));
        let mut right = state(&b);
        right.join(&state(&c));
        let mut nested = state(&a);
        nested.join(&right);
        same(&left, &nested)?;

        for known in [&a, &b, &c] {
            prop_assert!(left.join(&state(known)).is_empty());
        }
        let itself = left.reopened(5, &[]);
        prop_assert!(left.join(&itself).is_empty());
        same(&left, &nested)?;
    }
}

/// Entry `sequence` of author `who`, who had seen one entry of each of `seen`.
fn entry(who: u8, sequence: u64, seen: &[u8], genesis: bool, entry: LogEntry) -> SyncedLogEntry {
    let mut version_vector: VersionVector = seen.iter().map(|&other| (peer(other), 1)).collect();
    version_vector.raise(peer(who), sequence - 1);
    SyncedLogEntry {
        entry,
        timestamp_ms: if genesis { 0 } else { sequence },
        peer_id: peer(who),
        sequence,
        version_vector,
        genesis,
    }
}

#[test]
fn what_the_other_state_removed_is_gone_even_where_it_left_no_trace() {
    let (from, to) = (node(1), node(2));
    let edge = entry(1, 1, &[], false, LogEntry::AssertEdge { from, to });
    let clear = entry(2, 1, &[1], false, LogEntry::ClearGraph);
    let mut ours = Replica::new(1, &[]);
    ours.apply_all([&edge]);
    let mut theirs = Replica::new(2, &[]);
    theirs.apply_all([&edge, &clear]);
    let delta = ours.join(&theirs);
    assert_eq!(delta.pairs, [(from, to)]);
    assert_eq!(ours.graph(), theirs.graph());
    assert_eq!(ours.bytes(), theirs.bytes());
}

#[test]
fn what_comes_from_a_legacy_log_dies_of_a_removal_that_never_saw_it() {
    let (from, to) = (node(1), node(2));
    let page = LogEntry::RestoreNode { node_id: from };
    let edge = LogEntry::AssertEdge { from, to };
    let visit = LogEntry::AddTraversal { from, to, timestamp_ms: 0, trigger: Trigger::Unknown };
    let removal = LogEntry::RemoveEdge { from, to, kind: None };
    let kind = Some(EdgeKind::Asserted);
    for (legacy, removal) in [
        (page.clone(), LogEntry::RemoveNode { node_id: from }),
        (page, LogEntry::ClearGraph),
        (edge.clone(), LogEntry::RemoveEdge { from, to, kind }),
        (edge.clone(), removal.clone()),
        (edge, LogEntry::ClearGraph),
        (visit.clone(), removal),
        (visit, LogEntry::ClearGraph),
    ] {
        let (legacy, removal) = (entry(1, 1, &[], true, legacy), entry(2, 1, &[], false, removal));
        let mut direct = Replica::new(1, &[]);
        direct.apply_all([&legacy, &removal]);
        let [mut ours, mut theirs] = [&legacy, &removal].map(|only| {
            let mut replica = Replica::new(1, &[]);
            replica.apply_all([only]);
            replica
        });
        let alone = ours.reopened(1, &[]);
        ours.join(&theirs);
        theirs.join(&alone);
        for joined in [ours, theirs] {
            assert!(joined.graph().nodes.is_empty());
            assert_eq!(joined.graph(), direct.graph());
            assert_eq!(joined.bytes(), direct.bytes());
        }
    }
}

#[test]
fn a_settlement_in_the_other_state_closes_the_conflict_here() {
    let (from, to) = (node(1), node(2));
    let edge = |edge_type| LogEntry::AddEdge { from, to, edge_type };
    let one = entry(1, 1, &[], false, edge(EdgeType::History));
    let other = entry(2, 1, &[], false, edge(EdgeType::Hyperlink));
    let settles = entry(3, 1, &[1, 2], false, LogEntry::SettleEdgePair { from, to });
    let mut ours = Replica::new(1, &[]);
    ours.apply_all([&one, &other]);
    let mut open = ours.graph().conflicts;
    open.retain(|conflict| conflict.kind == ConflictKind::ConcurrentEdgeTypes);
    let mut theirs = Replica::new(2, &[]);
    theirs.apply_all([&one, &other, &settles]);
    assert_eq!(ours.join(&theirs).settled, [open[0].id]);
    assert_eq!(ours.graph(), theirs.graph());
}

#[test]
fn an_unknown_operation_of_either_state_is_kept_once() {
    let unknown = |who| LogEntry::Opaque { kind: 500, payload: vec![who] };
    let (one, other) = (entry(1, 1, &[], false, unknown(1)), entry(2, 1, &[], false, unknown(2)));
    let mut ours = Replica::new(1, &[]);
    ours.apply_all([&one]);
    let mut theirs = Replica::new(2, &[]);
    theirs.apply_all([&one, &other]);
    ours.join(&theirs);
    let kept: BTreeMap<_, _> =
        ours.state.opaque.iter().map(|opaque| (opaque.payload.clone(), opaque.kind)).collect();
    assert_eq!((ours.state.opaque.len(), kept.len()), (2, 2));
    assert_eq!(ours.bytes(), theirs.bytes());
}
