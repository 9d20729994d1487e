//! Rounds with other devices, and what they come to.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use graphshell_sync::ports::CallError;
use graphshell_sync::wire::Reject;
use graphshell_sync::{DeviceId, SyncError};
use tokio::time::{MissedTickBehavior, interval};

use super::{Dialog, Session};
use crate::command::Share;
use crate::failure::{Failure, Kind, Result};
use crate::item::{Item, Round, Status};

/// Time between two looks at how far a round is.
const PROGRESS_EVERY: Duration = Duration::from_millis(25);
/// Rounds that are under way at once.
const ROUNDS_AT_ONCE: usize = 4;

impl Session {
    pub(super) async fn sync(&self, peer: Option<&str>, out: &Dialog) -> Result<()> {
        self.online()?;
        let devices: Vec<DeviceId> = match peer {
            Some(name) => {
                let (device, name) = self.peer_named(name)?;
                let round = self.round(device, out).await.map_err(|failure| {
                    let what = format!("{name}: {}", failure.what);
                    Failure { what, ..failure }
                })?;
                out.tell(Item::Round(round)).await?;
                return out.tell(Item::Synced { devices: 1, failed: 0 }).await;
            }
            None => {
                let peers = self.peer_items();
                peers.iter().filter(|p| p.access != Share::Stopped).map(|p| p.device).collect()
            }
        };
        let mut waiting = devices.iter().copied();
        let mut rounds = FuturesUnordered::new();
        let mut failed = 0;
        loop {
            while rounds.len() < ROUNDS_AT_ONCE
                && let Some(device) = waiting.next()
            {
                rounds.push(async move { (device, self.round(device, out).await) });
            }
            let Some((device, result)) = rounds.next().await else { break };
            let round = match result {
                Ok(round) => round,
                Err(failure) if failure.kind == Kind::Interrupted => return Err(failure),
                Err(failure) => {
                    failed += 1;
                    let name = self.profile.name_of(device);
                    Round { device, name, sent: 0, received: 0, failure: Some(failure) }
                }
            };
            out.tell(Item::Round(round)).await?;
        }
        let count = devices.len() as u64;
        out.tell(Item::Synced { devices: count, failed }).await?;
        match failed {
            0 => Ok(()),
            _ => Err(Failure::new(
                Kind::Sync,
                format!(
                    "{failed} of {} could not be synced",
                    crate::text::counted(count, "device", "devices")
                ),
            )),
        }
    }

    /// One round with one device, telling how far it is.
    pub(super) async fn round(&self, device: DeviceId, out: &Dialog) -> Result<Round> {
        let name = self.profile.name_of(device);
        self.present_key(device).await;
        let round = async {
            match self.online.as_ref().and_then(|online| online.auto.as_ref()) {
                Some(auto) => auto.sync_now(device).await,
                None => self.workspace.sync_with_peer(device).await,
            }
        };
        tokio::pin!(round);
        let mut ticks = interval(PROGRESS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = (0, 0);
        let result = loop {
            tokio::select! {
                biased;
                result = &mut round => break result,
                _ = ticks.tick() => {
                    let Some(progress) = self.workspace.progress(device) else { continue };
                    let now = (progress.pulled + progress.pushed, progress.to_pull + progress.to_push);
                    if now != last && now.1 > 0 {
                        last = now;
                        let total = Some(now.1).filter(|&total| total > now.0);
                        let (done, name) = (now.0, name.clone());
                        out.tell(Item::Progress { device, name, done, total }).await?;
                    }
                }
            }
        };
        let report = result.map_err(|error| sync_failure(&name, &error))?;
        self.book().synced(device);
        self.learn_names(device).await;
        Ok(Round { device, name, sent: report.pushed, received: report.pulled, failure: None })
    }

    pub(super) async fn status(&self, out: &Dialog) -> Result<()> {
        let contents = self.profile.read();
        let (pages, links) = self.workspace.size();
        let forks = self.workspace.forks();
        let operations = self.workspace.version_vector().iter().map(|(_, count)| count).sum();
        let watching = self.online.as_ref().filter(|online| online.auto.is_some());
        let network = watching.map_or(&contents.network, |online| &online.settings);
        out.tell(Item::Status(Box::new(Status {
            name: contents.name.clone(),
            profile: self.profile.folder().to_owned(),
            workspace: contents.workspace,
            device: self.device,
            author: self.workspace.peer_id(),
            key: contents.key,
            relay: network.relay.to_string(),
            mdns: network.mdns,
            watching: watching.is_some(),
            addresses: watching.map(|online| online.addresses()).unwrap_or_default(),
            pages: pages as u64,
            links: links as u64,
            operations,
            conflicts: self.workspace.conflicts().len() as u64,
            quarantined: forks.into_keys().map(|author| self.author_name(author)).collect(),
            peers: self.peer_items(),
        })))
        .await
    }
}

/// What a person is told of a round that failed.
pub(super) fn sync_failure(name: &str, error: &SyncError) -> Failure {
    let failure = |what: String| Failure::new(Kind::Sync, what);
    match error {
        SyncError::Call(CallError::Lost(why)) => failure(format!("cannot be reached: {why}"))
            .next("is `graphshell-peer watch` running there, in the same network or with a relay?"),
        SyncError::Refused(Reject::NotShared) => {
            failure("does not share this graph with this device (any more)".to_owned())
                .next("pair both devices again")
        }
        SyncError::NoConsent(_) => {
            failure("this device does not share the graph with it".to_owned())
                .next(format!("`graphshell-peer share {name:?}` shares it"))
        }
        error => failure(error.to_string()),
    }
}
