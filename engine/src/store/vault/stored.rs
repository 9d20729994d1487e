//! Snapshots and bases as sealed chunks.

use rkyv::rancor;
use rkyv::util::AlignedVec;
use uuid::Uuid;

use super::seal::Tag;
use crate::access::Access;
use crate::graph::{ConflictKind, Subject};
use crate::id::{DeviceId, NodeId, PeerId};
use crate::record::Snapshot;

/// A snapshot, or the base of the log, as it is sealed. Frozen: its layout is part of the format.
#[derive(rkyv::Archive, rkyv::Serialize)]
struct Contents {
    position: u64,
    vector: Vec<([u8; 16], u64)>,
    conflicts: Vec<Vec<u8>>,
    /// Of a base: the first record that is kept.
    first: u64,
    /// Of a base: the tag that the first block after it, kept or to come, names as the one before it.
    before: Tag,
    /// Of a base: what each device may do or might do once, as of its position.
    peers: Vec<([u8; 32], u8)>,
    bytes: Vec<u8>,
}

/// What stands under the log beside the snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Footing {
    pub(super) first: u64,
    pub(super) before: Tag,
    pub(super) peers: Vec<(DeviceId, Access)>,
}

pub(super) fn encode(snapshot: &Snapshot, footing: &Footing) -> AlignedVec {
    let contents = Contents {
        position: snapshot.position,
        vector: snapshot
            .vector
            .iter()
            .map(|(peer, sequence)| (peer.0.into_bytes(), sequence))
            .collect(),
        conflicts: snapshot.conflicts.iter().map(encode_conflict).collect(),
        first: footing.first,
        before: footing.before,
        peers: footing.peers.iter().map(|(device, access)| (device.0, access.byte())).collect(),
        bytes: snapshot.bytes.clone(),
    };
    rkyv::to_bytes::<rancor::Error>(&contents).expect("writing bytes to memory cannot fail")
}

/// `None` if the bytes are no snapshot.
pub(super) fn decode(plain: &AlignedVec) -> Option<(Snapshot, Footing)> {
    let contents = rkyv::access::<ArchivedContents, rancor::Error>(plain).ok()?;
    let vector = contents.vector.iter();
    let snapshot = Snapshot {
        position: contents.position.to_native(),
        bytes: contents.bytes.to_vec(),
        vector: vector.map(|row| (PeerId(Uuid::from_bytes(row.0)), row.1.to_native())).collect(),
        conflicts: contents
            .conflicts
            .iter()
            .map(|conflict| decode_conflict(conflict))
            .collect::<Option<_>>()?,
    };
    let footing = Footing {
        first: contents.first.to_native(),
        before: contents.before,
        peers: contents
            .peers
            .iter()
            .map(|row| Some((DeviceId(row.0), Access::from_byte(row.1)?)))
            .collect::<Option<_>>()?,
    };
    Some((snapshot, footing))
}

pub(super) fn encode_conflict(&(kind, subject): &(ConflictKind, Subject)) -> Vec<u8> {
    let mut out = vec![match kind {
        ConflictKind::DeleteVsUpdate => 1,
        ConflictKind::ConcurrentStructuralChange => 2,
        ConflictKind::ConcurrentEdgeTypes => 3,
    }];
    match subject {
        Subject::Node(node) => out.extend_from_slice(node.0.as_bytes()),
        Subject::Pair(from, to) => {
            out.extend_from_slice(from.0.as_bytes());
            out.extend_from_slice(to.0.as_bytes());
        }
    }
    out
}

pub(super) fn decode_conflict(bytes: &[u8]) -> Option<(ConflictKind, Subject)> {
    let (kind, ids) = bytes.split_first()?;
    let kind = match kind {
        1 => ConflictKind::DeleteVsUpdate,
        2 => ConflictKind::ConcurrentStructuralChange,
        3 => ConflictKind::ConcurrentEdgeTypes,
        _ => return None,
    };
    let node = |id: &[u8; 16]| NodeId(Uuid::from_bytes(*id));
    let subject = match ids.as_chunks().0 {
        [id] if ids.len() == 16 => Subject::Node(node(id)),
        [from, to] if ids.len() == 32 => Subject::Pair(node(from), node(to)),
        _ => return None,
    };
    Some((kind, subject))
}
