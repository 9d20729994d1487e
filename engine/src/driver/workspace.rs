//! The handle on an opened workspace.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::inner::Shared;
use super::recorded::RecordedCore;
use super::{Driver, Ports, Subscription, open_core};
use crate::access::Access;
use crate::api::{Config, EditError, OpenError, Outcome, Progress, Receipt, SyncError, SyncReport};
use crate::core::history;
use crate::counters::Counters;
use crate::entry::{LogEntry, SyncedLogEntry};
use crate::graph::{Conflict, ConflictId, Edge, Graph, Node, Resolution};
use crate::id::{DeviceId, NodeId, PeerId};
use crate::legacy::{self, LegacyError};
use crate::limits::MAX_LOAD_RECORDS;
use crate::ports::{Clock, Store, StoreError};
use crate::record::Record;
use crate::recording::Recorder;
use crate::vector::VersionVector;
use crate::wire::Frontier;

/// One opened workspace; clones share it.
///
/// Edits and reads return at once. The graph that readers see moves from batch to batch, and shows
/// local edits as soon as they are made; whether an edit is durable its [`Receipt`] tells.
pub struct Workspace<P: Ports> {
    pub(super) shared: Arc<Shared<P>>,
}

impl<P: Ports> Clone for Workspace<P> {
    fn clone(&self) -> Self {
        Workspace { shared: Arc::clone(&self.shared) }
    }
}

impl<P: Ports> Workspace<P> {
    /// Opens a workspace, or begins it if the store is empty.
    ///
    /// A log that is older than what this device is known to have sent (a restored backup) is
    /// continued under a new name.
    ///
    /// # Errors
    /// If the store cannot be read or contradicts itself; it is left as it was.
    pub async fn open(config: Config, ports: P) -> Result<(Self, Driver<P>), OpenError> {
        Self::open_with(config, ports, None).await
    }

    /// The same, and `recorder` takes down what happens from here on.
    ///
    /// # Errors
    /// As for [`open`](Self::open). What was found in the store is recorded then as well.
    pub async fn open_recorded(
        config: Config,
        ports: P,
        recorder: &Recorder,
    ) -> Result<(Self, Driver<P>), OpenError> {
        recorder.set_time(ports.clock().now_ms());
        recorder.open(config);
        Self::open_with(config, ports, Some(recorder.clone())).await
    }

    async fn open_with(
        config: Config,
        ports: P,
        recorder: Option<Recorder>,
    ) -> Result<(Self, Driver<P>), OpenError> {
        let core = open_core(&ports, config, 0, recorder.as_ref()).await?;
        let shared = Shared::new(ports, config, RecordedCore::new(core, recorder));
        Ok((Workspace { shared: Arc::clone(&shared) }, Driver { shared }))
    }

    /// Makes one edit.
    ///
    /// # Errors
    /// If the graph never had what it is about, or it exceeds a bound; then nothing changed.
    pub fn edit(&self, operation: LogEntry) -> Result<Receipt, EditError> {
        self.edit_all(&[operation])
    }

    /// Makes several operations as one edit: all of them become durable here, or none. On the way
    /// to others they may be cut into two batches, since entries travel in causal order by size.
    ///
    /// A write to a node that is gone, and an edge or visit that touches one, restore it first.
    ///
    /// # Errors
    /// As for [`edit`](Self::edit); if one operation is refused, all are.
    pub fn edit_all(&self, operations: &[LogEntry]) -> Result<Receipt, EditError> {
        let now_ms = self.shared.ports.clock().now_ms();
        self.change(|core| core.edit(now_ms, operations))
    }

    /// Settles a conflict.
    ///
    /// # Errors
    /// If it is not listed (any more), or cannot be settled like this.
    pub fn resolve(
        &self,
        conflict: ConflictId,
        resolution: &Resolution,
    ) -> Result<Receipt, EditError> {
        let now_ms = self.shared.ports.clock().now_ms();
        self.change(|core| core.resolve(now_ms, conflict, resolution))
    }

