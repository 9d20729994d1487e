//! What a member that lies, or is a member no more, gets out of the core.

use super::*;
use crate::access::Access;
use crate::counters::Counter;
use crate::id::PeerId;
use crate::limits::{MAX_OPEN_ANSWERS, MAX_PARKED_BATCHES};
use crate::wire::{Exclusion, FrontierRow};

#[test]
fn a_flood_of_gaps_is_turned_away_once_the_buffer_is_full() {
    let mut author = Bench::new(1);
    for number in 0..100 {
        author.edit(1, &[add(number)]);
        author.settle();
    }
    let batches = author.batches();
    let mut bench = Bench::new(2);
    let before = bench.log.len();
    for _ in 0..2 {
        batches[1..].iter().for_each(|early| _ = bench.push(early));
    }
    assert_eq!(bench.log.len() - before, MAX_PARKED_BATCHES, "the log grows no further either");
    let counters = bench.core.counters();
    assert_eq!(counters.get(Counter::GapParked), MAX_PARKED_BATCHES as u64);
    assert_eq!(counters.get(Counter::GapTurnedAway), 2 * 99 - MAX_PARKED_BATCHES as u64);
    bench.push(&batches[0]);
    assert_eq!(bench.core.graph().nodes.len(), 1 + MAX_PARKED_BATCHES, "what waited is of use");
}

#[test]
fn an_answer_that_waits_is_not_given_to_whom_consent_was_withdrawn_from() {
    let mut author = Bench::new(1);
    author.edit(1, &[add(1)]);
    author.settle();
    let mut bench = Bench::new(2);
    let batch = Batch::clone(&author.batches()[0]);
    bench.ask(Request::Push(PushRequest { batch }));
    let Some(Output::Append(records)) = bench.core.poll_output() else {
        panic!("the batch goes to the disk first");
    };
    bench.core.share_with(stranger(), Access::None).unwrap();
    bench.log.extend(records);
    bench.core.handle(Input::Appended(Ok(())));
    bench.settle();
    let (_, answer) = bench.answers.pop().expect("every request is answered");
    assert_eq!(answer, Response::Refused(Reject::NotShared), "not even how far the disk is");
}

#[test]
fn a_question_that_waits_is_not_put_to_whom_consent_was_withdrawn_from() {
    let mut bench = Bench::new(1);
    bench.core.handle(Input::Start { round: 1, peer: stranger() });
    bench.core.share_with(stranger(), Access::None).unwrap();
    bench.settle();
    assert!(bench.asks.is_empty(), "{:?}", bench.asks);
}

#[test]
fn a_device_renamed_as_it_opened_takes_yet_another_name_when_it_must() {
    let mut bench = Bench::new(1);
    bench.edit(1, &[add(1)]);
    bench.settle();
    let first = bench.core.peer_id();
    // The witness knows of more than the log holds: it is a restored backup.
    let witness = Promise { incarnation: Incarnation([1; 16]), sequence: 9 };
    let mut core = replayed(1, &bench.log, Some(witness));
    let second = core.peer_id();
    core.edit(2, &[add(2)]).unwrap();
    core.change_name();
    let mut named = Vec::new();
    while let Some(output) = core.poll_output() {
        let records = match output {
            Output::Append(records) => records,
            Output::Promise(_) => {
                core.handle(Input::Promised(Ok(())));
                continue;
            }
            _ => continue,
        };
        named.extend(records.into_iter().filter_map(|record| match record {
            Record::Identity { device, incarnation } => Some(PeerId::derive(device, incarnation)),
            _ => None,
        }));
        core.handle(Input::Appended(Ok(())));
    }
    assert_eq!(named[0], second);
    assert!(named.len() == 2 && ![first, second].contains(&named[1]), "{named:?}");
}

