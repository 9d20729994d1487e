//! Stores and witnesses that fail: what ends with them, and what goes on.

use super::handover::{cut, part, whole};
use super::{Bench, add, page, pull, stranger};
use crate::access::Access;
use crate::api::{Chore, Event, Outcome, SyncError};
use crate::core::{Input, Output};
use crate::hash::Hash;
use crate::limits::MAX_OFFER_RECORDS;
use crate::ports::{CallError, StoreError};
use crate::wire::{Frontier, Reject, Response};

fn failed() -> StoreError {
    StoreError::Failed("as ordered".to_owned())
}

fn hindered(chore: Chore, why: StoreError) -> Output {
    Output::Event(Event::Hindered { chore, why })
}

/// What the core says of its own accord while the bench does what it wants done, but for what
/// `instead` answers.
fn said(bench: &mut Bench, instead: impl Fn(&Output) -> Option<Input>) -> Vec<Output> {
    let mut said = Vec::new();
    while let Some(output) = bench.core.poll_output() {
        let input = instead(&output);
        let carried_out = input.is_none()
            && !matches!(
                output,
                Output::Ask { .. }
                    | Output::Answer { .. }
                    | Output::Finished { .. }
                    | Output::Compacted(_)
                    | Output::Event(_)
                    | Output::Rebuild(_)
            );
        if carried_out {
            bench.carry_out(output);
        } else {
            said.push(output);
            assert!(said.len() < 100, "it spins: {:?}", said.last());
        }
        input.into_iter().for_each(|input| bench.core.handle(input));
    }
    said.retain(|output| !matches!(output, Output::Event(Event::Changed(_))));
    said
}

fn without_witness(bench: &mut Bench) -> Vec<Output> {
    let fail = |output: &Output| {
        matches!(output, Output::Promise(_)).then(|| Input::Promised(Err(failed())))
    };
    said(bench, fail)
}

/// Asks for a round and returns what it asks first.
fn start(bench: &mut Bench) -> u64 {
    bench.core.handle(Input::Start { round: 1, peer: stranger() });
    match &said(bench, |_| None)[..] {
        [Output::Ask { call, .. }] => *call,
        other => panic!("a frontier is asked for first: {other:?}"),
    }
}

fn returned(bench: &mut Bench, call: u64, response: Response) {
    bench.core.handle(Input::Returned { call, response: Ok(response) });
}

#[test]
fn a_witness_that_fails_is_asked_once() {
    let snapshot = whole(&mut cut()).bytes;
    let mut bench = Bench::new(1);
    bench.edit(1, &[add(1)]);
    bench.settle();
    bench.core.want_compaction();
    let told = without_witness(&mut bench);
    assert!(matches!(
        &told[..],
        [Output::Promise(_), Output::Event(Event::Hindered { chore: Chore::Compaction, .. }),
         Output::Compacted(Err(why))] if *why == failed()
    ));

    bench.ask(part(None, 0, 50));
    let told = without_witness(&mut bench);
    assert!(matches!(
        &told[..],
        [
            Output::Promise(_),
            Output::Answer { response: Response::Refused(Reject::Unavailable), .. },
            Output::Event(Event::Hindered { chore: Chore::Serving, .. })
        ]
    ));

    let mut bench = Bench::new(2);
    bench.edit(1, &[add(1)]);
    bench.settle();
    let call = start(&mut bench);
    bench.core.begin_join(1, snapshot);
    let told = without_witness(&mut bench);
    assert!(matches!(
        &told[..],
        [Output::Promise(_), Output::Finished { result: Err(SyncError::Store(why)), .. }]
            if *why == failed()
    ));
    assert!(bench.base.is_none(), "nothing is joined");
    returned(&mut bench, call, Response::InStep);
    assert!(without_witness(&mut bench).is_empty());
}

#[test]
fn a_snapshot_that_the_disk_refuses_is_not_joined_and_takes_nothing_back() {
    let snapshot = whole(&mut cut()).bytes;
    let mut bench = Bench::new(2);
    start(&mut bench);
    bench.core.begin_join(1, snapshot);
    let full = StoreError::Refused("no space".to_owned());
    let mut told = Vec::new();
    while let Some(output) = bench.core.poll_output() {
        match output {
            Output::Rebase { .. } => {
                // Volatile while the store is at work.
                bench.edit(1, &[add(9)]);
                bench.core.handle(Input::Rebased(Err(full.clone())));
            }
            Output::Ask { .. } | Output::Event(_) => {}
            Output::Finished { result, .. } => told.push(result),
            other => bench.carry_out(other),
        }
    }
    assert_eq!(told, [Err(SyncError::Store(full))]);
    assert_eq!(bench.reopened().graph().nodes.into_keys().collect::<Vec<_>>(), [page(9)]);
}

