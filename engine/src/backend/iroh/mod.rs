//! Devices that reach each other over QUIC, by their public keys.
//!
//! [`IrohBackend`] is a [`SyncBackend`] over an iroh [`Endpoint`]: the host's own, or one that
//! [`EndpointOptions`] make. A device's id is its endpoint's id, so whoever answers has proved who it
//! is. Register the backend with the router under [`ALPN`], and open the workspace with it:
//!
//! ```no_run
//! use graphshell_sync::backend::iroh::{ALPN, EndpointOptions, IrohBackend};
//! use iroh::SecretKey;
//! use iroh::protocol::Router;
//!
//! # async fn open() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = EndpointOptions::new(SecretKey::generate()).bind().await?;
//! let backend = IrohBackend::builder(endpoint.clone()).build();
//! let router = Router::builder(endpoint).accept(ALPN, backend.clone()).spawn();
//! // Workspace::open(config, PortSet { network: backend, .. })
//! # router.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # On the wire
//!
//! A request is a bidirectional stream: one frame of [`crate::wire`], finished; the answer comes back
//! the same way. Streams open without a round trip and run beside each other, so a round is
//! pipelined by asking. Connections are kept and used in both directions, whoever dialed.
//!
//! # Who is let in
//!
//! Whoever the workspace is not shared with is closed right after the handshake, before a stream of
//! it is read; so is everybody until the driver runs. Whoever the user excludes later is disconnected.
//! Each request is checked again. A device that breaks the protocol or its bounds (in
//! [`crate::limits`]) is disconnected with a [`CloseCode`] and a text.
//!
//! One backend serves one workspace, the one that was opened with it last.

mod addresses;
mod attend;
mod call;
mod close;
mod dial;
mod frame;
mod gate;
mod info;
mod options;
mod pool;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::Connection;
use iroh::protocol::{AcceptError, ProtocolHandler};
use iroh::{Endpoint, EndpointAddr};
use tokio::runtime;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::timeout;
use tracing::{Instrument, debug, info_span};

use crate::id::DeviceId;
use crate::limits::{
    ADMISSION_DEADLINE_MS, CALL_DEADLINE_MS, CONNECT_DEADLINE_MS, FRAME_DEADLINE_MS,
    MAX_SERVED_REQUESTS, MAX_WAITING_DEVICES, STALL_DEADLINE_MS,
};
use crate::ports::{CallError, Handler, PeerInfo, SyncBackend};
use crate::wire::{
    Frontier, FrontierRequest, PullRequest, PushRequest, Request, Response, SnapshotRequest,
};

use addresses::Addresses;
use frame::Pace;
use gate::Gate;
use info::Meter;
use pool::Pool;

pub use close::CloseCode;
pub use info::{ConnectionInfo, NetworkEvent, Traffic};
pub use options::{EndpointError, EndpointOptions, Relay};

/// The name of this protocol in the handshake.
pub const ALPN: &[u8] = b"/graphshell-sync/1";

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Making a connection.
    pub connect: Duration,
    /// One call, making a connection included.
    pub call: Duration,
    /// One frame, from its first byte to its last.
    pub frame: Duration,
    /// A pause within a frame.
    pub stall: Duration,
    /// Finding out whether a device is known, which the driver is asked for.
    pub admission: Duration,
}

impl Default for Deadlines {
    /// Those of [`crate::limits`].
    fn default() -> Self {
        Deadlines {
            connect: Duration::from_millis(CONNECT_DEADLINE_MS),
            call: Duration::from_millis(CALL_DEADLINE_MS),
            frame: Duration::from_millis(FRAME_DEADLINE_MS),
            stall: Duration::from_millis(STALL_DEADLINE_MS),
            admission: Duration::from_millis(ADMISSION_DEADLINE_MS),
        }
    }
}

impl Deadlines {
    fn pace(&self) -> Pace {
        Pace { frame: self.frame, stall: self.stall }
    }

    fn answer(&self) -> Pace {
        Pace { frame: self.call, stall: self.call }
    }
}

