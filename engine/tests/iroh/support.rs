//! Real devices: an endpoint, a router, a workspace and its driver, on the test's runtime.
#![allow(dead_code, reason = "each feature uses its part")]

use std::net::SocketAddr;
use std::time::Duration;

use graphshell_sync::autosync::{AutoSyncHandle, Policy, auto_sync};
use graphshell_sync::backend::iroh::{
    ALPN, Builder, EndpointOptions, IrohBackend, NetworkEvent, Relay,
};
use graphshell_sync::ports::{Store, Witness};
use graphshell_sync::store::{MemoryStore, MemoryWitness};
use graphshell_sync::{
    Access, Config, DeviceId, LogEntry, NodeId, Outcome, PortSet, Position, SyncError, SyncReport,
    SystemClock, SystemEntropy, Workspace, WorkspaceId,
};
use iroh::endpoint::Connection;
use iroh::protocol::Router;
use iroh::{Endpoint, EndpointAddr, SecretKey};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use uuid::Uuid;

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(7));
/// How long a test waits for what should come: long, for machines that are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Set<S, W> = PortSet<SystemClock, SystemEntropy, S, W, IrohBackend>;

/// The key of a test's device. Tests run beside each other, and a port that one leaves is soon
/// another's: a device found there must not pass for one of this test. Called on the test's own thread.
pub(crate) fn key(number: u8) -> SecretKey {
    let test = std::thread::current();
    let name = format!("{} {number}", test.name().expect("a test has a name"));
    SecretKey::from_bytes(blake3::hash(name.as_bytes()).as_bytes())
}

pub(crate) fn id_of(number: u8) -> DeviceId {
    DeviceId(*key(number).public().as_bytes())
}

pub(crate) fn page(number: u128) -> NodeId {
    NodeId(Uuid::from_u128(number))
}

pub(crate) fn add(number: u128) -> LogEntry {
    let url = format!("https://example.org/{number}");
    LogEntry::AddNode { node_id: page(number), url, position: Position::default() }
}

pub(crate) fn title(number: u128, title: &str) -> LogEntry {
    LogEntry::UpdateNodeTitle { node_id: page(number), title: title.to_owned() }
}

pub(crate) async fn endpoint(number: u8, relay: Relay) -> Endpoint {
    let bind = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let options = EndpointOptions { relay, bind, ..EndpointOptions::new(key(number)) };
    options.bind().await.expect("loopback has free ports")
}

/// One device.
pub(crate) struct Node<S = MemoryStore, W = MemoryWitness>
where
    S: Store,
    W: Witness,
{
    pub(crate) id: DeviceId,
    pub(crate) backend: IrohBackend,
    pub(crate) workspace: Workspace<Set<S, W>>,
    router: Router,
    tasks: JoinSet<()>,
}

impl Node {
    pub(crate) async fn new(number: u8) -> Self {
        Node::with(number, |builder| builder).await
    }

    pub(crate) async fn with(number: u8, set: impl FnOnce(Builder) -> Builder) -> Self {
        Node::of_workspace(number, WORKSPACE, set).await
    }

    pub(crate) async fn of_workspace(
        number: u8,
        workspace: WorkspaceId,
        set: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let endpoint = endpoint(number, Relay::Off).await;
        let stores = (MemoryStore::new(), MemoryWitness::new());
        Node::over(endpoint, workspace, stores, set).await
    }
}

