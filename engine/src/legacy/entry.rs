//! The entries of a legacy log, and their bytes.
//!
//! The types are **frozen**: their layout in rkyv is what old logs hold, and follows from the order
//! of variants and fields. Never change them; `tests/fixtures/legacy` says what they must read.

use rkyv::rancor;
use rkyv::util::AlignedVec;

use crate::limits::MAX_LEGACY_BYTES;

/// An operation of a legacy log. Frozen.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[rkyv(attr(allow(missing_docs)))]
#[allow(missing_docs, reason = "each is the operation of the same name in `LogEntry`")]
pub enum LegacyLogEntry {
    AddNode { node_id: String, url: String, position_x: f32, position_y: f32 },
    AddEdge { from_node_id: String, to_node_id: String, edge_type: LegacyEdgeType },
    RemoveEdge { from_node_id: String, to_node_id: String, edge_type: LegacyEdgeType },
    UpdateNodeTitle { node_id: String, title: String },
    PinNode { node_id: String, is_pinned: bool },
    RemoveNode { node_id: String },
    ClearGraph,
    UpdateNodeUrl { node_id: String, new_url: String },
}

/// The type of an edge in a legacy log. Frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[rkyv(attr(allow(missing_docs)))]
#[allow(missing_docs, reason = "each is the type of the same name in `EdgeType`")]
pub enum LegacyEdgeType {
    Hyperlink,
    History,
    UserGrouped,
}

/// Bytes are no entry of a legacy log; the fault of the disk, or of whoever chose the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LegacyError {
    /// Longer than any entry was.
    #[error("a legacy entry of {bytes} bytes exceeds {MAX_LEGACY_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The bytes break the layout.
    #[error("malformed legacy entry of {bytes} bytes: {reason}")]
    Malformed {
        /// Their number.
        bytes: usize,
        /// Which part of the layout they break.
        reason: String,
    },
}

/// Reads one entry, the value of one record of a legacy log after decryption. `payload` may lie
/// at any address.
pub fn decode_legacy(payload: &[u8]) -> Result<LegacyLogEntry, LegacyError> {
    let bytes = payload.len();
    if bytes > MAX_LEGACY_BYTES {
        return Err(LegacyError::TooLong { bytes });
    }
    let mut aligned: AlignedVec = AlignedVec::with_capacity(bytes);
    aligned.extend_from_slice(payload);
    rkyv::from_bytes::<LegacyLogEntry, rancor::Error>(&aligned).map_err(|error| {
        // What rkyv says of pointers ends in addresses, which differ from run to run.
        let text = error.to_string();
        let reason = text.split(": ptr ").next().unwrap_or_default().to_owned();
        LegacyError::Malformed { bytes, reason }
    })
}

/// The bytes that a legacy log holds for `entry`.
pub fn encode_legacy(entry: &LegacyLogEntry) -> Vec<u8> {
    rkyv::to_bytes::<rancor::Error>(entry)
        .expect("writing texts and numbers to memory cannot fail")
        .into_vec()
}
