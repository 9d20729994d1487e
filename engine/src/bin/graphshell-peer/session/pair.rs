//! Devices: taking one in, changing what it may do, forgetting it, and this device's own key.

use std::time::Duration;

use graphshell_sync::device_key::RotateError;
use graphshell_sync::pairing::{self, DeviceName, PairingError, Ticket};
use graphshell_sync::ports::Clock;
use graphshell_sync::{Access, DeviceId, SystemClock, SystemEntropy};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::host::DeskEvent;
use super::{Dialog, Online, Session};
use crate::command::{Answer, Share};
use crate::failure::{Failure, Kind, Result};
use crate::item::{Item, Peer};
use crate::keys;
use crate::profile::{PeerEntry, short};

/// How long a ticket is good.
const TICKET_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long to wait for a relay before a ticket is made without one.
const RELAY_WAIT: Duration = Duration::from_secs(5);
/// How long an inviter stays until the other device comes for its first round, and for that round.
const FIRST_ROUND_COMES: Duration = Duration::from_secs(10);
const FIRST_ROUND_ENDS: Duration = Duration::from_secs(15 * 60);
/// How often a joiner tries the first round: the other side may still be writing down its consent.
const FIRST_ROUND_TRIES: u32 = 5;

impl Session {
    pub(super) async fn invite(&self, read_only: bool, out: &Dialog) -> Result<()> {
        let online = self.online()?;
        let Some((_seat, mut events)) = online.desk.sit() else {
            return Err(Failure::new(Kind::InUse, "another `pair` is waiting already")
                .next("use its ticket, or end it with Ctrl-C"));
        };
        let contents = self.profile.read();
        if online.relayed {
            // Without it, the ticket would name no relay.
            let _ = timeout(RELAY_WAIT, online.backend.endpoint().online()).await;
        }
        let access = if read_only { Access::ReadOnly } else { Access::Full };
        let ticket = online
            .inviter
            .invite(contents.workspace, access, TICKET_LIFETIME)
            .map_err(|error| Failure::failed(error.to_string()))?;
        let expires_ms = ticket.invitation().expires_ms;
        out.tell(Item::Ticket { ticket: ticket.to_string(), expires_ms, name: contents.name })
            .await?;
        let holds = || {
            let open = online.inviter.invitations();
            open.iter().any(|open| open.id == ticket.invitation().id)
        };
        let waited = self.attend(&mut events, holds, out).await;
        online.inviter.withdraw(ticket.invitation().id);
        let device = waited?;
        if online.auto.is_none() {
            self.stay_for_first_round(online, device).await;
        }
        Ok(())
    }

    /// Waits at the desk until somebody was taken in. Nobody may begin after the ticket's lifetime;
    /// two people who compare digits by then may go on.
    async fn attend(
        &self,
        events: &mut mpsc::Receiver<DeskEvent>,
        holds: impl Fn() -> bool,
        out: &Dialog,
    ) -> Result<DeviceId> {
        let mut asked = None;
        let expired = sleep(TICKET_LIFETIME);
        tokio::pin!(expired);
        loop {
            let event = tokio::select! {
                event = events.recv() => {
                    event.ok_or_else(|| Failure::failed("the network ended"))?
                }
                () = &mut expired, if asked.is_none() => {
                    return Err(Failure::new(Kind::Declined, "nobody came with the ticket in ten minutes")
                        .next("`graphshell-peer pair` makes a new one"));
                }
            };
            match event {
                DeskEvent::Asked(who, mut answer) => {
                    asked = Some(who.device);
                    let (digits, name) = (who.fingerprint.to_string(), who.name.to_string());
                    out.tell(Item::Fingerprint { digits, name, device: who.device }).await?;
                    let said = tokio::select! {
                        said = out.answer() => said,
                        // The end of the attempt is the next event.
                        () = answer.closed() => continue,
                    };
                    let _ = answer.send(said == Answer::Confirm);
                    if said == Answer::Decline {
                        return Err(declined());
                    }
                }
                DeskEvent::Paired(paired) => {
                    let access = Share::from(paired.access);
                    let name = self.profile.name_of(paired.device);
                    out.tell(Item::Paired { device: paired.device, name, access }).await?;
                    return Ok(paired.device);
                }
                DeskEvent::Failed(device, why)
                    if asked.map_or_else(|| !holds(), |asked| asked == device) =>
                {
                    return Err(Failure::new(Kind::Declined, why)
                        .next("`graphshell-peer pair` makes a new ticket"));
                }
                DeskEvent::Failed(_, why) => {
                    out.tell(Item::Note { text: format!("somebody tried and failed: {why}") })
                        .await?;
                }
            }
        }
    }

    /// The joiner fetches what is here before it goes; whoever invited stays until then.
    async fn stay_for_first_round(&self, online: &Online, device: DeviceId) {
        let mut connected = online.backend.connections();
        let comes = connected.wait_for(|devices| devices.contains(&device));
        if !matches!(timeout(FIRST_ROUND_COMES, comes).await, Ok(Ok(_))) {
            return;
        }
        let goes = connected.wait_for(|devices| !devices.contains(&device));
        let _ = timeout(FIRST_ROUND_ENDS, goes).await.is_ok();
    }

