//! The core alone, driven by hand: what it sends and acknowledges, and when.

mod acknowledgements;
mod failures;
mod handover;
mod hostile;
mod naming;
mod orders;
mod rounds;
mod selection;

use std::sync::Arc;

use uuid::Uuid;

use super::{Core, Input, Output, Rebuild, Replay, Replayed, Seeds};
use crate::access::Access;
use crate::api::{Config, SyncError, SyncReport};
use crate::batch::{Batch, BatchBuilder, NewEntry};
use crate::entry::{LogEntry, Position};
use crate::hash::{Hash, chain_start};
use crate::id::{DeviceId, Incarnation, NodeId, PeerId, WorkspaceId};
use crate::limits::{MAX_FOREIGN_AUTHORS, MAX_NAMES};
use crate::ports::Promise;
use crate::record::{Record, Snapshot};
use crate::wire::{
    Budget, Frontier, FrontierRequest, PullRequest, PushRequest, Reject, Request, Response,
};

pub(super) const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(1));

pub(super) fn page(number: u8) -> NodeId {
    NodeId(Uuid::from_u128(u128::from(number)))
}

pub(super) fn add(number: u8) -> LogEntry {
    let url = format!("https://example.org/{number}");
    LogEntry::AddNode { node_id: page(number), url, position: Position::default() }
}

/// A core with a log that never fails, shared with everybody.
pub(super) struct Bench {
    pub(super) core: Core,
    pub(super) log: Vec<Record>,
    number: u8,
    witness: Option<Promise>,
    next_call: u64,
    /// What the log stands on, and where it begins.
    pub(super) base: Option<(Snapshot, u64)>,
    pub(super) answers: Vec<(u64, Response)>,
    /// What it asks, and how its rounds ended.
    asks: Vec<(u64, Request)>,
    finished: Vec<Result<SyncReport, SyncError>>,
    /// Whether it wants to go on as another core, under another name.
    renamed: bool,
}

impl Bench {
    pub(super) fn new(number: u8) -> Self {
        let core = replayed(number, &[], None);
        let (log, answers) = (Vec::new(), Vec::new());
        let (witness, base) = (None, None);
        let (asks, finished, next_call, renamed) = (Vec::new(), Vec::new(), 0, false);
        let mut bench =
            Bench { core, log, number, witness, next_call, base, answers, asks, finished, renamed };
        bench.settle();
        bench.core.share_with(stranger(), Access::Full).unwrap();
        bench.settle();
        bench
    }

    /// Does everything that the core wants done.
    pub(super) fn settle(&mut self) {
        while let Some(output) = self.core.poll_output() {
            self.carry_out(output);
        }
    }

    pub(super) fn carry_out(&mut self, output: Output) {
        let input = match output {
            Output::Append(records) => {
                self.log.extend(records);
                Input::Appended(Ok(()))
            }
            Output::Load { ticket, positions } => {
                let first = self.base.as_ref().map_or(0, |&(_, first)| first);
                assert!(positions.iter().all(|&at| at >= first), "it was cut off");
                let records = positions.iter().map(|&at| self.log[at as usize].clone()).collect();
                Input::Loaded { ticket, records: Ok(records) }
            }
            Output::Promise(promise) => {
                self.witness = Some(promise);
                Input::Promised(Ok(()))
            }
            Output::Rebase { base, first } => {
                assert_eq!(base.position, self.log.len() as u64);
                self.base = Some((base, first));
                Input::Rebased(Ok(()))
            }
            Output::Compacted(result) => return assert!(result.is_ok(), "{result:?}"),
            Output::SaveSnapshot(_) => Input::SnapshotSaved(Ok(())),
            Output::Answer { call, response } => return self.answers.push((call, response)),
            Output::Ask { call, request, .. } => return self.asks.push((call, request)),
            Output::Finished { result, .. } => return self.finished.push(result),
            Output::Rebuild(Rebuild::Rotated { .. }) => return self.renamed = true,
            Output::Rebuild(_) => panic!("unexpected: {output:?}"),
            Output::Announce(_) | Output::Event(_) => return,
        };
        self.core.handle(input);
    }

