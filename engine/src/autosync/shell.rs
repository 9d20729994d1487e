//! The machine over a real workspace and network, in tokio's time.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info};

use super::status::{PeerState, PeerStatus};
use super::{AutoSync, Policy, RoundEnd, Trigger};
use crate::api::{Event, Outcome, SyncError, SyncReport};
use crate::backend::iroh::IrohBackend;
use crate::driver::{Ports, Subscription, Workspace};
use crate::id::DeviceId;
use crate::limits::PROGRESS_MS;
use crate::ports::{Clock, Entropy};
use crate::system::{SystemClock, SystemEntropy};
use crate::vector::VersionVector;

type Report = Result<SyncReport, SyncError>;

/// Syncs a workspace by itself: run the future beside the driver, within a tokio runtime. It ends
/// when the workspace is closed. Dropping it ends the rounds that it began.
pub fn auto_sync<P: Ports>(
    workspace: Workspace<P>,
    backend: IrohBackend,
    policy: Policy,
) -> (AutoSyncHandle, impl Future<Output = ()>) {
    let (wanted, wishes) = mpsc::unbounded_channel();
    let status = watch::Sender::new(BTreeMap::new());
    let handle = AutoSyncHandle { wanted, status: status.subscribe() };
    let events = workspace.subscribe();
    let mut seed = [0; 8];
    SystemEntropy.fill(&mut seed);
    let machine = AutoSync::new(policy, u64::from_le_bytes(seed));
    let shell = Shell {
        connected: backend.connections(),
        begun: now(),
        machine,
        workspace,
        backend,
        events,
        wishes,
        status,
        shared: BTreeSet::new(),
        known: BTreeSet::new(),
        asked: BTreeMap::new(),
        others: VersionVector::default(),
        peers: BTreeMap::new(),
    };
    (handle, shell.run())
}

/// The way to a running [`auto_sync`]; clones share it.
#[derive(Clone, Debug)]
pub struct AutoSyncHandle {
    wanted: mpsc::UnboundedSender<Wish>,
    status: watch::Receiver<BTreeMap<DeviceId, PeerStatus>>,
}

type Wish = (DeviceId, oneshot::Sender<Report>);

impl AutoSyncHandle {
    /// A round with one device that begins from now on, whatever the policy says.
    ///
    /// # Errors
    /// As for [`Workspace::sync_with_peer`]; [`SyncError::Closed`] if nothing runs any more.
    pub async fn sync_now(&self, device: DeviceId) -> Result<SyncReport, SyncError> {
        let (sender, report) = oneshot::channel();
        self.wanted.send((device, sender)).map_err(|_| SyncError::Closed)?;
        report.await.unwrap_or(Err(SyncError::Closed))
    }

    /// How it stands with each device that the workspace is shared with, now and whenever that
    /// changes.
    pub fn status(&self) -> watch::Receiver<BTreeMap<DeviceId, PeerStatus>> {
        self.status.clone()
    }
}