impl<S, W> Node<S, W>
where
    S: Store + Send + Sync + 'static,
    W: Witness + Send + Sync + 'static,
    Workspace<Set<S, W>>: Runs<Ports = Set<S, W>>,
{
    pub(crate) async fn over(
        endpoint: Endpoint,
        workspace: WorkspaceId,
        (store, witness): (S, W),
        set: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let backend = set(IrohBackend::builder(endpoint.clone())).build();
        let router = Router::builder(endpoint).accept(ALPN, backend.clone()).spawn();
        let id = backend.device();
        let (clock, entropy) = (SystemClock, SystemEntropy);
        let network = backend.clone();
        let ports = PortSet { clock, entropy, store, witness, network };
        let config = Config { workspace, device: id, snapshot_every: 0, compact_every: 0 };
        let mut tasks = JoinSet::new();
        let workspace = <Workspace<Set<S, W>> as Runs>::open(config, ports, &mut tasks).await;
        Node { id, backend, workspace, router, tasks }
    }

    pub(crate) fn address(&self) -> EndpointAddr {
        address_of(self.backend.endpoint())
    }

    pub(crate) fn knows<T: Store, V: Witness>(&self, other: &Node<T, V>) {
        self.backend.add_address(address_of(other.backend.endpoint()));
    }

    pub(crate) async fn shares(&self, device: DeviceId, shared: bool) {
        let access = if shared { Access::Full } else { Access::None };
        let receipt = self.workspace.share_with(device, access).expect("it can be shared");
        self.settled(receipt).await;
    }

    async fn settled(&self, receipt: graphshell_sync::Receipt) {
        let outcome = self.workspace.settled(receipt).await;
        assert!(matches!(outcome, Outcome::Durable(_)), "{outcome:?}");
    }

    /// Makes an edit and waits until it is durable.
    pub(crate) async fn edit(&self, operations: &[LogEntry]) {
        let receipt = self.workspace.edit_all(operations).expect("the edit is taken");
        self.settled(receipt).await;
    }

    pub(crate) async fn sync(&self, with: DeviceId) -> Result<SyncReport, SyncError> {
        let round = self.workspace.sync_with_peer(with);
        tokio::time::timeout(PATIENCE, round).await.expect("every round ends")
    }

    pub(crate) fn auto(&mut self, policy: Policy) -> AutoSyncHandle {
        <Workspace<Set<S, W>> as Runs>::auto(
            self.workspace.clone(),
            self.backend.clone(),
            policy,
            &mut self.tasks,
        )
    }

    /// Closes the workspace and the endpoint.
    pub(crate) async fn close(mut self) {
        self.workspace.close().await;
        self.router.shutdown().await.expect("no handler panics");
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no task panics");
        }
    }

    /// The end of the process: the driver stops where it is, nothing is flushed, the port is free
    /// again.
    pub(crate) async fn vanish(mut self) {
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// What needs the ports' futures to be `Send`, for each set of ports that tests use.
pub(crate) trait Runs: Sized {
    type Ports;
    fn open(
        config: Config,
        ports: Self::Ports,
        tasks: &mut JoinSet<()>,
    ) -> impl Future<Output = Self>;
    fn auto(self, backend: IrohBackend, policy: Policy, tasks: &mut JoinSet<()>) -> AutoSyncHandle;
}

macro_rules! runs {
    ($ports:ty) => {
        impl Runs for Workspace<$ports> {
            type Ports = $ports;
            async fn open(config: Config, ports: $ports, tasks: &mut JoinSet<()>) -> Self {
                let (workspace, driver) =
                    Workspace::open(config, ports).await.expect("the workspace opens");
                tasks.spawn(async move { driver.run().await.expect("the driver ends well") });
                workspace
            }
            fn auto(
                self,
                backend: IrohBackend,
                policy: Policy,
                tasks: &mut JoinSet<()>,
            ) -> AutoSyncHandle {
                let (handle, syncing) = auto_sync(self, backend, policy);
                tasks.spawn(syncing);
                handle
            }
        }
    };
}
runs!(Set<MemoryStore, MemoryWitness>);
#[cfg(feature = "store")]
runs!(Set<graphshell_sync::store::disk::DiskStore, graphshell_sync::store::disk::DeviceWitness>);

pub(crate) fn address_of(endpoint: &Endpoint) -> EndpointAddr {
    let sockets = endpoint.bound_sockets().into_iter();
    sockets.fold(EndpointAddr::new(endpoint.id()), EndpointAddr::with_ip_addr)
}

/// Every node shares with every other, and knows where it is.
pub(crate) async fn introduce<S, W>(nodes: &[&Node<S, W>])
where
    S: Store + Send + Sync + 'static,
    W: Witness + Send + Sync + 'static,
    Workspace<Set<S, W>>: Runs<Ports = Set<S, W>>,
{
    for one in nodes {
        for other in nodes.iter().filter(|other| other.id != one.id) {
            one.shares(other.id, true).await;
            one.knows(other);
        }
    }
}

/// Two devices that share with each other.
pub(crate) async fn pair() -> (Node, Node) {
    let (laptop, phone) = (Node::new(1).await, Node::new(2).await);
    introduce(&[&laptop, &phone]).await;
    (laptop, phone)
}

pub(crate) fn assert_same<S: Store, W: Witness, T: Store, V: Witness>(
    one: &Node<S, W>,
    other: &Node<T, V>,
) {
    assert_eq!(one.workspace.durable_frontier(), other.workspace.durable_frontier());
    assert_eq!(one.workspace.state_bytes(), other.workspace.state_bytes());
}

pub(crate) fn are_same<S: Store, W: Witness, T: Store, V: Witness>(
    one: &Node<S, W>,
    other: &Node<T, V>,
) -> bool {
    one.workspace.durable_frontier() == other.workspace.durable_frontier()
        && one.workspace.state_bytes() == other.workspace.state_bytes()
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "still not: {what}");
}

/// Waits for an event that is wanted.
pub(crate) async fn event(
    events: &mut broadcast::Receiver<NetworkEvent>,
    mut wanted: impl FnMut(&NetworkEvent) -> bool,
) -> NetworkEvent {
    let waiting = async {
        loop {
            let event = events.recv().await.expect("few events come");
            if wanted(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the event comes")
}

/// One frame over a raw connection, and the answer's bytes.
pub(crate) async fn raw_call(connection: &Connection, frame: &[u8]) -> Option<Vec<u8>> {
    let (mut send, mut receive) = connection.open_bi().await.ok()?;
    send.write_all(frame).await.ok()?;
    send.finish().ok()?;
    receive.read_to_end(1 << 20).await.ok()
}

/// The number with which the other side closes a raw connection.
pub(crate) async fn close_code(connection: &Connection) -> u64 {
    match tokio::time::timeout(PATIENCE, connection.closed()).await.expect("it is closed") {
        iroh::endpoint::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        other => panic!("closed without a code: {other}"),
    }
}