    pub(super) async fn join(&self, text: &str, out: &Dialog) -> Result<()> {
        let online = self.online()?;
        let ticket = parse_ticket(text)?;
        let contents = self.profile.read();
        let workspace = ticket.invitation().workspace;
        if workspace != contents.workspace {
            return Err(Failure::new(
                Kind::Profile,
                format!(
                    "the ticket is for workspace {workspace}, and this profile holds workspace {}",
                    contents.workspace
                ),
            )
            .next("two graphs cannot become one; join in a new profile: --profile DIR"));
        }
        let name = ticket.inviter().to_string();
        out.tell(Item::Joining { name, device: ticket.device(), workspace }).await?;
        let me = device_name(&contents.name)?;
        let confirm = |who: pairing::Introduction| async move {
            let (digits, name) = (who.fingerprint.to_string(), who.name.to_string());
            let told = out.tell(Item::Fingerprint { digits, name, device: who.device }).await;
            told.is_ok() && out.answer().await == Answer::Confirm
        };
        let joined = pairing::join(online.backend.endpoint(), &ticket, &me, confirm).await;
        let paired = joined.map_err(pairing_failure)?;
        let book = self.book();
        book.add(&paired, Share::Full).await.map_err(Failure::failed)?;
        let device = paired.device;
        let name = self.profile.name_of(device);
        out.tell(Item::Paired { device, name, access: Share::Full }).await?;
        let mut tries = 1;
        loop {
            match self.round(device, out).await {
                Ok(round) => {
                    out.tell(Item::Round(round)).await?;
                    break;
                }
                Err(_) if tries < FIRST_ROUND_TRIES => {
                    sleep(Duration::from_millis(200 * u64::from(tries))).await;
                    tries += 1;
                }
                Err(failure) => {
                    let text = format!("The first sync failed: {}", failure.what);
                    out.tell(Item::Note { text }).await?;
                    break;
                }
            }
        }
        if online.auto.is_some() {
            // Whoever waits for the end of the first round goes by this; a watch connects again.
            online.backend.disconnect(device);
        }
        Ok(())
    }

    pub(super) async fn share(&self, name: &str, access: Share, out: &Dialog) -> Result<()> {
        let (device, name) = self.peer_named(name)?;
        self.book().allow(device, access).await.map_err(Failure::failed)?;
        out.tell(Item::Shared { device, name, access }).await
    }

    pub(super) async fn forget(&self, name: &str, out: &Dialog) -> Result<()> {
        let (device, name) = self.peer_named(name)?;
        // First what counts.
        self.book().allow(device, Share::Stopped).await.map_err(Failure::failed)?;
        self.profile.change(|contents| {
            contents.peers.remove(&device);
            contents.untold.remove(&device);
        })?;
        if let Some(backend) = self.workspace.network().backend() {
            backend.remove_address(device);
        }
        out.tell(Item::Forgotten { device, name }).await
    }

    pub(super) async fn peers(&self, out: &Dialog) -> Result<()> {
        let peers = self.peer_items();
        if peers.is_empty() {
            let text = "No devices yet. `graphshell-peer pair` takes one in.".to_owned();
            return out.tell(Item::Note { text }).await;
        }
        for peer in peers {
            out.tell(Item::Peer(peer)).await?;
        }
        Ok(())
    }

    pub(super) fn peer_items(&self) -> Vec<Peer> {
        let connected = self.workspace.network().backend().map(|backend| backend.connections());
        let connected = connected.map(|connected| connected.borrow().clone());
        let watching = self.online.as_ref().is_some_and(|online| online.auto.is_some());
        let book = self.book();
        let peers = self.profile.read().peers.into_iter();
        let mut items: Vec<Peer> = peers
            .map(|(device, peer)| Peer {
                device,
                access: book.access(device),
                addresses: addresses(&peer),
                paired_ms: peer.paired_ms,
                synced_ms: peer.synced_ms,
                connected: connected.as_ref().filter(|_| watching).map(|set| set.contains(&device)),
                name: peer.name,
            })
            .collect();
        items.sort_by(|a, b| a.name.cmp(&b.name));
        items
    }

