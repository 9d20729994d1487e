//! An endpoint for hosts that have none, and how connections are set up.

use std::net::SocketAddr;
use std::time::Duration;

use iroh::endpoint::{
    BindError, NetReportConfig, PortmapperConfig, QuicTransportConfig, VarInt, presets,
};
use iroh::{Endpoint, RelayMode, RelayUrl, SecretKey};

use crate::limits::{
    CONNECTION_WINDOW_BYTES, IDLE_TIMEOUT_MS, KEEP_ALIVE_MS, MAX_CONNECTION_STREAMS,
    SEND_WINDOW_BYTES, STREAM_WINDOW_BYTES,
};

/// Through whom devices reach each other that have no direct way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Relay {
    /// Nobody: only direct addresses, no name is looked up, nothing is published. All works with no
    /// network but the local one.
    #[default]
    Off,
    /// The relays and the address service of iroh's makers.
    Default,
    /// These relays, and no address service: whoever dials needs an address that names one.
    Own(Vec<RelayUrl>),
}

/// How to make an endpoint.
#[derive(Clone, Debug)]
pub struct EndpointOptions {
    /// The device's key; its public half is the device's id.
    pub secret_key: SecretKey,
    /// Through whom it can be reached.
    pub relay: Relay,
    /// Where to listen; `None` means on all addresses, on a port of the system's choosing. Port 0
    /// means the same for one address. With the unspecified address of one family (`0.0.0.0`) the
    /// other family is listened on as well, on a port of the system's choosing.
    pub bind: Option<SocketAddr>,
    /// Whether to ask the router for a way in from outside (UPnP, PCP, NAT-PMP).
    pub port_mapping: bool,
}

/// An endpoint could not be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {at}: {why}; choose another address or port, or stop the program that uses it"
)]
pub struct EndpointError {
    /// Where it was to listen.
    pub at: String,
    /// What the network said.
    pub why: String,
}

impl EndpointOptions {
    /// No relay, any address, no port mapping.
    pub fn new(secret_key: SecretKey) -> Self {
        EndpointOptions { secret_key, relay: Relay::Off, bind: None, port_mapping: false }
    }

    /// Makes the endpoint. It returns as soon as the sockets are open, whatever can be reached.
    ///
    /// # Errors
    /// If the address is taken, or is none of this device's.
    pub async fn bind(self) -> Result<Endpoint, EndpointError> {
        let at = match self.bind {
            Some(address) => address.to_string(),
            None => "any address".to_owned(),
        };
        let failed = |why: String| EndpointError { at: at.clone(), why };
        let builder = match self.relay {
            Relay::Off => Endpoint::builder(presets::Minimal)
                .relay_mode(RelayMode::Disabled)
                .net_report_config(NetReportConfig::minimal()),
            Relay::Default => Endpoint::builder(presets::N0),
            Relay::Own(urls) => {
                Endpoint::builder(presets::Minimal).relay_mode(RelayMode::custom(urls))
            }
        };
        let mut builder = builder.secret_key(self.secret_key).transport_config(transport());
        if !self.port_mapping {
            builder = builder.portmapper_config(PortmapperConfig::Disabled);
        }
        if let Some(address) = self.bind {
            if !address.ip().is_unspecified() {
                builder = builder.clear_ip_transports();
            }
            builder = builder.bind_addr(address).map_err(|error| failed(error.to_string()))?;
        }
        builder.bind().await.map_err(|error: BindError| failed(format!("{error:#}")))
    }
}

/// How this protocol uses QUIC.
///
/// - Requests are streams of both directions, few at once; nothing else is accepted.
/// - Frames go out one after the other, so that the first is whole as soon as can be.
/// - A silent connection is found dead in seconds.
pub(super) fn transport() -> QuicTransportConfig {
    let idle = VarInt::from_u32(IDLE_TIMEOUT_MS);
    let keep_alive = Duration::from_millis(u64::from(KEEP_ALIVE_MS));
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_CONNECTION_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .send_fairness(false)
        .max_idle_timeout(Some(idle.into()))
        .keep_alive_interval(keep_alive)
        .default_path_keep_alive_interval(keep_alive)
        .default_path_max_idle_timeout(Duration::from_millis(u64::from(IDLE_TIMEOUT_MS)))
        .build()
}
