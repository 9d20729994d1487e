//! Passes that take things out: peers, kinds of faults, steps, edits.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde_json::Value;

use super::ddmin::minimise;
use super::{Search, edited};
use crate::plan::{Action, Plan};

/// Most groups of peers that are tried outright.
const GROUPS: usize = 120;

impl Search<'_> {
    /// Takes out all that happens after the failure was seen.
    pub(super) fn cut_after(&mut self, virtual_ms: u64) {
        self.once(|plan| {
            let mut cut = plan.clone();
            cut.steps.retain(|step| step.at_ms <= virtual_ms);
            Some(cut)
        });
    }

    /// Takes out peers with all their steps: tries to keep one, two or three, those of the failure
    /// first, and then to take out one by one.
    pub(super) fn peers(&mut self, concerned: &[String]) {
        let mut names: Vec<String> = self.best.peers.iter().map(|peer| peer.name.clone()).collect();
        names.sort_by_key(|name| !concerned.contains(name));
        let groups: Vec<BTreeSet<&str>> = (1..=3)
            .filter(|&size| size < names.len())
            .flat_map(|size| of_size(&names, size))
            .take(GROUPS)
            .collect();
        let found = self.first(groups.len(), |plan, n| {
            let mut plan = plan.clone();
            plan.peers.retain(|peer| groups[n].contains(peer.name.as_str()));
            Some(plan)
        });
        if found.is_some() {
            return;
        }
        self.minimise(self.best.peers.len(), |plan, kept| {
            let mut kept = keeps(kept);
            plan.peers.retain(|_| kept());
        });
    }

    /// Takes out every step of one kind.
    pub(super) fn kinds(&mut self) {
        loop {
            let kinds: BTreeSet<String> =
                self.best.steps.iter().map(|step| kind(&step.action)).collect();
            let kinds: Vec<String> = kinds.into_iter().collect();
            let found = self.first(kinds.len(), |plan, n| {
                let mut plan = plan.clone();
                plan.steps.retain(|step| kind(&step.action) != kinds[n]);
                Some(plan)
            });
            if found.is_none() {
                return;
            }
        }
    }

    /// Takes out steps.
    pub(super) fn steps(&mut self) {
        self.minimise(self.best.steps.len(), |plan, kept| {
            let mut kept = keeps(kept);
            plan.steps.retain(|_| kept());
        });
    }

    /// Takes out single edits, those of legacy logs too, and single expectations.
    pub(super) fn edits(&mut self) {
        let of_step = |action: &Action| match action {
            Action::Edit { edits, .. } => edits.len(),
            _ => 0,
        };
        let steps: usize = self.best.steps.iter().map(|step| of_step(&step.action)).sum();
        let legacy: usize = self.best.peers.iter().map(|peer| peer.legacy.len()).sum();
        let count = steps + legacy + self.best.expect.len();
        self.minimise(count, |plan, kept| {
            let mut kept = keeps(kept);
            plan.peers.iter_mut().for_each(|peer| peer.legacy.retain(|_| kept()));
            plan.steps.retain_mut(|step| {
                let Action::Edit { edits, .. } = &mut step.action else { return true };
                edits.retain(|_| kept());
                !edits.is_empty()
            });
            plan.expect.retain(|_| kept());
        });
    }

    /// Lets one peer do what another did, so that the other can go.
    pub(super) fn hands(&mut self) {
        if self.best.peers.len() <= 2 {
            return;
        }
        let names: Vec<String> = self.best.peers.iter().map(|peer| peer.name.clone()).collect();
        let pairs: Vec<(&str, &str)> = names
            .iter()
            .flat_map(|from| names.iter().map(move |to| (from.as_str(), to.as_str())))
            .filter(|(from, to)| from != to)
            .take(GROUPS)
            .collect();
        self.first(pairs.len(), |plan, n| {
            let (from, to) = pairs[n];
            edited(plan, |plan| {
                for step in plan["steps"].as_array_mut().into_iter().flatten() {
                    for field in ["peer", "with", "from", "to"] {
                        if step.get(field).and_then(Value::as_str) == Some(from) {
                            step[field] = to.into();
                        }
                    }
                }
                if let Some(peers) = plan["peers"].as_array_mut() {
                    peers.retain(|peer| peer["name"] != from);
                }
            })
        });
    }

    /// Delta debugging over `count` items of the plan; `keep` takes out of a plan all items but
    /// those whose places are given.
    fn minimise(&mut self, count: usize, keep: impl Fn(&mut Plan, &[usize]) + Sync) {
        let whole = self.best.clone();
        minimise(count, |ways| {
            let found = self.first(ways.len(), |_, n| {
                let mut plan = whole.clone();
                keep(&mut plan, &ways.nth(n));
                Some(plan)
            });
            match found {
                None if self.judge.is_spent() => ControlFlow::Break(()),
                found => ControlFlow::Continue(found),
            }
        });
    }
}

/// Answers for one item after the other whether its place is among those kept, which ascend.
fn keeps(kept: &[usize]) -> impl FnMut() -> bool {
    let mut place = 0;
    let mut kept = kept.iter().peekable();
    move || {
        let stays = kept.next_if(|&&next| next == place).is_some();
        place += 1;
        stays
    }
}

/// The step's kind, by its name in the format.
fn kind(action: &Action) -> String {
    crate::fingerprint::tag(action, "do")
}

/// The groups of so many names, in order.
fn of_size(names: &[String], size: usize) -> Vec<BTreeSet<&str>> {
    if size == 0 {
        return vec![BTreeSet::new()];
    }
    let mut groups = Vec::new();
    for (place, name) in names.iter().enumerate() {
        for mut group in of_size(&names[place + 1..], size - 1) {
            group.insert(name);
            groups.push(group);
        }
    }
    groups
}
