//! What a host may want to know about the network.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use iroh::TransportAddr;
use iroh::endpoint::Connection;

use super::close::CloseCode;
use crate::id::DeviceId;

/// What happened on the network, for people who look for a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkEvent {
    /// A device is connected.
    Connected {
        /// Which.
        device: DeviceId,
    },
    /// The last connection with a device ended.
    Gone {
        /// Which.
        device: DeviceId,
        /// Why, if the other side closed it.
        code: Option<CloseCode>,
    },
    /// A device was turned away: the workspace is not shared with it. Anybody can cause this.
    TurnedAway {
        /// Which.
        device: DeviceId,
    },
    /// A device spoke another version of the protocol: one of both programs is to be updated.
    OtherVersion {
        /// Which.
        device: DeviceId,
        /// Its version.
        version: u8,
    },
    /// A device broke the protocol, or its bounds, and was disconnected.
    Misbehaved {
        /// Which.
        device: DeviceId,
        /// What it was told.
        code: CloseCode,
        /// What was wrong.
        why: String,
    },
}

/// Bytes of requests and answers, with all devices since the backend was made. What QUIC adds is
/// not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that were handed to connections.
    pub sent: u64,
    /// Bytes that were read from them.
    pub received: u64,
}

/// See [`Traffic`].
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
}

impl Meter {
    pub(super) fn read(&self) -> Traffic {
        Traffic {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
        }
    }
}

/// A connection as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Where its bytes go: an address of the other device, or a relay.
    pub path: Option<TransportAddr>,
    /// The time to the other device and back, as last measured.
    pub round_trip: Option<Duration>,
    /// Whether the connection was dialed from here.
    pub dialed: bool,
}

impl ConnectionInfo {
    pub(super) fn of(connection: &Connection) -> Self {
        let paths = connection.paths();
        let path = paths.iter().find(|path| path.is_selected());
        ConnectionInfo {
            path: path.as_ref().map(|path| path.remote_addr().clone()),
            round_trip: path.as_ref().map(iroh::endpoint::Path::rtt),
            dialed: connection.side().is_client(),
        }
    }

    /// Whether the bytes go through a relay.
    pub fn is_relayed(&self) -> bool {
        self.path.as_ref().is_some_and(TransportAddr::is_relay)
    }
}
