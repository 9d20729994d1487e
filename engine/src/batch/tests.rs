use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::codec::DecodeError;
use crate::entry::{FLAG_GENESIS, LogEntry};
use crate::limits::{
    MAX_AUTHORS, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, MAX_PAYLOAD_BYTES, SEQUENCE_END,
};
use crate::testing;

proptest! {
    #[test]
    fn batch_survives_its_bytes(batch in testing::batch()) {
        prop_assert_eq!(Batch::decode(&batch.encode()), Ok(batch));
    }

    #[test]
    fn batch_is_never_longer_than_its_builder_foretold((batch, bytes) in testing::built()) {
        let length = batch.encode().len();
        prop_assert!(length <= bytes, "{} bytes, {} foretold", length, bytes);
    }

    #[test]
    fn author_table_says_what_a_receiver_must_have(batch in testing::batch()) {
        let mut have: BTreeMap<_, _> =
            batch.authors().iter().map(|row| (row.peer, row.base)).collect();
        let mut relied = BTreeMap::new();
        for (entry, dot) in batch.entries().zip(batch.dots()) {
            for &(row, sequence) in entry.delta {
                let peer = batch.authors()[usize::from(row)].peer;
                prop_assert!(peer != dot.peer && sequence <= have[&peer]);
                let most = relied.entry(peer).or_insert(0);
                *most = sequence.max(*most);
            }
            let last = have.get_mut(&dot.peer).unwrap();
            *last += 1;
            prop_assert_eq!(*last, dot.sequence);
        }
        for row in batch.authors() {
            prop_assert_eq!(row.last(), have[&row.peer]);
            prop_assert_eq!(row.hash, testing::hash_at(row.peer, row.base));
            prop_assert!(row.count > 0 || relied.get(&row.peer) == Some(&row.base));
        }
    }

    #[test]
    fn copied_entries_make_the_same_batch(batch in testing::batch()) {
        let mut builder = BatchBuilder::default();
        let mut rows = Vec::new();
        for entry in batch.entries() {
            builder.copy(&batch, &entry, &mut rows);
        }
        let copy = builder.finish(batch.workspace(), testing::hash_at);
        prop_assert_eq!(copy, Some(batch));
    }

    #[test]
    fn cut_or_continued_batch_is_refused(batch in testing::batch(), byte: u8) {
        let mut bytes = batch.encode();
        for length in 0..bytes.len() {
            prop_assert!(Batch::decode(&bytes[..length]).is_err(), "cut to {length}");
        }
        bytes.push(byte);
        prop_assert!(Batch::decode(&bytes).is_err(), "continued");
    }

    #[test]
    fn hostile_batch_is_refused_or_canonical(
        bytes in testing::hostile(testing::batch().prop_map(|batch| batch.encode())),
    ) {
        if let Ok(batch) = Batch::decode(&bytes) {
            prop_assert!(memory(&batch) <= bytes.len() * MEMORY_PER_BYTE);
            prop_assert_eq!(batch.encode(), bytes);
        }
    }
}

/// What a decoded batch may hold in memory for each byte that was read.
const MEMORY_PER_BYTE: usize = 18;

fn memory(batch: &Batch) -> usize {
    batch.authors.capacity() * size_of::<AuthorRow>()
        + batch.headers.capacity() * size_of::<Header>()
        + batch.deltas.capacity() * size_of::<(u16, u64)>()
        + batch.payloads.capacity()
}

/// The bytes of a batch, written by hand: `rows` are peer and base, entries come as bytes.
fn written(rows: &[(u128, u64)], count: u64, entries: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![BATCH_VERSION];
    out.extend_from_slice(&[7; 16]);
    put_varint(&mut out, rows.len() as u64);
    for &(peer, base) in rows {
        out.extend_from_slice(&peer.to_be_bytes());
        put_varint(&mut out, base);
        out.extend_from_slice(&[9; 32]);
    }
    put_varint(&mut out, count);
    out.extend(entries.concat());
    out
}

/// Row 0, kind 7 without genesis flag, time 0, an empty delta, an empty payload.
const CLEAR: &[u8] = &[0, 7 << 1, 0, 0, 0];

fn refusal(bytes: &[u8]) -> &'static str {
    match Batch::decode(bytes) {
        Err(BatchError::Malformed(DecodeError { expected, .. })) => expected,
        other => panic!("not refused as malformed: {other:?}"),
    }
}

#[test]
fn well_formed_by_hand_is_accepted() {
    assert!(Batch::decode(&written(&[(1, 0)], 1, &[CLEAR])).is_ok());
    assert!(Batch::decode(&written(&[(1, 0), (2, 5)], 1, &[&[0, 14, 0, 1, 1, 5, 0]])).is_ok());
}

