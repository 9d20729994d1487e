//! The thin asynchronous shell around the core.

use crate::entry::{LogEntry, SyncedLogEntry};
use crate::graph::{Conflict, ConflictId, Graph, Node, Resolution};
use crate::id::{DeviceId, Dot, NodeId, PeerId, WorkspaceId};
use crate::ports::{Clock, Entropy, Store, StoreError, SyncBackend, Witness};
use crate::state::Delta;
use crate::vector::VersionVector;
use crate::wire::{Frontier, Reject};
use crate::ports::CallError;

/// The five ports of one opened workspace.
pub trait Ports {
    /// The wall clock.
    type Clock: Clock;
    /// Randomness.
    type Entropy: Entropy;
    /// Log and snapshot.
    type Store: Store;
    /// The memory outside the store.
    type Witness: Witness;
    /// The network.
    type Network: SyncBackend;
    /// The wall clock.
    fn clock(&self) -> &Self::Clock;
    /// Randomness.
    fn entropy(&self) -> &Self::Entropy;
    /// Log and snapshot.
    fn store(&self) -> &Self::Store;
    /// The memory outside the store.
    fn witness(&self) -> &Self::Witness;
    /// The network.
    fn network(&self) -> &Self::Network;
}

/// What to open.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// This device's key.
    pub device: DeviceId,
    /// Records after which a snapshot is taken; 0 means never.
    pub snapshot_every: u64,
}

/// A handle on an opened workspace; clones share it.
pub struct Workspace<P: Ports>(std::sync::Arc<P>);
impl<P: Ports> Clone for Workspace<P> { fn clone(&self) -> Self { Workspace(self.0.clone()) } }
/// The engine's own activity; runs beside the handle until it is closed.
pub struct Driver<P: Ports>(std::sync::Arc<P>);
/// Events of one workspace.
pub struct Subscription;

/// Names the entries of one edit until they are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt(pub u64);
/// What became of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It survives any crash; here are its entries.
    Durable(Vec<Dot>),
    /// It was taken back.
    Refused(String),
}
/// What an embedder is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The graph moved: one batch became visible.
    Changed(Delta),
    /// The graph was rebuilt from the log: read everything anew.
    Reset,
    /// An edit's fate is known.
    Settled { /// which
        receipt: Receipt, /// how
        outcome: Outcome },
    /// Two histories of one author exist.
    Fork { /// The author.
        author: PeerId, /// An upper bound of the last shared sequence.
        common: u64, /// Whether `common` is exact and the author quarantined.
        proven: bool },
    /// This device authors under another id from now on.
    Rotated { /// before
        old: PeerId, /// now
        new: PeerId },
    /// The subscriber was too slow and missed this many events.
    Lagged(u64),
}
/// What one round with one peer did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Entries that the peer durably has from us after the round and had not before.
    pub pushed: u64,
    /// Entries that became durable here.
    pub pulled: u64,
    /// Entries handed over whose durability there is not known (published to a folder).
    pub published: u64,
    /// Requests that were sent.
    pub calls: u64,
    /// Requests that got no answer.
    pub lost: u64,
    /// Authors found to have two histories.
    pub forks: Vec<PeerId>,
}
/// A round ended before its goal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// The workspace is not shared with this peer: consent is missing on this side.
    #[error("the workspace is not shared with {0}")]
    NoConsent(DeviceId),
    /// The peer refused.
    #[error("the peer refused: {0}")]
    Refused(#[from] Reject),
    /// Answers failed to come.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A round with this peer is under way already.
    #[error("a round with {0} is under way")]
    UnderWay(DeviceId),
    /// The local store failed, or the workspace was closed.
    #[error("the local store failed: {0}")]
    Store(#[from] StoreError),
    /// The workspace is closed.
    #[error("the workspace is closed")]
    Closed,
}
/// An edit was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// x
    #[error("there is no node {0}")]
    NoSuchNode(NodeId),
}
/// A workspace could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// x
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<P: Ports> Driver<P> {
    /// Runs until the workspace is closed.
    pub async fn run(self) -> Result<(), StoreError> { todo!() }
}
impl<P: Ports> Workspace<P> {
    /// Opens a workspace.
    pub async fn open(_config: Config, _ports: P) -> Result<(Self, Driver<P>), OpenError> { todo!() }
    /// Does one edit at once; see [`Receipt`].
    pub fn edit(&self, _entry: LogEntry) -> Result<Receipt, EditError> { todo!() }
    /// Several as one batch.
    pub fn edit_all(&self, _entries: Vec<LogEntry>) -> Result<Receipt, EditError> { todo!() }
    /// Waits for the fate of an edit.
    pub async fn settled(&self, _receipt: Receipt) -> Outcome { todo!() }
    /// Settles a conflict.
    pub fn resolve(&self, _id: ConflictId, _resolution: &Resolution) -> Result<Receipt, EditError> { todo!() }
    /// The whole graph.
    pub fn graph(&self) -> Graph { todo!() }
    /// One node.
    pub fn node(&self, _id: NodeId) -> Option<Node> { todo!() }
    /// The conflicts.
    pub fn conflicts(&self) -> Vec<Conflict> { todo!() }
    /// Events from now on.
    pub fn subscribe(&self) -> Subscription { todo!() }
    /// Gives or takes consent.
    pub fn share_with(&self, _device: DeviceId, _shared: bool) -> Result<Receipt, EditError> { todo!() }
    /// One round.
    pub async fn sync_with_peer(&self, _peer: DeviceId) -> Result<SyncReport, SyncError> { todo!() }
    /// Who authors here now.
    pub fn peer_id(&self) -> PeerId { todo!() }
    /// All that is applied, volatile edits included.
    pub fn version_vector(&self) -> VersionVector { todo!() }
    /// What is durable, with running hashes.
    pub fn durable_frontier(&self) -> Frontier { todo!() }
    /// The durable history in the log's (causal) order.
    pub async fn history(&self) -> Result<Vec<SyncedLogEntry>, StoreError> { todo!() }
    /// The canonical bytes of the merged state: equal on peers that applied equal sets.
    pub fn state_bytes(&self) -> Vec<u8> { todo!() }
    /// Takes a snapshot now.
    pub async fn checkpoint(&self) -> Result<(), StoreError> { todo!() }
    /// Makes everything durable and ends the driver.
    pub async fn close(&self) -> Result<(), StoreError> { todo!() }
}
impl Subscription {
    /// The next event; `None` once the workspace is closed.
    pub async fn next(&mut self) -> Option<Event> { todo!() }
    /// The next event if there is one.
    pub fn try_next(&mut self) -> Option<Event> { todo!() }
}
