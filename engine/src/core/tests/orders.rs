//! The law: any order of arrival, any batching and any redelivery of the same entries end in the
//! same bytes, before and after a restart.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Bench, WORKSPACE, add, page};
use crate::batch::Batch;
use crate::core::select::{Wanted, select};
use crate::entry::{EdgeType, LogEntry, Trigger};
use crate::testing::cases;
use crate::vector::VersionVector;
use crate::wire::Budget;

const AUTHORS: u8 = 3;
const PAGES: u8 = 4;

/// What happens at the authors.
#[derive(Clone, Debug)]
enum Step {
    Edit {
        author: u8,
        kind: u8,
        page: u8,
        other: u8,
        now_ms: u64,
    },
    /// One author hears all that another has.
    Hear {
        author: u8,
        of: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let edit = (0..AUTHORS, 0..9u8, 0..PAGES, 0..PAGES, 0..5u64).prop_map(
        |(author, kind, page, other, now_ms)| Step::Edit { author, kind, page, other, now_ms },
    );
    let hear = (0..AUTHORS, 0..AUTHORS).prop_map(|(author, of)| Step::Hear { author, of });
    prop_oneof![3 => edit, 1 => hear]
}

fn operation(kind: u8, first: u8, second: u8) -> LogEntry {
    let (node_id, from, to) = (page(first), page(first), page(second));
    match kind {
        0 => LogEntry::RemoveNode { node_id },
        1 => LogEntry::UpdateNodeTitle { node_id, title: format!("title {second}") },
        2 => LogEntry::AddEdge { from, to, edge_type: EdgeType::Hyperlink },
        3 => LogEntry::AddEdge { from, to, edge_type: EdgeType::UserGrouped },
        4 => LogEntry::AddTraversal { from, to, timestamp_ms: 1, trigger: Trigger::Link },
        5 => LogEntry::RemoveEdge { from, to, kind: None },
        6 if second == 0 => LogEntry::ClearGraph,
        7 => LogEntry::Opaque { kind: 1000, payload: vec![first, second] },
        _ => add(first),
    }
}

fn authored(steps: &[Step]) -> Vec<Bench> {
    let mut authors: Vec<Bench> = (0..AUTHORS).map(|number| Bench::new(number + 1)).collect();
    for step in steps {
        match *step {
            Step::Edit { author, kind, page, other, now_ms } => {
                let author = &mut authors[usize::from(author)];
                // Not every edit makes sense everywhere.
                let _ = author.core.edit(now_ms, &[operation(kind, page, other)]);
                author.settle();
            }
            Step::Hear { author, of } => {
                let batches = authors[usize::from(of)].batches();
                for batch in batches {
                    authors[usize::from(author)].push(&batch);
                }
            }
        }
    }
    authors
}

/// All entries of one log in batches of at most `size`.
fn rebatched(bench: &Bench, size: u32) -> Vec<Arc<Batch>> {
    let until = bench.core.durable().vector();
    let have = VersionVector::new();
    let mut wanted = Wanted { have, until, ..Wanted::default() };
    let all = bench.batches();
    let budget = Budget { entries: size, ..Budget::FULL };
    std::iter::from_fn(|| {
        let selection = select(&all, &mut wanted, budget);
        let hash_at = |peer, sequence| {
            let author = bench.core.authors.get(peer).expect("a known author");
            bench.core.ledger.chain(author).hash_at(sequence).expect("a known entry")
        };
        selection.builder.finish(WORKSPACE, hash_at).map(Arc::new)
    })
    .collect()
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn any_order_any_batching_and_any_redelivery_give_the_same_bytes(
        steps in prop::collection::vec(step(), 1..40),
        deliveries in prop::collection::vec((any::<prop::sample::Index>(), 1..5u32), 0..60),
    ) {
        let authors = authored(&steps);
        let mut straight = Bench::new(10);
        for author in &authors {
            for batch in author.batches() {
                straight.push(&batch);
            }
        }
        let mut wild = Bench::new(11);
        let mut pool: Vec<Arc<Batch>> = Vec::new();
        for author in &authors {
            pool.extend(author.batches());
            for size in [1, 3] {
                pool.extend(rebatched(author, size));
            }
        }
        for (index, times) in &deliveries {
            if !pool.is_empty() {
                for _ in 0..*times {
                    wild.push(index.get(&pool));
                }
            }
        }
        for author in &authors {
            for batch in rebatched(author, 2) {
                wild.push(&batch);
            }
        }
        prop_assert_eq!(wild.core.applied(), straight.core.applied());
        prop_assert_eq!(wild.core.state_bytes(), straight.core.state_bytes());
        prop_assert_eq!(wild.core.graph(), straight.core.graph());
        let mut reopened = wild.reopened();
        prop_assert_eq!(reopened.state_bytes(), straight.core.state_bytes());
        prop_assert_eq!(reopened.graph(), straight.core.graph());
        prop_assert_eq!(reopened.durable(), wild.core.durable());
    }

    #[test]
    fn merging_again_changes_nothing(steps in prop::collection::vec(step(), 1..30)) {
        let authors = authored(&steps);
        let mut bench = Bench::new(10);
        for author in &authors {
            author.batches().iter().for_each(|batch| { bench.push(batch); });
        }
        let before = (bench.core.state_bytes(), bench.log.len());
        for author in authors.iter().rev() {
            author.batches().iter().for_each(|batch| { bench.push(batch); });
        }
        prop_assert_eq!((bench.core.state_bytes(), bench.log.len()), before);
    }
}