/// What goes into an [`IrohBackend`].
#[derive(Debug)]
pub struct Builder {
    endpoint: Endpoint,
    deadlines: Deadlines,
    addresses: Vec<EndpointAddr>,
    #[cfg(feature = "mdns")]
    mdns: bool,
}

impl Builder {
    /// Other deadlines than the usual ones.
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// An address of another device; see [`IrohBackend::add_address`].
    pub fn address(mut self, address: EndpointAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// Whether to look for devices of the local network by multicast DNS, and to be found by them:
    /// whoever listens there learns this device's public key and addresses.
    #[cfg(feature = "mdns")]
    pub fn mdns(mut self, mdns: bool) -> Self {
        self.mdns = mdns;
        self
    }

    /// The backend. Its tasks run on the tokio runtime in which this is called; it may be used from
    /// anywhere.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn build(self) -> IrohBackend {
        let device = device_id(&self.endpoint);
        let addresses = Addresses::new(&self.endpoint);
        self.addresses.into_iter().for_each(|address| addresses.add(address));
        #[cfg(feature = "mdns")]
        if self.mdns {
            addresses.look_around(&self.endpoint);
        }
        let shared = Shared {
            device,
            endpoint: self.endpoint,
            runtime: runtime::Handle::current(),
            deadlines: self.deadlines,
            addresses,
            gate: Gate::default(),
            pool: Pool::new(device),
            meter: Meter::default(),
            serving: Semaphore::new(MAX_SERVED_REQUESTS),
            waiting: Semaphore::new(MAX_WAITING_DEVICES),
        };
        IrohBackend { owner: Arc::new(Owner { shared: Arc::new(shared) }) }
    }
}

fn device_id(endpoint: &Endpoint) -> DeviceId {
    DeviceId(*endpoint.id().as_bytes())
}

/// What the handles and the tasks of connections share.
struct Shared {
    device: DeviceId,
    endpoint: Endpoint,
    runtime: runtime::Handle,
    deadlines: Deadlines,
    addresses: Addresses,
    gate: Gate,
    pool: Pool,
    meter: Meter,
    /// Requests that may be read, answered or written now.
    serving: Semaphore,
    /// Devices that may wait now to be known.
    waiting: Semaphore,
}

/// The last handle closes what is open: the tasks of connections share only [`Shared`].
struct Owner {
    shared: Arc<Shared>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.pool.close_all(CloseCode::Leaving, "the network is shut down");
    }
}

/// The network of one workspace, over an iroh endpoint; clones share it. See the
/// [module](self).
#[derive(Clone)]
pub struct IrohBackend {
    owner: Arc<Owner>,
}

impl fmt::Debug for IrohBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrohBackend").field("device", &self.device()).finish_non_exhaustive()
    }
}