    /// Says what another device may do with this workspace. Until a consent is durable nothing leaves
    /// this device for it, and it is not answered; what is taken from it is taken at once. What left
    /// before cannot be called back.
    ///
    /// # Errors
    /// If the workspace is closed or its store failed.
    pub fn share_with(&self, device: DeviceId, access: Access) -> Result<Receipt, EditError> {
        self.change(|core| core.share_with(device, access))
    }

    /// Imports a log from before sync, given as its payloads in order: its live state becomes part
    /// of the graph, without ever winning over what was done since. To be called before the first edit
    /// of this device.
    ///
    /// # Errors
    /// If a payload is damaged, or a log was imported before; then nothing changed.
    pub fn import_legacy<B: AsRef<[u8]>>(
        &self,
        payloads: &[B],
    ) -> Result<Vec<Receipt>, ImportError> {
        let mut entries = Vec::with_capacity(payloads.len());
        for (index, payload) in payloads.iter().enumerate() {
            let entry = legacy::decode_legacy(payload.as_ref())
                .map_err(|error| ImportError::Payload { index, error })?;
            entries.push(entry);
        }
        let folded = legacy::fold(entries);
        Ok(self.change(|core| core.import(&folded.entries))?)
    }

    /// The fate of an edit, as soon as it is known.
    pub async fn settled(&self, receipt: Receipt) -> Outcome {
        let fate = self.shared.lock().fate(receipt);
        match fate {
            Ok(outcome) => outcome,
            Err(waiting) => waiting.await.unwrap_or_else(|_| {
                let what = "the workspace was closed before the edit's fate was known";
                Outcome::Refused(StoreError::Failed(what.to_owned()))
            }),
        }
    }

    /// The whole graph, with its conflicts.
    pub fn graph(&self) -> Graph {
        self.shared.lock().core().look().graph()
    }

    /// One node, if it is shown.
    pub fn node(&self, id: NodeId) -> Option<Node> {
        self.shared.lock().core().look().node(id)
    }

    /// What leads from one node to another, if anything is shown.
    pub fn edge(&self, from: NodeId, to: NodeId) -> Option<Edge> {
        self.shared.lock().core().look().edge(from, to)
    }

    /// The pairs with a shown edge or visit that a node is an end of, ascending.
    pub fn edges_of(&self, id: NodeId) -> Vec<(NodeId, NodeId)> {
        self.shared.lock().core().look().edges_of(id)
    }

    /// How many nodes, and how many pairs with an edge or visit, are shown.
    pub fn size(&self) -> (usize, usize) {
        self.shared.lock().core().look().size()
    }

    /// What a person may want to settle, in the order of the ids.
    pub fn conflicts(&self) -> Vec<Conflict> {
        self.shared.lock().core().look().conflicts()
    }

    /// The authors with two histories, here and elsewhere, each with the last entry that both
    /// share. Nothing that comes after it is taken from anybody, or given to anybody.
    pub fn forks(&self) -> BTreeMap<PeerId, u64> {
        self.shared.lock().core().forks()
    }

    /// Events from now on.
    pub fn subscribe(&self) -> Subscription {
        self.shared.lock().subscribe()
    }

    /// One round of sync with one device: both have the same afterwards, but for what was done
    /// meanwhile. Dropping the future ends the round; what it moved until then stays.
    ///
    /// # Errors
    /// If consent is missing, or the peer refuses or is out of reach.
    pub async fn sync_with_peer(&self, peer: DeviceId) -> Result<SyncReport, SyncError> {
        let (round, result) = self.shared.lock().start_round(peer);
        let guard = RoundGuard { shared: &self.shared, round };
        let result = result.await.unwrap_or(Err(SyncError::Closed));
        drop(guard);
        result
    }

    /// How far the round with a device has come, if one that was begun here is under way.
    pub fn progress(&self, peer: DeviceId) -> Option<Progress> {
        self.shared.lock().core().progress(peer)
    }

    /// The devices that the workspace is shared with, ascending.
    pub fn shared_with(&self) -> BTreeMap<DeviceId, Access> {
        self.shared.lock().core().consents()
    }

