//! What the network's side of pairing needs of a session: a desk at which one `pair` may sit, and
//! the book in which consents and names are written.

use std::sync::{Arc, Mutex, MutexGuard};

use graphshell_sync::device_key::Lineage;
use graphshell_sync::pairing::{Followed, Host, Introduction, Paired, PairingError};
use graphshell_sync::ports::Clock;
use graphshell_sync::{Access, DeviceId, Outcome, SystemClock, Workspace};
use iroh::TransportAddr;
use tokio::sync::{mpsc, oneshot};

use super::Ports;
use crate::command::Share;
use crate::profile::{MAX_PEERS, PeerEntry, Profile, tidy_name};

/// Most direct addresses that are kept of one peer.
const MAX_DIRECT: usize = 8;

/// What happens at the desk.
pub(super) enum DeskEvent {
    /// Somebody proved to know the ticket; to be answered with a person's word.
    Asked(Box<Introduction>, oneshot::Sender<bool>),
    /// Both have said yes, and it is written down.
    Paired(Box<Paired>),
    /// An attempt of a device came to nothing, and why. Anybody may try.
    Failed(DeviceId, String),
}

/// Most events that wait to be read. The last places are kept for the one attempt that a person is
/// asked about, so that nobody else can crowd out its end.
const MAX_EVENTS: usize = 16;
const KEPT_EVENTS: usize = 8;

/// Where a running `pair` takes what the network says.
#[derive(Default)]
pub(super) struct Desk {
    sitting: Mutex<Option<Sitting>>,
}

/// A `pair` that waits.
struct Sitting {
    events: mpsc::Sender<DeskEvent>,
    /// The device that a person was asked about.
    asked: Option<DeviceId>,
}

impl Desk {
    /// Sits down, unless somebody sits there.
    pub(super) fn sit(self: &Arc<Self>) -> Option<(Seat, mpsc::Receiver<DeskEvent>)> {
        let mut sitting = self.lock();
        if sitting.is_some() {
            return None;
        }
        let (sender, events) = mpsc::channel(MAX_EVENTS);
        *sitting = Some(Sitting { events: sender, asked: None });
        Some((Seat { desk: Arc::clone(self) }, events))
    }

    /// Has a person asked. Nobody is asked twice: the answer might be to the digits before.
    fn ask(&self, introduction: &Introduction) -> Option<oneshot::Receiver<bool>> {
        let mut sitting = self.lock();
        let sitting = sitting.as_mut().filter(|sitting| sitting.asked.is_none())?;
        let (answer, answered) = oneshot::channel();
        let event = DeskEvent::Asked(Box::new(introduction.clone()), answer);
        sitting.events.try_send(event).ok()?;
        sitting.asked = Some(introduction.device);
        Some(answered)
    }

    /// Tells what became of an attempt of a device.
    fn tell(&self, device: DeviceId, event: DeskEvent) {
        let sitting = self.lock();
        let Some(sitting) = sitting.as_ref() else { return };
        if sitting.asked == Some(device) || sitting.events.capacity() > KEPT_EVENTS {
            let _ = sitting.events.try_send(event);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sitting>> {
        self.sitting.lock().expect("no code that holds this lock panics")
    }
}

/// Somebody sits at the desk.
pub(super) struct Seat {
    desk: Arc<Desk>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        *self.desk.lock() = None;
    }
}

/// Writes down who may do what, in the store and in the profile. Clones write in the same book.
#[derive(Clone)]
pub(super) struct Book {
    pub(super) profile: Arc<Profile>,
    pub(super) workspace: Workspace<Ports>,
}

impl Book {
    /// Lets a device do something, durably.
    pub(super) async fn allow(&self, device: DeviceId, access: Share) -> Result<(), String> {
        let receipt =
            self.workspace.share_with(device, access.into()).map_err(|error| error.to_string())?;
        match self.workspace.settled(receipt).await {
            Outcome::Durable(_) => Ok(()),
            Outcome::Refused(error) => Err(error.to_string()),
        }
    }

    /// What a device may do.
    pub(super) fn access(&self, device: DeviceId) -> Share {
        self.workspace.shared_with().get(&device).map_or(Share::Stopped, |&access| access.into())
    }

    /// Writes down a device that was paired.
    pub(super) async fn add(&self, paired: &Paired, access: Share) -> Result<(), String> {
        let known = self.profile.read().peers.len();
        if known >= MAX_PEERS {
            return Err(format!("this profile knows {known} devices already; `forget` one"));
        }
        let (direct, relays) = parts(paired.address.addrs.iter());
        let name = self.free_name(paired.device, &tidy_name(paired.name.as_str()));
        let write = |contents: &mut crate::profile::Contents| {
            let kept = contents.peers.get(&paired.device).and_then(|peer| peer.synced_ms);
            let paired_ms = SystemClock.now_ms();
            let entry = PeerEntry { name, direct, relays, paired_ms, synced_ms: kept, knows: None };
            contents.peers.insert(paired.device, entry);
        };
        self.profile.change(write).map_err(|failure| failure.what)?;
        if let Some(backend) = self.workspace.network().backend() {
            backend.add_address(paired.address.clone());
        }
        self.allow(paired.device, access).await
    }