#[test]
fn author_table_must_ascend() {
    let needs_other = |rows| written(rows, 1, &[&[0, 14, 0, 1, 1, 5, 0]]);
    assert_eq!(refusal(&needs_other(&[(2, 5), (1, 5)])), "authors in ascending order");
    assert_eq!(refusal(&needs_other(&[(1, 5), (1, 5)])), "authors in ascending order");
}

#[test]
fn author_table_holds_nobody_but_those_needed() {
    let expected = "no author beyond those that the entries need";
    assert_eq!(refusal(&written(&[(1, 0), (2, 0)], 1, &[CLEAR])), expected);
    assert_eq!(refusal(&written(&[(1, 0), (2, 5)], 1, &[CLEAR])), expected);
    let relies_on_less = &[0, 14, 0, 1, 1, 4, 0][..];
    assert_eq!(refusal(&written(&[(1, 0), (2, 5)], 1, &[relies_on_less])), expected);
}

#[test]
fn delta_names_other_known_authors_in_order() {
    let rows = &[(1, 0), (2, 5), (3, 5)];
    let delta = |delta: &[u8]| written(rows, 1, &[&[0, 14, 0], delta, &[0]]);
    assert!(Batch::decode(&delta(&[2, 1, 5, 2, 5])).is_ok());
    let known = "a dependency within the batch or up to a base";
    assert_eq!(refusal(&delta(&[2, 1, 5, 2, 6])), known);
    assert_eq!(refusal(&delta(&[2, 1, 5, 2, 0])), known);
    let ascending = "other authors, ascending";
    assert_eq!(refusal(&delta(&[2, 2, 5, 1, 5])), ascending);
    assert_eq!(refusal(&delta(&[2, 1, 4, 1, 5])), ascending);
    assert_eq!(refusal(&delta(&[2, 0, 1, 1, 5])), ascending);
    assert_eq!(refusal(&delta(&[1, 3, 5])), "a row of the author table");
    assert_eq!(refusal(&delta(&[4])), "a delta no longer than the author table");
}

#[test]
fn entry_may_rely_on_one_before_it_but_on_none_after_it() {
    let first = &[0, 14, 0, 0, 0][..];
    let second = &[1, 14, 0, 1, 0, 1, 0][..];
    let rows = &[(1, 0), (2, 0)];
    assert!(Batch::decode(&written(rows, 2, &[first, second])).is_ok());
    let known = "a dependency within the batch or up to a base";
    assert_eq!(refusal(&written(rows, 2, &[second, first])), known);
}

#[test]
fn numbers_must_be_shortest_and_counts_within_bounds() {
    let overlong_time = &[0, 14, 0x80, 0, 0, 0][..];
    assert_eq!(refusal(&written(&[(1, 0)], 1, &[overlong_time])), "a time");
    assert_eq!(refusal(&written(&[(1, 0)], 0, &[CLEAR])), "at least one entry");
    let count = "an entry count within its bound";
    let many = vec![CLEAR; MAX_BATCH_ENTRIES + 1];
    assert!(Batch::decode(&written(&[(1, 0)], 1024, &many[1..])).is_ok());
    assert_eq!(refusal(&written(&[(1, 0)], 1025, &many)), count);
    assert_eq!(refusal(&written(&[(1, 0)], 2, &[CLEAR])), count);
    assert_eq!(refusal(&written(&[(1, 0)], 1, &[CLEAR, &[0]])), "the batch's end");
    assert_eq!(refusal(&written(&[], 1, &[CLEAR])), "an author table");
}

#[test]
fn genesis_entry_has_time_0() {
    assert!(Batch::decode(&written(&[(1, 0)], 1, &[&[0, 15, 0, 0, 0]])).is_ok());
    let late = &[0, 15, 2, 0, 0][..];
    assert_eq!(refusal(&written(&[(1, 0)], 1, &[late])), "time 0 of a genesis entry");
}

#[test]
fn no_entry_reaches_the_end_of_the_sequences() {
    let last = written(&[(1, SEQUENCE_END - 2)], 1, &[CLEAR]);
    assert_eq!(Batch::decode(&last).unwrap().authors()[0].last(), SEQUENCE_END - 1);
    let expected = "entries below sequence 2^62";
    assert_eq!(refusal(&written(&[(1, SEQUENCE_END - 1)], 1, &[CLEAR])), expected);
    assert_eq!(refusal(&written(&[(1, SEQUENCE_END)], 1, &[CLEAR])), "a sequence below 2^62");
}

