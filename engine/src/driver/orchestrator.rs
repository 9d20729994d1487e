//! Rounds with everybody in reach.

use super::{Ports, Workspace};
use crate::api::{SyncError, SyncReport};
use crate::id::DeviceId;
use crate::ports::{CallError, PeerInfo, SyncBackend};

/// Decides with whom a workspace syncs.
pub struct SyncOrchestrator<P: Ports> {
    workspace: Workspace<P>,
}

impl<P: Ports> SyncOrchestrator<P> {
    /// An orchestrator of one workspace.
    pub fn new(workspace: Workspace<P>) -> Self {
        SyncOrchestrator { workspace }
    }

    /// One round with one device; see [`Workspace::sync_with_peer`].
    ///
    /// # Errors
    /// If consent is missing, or the peer refuses or is out of reach.
    pub async fn sync_with_peer(&self, peer: DeviceId) -> Result<SyncReport, SyncError> {
        self.workspace.sync_with_peer(peer).await
    }

    /// The devices in reach that the workspace is shared with, in the network's order.
    ///
    /// # Errors
    /// If the network cannot tell who is there.
    pub async fn reachable(&self) -> Result<Vec<PeerInfo>, CallError> {
        let shared = self.workspace.shared_with();
        let mut peers = self.workspace.network().discover().await?;
        peers.retain(|peer| shared.contains_key(&peer.device));
        Ok(peers)
    }

    /// One round with each reachable device, one after the other; a failed round does not keep
    /// the next from starting.
    ///
    /// # Errors
    /// If the network cannot tell who is there.
    pub async fn sync_with_all(
        &self,
    ) -> Result<Vec<(PeerInfo, Result<SyncReport, SyncError>)>, CallError> {
        let mut results = Vec::new();
        for peer in self.reachable().await? {
            let result = self.sync_with_peer(peer.device).await;
            results.push((peer, result));
        }
        Ok(results)
    }
}
