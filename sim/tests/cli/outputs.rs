//! The files that a sweep leaves: reports, capsules, explanations.

use std::process::Output;

use serde_json::Value;

use super::{file, held, json, output, refused, sim, text};

/// A sweep that fails, with more arguments.
fn canary(more: &[&str]) -> Output {
    let sweep = ["run", "--seed", "0x2a", "--edits", "40", "--canary", "--json"];
    output(&[&sweep[..], more].concat())
}

/// The summary that a sweep ends with, which names the exit code of the process.
fn summary(sweep: &Output) -> Value {
    let said = String::from_utf8(sweep.stdout.clone()).unwrap();
    let summary = json(said.lines().last().unwrap())["summary"].clone();
    assert_eq!(summary["exit_code"].as_i64(), sweep.status.code().map(i64::from), "{sweep:?}");
    summary
}

#[test]
fn outputs_that_cannot_be_written_are_named_before_the_first_seed() {
    let (folder, file) = file("in-the-way", "");
    let (below, here) = (file.join("below"), folder.path());
    let outputs = ["--report", text(here), "--junit", text(&below), "--capsules", text(&file)];
    let args = [&["run", "--for", "1h"], &outputs[..], &["--explanations", text(&below)]].concat();
    let said = refused(&args);
    assert_eq!(said.matches("cannot be written").count(), 4, "{said}");
    for (command, flag) in [("explain", "--output"), ("shrink", "--out"), ("explain", "--perfetto")]
    {
        assert!(refused(&[command, "0x2a", flag, text(here)]).contains("cannot be written"));
    }
    assert!(refused(&["scale", "--svg", text(&below)]).contains("cannot be written"));
}

#[test]
fn one_output_that_cannot_be_written_leaves_the_others_and_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let all = |place: &str| {
        let outputs = ["capsules", "explanations", "report", "junit"];
        let named = outputs.map(|name| [format!("--{name}"), at(&format!("{place}-{name}"))]);
        canary(&named.iter().flatten().map(String::as_str).collect::<Vec<_>>())
    };
    let good = all("good");
    assert_eq!(good.status.code(), Some(1), "{good:?}");
    let example = &summary(&good)["failures"][0]["soonest"];
    let (capsule, page) = (example["capsule"].as_str().unwrap(), &example["explained"]);
    assert!(std::fs::read_to_string(page.as_str().unwrap()).unwrap().starts_with("<!"));
    let named = std::fs::read_to_string(at("good-report")).unwrap();
    assert!(named.contains("\"explained\": \"good-explanations/"), "{named}");
    let named = std::fs::read_to_string(at("good-junit")).unwrap();
    assert!(named.contains(page.as_str().unwrap()) && named.contains(capsule), "{named}");

    // Folders stand where files will be wanted that nobody can name beforehand.
    for file in [capsule, page.as_str().unwrap()] {
        std::fs::create_dir_all(file.replace("/good-", "/bad-")).unwrap();
    }
    let bad = all("bad");
    assert_eq!(bad.status.code(), Some(2), "{bad:?}");
    assert_eq!(String::from_utf8_lossy(&bad.stderr).matches("cannot be written").count(), 2);
    assert_eq!(summary(&bad)["failed"], 1);
    for name in ["bad-report", "bad-junit"] {
        assert!(std::fs::metadata(at(name)).unwrap().is_file());
    }
}

#[test]
fn shards_are_merged_when_all_are_there_and_of_one_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let shard = |name: &str, shard: &str, first: &str| {
        let path = folder.path().join(name);
        let sweep = ["run", "--seeds", "4", "--edits", "40", "--no-capsules"];
        let part = ["--shard", shard, "--first-seed", first, "--report", text(&path)];
        held(&[sweep, part].concat());
        path
    };
    let (one, two) = (shard("1.json", "1/2", "3"), shard("2.json", "2/2", "3"));
    let all = held(&["merge", text(&two), text(&one), "--json"]);
    let summary = &json(&all)["summary"];
    assert_eq!((&summary["seeds"], &summary["shards"]), (&4.into(), &2.into()));

    let lacking = output(&["merge", text(&one), "--json"]);
    assert_eq!(lacking.status.code(), Some(4), "{lacking:?}");
    let summary = &json(&String::from_utf8(lacking.stdout).unwrap())["summary"];
    assert_eq!(summary["exit_code"], 4);
    assert_eq!(summary["missing"], "shard 2 of 2 is missing");

    assert!(refused(&["merge", text(&one), text(&one)]).contains("found shard 1 of 2, which"));
    let other = shard("other.json", "2/2", "0x100");
    let said = refused(&["merge", text(&one), text(&other)]);
    assert!(said.contains("found a sweep of 4 seeds from 0x100 on in 2 shards"), "{said}");

    let both = folder.path().join("both");
    let said = refused(&[
        "merge",
        text(&two),
        text(&one),
        "--report",
        text(&both),
        "--junit",
        text(&both),
    ]);
    assert!(said.contains("found for two outputs"), "{said}");
    assert!(!both.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn what_standard_output_or_one_file_does_not_take_leaves_the_other_files() {
    let plan = held(&["run", "--seed", "7", "--edits", "40", "--print-plan"]);
    let (folder, plan) = file("seven.json", &plan);
    let at = |name: &str| folder.path().join(name);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (junit, svg, trace) = (at("all.xml"), at("cost.svg"), at("trace.json"));
    let explain = ["explain", text(&plan), "--output", "/dev/full", "--perfetto", text(&trace)];
    for (args, written, to_full) in [
        (&["scenario", text(&plan), text(&plan), "--junit", text(&junit)][..], &junit, true),
        (&["scale", "--peers", "2,3", "--edits", "9", "--svg", text(&svg)], &svg, true),
        (&explain, &trace, false),
        (&explain, &trace, true),
    ] {
        let _ = std::fs::remove_file(written);
        let mut command = sim(args);
        if to_full {
            command.stdout(full());
        }
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {said}");
        assert_eq!(said.contains("cannot write to standard output"), to_full, "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1 + usize::from(args == explain && to_full), "{said}");
        assert!(std::fs::metadata(written).unwrap().len() > 0, "{args:?}");
    }
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("tests=\"2\""), "{xml}");
}
