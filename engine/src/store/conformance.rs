//! The exam that every [`Store`] must pass, in memory, on disk or simulated.
//!
//! Each claim is an async function that panics if the store breaks it, so that a test of one line
//! says which claim it tests; [`every_claim`] asks for all of them. Nothing here needs an executor
//! of its own: whoever examines a store brings one.
//!
//! A store is examined at a *place*: a closure that gives a new handle to the same lasting
//! contents each time it is called (a folder, a simulated disk, a shared memory). Of one place
//! no two handles live at once. What a power cut leaves behind is beyond this exam, since only
//! the maker of a disk can cut its power.

use std::pin::pin;
use std::sync::Arc;

use futures_util::poll;

use crate::access::Access;
use crate::batch::{Batch, BatchBuilder, NewEntry};
use crate::graph::{ConflictKind, Subject};
use crate::hash::Hash;
use crate::id::{DeviceId, Incarnation, NodeId, PeerId, WorkspaceId};
use crate::limits::MAX_PAYLOAD_BYTES;
use crate::ports::{Opened, Store, StoreError};
use crate::record::{ForkProof, Record, Snapshot};

/// Examines a store by every claim, each at a place of its own.
pub async fn every_claim<S: Store, P: FnMut() -> S>(mut place: impl FnMut() -> P) {
    a_new_store_is_empty(place()).await;
    append_then_reopen_returns_the_same_records(place()).await;
    every_record_kind_survives(place()).await;
    the_largest_batch_survives(place()).await;
    an_append_of_nothing_changes_nothing(place()).await;
    append_is_all_or_nothing(place()).await;
    positions_are_dense_from_zero(place()).await;
    load_in_any_order(place()).await;
    load_of_unknown_position_is_an_error(place()).await;
    load_may_overlap_an_append(place()).await;
    snapshot_replaces_the_older_one(place()).await;
    snapshot_and_log_are_independent(place()).await;
    rebase_drops_what_lies_before_it(place()).await;
    rebase_elsewhere_is_refused(place()).await;
    watermark_follows_the_log(place()).await;
}

/// A place that nobody wrote to opens with neither snapshot nor records.
pub async fn a_new_store_is_empty<S: Store>(mut place: impl FnMut() -> S) {
    let (_, opened) = open(&mut place).await;
    assert_eq!((opened.end, opened.snapshot), (0, None));
    // Opening wrote nothing that a second opening would find.
    let (_, opened) = open(&mut place).await;
    assert_eq!((opened.end, opened.snapshot), (0, None));
}

/// What was appended is there after the store was opened again, time and again.
pub async fn append_then_reopen_returns_the_same_records<S: Store>(mut place: impl FnMut() -> S) {
    let mut expected = Vec::new();
    for round in 0..4 {
        let (store, opened) = open(&mut place).await;
        assert_eq!(opened.end, expected.len() as u64, "records after {round} appends");
        assert_eq!(all(&store, opened.end).await, expected);
        let records = vec![ready(round, 3, 40), consent(round)];
        store.append(records.clone()).await.expect("appends");
        expected.extend(records);
        assert_eq!(all(&store, expected.len() as u64).await, expected, "before it is reopened");
    }
}

/// Every kind of record comes back as it was.
pub async fn every_record_kind_survives<S: Store>(mut place: impl FnMut() -> S) {
    let author = PeerId::derive(DeviceId([9; 32]), Incarnation([1; 16]));
    let records = vec![
        Record::Identity { device: DeviceId([9; 32]), incarnation: Incarnation([1; 16]) },
        ready(1, 5, 0),
        Record::Parked(Arc::new(batch(2, 5, 600))),
        Record::Consent { device: DeviceId([0xff; 32]), access: Access::Full },
        Record::Consent { device: DeviceId([0xff; 32]), access: Access::None },
        Record::Fork(ForkProof { author, common: 7, ours: Hash([1; 32]), theirs: Hash([2; 32]) }),
        Record::Disown { author, after: u64::from(u32::MAX) + 1 },
    ];
    let (store, _) = open(&mut place).await;
    store.append(records.clone()).await.expect("appends");
    drop(store);
    let (store, opened) = open(&mut place).await;
    assert_eq!(all(&store, opened.end).await, records);
}

/// A batch of the greatest length comes back as it was.
pub async fn the_largest_batch_survives<S: Store>(mut place: impl FnMut() -> S) {
    let record = ready(1, u64::MAX, MAX_PAYLOAD_BYTES);
    let (store, _) = open(&mut place).await;
    store.append(vec![record.clone()]).await.expect("appends");
    drop(store);
    let (store, opened) = open(&mut place).await;
    assert_eq!(all(&store, opened.end).await, [record]);
}

/// Appending no record, and loading none, is allowed.
pub async fn an_append_of_nothing_changes_nothing<S: Store>(mut place: impl FnMut() -> S) {
    let (store, _) = open(&mut place).await;
    store.append(Vec::new()).await.expect("appends nothing");
    assert_eq!(store.load(Vec::new()).await.expect("loads nothing"), []);
    drop(store);
    assert_eq!(open(&mut place).await.1.end, 0);
}

