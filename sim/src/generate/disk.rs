//! Which seeds have disks that go wrong, and how.
//!
//! The dice are the disk's own, so that a seed's users, links and clocks are what they would be without.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::{Shape, Timeline};
use crate::plan::{Action, Disk, Part, Rot};

/// The kinds of faults of disks, and which are in.
pub(super) struct Disks {
    rates: Disk,
    power_cuts: bool,
    kills: bool,
    full: bool,
    rot: bool,
}

impl Disks {
    /// `None` if the seed's stores are ideal: of a hundred seeds, `percent` have disks.
    pub(super) fn roll(percent: u64, dice: &mut Dice) -> Option<Self> {
        if !dice.chance(percent) {
            return None;
        }
        let mut is_in = |percent| dice.chance(percent);
        let (power_cuts, kills) = (is_in(75), is_in(40));
        let (full, rot) = (is_in(30), is_in(30));
        // A seed has some hundred reads and syncs, a thousand writes, and tens of promises.
        let mut rate = |percent, (least, most)| match dice.chance(percent) {
            true => dice.between(least, most) as u16,
            false => 0,
        };
        let rates = Disk {
            sync_error: rate(20, (20, 40)),
            // One that lies does so often: what it owes must meet a power cut before an honest sync.
            sync_lie: rate(if power_cuts { 25 } else { 0 }, (100, 400)),
            // Stores are read when they are opened.
            read_error: rate(if power_cuts { 20 } else { 0 }, (40, 80)),
            write_error: rate(20, (5, 12)),
            witness_error: rate(25, (100, 300)),
            lost: dice.pick(&[200, 500, 800, 1000]),
            torn: dice.pick(&[0, 300, 1000]),
        };
        Some(Disks { rates, power_cuts, kills, full, rot })
    }

    pub(super) fn rates(&self) -> Disk {
        self.rates
    }

    /// Puts all that goes wrong on a timeline that has everything else that goes wrong.
    pub(super) fn strike(&self, shape: &Shape, dice: &mut Dice, timeline: &mut Timeline) {
        let span = shape.span_ms.max(10);
        self.cut_what_crashes(dice, timeline);
        let names = timeline.names.clone();
        for (place, name) in names.iter().enumerate() {
            if (self.power_cuts || self.kills) && dice.chance(60) {
                let busy_until = last_boot(timeline, name);
                self.cut_after(busy_until, (place, name), span, dice, timeline);
            }
            if self.full && dice.chance(40) {
                let start = dice.below(span);
                let room = dice.pick(&[0, 0, 0, 4096]);
                let length = dice.between(1000, 4000);
                timeline.put(start, Action::FillDisk { peer: name.clone(), room });
                timeline.put(start + length, Action::ClearDisk { peer: name.clone() });
                // A snapshot needs more room than edits.
                for _ in 0..3 {
                    let at_ms = start + dice.between(1, length);
                    timeline.put(at_ms, Action::Checkpoint { peer: name.clone() });
                }
            }
        }
        if self.rot {
            self.rot_before_restarts(dice, timeline);
        }
    }

    fn cut(&self, peer: String, dice: &mut Dice) -> Action {
        let after_calls = dice.pick(&[0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144]);
        let program_only = !self.power_cuts || self.kills && dice.chance(35);
        Action::PowerCut { peer, after_calls, program_only }
    }

    /// Half of the crashes that are there anyway happen in the middle of a disk call.
    fn cut_what_crashes(&self, dice: &mut Dice, timeline: &mut Timeline) {
        if !(self.power_cuts || self.kills) {
            return;
        }
        for step in &mut timeline.steps {
            if let Action::Crash { peer, after_calls: 1.. } = &step.action
                && dice.chance(60)
            {
                step.action = self.cut(peer.clone(), dice);
            }
        }
    }

    fn cut_after(
        &self,
        from: u64,
        (place, name): (usize, &String),
        span: u64,
        dice: &mut Dice,
        timeline: &mut Timeline,
    ) {
        let mut now = from + dice.between(1, span / 2 + 1);
        while now < span {
            let action = self.cut(name.clone(), dice);
            let restart = now + dice.between(100, 1500);
            timeline.dies(place, action, (now, restart));
            // Now and then once more while it opens its store.
            let at_start = dice.chance(20);
            now = restart + if at_start { 0 } else { dice.between(span / 10 + 1, span) };
        }
    }

    fn rot_before_restarts(&self, dice: &mut Dice, timeline: &mut Timeline) {
        let mut steps = Vec::with_capacity(timeline.steps.len());
        for step in std::mem::take(&mut timeline.steps) {
            if let Action::Restart { peer } = &step.action
                && dice.chance(50)
            {
                let kinds = [
                    (4, (Part::Log, Rot::Flip)),
                    (2, (Part::Log, Rot::Zero)),
                    (3, (Part::Log, Rot::Swap)),
                    (3, (Part::Log, Rot::Cut)),
                    (4, (Part::Database, Rot::Flip)),
                    (2, (Part::Database, Rot::Zero)),
                    (1, (Part::Keys, Rot::Flip)),
                ];
                let (part, how) = dice.weighted(&kinds);
                let action = Action::Rot { peer: peer.clone(), part, how };
                steps.push(crate::plan::Step { at_ms: step.at_ms, action });
            }
            steps.push(step);
        }
        timeline.steps = steps;
    }
}

/// When the plan lets the peer start for the last time so far.
fn last_boot(timeline: &Timeline, name: &str) -> u64 {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for step in &timeline.steps {
        if let Action::Restart { peer } | Action::Restore { peer, .. } | Action::Backup { peer } =
            &step.action
        {
            let last = last.entry(peer).or_insert(0);
            *last = step.at_ms.max(*last);
        }
    }
    last.get(name).copied().unwrap_or(0)
}
