//! What a team does with failures: they are grouped, saved, replayed, shrunk, reported and merged.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder to work in, where the program leaves its files.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Desk(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn run(&self, words: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_graphshell-sim"))
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .env_remove("GITHUB_ACTIONS")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What the program prints if it ends with this code.
    fn ends(&self, code: i32, words: &str) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(code), "{words}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the program says when it refuses.
    fn refused(&self, words: &str) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(2), "{words}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The only capsule of a failing sweep.
    fn capsule(&self) -> String {
        self.ends(1, "run --seed 5 --edits 40 --canary");
        let files = self.files("target/capsules");
        let [capsule] = files.as_slice() else { panic!("{files:?}") };
        format!("target/capsules/{capsule}")
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_canary_makes_every_seed_of_a_sweep_fail_and_the_sweep_too() {
    let desk = Desk::new();
    let said = desk.ends(1, "run --first-seed 3 --seeds 4 --edits 40 --canary");
    assert!(said.contains("1 kind of failure\n"), "{said}");
    assert!(said.contains("4 seeds, first 0x3, soonest "), "{said}");
    assert_eq!(
        said.matches("expectation of the plan").count(),
        2,
        "shown once, listed once: {said}"
    );
    desk.ends(0, "run --first-seed 3 --seeds 4 --edits 40");
}

#[test]
fn a_failure_is_saved_and_replays_to_the_same_events() {
    let desk = Desk::new();
    let capsule = desk.capsule();
    let said = desk.ends(1, &format!("replay {capsule}"));
    assert!(said.ends_with("  as saved    yes: the same events, the same verdict\n"), "{said}");
    let record = json(&desk.ends(1, &format!("replay {capsule} --json")));
    assert_eq!(record["as_saved"], true);
    assert_eq!(record["trace_hash"], json(&desk.text(&capsule))["trace_hash"]);
}

#[test]
fn a_capsule_that_runs_otherwise_now_says_in_which_way() {
    let desk = Desk::new();
    let capsule = desk.capsule();
    let saved = desk.text(&capsule);
    let replayed = |text: String| {
        std::fs::write(desk.path("changed.json"), text).unwrap();
        let output = desk.run("replay changed.json");
        String::from_utf8(output.stdout).unwrap()
    };
    let hash = json(&saved)["trace_hash"].as_str().unwrap().to_owned();
    let said = replayed(saved.replace(&hash, &"0".repeat(64)));
    assert!(said.contains("as saved    no: the verdict is the same, the events are not"), "{said}");
    let mut elsewhere = json(&saved);
    elsewhere["plan"]["expect"][0]["that"][0]["count"] = 2_000_000.into();
    let said = replayed(elsewhere.to_string());
    assert!(said.contains("as saved    no: the same property failed, but not"), "{said}");
    let mut held = json(&saved);
    held["plan"]["expect"] = Value::Array(Vec::new());
    let said = replayed(held.to_string());
    assert!(
        said.contains("as saved    no: nothing failed, saved was that \"expectation of"),
        "{said}"
    );
    assert!(said.contains("saved with engine 0.1.0+"), "{said}");
    assert!(said.contains(", replayed with 0.1.0+"), "{said}");
}

#[test]
fn a_damaged_or_newer_capsule_exits_2_and_says_what_was_expected() {
    let desk = Desk::new();
    let saved = desk.text(&desk.capsule());
    let refused = |text: &str| {
        std::fs::write(desk.path("bad.json"), text).unwrap();
        desk.refused("replay bad.json")
    };
    let newer = refused(&saved.replace("\"capsule\": 1", "\"capsule\": 2"));
    assert!(
        newer.contains("bad.json: capsule: found format 2, written by engine 0.1.0"),
        "{newer}"
    );
    assert!(newer.contains("expected at most 1"), "{newer}");
    let cut = refused(&saved[..saved.len() / 2]);
    assert!(cut.contains("bad.json: EOF while parsing") && cut.contains("line"), "{cut}");
    let lacking = refused(&saved.replace("\"trace_hash\"", "\"hash\""));
    assert!(lacking.contains("unknown field `hash`, expected one of"), "{lacking}");
    let scenario = desk.refused(&format!("scenario {}", desk.capsule()));
    assert!(scenario.contains("is a capsule, which `cargo sim replay` runs"), "{scenario}");
    assert!(desk.refused("replay no/such.json").contains("expected a scenario file or a capsule"));
    let flags = desk.refused(&format!("replay {} --peers 3", desk.capsule()));
    assert!(flags.contains("found --peers 3 with a file: expected a seed"), "{flags}");
}

#[test]
fn a_failure_shrinks_to_a_scenario_that_fails_alike_on_any_number_of_threads() {
    let desk = Desk::new();
    let shrunk = |threads: &str| {
        let words = format!("shrink 5 --edits 40 --canary --json --out {threads}.json --for 10m");
        let said = json(&desk.ends(0, &format!("{words} --threads {threads}")));
        assert_eq!((&said["after"]["steps"], &said["after"]["peers"]), (&0.into(), &1.into()));
        assert!(said["before"]["steps"].as_u64() > Some(20) && said["complete"] == true, "{said}");
        (said["runs"].clone(), desk.text(&format!("{threads}.json")))
    };
    let alone = shrunk("1");
    assert_eq!(alone, shrunk("3"));
    assert!(
        alone.1.contains("\\\"expectation of the plan\\\" does not hold at ada."),
        "{}",
        alone.1
    );
    let said = desk.ends(1, "scenario 1.json");
    assert!(said.contains("failed: expectation of the plan"), "{said}");
}

#[test]
fn a_spent_budget_keeps_the_best_so_far_and_says_so() {
    let desk = Desk::new();
    let said = desk.ends(0, "shrink 5 --edits 40 --canary --runs 1 --out best.json");
    assert!(said.contains("  1 run in ") && said.contains("; not finished\n"), "{said}");
    desk.ends(1, "scenario best.json");
}

#[test]
fn a_plan_that_holds_is_not_shrunk() {
    let desk = Desk::new();
    let said = desk.ends(4, "shrink 5 --edits 40");
    assert!(said.contains("nothing is shrunk: expected a plan that fails"), "{said}");
    assert!(desk.files("target").is_empty());
}

#[test]
fn shards_merge_to_what_one_sweep_reports() {
    let desk = Desk::new();
    let sweep = "run --seeds 6 --edits 40 --canary --no-capsules";
    let whole = desk.ends(1, &format!("{sweep} --json"));
    let whole = json(whole.lines().last().unwrap());
    desk.ends(1, &format!("{sweep} --shard 1/2 --report one.json"));
    desk.ends(1, &format!("{sweep} --shard 2/2 --report two.json"));
    let merged = json(&desk.ends(1, "merge two.json one.json --json --junit all.xml"));
    for field in ["seeds", "failed", "operations", "messages", "virtual_ms", "counts", "failures"] {
        assert_eq!(merged["summary"][field], whole["summary"][field], "{field}");
    }
    let xml = desk.text("all.xml");
    assert!(xml.contains("6 seeds, first 0x0, soonest "), "{xml}");
}

#[test]
fn reports_that_do_not_fit_exit_2() {
    let desk = Desk::new();
    desk.ends(0, "run --first-seed 3 --seeds 4 --edits 40 --report all.json");
    desk.ends(0, "run --first-seed 3 --seeds 2 --edits 40 --shard 2/2 --report half.json");
    desk.ends(0, "run --seeds 2 --edits 41 --first-seed 9 --report other.json");
    let another = desk.refused("merge all.json half.json");
    assert!(another.contains("half.json: found a sweep of 2 seeds"), "{another}");
    let other = desk.refused("merge all.json other.json");
    assert!(other.contains("other.json: found flags \" --edits 41\""), "{other}");
    assert!(desk.refused("merge none.json").contains("none.json: cannot be read"));
    assert!(desk.refused("merge").contains("REPORT"));
}

#[test]
fn a_sweep_takes_as_long_as_it_is_told() {
    let desk = Desk::new();
    let said = desk.ends(0, "run --for 1s --edits 40 --profile calm --json --first-seed 0x100");
    let summary = json(said.lines().last().unwrap());
    let seconds = summary["summary"]["seconds"].as_f64().unwrap();
    assert!((1.0..60.0).contains(&seconds), "{seconds}");
    assert_eq!(summary["summary"]["interrupted"], false);
    assert_eq!(json(said.lines().next().unwrap())["seed"], "0x100");
}

#[test]
fn what_runs_cost_is_told_for_each_count_of_peers_and_drawn() {
    let desk = Desk::new();
    let said = desk.ends(0, "scale --peers 2,4 --edits 20 --json --svg cost.svg");
    let costs: Vec<Value> = said.lines().map(json).collect();
    assert_eq!(costs.iter().map(|cost| &cost["peers"]).collect::<Vec<_>>(), [2, 4]);
    for cost in &costs {
        assert!(cost["frames"].as_u64() > Some(0) && cost["outcome"] == "held", "{cost}");
        assert!(cost["cpu_ms_per_virtual_second"].as_f64() > Some(0.0), "{cost}");
    }
    let picture = desk.text("cost.svg");
    assert!(picture.starts_with("<svg") && picture.contains("measured"), "{picture}");
    assert!(desk.ends(0, "scale --peers 3 --edits 20").contains("rounds"));
    assert!(desk.refused("scale --peers 2,1").contains("a whole number from 2 to 1000"));
    assert!(desk.refused("scale --peers 2 --edits 5 --svg cost.svg/in").contains("cost.svg/in: "));
}

#[test]
fn wrong_flags_say_what_was_expected() {
    let desk = Desk::new();
    assert!(desk.refused("run --shard 3/2").contains("such as 1/8"));
    assert!(desk.refused("run --for soon").contains("such as 90s, 10m"));
    assert!(desk.refused("run --seeds 2 --shard 3/3").contains("at least 3"));
    assert!(desk.refused("run --annotations gitlab").contains("github"));
    assert!(desk.refused("shrink 1 --runs 0").contains("a whole number from 1"));
    assert!(desk.refused("run --seeds 1 --junit .").contains("cannot be written"));
}

#[test]
fn annotations_go_to_standard_error_and_only_if_wanted() {
    let desk = Desk::new();
    let sweep = "run --seed 5 --edits 40 --canary --no-capsules --json";
    assert!(desk.run(sweep).stderr.is_empty());
    let said = desk.run(&format!("{sweep} --annotations github")).stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.starts_with("::error title=expectation of the plan (") && said.lines().count() == 1
    );
}

