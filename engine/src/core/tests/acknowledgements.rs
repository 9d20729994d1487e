//! What others say that they have, and what may be cut by it.

use super::*;
use crate::author::AuthorIx;
use crate::vector::VersionVector;
use crate::wire::FrontierRow;

const ONE: AuthorIx = AuthorIx(0);
const OTHER: AuthorIx = AuthorIx(1);

#[test]
fn what_all_have_is_the_least_that_any_of_them_said() {
    let [near, far, silent] = [1, 2, 3].map(|number| DeviceId([number; 32]));
    let mut known = crate::core::acknowledged::Acknowledged::default();
    known.raise(near, OTHER, 5);
    known.raise(near, OTHER, 4);
    known.raise(far, OTHER, 3);
    known.raise(far, ONE, 7);
    assert_eq!([near, far].map(|device| known.get(device, OTHER)), [5, 3]);
    assert_eq!(known.by_all([near, far].into_iter(), OTHER), 3);
    assert_eq!(known.by_all([near, silent].into_iter(), OTHER), 0);
    assert_eq!(known.by_all([].into_iter(), OTHER), u64::MAX);
    known.replace(far, [(OTHER, 2)].into_iter());
    assert_eq!([ONE, OTHER].map(|author| known.get(far, author)), [0, 2]);
    known.forget(far);
    assert_eq!([near, far].map(|device| known.get(device, OTHER)), [5, 0]);
}

/// A device that has made three edits, and how far the stranger has them by its own word.
struct Told(Bench);

impl Told {
    fn new() -> Self {
        let mut bench = Bench::new(1);
        for number in 1..4 {
            bench.edit(1, &[add(number)]);
            bench.settle();
        }
        Told(bench)
    }

    fn row(&self, sequence: u64) -> FrontierRow {
        let core = &self.0.core;
        let hash = core.ledger.chain(core.me).hash_at(sequence).unwrap_or(Hash([1; 32]));
        FrontierRow { peer: core.peer_id(), sequence, hash }
    }

    fn frontier(&mut self, rows: &[FrontierRow]) {
        self.0.core.note_frontier(stranger(), &Frontier::new(rows.to_vec()));
    }

    fn durable(&mut self, sequence: u64) {
        let have: VersionVector = [(self.0.core.peer_id(), sequence)].into_iter().collect();
        self.0.core.note_durable(stranger(), &have);
    }

    fn has(&self) -> u64 {
        self.0.core.acknowledged.get(stranger(), self.0.core.me)
    }
}

#[test]
fn a_frontier_counts_as_far_as_it_is_what_is_here() {
    let mut told = Told::new();
    for (sequence, counts) in [(3, 3), (2, 2), (9, 3)] {
        told.frontier(&[told.row(sequence)]);
        assert_eq!(told.has(), counts, "a frontier up to {sequence}");
    }
    let false_row = FrontierRow { hash: Hash([2; 32]), ..told.row(2) };
    told.frontier(&[false_row]);
    assert_eq!(told.has(), 0, "another history says nothing of this one");
}

#[test]
fn an_answer_to_a_push_adds_what_is_durable_here() {
    let mut told = Told::new();
    for (sequence, counts) in [(2, 2), (1, 2), (9, 3)] {
        told.durable(sequence);
        assert_eq!(told.has(), counts, "durable up to {sequence}");
    }
}

#[test]
fn whom_nothing_is_shared_with_says_nothing_that_counts() {
    let mut told = Told::new();
    told.durable(2);
    told.0.core.share_with(stranger(), Access::None).unwrap();
    told.0.settle();
    assert_eq!(told.has(), 0, "what it said is forgotten");
    told.durable(2);
    told.frontier(&[told.row(3)]);
    assert_eq!(told.has(), 0);
}

#[test]
fn a_question_in_step_says_that_all_of_it_is_there() {
    let mut told = Told::new();
    told.0.answer_to(pull(Frontier::default()));
    let digest = told.0.core.frontier().digest();
    let ask = |digest| Request::Frontier(FrontierRequest { workspace: WORKSPACE, digest });
    assert!(matches!(told.0.answer_to(ask(Hash([3; 32]))), Response::Frontier { .. }));
    assert_eq!(told.has(), 0);
    assert_eq!(told.0.answer_to(ask(digest)), Response::InStep);
    assert_eq!(told.has(), 3);
}
