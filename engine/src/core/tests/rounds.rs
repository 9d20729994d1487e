//! Rounds from the side that asks: what they move, what they count, and how they end.

use super::*;
use crate::limits::{MAX_LOST_CALLS, MAX_ROUND_RETRIES};
use crate::ports::CallError;

/// What becomes of a call.
enum Fate {
    Arrives,
    /// The peer hears it, and its answer is lost.
    Unanswered,
    Fails(CallError),
    /// The network, or what stands for it, answers for the peer.
    Says(Response),
}

fn lost() -> CallError {
    CallError::Lost("a test".to_owned())
}

fn begin(bench: &mut Bench, round: u64) {
    bench.core.handle(Input::Start { round, peer: stranger() });
    bench.settle();
}

/// Carries calls to `other` and answers back until the round ends.
fn carry(
    bench: &mut Bench,
    other: &mut Bench,
    mut fate: impl FnMut(&Request) -> Fate,
) -> Result<SyncReport, SyncError> {
    for _ in 0..1_000 {
        if bench.asks.is_empty() {
            break;
        }
        let (call, request) = bench.asks.remove(0);
        let response = match fate(&request) {
            Fate::Arrives => Ok(other.answer_to(request)),
            Fate::Unanswered => {
                other.answer_to(request);
                Err(lost())
            }
            Fate::Fails(error) => Err(error),
            Fate::Says(response) => Ok(response),
        };
        bench.core.handle(Input::Returned { call, response });
        bench.settle();
    }
    bench.finished.pop().expect("the round ends")
}

fn sync(
    bench: &mut Bench,
    other: &mut Bench,
    fate: impl FnMut(&Request) -> Fate,
) -> Result<SyncReport, SyncError> {
    begin(bench, 1);
    carry(bench, other, fate)
}

/// A device with so many edits.
fn device(number: u8, edits: u8) -> Bench {
    let mut bench = Bench::new(number);
    for nth in 0..edits {
        bench.edit(1, &[add(10 * number + nth)]);
        bench.settle();
    }
    bench
}

/// How a round ends all of whose calls fail like this, and how many they were.
fn all_calls_fail(error: &CallError) -> (Result<SyncReport, SyncError>, u32) {
    let (mut one, mut other) = (device(1, 1), device(2, 1));
    let mut calls = 0;
    let moved = sync(&mut one, &mut other, |_| {
        calls += 1;
        Fate::Fails(error.clone())
    });
    (moved, calls)
}

fn report(pushed: u64, pulled: u64, calls: u64, lost: u64) -> SyncReport {
    SyncReport { pushed, pulled, calls, lost, ..SyncReport::default() }
}

fn is_push(request: &Request) -> bool {
    matches!(request, Request::Push(_))
}

fn is_pull(request: &Request) -> bool {
    matches!(request, Request::Pull(_))
}

#[test]
fn a_round_moves_what_either_lacks_and_counts_it() {
    let (mut one, mut other) = (device(1, 3), device(2, 2));
    let moved = sync(&mut one, &mut other, |_| Fate::Arrives);
    assert_eq!(moved, Ok(report(3, 2, 3, 0)));
    assert_eq!(one.core.state_bytes(), other.core.state_bytes());
    let again = sync(&mut one, &mut other, |_| Fate::Arrives);
    assert_eq!(again, Ok(report(0, 0, 1, 0)));
    one.edit(2, &[add(50)]);
    one.settle();
    let one_more = sync(&mut one, &mut other, |_| Fate::Arrives);
    assert_eq!(one_more, Ok(report(1, 0, 2, 0)), "nothing is left to pull");
}

#[test]
fn a_lost_call_is_repeated_and_nothing_counts_twice() {
    for is_lost in [is_push, is_pull] {
        let (mut one, mut other) = (device(1, 3), device(2, 2));
        let mut left = 2;
        let moved = sync(&mut one, &mut other, |request| match is_lost(request) && left > 0 {
            true => {
                left -= 1;
                Fate::Unanswered
            }
            false => Fate::Arrives,
        });
        assert_eq!(moved, Ok(report(3, 2, 5, 2)));
    }
}