    /// The name, with a number if another device has it.
    fn free_name(&self, device: DeviceId, name: &str) -> String {
        let contents = self.profile.read();
        let taken = |name: &str| {
            contents.peers.iter().any(|(other, peer)| *other != device && peer.name == name)
        };
        let mut free = name.to_owned();
        let mut number = 2;
        while taken(&free) {
            free = format!("{name} {number}");
            number += 1;
        }
        free
    }

    /// Remembers where a device is reached now, and that a round with it succeeded.
    pub(super) fn synced(&self, device: DeviceId) {
        let path =
            self.workspace.network().backend().and_then(|backend| {
                backend.connection(device).and_then(|connection| connection.path)
            });
        let _ = self.profile.change(|contents| {
            let Some(peer) = contents.peers.get_mut(&device) else { return };
            peer.synced_ms = Some(SystemClock.now_ms());
            match path {
                Some(TransportAddr::Ip(at)) => {
                    peer.direct.retain(|other| *other != at);
                    peer.direct.insert(0, at);
                    peer.direct.truncate(MAX_DIRECT);
                }
                Some(TransportAddr::Relay(url)) if !peer.relays.contains(&url) => {
                    peer.relays.insert(0, url);
                    peer.relays.truncate(MAX_DIRECT);
                }
                _ => {}
            }
        });
    }
}

/// Direct addresses and relays.
fn parts<'a>(
    addresses: impl Iterator<Item = &'a TransportAddr>,
) -> (Vec<std::net::SocketAddr>, Vec<iroh::RelayUrl>) {
    let (mut direct, mut relays) = (Vec::new(), Vec::new());
    for address in addresses {
        match address {
            TransportAddr::Ip(at) if direct.len() < MAX_DIRECT => direct.push(*at),
            TransportAddr::Relay(url) if relays.len() < MAX_DIRECT => relays.push(url.clone()),
            _ => {}
        }
    }
    (direct, relays)
}

/// The session as the inviter sees it.
pub(super) struct PairHost {
    pub(super) desk: Arc<Desk>,
    pub(super) book: Book,
}

impl Host for PairHost {
    async fn confirm(&self, introduction: &Introduction) -> bool {
        match self.desk.ask(introduction) {
            Some(answered) => answered.await.unwrap_or(false),
            None => false,
        }
    }

    async fn paired(&self, paired: &Paired) -> Result<(), String> {
        self.book.add(paired, paired.access.into()).await?;
        self.desk.tell(paired.device, DeskEvent::Paired(Box::new(paired.clone())));
        Ok(())
    }

    async fn succeeded(&self, lineage: &Lineage) -> Result<bool, String> {
        let new = lineage.device();
        let followed = self.book.workspace.follow(lineage).map_err(|error| error.to_string())?;
        match followed {
            Followed::NotTrusted => return Ok(false),
            Followed::Already => {}
            Followed::Moved(receipt) => {
                if let Outcome::Refused(error) = self.book.workspace.settled(receipt).await {
                    return Err(error.to_string());
                }
            }
        }
        let moved = |contents: &mut crate::profile::Contents| {
            for old in lineage.earlier() {
                if let Some(peer) = contents.peers.remove(old) {
                    contents.peers.insert(new, peer);
                }
            }
            contents.peers.get(&new).cloned()
        };
        let peer = self.book.profile.change(moved).map_err(|failure| failure.what)?;
        let backend = self.book.workspace.network().backend();
        if let (Some(backend), Some(peer)) = (backend, peer)
            && let Some(address) = crate::network::address(new, &peer)
        {
            backend.add_address(address);
        }
        Ok(true)
    }

    fn failed(&self, device: DeviceId, error: &PairingError) {
        self.desk.tell(device, DeskEvent::Failed(device, error.to_string()));
    }
}

impl From<Access> for Share {
    fn from(access: Access) -> Self {
        match access {
            Access::None => Share::Stopped,
            Access::ReadOnly => Share::ReadOnly,
            Access::Full => Share::Full,
        }
    }
}

impl From<Share> for Access {
    fn from(share: Share) -> Self {
        match share {
            Share::Stopped => Access::None,
            Share::ReadOnly => Access::ReadOnly,
            Share::Full => Access::Full,
        }
    }
}
