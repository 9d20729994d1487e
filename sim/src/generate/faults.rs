//! Which faults a seed has, and how bad they are.

use std::collections::BTreeSet;

use super::dice::Dice;
use super::profile::Profile;
use crate::plan::{FaultKind, Network};

/// What is in a seed.
pub(super) struct Swarm {
    pub(super) kinds: BTreeSet<FaultKind>,
    /// The network changes on the way.
    pub(super) weather: bool,
    /// One peer is cut off from all others, where links are cut.
    pub(super) islands: bool,
    /// Keyrings are restored together with disks.
    pub(super) lost_witness: bool,
    slow_appends: bool,
    /// Users clear the whole graph.
    pub(super) clears: bool,
    /// A later version writes entries of its own.
    pub(super) unknown_kinds: bool,
    /// Devices bring a profile from before sync.
    pub(super) legacy: bool,
    /// Least rate of a fault of frames, in thousandths: in a small world few frames are sent, and
    /// some must be hit.
    least_rate: u64,
}

impl Swarm {
    pub(super) fn roll(profile: Profile, peers: usize, dice: &mut Dice) -> Self {
        let kinds = profile.roll(dice);
        let mut is_in = |percent| dice.chance(percent);
        Swarm {
            kinds,
            weather: is_in(40),
            islands: is_in(60),
            lost_witness: is_in(50),
            slow_appends: is_in(30),
            clears: is_in(40),
            unknown_kinds: is_in(40),
            legacy: is_in(25),
            least_rate: (100 / peers.max(1) as u64).clamp(10, 50),
        }
    }

    pub(super) fn has(&self, kind: FaultKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// What is in beside faults, for the plan's reason.
    pub(super) fn circumstances(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.slow_appends, "slow appends"),
            (self.clears, "clears"),
            (self.unknown_kinds, "unknown kinds"),
            (self.legacy, "legacy profiles"),
        ];
        all.into_iter().filter_map(|(is_in, name)| is_in.then_some(name))
    }

    /// One state of the network, out of the kinds that are in.
    pub(super) fn network(&self, dice: &mut Dice) -> Network {
        let least = dice.between(1, 20);
        let reorders = self.has(FaultKind::Reordering);
        let spread = if reorders { dice.between(100, 400) } else { dice.between(0, 20) };
        let mut rate = |kind, most| match self.has(kind) {
            true => dice.between(self.least_rate, most) as u16,
            false => 0,
        };
        let unchecked = self.has(FaultKind::Unchecked);
        Network {
            delay_ms: (least, least + spread),
            loss: rate(FaultKind::Loss, 200),
            duplication: rate(FaultKind::Duplication, 200),
            corruption: rate(FaultKind::Corruption, 100),
            truncation: rate(FaultKind::Truncation, 100) * if unchecked { 2 } else { 1 },
            unchecked: if unchecked { dice.pick(&[500, 1000]) } else { 0 },
        }
    }

    pub(super) fn append_ms(&self, dice: &mut Dice) -> (u64, u64) {
        if self.slow_appends { (1, dice.between(20, 120)) } else { (1, 4) }
    }

    /// How far off a peer's clock starts: seconds, hours or weeks, either way.
    pub(super) fn clock_offset_ms(&self, dice: &mut Dice) -> i64 {
        if self.has(FaultKind::ClockOffset) && dice.chance(60) { clock_error(dice) } else { 0 }
    }

    /// By how much a peer's clock is too fast or too slow, in millionths: a bad one, a broken one.
    pub(super) fn clock_drift_ppm(&self, dice: &mut Dice) -> i64 {
        if !self.has(FaultKind::ClockDrift) || !dice.chance(60) {
            return 0;
        }
        let most = dice.pick(&[4_000, 50_000, 400_000]);
        either_way(dice.between(most / 4, most), dice)
    }
}

pub(super) fn clock_error(dice: &mut Dice) -> i64 {
    let second = 1000;
    let scale = dice.pick(&[second, 60 * second, 3600 * second, 21 * 24 * 3600 * second]);
    either_way(dice.between(1, scale), dice)
}

fn either_way(by: u64, dice: &mut Dice) -> i64 {
    if dice.chance(50) { -(by as i64) } else { by as i64 }
}
