//! Old logs stay readable: committed bytes of every legacy operation, and of one whole log.

use std::path::PathBuf;

use graphshell_sync::legacy::{
    LegacyEdgeType, LegacyError, LegacyLogEntry, decode_legacy, encode_legacy, fold,
};
use graphshell_sync::limits::MAX_LEGACY_BYTES;
use graphshell_sync::{EdgeType, LogEntry, NodeId, Position};

const A: &str = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
const B: &str = "node 2";

fn variants() -> [(&'static str, LegacyLogEntry); 10] {
    let edge = |edge_type| (A.to_owned(), B.to_owned(), edge_type);
    let add_edge = |edge_type| {
        let (from_node_id, to_node_id, edge_type) = edge(edge_type);
        LegacyLogEntry::AddEdge { from_node_id, to_node_id, edge_type }
    };
    let (from_node_id, to_node_id, edge_type) = edge(LegacyEdgeType::History);
    [
        (
            "add_node",
            LegacyLogEntry::AddNode {
                node_id: A.into(),
                url: "https://doc.rust-lang.org/std/".into(),
                position_x: 120.5,
                position_y: -7.25,
            },
        ),
        ("add_edge_hyperlink", add_edge(LegacyEdgeType::Hyperlink)),
        ("add_edge_history", add_edge(LegacyEdgeType::History)),
        ("add_edge_user_grouped", add_edge(LegacyEdgeType::UserGrouped)),
        ("remove_edge", LegacyLogEntry::RemoveEdge { from_node_id, to_node_id, edge_type }),
        (
            "update_node_title",
            LegacyLogEntry::UpdateNodeTitle { node_id: A.into(), title: "std – Rust".into() },
        ),
        ("pin_node", LegacyLogEntry::PinNode { node_id: B.into(), is_pinned: true }),
        ("remove_node", LegacyLogEntry::RemoveNode { node_id: B.into() }),
        ("clear_graph", LegacyLogEntry::ClearGraph),
        (
            "update_node_url",
            LegacyLogEntry::UpdateNodeUrl { node_id: A.into(), new_url: "about:blank".into() },
        ),
    ]
}

/// A log that uses every operation, and what lives at its end.
fn whole_log() -> (Vec<LegacyLogEntry>, Vec<LogEntry>) {
    let [add_a, hyperlink, history, grouped, remove_edge, title, pin_b, remove_b, clear, url] =
        variants().map(|(_, entry)| entry);
    let add_b = LegacyLogEntry::AddNode {
        node_id: B.into(),
        url: "https://crates.io/".into(),
        position_x: 0.0,
        position_y: f32::NAN,
    };
    let log = vec![
        add_b.clone(),
        clear,
        add_a,
        add_b.clone(),
        title,
        grouped,
        remove_b,
        add_b,
        history,
        hyperlink,
        remove_edge,
        pin_b,
        url,
    ];
    let (a, b) = (NodeId::from_legacy(A), NodeId::from_legacy(B));
    let live = vec![
        LogEntry::AddNode {
            node_id: a,
            url: "about:blank".into(),
            position: Position::new(120.5, -7.25).unwrap(),
        },
        LogEntry::UpdateNodeTitle { node_id: a, title: "std – Rust".into() },
        LogEntry::AddNode {
            node_id: b,
            url: "https://crates.io/".into(),
            position: Position::default(),
        },
        LogEntry::PinNode { node_id: b, is_pinned: true },
        LogEntry::AddEdge { from: a, to: b, edge_type: EdgeType::Hyperlink },
    ];
    (log, live)
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/legacy").join(name)
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The entries of a file of payloads, each behind its length as a little-endian u32.
fn split(mut file: &[u8]) -> Vec<&[u8]> {
    let mut payloads = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk() {
        let (payload, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        payloads.push(payload);
        file = rest;
    }
    payloads
}

fn joined(log: &[LegacyLogEntry]) -> Vec<u8> {
    let mut file = Vec::new();
    for payload in log.iter().map(encode_legacy) {
        file.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        file.extend_from_slice(&payload);
    }
    file
}

#[test]
fn old_bytes_of_every_operation_are_read() {
    for (name, entry) in variants() {
        assert_eq!(decode_legacy(&fixture(&format!("{name}.bin"))), Ok(entry), "{name}");
    }
}

#[test]
fn operations_still_make_the_old_bytes() {
    for (name, entry) in variants() {
        assert_eq!(encode_legacy(&entry), fixture(&format!("{name}.bin")), "{name}");
    }
    assert_eq!(joined(&whole_log().0), fixture("whole.log"));
}

#[test]
fn old_log_folds_to_its_live_state() {
    let file = fixture("whole.log");
    let log: Vec<_> = split(&file).into_iter().map(|bytes| decode_legacy(bytes).unwrap()).collect();
    assert_eq!(log.len(), whole_log().0.len());
    let folded = fold(log);
    assert_eq!(folded.entries, whole_log().1);
    assert_eq!(folded.adjusted.len(), 1, "the coordinate that is no number");
}

#[test]
fn payload_is_read_at_any_address() {
    let (_, entry) = &variants()[0];
    let payload = encode_legacy(entry);
    for shift in 0..8 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(&payload);
        assert_eq!(decode_legacy(&shifted[shift..]).as_ref(), Ok(entry), "shifted by {shift}");
    }
}

#[test]
fn cut_or_damaged_payload_never_panics() {
    for (name, entry) in variants() {
        let payload = encode_legacy(&entry);
        for length in 0..payload.len() {
            assert_ne!(decode_legacy(&payload[..length]).as_ref(), Ok(&entry), "{name}");
        }
        for byte in 0..payload.len() {
            for bit in 0..8 {
                let mut damaged = payload.clone();
                damaged[byte] ^= 1 << bit;
                if let Ok(other) = decode_legacy(&damaged) {
                    let bytes = encode_legacy(&other);
                    let again = decode_legacy(&bytes).map(|entry| encode_legacy(&entry));
                    assert_eq!(again, Ok(bytes), "{name}");
                }
            }
        }
    }
}

#[test]
fn refusal_says_what_is_wrong() {
    let mut payload = encode_legacy(&LegacyLogEntry::ClearGraph);
    let tag = payload.iter().position(|&byte| byte == 6).unwrap();
    payload[tag] = 8;
    let said = |payload: &[u8]| decode_legacy(payload).unwrap_err().to_string();
    assert_eq!(
        said(&payload),
        "malformed legacy entry of 28 bytes: invalid discriminant '8' for enum \
         'ArchivedLegacyLogEntry'"
    );
    assert_eq!(said(&[]), "malformed legacy entry of 0 bytes: subtree pointer overran range");
    assert_eq!(said(&[1; 30]), "malformed legacy entry of 30 bytes: unaligned pointer");
    let bytes = MAX_LEGACY_BYTES + 1;
    assert_eq!(decode_legacy(&vec![0; bytes]), Err(LegacyError::TooLong { bytes }));
}

/// How the fixtures were made; leaves those that exist alone.
#[test]
#[ignore = "writes fixtures of operations that have none"]
fn write_missing_fixtures() {
    let files = variants().map(|(name, entry)| (format!("{name}.bin"), encode_legacy(&entry)));
    for (name, bytes) in files.into_iter().chain([("whole.log".into(), joined(&whole_log().0))]) {
        if !path(&name).exists() {
            std::fs::write(path(&name), bytes).unwrap();
        }
    }
}
