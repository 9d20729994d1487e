//! When to sync with whom.
//!
//! [`AutoSync`] is a state machine without IO: it is told what happened ([`Trigger`]) and says with whom
//! to begin a round, and when it wants to be asked again. It holds to this:
//!
//! - One round with one device at a time. What changes meanwhile waits for the next one, so a slow
//!   device gets few large rounds and not many small ones.
//! - A connected device gets a round at once when something was edited here. What came from others is
//!   passed on after a short pause, in which more of it is gathered; to the device that is
//!   asking just now, it came from there most likely, after a longer one.
//! - A device that is not connected is dialed once nothing was edited for a while, at the latest some
//!   time after the first edit, and otherwise at intervals; only a few at once.
//! - A device with which a round failed, or that went away, is tried again after a time that doubles,
//!   with jitter. [`Trigger::Wanted`], and the device's coming, override that.
//! - Nobody starves: of all that is due, the longest due begins first.
//!
//! With the feature `iroh` `auto_sync` runs it over a workspace and its network.

mod peer;
mod policy;
#[cfg(feature = "iroh")]
mod shell;
#[cfg(feature = "iroh")]
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::id::DeviceId;
use peer::Peer;

pub use policy::Policy;
#[cfg(feature = "iroh")]
pub use shell::{AutoSyncHandle, auto_sync};
#[cfg(feature = "iroh")]
pub use status::{PeerState, PeerStatus};

/// What the machine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Something that was edited here is durable.
    Changed,
    /// Something of others is here.
    Arrived,
    /// A device has asked something since it was last told.
    Heard(DeviceId),
    /// A connection with a device came about.
    Connected(DeviceId),
    /// The last connection with a device ended.
    Gone(DeviceId),
    /// The round with a device ended.
    Finished(DeviceId, RoundEnd),
    /// Somebody wants a round with a device now.
    Wanted(DeviceId),
    /// The workspace is shared with a device.
    Allowed(DeviceId),
    /// It is not any more.
    Withdrawn(DeviceId),
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundEnd {
    /// Both have the same.
    Done,
    /// It did not reach its goal.
    Failed,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct AutoSync {
    policy: Policy,
    peers: BTreeMap<DeviceId, Peer>,
    random: Random,
}

impl AutoSync {
    /// A machine that knows nobody yet. The jitter comes from `seed`.
    pub fn new(policy: Policy, seed: u64) -> Self {
        AutoSync { policy, peers: BTreeMap::new(), random: Random(seed) }
    }

    /// Takes in what happened at `now_ms`, by a clock that never goes back.
    pub fn handle(&mut self, now_ms: u64, trigger: Trigger) {
        let AutoSync { policy, peers, random } = self;
        match trigger {
            Trigger::Changed => peers.values_mut().for_each(|peer| peer.changed(now_ms)),
            Trigger::Arrived => peers.values_mut().for_each(|peer| peer.arrived(now_ms)),
            Trigger::Allowed(device) => peers.entry(device).or_default().allowed(now_ms),
            Trigger::Withdrawn(device) => {
                let ends = |peer: &mut Peer| !peer.withdrawn();
                if peers.get_mut(&device).is_some_and(ends) {
                    peers.remove(&device);
                }
            }
            // Connections come and go also with devices that are shared with only later.
            Trigger::Connected(device) => peers.entry(device).or_default().connected(now_ms),
            Trigger::Gone(device) => {
                if let Some(peer) = peers.get_mut(&device) {
                    peer.gone(now_ms, policy, random);
                    if peer.is_forgotten() {
                        peers.remove(&device);
                    }
                }
            }
            Trigger::Heard(device) => {
                if let Some(peer) = peers.get_mut(&device) {
                    peer.heard(now_ms);
                }
            }
            Trigger::Wanted(device) => {
                if let Some(peer) = peers.get_mut(&device) {
                    peer.wanted(now_ms);
                }
            }
            Trigger::Finished(device, end) => {
                if let Some(peer) = peers.get_mut(&device) {
                    peer.finished(now_ms, end, policy, random);
                    if peer.is_forgotten() {
                        peers.remove(&device);
                    }
                }
            }
        }
    }

    /// A device with which a round is to begin now; it counts as begun. Ask until there is none.
    pub fn poll(&mut self, now_ms: u64) -> Option<DeviceId> {
        let (due, device) = self.next()?;
        if due > now_ms {
            return None;
        }
        self.peers.get_mut(&device)?.begin();
        Some(device)
    }

    /// When [`poll`](Self::poll) will next give something, if nothing happens until then.
    pub fn timeout(&self) -> Option<u64> {
        Some(self.next()?.0)
    }

    /// When the next round with a device is due, if nothing happens until then. Too many dials may
    /// put it off.
    pub fn due(&self, device: DeviceId) -> Option<u64> {
        self.peers.get(&device)?.due(&self.policy)
    }

    /// Who is due first, and when.
    fn next(&self) -> Option<(u64, DeviceId)> {
        let dials = self.peers.values().filter(|peer| peer.dials()).count();
        let may_dial = dials < self.policy.dials_at_once;
        self.peers
            .iter()
            .filter(|(_, peer)| may_dial || peer.is_connected())
            .filter_map(|(&device, peer)| Some((peer.due(&self.policy)?, device)))
            .min()
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): jitter that a seed repeats.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    /// A number from `low` to `high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        low + mixed % (high.saturating_sub(low) + 1)
    }
}