#[test]
fn two_processes_run_seeds_alike() {
    let said = Desk::new().ends(0, "determinism --seeds 3 --edits 40");
    assert_eq!(said, "3 seeds ran alike in two processes\n");
}

/// A second build of the program, of which `change`, a command of sed, alters what it prints.
#[cfg(unix)]
fn other_build(desk: &Desk, change: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let this = Path::new(env!("CARGO_BIN_EXE_graphshell-sim"));
    let script = format!("#!/bin/sh\n'{}' \"$@\" | sed '{change}'\n", this.display());
    std::fs::write(desk.path("other"), script).unwrap();
    std::fs::set_permissions(desk.path("other"), std::fs::Permissions::from_mode(0o755)).unwrap();
    desk.path("other").to_str().unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn a_build_that_runs_otherwise_exits_3_and_the_first_event_is_named() {
    let desk = Desk::new();
    let change = r#"s/"trace_hash":"[0-9a-f]*"/"trace_hash":"x"/; s/the plan begins/it starts/"#;
    let other = other_build(&desk, change);
    let said = desk.ends(3, &format!("determinism --seeds 2 --edits 40 --against {other}"));
    assert!(said.starts_with("seed 0x0 --edits 40  not deterministic\n"), "{said}");
    assert!(said.contains("is the first that differs"), "{said}");
    assert!(said.contains("  first     0.000 s    the plan begins\n"), "{said}");
    assert!(said.contains("  second    0.000 s    it starts\n"), "{said}");
    assert!(said.ends_with("  replay    cargo sim replay 0x0 --edits 40 --verbose\n"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_second_program_that_is_none_exits_2() {
    let desk = Desk::new();
    assert!(desk.refused("determinism --seeds 1 --against ./none").contains("cannot be started"));
    let other = other_build(&desk, "s/{/(/");
    let said = desk.refused(&format!("determinism --seeds 1 --edits 40 --against {other}"));
    assert!(said.contains("expected a JSON object per line"), "{said}");
}