#[test]
fn a_round_ends_after_so_many_lost_calls_in_a_row() {
    let (mut one, mut other) = (device(1, 0), device(2, 2));
    let mut pulls = 0;
    let moved = sync(&mut one, &mut other, |request| match is_pull(request) {
        true => {
            pulls += 1;
            Fate::Fails(lost())
        }
        false => Fate::Arrives,
    });
    assert_eq!((moved, pulls), (Err(lost().into()), MAX_LOST_CALLS + 1));
}

#[test]
fn a_peer_that_is_away_is_asked_twice() {
    assert_eq!(all_calls_fail(&lost()), (Err(lost().into()), 2));
}

#[test]
fn nonsense_ends_the_round_at_once() {
    let nonsense = CallError::Nonsense("a test".to_owned());
    assert_eq!(all_calls_fail(&nonsense), (Err(nonsense.into()), 1));
    let empty = Response::Batch { batch: None, more: true };
    for (kind, said) in [
        (is_pull as fn(&Request) -> bool, empty),
        (is_pull, Response::InStep),
        (is_push, Response::Batch { batch: None, more: false }),
    ] {
        let (mut one, mut other) = (device(1, 1), device(2, 1));
        let moved = sync(&mut one, &mut other, |request| match kind(request) {
            true => Fate::Says(said.clone()),
            false => Fate::Arrives,
        });
        assert!(matches!(moved, Err(SyncError::Call(CallError::Nonsense(_)))), "{moved:?}");
    }
}

#[test]
fn a_busy_peer_is_asked_so_often_and_no_more() {
    for (kind, edits) in [(is_push as fn(&Request) -> bool, (1, 0)), (is_pull, (0, 1))] {
        let (mut one, mut other) = (device(1, edits.0), device(2, edits.1));
        let mut asked = 0;
        let moved = sync(&mut one, &mut other, |request| match kind(request) {
            true => {
                asked += 1;
                Fate::Says(Response::Refused(Reject::Busy))
            }
            false => Fate::Arrives,
        });
        assert!(moved.is_err(), "{moved:?}");
        assert_eq!(asked, MAX_ROUND_RETRIES + 1);
    }
    let (mut one, mut other) = (device(1, 1), device(2, 1));
    let mut busy = MAX_ROUND_RETRIES;
    let moved = sync(&mut one, &mut other, |request| match is_pull(request) && busy > 0 {
        true => {
            busy -= 1;
            Fate::Says(Response::Refused(Reject::Busy))
        }
        false => Fate::Arrives,
    });
    assert_eq!(moved, Ok(report(1, 1, 3 + u64::from(MAX_ROUND_RETRIES), 0)));
}

#[test]
fn what_is_published_is_counted_as_such_and_only_once() {
    let publishes = |request: &Request| match is_push(request) {
        true => Fate::Says(Response::Published),
        false => Fate::Arrives,
    };
    let (mut one, mut other) = (device(1, 3), device(2, 0));
    let moved = sync(&mut one, &mut other, publishes).unwrap();
    assert_eq!((moved.published, moved.pushed), (3, 0));
    let (mut one, mut other) = (device(1, 3), device(2, 0));
    let mut first = true;
    let moved = sync(&mut one, &mut other, |request| {
        match is_push(request) && std::mem::take(&mut first) {
            true => Fate::Fails(lost()),
            false => publishes(request),
        }
    });
    let moved = moved.unwrap();
    assert_eq!((moved.published, moved.pushed, moved.lost), (3, 0, 1));
}

#[test]
fn a_peer_that_lets_one_read_only_is_still_read() {
    let (mut one, mut other) = (device(1, 3), device(2, 2));
    let moved = sync(&mut one, &mut other, |request| match is_push(request) {
        true => Fate::Says(Response::Refused(Reject::ReadOnly)),
        false => Fate::Arrives,
    });
    assert_eq!(moved, Ok(SyncReport { read_only: true, ..report(0, 2, 3, 0) }));
}

