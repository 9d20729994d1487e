//! Who heals, and with whom.
//!
//! The *core* is everybody who runs an engine, is let in, and stays neither down nor cut off. Only
//! the core must converge, peers of each protocol version among themselves: an entry that lies on no
//! disk of the core is out of its reach and says nothing about the engine.

use super::choice::Topic;
use super::shared::World;
use crate::plan::Broken;

impl World {
    /// The peers that heal.
    pub(crate) fn core(&self) -> Vec<usize> {
        (0..self.peers.len()).filter(|&peer| self.plan.heals(peer)).collect()
    }

    /// Whether the peer has no power from the heal on.
    pub(crate) fn stays_down(&self, peer: usize) -> bool {
        self.plan.peers[peer].broken == Some(Broken::Down)
    }

    /// Whether nothing passes between two peers at a time, although the network healed.
    pub(crate) fn stay_apart(&self, one: usize, other: usize, at_ms: u64) -> bool {
        if self.healed_ms.get().is_none_or(|heal| at_ms < heal) {
            return false;
        }
        let cut = |peer: usize| self.plan.peers[peer].broken == Some(Broken::CutOff);
        cut(one) || cut(other)
    }

    /// With whom a peer of the core syncs in a turn after the heal: its neighbour on a ring and one
    /// other, or everybody. In the first turn also with somebody beside the core, if there is one:
    /// a round that cannot end well must not stand in the way of those that can.
    pub(crate) fn partners(&self, me: usize, turn: u64, everybody: bool) -> Vec<usize> {
        let mut ring = self.core();
        ring.retain(|&other| self.plan.are_company(me, other));
        let place = ring.iter().position(|&other| other == me).expect("it is of the core");
        ring.rotate_left(place);
        ring.remove(0);
        let choice = self.choices.about(Topic::Partner, [self.peers[me].key, turn]);
        let other = choice.below(0, ring.len() as u64) as usize;
        let chosen = |&(nth, _): &(usize, usize)| everybody || nth == 0 || nth == other;
        let mut partners: Vec<usize> =
            ring.iter().copied().enumerate().filter(chosen).map(|(_, peer)| peer).collect();
        let beside: Vec<usize> =
            (0..self.peers.len()).filter(|&peer| peer != me && !ring.contains(&peer)).collect();
        if turn == 0 && !beside.is_empty() {
            partners.push(beside[choice.below(1, beside.len() as u64) as usize]);
        }
        partners
    }
}