#[test]
fn a_device_that_may_read_is_told_everything_and_changes_nothing() {
    let mut author = Bench::new(1);
    author.edit(1, &[add(1)]);
    author.settle();
    let mut bench = Bench::new(2);
    bench.edit(1, &[add(2)]);
    bench.settle();
    bench.core.share_with(stranger(), Access::ReadOnly).unwrap();
    bench.settle();
    let (log, state) = (bench.log.len(), bench.core.state_bytes());
    let refused = bench.push(&author.batches()[0]);
    assert_eq!(refused, Response::Refused(Reject::ReadOnly));
    // It says that it knows more of this device than there is, and of another branch.
    let peer = bench.core.peer_id();
    let (sequence, hash, branch) = (9, Hash([7; 32]), Hash([8; 32]));
    let have = Frontier::new(vec![FrontierRow { peer, sequence, hash }]);
    let excluded = vec![Exclusion { peer, common: 0, branch }];
    let budget = Budget::FULL;
    bench.answer_to(Request::Pull(PullRequest { workspace: WORKSPACE, have, excluded, budget }));
    let answer = bench.answer_to(pull(Frontier::default()));
    assert!(matches!(answer, Response::Batch { batch: Some(_), .. }), "{answer:?}");
    bench.edit(2, &[add(3)]);
    bench.settle();
    let answer = bench.answer_to(pull(bench.core.frontier()));
    assert!(matches!(answer, Response::Batch { batch: Some(_), .. }), "nothing is held back");
    assert_eq!((bench.core.peer_id(), bench.log.len()), (peer, log + 1));
    assert_ne!(bench.core.state_bytes(), state, "the own edit alone");
    assert_eq!(bench.core.graph().nodes.len(), 2);
}

#[test]
fn access_outlives_a_power_cut_and_a_snapshot() {
    let mut bench = Bench::new(1);
    bench.core.share_with(stranger(), Access::ReadOnly).unwrap();
    bench.settle();
    assert_eq!(bench.reopened().access_of(stranger()), Access::ReadOnly);
    bench.core.want_compaction();
    bench.settle();
    let (base, _) = bench.base.clone().expect("the log was cut");
    let mut anew = replayed(1, &[], None);
    anew.restore(&base).unwrap();
    assert_eq!(anew.access_of(stranger()), Access::ReadOnly);
}

#[test]
fn who_asks_too_much_at_once_is_told_to_wait_and_a_stranger_to_go() {
    let mut bench = Bench::new(1);
    bench.edit(1, &[add(1)]);
    // Until the edit is durable nothing of it is answered.
    for _ in 0..MAX_OPEN_ANSWERS {
        bench.ask(pull(Frontier::default()));
    }
    let open = bench.ask(pull(Frontier::default()));
    bench.settle();
    let busy = (open, Response::Refused(Reject::Busy));
    assert_eq!(bench.answers.len(), MAX_OPEN_ANSWERS + 1);
    assert!(bench.answers.contains(&busy));
    bench.core.share_with(stranger(), Access::None).unwrap();
    bench.settle();
    let refused = bench.answer_to(pull(Frontier::default()));
    assert_eq!(refused, Response::Refused(Reject::NotShared));
    let counters = bench.core.counters();
    let counted = [Counter::AnsweredBusy, Counter::TurnedAway].map(|counter| counters.get(counter));
    assert_eq!(counted, [1, 1]);
}

#[test]
fn what_is_known_already_is_cut_off_and_counted() {
    let mut author = Bench::new(1);
    author.edit(1, &[add(1)]);
    author.settle();
    let first = author.batches();
    author.edit(1, &[add(2)]);
    author.settle();
    let all = author.answer_to(pull(Frontier::default()));
    let Response::Batch { batch: Some(both), .. } = all else { panic!("found {all:?}") };
    let mut bench = Bench::new(2);
    let trimmed = |bench: &Bench| bench.core.counters().get(Counter::BatchTrimmed);
    bench.push(&first[0]);
    assert_eq!(trimmed(&bench), 0);
    bench.push(&Arc::new(both));
    assert_eq!((trimmed(&bench), bench.core.graph().nodes.len()), (1, 2));
}