    pub(super) fn ask(&mut self, request: Request) -> u64 {
        self.next_call += 1;
        self.core.handle(Input::Asked { call: self.next_call, from: stranger(), request });
        self.next_call
    }

    /// Asks and settles; the answer.
    pub(super) fn answer_to(&mut self, request: Request) -> Response {
        let call = self.ask(request);
        self.settle();
        let (answered, response) = self.answers.pop().expect("every request is answered");
        assert_eq!(answered, call);
        response
    }

    pub(super) fn push(&mut self, batch: &Arc<Batch>) -> Response {
        let batch = Batch::clone(batch);
        self.answer_to(Request::Push(PushRequest { batch }))
    }

    /// The batches that stand in the log, in its order.
    pub(super) fn batches(&self) -> Vec<Arc<Batch>> {
        let ready = self.log.iter().filter_map(|record| match record {
            Record::Ready(batch) => Some(Arc::clone(batch)),
            _ => None,
        });
        ready.collect()
    }

    pub(super) fn edit(&mut self, now_ms: u64, operations: &[LogEntry]) {
        self.core.edit(now_ms, operations).unwrap();
    }

    /// The same device after a power cut.
    pub(super) fn reopened(&self) -> Core {
        replayed(self.number, &self.log, self.witness)
    }
}

pub(super) fn stranger() -> DeviceId {
    DeviceId([99; 32])
}

pub(super) fn replayed(number: u8, log: &[Record], witness: Option<Promise>) -> Core {
    let config = Config {
        workspace: WORKSPACE,
        device: DeviceId([number; 32]),
        snapshot_every: 0,
        compact_every: 0,
    };
    let seeds = Seeds {
        table: [u64::from(number); 4],
        first: Incarnation([number; 16]),
        next: Incarnation([number | 0x80; 16]),
    };
    let mut disowned = Vec::new();
    'again: loop {
        let mut replay = Replay::new(config, seeds, 0, disowned.clone());
        for record in log {
            if let Replayed::Again(known) = replay.record(record.clone()).unwrap() {
                disowned = known;
                continue 'again;
            }
        }
        return replay.finish(witness);
    }
}

fn pull(have: Frontier) -> Request {
    let budget = Budget::FULL;
    Request::Pull(PullRequest { workspace: WORKSPACE, have, excluded: Vec::new(), budget })
}

#[test]
fn unsynced_edit_is_never_sent() {
    let mut bench = Bench::new(1);
    bench.edit(1, &[add(1)]);
    bench.settle();
    bench.answer_to(pull(Frontier::default()));
    let sent = bench.core.frontier();
    assert_eq!(sent.rows().len(), 1);
    bench.edit(1, &[add(2)]);
    let Some(Output::Append(records)) = bench.core.poll_output() else {
        panic!("the edit goes to the disk first");
    };
    let call = bench.ask(pull(sent.clone()));
    while let Some(output) = bench.core.poll_output() {
        bench.carry_out(output);
    }
    let (answered, response) = bench.answers.pop().unwrap();
    assert_eq!(answered, call);
    assert_eq!(response, Response::Batch { batch: None, more: false });
    bench.log.extend(records);
    bench.core.handle(Input::Appended(Ok(())));
    let response = bench.answer_to(pull(sent));
    assert!(matches!(response, Response::Batch { batch: Some(_), .. }), "{response:?}");
}

#[test]
fn a_durable_edit_is_sent_only_once_the_witness_knows() {
    let mut bench = Bench::new(1);
    bench.edit(1, &[add(1)]);
    bench.settle();
    bench.ask(pull(Frontier::default()));
    let Some(Output::Promise(promise)) = bench.core.poll_output() else {
        panic!("the witness is told first");
    };
    assert_eq!(promise.sequence, 1);
    assert!(!matches!(bench.core.poll_output(), Some(Output::Load { .. } | Output::Answer { .. })));
    bench.core.handle(Input::Promised(Ok(())));
    bench.settle();
    let (_, response) = bench.answers.pop().unwrap();
    assert!(matches!(response, Response::Batch { batch: Some(_), .. }), "{response:?}");
}

