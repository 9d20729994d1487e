//! Telling what happens, for as long as somebody listens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use graphshell_sync::autosync::{PeerState, PeerStatus};
use graphshell_sync::backend::iroh::{CloseCode, NetworkEvent};
use graphshell_sync::ports::Clock;
use graphshell_sync::{ConflictId, DeviceId, Event, SystemClock};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

use super::{Dialog, Session};
use crate::failure::{Failure, Result};
use crate::item::{Happening, Item};

/// Time in which changes of the graph are told as one.
const GATHER: Duration = Duration::from_millis(300);
/// Time between two attempts to tell others of a new key, and to learn names.
const HOUSEKEEPING: Duration = Duration::from_secs(20);

impl Session {
    pub(super) async fn watch(&self, out: &Dialog) -> Result<()> {
        let online = self.online()?;
        let Some(auto) = &online.auto else {
            return Err(Failure::failed("this session syncs nothing by itself"));
        };
        let mut events = self.workspace.subscribe();
        let mut network = online.backend.subscribe();
        let mut status = auto.status();
        let mut connected = online.backend.connections();
        let mut ticks = interval(GATHER);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = Seen { status: status.borrow().clone(), ..Seen::default() };
        let contents = self.profile.read();
        tell(
            out,
            Happening::Watching {
                name: contents.name,
                addresses: online.addresses(),
                pages: self.workspace.size().0 as u64,
                peers: contents.peers.len() as u64,
            },
        )
        .await?;
        self.tell_conflicts(&mut seen, out).await?;
        connected.mark_changed();
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.tell_event(event, &mut seen, out).await?,
                    None => return Ok(()),
                },
                event = network.recv() => match event {
                    Ok(event) => self.tell_network(event, out).await?,
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ok(()),
                },
                Ok(()) = connected.changed() => {
                    let now = connected.borrow_and_update().clone();
                    self.tell_connections(&now, &mut seen, out).await?;
                }
                Ok(()) = status.changed() => {
                    let now = status.borrow_and_update().clone();
                    self.tell_rounds(now, &mut seen, out).await?;
                }
                _ = ticks.tick(), if seen.changed => {
                    seen.changed = false;
                    let (pages, links) = self.workspace.size();
                    let (pages, links) = (pages as u64, links as u64);
                    tell(out, Happening::Changed { pages, links }).await?;
                }
            }
        }
    }

    async fn tell_event(&self, event: Event, seen: &mut Seen, out: &Dialog) -> Result<()> {
        let warning = match event {
            Event::Changed(delta) => {
                seen.changed |= !(delta.nodes.is_empty() && delta.pairs.is_empty());
                if !(delta.opened.is_empty() && delta.settled.is_empty()) {
                    self.tell_conflicts(seen, out).await?;
                }
                return Ok(());
            }
            Event::Reset | Event::Lagged(_) => {
                seen.changed = true;
                return self.tell_conflicts(seen, out).await;
            }
            Event::Settled { .. } => return Ok(()),
            Event::Fork { author, .. } => format!(
                "{} has two histories: it was restored from a backup, or somebody lies",
                self.author_name(author)
            ),
            Event::Rotated { .. } => {
                "this device goes on under another name, after a backup was restored".to_owned()
            }
            Event::Lost { records } => format!(
                "the disk lost {records} records; what other devices have comes back from them"
            ),
            Event::SetAside(file) => format!("{} was put aside: {}", file.name, file.why),
            Event::Hindered { chore, why } => format!("{chore:?} was not done: {why}"),
        };
        tell(out, Happening::Warning { text: warning }).await
    }

    /// Tells which conflicts are listed that were not, and which are not any more.
    async fn tell_conflicts(&self, seen: &mut Seen, out: &Dialog) -> Result<()> {
        let listed: BTreeSet<ConflictId> =
            self.workspace.conflicts().iter().map(|conflict| conflict.id).collect();
        let opened: BTreeSet<ConflictId> = listed.difference(&seen.conflicts).copied().collect();
        if !opened.is_empty() {
            for (conflict, label) in self.topics(&opened).await {
                tell(out, Happening::ConflictOpened { conflict, label }).await?;
            }
        }
        for &conflict in seen.conflicts.difference(&listed) {
            tell(out, Happening::ConflictSettled { conflict }).await?;
        }
        seen.conflicts = listed;
        Ok(())
    }

    async fn tell_network(&self, event: NetworkEvent, out: &Dialog) -> Result<()> {
        let text = match event {
            NetworkEvent::OtherVersion { device, version } => format!(
                "{} speaks version {version} of the protocol: update the older program",
                self.profile.name_of(device)
            ),
            NetworkEvent::Misbehaved { device, code, why } => {
                let did = match code {
                    CloseCode::Malformed => "sent what breaks the protocol",
                    CloseCode::TooLong => "sent too much",
                    CloseCode::TooSlow => "was too slow",
                    _ => "misbehaved",
                };
                let name = self.profile.name_of(device);
                format!("{name} {did} and was disconnected from here: {why}")
            }
            // Told otherwise, or of strangers.
            _ => return Ok(()),
        };
        tell(out, Happening::Warning { text }).await
    }

    async fn tell_connections(
        &self,
        now: &BTreeSet<DeviceId>,
        seen: &mut Seen,
        out: &Dialog,
    ) -> Result<()> {
        for &device in now.difference(&seen.connected) {
            let name = self.profile.name_of(device);
            let path = self.path(device);
            tell(out, Happening::Connected { device, name, path }).await?;
        }
        for &device in seen.connected.difference(now) {
            let name = self.profile.name_of(device);
            tell(out, Happening::Gone { device, name }).await?;
        }
        seen.connected.clone_from(now);
        Ok(())
    }

    /// How a device is connected, in words.
    fn path(&self, device: DeviceId) -> String {
        let connection = self.workspace.network().backend().and_then(|b| b.connection(device));
        match connection {
            Some(connection) if connection.is_relayed() => "through a relay".to_owned(),
            Some(connection) => match connection.path {
                Some(iroh::TransportAddr::Ip(at)) => format!("direct, {at}"),
                _ => "direct".to_owned(),
            },
            None => "direct".to_owned(),
        }
    }

    async fn tell_rounds(
        &self,
        now: BTreeMap<DeviceId, PeerStatus>,
        seen: &mut Seen,
        out: &Dialog,
    ) -> Result<()> {
        for (&device, status) in &now {
            let before = seen.status.get(&device);
            let name = self.profile.name_of(device);
            if let Some((_, report)) = &status.last
                && before.is_none_or(|before| before.last != status.last)
                && !report.is_idle()
            {
                let (sent, received, name) = (report.pushed, report.pulled, name.clone());
                tell(out, Happening::Moved { device, name, sent, received }).await?;
            }
            if let PeerState::Failed { why, .. } = &status.state {
                let why = super::sync::sync_failure(&name, why).what;
                // The same again is no news.
                if seen.failures.insert(device, why.clone()).as_ref() != Some(&why) {
                    tell(out, Happening::Failed { device, name, why }).await?;
                }
            } else if matches!(status.state, PeerState::Idle { .. }) {
                seen.failures.remove(&device);
            }
        }
        seen.status = now;
        Ok(())
    }

    /// Keeps the book while a watch runs: when devices were synced and where they are, their names, and
    /// who has seen this device's new key. Never ends.
    pub(super) async fn keep_book(&self) {
        let Some(auto) = self.online.as_ref().and_then(|online| online.auto.as_ref()) else {
            return;
        };
        let mut status = auto.status();
        let mut last: BTreeMap<DeviceId, u64> = BTreeMap::new();
        let mut ticks = interval(HOUSEKEEPING);
        loop {
            tokio::select! {
                changed = status.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = status.borrow_and_update().clone();
                    for (device, status) in now {
                        let Some((at, report)) = status.last else { continue };
                        if last.insert(device, at) == Some(at) {
                            continue;
                        }
                        let synced = self.profile.read().peers.get(&device).and_then(|p| p.synced_ms);
                        // Rounds that move nothing are written down once a minute.
                        if !report.is_idle() || synced.is_none_or(|then| at.saturating_sub(then) > 60_000) {
                            self.book().synced(device);
                            self.learn_names(device).await;
                        }
                    }
                }
                _ = ticks.tick() => {
                    let untold: Vec<DeviceId> = self.profile.read().untold.into_iter().collect();
                    for device in untold {
                        self.present_key(device).await;
                    }
                }
            }
        }
    }
}

/// What was told already.
#[derive(Default)]
struct Seen {
    connected: BTreeSet<DeviceId>,
    status: BTreeMap<DeviceId, PeerStatus>,
    failures: BTreeMap<DeviceId, String>,
    conflicts: BTreeSet<ConflictId>,
    changed: bool,
}

async fn tell(out: &Dialog, event: Happening) -> Result<()> {
    out.tell(Item::Happened { at_ms: SystemClock.now_ms(), event }).await
}
