//! What the log holds.

use std::sync::Arc;

use crate::access::Access;
use crate::batch::Batch;
use crate::graph::{ConflictKind, Subject};
use crate::hash::Hash;
use crate::id::{DeviceId, Incarnation, PeerId};
use crate::vector::VersionVector;

mod codec;

pub use codec::RecordError;

/// One record of the log. The log is the only authority: everything else that a device knows is
/// rebuilt from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// From here on the device authors as this incarnation. Stands before its first entry.
    Identity {
        /// The device's key.
        device: DeviceId,
        /// Its incarnation.
        incarnation: Incarnation,
    },
    /// Entries whose causes all stand before them in the log, own and others'.
    Ready(Arc<Batch>),
    /// Entries that wait for their causes. They stand again in a `Ready` once they came.
    Parked(Arc<Batch>),
    /// What a device may do with the workspace; the last word counts.
    Consent {
        /// The other device.
        device: DeviceId,
        /// What it may do.
        access: Access,
    },
    /// An author's history has two branches; nothing of it is accepted any more.
    Fork(ForkProof),
    /// Own entries after `after` in the records before this one never left the device and
    /// collide with others of the same name: they count no longer. Their operations stand anew in
    /// the records that follow, under another author.
    Disown {
        /// The former own incarnation.
        author: PeerId,
        /// The last entry that stays.
        after: u64,
    },
}

/// Two histories of one author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkProof {
    /// The author.
    pub author: PeerId,
    /// The last sequence that both share.
    pub common: u64,
    /// The running hash at `common + 1` in the history that this device applied.
    pub ours: Hash,
    /// The running hash at `common + 1` in the other history.
    pub theirs: Hash,
}

/// A state from which the log can be replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Records before this position are contained.
    pub position: u64,
    /// The contents, in the engine's own format.
    pub bytes: Vec<u8>,
    /// How far each author is applied in it; said again for whoever does not read the contents.
    pub vector: VersionVector,
    /// What it lists for a person to settle, in the order of the ids; said again
    /// likewise.
    pub conflicts: Vec<(ConflictKind, Subject)>,
}
