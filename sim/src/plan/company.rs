//! In what company a peer's edits travel: who lies, who is not let in, who speaks another version,
//! and whom the heal leaves out.

use graphshell_sync::wire::PROTOCOL_VERSION;
use serde::{Deserialize, Serialize};

use super::{Peer, Plan};

/// Something that a hostile peer does. Who lies runs no engine: it crafts frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lie {
    /// Frames that are none: altered, cut short, too long by a few bytes, made up.
    Malformed,
    /// Frames longer than any may be, and short ones that claim to be long.
    Oversized,
    /// Entries under the names of others, and under names that nobody has.
    Forgery,
    /// Batches and frames of others once more, whenever it was that they were new.
    Replay,
    /// Entries that rely on what nobody has, many and long.
    GapFlood,
    /// Running hashes that are not those of the entries that they stand for.
    FalseHashes,
    /// Says that it has entries that do not exist, of everybody; or that it is in step.
    FalseFrontier,
    /// Says that it stored what it threw away, or more than there is; or threw away what it stored.
    FalseAcknowledgement,
    /// Tells everybody something else under one name of an entry of its own.
    Equivocation,
    /// Does not answer, or so little at a time that nothing comes of it.
    Silence,
    /// Snapshots that are cut, out of order, not what they are called, or altered.
    FalseSnapshot,
    /// Says that histories have two branches that have one.
    FalseFork,
}

impl Lie {
    /// All of them.
    pub const ALL: [Lie; 12] = [
        Lie::Malformed,
        Lie::Oversized,
        Lie::Forgery,
        Lie::Replay,
        Lie::GapFlood,
        Lie::FalseHashes,
        Lie::FalseFrontier,
        Lie::FalseAcknowledgement,
        Lie::Equivocation,
        Lie::Silence,
        Lie::FalseSnapshot,
        Lie::FalseFork,
    ];
}

/// How a peer stays when the others heal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Broken {
    /// It has no power from the heal on.
    Down,
    /// It runs, and no frame of it or to it passes from the heal on.
    CutOff,
}

impl Peer {
    /// A peer with nothing particular about it.
    pub fn new(name: impl Into<String>) -> Self {
        Peer {
            name: name.into(),
            clock_offset_ms: 0,
            clock_drift_ppm: 0,
            legacy: Vec::new(),
            late: false,
            stranger: false,
            protocol: None,
            lies: Vec::new(),
            broken: None,
        }
    }

    /// Whether it lies; then it has no engine, no disk and no user.
    pub fn is_hostile(&self) -> bool {
        !self.lies.is_empty()
    }

    /// The version of the protocol that it speaks.
    pub fn speaks(&self) -> u8 {
        self.protocol.unwrap_or(PROTOCOL_VERSION)
    }
}

impl Plan {
    /// Whether two honest peers can come to have the same entries, by the plan's end: they speak
    /// one version, and nobody keeps the workspace from either.
    pub fn are_company(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.peers[one], &self.peers[other]);
        let member = |peer: &Peer| !peer.is_hostile() && !peer.stranger;
        member(one) && member(other) && one.speaks() == other.speaks()
    }

    /// Whether the peer is of those that heal.
    pub fn heals(&self, peer: usize) -> bool {
        let peer = &self.peers[peer];
        !peer.is_hostile() && !peer.stranger && peer.broken.is_none()
    }
}
