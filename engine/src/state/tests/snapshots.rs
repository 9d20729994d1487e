//! Claims about the bytes of a state.

use super::{Replica, State, node, peer};
use crate::author::Authors;
use crate::entry::{EdgeType, LogEntry, SyncedLogEntry, Trigger};
use crate::limits::MAX_AUTHORS;
use crate::state::pair::Removed;

fn synced(sequence: u64, entry: LogEntry) -> SyncedLogEntry {
    SyncedLogEntry {
        entry,
        timestamp_ms: sequence,
        peer_id: peer(1),
        sequence,
        version_vector: [(peer(1), sequence - 1)].into_iter().collect(),
        genesis: false,
    }
}

#[test]
fn what_was_only_mentioned_is_not_written_down() {
    let written = |first| {
        let mut replica = Replica::new(1, &[]);
        replica.apply_all(&[synced(1, first), synced(2, LogEntry::ClearGraph)]);
        replica.bytes()
    };
    let (from, to) = (node(1), node(2));
    assert_eq!(
        written(LogEntry::AssertEdge { from, to }),
        written(LogEntry::SettleEdgePair { from: to, to: from }),
    );
}

#[test]
fn a_settlement_among_edges_of_one_type_is_not_written_down() {
    let (from, to) = (node(1), node(2));
    let by = |who, seen: &[u8], entry| SyncedLogEntry {
        entry,
        timestamp_ms: 1,
        peer_id: peer(who),
        sequence: 1,
        version_vector: seen.iter().map(|&other| (peer(other), 1)).collect(),
        genesis: false,
    };
    let edge = |edge_type| LogEntry::AddEdge { from, to, edge_type };
    let mut kept = Replica::new(1, &[]);
    kept.apply_all(&[
        by(1, &[], edge(EdgeType::History)),
        by(2, &[], edge(EdgeType::History)),
        by(3, &[1, 2], LogEntry::SettleEdgePair { from, to }),
    ]);
    let mut reopened = kept.reopened(2, &[]);
    // Only now two types meet, and the settlement had seen but one of them.
    let other = [by(4, &[], edge(EdgeType::Hyperlink))];
    kept.apply_all(&other);
    reopened.apply_all(&other);
    assert_eq!(kept.bytes(), reopened.bytes());
}

#[test]
fn an_unknown_operation_is_in_the_snapshot_byte_for_byte() {
    let mut replica = Replica::new(1, &[]);
    replica.apply_all(&[synced(1, LogEntry::Opaque { kind: 500, payload: vec![1, 2, 3] })]);
    let reopened = replica.reopened(2, &[]);
    let [opaque] = &reopened.state.opaque[..] else { panic!("one entry") };
    assert_eq!((opaque.kind, &opaque.payload[..]), (500, &[1, 2, 3][..]));
    assert!(reopened.graph().nodes.is_empty());
}

#[test]
fn a_removal_still_covers_after_a_restart() {
    let visit = LogEntry::AssertEdge { from: node(1), to: node(2) };
    let restore = |id| LogEntry::RestoreNode { node_id: node(id) };
    let mut replica = Replica::new(1, &[]);
    let removal = LogEntry::RemoveNode { node_id: node(2) };
    replica.apply_all(&[
        synced(1, restore(1)),
        synced(2, restore(2)),
        synced(3, visit),
        synced(4, removal),
    ]);
    let mut reopened = replica.reopened(2, &[]);
    assert_eq!(reopened.state.edge_count(), 0);
    reopened.apply_all(&[synced(5, restore(2))]);
    assert_eq!(reopened.state.edge_count(), 1);
}

#[test]
fn kinds_of_edges_that_there_are_not_cannot_have_been_removed() {
    assert!(Removed::from_bits(0b1_1111).is_some());
    assert!((0b10_0000..=u8::MAX).all(|bits| Removed::from_bits(bits).is_none()));
}

#[test]
fn a_node_or_pair_that_says_nothing_is_refused() {
    let refused = |pairs: &[u8], expected: &str| {
        let mut bytes = vec![1, 0, 0, 1];
        bytes.extend_from_slice(node(1).0.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(pairs);
        bytes.push(0);
        let mut authors = Authors::new([1; 4]);
        let error = State::decode(&bytes, &mut authors, [1; 4]).expect_err("not canonical");
        assert!(error.to_string().contains(expected), "{error}");
    };
    refused(&[0], "no node that says nothing");
    refused(&[1, 0, 0, 0], "a pair that says something");
}

#[test]
fn what_a_clear_covers_is_refused() {
    let (from, to) = (node(1), node(2));
    for entry in [
        LogEntry::RestoreNode { node_id: from },
        LogEntry::AssertEdge { from, to },
        LogEntry::AddTraversal { from, to, timestamp_ms: 9, trigger: Trigger::Link },
    ] {
        let mut replica = Replica::new(1, &[]);
        replica.apply_all(&[
            synced(1, LogEntry::Opaque { kind: 500, payload: vec![] }),
            synced(2, LogEntry::ClearGraph),
            synced(3, entry),
        ]);
        let mut bytes = replica.bytes();
        // The third entry's stamp: author and flag, sequence, time. The clear had seen the first.
        let at = bytes.windows(3).position(|bytes| bytes == [0, 3, 3]).expect("a stamp");
        bytes[at + 1] = 1;
        let mut authors = Authors::new([1; 4]);
        let error = State::decode(&bytes, &mut authors, [1; 4]).expect_err("covered");
        assert!(error.to_string().contains("canonical form"), "{error}");
    }
}

#[test]
fn counts_beyond_the_bytes_are_refused() {
    let refused = |bytes: &[u8], expected: &str| {
        let mut authors = Authors::new([1; 4]);
        let error = State::decode(bytes, &mut authors, [1; 4]).expect_err("malformed");
        assert!(error.to_string().contains(expected), "{error}");
    };
    refused(&[], "a version");
    refused(&[2], "version 1");
    refused(&[1, 0x81, 0x08], "a number of authors");
    assert_eq!(MAX_AUTHORS, 1024, "the count above is one more");
    refused(&[1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f], "a node id");
    refused(&[1, 0, 0, 0, 0xff, 0xff, 0x7f], "a node");
    refused(&[1, 0, 0, 0, 0, 0xff, 0xff, 0x7f], "an author");
    refused(&[1, 0, 0, 0, 0, 0, 0], "the end of the state");
}
