//! Local-first sync for a browser's graph of pages.
//!
//! Every device keeps the whole graph and can always edit it. Devices that share a workspace
//! exchange the operations that were made, each whenever it reaches another, and end with the same
//! graph, byte for byte.
//!
//! # Start
//!
//! [`Workspace::open`] takes a [`Config`] and the five [`Ports`] (clock, entropy, store, witness,
//! network) and gives two things: the [`Workspace`], a handle whose edits and reads return at
//! once, and the [`Driver`], one future that does all the waiting. Run the driver on whatever
//! executor you have; the crate brings none. Here two devices meet in a shared folder:
//!
//! ```
//! use futures_executor::block_on;
//! use graphshell_sync::backend::LocalFilesystemBackend;
//! use graphshell_sync::store::{MemoryStore, MemoryWitness};
//! use graphshell_sync::{
//!     Access, Config, DeviceId, LogEntry, NodeId, Outcome, PortSet, Position, SystemClock,
//!     SystemEntropy, Workspace, WorkspaceId,
//! };
//! use uuid::uuid;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let workspace = WorkspaceId(uuid!("5b1c52f0-3f5b-4c1e-9a56-0d5c7a1f2e33"));
//! let (laptop, phone) = (DeviceId([1; 32]), DeviceId([2; 32]));
//! let folder = tempfile::tempdir()?;
//! let open = |device, name| {
//!     let network = LocalFilesystemBackend::new(folder.path(), workspace, device, name);
//!     let (clock, entropy) = (SystemClock, SystemEntropy);
//!     let (store, witness) = (MemoryStore::new(), MemoryWitness::new());
//!     let ports = PortSet { clock, entropy, store, witness, network };
//!     let config = Config { workspace, device, snapshot_every: 1_000, compact_every: 10_000 };
//!     let (handle, driver) = block_on(Workspace::open(config, ports))?;
//!     std::thread::spawn(move || block_on(driver.run()));
//!     Ok::<_, graphshell_sync::OpenError>(handle)
//! };
//! let (at_laptop, at_phone) = (open(laptop, "laptop")?, open(phone, "phone")?);
//!
//! // Consent is per workspace and device, and both sides must give it.
//! block_on(at_laptop.settled(at_laptop.share_with(phone, Access::Full)?));
//! block_on(at_phone.settled(at_phone.share_with(laptop, Access::Full)?));
//!
//! let book = NodeId(uuid!("c0ffee00-0000-4000-8000-000000000001"));
//! let url = "https://doc.rust-lang.org/book/".to_owned();
//! let receipt = at_laptop.edit(LogEntry::AddNode {
//!     node_id: book,
//!     url: url.clone(),
//!     position: Position::default(),
//! })?;
//! assert_eq!(at_laptop.node(book).expect("an edit shows at once").url, url);
//! assert!(matches!(block_on(at_laptop.settled(receipt)), Outcome::Durable(_)));
//!
//! // In a folder nobody answers: a round leaves what is new and takes what is there, so devices
//! // come by again and again. A device that has left nothing yet cannot be reached.
//! for _ in 0..5 {
//!     let _ = block_on(at_laptop.sync_with_peer(phone));
//!     let _ = block_on(at_phone.sync_with_peer(laptop));
//! }
//! assert_eq!(at_phone.graph(), at_laptop.graph());
//!
//! block_on(at_laptop.close());
//! block_on(at_phone.close());
//! # Ok(())
//! # }
//! ```
//!
//! # Receipts
//!
//! An edit is in the graph as soon as [`Workspace::edit`] returns, and it is *volatile*: a crash
//! may still take it. Its [`Receipt`] names it; [`Workspace::settled`] and [`Event::Settled`] tell
//! its fate once: [`Outcome::Durable`] (no crash loses it, and only now may it leave the device) or
//! [`Outcome::Refused`] (the store did not take it, and the graph is as if it had not been made).
//!
//! # Events
//!
//! [`Workspace::subscribe`] gives the [`Event`]s from then on, in the order in which they
//! happened. [`Event::Changed`] names what may look different since the event before; read the new
//! values off the workspace. What other devices did comes batch by batch, never in part. Whoever
//! finds [`Event::Reset`] or [`Event::Lagged`] reads everything anew.
//!
//! # Conflicts
//!
//! Sync never waits for a person. Where two users disagreed, a deterministic default is shown, and
//! if it may surprise one of them the disagreement is listed as a [`Conflict`]: deleted here and
//! changed there, deleted here and linked to there, linked as two different types. Its id is the
//! same on every device. [`Workspace::resolve`] settles it by ordinary operations, which travel to
//! the others like any edit; an edit that the resolution had not seen opens it again.
//!
//! # Counters
//!
//! [`Workspace::counters`] says how often each rare thing ([`Counter`]) happened since the workspace
//! was opened: gaps that waited, pushes that were sent again, forks, snapshots. It is for diagnostics.
//!
//! # What is not here
//!
//! Without the feature `store` no store that lasts: [`store::MemoryStore`] ends with the program, and
//! whoever embeds the engine writes a [`ports::Store`] and examines it with [`store::conformance`].
//! With it there is `store::disk`: the log and a database in a folder, sealed. Without the feature
//! `iroh` no network but a shared folder ([`backend`]); with it there is `backend::iroh`: devices that
//! reach each other by their public keys, and sync by themselves ([`autosync`]). `ARCHITECTURE.md` beside this crate's manifest explains the inside.

mod access;
mod api;
mod author;
pub mod autosync;
pub mod backend;
mod batch;
mod codec;
mod core;
mod counters;
#[cfg(feature = "iroh")]
pub mod device_key;
mod driver;
mod entry;
mod graph;
mod hash;
mod id;
pub mod legacy;
pub mod limits;
#[cfg(feature = "iroh")]
pub mod pairing;
pub mod ports;
mod record;
pub mod recording;
mod state;
pub mod store;
mod system;
#[cfg(test)]
mod testing;
mod vector;
pub mod wire;

pub use access::Access;
pub use api::{
    Chore, Config, EditError, Event, OpenError, Outcome, Progress, Receipt, SyncError, SyncReport,
};
pub use batch::{AuthorRow, BATCH_VERSION, Batch, BatchError};
pub use codec::DecodeError;
pub use counters::{Counter, Counters};
pub use driver::{Driver, ImportError, PortSet, Ports, Subscription, SyncOrchestrator, Workspace};
pub use entry::{
    EdgeKind, EdgeType, LogEntry, NotFinite, PayloadError, Position, SyncedLogEntry, Trigger,
};
pub use graph::{
    Claim, Conflict, ConflictId, ConflictKind, Edge, Graph, Node, Resolution, Stamp, Subject,
    Visit, VisualEdge,
};
pub use hash::Hash;
pub use id::{DeviceId, DeviceIdError, Dot, Incarnation, NodeId, PeerId, WorkspaceId};
pub use record::{ForkProof, Record, RecordError, Snapshot};
pub use state::Delta;
pub use system::{SystemClock, SystemEntropy};
pub use vector::VersionVector;

/// Compiles and runs the examples of the README, which are about the store on disk.
#[cfg(all(doctest, feature = "store"))]
#[doc = include_str!("../../README.md")]
struct Readme;
