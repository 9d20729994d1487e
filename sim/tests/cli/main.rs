//! The program as scripts and CI see it: exit codes, output, determinism across processes.

mod interrupts;
mod outputs;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn sim(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graphshell-sim"));
    command.args(args).stdin(Stdio::null());
    // Where these tests run, and which seeds are meant to fail, is no matter of the program.
    command.env_remove("GITHUB_ACTIONS");
    command
}

fn output(args: &[&str]) -> Output {
    sim(args).output().unwrap()
}

/// What the program prints when all is well.
fn held(args: &[&str]) -> String {
    let output = output(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the program says when it refuses.
fn refused(args: &[&str]) -> String {
    let output = output(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{args:?}: only data goes to standard output");
    String::from_utf8(output.stderr).unwrap()
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A file in a folder of its own.
fn file(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn same_seed_same_hash_in_two_processes() {
    let once = held(&["replay", "0x2a", "--json", "--verbose"]);
    assert_eq!(once, held(&["replay", "42", "--json", "--verbose"]));
}

#[test]
fn a_sweep_and_a_replay_say_the_same_of_a_seed() {
    let sweep = held(&["run", "--first-seed", "0x2a", "--seeds", "1", "--edits", "40", "--json"]);
    let replay = held(&["replay", "42", "--edits", "40", "--json"]);
    assert_eq!(sweep.lines().next(), replay.lines().next());
    assert_eq!(replay.lines().count(), 1);
}

#[test]
fn thread_count_does_not_change_results() {
    let seeds = |threads| {
        let args = [
            "run",
            "--first-seed",
            "3",
            "--seeds",
            "8",
            "--edits",
            "40",
            "--json",
            "--threads",
            threads,
        ];
        let lines = held(&args);
        let mut lines: Vec<String> = lines.lines().map(str::to_owned).collect();
        lines.pop();
        lines
    };
    let alone = seeds("1");
    assert_eq!(alone.len(), 8);
    assert_eq!(alone, seeds("4"));
}

#[test]
fn json_last_line_is_summary() {
    let lines = held(&["run", "--first-seed", "3", "--seeds", "3", "--edits", "40", "--json"]);
    let lines: Vec<Value> = lines.lines().map(json).collect();
    let (summary, seeds) = lines.split_last().unwrap();
    for (n, seed) in seeds.iter().enumerate() {
        assert_eq!(seed["seed"], format!("{:#x}", n + 3));
        assert_eq!(seed["verdict"], "held");
        assert!(seed["trace_hash"].is_string());
        for count in ["virtual_ms", "operations", "messages"] {
            assert!(seed[count].is_u64(), "{count}: {seed}");
        }
    }
    assert_eq!(summary["summary"]["seeds"], 3);
    assert_eq!(summary["summary"]["held"], 3);
    let sum: u64 = seeds.iter().filter_map(|seed| seed["messages"].as_u64()).sum();
    assert_eq!(summary["summary"]["messages"], sum);
}

#[test]
fn only_data_goes_to_standard_output() {
    let output = output(&["run", "--seeds", "2", "--edits", "40"]);
    assert!(output.stderr.is_empty(), "no terminal, no progress bar: {output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    for row in ["seeds", "held", "seeds/s", "virtual : real", "operations", "messages"] {
        assert!(table.contains(row), "{row}: {table}");
    }
    assert!(!table.contains('\u{1b}'), "no colour where there is no terminal");
}

#[test]
fn few_seeds_are_not_blamed_for_rare_events() {
    let said = held(&["run", "--seeds", "2", "--no-capsules"]);
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("not reached: ") && last.ends_with("in 200 seeds or more"), "{said}");
}

#[test]
fn bad_flag_exits_2() {
    assert!(refused(&["run", "--sedes", "3"]).contains("--seeds"));
    assert!(refused(&["run", "--seeds", "0"]).contains("--seeds"));
    assert!(refused(&["run", "--peers", "1"]).contains("a whole number from 2 to 1000"));
    assert!(refused(&["replay", "0xzz"]).contains("hexadecimal"));
    for more in [&[][..], &["--seeds", "3"], &["--first-seed", "3"], &["--for", "1s"]] {
        let said = refused(&[&["run", "--print-plan"], more].concat());
        assert!(said.contains("--seed") || said.contains("cannot be used with"), "{said}");
    }
    assert!(refused(&["scenario"]).contains("FILE"));
    let past = refused(&["run", "--first-seed", "0xffffffffffffffff", "--seeds", "2"]);
    assert!(past.contains("0xffffffffffffffff"), "{past}");
}

#[test]
fn a_sweep_that_fails_fast_ends_with_its_first_failing_seed() {
    let args = ["run", "--seeds", "1000000", "--edits", "40", "--canary", "--fail-fast", "--json"];
    let failed = output(&[&args[..], &["--no-capsules"]].concat());
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let said = String::from_utf8(failed.stdout).unwrap();
    let lines: Vec<Value> = said.lines().map(json).collect();
    let [seed, summary] = &lines[..] else { panic!("{said}") };
    assert_eq!((&seed["seed"], &seed["verdict"]), (&"0x0".into(), &"failed".into()));
    assert_eq!(summary["summary"]["interrupted"], false);
}

#[test]
fn a_sweep_that_reaches_too_little_is_an_error_in_junit_too() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("sweep.xml");
    let sweep = ["run", "--seed", "0x2a", "--edits", "40", "--no-capsules"];
    let junit_of = |more: &[&str], code| {
        let done = output(&[&sweep[..], &["--junit", text(&junit)], more].concat());
        assert_eq!(done.status.code(), Some(code), "{done:?}");
        std::fs::read_to_string(&junit).unwrap()
    };
    assert!(!junit_of(&[], 0).contains("<error"));
    let xml = junit_of(&["--demand-probes"], 4);
    assert!(xml.contains("<error message=\"too little was proved; --demand-probes wants"), "{xml}");
}

#[test]
fn a_recording_is_only_replayed_and_explained() {
    let (_folder, path) = file("ada-1.gsrec", "GSYNCREC and more");
    for command in ["shrink", "scenario"] {
        let said = refused(&[command, text(&path)]);
        let expected = "is a recording, which only `cargo sim replay` and `explain` play";
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("or a recording"), "{said}");
    }
    for command in ["replay", "explain"] {
        let said = refused(&[command, text(&path), "--peers", "3"]);
        assert!(said.contains("--peers 3"), "{said}");
    }
    assert!(refused(&["replay", "no/such/file.json"]).contains("or a recording"));
}

#[test]
fn what_does_not_shrink_is_a_json_object_too() {
    let held = output(&["shrink", "0x2a", "--edits", "40", "--json"]);
    assert_eq!(held.status.code(), Some(4), "{held:?}");
    let told = json(&String::from_utf8(held.stdout).unwrap());
    assert_eq!((&told["seed"], &told["verdict"]), (&"0x2a".into(), &"held".into()));
}

#[test]
fn a_report_is_not_run_and_what_is_no_json_says_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    held(&["run", "--seed", "0x2a", "--edits", "40", "--report", text(&report)]);
    let (_folder, broken) = file("broken.json", "{ \"why\": ");
    for command in ["replay", "explain", "shrink", "scenario"] {
        let said = refused(&[command, text(&report)]);
        assert!(
            said.contains("is the report of a sweep, which `cargo sim merge` adds up"),
            "{said}"
        );
        let said = refused(&[command, text(&broken)]);
        assert!(said.contains("line 1 column") && said.contains("; expected a scenario"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_plan_may_come_out_of_a_pipe() {
    let plan = held(&["run", "--seed", "7", "--edits", "40", "--print-plan"]);
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for command in [&["replay"][..], &["explain", "--text"]] {
        std::thread::scope(|scope| {
            scope.spawn(|| std::fs::write(&pipe, &plan).unwrap());
            assert!(!held(&[command, &[text(&pipe)]].concat()).is_empty());
        });
    }
}

#[test]
fn a_score_wants_a_checkout_and_bugs_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let outside = sim(&["score", "--check"]).current_dir(&folder).output().unwrap();
    assert_eq!(outside.status.code(), Some(2), "{outside:?}");
    let said = String::from_utf8(outside.stderr).unwrap();
    assert!(said.contains("within a git checkout") || said.contains("cannot be started"), "{said}");
    assert!(refused(&["score", "--only"]).contains("--only"));
    assert!(refused(&["score", "--demand", "101"]).contains("from 0 to 100"));
    assert!(refused(&["score", "--check", "--list"]).contains("--list"));
}

#[test]
fn a_patch_that_does_not_apply_stands_in_nobody_elses_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    if !root.join(".git").exists() {
        return;
    }
    let planted = std::fs::read_dir(root.join("sim/planted")).unwrap();
    let good = planted
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "patch"));
    let (folder, bad) = file("bad.patch", &std::fs::read_to_string(good.unwrap()).unwrap());
    std::fs::copy(&bad, folder.path().join("good.patch")).unwrap();
    let text_of_bad = std::fs::read_to_string(&bad).unwrap();
    std::fs::write(&bad, text_of_bad.replace("\n-  ", "\n-never there  ")).unwrap();
    let score = |more: &[&str]| {
        let args = [&["score", "--patches", text(folder.path())], more].concat();
        let done = sim(&args).current_dir(root).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    assert_eq!(score(&["--check", "--only", "good"]), (Some(0), String::new()));
    assert_eq!(score(&["--list"]), (Some(0), String::new()));
    let (code, said) = score(&["--check"]);
    assert!(code == Some(2) && said.contains("bad.patch does not apply"), "{said}");
}

#[test]
fn missing_file_exits_2_and_names_it() {
    let said = refused(&["scenario", "no/such/scenario.json", "nor/this.json"]);
    assert!(said.contains("no/such/scenario.json") && said.contains("nor/this.json"), "{said}");
    assert!(said.contains("expected a scenario file"), "{said}");
}

#[test]
fn what_is_no_scenario_exits_2_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(&["scenario", text(folder.path())]).contains("is a directory"));
    let (_folder, empty) = file("empty.json", " \n");
    assert!(refused(&["scenario", text(&empty)]).contains("empty.json: is empty"));
    let (_folder, broken) = file("broken.json", "{\n  \"why\": 7\n}");
    let said = refused(&["scenario", text(&broken)]);
    assert!(said.contains("broken.json"), "{said}");
    assert!(said.contains("2:10") || said.contains("line 2 column 10"), "{said}");
}