#[test]
fn the_witness_writes_while_a_peer_is_asked_once_somebody_was() {
    let mut bench = Bench::new(1);
    for looked in [false, true] {
        bench.edit(1, &[add(u8::from(looked))]);
        bench.settle();
        bench.core.handle(Input::Start { round: 1, peer: stranger() });
        let mut promises = Vec::new();
        while let Some(output) = bench.core.poll_output() {
            match output {
                Output::Ask { call, request: Request::Frontier(_), .. } => {
                    // Nothing follows from the answer before it is there.
                    promises.push(bench.core.has_unpromised());
                    let frontier = Frontier::default();
                    let response = Response::Frontier { frontier, excluded: Vec::new() };
                    bench.core.handle(Input::Returned { call, response: Ok(response) });
                }
                Output::Ask { .. } | Output::Finished { .. } => {}
                other => bench.carry_out(other),
            }
        }
        assert_eq!(promises, [!looked], "a restored backup learns first what others know of it");
        bench.core.handle(Input::Abandon { round: 1 });
    }
}

#[test]
fn a_push_is_acknowledged_only_once_it_is_durable() {
    let mut author = Bench::new(1);
    author.edit(1, &[add(1)]);
    author.settle();
    let batch = Batch::clone(&author.batches()[0]);
    let mut bench = Bench::new(2);
    bench.ask(Request::Push(PushRequest { batch: batch.clone() }));
    let Some(Output::Append(records)) = bench.core.poll_output() else {
        panic!("the batch goes to the disk first");
    };
    assert!(bench.core.poll_output().is_none(), "nothing is said and nothing is shown");
    assert!(bench.core.graph().nodes.is_empty());
    // The same again while the first is on its way: known, and still not durable.
    bench.ask(Request::Push(PushRequest { batch }));
    assert!(bench.core.poll_output().is_none());
    bench.log.extend(records);
    bench.core.handle(Input::Appended(Ok(())));
    bench.settle();
    assert_eq!(bench.answers.len(), 2);
    let durable = author.core.durable().vector();
    assert!(bench.answers.iter().all(|(_, response)| {
        matches!(response, Response::Durable { have } if *have == durable)
    }));
}

#[test]
fn an_early_batch_waits_and_is_not_acknowledged() {
    let mut author = Bench::new(1);
    for number in 1..=2 {
        author.edit(1, &[add(number)]);
        author.settle();
    }
    let [first, second] = &author.batches()[..] else { panic!("two batches") };
    let mut bench = Bench::new(2);
    let Response::Durable { have } = bench.push(second) else { panic!("it is parked") };
    assert!(have.is_empty());
    assert!(matches!(bench.log.last(), Some(Record::Parked(_))), "and survives a restart");
    let mut reopened = bench.reopened();
    assert!(reopened.graph().nodes.is_empty());
    bench.push(first);
    assert_eq!(bench.core.graph().nodes.len(), 2);
    assert_eq!(bench.core.state_bytes(), author.core.state_bytes());
}

#[test]
fn a_redelivered_entry_with_another_content_is_refused_and_told() {
    let mut one = Bench::new(1);
    let mut other = Bench::new(1);
    one.edit(1, &[add(1)]);
    other.edit(1, &[add(2)]);
    one.settle();
    other.settle();
    let mut bench = Bench::new(2);
    bench.push(&one.batches()[0]);
    let before = bench.core.state_bytes();
    let response = bench.push(&other.batches()[0]);
    let author = one.core.peer_id();
    assert_eq!(response, Response::Refused(Reject::Fork { author, common: 0 }));
    assert!(bench.log.iter().any(|record| matches!(record, Record::Fork(proof)
        if proof.author == author && proof.common == 0 && proof.ours != proof.theirs)));
    assert_eq!(bench.core.state_bytes(), before);
    one.edit(2, &[add(3)]);
    one.settle();
    let refused = bench.push(&one.batches()[1]);
    assert!(matches!(refused, Response::Refused(Reject::Fork { .. })), "it is quarantined");
}

