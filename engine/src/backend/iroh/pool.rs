//! The connections with each device, and which of them is used.
//!
//! There is at most one in each direction. Two devices that dial each other at once get both, and
//! both work. The device with the greater id then lets the one go that it dialed itself: whoever is
//! dialed knows for sure that the other side has the connection, so the one that is kept lives. A
//! device that was restarted dials while the other side still holds connections of its former life;
//! the newest is used, and those die of silence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use iroh::endpoint::{Connection, ConnectionError, Side};
use tokio::sync::{broadcast, watch};

use super::close::{CloseCode, reason};
use super::dial::Dial;
use super::info::NetworkEvent;
use crate::id::DeviceId;
use crate::limits::{MAX_CONNECTED_DEVICES, MAX_NETWORK_EVENTS};

/// One connection in the pool.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) device: DeviceId,
    pub(super) connection: Connection,
    number: u64,
    /// Requests of this side that are under way on it.
    calls: Arc<AtomicUsize>,
    /// Why this side closed it, if it did.
    closed: Arc<OnceLock<CloseCode>>,
}

impl Link {
    pub(super) fn close(&self, code: CloseCode, why: &str) {
        // As with the connection itself, the first reason counts.
        let _ = self.closed.set(code);
        self.connection.close(code.wire(), reason(why));
    }

    /// Whether a request that was on its way when the connection ended with `error` should go over
    /// another one.
    pub(super) fn invites_another(&self, error: &ConnectionError) -> bool {
        let code = match error {
            // The other side was restarted and does not know the connection any more.
            ConnectionError::Reset => return true,
            ConnectionError::LocallyClosed => self.closed.get().copied(),
            error => CloseCode::of(error),
        };
        matches!(code, Some(CloseCode::Replaced | CloseCode::Duplicate))
    }

    /// Counts a call until it is dropped.
    pub(super) fn call(&self) -> CallCount {
        self.calls.fetch_add(1, Ordering::Relaxed);
        CallCount(Arc::clone(&self.calls))
    }

    pub(super) fn is_calling(&self) -> bool {
        self.calls.load(Ordering::Relaxed) > 0
    }

    fn is_open(&self) -> bool {
        self.connection.close_reason().is_none()
    }
}

/// See [`Link::call`].
pub(super) struct CallCount(Arc<AtomicUsize>);

impl Drop for CallCount {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Peer {
    dialed: Option<Link>,
    accepted: Option<Link>,
    dialing: Option<Dial>,
}

impl Peer {
    fn links(&self) -> impl Iterator<Item = &Link> {
        self.dialed.iter().chain(&self.accepted)
    }

