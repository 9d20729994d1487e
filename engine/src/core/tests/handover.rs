//! Snapshots that are handed to another device: what leaves, when, and what a strange one can do.

use super::{Bench, WORKSPACE, add, pull, stranger};
use crate::access::Access;
use crate::core::Output;
use crate::core::shared::Weighed;
use crate::entry::LogEntry;
use crate::hash::Hash;
use crate::limits::MAX_SNAPSHOT_PART_BYTES;
use crate::wire::{Frontier, Reject, Request, Response, SnapshotPart, SnapshotRequest};

pub(super) fn part(id: Option<Hash>, offset: u64, bytes: u32) -> Request {
    Request::Snapshot(SnapshotRequest { workspace: WORKSPACE, id, offset, bytes })
}

pub(super) fn whole(bench: &mut Bench) -> SnapshotPart {
    let most = MAX_SNAPSHOT_PART_BYTES as u32;
    match bench.answer_to(part(None, 0, most)) {
        Response::Snapshot(part) => part,
        other => panic!("expected a snapshot, found {other:?}"),
    }
}

/// A device whose log was cut, and one more entry behind the cut.
pub(super) fn cut() -> Bench {
    let mut bench = Bench::new(1);
    bench.core.share_with(stranger(), Access::None).unwrap();
    bench.edit(1, &[add(1), add(2)]);
    bench.settle();
    bench.core.want_compaction();
    bench.settle();
    assert_eq!(bench.base.as_ref().map(|&(_, first)| first), Some(bench.log.len() as u64));
    bench.core.share_with(stranger(), Access::Full).unwrap();
    bench.edit(1, &[add(3)]);
    bench.settle();
    bench
}

#[test]
fn whoever_is_behind_the_cut_is_told_so() {
    let mut bench = cut();
    let behind = bench.answer_to(pull(Frontier::default()));
    assert_eq!(behind, Response::Refused(Reject::Behind));
    let mut rows = bench.core.frontier().rows().to_vec();
    rows[0].sequence = 2;
    rows[0].hash = bench.batches()[1].authors()[0].hash;
    let response = bench.answer_to(pull(Frontier::new(rows)));
    assert!(matches!(response, Response::Batch { batch: Some(_), more: false }), "{response:?}");
}

#[test]
fn an_edit_is_handed_over_only_once_it_is_durable_and_promised() {
    let mut bench = cut();
    bench.edit(1, &[add(4)]);
    let Some(Output::Append(records)) = bench.core.poll_output() else { panic!("the disk first") };
    bench.ask(part(None, 0, 100));
    while let Some(output) = bench.core.poll_output() {
        assert!(matches!(output, Output::Event(_)), "no still moment: {output:?}");
    }
    bench.log.extend(records);
    bench.core.handle(crate::core::Input::Appended(Ok(())));
    let mut promised = false;
    while let Some(output) = bench.core.poll_output() {
        assert!(promised || !matches!(output, Output::Answer { .. }), "the witness first");
        promised |= matches!(output, Output::Promise(_));
        bench.carry_out(output);
    }
    assert!(promised);
    assert!(matches!(bench.answers.pop(), Some((_, Response::Snapshot(_)))));
}

#[test]
fn parts_are_those_of_one_snapshot_whatever_comes_meanwhile() {
    let mut bench = cut();
    let all = whole(&mut bench);
    let mut bytes = Vec::new();
    let mut bench = cut();
    let mut id = None;
    while bytes.len() < all.bytes.len() {
        let Response::Snapshot(got) = bench.answer_to(part(id, bytes.len() as u64, 50)) else {
            panic!("a part");
        };
        assert_eq!((got.id, got.total, got.offset), (all.id, all.total, bytes.len() as u64));
        assert!((1..=50).contains(&got.bytes.len()));
        bytes.extend(got.bytes);
        id = Some(got.id);
        bench.edit(1, &[add(9)]);
        bench.settle();
    }
    assert_eq!(bytes, all.bytes);
    // It is gone by now: whoever asks for its rest gets the beginning of the next.
    let Response::Snapshot(next) = bench.answer_to(part(id, 50, 50)) else { panic!("a part") };
    assert_ne!((Some(next.id), next.offset), (id, 50));
    assert_eq!(next.offset, 0);
}