/// An append that is abandoned at any point is there as a whole or not at all, and what stood
/// before it stays.
pub async fn append_is_all_or_nothing<S: Store>(mut place: impl FnMut() -> S) {
    let mut expected = Vec::new();
    for polls in 0..12 {
        let (store, opened) = open(&mut place).await;
        assert_eq!(opened.end, expected.len() as u64);
        let records: Vec<_> = (0..5).map(|n| ready(polls * 5 + n, 2, 700)).collect();
        {
            let mut append = pin!(store.append(records.clone()));
            for _ in 0..polls {
                if poll!(&mut append).is_ready() {
                    break;
                }
            }
        }
        drop(store);
        let (store, opened) = open(&mut place).await;
        if opened.end != expected.len() as u64 {
            expected.extend(records);
        }
        assert_eq!(opened.end, expected.len() as u64, "a part of an append was found");
        assert_eq!(all(&store, opened.end).await, expected);
    }
}

/// The n-th record ever appended stands at position n, however the appends were cut.
pub async fn positions_are_dense_from_zero<S: Store>(mut place: impl FnMut() -> S) {
    let (store, _) = open(&mut place).await;
    let mut next = 0;
    for size in [1, 3, 0, 2, 10, 1] {
        let records = (next..next + size).map(consent).collect();
        store.append(records).await.expect("appends");
        next += size;
    }
    drop(store);
    let (store, opened) = open(&mut place).await;
    assert_eq!(opened.end, next);
    for position in 0..next {
        let found = store.load(vec![position]).await.expect("loads");
        assert_eq!(found, [consent(position)], "at position {position}");
    }
}

/// Records come back in the order asked for, also more than once.
pub async fn load_in_any_order<S: Store>(mut place: impl FnMut() -> S) {
    let (store, _) = open(&mut place).await;
    let records: Vec<_> = (0..6).map(|n| ready(n, 1, 30)).collect();
    store.append(records[..4].to_vec()).await.expect("appends");
    store.append(records[4..].to_vec()).await.expect("appends");
    let positions = vec![5, 0, 3, 3, 1, 4, 2, 0];
    let expected: Vec<_> = positions.iter().map(|&at| records[at as usize].clone()).collect();
    assert_eq!(store.load(positions).await.expect("loads"), expected);
}

/// A position at or past the end gives an error, even among known ones, and harms nothing.
pub async fn load_of_unknown_position_is_an_error<S: Store>(mut place: impl FnMut() -> S) {
    let (store, _) = open(&mut place).await;
    store.load(vec![0]).await.expect_err("position 0 of an empty log was loaded");
    store.append(vec![consent(0), consent(1)]).await.expect("appends");
    for unknown in [2, 3, u64::from(u32::MAX) + 1, u64::MAX] {
        let loaded = store.load(vec![0, unknown, 1]).await;
        loaded.expect_err("a position past the end was loaded");
    }
    assert_eq!(all(&store, 2).await, [consent(0), consent(1)]);
}

/// Records that are durable can be loaded while others are being appended.
pub async fn load_may_overlap_an_append<S: Store>(mut place: impl FnMut() -> S) {
    let (store, _) = open(&mut place).await;
    let (old, new) = (vec![ready(0, 4, 200), consent(1)], vec![ready(2, 4, 200), consent(3)]);
    store.append(old.clone()).await.expect("appends");
    let (appended, loaded) = futures_util::join!(store.append(new.clone()), store.load(vec![0, 1]));
    appended.expect("appends");
    assert_eq!(loaded.expect("loads"), old);
    assert_eq!(all(&store, 4).await, [old, new].concat());
}

/// Only the snapshot saved last is found, whole, also if it is shorter than the one before.
pub async fn snapshot_replaces_the_older_one<S: Store>(mut place: impl FnMut() -> S) {
    for (position, length) in [(3, 100), (5, 300_000), (9, 7), (9, 0)] {
        let snapshot = snapshot(position, length);
        let (store, _) = open(&mut place).await;
        store.save_snapshot(snapshot.clone()).await.expect("saves");
        drop(store);
        assert_eq!(open(&mut place).await.1.snapshot, Some(snapshot));
    }
}

/// Saving a snapshot moves no record, and an append moves no snapshot.
pub async fn snapshot_and_log_are_independent<S: Store>(mut place: impl FnMut() -> S) {
    let (store, _) = open(&mut place).await;
    store.append(vec![consent(0), consent(1)]).await.expect("appends");
    let snapshot = snapshot(1, 2_000);
    store.save_snapshot(snapshot.clone()).await.expect("saves");
    store.append(vec![consent(2)]).await.expect("appends");
    drop(store);
    let (store, opened) = open(&mut place).await;
    assert_eq!((opened.end, opened.snapshot), (3, Some(snapshot)));
    assert_eq!(all(&store, 3).await, [consent(0), consent(1), consent(2)]);
}

