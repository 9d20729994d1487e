//! Which faults a seed has, and when.
//!
//! Each kind of fault is in or out per seed (swarm testing, Groce et al., 2012): a run with all
//! faults at once hides what one of them alone would show.

use super::dice::Dice;
use super::{Shape, Timeline};
use crate::plan::{Action, Network};

/// The kinds of faults, and which are in.
pub(super) struct Swarm {
    loss: bool,
    duplication: bool,
    reorder: bool,
    weather: bool,
    partitions: bool,
    islands: bool,
    crashes: bool,
    backups: bool,
    lost_witness: bool,
    clock_offsets: bool,
    clock_jumps: bool,
    slow_appends: bool,
    /// Users clear the whole graph.
    pub(super) clears: bool,
    /// A later version writes entries of its own.
    pub(super) unknown_kinds: bool,
    /// Devices bring a profile from before sync.
    pub(super) legacy: bool,
}

impl Swarm {
    pub(super) fn roll(dice: &mut Dice) -> Self {
        let mut is_in = |percent| dice.chance(percent);
        Swarm {
            loss: is_in(50),
            duplication: is_in(50),
            reorder: is_in(50),
            weather: is_in(40),
            partitions: is_in(50),
            islands: is_in(40),
            crashes: is_in(60),
            backups: is_in(45),
            lost_witness: is_in(50),
            clock_offsets: is_in(50),
            clock_jumps: is_in(40),
            slow_appends: is_in(30),
            clears: is_in(40),
            unknown_kinds: is_in(40),
            legacy: is_in(25),
        }
    }

    /// The names of those that are in, for the plan's reason.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let all = [
            (self.loss, "loss"),
            (self.duplication, "duplication"),
            (self.reorder, "reordering"),
            (self.weather, "changing weather"),
            (self.partitions, "partitions"),
            (self.islands, "islands"),
            (self.crashes, "crashes"),
            (self.backups, "restored backups"),
            (self.backups && self.lost_witness, "witnesses restored with them"),
            (self.clock_offsets, "wrong clocks"),
            (self.clock_jumps, "jumping clocks"),
            (self.slow_appends, "slow appends"),
            (self.clears, "clears"),
            (self.unknown_kinds, "unknown kinds"),
            (self.legacy, "legacy profiles"),
        ];
        all.into_iter().filter_map(|(is_in, name)| is_in.then_some(name)).collect()
    }

    /// One state of the network, out of the kinds that are in.
    pub(super) fn network(&self, dice: &mut Dice) -> Network {
        let least = dice.between(1, 20);
        let spread = if self.reorder { dice.between(50, 400) } else { dice.between(0, 20) };
        Network {
            delay_ms: (least, least + spread),
            loss: if self.loss { dice.between(1, 200) as u16 } else { 0 },
            duplication: if self.duplication { dice.between(1, 200) as u16 } else { 0 },
        }
    }

    pub(super) fn append_ms(&self, dice: &mut Dice) -> (u64, u64) {
        if self.slow_appends { (1, dice.between(20, 120)) } else { (1, 4) }
    }

    /// How far off a peer's clock starts: seconds, hours or weeks, either way.
    pub(super) fn clock_offset_ms(&self, dice: &mut Dice) -> i64 {
        if self.clock_offsets && dice.chance(60) { clock_error(dice) } else { 0 }
    }

    /// Puts all that goes wrong on the timeline.
    pub(super) fn strike(&self, shape: &Shape, dice: &mut Dice, timeline: &mut Timeline) {
        let names = timeline.names.clone();
        let span = shape.span_ms.max(10);
        if self.weather {
            for _ in 0..dice.between(1, 3) {
                let network = self.network(dice);
                timeline.put(dice.below(span), Action::Weather { network });
            }
        }
        if self.partitions && names.len() > 1 {
            for _ in 0..dice.between(1, 5) {
                let from = dice.index(names.len());
                let to = (from + 1 + dice.index(names.len() - 1)) % names.len();
                let one_way = dice.chance(40);
                let start = dice.below(span);
                let (from, to) = (names[from].clone(), names[to].clone());
                timeline.cut(start, start + dice.between(200, 3000), from, to, one_way);
            }
        }
        if self.islands && names.len() > 1 {
            let island = dice.index(names.len());
            let start = dice.below(span);
            let end = start + dice.between(500, 4000);
            for (place, other) in names.iter().enumerate() {
                if place != island {
                    timeline.cut(start, end, names[island].clone(), other.clone(), false);
                }
            }
        }
        if self.legacy && names.len() > 1 && dice.chance(60) {
            // The second device with the profile goes online when others have worked on it.
            let end = dice.between(span * 3 / 10, span * 9 / 10);
            for other in names.iter().filter(|&other| *other != names[1]) {
                timeline.cut(0, end, names[1].clone(), other.clone(), false);
            }
        }
        for (place, name) in names.iter().enumerate() {
            self.strike_peer((place, name), span, dice, timeline);
        }
    }

    /// Crashes and restored backups of one peer, one after the other, and its clock's jumps.
    fn strike_peer(
        &self,
        (place, name): (usize, &str),
        span: u64,
        dice: &mut Dice,
        timeline: &mut Timeline,
    ) {
        let peer = || name.to_owned();
        if self.clock_jumps && dice.chance(50) {
            for _ in 0..dice.between(1, 2) {
                let by_ms = clock_error(dice);
                timeline.put(dice.below(span), Action::ClockJump { peer: peer(), by_ms });
            }
        }
        let mut now = dice.below(span);
        while now < span {
            if self.backups && dice.chance(40) {
                timeline.put(now, Action::Backup { peer: peer() });
                now += dice.between(300, 3000);
                let with_witness = self.lost_witness && dice.chance(50);
                timeline.put(now, Action::Restore { peer: peer(), with_witness });
            } else if self.crashes && dice.chance(60) {
                let after_calls = dice.pick(&[0, 1, 1, 2, 2, 3, 5, 8, 13]);
                let restart = now + dice.between(100, 1500);
                timeline.put(now, Action::Crash { peer: peer(), after_calls });
                timeline.put(restart, Action::Restart { peer: peer() });
                if after_calls == 0 {
                    timeline.away.push((place, now, restart));
                }
                now = restart;
            }
            now += dice.between(span / 10 + 1, span);
        }
    }
}

fn clock_error(dice: &mut Dice) -> i64 {
    let second = 1000;
    let scale = dice.pick(&[second, 60 * second, 3600 * second, 21 * 24 * 3600 * second]);
    let by = dice.between(1, scale) as i64;
    if dice.chance(50) { -by } else { by }
}
