//! Local-first sync for a browser's graph of pages.

mod api;
mod author;
pub mod backend;
mod batch;
mod codec;
mod core;
mod driver;
mod entry;
mod graph;
mod hash;
mod id;
pub mod legacy;
pub mod limits;
pub mod ports;
mod record;
mod state;
pub mod store;
mod system;
#[cfg(test)]
mod testing;
mod vector;
pub mod wire;

pub use api::{Config, EditError, Event, OpenError, Outcome, Receipt, SyncError, SyncReport};
pub use batch::{AuthorRow, BATCH_VERSION, Batch, BatchError};
pub use codec::DecodeError;
pub use driver::{Driver, ImportError, Ports, Subscription, SyncOrchestrator, Workspace};
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
