//! Passes that make a plan's virtual time short and its times round.

use super::Search;
use crate::plan::Plan;

/// Distances between two steps that are tried for all steps at once, in virtual milliseconds.
const DISTANCES: [u64; 5] = [0, 10, 100, 500, 1_000];
/// Distance at which a reader sees one step follow the other.
const APART: u64 = 100;

impl Search<'_> {
    /// Moves steps together: all at one distance, no two farther apart than a bound, everything
    /// faster, then each step closer to the one before.
    pub(super) fn times(&mut self) {
        let end = |plan: &Plan| plan.steps.last().map_or(0, |step| step.at_ms);
        let now = end(&self.best);
        let tried = 2 * DISTANCES.len() + 2;
        self.first(tried, |plan, n| {
            let closer = match n {
                _ if n < DISTANCES.len() => with_gaps(plan, |_, _| DISTANCES[n]),
                _ if n < 2 * DISTANCES.len() => {
                    with_gaps(plan, |_, gap| gap.min(DISTANCES[n - DISTANCES.len()]))
                }
                _ => with_gaps(plan, |_, gap| gap >> (tried - n)),
            };
            // Otherwise one round would undo what another did.
            (end(&closer) < now).then_some(closer)
        });
        for step in 0..self.best.steps.len() {
            self.first(DISTANCES.len(), |plan, n| {
                Some(with_gaps(
                    plan,
                    |at, gap| if at == step { gap.min(DISTANCES[n]) } else { gap },
                ))
            });
        }
    }

    /// Rounds times, and moves steps that happen at once apart: the plan reads as one thing after the
    /// other.
    pub(super) fn pace(&mut self) {
        for grain in [APART, 10] {
            self.once(|plan| {
                let mut plan = plan.clone();
                for step in &mut plan.steps {
                    step.at_ms = step.at_ms.div_ceil(grain) * grain;
                }
                Some(plan)
            });
        }
        self.once(|plan| {
            Some(with_gaps(plan, |step, gap| if step == 0 { gap } else { gap.max(APART) }))
        });
    }
}

/// The plan with other distances between its steps; `gap` gets a step's place and its distance from
/// the step before.
fn with_gaps(plan: &Plan, gap: impl Fn(usize, u64) -> u64) -> Plan {
    let mut plan = plan.clone();
    let (mut before, mut now) = (0, 0);
    for (place, step) in plan.steps.iter_mut().enumerate() {
        now += gap(place, step.at_ms - before);
        before = step.at_ms;
        step.at_ms = now;
    }
    plan
}