#[test]
fn an_edit_taken_back_is_told_by_the_core_that_took_it_back() {
    let mut bench = Bench::new(1);
    let receipt = bench.core.edit(1, &[add(1)]).unwrap();
    let told = said(&mut bench, |output| match output {
        Output::Append(_) => Some(Input::Appended(Err(failed()))),
        _ => None,
    });
    let Some(Output::Rebuild(why)) = told.last() else { panic!("{told:?}") };
    let (mut next, old) = (bench.reopened(), bench.core);
    next.succeed(old, why);
    assert_eq!(next.fates(), [(receipt, Outcome::Refused(failed()))]);
}

#[test]
fn whoever_is_to_be_shut_out_can_be_however_much_waits_for_the_disk() {
    let mut bench = Bench::new(1);
    while bench.core.edit(1, &[add(1)]).is_ok() {}
    bench.core.share_with(stranger(), Access::None).unwrap();
    assert_eq!(bench.core.access_of(stranger()), Access::None);
}

#[test]
fn a_read_that_fails_for_a_peer_takes_nothing_back() {
    let mut bench = Bench::new(1);
    bench.edit(1, &[add(1)]);
    bench.settle();
    let unreadable = |output: &Output| match *output {
        Output::Load { ticket, .. } => Some(Input::Loaded { ticket, records: Err(failed()) }),
        _ => None,
    };
    for again in [false, true] {
        bench.ask(pull(Frontier::default()));
        let told = said(&mut bench, unreadable);
        let news = usize::from(!again);
        assert!(matches!(told[0], Output::Load { .. }));
        assert!(matches!(
            told[1],
            Output::Answer { response: Response::Refused(Reject::Unavailable), .. }
        ));
        assert_eq!(told.len(), 2 + news, "told once: {told:?}");
    }

    let call = start(&mut bench);
    // Volatile while the read fails.
    bench.edit(2, &[add(2)]);
    let empty = Response::Frontier { frontier: Frontier::default(), excluded: Vec::new() };
    returned(&mut bench, call, empty);
    let told = said(&mut bench, unreadable);
    assert!(told.iter().any(|output| matches!(
        output,
        Output::Finished { result: Err(SyncError::Store(why)), .. } if *why == failed()
    )));
    assert!(!told.iter().any(|output| matches!(output, Output::Rebuild(_))));
    assert_eq!(bench.core.graph().nodes.len(), 2);
}

#[test]
fn a_snapshot_is_let_go_once_nobody_fetches_it() {
    for finished in [false, true] {
        let mut bench = cut();
        let first = whole(&mut bench);
        let most = if finished { u32::MAX } else { 50 };
        bench.answer_to(part(Some(first.id), 0, most));
        assert!(bench.core.offers.is_holding());
        let records = if finished { 1 } else { MAX_OFFER_RECORDS + 1 };
        for number in 0..records {
            assert!(bench.core.offers.is_holding(), "after {number} records");
            bench.edit(1, &[add(number as u8)]);
            bench.settle();
        }
        assert!(!bench.core.offers.is_holding());
    }
}

#[test]
fn records_that_a_compaction_is_about_to_drop_are_not_in_the_log() {
    let mut bench = Bench::new(1);
    bench.core.share_with(stranger(), Access::None).unwrap();
    bench.edit(1, &[add(1)]);
    bench.settle();
    bench.core.want_compaction();
    let mut written = None;
    while let Some(output) = bench.core.poll_output() {
        match output {
            Output::Rebase { first, .. } => written = Some(first),
            other => bench.carry_out(other),
        }
    }
    let first = written.expect("it begins");
    assert!(first > 0);
    assert_eq!(bench.core.log_range().start, first, "the store may be done already");
    // Whoever asks now is not served by what has begun.
    assert!(bench.core.is_compacting());
    bench.core.want_compaction();
    bench.core.handle(Input::Rebased(Ok(())));
    let told = said(&mut bench, |_| None);
    assert!(matches!(told[..], [Output::Compacted(Ok(cut)), Output::Compacted(Ok(0))] if cut > 0));
}