#[test]
fn print_plan_round_trips_through_scenario() {
    let plan = held(&["run", "--seed", "7", "--edits", "40", "--print-plan"]);
    let (_folder, path) = file("seven.json", &plan);
    let seed = json(&held(&["replay", "7", "--edits", "40", "--json"]));
    let scenario = held(&["scenario", text(&path), "--json"]);
    let scenario = json(scenario.lines().next().unwrap());
    assert_eq!(scenario["trace_hash"], seed["trace_hash"]);
    assert_eq!(scenario["scenario"], "seven");
    assert!(held(&["scenario", text(&path)]).starts_with("ok  seven  (virtual "));
}

#[test]
fn a_false_expectation_exits_1_and_says_how_to_replay() {
    let mut plan = json(&held(&["run", "--seed", "7", "--edits", "40", "--print-plan"]));
    plan["expect"] = json(r#"[{ "that": [{ "is": "node_count", "count": 1000000 }] }]"#);
    let (_folder, path) = file("false.json", &plan.to_string());
    let failed = output(&["scenario", text(&path)]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let said = String::from_utf8(failed.stdout).unwrap();
    assert!(said.starts_with("false  failed: "), "{said}");
    let replay = format!("  replay      cargo sim scenario {} --verbose\n", path.display());
    assert!(said.ends_with(&replay), "{said}");
    let record = output(&["scenario", text(&path), "--json"]);
    assert_eq!(record.status.code(), Some(1), "{record:?}");
    let record = String::from_utf8(record.stdout).unwrap();
    let record = json(record.lines().next().unwrap());
    for field in ["property", "peers", "operations_concerned", "failed_at_ms", "detail", "replay"] {
        assert!(!record[field].is_null(), "{field}: {record}");
    }
}

#[test]
fn a_scenario_that_fails_is_told_to_ci_and_the_next_one_runs() {
    let plan = held(&["run", "--seed", "7", "--edits", "40", "--print-plan"]);
    let (folder, holds) = file("holds.json", &plan);
    let mut plan = json(&plan);
    plan["expect"] = json(r#"[{ "that": [{ "is": "node_count", "count": 1000000 }] }]"#);
    let (fails, junit) = (folder.path().join("fails.json"), folder.path().join("scenarios.xml"));
    std::fs::write(&fails, plan.to_string()).unwrap();
    let ci = ["--annotations", "github", "--junit", text(&junit)];
    let done = output(&[&["scenario", text(&fails), text(&holds)], &ci[..]].concat());
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(String::from_utf8(done.stdout).unwrap().contains("ok  holds  ("));
    let noted = String::from_utf8(done.stderr).unwrap();
    let begins = format!("::error file={},title=fails%3A ", fails.display());
    assert!(noted.starts_with(&begins) && noted.lines().count() == 1, "{noted}");
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("tests=\"2\"") && xml.contains("failures=\"1\""), "{xml}");
}

#[test]
fn every_line_of_a_story_begins_with_virtual_time() {
    let told = held(&["replay", "0x2a", "--edits", "40", "--verbose"]);
    let (story, rest) = told.split_once("\n\n").unwrap();
    let (faults, verdict) = rest.split_once("\n\n").unwrap();
    assert!(faults.lines().all(|line| line.starts_with("fault  ")), "{faults}");
    for line in story.lines() {
        let time = line.split_once(" s ").map(|(time, _)| time.trim_start());
        assert!(time.is_some_and(|time| time.parse::<f64>().is_ok()), "{line}");
    }
    assert!(story.lines().count() >= 10);
    assert!(verdict.starts_with("seed 0x2a --edits 40  held\n"), "{verdict}");
}

#[test]
fn closed_pipe_is_quiet() {
    let args = ["run", "--first-seed", "3", "--edits", "40", "--seeds", "1000000", "--json"];
    let mut child = sim(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    // The reader, and with it the pipe, is gone after the first line.
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(json(&first)["seed"], "0x3");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
}
