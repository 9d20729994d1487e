//! Devices in memory: real workspaces over memory stores and a network of direct calls.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use futures_channel::{mpsc, oneshot};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use graphshell_sync::ports::{CallError, Clock, Entropy, Handler, PeerInfo, SyncBackend};
use graphshell_sync::recording::Recorder;
use graphshell_sync::store::{MemoryStore, MemoryWitness};
use graphshell_sync::wire::{
    Frontier, FrontierRequest, PullRequest, PushRequest, Request, Response, SnapshotRequest,
};
use graphshell_sync::{
    Access, Config, DeviceId, LogEntry, NodeId, OpenError, Ports, Position, SyncError, SyncReport,
    Workspace, WorkspaceId,
};
use uuid::Uuid;

pub const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(7));

/// How much of a snapshot devices ask for at once.
pub const SNAPSHOT_PART_BYTES: u32 = 300;

pub fn device(number: u8) -> DeviceId {
    DeviceId([number; 32])
}

pub fn page(number: u128) -> NodeId {
    NodeId(Uuid::from_u128(number))
}

pub fn add(number: u128) -> LogEntry {
    let url = format!("https://example.org/{number}");
    LogEntry::AddNode { node_id: page(number), url, position: Position::default() }
}

pub fn title(number: u128, title: &str) -> LogEntry {
    LogEntry::UpdateNodeTitle { node_id: page(number), title: title.to_owned() }
}

/// The ports of one device; the clock and randomness are fixed numbers that move when told.
#[derive(Clone)]
pub struct Device {
    pub id: DeviceId,
    pub store: MemoryStore,
    pub witness: MemoryWitness,
    pub net: Net,
    now_ms: Arc<Mutex<u64>>,
    random: Arc<Mutex<u64>>,
}

impl Device {
    pub fn new(number: u8, hub: &Hub) -> Self {
        Device {
            id: device(number),
            store: MemoryStore::new(),
            witness: MemoryWitness::new(),
            net: Net { me: device(number), hub: hub.clone() },
            now_ms: Arc::new(Mutex::new(1_000)),
            random: Arc::new(Mutex::new(u64::from(number) << 32)),
        }
    }

    /// The same device under another key.
    pub fn under(&self, id: DeviceId) -> Self {
        Device { id, net: Net { me: id, hub: self.net.hub.clone() }, ..self.clone() }
    }

    pub fn set_clock(&self, now_ms: u64) {
        *self.now_ms.lock().unwrap() = now_ms;
    }
}

impl Clock for Device {
    fn now_ms(&self) -> u64 {
        *self.now_ms.lock().unwrap()
    }
}

impl Entropy for Device {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let mut random = self.random.lock().unwrap();
            *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            chunk.copy_from_slice(&random.to_le_bytes()[..chunk.len()]);
        }
    }
}

impl Ports for Device {
    type Clock = Self;
    type Entropy = Self;
    type Store = MemoryStore;
    type Witness = MemoryWitness;
    type Network = Net;

    fn clock(&self) -> &Self {
        self
    }
    fn entropy(&self) -> &Self {
        self
    }
    fn store(&self) -> &MemoryStore {
        &self.store
    }
    fn witness(&self) -> &MemoryWitness {
        &self.witness
    }
    fn network(&self) -> &Net {
        &self.net
    }
}

type Running = Pin<Box<dyn Future<Output = Result<(), OpenError>>>>;

type Call = (DeviceId, Vec<u8>, oneshot::Sender<Vec<u8>>);

/// All devices' network.
#[derive(Clone, Default)]
pub struct Hub {
    inner: Arc<Mutex<HubInner>>,
}

#[derive(Default)]
struct HubInner {
    served: BTreeMap<DeviceId, mpsc::UnboundedSender<Call>>,
    /// Requests and responses as they crossed: from, to, bytes.
    frames: Vec<(DeviceId, DeviceId, Vec<u8>)>,
    /// How many more responses pass; none means all.
    passing: Option<u32>,
}

impl Hub {
    pub fn take_frames(&self) -> Vec<(DeviceId, DeviceId, Vec<u8>)> {
        std::mem::take(&mut self.inner.lock().unwrap().frames)
    }

    /// Lets that many more responses pass and loses all others; none means all pass.
    pub fn let_pass(&self, responses: Option<u32>) {
        self.inner.lock().unwrap().passing = responses;
    }
}

#[derive(Clone)]
pub struct Net {
    me: DeviceId,
    hub: Hub,
}

impl Net {
    async fn call(&self, to: DeviceId, request: Request) -> Result<Response, CallError> {
        let lost = || CallError::Lost(format!("{to} is gone"));
        let bytes = request.encode();
        let answer = {
            let mut hub = self.hub.inner.lock().unwrap();
            hub.frames.push((self.me, to, bytes.clone()));
            let (sender, answer) = oneshot::channel();
            let served = hub.served.get(&to).ok_or_else(lost)?;
            served.unbounded_send((self.me, bytes, sender)).map_err(|_| lost())?;
            answer
        };
        let bytes = answer.await.map_err(|_| lost())?;
        let mut hub = self.hub.inner.lock().unwrap();
        hub.frames.push((to, self.me, bytes.clone()));
        if let Some(passing) = &mut hub.passing {
            *passing = passing.checked_sub(1).ok_or_else(lost)?;
        }
        Response::decode(&bytes).map_err(|error| CallError::Nonsense(error.to_string()))
    }
}

