//! The network of a session: none for commands that need no other device, else iroh.

use std::net::{Ipv4Addr, SocketAddr};

use graphshell_sync::DeviceId;
use graphshell_sync::backend::NoNetwork;
use graphshell_sync::backend::iroh::{EndpointOptions, IrohBackend, Relay};
use graphshell_sync::ports::{CallError, Handler, PeerInfo, SyncBackend};
use graphshell_sync::wire::{
    Frontier, FrontierRequest, PullRequest, PushRequest, Response, SnapshotRequest,
};
use iroh::{EndpointAddr, PublicKey, SecretKey, TransportAddr};

use crate::args::{NetworkArgs, RelayChoice, Switch};
use crate::failure::{Failure, Result};
use crate::profile::{self, PeerEntry};

/// What the session's workspace talks through.
pub(crate) enum Network {
    /// Reaches nobody.
    None(NoNetwork),
    /// QUIC.
    Iroh(IrohBackend),
}

impl Network {
    /// Reaches nobody.
    pub(crate) fn none() -> Self {
        Network::None(NoNetwork)
    }

    /// Opens the sockets.
    pub(crate) async fn bind(
        wanted: &profile::Network,
        secret_key: SecretKey,
    ) -> Result<IrohBackend> {
        let options = |bind| EndpointOptions {
            relay: match &wanted.relay {
                RelayChoice::Off => Relay::Off,
                RelayChoice::Default => Relay::Default,
                RelayChoice::Own(url) => Relay::Own(vec![url.clone()]),
            },
            bind,
            port_mapping: wanted.relay != RelayChoice::Off,
            ..EndpointOptions::new(secret_key.clone())
        };
        let failed = |error: graphshell_sync::backend::iroh::EndpointError| {
            Failure::failed(error.to_string())
        };
        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let endpoint = match (wanted.listen, wanted.port) {
            (Some(listen), _) => options(Some(listen)).bind().await.map_err(failed)?,
            (None, Some(port)) => match options(Some(any(port))).bind().await {
                Ok(endpoint) => endpoint,
                // Somebody else has the port now; others will learn the new one.
                Err(_) => options(None).bind().await.map_err(failed)?,
            },
            (None, None) => options(None).bind().await.map_err(failed)?,
        };
        Ok(IrohBackend::builder(endpoint).mdns(wanted.mdns).build())
    }

    /// The network, if there is one.
    pub(crate) fn backend(&self) -> Option<&IrohBackend> {
        match self {
            Network::None(_) => None,
            Network::Iroh(backend) => Some(backend),
        }
    }
}

/// The port that others find this device at, unless they are told another one.
pub(crate) fn port(backend: &IrohBackend) -> Option<u16> {
    let mut sockets = backend.endpoint().bound_sockets().into_iter();
    sockets.find(SocketAddr::is_ipv4).map(|at| at.port())
}

/// The settings with what the arguments say.
pub(crate) fn apply(args: &NetworkArgs, mut network: profile::Network) -> profile::Network {
    if let Some(relay) = &args.relay {
        network.relay = relay.clone();
    }
    if let Some(mdns) = args.mdns {
        network.mdns = mdns == Switch::On;
    }
    if args.listen.is_some() {
        network.listen = args.listen;
    }
    network
}

/// Where a peer can be reached; `None` if its id is no public key.
pub(crate) fn address(device: DeviceId, peer: &PeerEntry) -> Option<EndpointAddr> {
    let key = PublicKey::from_bytes(&device.0).ok()?;
    let direct = peer.direct.iter().map(|&at| TransportAddr::Ip(at));
    let relays = peer.relays.iter().map(|url| TransportAddr::Relay(url.clone()));
    Some(EndpointAddr::from_parts(key, direct.chain(relays)))
}

impl SyncBackend for Network {
    async fn discover(&self) -> Result<Vec<PeerInfo>, CallError> {
        match self {
            Network::None(network) => network.discover().await,
            Network::Iroh(network) => network.discover().await,
        }
    }

    async fn frontier(
        &self,
        to: DeviceId,
        request: FrontierRequest,
    ) -> Result<Response, CallError> {
        match self {
            Network::None(network) => network.frontier(to, request).await,
            Network::Iroh(network) => network.frontier(to, request).await,
        }
    }

    async fn pull(&self, to: DeviceId, request: PullRequest) -> Result<Response, CallError> {
        match self {
            Network::None(network) => network.pull(to, request).await,
            Network::Iroh(network) => network.pull(to, request).await,
        }
    }

    async fn push(&self, to: DeviceId, request: PushRequest) -> Result<Response, CallError> {
        match self {
            Network::None(network) => network.push(to, request).await,
            Network::Iroh(network) => network.push(to, request).await,
        }
    }

    async fn snapshot(
        &self,
        to: DeviceId,
        request: SnapshotRequest,
    ) -> Result<Response, CallError> {
        match self {
            Network::None(network) => network.snapshot(to, request).await,
            Network::Iroh(network) => network.snapshot(to, request).await,
        }
    }

    async fn announce(&self, frontier: Frontier) -> Result<(), CallError> {
        match self {
            Network::None(network) => network.announce(frontier).await,
            Network::Iroh(network) => network.announce(frontier).await,
        }
    }

    async fn serve<H: Handler>(&self, handler: H) {
        match self {
            Network::None(network) => network.serve(handler).await,
            Network::Iroh(network) => network.serve(handler).await,
        }
    }
}