    /// The network that the workspace was opened with.
    pub fn network(&self) -> &P::Network {
        self.shared.ports.network()
    }

    /// Who authors here now.
    pub fn peer_id(&self) -> PeerId {
        self.shared.lock().core().peer_id()
    }

    /// All that is applied, local edits that are not yet durable included.
    pub fn version_vector(&self) -> VersionVector {
        self.shared.lock().core().applied()
    }

    /// How often rare things happened here since the workspace was opened.
    pub fn counters(&self) -> Counters {
        self.shared.lock().core().counters()
    }

    /// A number that grows whenever [`version_vector`](Self::version_vector) changes, and costs less:
    /// as long as it is the same, so is the vector. It says nothing beyond one open workspace.
    pub fn revision(&self) -> u64 {
        self.shared.lock().revision()
    }

    /// How far the durable history goes, with running hashes.
    pub fn durable_frontier(&self) -> Frontier {
        self.shared.lock().core().durable()
    }

    /// The durable history in the log's order, which is causal, as far as it stands in the log.
    ///
    /// What was cut off by a compaction, or came with another device's snapshot, is not told; and
    /// the vectors of the entries behind it lack what their author had seen before the first of its
    /// entries that is told.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn history(&self) -> Result<Vec<SyncedLogEntry>, StoreError> {
        loop {
            let range = self.shared.lock().core().log_range();
            let start = range.start;
            match self.records(range).await {
                // The log was cut while it was read.
                Err(_) if self.shared.lock().core().log_range().start != start => {}
                read => return Ok(history::expand(&read?)),
            }
        }
    }

    async fn records(&self, Range { start, end }: Range<u64>) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        for first in (start..end).step_by(MAX_LOAD_RECORDS) {
            let last = end.min(first + MAX_LOAD_RECORDS as u64);
            records.extend(self.shared.ports.store().load((first..last).collect()).await?);
        }
        Ok(records)
    }

    /// The canonical bytes of the merged state: equal on devices that applied equal sets.
    pub fn state_bytes(&self) -> Vec<u8> {
        self.shared.lock().core().state_bytes()
    }

    /// Takes a snapshot as soon as nothing is on its way to the disk.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        let done = self.shared.lock().checkpoint();
        done.await
            .unwrap_or_else(|_| Err(StoreError::Refused("the workspace is closed".to_owned())))
    }

    /// Cuts off the part of the log that every device has which the workspace is shared with, by
    /// its own word; all of it, if there is none. Waits for a moment in which nothing is under way.
    /// Returns how many records were cut; a device that lacks them later is handed a snapshot.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if an author's history has two branches, the base would be longer
    /// than [`MAX_BASE_BYTES`](crate::limits::MAX_BASE_BYTES), or there is no room; and if store or
    /// witness fails.
    pub async fn compact(&self) -> Result<u64, StoreError> {
        let done = self.shared.lock().compact();
        done.await
            .unwrap_or_else(|_| Err(StoreError::Refused("the workspace is closed".to_owned())))
    }

    /// Makes everything durable and ends the driver. Edits after this are refused.
    pub async fn close(&self) {
        let closed = self.shared.lock().close();
        // The sender is dropped when the driver ends.
        let _ = closed.await;
    }

    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut RecordedCore) -> Result<T, EditError>,
    ) -> Result<T, EditError> {
        let mut inner = self.shared.lock();
        if !inner.is_open() {
            return Err(EditError::Closed);
        }
        let result = change(inner.core());
        inner.wake();
        result
    }
}

/// A legacy log was not imported; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// A payload is not what it should be.
    #[error("payload {index} of the legacy log: {error}")]
    Payload {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        error: LegacyError,
    },
    /// The workspace did not take it.
    #[error(transparent)]
    Edit(#[from] EditError),
}

struct RoundGuard<'a, P: Ports> {
    shared: &'a Shared<P>,
    round: u64,
}

impl<P: Ports> Drop for RoundGuard<'_, P> {
    fn drop(&mut self) {
        if let Some(mut inner) = self.shared.lock_to_drop() {
            inner.abandon_round(self.round);
        }
    }
}
