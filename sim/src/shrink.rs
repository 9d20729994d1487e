//! Makes a failing plan small while it fails in the same way.
//!
//! Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002)
//! over what a plan consists of: whole peers, kinds of faults, steps, single edits. Between the
//! rounds of it come passes that know what a plan means (the network turns calm, clocks right, times
//! short), in the manner of hierarchical delta debugging (Misherghi and Su, 2006), coarse before fine.
//! At the end the plan is told as a story.
//!
//! Nothing here runs a plan or starts a thread: candidates are numbered, and a [`Judge`] says which
//! is the first that still fails. The result depends on that answer only.

mod ddmin;
mod passes;
mod settings;
mod story;
mod times;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fingerprint::Ingredients;
use crate::plan::{Plan, pretty};
use crate::world::Failure;

/// Most rounds of all passes. Three or four are usual; passes could undo each other's work.
const MOST_ROUNDS: usize = 20;

/// Runs candidates.
pub trait Judge {
    /// The least `n` below `count` for which `candidate(n)` is a plan that fails as the first one did;
    /// `None` if there is none, or if no time is left.
    ///
    /// `candidate` gives `None` for what is no valid plan. It may be called on many threads.
    fn first_failing(
        &mut self,
        count: usize,
        candidate: &(dyn Fn(usize) -> Option<Plan> + Sync),
    ) -> Option<usize>;

    /// Whether no more candidates will be run.
    fn is_spent(&self) -> bool;

    /// Takes note of the smallest plan so far.
    fn improved(&mut self, plan: &Plan);
}

/// How large a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Peers.
    pub peers: usize,
    /// Steps.
    pub steps: usize,
    /// Edits in steps and legacy logs.
    pub edits: usize,
    /// Kinds of faults.
    pub faults: usize,
    /// When the last step happens, in virtual milliseconds.
    pub span_ms: u64,
}

impl Size {
    /// The plan's.
    pub fn of(plan: &Plan) -> Self {
        let edits = plan.steps.iter().filter_map(|step| step.action.edits());
        let legacy = plan.peers.iter().map(|peer| peer.legacy.len());
        Size {
            peers: plan.peers.len(),
            steps: plan.steps.len(),
            edits: edits.map(|(_, edits)| edits.len()).chain(legacy).sum(),
            faults: Ingredients::of(plan).faults.len(),
            span_ms: plan.steps.last().map_or(0, |step| step.at_ms),
        }
    }
}

/// The smallest plan found that fails as `plan` does.
///
/// `failure` is what came of `plan`; it only decides what is tried first.
pub fn shrink(plan: &Plan, failure: &Failure, judge: &mut dyn Judge) -> Plan {
    let mut search = Search { best: plan.clone(), judge };
    search.cut_after(failure.virtual_ms);
    for _ in 0..MOST_ROUNDS {
        let before = pretty_without_reason(&search.best);
        search.peers(&failure.peers);
        search.settings();
        search.kinds();
        search.steps();
        search.edits();
        search.hands();
        search.times();
        search.details();
        if search.judge.is_spent() || pretty_without_reason(&search.best) == before {
            break;
        }
    }
    search.names();
    search.pace();
    search.best
}

/// Says in the plan why it exists: what it breaks, where, and what it takes.
pub fn tell(plan: &mut Plan, failure: &Failure, origin: &str) {
    plan.why = story::reason(plan, failure, origin);
}

fn pretty_without_reason(plan: &Plan) -> String {
    pretty(&story::value(&Plan { why: String::new(), ..plan.clone() }))
}

/// The smallest plan so far, and who runs candidates for a smaller one.
struct Search<'a> {
    best: Plan,
    judge: &'a mut dyn Judge,
}

impl Search<'_> {
    /// Tries what `change` makes of the best plan for each of 0 to `count`, in order, and keeps the
    /// first that still fails. Says which.
    fn first(
        &mut self,
        count: usize,
        change: impl Fn(&Plan, usize) -> Option<Plan> + Sync,
    ) -> Option<usize> {
        if count == 0 || self.judge.is_spent() {
            return None;
        }
        let best = &self.best;
        let candidate = |n| change(best, n).and_then(repaired).filter(|plan| plan != best);
        let found = self.judge.first_failing(count, &candidate)?;
        let smaller = candidate(found).expect("it was a plan when it was judged");
        self.judge.improved(&smaller);
        self.best = smaller;
        Some(found)
    }

    /// Tries one change.
    fn once(&mut self, change: impl Fn(&Plan) -> Option<Plan> + Sync) -> bool {
        self.first(1, |plan, _| change(plan)).is_some()
    }

    /// Tries changes of the plan's JSON form.
    fn once_value(&mut self, change: impl Fn(&mut Value) + Sync) -> bool {
        self.once(|plan| edited(plan, &change))
    }
}

/// The plan whose JSON form is that of `plan` after `change`; `None` if that is no plan.
fn edited(plan: &Plan, change: impl Fn(&mut Value)) -> Option<Plan> {
    let mut value = story::value(plan);
    change(&mut value);
    serde_json::from_value(value).ok()
}

/// Takes out steps and expectations that make no sense any more; `None` if something else is wrong.
///
/// That way a change need not know which steps rely on which: a restart goes with its crash, and
/// all that names a peer goes with it.
fn repaired(mut plan: Plan) -> Option<Plan> {
    loop {
        let Err(flaw) = plan.validate() else { return Some(plan) };
        if let Some(step) = flaw.step() {
            plan.steps.remove(step);
        } else {
            plan.expect.remove(flaw.expectation()?);
        }
    }
}

/// New names for old ones.
type Names = BTreeMap<String, String>;

#[cfg(test)]
mod tests;
