use super::*;
use crate::generate::{self, Shape};
use crate::plan::{Action, Edit};

/// Judges by a rule instead of a run.
struct Rule<F> {
    fails: F,
    runs: usize,
    most: usize,
}

impl<F: Fn(&Plan) -> bool> Judge for Rule<F> {
    fn first_failing(
        &mut self,
        count: usize,
        candidate: &(dyn Fn(usize) -> Option<Plan> + Sync),
    ) -> Option<usize> {
        (0..count).find(|&n| {
            candidate(n).is_some_and(|plan| {
                plan.validate().unwrap();
                self.runs += 1;
                self.runs <= self.most && (self.fails)(&plan)
            })
        })
    }

    fn is_spent(&self) -> bool {
        self.runs >= self.most
    }

    fn improved(&mut self, plan: &Plan) {
        assert!((self.fails)(plan), "the smallest plan always fails");
    }
}

fn shrunk(plan: &Plan, most: usize, fails: impl Fn(&Plan) -> bool) -> (Plan, usize) {
    let failure = Failure {
        property: "p",
        peers: Vec::new(),
        operations: Vec::new(),
        virtual_ms: u64::MAX,
        detail: String::new(),
    };
    let mut judge = Rule { fails, runs: 0, most };
    (shrink(plan, &failure, &mut judge), judge.runs)
}

fn large() -> Plan {
    generate::plan(11, &Shape::default())
}

fn crashes(plan: &Plan, peer: &str) -> bool {
    let crash = |action: &Action| matches!(action, Action::Crash { peer: who, .. } if who == peer);
    plan.steps.iter().any(|step| crash(&step.action))
}

fn edits(plan: &Plan, is: impl Fn(&Edit) -> bool) -> bool {
    plan.steps.iter().filter_map(|step| step.action.edits()).any(|(_, edits)| edits.iter().any(&is))
}

/// A generated plan in which somebody crashes, and who.
fn with_crash() -> (Plan, String) {
    let plans = (0..).map(|seed| generate::plan(seed, &Shape::default()));
    plans
        .flat_map(|plan| {
            let names: Vec<String> = plan.peers.iter().map(|peer| peer.name.clone()).collect();
            names.into_iter().map(move |name| (plan.clone(), name))
        })
        .find(|(plan, name)| crashes(plan, name))
        .unwrap()
}

#[test]
fn what_the_failure_needs_is_all_that_stays() {
    let (plan, who) = with_crash();
    let removes = |edit: &Edit| matches!(edit, Edit::SetTitle { .. });
    let (small, runs) =
        shrunk(&plan, usize::MAX, |plan| crashes(plan, &who) && edits(plan, removes));
    let size = Size::of(&small);
    assert_eq!((size.peers, size.steps, size.edits, size.faults), (1, 2, 1, 1), "{small:#?}");
    assert_eq!(size.span_ms, 100);
    assert!(!small.heal && small.network == Default::default() && small.append_ms == (1, 4));
    assert!(runs < 400, "{runs}");
}

#[test]
fn peers_keep_nothing_but_their_names() {
    let (mut plan, _) = with_crash();
    let [one, two, ..] = &mut plan.peers[..] else { panic!("{plan:#?}") };
    (one.clock_offset_ms, one.clock_drift_ppm, one.late) = (-7, 7, true);
    (two.clock_drift_ppm, two.stranger, two.protocol) = (9, true, Some(1));
    let peers = plan.peers.len();
    let (small, _) = shrunk(&plan, usize::MAX, |plan| plan.peers.len() == peers);
    for peer in story::value(&small)["peers"].as_array().unwrap() {
        assert!(peer.as_object().unwrap().keys().eq(["name"]), "{peer}");
    }
}

#[test]
fn a_shrunk_plan_has_names_that_one_can_say() {
    let (mut small, _) =
        shrunk(&large(), usize::MAX, |plan| edits(plan, |edit| matches!(edit, Edit::Visit { .. })));
    let text = small.to_json_pretty();
    assert!(text.contains("\"home\""), "{text}");
    let failure = Failure {
        property: "convergence",
        peers: vec!["ada".into(), "ben".into()],
        operations: Vec::new(),
        virtual_ms: 0,
        detail: String::new(),
    };
    tell(&mut small, &failure, "seed 0xb");
    let told =
        "\"convergence\" does not hold at ada and ben. It takes visit. Shrunk from seed 0xb; ";
    assert!(small.why.starts_with(told), "{}", small.why);
    small.validate().unwrap();
}

#[test]
fn a_spent_budget_keeps_the_best_so_far() {
    let plan = large();
    let (small, runs) = shrunk(&plan, 10, |_| true);
    assert!(runs <= 10);
    assert!(Size::of(&small).steps < Size::of(&plan).steps);
}

#[test]
fn what_relies_on_a_step_goes_with_it() {
    let (mut plan, who) = with_crash();
    plan.steps.retain(|step| !matches!(&step.action, Action::Crash { peer, .. } if *peer == who));
    let repaired = repaired(plan).unwrap();
    let restarts = |action: &Action| matches!(action, Action::Restart { peer } if *peer == who);
    assert!(!repaired.steps.iter().any(|step| restarts(&step.action)));
}

#[test]
fn no_pass_undoes_what_another_did() {
    let fails =
        |plan: &Plan| plan.steps.len() >= 4 && edits(plan, |edit| edit.nodes().count() == 1);
    let (small, runs) = shrunk(&large(), usize::MAX, fails);
    assert_eq!(small.steps.len(), 4);
    assert!(runs < 400, "{runs}");
    let (again, runs) = shrunk(&small, usize::MAX, fails);
    assert_eq!(Size::of(&again), Size::of(&small));
    assert!(runs < 200, "{runs}");
}
