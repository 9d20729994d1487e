//! What the engine needs of the world, as traits: clock, entropy, store, witness, network.
//!
//! The driver is the only caller. No port need be `Send`; a driver over ports that are is itself.
//! A port's future may be dropped at any point (the device lost power, the program ended).
#![allow(
    async_fn_in_trait,
    reason = "the driver is generic, so bounds on the futures are inferred"
)]

use crate::id::{DeviceId, Incarnation};
use crate::record::{Record, Snapshot};
use crate::wire::{
    Frontier, FrontierRequest, PullRequest, PushRequest, Request, Response, SnapshotRequest,
};

/// The wall clock.
pub trait Clock {
    /// Unix time in milliseconds. May jump in either direction.
    fn now_ms(&self) -> u64;
}

/// Where randomness comes from.
pub trait Entropy {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);
}

/// The operation log, with the snapshots that shorten its replay.
///
/// Law: once [`append`](Self::append) or [`rebase`](Self::rebase) has returned `Ok`, no crash
/// undoes it; whatever happens, either all records of one append are there after it or none. Calls that write never
/// overlap; `load` may overlap anything.
pub trait Store {
    /// Opens or reopens the store. What a write left behind whose outcome was unknown is decided
    /// once it returns.
    async fn open(&self) -> Result<Opened, StoreError>;
    /// Appends records durably, as one.
    async fn append(&self, records: Vec<Record>) -> Result<(), StoreError>;
    /// The records at these positions (from 0), in the given order.
    async fn load(&self, positions: Vec<u64>) -> Result<Vec<Record>, StoreError>;
    /// Keeps a snapshot in the place of the one before, durably and as one. The log does not need
    /// it; a store may lose it.
    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError>;
    /// Puts `base` under the log and drops the records before `first`, durably and as one.
    ///
    /// The base is a part of the log from then on, taken at the log's end; a snapshot saved before
    /// is of no use any more.
    async fn rebase(&self, base: Snapshot, first: u64) -> Result<(), StoreError>;
}

/// What [`Store::open`] found.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// What the log stands on: its contents need not stand in the records.
    pub base: Option<Snapshot>,
    /// The snapshot that was saved last, if it is newer than the base.
    ///
    /// Taken of this very log, unless its position lies beyond `end`, as it may if the disk lost
    /// records.
    pub snapshot: Option<Snapshot>,
    /// The position of the first record that is still there.
    pub first: u64,
    /// The position after the last record.
    pub end: u64,
    /// How far the log once reached durably, as far as the store remembers: more than `end` if
    /// the disk lost records that had been acknowledged.
    pub watermark: u64,
    /// Files that could not be used and were put aside under another name.
    pub set_aside: Vec<SetAside>,
}

/// A file of a store that could not be used. Nothing in it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Its name now.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

/// A store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was changed: no room, read-only, shut down.
    #[error("the store refused: {0}")]
    Refused(String),
    /// Whether it was done is unknown until the store is opened again.
    #[error("the store failed: {0}")]
    Failed(String),
    /// What was read is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// A small memory outside the store (keyring, else a file of its own) that tells a restored
/// backup from a crash.
pub trait Witness {
    /// What was written last; `None` on a new device.
    async fn read(&self) -> Result<Option<Promise>, StoreError>;
    /// Remembers a promise, durably.
    async fn write(&self, promise: Promise) -> Result<(), StoreError>;
}

/// How far own entries may have left the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The incarnation that authored them.
    pub incarnation: Incarnation,
    /// The highest own sequence that anybody may have seen.
    pub sequence: u64,
}

/// A device that sync could reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Whom to dial.
    pub device: DeviceId,
    /// What to call it.
    pub name: String,
}

/// No answer came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The peer cannot be reached, or did not answer in time. Whether it acted is unknown.
    #[error("no answer: {0}")]
    Lost(String),
    /// The peer's answer breaks the protocol.
    #[error("the peer answered nonsense: {0}")]
    Nonsense(String),
}

/// The network, or what stands for it.
///
/// Every call ends: a backend that gets no answer returns [`CallError::Lost`] after a time of its
/// own choosing. Calls may overlap.
pub trait SyncBackend {
    /// The devices in reach.
    async fn discover(&self) -> Result<Vec<PeerInfo>, CallError>;
    /// [`Request::Frontier`]; answered by `InStep`, `Frontier` or `Refused`.
    async fn frontier(&self, to: DeviceId, request: FrontierRequest)
    -> Result<Response, CallError>;
    /// [`Request::Pull`]; answered by `Batch` or `Refused`.
    async fn pull(&self, to: DeviceId, request: PullRequest) -> Result<Response, CallError>;
    /// [`Request::Push`]; answered by `Durable`, `Published` or `Refused`.
    async fn push(&self, to: DeviceId, request: PushRequest) -> Result<Response, CallError>;
    /// [`Request::Snapshot`]; answered by `Snapshot` or `Refused`.
    async fn snapshot(&self, to: DeviceId, request: SnapshotRequest)
    -> Result<Response, CallError>;
    /// Tells whoever looks what this device durably has. Networks on which peers are asked
    /// directly need do nothing.
    async fn announce(&self, frontier: Frontier) -> Result<(), CallError>;
    /// Answers other devices through `handler` until dropped.
    ///
    /// The driver polls this after each step of the core, so a backend that looks at
    /// [`Handler::admits`] whenever it is polled notices at once whom the user excluded.
    async fn serve<H: Handler>(&self, handler: H);
}

/// The engine's half of serving: what a backend calls with a request that reached it.
pub trait Handler: Clone {
    /// Whether the user shares the workspace with `from` now. A backend that knows who is there before
    /// anything is said turns others away, and reads nothing of theirs.
    fn admits(&self, from: DeviceId) -> bool;
    /// The answer to `request` from the authenticated device `from`.
    async fn handle(&self, from: DeviceId, request: Request) -> Response;
}
