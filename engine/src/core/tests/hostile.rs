//! What a member that lies, or is a member no more, gets out of the core.

use super::*;
use crate::counters::Counter;
use crate::id::PeerId;
use crate::limits::MAX_PARKED_BATCHES;

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
    bench.core.share_with(stranger(), false).unwrap();
    bench.log.extend(records);
    bench.core.handle(Input::Appended(Ok(())));
    bench.settle();
    let (_, answer) = bench.answers.pop().expect("every request is answered");
    assert_eq!(answer, Response::Refused(Reject::NotShared), "not even how far the disk is");
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
        let Output::Append(records) = output else { continue };
        named.extend(records.into_iter().filter_map(|record| match record {
            Record::Identity { device, incarnation } => Some(PeerId::derive(device, incarnation)),
            _ => None,
        }));
        core.handle(Input::Appended(Ok(())));
    }
    assert_eq!(named[0], second);
    assert!(named.len() == 2 && ![first, second].contains(&named[1]), "{named:?}");
}
