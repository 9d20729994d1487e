//! Laws of generated plans.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sim::generate::{Profile, Shape, plan};
use graphshell_sim::plan::{Action, Edit, FaultKind, Lie, Peer, Plan};
use proptest::prelude::*;

/// The names under which a plan's JSON knows its actions and edits.
fn kinds(plan: &Plan) -> BTreeSet<String> {
    let tag = |value: serde_json::Value, tag: &str| value[tag].as_str().unwrap().to_owned();
    let mut kinds = BTreeSet::new();
    for step in &plan.steps {
        kinds.insert(tag(serde_json::to_value(&step.action).unwrap(), "do"));
        if let Action::Edit { edits, .. } = &step.action {
            let ops = edits.iter().map(|edit| tag(serde_json::to_value(edit).unwrap(), "op"));
            kinds.extend(ops);
        }
    }
    kinds
}

#[test]
fn every_kind_of_step_and_edit_appears_within_200_seeds() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        seen.append(&mut kinds(&plan(seed, &Shape::default())));
    }
    let all = [
        // Steps; strolls and expectations belong to scenario files.
        "edit",
        "sync",
        "resolve",
        "partition",
        "flap",
        "slow_link",
        "reset",
        "mend",
        "weather",
        "crash",
        "restart",
        "power_cut",
        "fill_disk",
        "clear_disk",
        "rot",
        "backup",
        "restore",
        "clock_jump",
        "time_passes",
        "share",
        "withdraw",
        "compact",
        "checkpoint",
        "lose_tail",
        // Edits.
        "add_node",
        "set_title",
        "set_url",
        "move",
        "pin",
        "remove_node",
        "restore_node",
        "add_edge",
        "assert_edge",
        "remove_edge",
        "visit",
        "clear",
        "unknown",
    ];
    assert_eq!(seen, all.into_iter().map(str::to_owned).collect());
}

#[test]
fn every_kind_of_fault_appears_within_200_seeds_and_none_in_profile_calm() {
    let kinds = |profile| {
        let shape = Shape { profile, ..Shape::default() };
        let plans = (0..200).map(|seed| plan(seed, &shape));
        plans.flat_map(|plan| plan.fault_kinds()).map(FaultKind::name).collect::<BTreeSet<_>>()
    };
    assert_eq!(kinds(Profile::Everything).len(), FaultKind::ALL.len());
    assert_eq!(kinds(Profile::Calm), BTreeSet::new());
    assert!(!kinds(Profile::Partitions).contains("rot"));
    assert!(!kinds(Profile::Lossy).contains("restore"));
}

#[test]
fn somebody_lies_in_every_hostile_seed_and_in_none_of_a_bad_network() {
    let shape = |profile| Shape { profile, ..Shape::default() };
    for seed in 0..100 {
        let company = |plan: Plan| {
            let lies = plan.peers.iter().any(|peer| peer.is_hostile());
            let odd = |peer: &Peer| peer.stranger || peer.protocol.is_some();
            (lies, plan.peers.iter().any(odd))
        };
        assert!(company(plan(seed, &shape(Profile::Hostile))).0, "seed {seed}");
        for profile in [Profile::Lossy, Profile::Partitions, Profile::Disks, Profile::Clocks] {
            assert_eq!(company(plan(seed, &shape(profile))), (false, false), "seed {seed}");
        }
        let calm = plan(seed, &shape(Profile::Calm));
        assert!(calm.peers.iter().all(|peer| peer.broken.is_none()), "seed {seed}");
    }
}

#[test]
fn a_seed_means_this_plan_for_good() {
    // Saved seeds are worth something only while they mean what they meant.
    let plan = Plan { why: String::new(), ..plan(0x2a, &Shape::default()) };
    let text = plan.to_json_pretty();
    let hash = blake3::hash(text.as_bytes()).to_hex();
    assert_eq!(
        &hash[..16],
        "d6d10c1348945c49",
        "the generator changed: every saved seed means another plan"
    );
}

#[test]
fn a_default_plan_has_its_edits_and_about_a_hundred_syncs() {
    for seed in 0..50 {
        let plan = plan(seed, &Shape::default());
        let edits: usize = plan
            .steps
            .iter()
            .filter_map(|step| step.action.edits())
            .map(|(_, edits)| edits.len())
            .sum();
        assert_eq!(edits, 300);
        let syncs = plan.steps.iter().filter(|step| matches!(step.action, Action::Sync { .. }));
        assert!((50..=150).contains(&syncs.count()));
    }
}

#[test]
fn users_meet_at_the_same_pages() {
    for seed in 0..50 {
        let mut editors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let plan = plan(seed, &Shape::default());
        let most = plan.peers.iter().filter(|peer| !peer.is_hostile()).count() - 1;
        for step in plan.steps {
            let Some((peer, edits)) = step.action.edits() else { continue };
            for name in edits.iter().flat_map(Edit::nodes) {
                editors.entry(name.to_owned()).or_default().insert(peer.to_owned());
            }
        }
        let shared = editors.values().filter(|peers| peers.len() >= most).count();
        assert!(shared >= 3, "seed {seed:#x}: only {shared} pages are edited by {most} peers");
    }
}

#[test]
fn every_kind_of_company_appears_within_200_seeds_beside_peers_that_must_converge() {
    let mut lies = BTreeSet::new();
    let (mut strangers, mut versions, mut broken) = (0, 0, BTreeSet::new());
    for seed in 0..200 {
        let plan = plan(seed, &Shape::default());
        let core: Vec<_> = (0..plan.peers.len()).filter(|&peer| plan.heals(peer)).collect();
        let company = |&peer: &usize| plan.are_company(core[0], peer);
        assert!(core.iter().filter(|peer| company(peer)).count() >= 2, "seed {seed:#x}");
        for peer in plan.peers {
            lies.extend(peer.lies);
            strangers += usize::from(peer.stranger);
            versions += usize::from(peer.protocol.is_some());
            broken.extend(peer.broken.map(|broken| format!("{broken:?}")));
        }
    }
    assert_eq!((lies.len(), broken.len()), (Lie::ALL.len(), 2));
    assert!(strangers >= 5 && versions >= 5, "{strangers} strangers, {versions} versions");
}

#[test]
fn crashed_peers_come_back_before_the_end() {
    for seed in 0..200 {
        let mut down = BTreeSet::new();
        for step in plan(seed, &Shape::default()).steps {
            match step.action {
                Action::Crash { peer, .. } | Action::PowerCut { peer, .. } => {
                    assert!(down.insert(peer));
                }
                Action::Restart { peer } => assert!(down.remove(&peer)),
                _ => {}
            }
        }
        assert!(down.is_empty(), "seed {seed:#x}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_seed_gives_the_same_plan(seed: u64) {
        prop_assert_eq!(plan(seed, &Shape::default()), plan(seed, &Shape::default()));
    }

    #[test]
    fn every_generated_plan_is_valid(
        seed: u64, peers in 1usize..=64, edits in 0usize..2000, span_ms in 0u64..100_000,
    ) {
        let plan = plan(seed, &Shape { peers, edits, span_ms, ..Shape::default() });
        prop_assert_eq!(plan.peers.len(), peers);
        prop_assert_eq!(plan.validate(), Ok(()));
    }

    #[test]
    fn a_plan_round_trips_through_json(seed: u64) {
        let plan = plan(seed, &Shape::default());
        let text = plan.to_json_pretty();
        prop_assert_eq!(Plan::from_json(&text, "a plan").unwrap(), plan);
    }
}
