//! Plans as text: scenario files are valid, and a bad plan is refused with a reason that helps.

use std::collections::BTreeSet;
use std::path::Path;

use graphshell_sim::plan::{Edit, Plan};
use graphshell_sync::{LogEntry, Trigger};

fn scenarios() -> Vec<(String, Plan)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let named = files.into_iter().map(|file| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let plan = Plan::from_json(&text, &name).unwrap_or_else(|error| panic!("{error}"));
        (name, plan)
    });
    named.collect()
}

#[test]
fn every_scenario_file_is_valid_and_expects_something() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 30);
    for (name, plan) in scenarios {
        assert!(!plan.expect.is_empty(), "{name}");
        assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{name}");
    }
}

#[test]
fn no_two_scenarios_give_the_same_reason() {
    let scenarios = scenarios();
    let reasons: BTreeSet<_> = scenarios.iter().map(|(_, plan)| plan.why.as_str()).collect();
    assert_eq!(reasons.len(), scenarios.len());
}

#[test]
fn a_scenario_round_trips_through_its_spelled_out_form() {
    for (name, plan) in scenarios() {
        assert_eq!(Plan::from_json(&plan.to_json_pretty(), &name).unwrap(), plan);
    }
}

/// The error for a plan of two peers with these steps.
fn refused(steps: &str) -> String {
    let peers = r#"[{"name": "ada"}, {"name": "ben"}]"#;
    let text = format!(r#"{{"why": "a test", "peers": {peers}, "steps": [{steps}]}}"#);
    Plan::from_json(&text, "bad.json").expect_err("the plan is bad").to_string()
}

#[test]
fn a_flaw_names_the_file_the_step_the_field_and_what_was_expected() {
    assert_eq!(
        refused(r#"{"at_ms": 0, "do": "sync", "peer": "ada", "with": "eve"}"#),
        r#"bad.json: step 1 (at 0 ms).with: found "eve", expected one of ada, ben"#
    );
    assert_eq!(
        refused(
            r#"{"at_ms": 5, "do": "backup", "peer": "ada"}, {"at_ms": 3, "do": "backup", "peer": "ada"}"#
        ),
        "bad.json: step 2 (at 3 ms).at_ms: found 3, expected a time from 5 (the step before) to 2592000000"
    );
}

#[test]
fn malformed_text_is_refused_with_line_and_column() {
    let error = refused(r#"{"at_ms": 0, "do": "jump", "peer": "ada"}"#);
    assert!(error.contains("bad.json: unknown variant `jump`, expected one of `edit`"), "{error}");
    assert!(error.contains("line 1 column"), "{error}");
    let error = refused(r#"{"at_ms": 0, "do": "backup", "peer": "ada", "why": 1}"#);
    assert!(error.contains("unknown field `why`"), "{error}");
    let error = refused(
        r#"{"at_ms": 0, "do": "edit", "peer": "ada", "edits": [{"op": "unknown", "kind": 99, "payload_hex": "0g"}]}"#,
    );
    assert!(error.contains("payload_hex"), "{error}");
    let error = refused(
        r#"{"at_ms": 0, "do": "edit", "peer": "ada", "edits": [{"op": "move", "node": "x", "to": [1e39, 0]}]}"#,
    );
    assert!(error.contains("two finite coordinates"), "{error}");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let long = format!(
        r#"{{"at_ms": 0, "do": "edit", "peer": "ada", "edits": [{{"op": "set_title", "node": "x", "title": "{}"}}]}}"#,
        "a".repeat(5000)
    );
    for (steps, part) in [
        (r#"{"at_ms": 0, "do": "sync", "peer": "ada", "with": "ada"}"#, "another peer"),
        (r#"{"at_ms": 0, "do": "partition", "from": "ada", "to": "ada"}"#, "another peer"),
        (r#"{"at_ms": 0, "do": "restart", "peer": "ada"}"#, "a crashed peer"),
        (r#"{"at_ms": 0, "do": "restore", "peer": "ada"}"#, "backed up"),
        (r#"{"at_ms": 0, "do": "weather", "network": {"loss": 1001}}"#, "at most 1000"),
        (r#"{"at_ms": 0, "do": "weather", "network": {"unchecked": 1001}}"#, "at most 1000"),
        (r#"{"at_ms": 0, "do": "flap", "from": "ada", "to": "ben", "period_ms": 0}"#, "from 1 to"),
        (r#"{"at_ms": 0, "do": "slow_link", "from": "ada", "to": "ben"}"#, "or `bytes_per_s`"),
        (
            r#"{"at_ms": 0, "do": "slow_link", "from": "ada", "to": "ben", "bytes_per_s": 0}"#,
            "at least one byte",
        ),
        (r#"{"at_ms": 0, "do": "reset", "from": "ada", "to": "ada"}"#, "another peer"),
        (r#"{"at_ms": 0, "do": "time_passes", "by_ms": 0}"#, "a time from 1 to"),
        (r#"{"at_ms": 0, "do": "weather", "network": {"delay_ms": [9, 3]}}"#, "the lesser first"),
        (r#"{"at_ms": 0, "do": "edit", "peer": "ada", "edits": []}"#, "1 to 1024"),
        (r#"{"at_ms": 0, "do": "browse", "peer": "ada", "from": 9999, "pages": 1}"#, "below 3396"),
        (
            r#"{"at_ms": 0, "do": "clock_jump", "peer": "ada", "by_ms": 999999999999999}"#,
            "either way",
        ),
        (
            r#"{"at_ms": 0, "do": "edit", "peer": "ada", "edits": [{"op": "unknown", "kind": 7, "payload_hex": ""}]}"#,
            "does not know",
        ),
        (
            r#"{"at_ms": 0, "do": "expect", "peer": "ada", "that": [{"is": "no_node", "node": "typo"}]}"#,
            "a node that an edit of the plan names",
        ),
        (&long, "4096"),
    ] {
        let error = refused(steps);
        assert!(error.starts_with("bad.json: step 1") && error.contains(part), "{error}");
    }
}

#[test]
fn peers_are_unique_and_carry_only_legacy_operations() {
    let refused = |peers: &str| {
        let text = format!(r#"{{"why": "a test", "peers": {peers}, "steps": []}}"#);
        Plan::from_json(&text, "bad.json").expect_err("the plan is bad").to_string()
    };
    let error = refused(r#"[{"name": "ada"}, {"name": "ada"}]"#);
    assert_eq!(error, r#"bad.json: peer 2.name: found "ada", expected a unique name"#);
    assert!(refused("[]").contains("plan.peers: found 0"));
    let error =
        refused(r#"[{"name": "ada", "legacy": [{"op": "assert_edge", "from": "x", "to": "y"}]}]"#);
    assert!(error.contains("peer 1 (ada), legacy edit 1.op"), "{error}");
    let error = refused(r#"[{"name": "ada", "clock_drift_ppm": -500001}]"#);
    assert!(error.contains("peer 1.clock_drift_ppm: found -500001, expected at most"), "{error}");
}

#[test]
fn only_visits_keep_the_time_of_the_edit() {
    let (from, to) = ("x".to_owned(), "y".to_owned());
    let visit = Edit::Visit { from, to, trigger: Trigger::Link };
    assert!(matches!(visit.to_entry(77), LogEntry::AddTraversal { timestamp_ms: 77, .. }));
}

#[test]
fn a_hostile_peer_has_no_engine_and_somebody_must_be_honest() {
    let with = |peers: &str, steps: &str| {
        let text = format!(r#"{{"why": "a test", "peers": [{peers}], "steps": [{steps}]}}"#);
        Plan::from_json(&text, "bad.json").expect_err("the plan is bad").to_string()
    };
    let (ada, mal) = (r#"{"name": "ada"}"#, r#"{"name": "mal", "lies": ["forgery"]}"#);
    let both = format!("{ada}, {mal}");
    assert_eq!(
        with(&both, r#"{"at_ms": 0, "do": "compact", "peer": "mal"}"#),
        r#"bad.json: step 1 (at 0 ms).peer: found "mal", expected a peer without lies"#
    );
    assert_eq!(
        with(mal, ""),
        "bad.json: plan.peers: found hostile ones alone, expected a peer without lies"
    );
    assert_eq!(
        with(&format!(r#"{ada}, {{"name": "mal", "lies": ["forgery", "forgery"]}}"#), ""),
        "bad.json: peer 2.lies: found [Forgery, Forgery], expected each lie once"
    );
    assert_eq!(
        with(r#"{"name": "ada", "protocol": 1}"#, ""),
        "bad.json: peer 1.protocol: found 1, expected another version than this engine's, or none"
    );
}