/// A base takes the place of the snapshot and of the records that it drops; the others keep their
/// positions, and so do those that come later.
pub async fn rebase_drops_what_lies_before_it<S: Store>(mut place: impl FnMut() -> S) {
    let (store, _) = open(&mut place).await;
    let mut records: Vec<_> = (0..6).map(|n| ready(n, 2, 300)).collect();
    store.append(records.clone()).await.expect("appends");
    store.save_snapshot(snapshot(4, 900)).await.expect("saves");
    let mut first = 0;
    for (next, length) in [(3, 70_000), (3, 10), (8, 0)] {
        let end = records.len() as u64;
        let base = snapshot(end, length);
        store.rebase(base.clone(), next).await.expect("rebases");
        first = next;
        store.load(vec![first - 1]).await.expect_err("a dropped record was loaded");
        assert_eq!(from(&store, first, end).await, records[first as usize..]);
        let new = vec![consent(end), ready(end, 1, 20)];
        store.append(new.clone()).await.expect("appends");
        records.extend(new);
    }
    drop(store);
    let (store, opened) = open(&mut place).await;
    assert_eq!((opened.first, opened.end), (first, records.len() as u64));
    assert_eq!((opened.base, opened.snapshot), (Some(snapshot(10, 0)), None));
    assert_eq!(from(&store, first, opened.end).await, records[first as usize..]);
}

/// A base that is not at the log's end, or keeps what is not there, is refused and changes nothing.
pub async fn rebase_elsewhere_is_refused<S: Store>(mut place: impl FnMut() -> S) {
    let (store, _) = open(&mut place).await;
    store.append((0..4).map(consent).collect()).await.expect("appends");
    store.rebase(snapshot(4, 8), 2).await.expect("rebases");
    for (position, first) in [(3, 2), (5, 2), (4, 1), (4, 5)] {
        let rebased = store.rebase(snapshot(position, 8), first).await;
        let refused = rebased.expect_err("the log holds 2 to 4");
        assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    }
    drop(store);
    let (store, opened) = open(&mut place).await;
    assert_eq!((opened.first, opened.end, opened.base), (2, 4, Some(snapshot(4, 8))));
    assert_eq!(from(&store, 2, 4).await, [consent(2), consent(3)]);
}

/// What was reached durably is remembered as the watermark.
pub async fn watermark_follows_the_log<S: Store>(mut place: impl FnMut() -> S) {
    for n in 0..3 {
        let (store, opened) = open(&mut place).await;
        assert_eq!((opened.end, opened.watermark), (2 * n, 2 * n));
        assert_eq!(opened.set_aside, []);
        store.append(vec![consent(n), consent(n)]).await.expect("appends");
    }
}

async fn from(store: &impl Store, first: u64, end: u64) -> Vec<Record> {
    store.load((first..end).collect()).await.expect("durable records load")
}

async fn open<S: Store>(place: &mut impl FnMut() -> S) -> (S, Opened) {
    let store = place();
    let opened = store.open().await.expect("the store opens");
    (store, opened)
}

async fn all(store: &impl Store, end: u64) -> Vec<Record> {
    from(store, 0, end).await
}

fn consent(n: u64) -> Record {
    let mut device = DeviceId([0; 32]);
    device.0[..8].copy_from_slice(&n.to_le_bytes());
    let access = if n.is_multiple_of(2) { Access::Full } else { Access::None };
    Record::Consent { device, access }
}

/// A record of at most `entries` entries with payloads of that many bytes, which no compression
/// shortens: as many as fit a batch, different for every seed.
pub fn ready(seed: u64, entries: u64, payload: usize) -> Record {
    Record::Ready(Arc::new(batch(seed, entries, payload)))
}

fn snapshot(position: u64, length: usize) -> Snapshot {
    let peer = |n: u64| PeerId(uuid::Uuid::from_u128(u128::from(n) + 1));
    let node = NodeId(uuid::Uuid::from_u128(u128::from(position)));
    Snapshot {
        position,
        bytes: noise(position, length),
        vector: (0..position).map(|n| (peer(n), n + 1)).collect(),
        conflicts: vec![(ConflictKind::DeleteVsUpdate, Subject::Node(node))],
    }
}

fn batch(seed: u64, entries: u64, payload: usize) -> Batch {
    let workspace = WorkspaceId(uuid::Uuid::from_u128(7));
    let mut builder = BatchBuilder::default();
    let author = builder.row(PeerId(uuid::Uuid::from_u128(u128::from(seed) + 1)));
    let other = builder.row(PeerId(uuid::Uuid::from_u128(u128::MAX)));
    for sequence in (seed + 1)..=(seed.saturating_add(entries)) {
        let payload = noise(sequence, payload);
        let delta = [(other, sequence)];
        if !builder.fits(delta.len(), payload.len()) {
            break;
        }
        builder.push(NewEntry {
            author,
            flags: 0,
            kind: u16::MAX,
            sequence,
            timestamp_ms: 1_700_000_000_000 + sequence,
            delta: &delta,
            payload: &payload,
        });
    }
    builder.finish(workspace, |_, base| Hash([base as u8; 32])).expect("at least one entry fits")
}

/// Bytes that no compression shortens.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}
