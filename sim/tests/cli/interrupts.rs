//! Ctrl-C and requests to terminate: what was finished is told.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::{file, held, json, sim, text};

/// Lets the program begin, interrupts it after its first line, and returns all lines.
fn interrupted(args: &[&str]) -> Vec<String> {
    let mut child = sim(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut told = vec![lines.next().unwrap()];
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    told.extend(lines);
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told:?}");
    told
}

#[test]
fn interrupted_scenarios_and_measurements_tell_what_was_finished() {
    let plan = held(&["run", "--seed", "7", "--edits", "40", "--print-plan"]);
    let (_folder, path) = file("seven.json", &plan);
    let mut many = vec!["scenario", "--json"];
    many.resize(2_000, text(&path));
    let told = interrupted(&many);
    let summary = &json(told.last().unwrap())["summary"];
    assert_eq!((&summary["interrupted"], &summary["exit_code"]), (&true.into(), &130.into()));
    assert_eq!(summary["seeds"], told.len() as u64 - 1);
    let told = interrupted(&["scale", "--json", "--peers", "2,30,30,30,30,30,30,30,30"]);
    assert!(told.iter().all(|line| json(line)["outcome"] == "held"), "{told:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn interrupted_processes_are_compared_as_far_as_they_came() {
    let args = ["determinism", "--seeds", "1000000", "--edits", "40"];
    let mut command = sim(&args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    let children = format!("/proc/{pid}/task/{pid}/children");
    // It listens before it starts a process.
    while std::fs::read_to_string(&children).unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(said.ends_with("interrupted after 0 of 1000000 seeds\n"), "{said}");
}

#[test]
fn an_interrupted_sweep_reports_what_it_finished_and_exits_130() {
    ["-INT", "-TERM"].into_iter().for_each(is_reported_after);
}

fn is_reported_after(signal: &str) {
    let args = ["run", "--seeds", "1000000", "--edits", "40", "--json"];
    let mut child = sim(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut seeds = vec![lines.next().unwrap()];
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    seeds.extend(lines);
    let summary = json(&seeds.pop().unwrap());
    assert_eq!(summary["summary"]["seeds"], seeds.len() as u64);
    assert_eq!(summary["summary"]["interrupted"], true);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
}