#[test]
fn oversized_or_newer_batch_is_refused_unread() {
    let bytes = MAX_BATCH_BYTES + 1;
    assert_eq!(Batch::decode(&vec![1; bytes]), Err(BatchError::TooLong { bytes }));
    assert_eq!(Batch::decode(&[2]), Err(BatchError::Version { found: 2 }));
}

/// The input that makes the decoder hold most: deltas of two bytes a component.
#[test]
fn densest_batch_stays_within_its_memory() {
    let rows: Vec<(u128, u64)> =
        (0..128).map(|peer| (peer, if peer == 0 { 0 } else { 1 })).collect();
    let mut entry = vec![0, 14, 0, 127];
    entry.extend((1..128).flat_map(|row| [row, 1]));
    entry.push(0);
    let bytes = written(&rows, 1024, &vec![&entry[..]; 1024]);
    let batch = Batch::decode(&bytes).unwrap();
    assert!(
        memory(&batch) <= bytes.len() * MEMORY_PER_BYTE,
        "{} of {}",
        memory(&batch),
        bytes.len()
    );
}

/// Any single entry fits, with every author in the table and in its delta.
#[test]
fn widest_entry_fits_a_batch() {
    let mut builder = BatchBuilder::default();
    let rows: Vec<u16> = (0..MAX_AUTHORS).map(|n| builder.row(testing::author(n))).collect();
    let delta: Vec<(u16, u64)> = rows[1..].iter().map(|&row| (row, SEQUENCE_END - 1)).collect();
    let payload = vec![0; MAX_PAYLOAD_BYTES];
    assert!(builder.fits(delta.len(), payload.len()));
    builder.push(NewEntry {
        author: rows[0],
        flags: 0,
        kind: u16::MAX,
        sequence: SEQUENCE_END - 1,
        timestamp_ms: u64::MAX / 2,
        delta: &delta,
        payload: &payload,
    });
    let batch = builder.finish(WorkspaceId(Uuid::max()), testing::hash_at).unwrap();
    let bytes = batch.encode();
    assert!(bytes.len() <= MAX_BATCH_BYTES, "{} bytes", bytes.len());
    assert_eq!(Batch::decode(&bytes), Ok(batch));
}

#[test]
fn builder_stops_at_the_entry_bound_and_leaves_unused_rows_out() {
    let mut builder = BatchBuilder::default();
    let unused = builder.row(testing::author(3));
    let author = builder.row(testing::author(0));
    assert_ne!(unused, author);
    let mut sequence = 0;
    while builder.fits(0, 0) {
        sequence += 1;
        let (kind, flags) = (LogEntry::<&str>::ClearGraph.kind(), FLAG_GENESIS);
        let entry =
            NewEntry { author, flags, kind, sequence, timestamp_ms: 0, delta: &[], payload: &[] };
        builder.push(entry);
    }
    assert_eq!(builder.len(), MAX_BATCH_ENTRIES);
    let batch = builder.finish(WorkspaceId(Uuid::nil()), testing::hash_at).unwrap();
    assert_eq!(batch.authors().len(), 1);
    assert_eq!(batch.len(), MAX_BATCH_ENTRIES);
    let empty = BatchBuilder::default();
    assert!(empty.is_empty());
    assert_eq!(empty.finish(WorkspaceId(Uuid::nil()), testing::hash_at), None);
}

/// A golden value: a change of it is a new format, which old engines and logs do not know.
#[test]
fn bytes_of_a_known_batch_stay_what_they_were() {
    let mut builder = BatchBuilder::default();
    let (a, b) = (builder.row(testing::author(0)), builder.row(testing::author(1)));
    let entry = |author, kind, sequence, timestamp_ms, delta, payload| NewEntry {
        author,
        flags: 0,
        kind,
        sequence,
        timestamp_ms,
        delta,
        payload,
    };
    builder.push(entry(a, 7, 1, 1_771_804_800_000, &[], b""));
    builder.push(entry(b, 1000, 9, 1_771_804_799_999, &[(a, 1)], b"unknown"));
    let batch = builder
        .finish(WorkspaceId(Uuid::from_u128(0x1111_2222_3333_4444)), |_, _| Hash([0xab; 32]))
        .unwrap();
    let hash = "ab".repeat(32);
    let golden = [
        // Version and workspace, then the table: author, base, hash.
        "01",
        "00000000000000001111222233334444",
        "02",
        "1a0d12016999847689dae5744d2b8c1908",
        &hash,
        "71e0a9917356893180b8acc52d2685a800",
        &hash,
        // Two entries: row, kind, time, delta, payload.
        "02",
        "010e80d0ddfc90670000",
        "00d00f0101010107756e6b6e6f776e",
    ];
    assert_eq!(data_encoding::HEXLOWER.encode(&batch.encode()), golden.concat());
}
