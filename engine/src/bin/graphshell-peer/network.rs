//! The network of a session: none for commands that need no other device; and how far a round is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use graphshell_sync::DeviceId;
use graphshell_sync::backend::NoNetwork;
use graphshell_sync::ports::{CallError, Handler, PeerInfo, SyncBackend};
use graphshell_sync::wire::{
    Frontier, FrontierRequest, PullRequest, PushRequest, Response, SnapshotRequest,
};
use tokio::sync::watch;

/// What the session's workspace talks through.
pub(crate) struct Network {
    way: NoNetwork,
    meter: Meter,
}

impl Network {
    /// Reaches nobody.
    pub(crate) fn none() -> Self {
        Network { way: NoNetwork, meter: Meter::default() }
    }

    /// How far rounds are.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }
}