    fn slot(&mut self, side: Side) -> &mut Option<Link> {
        match side {
            Side::Client => &mut self.dialed,
            Side::Server => &mut self.accepted,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Pool {
    me: DeviceId,
    peers: Mutex<BTreeMap<DeviceId, Peer>>,
    connected: watch::Sender<BTreeSet<DeviceId>>,
    events: broadcast::Sender<NetworkEvent>,
    /// How many requests each device has been answered; kept while it is connected.
    asked: Mutex<BTreeMap<DeviceId, u64>>,
    next: AtomicU64,
}

/// What to do with a connection that is one too many.
pub(super) struct Joined {
    pub(super) link: Link,
    /// To be closed once it rests.
    pub(super) retired: Option<Link>,
}

impl Pool {
    pub(super) fn new(me: DeviceId) -> Self {
        Pool {
            me,
            peers: Mutex::default(),
            connected: watch::Sender::new(BTreeSet::new()),
            events: broadcast::Sender::new(MAX_NETWORK_EVENTS),
            asked: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Peer>> {
        self.peers.lock().expect("no code that holds this lock panics")
    }

    pub(super) fn connected(&self) -> watch::Receiver<BTreeSet<DeviceId>> {
        self.connected.subscribe()
    }

    pub(super) fn events(&self) -> broadcast::Receiver<NetworkEvent> {
        self.events.subscribe()
    }

    pub(super) fn tell(&self, event: NetworkEvent) {
        // Nobody may listen.
        let _ = self.events.send(event);
    }

    pub(super) fn note_asked(&self, device: DeviceId) {
        let mut asked = self.asked.lock().expect("no code that holds this lock panics");
        *asked.entry(device).or_default() += 1;
    }

    pub(super) fn asked(&self) -> BTreeMap<DeviceId, u64> {
        self.asked.lock().expect("no code that holds this lock panics").clone()
    }

    /// Takes a connection in, whichever side dialed.
    pub(super) fn join(
        &self,
        device: DeviceId,
        connection: Connection,
    ) -> Result<Joined, CloseCode> {
        let mut peers = self.lock();
        let known = peers.get(&device).is_some_and(|peer| peer.links().next().is_some());
        let connected = peers.values().filter(|peer| peer.links().next().is_some()).count();
        if !known && connected >= MAX_CONNECTED_DEVICES {
            return Err(CloseCode::Busy);
        }
        let side = connection.side();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let link =
            Link { device, connection, number, calls: Arc::default(), closed: Arc::default() };
        let peer = peers.entry(device).or_default();
        if let Some(replaced) = peer.slot(side).replace(link.clone()) {
            replaced.close(CloseCode::Replaced, "a newer connection came");
        }
        let both = peer.accepted.is_some() && peer.dialed.is_some();
        let retired = if both && self.me > device { peer.dialed.clone() } else { None };
        self.publish(&peers);
        drop(peers);
        if !known {
            self.tell(NetworkEvent::Connected { device });
        }
        Ok(Joined { link, retired })
    }

    /// Forgets a connection that has ended.
    pub(super) fn leave(&self, link: &Link) {
        let mut peers = self.lock();
        let Some(peer) = peers.get_mut(&link.device) else { return };
        let slot = peer.slot(link.connection.side());
        if slot.as_ref().is_some_and(|kept| kept.number == link.number) {
            *slot = None;
        }
        let gone = peer.links().next().is_none();
        if gone {
            if peer.dialing.is_none() {
                peers.remove(&link.device);
            }
            self.asked.lock().expect("no code that holds this lock panics").remove(&link.device);
        }
        self.publish(&peers);
        drop(peers);
        if gone {
            let error = link.connection.close_reason();
            let code = error.as_ref().and_then(CloseCode::of);
            self.tell(NetworkEvent::Gone { device: link.device, code });
        }
    }

    fn publish(&self, peers: &BTreeMap<DeviceId, Peer>) {
        let connected: BTreeSet<DeviceId> = peers
            .iter()
            .filter(|(_, peer)| peer.links().next().is_some())
            .map(|(&device, _)| device)
            .collect();
        self.connected.send_if_modified(|before| {
            let changed = *before != connected;
            if changed {
                *before = connected;
            }
            changed
        });
    }

    /// The connection to use for requests to `device`.
    pub(super) fn link(&self, device: DeviceId) -> Option<Link> {
        self.chosen(self.lock().get(&device)?)
    }

    fn chosen(&self, peer: &Peer) -> Option<Link> {
        let accepted = peer.accepted.as_ref().filter(|link| link.is_open());
        if self.me > peer.links().next()?.device && accepted.is_some() {
            return accepted.cloned();
        }
        peer.links().filter(|link| link.is_open()).max_by_key(|link| link.number).cloned()
    }

    /// A connection to use, or the dial that is under way or begun by `begin`.
    pub(super) fn link_or_dial(
        &self,
        device: DeviceId,
        begin: impl FnOnce() -> Dial,
    ) -> Result<Link, Dial> {
        let mut peers = self.lock();
        if let Some(link) = peers.get(&device).and_then(|peer| self.chosen(peer)) {
            return Ok(link);
        }
        let peer = peers.entry(device).or_default();
        if let Some(dial) = peer.dialing.as_ref().filter(|dial| dial.is_under_way()) {
            return Err(dial.clone());
        }
        let dial = begin();
        peer.dialing = Some(dial.clone());
        Err(dial)
    }

    /// The device may be somewhere else now: whoever wants it next does not wait for a dial that was
    /// begun before.
    pub(super) fn moved(&self, device: DeviceId) {
        if let Some(peer) = self.lock().get_mut(&device) {
            peer.dialing = None;
        }
    }

    /// A dial has ended, well or not.
    pub(super) fn dialed(&self, device: DeviceId) {
        let mut peers = self.lock();
        let Some(peer) = peers.get_mut(&device) else { return };
        if peer.dialing.as_ref().is_some_and(Dial::is_under_way) {
            // Another one took its place.
            return;
        }
        peer.dialing = None;
        if peer.links().next().is_none() {
            peers.remove(&device);
        }
    }

    /// All connections with one device.
    pub(super) fn links(&self, device: DeviceId) -> Vec<Link> {
        self.lock().get(&device).map(|peer| peer.links().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn disconnect(&self, device: DeviceId, code: CloseCode, why: &str) {
        self.links(device).iter().for_each(|link| link.close(code, why));
    }

    pub(super) fn close_all(&self, code: CloseCode, why: &str) {
        for peer in self.lock().values() {
            peer.links().for_each(|link| link.close(code, why));
        }
    }

    /// Closes the connections with devices that are not admitted (any more).
    pub(super) fn disconnect_all_but(&self, admits: impl Fn(DeviceId) -> bool) {
        let connected: Vec<DeviceId> = self.connected.borrow().iter().copied().collect();
        for device in connected.into_iter().filter(|&device| !admits(device)) {
            self.disconnect(device, CloseCode::NotAdmitted, "the workspace is not shared with you");
        }
    }
}
