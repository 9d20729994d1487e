//! What peers say to each other: one request, one response.
//!
//! A backend carries both as it likes (a stream per call, datagrams with call numbers, files);
//! [`Request::decode`] and [`Response::decode`] are the way in for bytes of a stranger.

mod codec;

use crate::batch::Batch;
use crate::hash::Hash;
use crate::id::{PeerId, WorkspaceId};
use crate::vector::VersionVector;

pub use codec::FrameError;

/// The version of the protocol that this engine speaks.
pub const PROTOCOL_VERSION: u8 = 1;

/// How far a device's durable history goes, author by author, with the running hash there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    rows: Vec<FrontierRow>,
}

/// One author's part of a [`Frontier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontierRow {
    /// The author.
    pub peer: PeerId,
    /// The highest sequence, at least 1.
    pub sequence: u64,
    /// The author's running hash there.
    pub hash: Hash,
}

impl Frontier {
    /// A frontier of rows in any order; rows with sequence 0 are dropped, and of two rows of one
    /// author the higher one stays.
    pub fn new(mut rows: Vec<FrontierRow>) -> Self {
        rows.retain(|row| row.sequence > 0);
        rows.sort_unstable_by(|a, b| a.peer.cmp(&b.peer).then(b.sequence.cmp(&a.sequence)));
        rows.dedup_by_key(|row| row.peer);
        Frontier { rows }
    }

    /// The rows, ascending by author.
    pub fn rows(&self) -> &[FrontierRow] {
        &self.rows
    }

    /// The row of one author.
    pub fn get(&self, peer: PeerId) -> Option<&FrontierRow> {
        let index = self.rows.binary_search_by_key(&peer, |row| row.peer).ok()?;
        Some(&self.rows[index])
    }

    /// The frontier without its hashes.
    pub fn vector(&self) -> VersionVector {
        self.rows.iter().map(|row| (row.peer, row.sequence)).collect()
    }

    /// A hash that equal frontiers, and only they, share.
    pub fn digest(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("graphshell-sync 1 frontier");
        for row in &self.rows {
            hasher.update(row.peer.0.as_bytes());
            hasher.update(&row.sequence.to_le_bytes());
            hasher.update(&row.hash.0);
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

/// An author that the asking side has quarantined: nothing of it past `common`, and nothing that
/// relies on such entries, is of use to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// The author whose history has two branches.
    pub peer: PeerId,
    /// The last sequence up to which both branches are known to agree.
    pub common: u64,
    /// The asking side's running hash at `common + 1`: its own branch.
    pub branch: Hash,
}

/// How much one response may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Most entries.
    pub entries: u32,
    /// Most bytes of the encoded batch, unless a single entry is longer.
    pub bytes: u32,
}

/// What one device asks of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Are we in step? If not, how far are you?
    Frontier(FrontierRequest),
    /// Entries that I lack.
    Pull(PullRequest),
    /// Entries that you lack.
    Push(PushRequest),
    /// A part of your snapshot, since I lack entries that you have nowhere else.
    Snapshot(SnapshotRequest),
}

/// See [`Request::Frontier`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontierRequest {
    /// The workspace meant.
    pub workspace: WorkspaceId,
    /// The digest of the asking side's frontier.
    pub digest: Hash,
}

/// See [`Request::Pull`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// The workspace meant.
    pub workspace: WorkspaceId,
    /// What the asking side has, or has on the way to its disk.
    pub have: Frontier,
    /// What it cannot use, ascending by author.
    pub excluded: Vec<Exclusion>,
    /// How much it wants at once.
    pub budget: Budget,
}

/// See [`Request::Push`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRequest {
    /// The entries.
    pub batch: Batch,
}

/// See [`Request::Snapshot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotRequest {
    /// The workspace meant.
    pub workspace: WorkspaceId,
    /// The snapshot of which the asking side has the part before `offset`; `None` to begin.
    pub id: Option<Hash>,
    /// Where the part begins; 0 to begin.
    pub offset: u64,
    /// Most bytes of the part.
    pub bytes: u32,
}

/// What the other device answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Both digests are equal: nothing to do.
    InStep,
    /// Here is how far I am, and what I cannot use.
    Frontier {
        /// The answering side's durable frontier.
        frontier: Frontier,
        /// What it has quarantined, ascending by author.
        excluded: Vec<Exclusion>,
    },
    /// Entries in causal order.
    Batch {
        /// `None` if there is nothing that the asking side lacks.
        batch: Option<Batch>,
        /// Whether there is more to pull after it.
        more: bool,
    },
    /// All that the batch brought is durable, except what waits for its causes.
    Durable {
        /// How far the answering side durably is, for the authors of the batch.
        have: VersionVector,
    },
    /// The batch lies where the peer will find it; nothing is promised about its disk.
    Published,
    /// A part of a snapshot: the one asked for, or the first part of another that took its place.
    Snapshot(SnapshotPart),
    /// No.
    Refused(Reject),
}

/// Consecutive bytes of a snapshot. What they mean is the engine's own affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotPart {
    /// The BLAKE3 hash of the whole.
    pub id: Hash,
    /// The length of the whole, in bytes; from 1 to
    /// [`MAX_SNAPSHOT_BYTES`](crate::limits::MAX_SNAPSHOT_BYTES).
    pub total: u64,
    /// Where the part begins.
    pub offset: u64,
    /// The part: at least one byte, none behind `total`.
    pub bytes: Vec<u8>,
}

/// Why a request was refused; says whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// The workspace is unknown here or not shared with the asking device; which of both is not said.
    #[error("the workspace is not shared with this device")]
    NotShared,
    /// The asking device may read and no more.
    #[error("the peer lets this device read, not write")]
    ReadOnly,
    /// Too much is under way here; ask again later.
    #[error("the peer is busy")]
    Busy,
    /// The answering side's store has failed or is closing; ask again later.
    #[error("the peer cannot store anything now")]
    Unavailable,
    /// The request breaks the protocol; the asking side's fault. Shown escaped: a stranger wrote it.
    #[error("the request is malformed: {0:?}")]
    Malformed(String),
    /// The answering side speaks another version.
    #[error("the peer speaks protocol version {0}, this engine version {PROTOCOL_VERSION}")]
    Version(u8),
    /// The workspace would have more authors than it may.
    #[error("the workspace has too many authors")]
    TooManyAuthors,
    /// The author's history here and there part; the author's (or a restored backup's) fault.
    #[error("the history of {author} forks after entry {common} at the latest")]
    Fork {
        /// The author with two histories.
        author: PeerId,
        /// An upper bound of the last entry that both histories share.
        common: u64,
    },
    /// The asking side lacks entries that the answering side's log does not hold any more: it
    /// needs a snapshot.
    #[error("entries that are lacking stand only in the peer's snapshot")]
    Behind,
    /// The answering side's snapshot has outgrown what may be handed over; nobody's fault, and it
    /// stays so.
    #[error("the peer's snapshot is longer than any that may be handed over")]
    TooLong,
}