#[test]
fn a_stranger_is_handed_nothing() {
    let mut bench = cut();
    bench.core.share_with(stranger(), Access::None).unwrap();
    bench.settle();
    let refused = bench.answer_to(part(None, 0, 50));
    assert_eq!(refused, Response::Refused(Reject::NotShared));
}

#[test]
fn a_changed_snapshot_harms_nobody() {
    let good = whole(&mut cut()).bytes;
    for at in 0..good.len() {
        for flip in [1, 0x80] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            let mut bench = Bench::new(2);
            bench.edit(1, &[add(9)]);
            bench.settle();
            bench.core.begin_join(1, bytes);
            bench.settle();
            let own = bench.core.node(super::page(9));
            assert!(own.is_some(), "what is our own stays, with byte {at} changed");
        }
    }
    let mut bench = Bench::new(2);
    bench.core.begin_join(1, good);
    bench.settle();
    assert_eq!(bench.core.graph().nodes.len(), 3);
    assert!(bench.base.is_some());
}

#[test]
fn a_snapshot_that_knows_more_of_this_device_is_weighed_to_its_end() {
    // Some of these names stand before the own one, some behind it.
    for number in 3..12 {
        let device = |own: u8, page: u8| {
            let (mut bench, mut other) = (Bench::new(1), Bench::new(number));
            for page in 0..own {
                bench.edit(1, &[add(page)]);
                bench.settle();
            }
            other.edit(1, &[add(page)]);
            other.settle();
            bench.push(&other.batches()[0]);
            bench
        };
        let (earlier, later) = (device(1, 90), device(2, 91));
        let shared = earlier.core.read_shared(&later.core.encode_shared()).unwrap();
        let weighed = earlier.core.weigh(&shared);
        assert!(matches!(weighed, Weighed::Parted(_)), "{number}");
        let same = earlier.core.read_shared(&device(2, 90).core.encode_shared()).unwrap();
        assert!(matches!(earlier.core.weigh(&same), Weighed::Brings(1)), "{number}");
        let outrun = [&shared, &same].map(|shared| earlier.core.is_outrun_by(shared));
        assert_eq!(outrun, [true, true], "{number}");
        let known = earlier.core.read_shared(&device(1, 90).core.encode_shared()).unwrap();
        assert!(!earlier.core.is_outrun_by(&known), "{number}");
    }
}

#[test]
fn a_joined_snapshot_shows_only_once_it_is_durable() {
    let good = whole(&mut cut()).bytes;
    let mut bench = Bench::new(2);
    bench.core.begin_join(1, good);
    let Some(Output::Rebase { base, first }) = bench.core.poll_output() else { panic!("a base") };
    assert_eq!(first, 0, "own records stay");
    assert!(bench.core.poll_output().is_none());
    assert!(bench.core.graph().nodes.is_empty() && bench.core.frontier().rows().is_empty());
    // What is edited meanwhile is neither lost nor in the base.
    bench.core.edit(1, &[add(7)]).unwrap();
    while let Some(output) = bench.core.poll_output() {
        assert!(!matches!(output, Output::Append(_)), "writes never overlap");
    }
    bench.base = Some((base, first));
    bench.core.handle(crate::core::Input::Rebased(Ok(())));
    bench.settle();
    assert_eq!(bench.core.graph().nodes.len(), 4);
    let removed = LogEntry::RemoveNode { node_id: super::page(1) };
    bench.edit(2, &[removed]);
    bench.settle();
    assert_eq!(bench.core.graph().nodes.len(), 3);
}
