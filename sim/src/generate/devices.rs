//! What happens to devices: they die, are set back to backups, forget, stay off for weeks, and their
//! clocks jump.

use super::dice::Dice;
use super::faults::{Swarm, clock_error};
use super::{Shape, Timeline};
use crate::plan::{Action, FaultKind};

const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;

impl Swarm {
    /// Puts on the timeline what goes wrong with devices.
    pub(super) fn strike_devices(&self, shape: &Shape, dice: &mut Dice, timeline: &mut Timeline) {
        let names = timeline.names.clone();
        let span = shape.span_ms.max(10);
        let absent = self.has(FaultKind::TimePasses).then(|| dice.index(names.len()));
        for (place, name) in names.iter().enumerate() {
            let mut now = 0;
            if absent == Some(place) {
                now = weeks_off((place, name), span, dice, timeline);
            }
            self.strike_one((place, name), (now, span), dice, timeline);
        }
        if self.has(FaultKind::LoseTail) {
            for _ in 0..dice.between(1, 2) {
                let peer = names[dice.index(names.len())].clone();
                let records = dice.between(1, 12) as usize;
                let at_ms = dice.between(span / 5, span);
                timeline.put(at_ms, Action::LoseTail { peer, records });
            }
        }
    }

    /// Crashes and restored backups of one peer, one after the other, and its clock's jumps.
    fn strike_one(
        &self,
        (place, name): (usize, &str),
        (from, span): (u64, u64),
        dice: &mut Dice,
        timeline: &mut Timeline,
    ) {
        let peer = || name.to_owned();
        if self.has(FaultKind::ClockJump) && dice.chance(50) {
            for _ in 0..dice.between(1, 2) {
                let by_ms = clock_error(dice);
                timeline.put(dice.below(span * 3 / 4), Action::ClockJump { peer: peer(), by_ms });
            }
        }
        let (backups, crashes) = (self.has(FaultKind::Restore), self.has(FaultKind::Crash));
        let mut now = from + dice.below(span);
        while now < span {
            if backups && dice.chance(40) {
                timeline.put(now, Action::Backup { peer: peer() });
                now += dice.between(1000, 3500);
                let with_witness = self.lost_witness && dice.chance(50);
                timeline.put(now, Action::Restore { peer: peer(), with_witness });
            } else if crashes && dice.chance(60) {
                loop {
                    let after_calls = dice.pick(&[0, 1, 1, 2, 2, 3, 5, 8, 13]);
                    let restart = now + dice.between(100, 1500);
                    let crash = Action::Crash { peer: peer(), after_calls };
                    timeline.dies(place, crash, (now, restart));
                    now = restart;
                    // And once more while it opens its store.
                    if !dice.chance(20) {
                        break;
                    }
                }
            }
            now += dice.between(span / 10 + 1, span);
        }
    }
}

/// One peer is off while the others go on, then for weeks, then for a while. Says when it is back.
fn weeks_off(
    (place, name): (usize, &str),
    span: u64,
    dice: &mut Dice,
    timeline: &mut Timeline,
) -> u64 {
    let off = dice.between(span / 20, span / 2);
    let idle = off + dice.between(100, 1500);
    let back = idle + dice.between(100, 1500);
    let by_ms = dice.between(1, 8) * WEEK_MS + dice.below(WEEK_MS);
    let crash = Action::Crash { peer: name.to_owned(), after_calls: 0 };
    timeline.dies(place, crash, (off, back));
    timeline.put(idle, Action::TimePasses { by_ms });
    back
}
