//! Which seeds cut logs, and what is nasty then: devices that come late.

use super::dice::Dice;
use crate::plan::{Action, Step};

/// How long it takes until all share the workspace with a device that comes late.
const SHARING_MS: u64 = 300;

/// What cuts logs in one plan.
#[derive(Default)]
pub(super) struct Cuts {
    pub(super) compact_every: u64,
    /// The peer, by place, that the workspace is shared with only when others have cut their logs.
    pub(super) late: Option<usize>,
    /// From when on it may sync with anybody.
    pub(super) shared_ms: u64,
    pub(super) steps: Vec<Step>,
    /// What is in, for the plan's reason.
    pub(super) names: Vec<&'static str>,
}

impl Cuts {
    pub(super) fn roll(mut dice: Dice, names: &[String], span: u64) -> Self {
        let mut cuts = Cuts::default();
        let span = span.max(1);
        if !dice.chance(50) {
            return cuts;
        }
        cuts.names.push("logs that are cut");
        if dice.chance(75) {
            cuts.compact_every = dice.between(3, 40);
        }
        for peer in names {
            while dice.chance(40) {
                cuts.put(dice.below(span), Action::Compact { peer: peer.clone() });
            }
        }
        // A late device is neither of those that bring a profile.
        if names.len() > super::LEGACY_DEVICES && dice.chance(50) {
            cuts.names.push("a device that comes late");
            let late = names.len() - 1;
            let at_ms = dice.between(span / 3, span * 4 / 5);
            (cuts.late, cuts.shared_ms) = (Some(late), at_ms + SHARING_MS);
            let late = &names[late];
            for other in names.iter().filter(|&other| other != late) {
                let share = |peer: &String, with: &String| {
                    let (peer, with) = (peer.clone(), with.clone());
                    Action::Share { peer, with, read_only: false }
                };
                cuts.put(at_ms + dice.below(SHARING_MS), share(other, late));
                cuts.put(at_ms + dice.below(SHARING_MS), share(late, other));
            }
            for _ in 0..3 {
                let with = names[dice.index(names.len() - 1)].clone();
                let at_ms = at_ms + dice.between(SHARING_MS, 1500);
                cuts.put(at_ms, Action::Sync { peer: late.clone(), with });
            }
        }
        cuts
    }

    fn put(&mut self, at_ms: u64, action: Action) {
        self.steps.push(Step { at_ms, action });
    }
}
