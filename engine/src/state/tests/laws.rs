//! Laws over arbitrary histories.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use super::history::{entries, reorder, shuffled, steps};
use super::model::Model;
use super::{Delta, Replica, State, node};
use crate::graph::{ConflictId, Graph};
use crate::id::NodeId;
use crate::testing::cases;

pub(super) fn choices() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 8..40)
}

/// Says how `delta` fails to tell a reader of `before` what `after` is; a delta may name more
/// nodes and pairs than differ, but no conflict that does not.
pub(super) fn complain(before: &Graph, after: &Graph, delta: &Delta) -> Option<String> {
    let nodes: BTreeSet<_> = before.nodes.keys().chain(after.nodes.keys()).collect();
    for id in nodes {
        if before.nodes.get(id) != after.nodes.get(id) && !delta.nodes.contains(id) {
            return Some(format!("node {id} changed"));
        }
    }
    let pairs: BTreeSet<_> = before.edges.keys().chain(after.edges.keys()).collect();
    for pair in pairs {
        if before.edges.get(pair) != after.edges.get(pair) && !delta.pairs.contains(pair) {
            return Some(format!("pair {pair:?} changed"));
        }
    }
    let listed = |graph: &Graph| -> BTreeSet<ConflictId> {
        graph.conflicts.iter().map(|conflict| conflict.id).collect()
    };
    let (was, is) = (listed(before), listed(after));
    let told = |list: &[ConflictId], differs: BTreeSet<ConflictId>| {
        list.is_sorted_by(|a, b| a < b) && list.iter().copied().collect::<BTreeSet<_>>() == differs
    };
    let told = told(&delta.opened, is.difference(&was).copied().collect())
        && told(&delta.settled, was.difference(&is).copied().collect())
        && delta.nodes.is_sorted_by(|a, b| a < b)
        && delta.pairs.is_sorted_by(|a, b| a < b);
    (!told).then(|| "conflicts or the order of ids".to_owned())
}

fn refused_or_canonical(bytes: &[u8]) -> bool {
    let mut read = Replica::new(1, &[]);
    match State::decode(bytes, &mut read.authors, [1; 4]) {
        Err(_) => true,
        Ok(state) => {
            read.state = state;
            read.graph();
            read.bytes() == bytes
        }
    }
}

proptest! {
    #![proptest_config(cases(384))]

    #[test]
    fn any_causal_order_and_batching_gives_the_same_bytes(
        steps in steps(48),
        order in choices(),
        batches in prop::collection::vec(1..9usize, 1..8),
        key in 2..u64::MAX,
    ) {
        let entries = entries(&steps);
        let mut one = Replica::new(1, &[]);
        one.apply_all(&entries);

        let mut other = Replica::new(key, &shuffled(&order));
        let mut rest = &reorder(&entries, &order)[..];
        for &size in batches.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let batch;
            (batch, rest) = rest.split_at(size.min(rest.len()));
            other.apply_all(batch.iter().copied());
        }
        prop_assert_eq!(one.graph(), other.graph());
        prop_assert_eq!(one.bytes(), other.bytes());
        prop_assert_eq!(one.state.vector(&one.authors), other.state.vector(&other.authors));
    }

    #[test]
    fn the_graph_is_what_the_rules_say_after_every_batch(steps in steps(40), order in choices()) {
        let entries = entries(&steps);
        let order = reorder(&entries, &order);
        let ids = [0, 1, 2].map(node);
        let mut replica = Replica::new(1, &[]);
        let mut before = Graph::default();
        let mut applied = 0;
        while applied < order.len() {
            let end = (applied + 3).min(order.len());
            let delta = replica.apply_all(order[applied..end].iter().copied());
            applied = end;
            let graph = replica.graph();
            prop_assert_eq!(&graph, &Model(&order[..applied]).graph(&ids));
            prop_assert_eq!(complain(&before, &graph, &delta), None);
            prop_assert_eq!(replica.state.node_count(), graph.nodes.len());
            prop_assert_eq!(replica.state.edge_count(), graph.edges.len());
            for id in ids {
                let shown = graph.nodes.get(&id);
                prop_assert_eq!(replica.state.exists(id), shown.is_some_and(|node| !node.ghost));
                prop_assert_eq!(replica.state.node(&replica.authors, id), shown.cloned());
                let touches = |pair: &&(NodeId, NodeId)| pair.0 == id || pair.1 == id;
                let touching: Vec<_> = graph.edges.keys().filter(touches).copied().collect();
                prop_assert_eq!(replica.state.pairs_of(id), touching);
                for other in ids {
                    let edge = replica.state.edge(&replica.authors, id, other);
                    prop_assert_eq!(edge, graph.edges.get(&(id, other)).cloned());
                }
            }
            prop_assert_eq!(delta.is_empty(), delta == Delta::default());
            let listed: BTreeSet<_> = replica.state.listed().collect();
            let told = graph.conflicts.iter().map(|conflict| (conflict.kind, conflict.subject));
            prop_assert_eq!(listed, told.collect());
            before = graph;
        }
    }

    #[test]
    fn a_snapshot_goes_on_like_the_state_it_was_taken_of(
        steps in steps(48),
        order in choices(),
        cut in any::<Index>(),
        key in 2..u64::MAX,
    ) {
        let entries = entries(&steps);
        let order = reorder(&entries, &order);
        let (first, later) = order.split_at(cut.index(order.len() + 1));
        let mut kept = Replica::new(1, &[]);
        kept.apply_all(first.iter().copied());
        let mut reopened = kept.reopened(key, &shuffled(&[cut]));
        prop_assert_eq!(kept.graph(), reopened.graph());
        prop_assert_eq!(kept.bytes(), reopened.bytes());
        let delta = kept.apply_all(later.iter().copied());
        prop_assert_eq!(delta, reopened.apply_all(later.iter().copied()));
        prop_assert_eq!(kept.graph(), reopened.graph());
        prop_assert_eq!(kept.bytes(), reopened.bytes());
        for id in [0, 1, 2].map(node) {
            prop_assert_eq!(kept.state.knows(id), reopened.state.knows(id));
            prop_assert_eq!(kept.state.pairs_of(id), reopened.state.pairs_of(id));
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_canonical(
        steps in steps(24),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..3),
        length in any::<Index>(),
    ) {
        let mut replica = Replica::new(1, &[]);
        replica.apply_all(&entries(&steps));
        let mut bytes = replica.bytes();
        let cut = length.index(bytes.len() * 4);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.max(1));
        prop_assert!(refused_or_canonical(&bytes));
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn any_one_damaged_byte_is_refused_or_canonical(steps in steps(40)) {
        let mut replica = Replica::new(1, &[]);
        replica.apply_all(&entries(&steps));
        let bytes = replica.bytes();
        for at in 0..bytes.len() {
            let flips = (0..8).map(|bit| bytes[at] ^ 1 << bit);
            let next = [bytes[at].wrapping_add(1), bytes[at].wrapping_sub(1)];
            for value in flips.chain(next) {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                prop_assert!(refused_or_canonical(&damaged), "byte {} made {}", at, value);
            }
        }
    }
}
