//! Planted bugs stay what they are: each patch describes a bug and applies to the engine as it is.

use std::path::Path;
use std::process::{Command, Output};

use graphshell_sim::planted::{Area, Bug};

fn root() -> &'static Path {
    let sim = Path::new(env!("CARGO_MANIFEST_DIR"));
    sim.parent().expect("the simulator lies in the workspace")
}

/// Names and texts of all files of the folder, by name.
fn patches() -> Vec<(String, String)> {
    let folder = root().join("sim/planted");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut patches: Vec<(String, String)> = files
        .map(|file| {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path);
            let text = text.unwrap_or_else(|error| panic!("{path:?}: {error}"));
            (path.file_name().unwrap().to_string_lossy().into_owned(), text)
        })
        .collect();
    patches.sort();
    patches
}

fn git(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new("git").current_dir(root()).args(arguments).output()
}

#[test]
fn every_patch_describes_a_bug() {
    let mut areas = std::collections::BTreeMap::new();
    let mut problems = Vec::new();
    for (name, text) in patches() {
        match Bug::read(&text) {
            Err(flaw) => problems.push(format!("sim/planted/{name}: {flaw}")),
            Ok(_) if !name.ends_with(".patch") => {
                problems.push(format!("sim/planted/{name}: expected the ending .patch"));
            }
            Ok(bug) => *areas.entry(bug.area).or_insert(0) += 1,
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for area in Area::ALL {
        assert!(areas.contains_key(&area), "no planted bug of the area {area}");
    }
    assert!(areas.values().sum::<i32>() >= 40, "fewer than 40 planted bugs: {areas:?}");
}

#[test]
fn every_patch_applies() {
    match git(&["rev-parse", "--show-toplevel"]) {
        Err(error) => return println!("skipped: git cannot be started: {error}"),
        Ok(found) if !found.status.success() => {
            return println!("skipped: {} is no git checkout", root().display());
        }
        Ok(_) => {}
    }
    let mut problems = Vec::new();
    for (name, _) in patches() {
        let checked = git(&["apply", "--check", &format!("sim/planted/{name}")]).unwrap();
        if !checked.status.success() {
            let why = String::from_utf8_lossy(&checked.stderr);
            problems.push(format!("sim/planted/{name} does not apply any more:\n{why}"));
        }
    }
    assert!(
        problems.is_empty(),
        "{}\nTo mend a patch, make the change that its header describes to the engine as it is now, \
         put the output of `git diff` behind the header, take the change back, and see that \
         `cargo sim score --only NAME` still catches it.",
        problems.join("\n")
    );
}