impl SyncBackend for Net {
    async fn discover(&self) -> Result<Vec<PeerInfo>, CallError> {
        let hub = self.hub.inner.lock().unwrap();
        let others = hub.served.keys().filter(|&&device| device != self.me);
        Ok(others.map(|&device| PeerInfo { device, name: device.to_string() }).collect())
    }
    async fn frontier(&self, to: DeviceId, ask: FrontierRequest) -> Result<Response, CallError> {
        self.call(to, Request::Frontier(ask)).await
    }
    async fn pull(&self, to: DeviceId, ask: PullRequest) -> Result<Response, CallError> {
        self.call(to, Request::Pull(ask)).await
    }
    async fn push(&self, to: DeviceId, ask: PushRequest) -> Result<Response, CallError> {
        self.call(to, Request::Push(ask)).await
    }
    async fn snapshot(
        &self,
        to: DeviceId,
        mut ask: SnapshotRequest,
    ) -> Result<Response, CallError> {
        // Small snapshots are to come in several parts too.
        ask.bytes = ask.bytes.min(SNAPSHOT_PART_BYTES);
        self.call(to, Request::Snapshot(ask)).await
    }
    async fn announce(&self, _: Frontier) -> Result<(), CallError> {
        Ok(())
    }
    async fn serve<H: Handler>(&self, handler: H) {
        let (sender, mut calls) = mpsc::unbounded();
        self.hub.inner.lock().unwrap().served.insert(self.me, sender);
        let mut answering = FuturesUnordered::new();
        std::future::poll_fn(|context| {
            while let Poll::Ready(Some((from, bytes, sender))) = calls.poll_next_unpin(context) {
                let handler = handler.clone();
                answering.push(async move {
                    let request = Request::decode(&bytes).expect("devices speak the protocol");
                    let _ = sender.send(handler.handle(from, request).await.encode());
                });
            }
            while let Poll::Ready(Some(())) = answering.poll_next_unpin(context) {}
            Poll::<()>::Pending
        })
        .await;
    }
}

/// Runs drivers beside whatever a test waits for.
#[derive(Default)]
pub struct World {
    pub hub: Hub,
    drivers: Vec<(DeviceId, Running)>,
}

impl World {
    pub fn new() -> Self {
        World::default()
    }

    /// A new device with an open workspace.
    pub fn device(&mut self, number: u8) -> (Device, Workspace<Device>) {
        let device = Device::new(number, &self.hub);
        let workspace = self.open(&device);
        (device, workspace)
    }

    pub fn open(&mut self, device: &Device) -> Workspace<Device> {
        self.open_with(device, 0)
    }

    pub fn open_with(&mut self, device: &Device, snapshot_every: u64) -> Workspace<Device> {
        let compact_every = 0;
        let config =
            Config { workspace: WORKSPACE, device: device.id, snapshot_every, compact_every };
        let opened = futures_executor::block_on(Workspace::open(config, device.clone()));
        let (workspace, driver) = opened.expect("the workspace opens");
        self.drivers.push((device.id, Box::pin(driver.run())));
        workspace
    }

    /// Opens with a recorder, snapshots and compactions.
    pub fn open_recorded(
        &mut self,
        device: &Device,
        recorder: &Recorder,
        (snapshot_every, compact_every): (u64, u64),
    ) -> Workspace<Device> {
        let config =
            Config { workspace: WORKSPACE, device: device.id, snapshot_every, compact_every };
        let opened = Workspace::open_recorded(config, device.clone(), recorder);
        let (workspace, driver) = futures_executor::block_on(opened).expect("it opens");
        self.drivers.push((device.id, Box::pin(driver.run())));
        workspace
    }

    pub fn try_open(&mut self, device: &Device) -> Result<Workspace<Device>, OpenError> {
        let config =
            Config { workspace: WORKSPACE, device: device.id, snapshot_every: 0, compact_every: 0 };
        let opened = futures_executor::block_on(Workspace::open(config, device.clone()));
        opened.map(|(workspace, _)| workspace)
    }

    /// Power cut: the device's driver stops where it is.
    pub fn kill(&mut self, device: &Device) {
        self.drivers.retain(|(id, _)| *id != device.id);
        self.hub.inner.lock().unwrap().served.remove(&device.id);
    }

    pub fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let drivers = &mut self.drivers;
        futures_executor::block_on(std::future::poll_fn(|context| {
            drivers.retain_mut(|(_, driver)| match driver.as_mut().poll(context) {
                Poll::Ready(result) => {
                    result.expect("the driver ends well");
                    false
                }
                Poll::Pending => true,
            });
            future.as_mut().poll(context)
        }))
    }

    /// Lets every device share with every other.
    pub fn share(&mut self, all: &[(&Device, &Workspace<Device>)]) {
        for (one, workspace) in all {
            for (other, _) in all.iter().filter(|(other, _)| other.id != one.id) {
                let receipt =
                    workspace.share_with(other.id, Access::Full).expect("it can be shared");
                self.run(workspace.settled(receipt));
            }
        }
    }

    pub fn sync(
        &mut self,
        workspace: &Workspace<Device>,
        with: &Device,
    ) -> Result<SyncReport, SyncError> {
        self.run(workspace.sync_with_peer(with.id))
    }

    /// Makes an edit and waits until it is durable.
    pub fn edit(&mut self, workspace: &Workspace<Device>, operations: &[LogEntry]) {
        let receipt = workspace.edit_all(operations).expect("the edit is taken");
        let outcome = self.run(workspace.settled(receipt));
        assert!(matches!(outcome, graphshell_sync::Outcome::Durable(_)), "{outcome:?}");
    }
}

pub fn assert_same(one: &Workspace<Device>, other: &Workspace<Device>) {
    assert_eq!(one.graph(), other.graph());
    assert_eq!(one.durable_frontier(), other.durable_frontier());
    assert_eq!(one.state_bytes(), other.state_bytes());
}