    /// The device that is named so: by its name, or the beginning of name or key.
    pub(super) fn peer_named(&self, name: &str) -> Result<(DeviceId, String)> {
        let lower = name.to_lowercase();
        let peers = self.profile.read().peers;
        let pick = |fits: &dyn Fn(&DeviceId, &PeerEntry) -> bool| {
            let found = peers.iter().filter(|(device, peer)| fits(device, peer));
            found.map(|(device, peer)| (*device, peer.name.clone())).collect::<Vec<_>>()
        };
        let mut found =
            pick(&|device, peer| peer.name.to_lowercase() == lower || device.to_string() == lower);
        if found.is_empty() && !lower.is_empty() {
            found = pick(&|device, peer| {
                peer.name.to_lowercase().starts_with(&lower)
                    || lower.len() >= 4 && device.to_string().starts_with(&lower)
            });
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Failure::new(Kind::NotFound, format!("no device is named {name:?}"))
                .next("`graphshell-peer peers` lists them")),
            _ => {
                let mut what = format!("several devices are named {name:?}:");
                for (device, name) in found {
                    let id = short(&device.to_string());
                    what.push_str(&format!("\n  {id}  {}", crate::text::clean(&name)));
                }
                Err(Failure::new(Kind::NotFound, what).next("name one of them by its id"))
            }
        }
    }

    pub(super) async fn rotate(&self, out: &Dialog) -> Result<()> {
        if self.online.as_ref().is_some_and(|online| online.auto.is_some()) {
            return Err(Failure::new(
                Kind::InUse,
                "a running `watch` uses the key, which cannot be changed meanwhile",
            )
            .next("end the watch with Ctrl-C, rotate, and begin it again"));
        }
        let contents = self.profile.read();
        let place = keys::place(&self.profile, &contents);
        let old = self.device;
        let all_told = contents.untold.is_empty();
        // First who is to be told, so that nobody is left out whatever happens in between.
        let peers = self.profile.change(|contents| {
            let peers: Vec<DeviceId> = contents.peers.keys().copied().collect();
            contents.untold.extend(peers);
            contents.untold.len() as u64
        })?;
        let rotated = tokio::task::spawn_blocking(move || {
            if all_told {
                place.forget_successions()?;
            }
            place.rotate(&SystemEntropy, SystemClock.now_ms())
        });
        let key = rotated.await.map_err(|_| Failure::failed("the key was not changed"))?;
        let key = key.map_err(|error| {
            let failure = Failure::failed(format!("the key was not changed: {error}"));
            match error {
                RotateError::TooMany(_) => {
                    let names = contents.untold.iter().map(|&device| self.profile.name_of(device));
                    let names = names.collect::<Vec<_>>().join(", ");
                    failure.next(format!(
                        "not all have seen the keys before: {names}; `sync` with them, or `forget` them"
                    ))
                }
                RotateError::Place(_) => failure,
            }
        })?;
        out.tell(Item::Rotated { old, new: key.device_id(), peers }).await
    }

    /// Shows a device how this one's key changed, if it has not seen that.
    pub(super) async fn present_key(&self, device: DeviceId) {
        let Some(online) = &self.online else { return };
        let contents = self.profile.read();
        if online.successions.is_empty()
            || !contents.untold.contains(&device)
            || self.book().access(device) == Share::Stopped
        {
            return;
        }
        let Some(peer) = contents.peers.get(&device) else { return };
        let Some(address) = crate::network::address(device, peer) else { return };
        let endpoint = online.backend.endpoint();
        match pairing::present(endpoint, address, &online.successions).await {
            Ok(()) => {
                let left = self.profile.change(|contents| {
                    contents.untold.remove(&device);
                    contents.untold.len()
                });
                tracing::info!(%device, ?left, "the new key was taken over");
            }
            Err(error) => tracing::info!(%device, %error, "the new key was not taken over"),
        }
    }
}

fn addresses(peer: &PeerEntry) -> Vec<String> {
    let direct = peer.direct.iter().map(ToString::to_string);
    direct.chain(peer.relays.iter().map(ToString::to_string)).collect()
}

/// A person's text as a ticket.
pub(crate) fn parse_ticket(text: &str) -> Result<Ticket> {
    let ticket: Ticket = text.parse().map_err(|error: pairing::TicketError| {
        Failure::new(Kind::Declined, format!("the ticket is of no use: {error}"))
            .next("copy all of what `graphshell-peer pair` shows on the other device")
    })?;
    ticket.check(SystemClock.now_ms()).map_err(|error| {
        Failure::new(Kind::Declined, format!("the ticket is of no use: {error}"))
            .next("run `graphshell-peer pair` on the other device again")
    })?;
    Ok(ticket)
}

/// A name that others can be shown.
pub(crate) fn device_name(name: &str) -> Result<DeviceName> {
    DeviceName::new(name).map_err(|error| {
        Failure::new(Kind::Usage, error.to_string()).next("give another one with --name")
    })
}

fn declined() -> Failure {
    Failure::new(Kind::Declined, "not confirmed on this device; nothing was shared")
        .next("if the digits differed, somebody sits between you: pass the next ticket another way")
}

fn pairing_failure(error: PairingError) -> Failure {
    match error {
        PairingError::Declined => declined(),
        PairingError::Unreachable(why) => {
            Failure::new(Kind::Sync, format!("the other device cannot be reached: {why}")).next(
                "is `graphshell-peer pair` still waiting there, and are both in one network? \
                 Devices in different networks need `--relay default` on both sides",
            )
        }
        error => Failure::new(Kind::Declined, error.to_string()),
    }
}