#[test]
fn what_the_peer_has_beyond_what_was_sent_is_no_push() {
    let (mut one, mut other) = (device(1, 3), device(2, 2));
    let boasts = [(one.core.peer_id(), 9), (other.core.peer_id(), 2)].into_iter().collect();
    let boast = Response::Durable { have: boasts };
    let moved = sync(&mut one, &mut other, |request| match is_push(request) {
        true => Fate::Says(boast.clone()),
        false => Fate::Arrives,
    });
    assert_eq!(moved, Ok(report(3, 2, 3, 0)));
}

#[test]
fn one_round_with_a_device_at_a_time_and_none_without_consent() {
    let mut one = device(1, 1);
    begin(&mut one, 1);
    begin(&mut one, 2);
    assert_eq!(one.finished, [Err(SyncError::UnderWay(stranger()))]);
    one.core.share_with(stranger(), Access::None).unwrap();
    one.settle();
    assert_eq!(one.finished.pop(), Some(Err(SyncError::NoConsent(stranger()))));
    begin(&mut one, 3);
    assert_eq!(one.finished.pop(), Some(Err(SyncError::NoConsent(stranger()))));
    let friend = DeviceId([98; 32]);
    one.core.share_with(friend, Access::Full).unwrap();
    one.settle();
    one.core.handle(Input::Start { round: 4, peer: friend });
    one.core.share_with(stranger(), Access::Full).unwrap();
    one.core.share_with(stranger(), Access::None).unwrap();
    one.settle();
    assert_eq!(one.finished, [Err(SyncError::UnderWay(stranger()))], "the other round goes on");
}

#[test]
fn a_history_that_parts_is_left_out_and_reported() {
    // Two devices of one name, as one profile on two computers makes them.
    let (branch, mut twin) = (device(3, 2), device(3, 0));
    for number in 90..93 {
        twin.edit(9, &[add(number)]);
        twin.settle();
    }
    let (mut one, mut other) = (device(1, 2), device(2, 1));
    branch.batches().iter().for_each(|batch| _ = one.push(batch));
    twin.batches().iter().for_each(|batch| _ = other.push(batch));
    let moved = sync(&mut one, &mut other, |_| Fate::Arrives).unwrap();
    assert_eq!((moved.pushed, moved.pulled, moved.forks), (2, 1, vec![twin.core.peer_id()]));
    assert_eq!(one.core.forks(), [(twin.core.peer_id(), 0)].into_iter().collect());
}

#[test]
fn a_push_refused_for_a_fork_is_made_again_without_that_author() {
    let (branch, mut one, mut other) = (device(3, 2), device(1, 2), device(2, 1));
    branch.batches().iter().for_each(|batch| _ = one.push(batch));
    let (author, mut refuses) = (branch.core.peer_id(), true);
    let moved = sync(&mut one, &mut other, |request| {
        match is_push(request) && std::mem::take(&mut refuses) {
            true => Fate::Says(Response::Refused(Reject::Fork { author, common: 0 })),
            false => Fate::Arrives,
        }
    });
    assert_eq!(moved.map(|moved| (moved.pushed, moved.pulled)), Ok((2, 1)));
    let theirs = other.core.applied();
    assert_eq!((theirs.get(author), theirs.get(one.core.peer_id())), (0, 2));
}

#[test]
fn a_device_that_forgot_learns_its_name_from_others() {
    let (mut before, mut other) = (device(1, 3), device(2, 0));
    sync(&mut before, &mut other, |_| Fate::Arrives).unwrap();
    let mut forgot = device(1, 0);
    forgot.edit(5, &[add(70)]);
    begin(&mut forgot, 1);
    while !forgot.renamed {
        let (call, request) = forgot.asks.remove(0);
        assert!(!is_push(&request), "nothing leaves under a name that is taken");
        let response = Ok(other.answer_to(request));
        forgot.core.handle(Input::Returned { call, response });
        forgot.settle();
    }
}
