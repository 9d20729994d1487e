//! What commands tell: values that go through a renderer to a person or, with `--json`, to a script,
//! one object per line. Texts of other devices are in here as they came; renderers make them harmless.

use std::path::PathBuf;

use graphshell_sync::{
    ConflictId, ConflictKind, DeviceId, EdgeKind, NodeId, PeerId, Position, Trigger, WorkspaceId,
};
use serde::{Deserialize, Serialize};

use crate::args::KeyPlace;
use crate::command::Share;
use crate::failure::Failure;

/// One piece of output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Item {
    /// A profile was made.
    Created(Created),
    /// A page, and what was done to it.
    Page(Page),
    /// What leads from one page to another.
    Link(Link),
    /// How many of all pages were listed.
    Listed { shown: u64, pages: u64 },
    /// What an import did.
    Imported(Imported),
    /// A device that was paired.
    Peer(Peer),
    /// How far a round is. The other side may not tell at once how much it has.
    Progress { device: DeviceId, name: String, done: u64, total: Option<u64> },
    /// What a round did.
    Round(Round),
    /// What was done with all devices.
    Synced { devices: u64, failed: u64 },
    /// A ticket, good once and until then (Unix milliseconds).
    Ticket { ticket: String, expires_ms: u64, name: String },
    /// What the joining side is about to join.
    Joining { name: String, device: DeviceId, workspace: WorkspaceId },
    /// The digits that both sides compare. An [`Answer`](crate::command::Answer) is awaited.
    Fingerprint { digits: String, name: String, device: DeviceId },
    /// Both have confirmed.
    Paired { device: DeviceId, name: String, access: Share },
    /// A disagreement.
    Conflict(Conflict),
    /// No disagreement is left, or so many are.
    Conflicts { open: u64 },
    /// A disagreement was settled.
    Resolved { conflict: ConflictId, choice: String, open: u64 },
    /// What this device has.
    Status(Box<Status>),
    /// Part of a document that is to be written as it is.
    Document { text: String },
    /// Something happened while watching.
    Happened { at_ms: u64, event: Happening },
    /// A device may do something else now.
    Shared { device: DeviceId, name: String, access: Share },
    /// A device was forgotten.
    Forgotten { device: DeviceId, name: String },
    /// This device has a new key.
    Rotated { old: DeviceId, new: DeviceId, peers: u64 },
    /// A hint for people.
    Note { text: String },
}

/// See [`Item::Created`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Created {
    pub(crate) profile: PathBuf,
    pub(crate) workspace: WorkspaceId,
    pub(crate) device: DeviceId,
    pub(crate) name: String,
    pub(crate) key: KeyPlace,
}

/// See [`Item::Page`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) did: Did,
    pub(crate) id: NodeId,
    pub(crate) url: String,
    pub(crate) title: String,
    pub(crate) position: Position,
    pub(crate) pinned: bool,
    /// It was removed, and something still leads to it: see `conflicts`.
    pub(crate) ghost: bool,
}

/// What was done to a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Did {
    /// Nothing: it is listed.
    Listed,
    /// It is shown alone, with what leads from and to it.
    Shown,
    /// It is new.
    Added,
    /// It was there before.
    Kept,
    /// It was changed.
    Changed,
    /// It is gone.
    Removed,
}

/// See [`Item::Link`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) did: Did,
    pub(crate) from: NodeId,
    pub(crate) from_label: String,
    pub(crate) to: NodeId,
    pub(crate) to_label: String,
    /// Which of both is the page that is shown.
    pub(crate) outgoing: bool,
    pub(crate) kinds: Vec<EdgeKind>,
    pub(crate) visits: u64,
    /// The latest visit, in Unix milliseconds.
    pub(crate) last_visit_ms: Option<u64>,
    pub(crate) last_trigger: Option<Trigger>,
}

/// See [`Item::Imported`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Imported {
    /// Bookmarks in the file, without those left out.
    pub(crate) bookmarks: u64,
    /// Folders in the file.
    pub(crate) folders: u64,
    /// Pages that are new, folders included.
    pub(crate) added: u64,
    /// Links from folders that are new.
    pub(crate) linked: u64,
    /// Scripts, data, the browser's own addresses, and what exceeds a bound.
    pub(crate) left_out: u64,
}

/// See [`Item::Peer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) device: DeviceId,
    pub(crate) name: String,
    pub(crate) access: Share,
    pub(crate) addresses: Vec<String>,
    pub(crate) paired_ms: u64,
    pub(crate) synced_ms: Option<u64>,
    /// Whether it is connected; `None` where no `watch` runs.
    pub(crate) connected: Option<bool>,
}

/// See [`Item::Round`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) device: DeviceId,
    pub(crate) name: String,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) failure: Option<Failure>,
}

/// See [`Item::Conflict`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Conflict {
    pub(crate) id: ConflictId,
    pub(crate) kind: ConflictKind,
    /// The page, or the page that the pair begins with.
    pub(crate) page: Named,
    /// The page that the pair ends with.
    pub(crate) to: Option<Named>,
    pub(crate) removals: Vec<Act>,
    /// Removals that are not listed here, since there are too many.
    pub(crate) more_removals: u64,
    /// In the order by which `restore=N` names them, from 1.
    pub(crate) claims: Vec<Claim>,
    /// Claims after these.
    pub(crate) more_claims: u64,
}

/// A page that may be gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: NodeId,
    pub(crate) label: String,
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Act {
    pub(crate) author: PeerId,
    /// Whether this device is the author.
    pub(crate) own: bool,
    pub(crate) by: String,
    pub(crate) at_ms: u64,
}

/// One side of a disagreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) number: u64,
    #[serde(flatten)]
    pub(crate) act: Act,
    /// In words.
    pub(crate) what: String,
    /// Whether `restore=N` may name it.
    pub(crate) value: bool,
}

/// See [`Item::Status`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) name: String,
    pub(crate) profile: PathBuf,
    pub(crate) workspace: WorkspaceId,
    pub(crate) device: DeviceId,
    pub(crate) author: PeerId,
    pub(crate) key: KeyPlace,
    pub(crate) relay: String,
    pub(crate) mdns: bool,
    pub(crate) watching: bool,
    /// Addresses that this device can be reached at, while it watches.
    pub(crate) addresses: Vec<String>,
    pub(crate) pages: u64,
    pub(crate) links: u64,
    pub(crate) operations: u64,
    pub(crate) conflicts: u64,
    /// Authors with two histories, of which nothing more is taken.
    pub(crate) quarantined: Vec<String>,
    pub(crate) peers: Vec<Peer>,
}

/// See [`Item::Happened`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Happening {
    /// Watching began.
    Watching { name: String, addresses: Vec<String>, pages: u64, peers: u64 },
    /// A device is connected, directly or through a relay.
    Connected { device: DeviceId, name: String, path: String },
    /// A device is not connected any more.
    Gone { device: DeviceId, name: String },
    /// A round ended that moved something.
    Moved { device: DeviceId, name: String, sent: u64, received: u64 },
    /// A round failed; it is tried again.
    Failed { device: DeviceId, name: String, why: String },
    /// The graph changed.
    Changed { pages: u64, links: u64 },
    /// A disagreement is listed that was not.
    ConflictOpened { conflict: ConflictId, label: String },
    /// A disagreement is not listed any more.
    ConflictSettled { conflict: ConflictId },
    /// Something that a person should know about the store or an author.
    Warning { text: String },
    /// Watching ends.
    Ended,
}
