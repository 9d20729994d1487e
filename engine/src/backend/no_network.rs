//! The backend of a workspace that stays on its device.

use std::future::pending;

use crate::id::DeviceId;
use crate::ports::{CallError, Handler, PeerInfo, SyncBackend};
use crate::wire::{Frontier, FrontierRequest, PullRequest, PushRequest, Response, SnapshotRequest};

/// Reaches nobody, and nobody reaches it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNetwork;

fn nobody<T>(to: DeviceId) -> Result<T, CallError> {
    Err(CallError::Lost(format!(
        "{to} is out of reach: this workspace was opened without a network"
    )))
}

impl SyncBackend for NoNetwork {
    async fn discover(&self) -> Result<Vec<PeerInfo>, CallError> {
        Ok(Vec::new())
    }

    async fn frontier(&self, to: DeviceId, _: FrontierRequest) -> Result<Response, CallError> {
        nobody(to)
    }

    async fn pull(&self, to: DeviceId, _: PullRequest) -> Result<Response, CallError> {
        nobody(to)
    }

    async fn push(&self, to: DeviceId, _: PushRequest) -> Result<Response, CallError> {
        nobody(to)
    }

    async fn snapshot(&self, to: DeviceId, _: SnapshotRequest) -> Result<Response, CallError> {
        nobody(to)
    }

    async fn announce(&self, _: Frontier) -> Result<(), CallError> {
        Ok(())
    }

    async fn serve<H: Handler>(&self, _: H) {
        pending().await
    }
}
