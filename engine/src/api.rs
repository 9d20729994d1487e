//! What an embedder gives and gets: configuration, receipts, events, reports, errors.

use crate::entry::PayloadError;
use crate::graph::ConflictId;
use crate::id::{DeviceId, Dot, NodeId, PeerId, WorkspaceId};
use crate::ports::{CallError, SetAside, StoreError};
use crate::state::Delta;
use crate::wire::Reject;

/// What to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// This device's key.
    pub device: DeviceId,
    /// Log records after which a snapshot is taken; 0 means only on demand.
    pub snapshot_every: u64,
    /// Log records after which the part of the log that every device has is cut off; 0 means only
    /// on demand.
    pub compact_every: u64,
}

/// Names one edit while the workspace is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    pub(crate) number: u64,
    pub(crate) author: PeerId,
    pub(crate) first: u64,
    /// Below `first` if the edit made no entry.
    pub(crate) last: u64,
}

impl Receipt {
    /// The edit's entries, in order, as they were made; none if it was about this device only.
    ///
    /// Should the device have to change its name before they left it, the entries are made again
    /// under another; [`Outcome::Durable`] then says which.
    pub fn dots(&self) -> impl Iterator<Item = Dot> + use<> {
        let peer = self.author;
        (self.first..=self.last).map(move |sequence| Dot { peer, sequence })
    }
}

/// What became of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It survives any crash. Its entries, in order; none if the edit was about this device only.
    Durable(Vec<Dot>),
    /// It was taken back: the graph is as if it had never been made.
    Refused(StoreError),
}

/// What an embedder is told, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The graph moved: one batch, or the edits since the last event, became visible.
    Changed(Delta),
    /// The graph was rebuilt from the log: read everything anew.
    Reset,
    /// An edit's fate is known.
    Settled {
        /// Which edit.
        receipt: Receipt,
        /// Its fate.
        outcome: Outcome,
    },
    /// An author has two histories, here and elsewhere.
    Fork {
        /// The author.
        author: PeerId,
        /// The last entry that both histories share, or an upper bound of it.
        common: u64,
        /// Whether `common` is exact; the author is quarantined then, and listed by
        /// [`Workspace::forks`](crate::Workspace::forks) from now on.
        proven: bool,
    },
    /// This device authors under another id from now on.
    Rotated {
        /// The id until now.
        old: PeerId,
        /// The id from now on.
        new: PeerId,
    },
    /// The disk lost this many records of the log that had been durable. What a snapshot still told
    /// of them is here; entries that others have come back from them; edits that never left the
    /// device and came after the snapshot are gone. The device authors under another id.
    Lost {
        /// How many records.
        records: u64,
    },
    /// Something in the store could not be used and was put aside.
    SetAside(SetAside),
    /// The engine could not do what it does by itself. Nothing is lost by it, and it is tried again
    /// when it is due; told again only for another reason.
    Hindered {
        /// What was not done.
        chore: Chore,
        /// Why.
        why: StoreError,
    },
    /// The subscriber was too slow and missed this many events: read everything anew.
    Lagged(u64),
}

/// What the engine does by itself, so that nobody waits for its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chore {
    /// Cutting what every device has off the log.
    Compaction,
    /// Keeping a snapshot that makes the next opening faster.
    Checkpoint,
    /// Giving another device what it asked for.
    Serving,
}

/// What one round with one peer did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Entries that the peer durably has after the round and, as far as it said, not before.
    pub pushed: u64,
    /// Entries that became durable and visible here.
    pub pulled: u64,
    /// Entries that lie where the peer will find them, without a promise.
    pub published: u64,
    /// Requests that were sent.
    pub calls: u64,
    /// Requests that got no answer.
    pub lost: u64,
    /// Whether this device lacked what the peer's log holds no more, and joined its snapshot.
    pub joined: bool,
    /// Whether the peer lacks what the log here holds no more: this round could not help it, the
    /// next one that it starts itself does.
    pub peer_behind: bool,
    /// Whether the peer takes nothing from this device: it lets it read only.
    pub read_only: bool,
    /// Authors that were found to have two histories, ascending.
    pub forks: Vec<PeerId>,
}

impl SyncReport {
    /// Whether no entry moved in either direction.
    pub fn is_idle(&self) -> bool {
        self.pushed == 0 && self.pulled == 0 && self.published == 0
    }
}

/// How far a round has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries that were taken from the peer.
    pub pulled: u64,
    /// Entries that it had and this device had not, as far as the round knows yet.
    pub to_pull: u64,
    /// Entries that the peer durably has by now.
    pub pushed: u64,
    /// Entries that it lacked.
    pub to_push: u64,
}

/// A round ended before its goal. What it moved until then stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// The user did not share the workspace with this device.
    #[error("the workspace is not shared with device {0}")]
    NoConsent(DeviceId),
    /// A round with this device is under way already.
    #[error("a round with device {0} is under way")]
    UnderWay(DeviceId),
    /// The peer refused.
    #[error("the peer refused: {0}")]
    Refused(#[from] Reject),
    /// Answers failed to come, or made no sense.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The peer keeps answering, and nothing moves.
    #[error("the peer takes entries without ever having them")]
    Stalled,
    /// The local store failed.
    #[error("the local store failed: {0}")]
    Store(#[from] StoreError),
    /// The workspace is closed.
    #[error("the workspace is closed")]
    Closed,
}

/// An edit was not made; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The graph never had this node.
    #[error("there is no node {0}")]
    NoSuchNode(NodeId),
    /// Nothing leads from the one node to the other.
    #[error("there is no such edge from {0} to {1}")]
    NoSuchEdge(NodeId, NodeId),
    /// The conflict is not listed (any more).
    #[error("there is no conflict {0}")]
    NoSuchConflict(ConflictId),
    /// The resolution is not one of this conflict's.
    #[error("this is no way to settle a conflict of this kind")]
    WrongResolution,
    /// A chosen write is not one of the conflict's claims.
    #[error("entry {0} is no claim of this conflict")]
    NoSuchClaim(Dot),
    /// A part of the operation exceeds its bound.
    #[error(transparent)]
    TooLong(#[from] PayloadError),
    /// More operations than one batch can hold.
    #[error("{0} operations are more than one edit can hold")]
    TooMany(usize),
    /// No operation at all.
    #[error("an edit needs at least one operation")]
    Empty,
    /// A payload whose kind this version knows cannot be authored as an unknown one.
    #[error("kind {0} is known to this version")]
    KnownKind(u16),
    /// A legacy log was imported before.
    #[error("a legacy log was imported into this workspace before")]
    ImportedBefore,
    /// This device has made edits under its present name already.
    #[error("a legacy log is imported before the first edit")]
    ImportTooLate,
    /// The workspace has as many authors as it may.
    #[error("the workspace has too many authors")]
    TooManyAuthors,
    /// Too many edits wait for the disk.
    #[error("the disk is too far behind")]
    Busy,
    /// The store failed and is being opened again; the edit can be made again then.
    #[error("the store is being opened again")]
    Unavailable,
    /// The workspace is closed.
    #[error("the workspace is closed")]
    Closed,
}

/// A workspace could not be opened; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The store or the witness failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log belongs to another workspace.
    #[error("the store holds workspace {found}, not {expected}")]
    WrongWorkspace {
        /// What was to be opened.
        expected: WorkspaceId,
        /// What the log says.
        found: WorkspaceId,
    },
    /// The log contradicts itself: the disk's fault.
    #[error("record {position} of the log: {problem}")]
    Damaged {
        /// Which record, from 0.
        position: u64,
        /// What is wrong with it.
        problem: String,
    },
}
