//! When a device takes a name, and what leaves under which.

use super::*;
use crate::limits::MAX_BATCH_ENTRIES;

#[test]
fn the_witness_knows_a_name_before_the_log_does() {
    let mut core = replayed(1, &[], None);
    core.edit(1, &[add(1)]).unwrap();
    let told = |core: &mut Core| {
        std::iter::from_fn(|| core.poll_output()).find(|output| !matches!(output, Output::Event(_)))
    };
    assert!(matches!(told(&mut core), Some(Output::Promise(promise)) if promise.sequence == 0));
    assert!(told(&mut core).is_none(), "the log waits");
    core.handle(Input::Promised(Ok(())));
    let Some(Output::Append(records)) = told(&mut core) else { panic!("now the log is told") };
    assert!(matches!(records[..], [Record::Identity { .. }, Record::Ready(_)]));
}

#[test]
fn the_witness_knows_a_name_before_the_log_does_however_much_is_made_at_first() {
    let mut core = replayed(1, &[], None);
    let pages: Vec<_> = (0..=u8::MAX).map(add).collect();
    for _ in 0..=MAX_BATCH_ENTRIES / pages.len() {
        core.edit(1, &pages).unwrap();
    }
    let told = |core: &mut Core| {
        std::iter::from_fn(|| core.poll_output()).find(|output| !matches!(output, Output::Event(_)))
    };
    assert!(matches!(told(&mut core), Some(Output::Promise(promise)) if promise.sequence == 0));
    assert!(told(&mut core).is_none(), "the log waits");
    core.handle(Input::Promised(Ok(())));
    assert!(matches!(told(&mut core), Some(Output::Append(_))));
}

#[test]
fn own_entries_that_others_bring_are_not_taken_in() {
    let made = |pages: u8| {
        let mut bench = Bench::new(1);
        for page in 1..=pages {
            bench.edit(u64::from(page), &[add(page)]);
            bench.settle();
        }
        bench
    };
    let (before, mut forgot) = (made(2), made(1));
    assert_eq!(before.core.peer_id(), forgot.core.peer_id());
    let answer = forgot.push(&before.batches()[1]);
    assert_eq!(answer, Response::Refused(Reject::Unavailable));
    assert!(forgot.renamed, "the name is taken");
    assert_eq!(forgot.core.graph().nodes.len(), 1);
}

#[test]
fn what_is_promised_while_the_name_changes_stays_at_home() {
    let mut bench = Bench::new(1);
    bench.edit(1, &[add(1)]);
    bench.settle();
    bench.answer_to(pull(Frontier::default()));
    bench.edit(2, &[add(2)]);
    bench.settle();
    let call = bench.ask(pull(Frontier::default()));
    let Some(Output::Promise(_)) = bench.core.poll_output() else { panic!("the witness is told") };
    // Somebody shows another second entry of this author while that is on its way.
    let me = bench.core.authors.get(bench.core.peer_id()).unwrap();
    bench.core.fork_proven(me, 1, Hash([1; 32]), Hash([2; 32]));
    bench.core.handle(Input::Promised(Ok(())));
    while let Some(output) = bench.core.poll_output() {
        match output {
            Output::Answer { call: answered, response } if answered == call => {
                let Response::Batch { batch: Some(batch), .. } = response else {
                    assert_eq!(response, Response::Refused(Reject::Unavailable));
                    continue;
                };
                assert_eq!(batch.entries().map(|entry| entry.sequence).max(), Some(1));
            }
            Output::Rebuild(_) => return,
            output => bench.carry_out(output),
        }
    }
    panic!("the name changes");
}
