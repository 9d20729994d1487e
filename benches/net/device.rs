//! A real device: an endpoint, a router, a workspace on a disk, and its driver.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use graphshell_sim::plan::workspace_id;
use graphshell_sync::autosync::{AutoSyncHandle, Policy, auto_sync};
use graphshell_sync::backend::iroh::{ALPN, IrohBackend};
use graphshell_sync::ports::{Opened, Promise, Store, StoreError, Witness};
use graphshell_sync::store::disk::{DeviceWitness, DiskStore, KeySource};
use graphshell_sync::{
    Config, DeviceId, LogEntry, Outcome, PortSet, Record, Snapshot, SystemClock, SystemEntropy,
    Workspace,
};
use iroh::protocol::Router;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::bare::{address_of, endpoint};

pub(crate) type Ports =
    PortSet<SystemClock, SystemEntropy, Timed<DiskStore>, Timed<DeviceWitness>, IrohBackend>;

/// Where the devices' folders lie.
pub(crate) struct Place {
    folder: TempDir,
    next: Cell<usize>,
}

impl Place {
    pub(crate) fn new(folder: TempDir) -> Self {
        Place { folder, next: Cell::new(0) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A folder that is not there yet.
    fn fresh(&self) -> PathBuf {
        self.next.set(self.next.get() + 1);
        self.path().join(self.next.get().to_string())
    }
}

/// A port, and how long its writes take.
pub(crate) struct Timed<P> {
    port: P,
    writing: Arc<AtomicU64>,
}

impl<P> Timed<P> {
    async fn write<T>(&self, write: impl Future<Output = T>) -> T {
        let (result, time) = since(write).await;
        self.writing.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
        result
    }
}

impl<S: Store> Store for Timed<S> {
    async fn open(&self) -> Result<Opened, StoreError> {
        self.port.open().await
    }
    async fn append(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.write(self.port.append(records)).await
    }
    async fn load(&self, positions: Vec<u64>) -> Result<Vec<Record>, StoreError> {
        self.port.load(positions).await
    }
    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        self.port.save_snapshot(snapshot).await
    }
    async fn rebase(&self, base: Snapshot, first: u64) -> Result<(), StoreError> {
        self.port.rebase(base, first).await
    }
}

impl<W: Witness> Witness for Timed<W> {
    async fn read(&self) -> Result<Option<Promise>, StoreError> {
        self.port.read().await
    }
    async fn write(&self, promise: Promise) -> Result<(), StoreError> {
        Timed::write(self, self.port.write(promise)).await
    }
}

pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) backend: IrohBackend,
    pub(crate) workspace: Workspace<Ports>,
    /// Nanoseconds that appends to the log, and promises, have taken so far.
    pub(crate) writing: Arc<AtomicU64>,
    router: Router,
    tasks: JoinSet<()>,
}

impl Device {
    pub(crate) async fn new(place: &Place) -> Self {
        let folder = place.fresh();
        let endpoint = endpoint().await;
        let network = IrohBackend::builder(endpoint.clone()).build();
        let backend = network.clone();
        let router = Router::builder(endpoint).accept(ALPN, network.clone()).spawn();
        let key = KeySource::key_file(folder.with_extension("key"));
        let witness = DeviceWitness::beside(&folder).expect("a thread");
        let store = DiskStore::new(&folder, workspace_id(), key).expect("a thread");
        let writing = Arc::new(AtomicU64::new(0));
        let store = Timed { port: store, writing: Arc::clone(&writing) };
        let witness = Timed { port: witness, writing: Arc::clone(&writing) };
        let (clock, entropy) = (SystemClock, SystemEntropy);
        let ports = PortSet { clock, entropy, store, witness, network };
        let id = backend.device();
        let config =
            Config { workspace: workspace_id(), device: id, snapshot_every: 0, compact_every: 0 };
        let (workspace, driver) = Workspace::open(config, ports).await.expect("it opens");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { driver.run().await.expect("it ends well") });
        Device { id, backend, workspace, writing, router, tasks }
    }

    /// Two that share with each other and know where they are.
    pub(crate) async fn pair(place: &Place) -> (Self, Self) {
        let (one, other) = (Device::new(place).await, Device::new(place).await);
        for (from, to) in [(&one, &other), (&other, &one)] {
            from.backend.add_address(address_of(to.backend.endpoint()));
            let receipt = from
                .workspace
                .share_with(to.id, graphshell_sync::Access::Full)
                .expect("it can be shared");
            from.workspace.settled(receipt).await;
        }
        (one, other)
    }

    /// Makes operations in one edit of each `at_once`, and waits until all are durable.
    pub(crate) async fn edit(&self, operations: &[LogEntry], at_once: usize) {
        let receipts: Vec<_> = operations
            .chunks(at_once)
            .map(|some| self.workspace.edit_all(some).expect("what was walked is possible"))
            .collect();
        for receipt in receipts {
            let outcome = self.workspace.settled(receipt).await;
            assert!(matches!(outcome, Outcome::Durable(_)), "{outcome:?}");
        }
    }

    /// One round; returns how long it took.
    pub(crate) async fn sync(&self, with: &Device) -> Duration {
        let (report, time) = since(self.workspace.sync_with_peer(with.id)).await;
        report.expect("the other device is there");
        time
    }

    pub(crate) fn auto(&mut self) -> AutoSyncHandle {
        let (handle, syncing) =
            auto_sync(self.workspace.clone(), self.backend.clone(), Policy::default());
        self.tasks.spawn(syncing);
        handle
    }

    pub(crate) async fn close(mut self) {
        self.workspace.close().await;
        self.router.shutdown().await.expect("no panic");
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no panic");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch needs the time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// What a future gives, and how long it took.
pub(crate) async fn since<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let start = now();
    let result = future.await;
    (result, start.elapsed())
}
