//! What goes into an outgoing batch.

use super::*;
use crate::core::select::{Wanted, select};
use crate::id::PeerId;

/// The log of a second device, whose second entry relies on the first device's second: in its order
/// the entries 1 of the second, 1 and 2 of the first, 2 of the second, 3 of the first.
struct Log {
    batches: Vec<Arc<Batch>>,
    first: PeerId,
    second: PeerId,
}

fn log() -> Log {
    let (mut one, mut two) = (Bench::new(1), Bench::new(2));
    for page in 1..=3 {
        one.edit(1, &[add(page)]);
        one.settle();
    }
    let edit = |bench: &mut Bench, page| {
        bench.edit(1, &[add(page)]);
        bench.settle();
    };
    let batches = one.batches();
    edit(&mut two, 20);
    batches[..2].iter().for_each(|batch| _ = two.push(batch));
    edit(&mut two, 21);
    two.push(&batches[2]);
    Log { batches: two.batches(), first: one.core.peer_id(), second: two.core.peer_id() }
}

impl Log {
    fn wanted(&self, excluded: &[(PeerId, u64)]) -> Wanted {
        let until = [(self.first, 3), (self.second, 2)].into_iter().collect();
        Wanted { until, excluded: excluded.iter().copied().collect(), ..Wanted::default() }
    }

    /// What is picked, and whether the bounds ended it.
    fn pick(&self, wanted: &mut Wanted, budget: Budget) -> (Vec<(PeerId, u64)>, bool) {
        let before = wanted.have.clone();
        let selection = select(&self.batches, wanted, budget);
        let gained = wanted.have.iter().flat_map(|(peer, last)| {
            (before.get(peer) + 1..=last).map(move |sequence| (peer, sequence))
        });
        let gained: Vec<_> = gained.collect();
        assert_eq!(selection.builder.len(), gained.len());
        (gained, selection.full)
    }
}

fn sorted(mut entries: Vec<(PeerId, u64)>) -> Vec<(PeerId, u64)> {
    entries.sort_unstable();
    entries
}

#[test]
fn what_is_excluded_stays_out_with_all_that_relies_on_it() {
    let log = log();
    let (one, two) = (log.first, log.second);
    let all = vec![(one, 1), (one, 2), (one, 3), (two, 1), (two, 2)];
    for (excluded, picked, relies) in [
        (vec![], all.clone(), None),
        (vec![(one, 3)], all.clone(), None),
        (vec![(one, 2)], vec![(one, 1), (one, 2), (two, 1), (two, 2)], None),
        (vec![(one, 1)], vec![(one, 1), (two, 1)], Some(1)),
        (vec![(one, 0)], vec![(two, 1)], Some(1)),
        (vec![(two, 1)], vec![(one, 1), (one, 2), (one, 3), (two, 1)], Some(1)),
    ] {
        let mut wanted = log.wanted(&excluded);
        let (found, full) = log.pick(&mut wanted, Budget::FULL);
        assert_eq!((found, full), (sorted(picked), false), "without {excluded:?}");
        assert_eq!(wanted.excluded.get(&two).copied(), relies, "without {excluded:?}");
    }
}

#[test]
fn what_the_receiver_has_and_what_the_sender_may_not_tell_stay_out() {
    let log = log();
    let mut wanted = log.wanted(&[]);
    wanted.have.raise(log.first, 1);
    wanted.until = [(log.first, 2), (log.second, 1)].into_iter().collect();
    let (found, full) = log.pick(&mut wanted, Budget::FULL);
    assert_eq!((found, full), (sorted(vec![(log.first, 2), (log.second, 1)]), false));
}

#[test]
fn a_budget_is_kept_but_for_one_entry_and_the_rest_comes_after() {
    let log = log();
    for (budget, at_once) in [
        (Budget { entries: 2, ..Budget::FULL }, 2),
        (Budget { bytes: 1, ..Budget::FULL }, 1),
        (Budget { entries: 0, ..Budget::FULL }, 1),
    ] {
        let mut wanted = log.wanted(&[]);
        let mut left = 5;
        while left > at_once {
            let (found, full) = log.pick(&mut wanted, budget);
            assert_eq!((found.len(), full), (at_once, true), "{budget:?}");
            left -= at_once;
        }
        let (found, full) = log.pick(&mut wanted, budget);
        assert_eq!((found.len(), full), (left, false), "{budget:?}");
    }
}