#[test]
fn a_compaction_that_the_store_refuses_leaves_the_log_as_it_was() {
    let mut bench = Bench::new(1);
    bench.core.share_with(stranger(), Access::None).unwrap();
    bench.edit(1, &[add(1)]);
    bench.settle();
    bench.core.want_compaction();
    let full = StoreError::Refused("no space".to_owned());
    let told = said(&mut bench, |output| match output {
        Output::Rebase { .. } => Some(Input::Rebased(Err(full.clone()))),
        _ => None,
    });
    assert!(matches!(told.last(), Some(Output::Compacted(Err(_)))), "{told:?}");
    assert_eq!(bench.core.log_range().start, 0);
    // Whoever lacks an entry gets it from the log, and keeps it from being cut.
    bench.core.share_with(stranger(), Access::Full).unwrap();
    bench.settle();
    for _ in 0..2 {
        let answer = bench.answer_to(pull(Frontier::default()));
        assert!(matches!(answer, Response::Batch { batch: Some(_), more: false }), "{answer:?}");
        bench.core.want_compaction();
        let told = said(&mut bench, |_| None);
        assert!(matches!(told.last(), Some(Output::Compacted(Ok(_)))), "{told:?}");
    }
}

#[test]
fn a_suspicion_keeps_the_log_whole_until_the_peer_takes_it_back() {
    let mut bench = Bench::new(1);
    bench.edit(1, &[add(1)]);
    bench.settle();
    let mut other = Bench::new(2);
    other.edit(1, &[add(2)]);
    other.settle();
    bench.push(&other.batches()[0]);
    let honest = other.core.durable().rows()[0];
    let call = start(&mut bench);
    let mut rows = vec![honest];
    rows[0].hash = Hash([7; 32]);
    let frontier = Frontier::new(rows);
    returned(&mut bench, call, Response::Frontier { frontier, excluded: Vec::new() });
    let told = said(&mut bench, |output| match *output {
        Output::Ask { call, .. } => {
            let nonsense = CallError::Nonsense("it ends the round".to_owned());
            Some(Input::Returned { call, response: Err(nonsense) })
        }
        _ => None,
    });
    let suspected =
        |told: &Output| matches!(told, Output::Event(Event::Fork { proven: false, .. }));
    assert_eq!(told.iter().filter(|told| suspected(told)).count(), 1);
    let refused =
        || StoreError::Refused("an author's history has two branches, or seems to".into());
    for news in [vec![hindered(Chore::Compaction, refused())], Vec::new()] {
        bench.core.want_compaction();
        let mut told = said(&mut bench, |_| None);
        let result = told.pop();
        assert!(matches!(result, Some(Output::Compacted(Err(why))) if why == refused()));
        assert_eq!(format!("{told:?}"), format!("{news:?}"), "told once");
    }
    let call = start(&mut bench);
    let frontier = Frontier::new(vec![honest]);
    returned(&mut bench, call, Response::Frontier { frontier, excluded: Vec::new() });
    bench.core.handle(Input::Abandon { round: 1 });
    bench.core.want_compaction();
    let told = said(&mut bench, |_| None);
    assert!(matches!(told.last(), Some(Output::Compacted(Ok(_)))), "{told:?}");
}

#[test]
fn consent_withdrawn_before_it_was_durable_never_counts() {
    let mut bench = Bench::new(1);
    for before in [Access::None, Access::Full] {
        bench.core.share_with(stranger(), before).unwrap();
        bench.settle();
        for access in [Access::None, Access::Full, Access::ReadOnly] {
            bench.core.share_with(stranger(), access).unwrap();
        }
        let mut allowed = vec![bench.core.access_of(stranger())];
        while let Some(output) = bench.core.poll_output() {
            let Output::Append(records) = output else { continue };
            bench.log.extend(records);
            bench.core.handle(Input::Appended(Ok(())));
            allowed.push(bench.core.access_of(stranger()));
        }
        let last = allowed.pop();
        assert!(allowed.iter().all(|&access| access == Access::None), "{allowed:?}");
        assert_eq!(last, Some(Access::ReadOnly));
    }
}
