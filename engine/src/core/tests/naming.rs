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

#[test]
fn an_entry_that_waited_and_relies_on_ours_shows_that_ours_left() {
    let mut restored = Bench::new(1);
    restored.edit(1, &[add(1)]);
    restored.settle();
    let mut other = Bench::new(2);
    other.edit(1, &[add(2)]);
    other.settle();
    other.push(&restored.batches()[0]);
    other.edit(2, &[add(3)]);
    other.settle();
    let [first, _, relies] = &other.batches()[..] else { panic!("three batches") };
    restored.push(relies);
    assert_eq!(restored.core.known_elsewhere(), 0, "nobody could judge it yet");
    restored.push(first);
    assert_eq!(restored.core.graph().nodes.len(), 3);
    assert_eq!(restored.core.known_elsewhere(), 1, "it may be disowned no more");
}

#[test]
fn what_is_made_again_has_seen_what_the_base_tells_that_was_on_its_way() {
    let mut other = Bench::new(3);
    other.edit(1, &[add(1)]);
    other.settle();
    let mut bench = Bench::new(2);
    bench.push(&other.batches()[0]);
    bench.edit(1, &[add(2)]);
    bench.settle();
    bench.answer_to(pull(Frontier::default()));
    bench.core.begin_join(1, handover::whole(&mut handover::cut()).bytes);
    let Some(Output::Rebase { base, first }) = bench.core.poll_output() else { panic!("a base") };
    let me = bench.core.authors.get(bench.core.peer_id()).unwrap();
    bench.core.fork_proven(me, 0, Hash([1; 32]), Hash([2; 32]));
    bench.edit(2, &[add(4)]);
    bench.base = Some((base, first));
    bench.core.handle(Input::Rebased(Ok(())));
    bench.settle();
    assert!(bench.renamed, "the name is taken");
    let batches = bench.batches();
    let anew = batches.last().expect("what was not sealed is made again");
    let seen = |author| anew.authors().iter().any(|row| row.peer == author && row.base == 1);
    assert!(seen(bench.core.peer_id()), "what stays under the old name");
    assert!(seen(other.core.peer_id()), "and what that had seen");
}

#[test]
fn what_others_show_to_have_while_the_name_changes_is_not_disowned() {
    let mut restored = Bench::new(1);
    restored.edit(1, &[add(1)]);
    restored.settle();
    let mut other = Bench::new(2);
    other.push(&restored.batches()[0]);
    other.edit(2, &[add(2)]);
    other.settle();
    restored.edit(3, &[add(3)]);
    let Some(Output::Append(under_way)) = restored.core.poll_output() else { panic!("an append") };
    // Somebody shows another first entry of this author while that is on its way.
    let me = restored.core.authors.get(restored.core.peer_id()).unwrap();
    restored.core.fork_proven(me, 0, Hash([1; 32]), Hash([2; 32]));
    let relies = Batch::clone(&other.batches()[1]);
    restored.ask(Request::Push(PushRequest { batch: relies }));
    restored.carry_out(Output::Append(under_way));
    restored.settle();
    assert!(restored.renamed, "the name is taken");
    let disowned = restored.log.iter().find_map(|record| match record {
        Record::Disown { after, .. } => Some(*after),
        _ => None,
    });
    assert_eq!(disowned, Some(1), "the other relies on the first");
    let anew = restored.batches().last().map(|batch| batch.len());
    assert_eq!(anew, Some(1), "and that is not made again");
}