impl IrohBackend {
    /// A backend over the host's endpoint. Where the host's transport settings differ from those of
    /// [`EndpointOptions`], they hold for connections that others dial.
    pub fn builder(endpoint: Endpoint) -> Builder {
        Builder {
            endpoint,
            deadlines: Deadlines::default(),
            addresses: Vec::new(),
            #[cfg(feature = "mdns")]
            mdns: false,
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared().endpoint
    }

    /// This device, by its endpoint's key.
    pub fn device(&self) -> DeviceId {
        self.shared().device
    }

    /// Where a device can be reached, in the place of what was added for it before. At most
    /// [`MAX_ADDRESSES`](crate::limits::MAX_ADDRESSES) addresses of
    /// [`MAX_KNOWN_DEVICES`](crate::limits::MAX_KNOWN_DEVICES) devices are kept.
    ///
    /// What asks for the device from now on dials there, also while an older address is being tried.
    pub fn add_address(&self, address: EndpointAddr) {
        let device = DeviceId(*address.id.as_bytes());
        self.shared().addresses.add(address);
        self.shared().pool.moved(device);
    }

    /// Forgets what was added for a device.
    pub fn remove_address(&self, device: DeviceId) {
        self.shared().addresses.remove(device);
    }

    /// The connected devices, now and whenever they change.
    pub fn connections(&self) -> watch::Receiver<BTreeSet<DeviceId>> {
        self.shared().pool.connected()
    }

    /// The connection with a device that is used now, if there is one.
    pub fn connection(&self, device: DeviceId) -> Option<ConnectionInfo> {
        self.shared().pool.link(device).map(|link| ConnectionInfo::of(&link.connection))
    }

    /// What happens on the network from now on. Whoever is too slow is told how much it missed.
    pub fn subscribe(&self) -> broadcast::Receiver<NetworkEvent> {
        self.shared().pool.events()
    }

    /// Closes the connections with a device. Either side may connect again.
    pub fn disconnect(&self, device: DeviceId) {
        self.shared().pool.disconnect(device, CloseCode::Disconnected, "asked to disconnect");
    }

    /// How many bytes of requests and answers went over connections.
    pub fn traffic(&self) -> Traffic {
        self.shared().meter.read()
    }

    /// How many requests each connected device has been answered over its connections.
    pub(crate) fn asked(&self) -> BTreeMap<DeviceId, u64> {
        self.shared().pool.asked()
    }

    async fn call(&self, to: DeviceId, request: Request) -> Result<Response, CallError> {
        call::call(self.shared(), to, request).await
    }
}

impl SyncBackend for IrohBackend {
    /// Devices of which an address was added, that are connected, or that were found in the local
    /// network.
    async fn discover(&self) -> Result<Vec<PeerInfo>, CallError> {
        let shared = self.shared();
        let mut known = shared.addresses.devices();
        known.extend(shared.pool.connected().borrow().iter().copied());
        known.remove(&shared.device);
        Ok(known.into_iter().map(|device| PeerInfo { device, name: device.to_string() }).collect())
    }

    async fn frontier(
        &self,
        to: DeviceId,
        request: FrontierRequest,
    ) -> Result<Response, CallError> {
        self.call(to, Request::Frontier(request)).await
    }

    async fn pull(&self, to: DeviceId, request: PullRequest) -> Result<Response, CallError> {
        self.call(to, Request::Pull(request)).await
    }

    async fn push(&self, to: DeviceId, request: PushRequest) -> Result<Response, CallError> {
        self.call(to, Request::Push(request)).await
    }

    async fn snapshot(
        &self,
        to: DeviceId,
        request: SnapshotRequest,
    ) -> Result<Response, CallError> {
        self.call(to, Request::Snapshot(request)).await
    }

    /// Nothing: devices ask each other.
    async fn announce(&self, _: Frontier) -> Result<(), CallError> {
        Ok(())
    }

    async fn serve<H: Handler>(&self, handler: H) {
        let shared = self.shared();
        gate::serve(&shared.gate, &shared.pool, handler).await;
    }
}

impl ProtocolHandler for IrohBackend {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        let shared = Arc::clone(self.shared());
        let device = DeviceId(*connection.remote_id().as_bytes());
        let span = info_span!("sync_connection", %device);
        async move {
            if let Err((code, why)) = admit(&shared, device).await {
                debug!(%device, %code, "turned away");
                connection.close(code.wire(), close::reason(why));
                return;
            }
            match shared.pool.join(device, connection.clone()) {
                Ok(joined) => {
                    dial::retire(&shared, joined.retired);
                    attend::attend(&shared, joined.link).await;
                }
                Err(code) => connection.close(code.wire(), b"connected to too many devices"),
            }
        }
        .instrument(span)
        .await;
        Ok(())
    }

    async fn shutdown(&self) {
        self.shared().pool.close_all(CloseCode::Leaving, "the program ends");
    }
}

/// Whether a device that has just connected may stay.
async fn admit(shared: &Shared, device: DeviceId) -> Result<(), (CloseCode, &'static str)> {
    let Ok(_waits) = shared.waiting.try_acquire() else {
        return Err((CloseCode::Busy, "too many devices wait to be known"));
    };
    match timeout(shared.deadlines.admission, shared.gate.admits(device)).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            shared.pool.tell(NetworkEvent::TurnedAway { device });
            Err((CloseCode::NotAdmitted, "the workspace is not shared with you"))
        }
        Err(_) => Err((CloseCode::Busy, "the workspace is too busy to know you")),
    }
}
