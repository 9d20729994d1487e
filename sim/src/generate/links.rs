//! What happens to links. A link on which nothing is sent shows nothing, so whenever one is struck two
//! users sync over it.

use super::dice::Dice;
use super::faults::Swarm;
use super::{Shape, Timeline};
use crate::plan::{Action, FaultKind};

/// How often a link is looked for whose ends talk.
const TRIES: usize = 20;
/// How soon two users sync over a link that is struck, at the latest.
const SOON_MS: u64 = 50;

impl Swarm {
    /// Puts on the timeline what goes wrong with links, after all that happens to devices: whoever
    /// is off sends nothing.
    pub(super) fn strike_links(&self, shape: &Shape, dice: &mut Dice, timeline: &mut Timeline) {
        let span = shape.span_ms.max(10);
        if self.weather {
            for _ in 0..dice.between(1, 3) {
                let network = self.network(dice);
                timeline.put(dice.below(span), Action::Weather { network });
            }
        }
        if timeline.names.len() < 2 {
            return;
        }
        let mut strike = |kind, (least, most), act: &mut dyn FnMut(&mut Struck<'_>)| {
            let times = if self.has(kind) { dice.between(least, most) } else { 0 };
            for _ in 0..times {
                act(&mut Struck::pick(span, dice, timeline));
            }
        };
        strike(FaultKind::Partition, (2, 4), &mut |link| {
            let one_way = link.dice.chance(40);
            let (from, to) = link.ends();
            link.lasts((200, 3000), 1, Action::Partition { from, to, one_way });
        });
        strike(FaultKind::Flapping, (1, 2), &mut |link| {
            let period_ms = link.dice.between(50, 600);
            let (from, to) = link.ends();
            link.lasts((1500, 4000), 6, Action::Flap { from, to, period_ms });
        });
        strike(FaultKind::SlowLink, (1, 3), &mut |link| {
            let bytes_per_s = Some(link.dice.pick(&[300, 1000, 3000, 10_000, 30_000]));
            let delay_ms = link.dice.between(0, 30);
            let one_way = link.dice.chance(30);
            let (from, to) = link.ends();
            let slow = Action::SlowLink { from, to, one_way, delay_ms, bytes_per_s };
            link.lasts((1000, 5000), 3, slow);
        });
        strike(FaultKind::LinkDelay, (1, 3), &mut |link| {
            let (delay_ms, one_way) = (link.dice.between(30, 500), link.dice.chance(70));
            let (from, to) = link.ends();
            let slow = Action::SlowLink { from, to, one_way, delay_ms, bytes_per_s: None };
            link.lasts((1000, 5000), 3, slow);
        });
        strike(FaultKind::Reset, (2, 4), &mut |link| {
            link.meet(0);
            let at_ms = link.start + link.dice.between(2, 20);
            let (from, to) = link.ends();
            link.timeline.put(at_ms, Action::Reset { from, to });
        });
        if self.has(FaultKind::Partition) {
            self.strike_peers(span, dice, timeline);
        }
    }

    /// Cuts off single peers from all others.
    fn strike_peers(&self, span: u64, dice: &mut Dice, timeline: &mut Timeline) {
        let names = timeline.names.clone();
        let cut_off = |timeline: &mut Timeline, lonely: usize, (start, end): (u64, u64)| {
            for other in names.iter().filter(|&other| *other != names[lonely]) {
                let (from, to) = (names[lonely].clone(), other.clone());
                timeline.put(end, Action::Mend { from: from.clone(), to: to.clone() });
                timeline.put(start, Action::Partition { from, to, one_way: false });
            }
        };
        if self.islands {
            let Struck { start, from, .. } = Struck::pick(span, dice, timeline);
            let end = start + dice.between(500, 4000);
            cut_off(timeline, from, (start, end));
        }
        if self.legacy && dice.chance(60) {
            // The second device with the profile goes online when others have worked on it.
            let end = dice.between(span * 3 / 10, span * 9 / 10);
            cut_off(timeline, 1, (0, end));
        }
    }
}

/// A link, and when it is struck.
struct Struck<'a> {
    dice: &'a mut Dice,
    timeline: &'a mut Timeline,
    start: u64,
    /// Its ends, by place.
    from: usize,
    to: usize,
}

impl<'a> Struck<'a> {
    /// A link between peers that talk when it happens, as far as the plan knows.
    fn pick(span: u64, dice: &'a mut Dice, timeline: &'a mut Timeline) -> Self {
        let count = timeline.names.len();
        let mut left = TRIES;
        loop {
            let (start, from) = (dice.below(span), dice.index(count));
            let to = (from + 1 + dice.index(count - 1)) % count;
            let silent = |who| [0, SOON_MS].iter().any(|by| timeline.is_silent(who, start + by));
            if left == 0 || !silent(from) && !silent(to) {
                return Struck { dice, timeline, start, from, to };
            }
            left -= 1;
        }
    }

    fn ends(&self) -> (String, String) {
        (self.timeline.names[self.from].clone(), self.timeline.names[self.to].clone())
    }

    /// The fault lasts until the link is mended, and so many rounds begin meanwhile, the first one
    /// soon.
    fn lasts(&mut self, ms: (u64, u64), rounds: u64, action: Action) {
        let length = self.dice.between(ms.0, ms.1);
        let (from, to) = self.ends();
        self.timeline.put(self.start, action);
        self.timeline.put(self.start + length, Action::Mend { from, to });
        for nth in 0..rounds {
            let after =
                self.dice.between(nth * length / rounds + 1, nth * length / rounds + SOON_MS);
            self.meet(after);
        }
    }

    /// One end syncs with the other so long after the start.
    fn meet(&mut self, after_ms: u64) {
        let (from, to) = self.ends();
        let (peer, with) = if self.dice.chance(50) { (from, to) } else { (to, from) };
        self.timeline.put(self.start + after_ms, Action::Sync { peer, with });
    }
}