/// A batch with the first entry of each of these authors; it relies on entries of others.
fn firsts(authors: &[u128], causes: &[(u128, u64)]) -> Arc<Batch> {
    let peer = |number: u128| PeerId(Uuid::from_u128(1000 + number));
    let mut batch = BatchBuilder::default();
    for &number in authors {
        let author = batch.row(peer(number));
        let cause = |&(cause, last): &(u128, u64)| (batch.row(peer(cause)), last);
        let delta: Vec<_> = causes.iter().map(cause).collect();
        let (flags, kind, sequence, timestamp_ms) = (0, 9999, 1, 1);
        let (delta, payload) = (&delta[..], &[][..]);
        batch.push(NewEntry { author, flags, kind, sequence, timestamp_ms, delta, payload });
    }
    let hash = |author, sequence| match sequence {
        0 => chain_start(WORKSPACE, author),
        _ => Hash([1; 32]),
    };
    Arc::new(batch.finish(WORKSPACE, hash).unwrap())
}

#[test]
fn a_workspace_full_of_authors_opens_again_and_takes_in_no_more() {
    let most = MAX_FOREIGN_AUTHORS as u128;
    let mut bench = Bench::new(1);
    let all: Vec<u128> = (0..most).collect();
    let (last, but_one) = all.split_last().unwrap();
    assert!(matches!(bench.push(&firsts(but_one, &[])), Response::Durable { .. }));
    let refused = Response::Refused(Reject::TooManyAuthors);
    assert_eq!(bench.push(&firsts(&[*last, most], &[])), refused, "both or none");
    assert!(matches!(bench.push(&firsts(&[*last], &[])), Response::Durable { .. }));
    assert_eq!(bench.push(&firsts(&[most], &[])), refused);
    let again = bench.push(&firsts(&all, &[]));
    assert!(matches!(again, Response::Durable { .. }), "what is known is no news: {again:?}");
    for number in 1..3 {
        bench.edit(1, &[add(number)]);
        bench.settle();
    }
    assert_eq!(bench.reopened().graph().nodes.len(), 2);
}

#[test]
fn a_batch_whose_cause_nobody_knows_notes_no_name() {
    let mut bench = Bench::new(1);
    let before = bench.core.authors.len();
    for number in 0..3 {
        let early = bench.push(&firsts(&[number], &[(100 + number, 1)]));
        assert!(matches!(early, Response::Durable { .. }), "{early:?}");
    }
    assert_eq!(bench.core.authors.len(), before);
}

#[test]
fn names_of_whom_nothing_was_admitted_are_bounded() {
    let mut bench = Bench::new(1);
    bench.push(&firsts(&[0], &[]));
    // Its cause is to come from an author that is known.
    let early = |number| firsts(&[number], &[(0, 5)]);
    let free = (MAX_NAMES - bench.core.authors.len()) as u128;
    for number in 1..=free {
        let taken = bench.push(&early(number));
        assert!(matches!(taken, Response::Durable { .. }), "{number}: {taken:?}");
    }
    assert_eq!(bench.core.authors.len(), MAX_NAMES);
    assert_eq!(bench.push(&early(free + 1)), Response::Refused(Reject::TooManyAuthors));
    let known = bench.push(&early(free));
    assert!(matches!(known, Response::Durable { .. }), "it brings no name: {known:?}");
}

#[test]
fn a_stranger_learns_nothing() {
    let mut bench = Bench::new(1);
    bench.edit(1, &[add(1)]);
    bench.settle();
    let workspace = WorkspaceId(Uuid::from_u128(2));
    let ask = |workspace| Request::Frontier(FrontierRequest { workspace, digest: Hash([0; 32]) });
    let wrong = bench.answer_to(ask(workspace));
    bench.core.share_with(stranger(), Access::None).unwrap();
    bench.settle();
    let unshared = bench.answer_to(ask(WORKSPACE));
    assert_eq!(wrong, Response::Refused(Reject::NotShared));
    assert_eq!(unshared, wrong, "both refusals look the same");
}
