use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testing;

fn encoded(entry: &LogEntry) -> Vec<u8> {
    let mut out = Vec::new();
    entry.encode_payload(&mut out).unwrap();
    out
}

/// Every kind that has a meaning, and some that have none.
fn kind() -> impl Strategy<Value = u16> {
    0..=SETTLE_EDGE_PAIR + 2
}

proptest! {
    #[test]
    fn entry_survives_its_bytes(entry in testing::entry()) {
        let payload = encoded(&entry);
        prop_assert_eq!(LogEntry::decode(entry.kind(), &payload).to_owned(), entry);
    }

    #[test]
    fn any_payload_is_kept_byte_for_byte(kind in kind(), payload in vec(any::<u8>(), 0..80)) {
        let entry = LogEntry::decode(kind, &payload).to_owned();
        prop_assert_eq!(entry.kind(), kind);
        prop_assert_eq!(encoded(&entry), payload);
    }

    #[test]
    fn mangled_payload_is_kept_byte_for_byte(
        (kind, payload) in testing::entry().prop_flat_map(|entry| {
            let mut payload = encoded(&entry);
            payload.push(0);
            (Just(entry.kind()), testing::hostile(Just(payload)))
        }),
    ) {
        let entry = LogEntry::decode(kind, &payload).to_owned();
        prop_assert_eq!(entry.kind(), kind);
        prop_assert_eq!(encoded(&entry), payload);
    }

    #[test]
    fn cut_or_continued_payload_has_no_meaning(entry in testing::entry()) {
        let fixed_length = !matches!(
            entry,
            LogEntry::AddNode { .. }
                | LogEntry::UpdateNodeTitle { .. }
                | LogEntry::UpdateNodeUrl { .. }
                | LogEntry::Opaque { .. }
        );
        prop_assume!(fixed_length);
        let mut payload = encoded(&entry);
        payload.push(0);
        for length in (0..=payload.len()).filter(|&length| length != payload.len() - 1) {
            let decoded = LogEntry::decode(entry.kind(), &payload[..length]);
            let opaque = matches!(decoded, LogEntry::Opaque { .. });
            prop_assert!(opaque, "{:?} of {} bytes", decoded, length);
        }
    }
}

fn means_nothing(kind: u16, payload: &[u8]) -> bool {
    let decoded = LogEntry::decode(kind, payload).to_owned();
    decoded == LogEntry::Opaque { kind, payload: payload.to_vec() }
}

#[test]
fn only_finite_positions_without_negative_zero_have_a_meaning() {
    let moved = |x: f32, y: f32| {
        let mut payload = vec![5; 16];
        payload.extend_from_slice(&x.to_le_bytes());
        payload.extend_from_slice(&y.to_le_bytes());
        payload
    };
    assert!(!means_nothing(MOVE_NODE, &moved(0.0, -1.5)));
    for hostile in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0] {
        assert!(means_nothing(MOVE_NODE, &moved(hostile, 0.0)), "{hostile} as x");
        assert!(means_nothing(MOVE_NODE, &moved(0.0, hostile)), "{hostile} as y");
    }
}

#[test]
fn position_refuses_what_is_not_finite_and_gives_zero_one_sign() {
    let position = Position::new(-0.0, -0.0).unwrap();
    assert!(position.x().is_sign_positive() && position.y().is_sign_positive());
    for hostile in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(Position::new(hostile, 0.0).is_err() && Position::new(0.0, hostile).is_err());
    }
}

#[test]
fn text_beyond_its_bound_is_neither_written_nor_understood() {
    let node_id = NodeId(Uuid::nil());
    let longest = LogEntry::UpdateNodeTitle { node_id, title: "t".repeat(MAX_TITLE_BYTES) };
    let mut payload = encoded(&longest);
    assert_eq!(LogEntry::decode(UPDATE_NODE_TITLE, &payload).to_owned(), longest);
    payload.push(b't');
    assert!(means_nothing(UPDATE_NODE_TITLE, &payload));

    let bytes = MAX_URL_BYTES + 1;
    let too_long = LogEntry::UpdateNodeUrl { node_id, new_url: "u".repeat(bytes) };
    let mut out = b"before".to_vec();
    let refused = PayloadError::TooLong { what: "the url", bytes, most: MAX_URL_BYTES };
    assert_eq!(too_long.encode_payload(&mut out), Err(refused));
    assert_eq!(out, b"before");
}

#[test]
fn longest_payload_of_a_known_kind_fits() {
    let node_id = NodeId(Uuid::max());
    let url = "u".repeat(MAX_URL_BYTES);
    let longest = LogEntry::AddNode { node_id, url, position: Position::default() };
    assert!(encoded(&longest).len() <= MAX_PAYLOAD_BYTES);
}

/// Kind numbers are part of the format.
#[test]
fn kinds_keep_their_numbers() {
    let node_id = NodeId(Uuid::nil());
    let (from, to) = (node_id, node_id);
    let position = Position::default();
    let edge_type = EdgeType::Hyperlink;
    let trigger = Trigger::Link;
    let entries: [LogEntry; 13] = [
        LogEntry::AddNode { node_id, url: String::new(), position },
        LogEntry::AddEdge { from, to, edge_type },
        LogEntry::RemoveEdge { from, to, kind: None },
        LogEntry::UpdateNodeTitle { node_id, title: String::new() },
        LogEntry::PinNode { node_id, is_pinned: true },
        LogEntry::RemoveNode { node_id },
        LogEntry::ClearGraph,
        LogEntry::UpdateNodeUrl { node_id, new_url: String::new() },
        LogEntry::MoveNode { node_id, position },
        LogEntry::AssertEdge { from, to },
        LogEntry::AddTraversal { from, to, timestamp_ms: 0, trigger },
        LogEntry::RestoreNode { node_id },
        LogEntry::SettleEdgePair { from, to },
    ];
    let kinds: Vec<u16> = entries.iter().map(LogEntry::kind).collect();
    assert_eq!(kinds, Vec::from_iter(1..=13));
    for entry in &entries {
        assert!(!means_nothing(entry.kind(), &encoded(entry)), "{entry:?}");
    }
}