#[expect(clippy::disallowed_methods, reason = "tokio's time, which tests can pause")]
fn now() -> Instant {
    Instant::now()
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

/// What the shell keeps of a device beside the machine.
#[derive(Default)]
struct Peer {
    state: Option<PeerState>,
    last: Option<(u64, SyncReport)>,
    /// Who wants the next round.
    next: Vec<oneshot::Sender<Report>>,
    /// Who waits for the round under way.
    current: Vec<oneshot::Sender<Report>>,
}

struct Shell<P: Ports> {
    workspace: Workspace<P>,
    backend: IrohBackend,
    machine: AutoSync,
    events: Subscription,
    connected: watch::Receiver<BTreeSet<DeviceId>>,
    wishes: mpsc::UnboundedReceiver<Wish>,
    status: watch::Sender<BTreeMap<DeviceId, PeerStatus>>,
    begun: Instant,
    /// Whom the machine knows as shared with, and as connected.
    shared: BTreeSet<DeviceId>,
    known: BTreeSet<DeviceId>,
    /// How many requests of each device were answered when it was last looked.
    asked: BTreeMap<DeviceId, u64>,
    /// What of others was applied then.
    others: VersionVector,
    peers: BTreeMap<DeviceId, Peer>,
}

impl<P: Ports> Shell<P> {
    async fn run(mut self) {
        let mut rounds: FuturesUnordered<_> = FuturesUnordered::new();
        self.others = self.by_others();
        self.look_at_consents();
        self.look_at_connections();
        loop {
            while let Some(device) = self.machine.poll(self.now_ms()) {
                debug!(%device, "a round begins");
                let peer = self.peers.entry(device).or_default();
                peer.current = std::mem::take(&mut peer.next);
                peer.state = Some(PeerState::Syncing(crate::api::Progress::default()));
                let workspace = self.workspace.clone();
                rounds.push(async move { (device, workspace.sync_with_peer(device).await) });
            }
            self.show();
            let due = self.machine.timeout();
            let next = due.map(|due| self.begun + Duration::from_millis(due));
            let syncing = !rounds.is_empty();
            tokio::select! {
                biased;
                Some((device, report)) = rounds.next(), if syncing => self.finished(device, report),
                event = self.events.next() => match event {
                    Some(event) => self.happened(event),
                    None => return,
                },
                changed = self.connected.changed() => match changed {
                    Ok(()) => self.look_at_connections(),
                    Err(_) => return,
                },
                Some((device, sender)) = self.wishes.recv() => self.wish(device, sender),
                () = until(next) => {}
                () = tokio::time::sleep(Duration::from_millis(PROGRESS_MS)), if syncing => {}
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(now().duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    fn tell(&mut self, trigger: Trigger) {
        self.machine.handle(self.now_ms(), trigger);
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Settled { outcome: Outcome::Durable(dots), .. } if !dots.is_empty() => {
                self.tell(Trigger::Changed);
            }
            // An edit that is about this device only: who has access.
            Event::Settled { .. } => self.look_at_consents(),
            Event::Changed(_) => self.look_what_came(),
            Event::Reset | Event::Lagged(_) | Event::Rotated { .. } => {
                self.look_at_consents();
                self.look_what_came();
                // An edit's fate may be among what was missed.
                self.tell(Trigger::Changed);
            }
            _ => {}
        }
    }

    fn look_at_consents(&mut self) {
        let shared: BTreeSet<DeviceId> = self.workspace.shared_with().into_keys().collect();
        for &device in shared.difference(&self.shared.clone()) {
            self.tell(Trigger::Allowed(device));
            self.peers.entry(device).or_default();
        }
        for &device in self.shared.clone().difference(&shared) {
            self.tell(Trigger::Withdrawn(device));
            if let Some(peer) = self.peers.remove(&device) {
                refuse(peer.next, device);
                refuse(peer.current, device);
            }
            self.backend.disconnect(device);
        }
        self.shared = shared;
    }

    fn look_at_connections(&mut self) {
        let connected = self.connected.borrow_and_update().clone();
        for &device in connected.difference(&self.known.clone()) {
            self.tell(Trigger::Connected(device));
        }
        for &device in self.known.clone().difference(&connected) {
            self.tell(Trigger::Gone(device));
        }
        self.known = connected;
    }

    /// What is applied, but for the entries of this device.
    fn by_others(&self) -> VersionVector {
        let me = self.workspace.peer_id();
        self.workspace.version_vector().iter().filter(|&(peer, _)| peer != me).collect()
    }

    /// The graph moved. An own edit is no news until it is durable, and its fate tells that.
    fn look_what_came(&mut self) {
        let others = self.by_others();
        if others == self.others {
            return;
        }
        self.others = others;
        let asked = self.backend.asked();
        for (&device, &times) in &asked {
            if self.asked.get(&device) != Some(&times) {
                self.tell(Trigger::Heard(device));
            }
        }
        self.asked = asked;
        self.tell(Trigger::Arrived);
    }

    fn wish(&mut self, device: DeviceId, sender: oneshot::Sender<Report>) {
        if !self.shared.contains(&device) {
            return refuse(vec![sender], device);
        }
        self.peers.entry(device).or_default().next.push(sender);
        self.tell(Trigger::Wanted(device));
    }

    fn finished(&mut self, device: DeviceId, report: Report) {
        let end = if report.is_ok() { RoundEnd::Done } else { RoundEnd::Failed };
        self.tell(Trigger::Finished(device, end));
        let now = SystemClock.now_ms();
        let next_try_ms = self
            .machine
            .due(device)
            .map_or(now, |due| now.saturating_add(due.saturating_sub(self.now_ms())));
        let Some(peer) = self.peers.get_mut(&device) else { return };
        peer.state = Some(match &report {
            Ok(done) => {
                peer.last = Some((now, done.clone()));
                PeerState::Idle { since_ms: now }
            }
            Err(why) => {
                info!(%device, %why, "a round failed");
                PeerState::Failed { why: why.clone(), next_try_ms }
            }
        });
        for waiting in peer.current.drain(..) {
            // Whoever waited may be gone.
            let _ = waiting.send(report.clone());
        }
    }

    fn show(&mut self) {
        for (&device, peer) in &mut self.peers {
            if let Some(PeerState::Syncing(progress)) = &mut peer.state
                && let Some(now) = self.workspace.progress(device)
            {
                *progress = now;
            }
        }
        let shown: BTreeMap<DeviceId, PeerStatus> = self
            .shared
            .iter()
            .filter_map(|&device| {
                let peer = self.peers.get_mut(&device)?;
                let begun = || PeerState::Idle { since_ms: SystemClock.now_ms() };
                let state = peer.state.get_or_insert_with(begun).clone();
                let connected = self.known.contains(&device);
                Some((device, PeerStatus { connected, state, last: peer.last.clone() }))
            })
            .collect();
        self.status.send_if_modified(|before| {
            let changed = *before != shown;
            if changed {
                *before = shown;
            }
            changed
        });
    }
}

fn refuse(waiting: Vec<oneshot::Sender<Report>>, device: DeviceId) {
    for sender in waiting {
        // Whoever waited may be gone.
        let _ = sender.send(Err(SyncError::NoConsent(device)));
    }
}
