//! Every scenario file is a test of its own, by name; each must hold, and run alike twice.

use std::path::{Path, PathBuf};

use graphshell_sim::generate::{self, Shape};
use graphshell_sim::plan::Plan;
use graphshell_sim::world::{self, Options, Run, Verdict};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = vec![
        Trial::test("same_plan_same_hash", same_plan_same_hash),
        Trial::test("story_changes_no_hash", story_changes_no_hash),
    ];
    for file in files() {
        let name = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        trials.push(Trial::test(format!("scenario::{name}"), move || scenario(&file)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// The scenario files, by name.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    assert!(!files.is_empty(), "{}: no scenarios", folder.display());
    files.sort();
    files
}

fn scenario(file: &Path) -> Result<(), Failed> {
    let plan = Plan::from_json(&std::fs::read_to_string(file)?, &file.display().to_string())?;
    let run = world::run(&plan, &Options { keep_events: true, ..Options::default() });
    let told = || run.story.iter().map(|line| format!("{line}\n")).collect::<String>();
    match &run.verdict {
        Verdict::Held => same(&run, &world::run(&plan, &Options::default())),
        Verdict::Failed(failure) => Err(format!("{}\n{failure:#?}", told()).into()),
        Verdict::Invalid(reason) => Err(format!("the run proved nothing: {reason}").into()),
    }
}

fn same(first: &Run, second: &Run) -> Result<(), Failed> {
    if first.trace_hash == second.trace_hash {
        return Ok(());
    }
    Err(format!("two runs differ: {} and {}", first.trace_hash, second.trace_hash).into())
}

fn same_plan_same_hash() -> Result<(), Failed> {
    for seed in 0..4 {
        let plan = generate::plan(seed, &Shape::default());
        same(
            &world::run(&plan, &Options::default()),
            &world::run(&plan.clone(), &Options::default()),
        )?;
    }
    Ok(())
}

fn story_changes_no_hash() -> Result<(), Failed> {
    let plan = generate::plan(4, &Shape::default());
    let told = world::run(&plan, &Options { keep_events: true, ..Options::default() });
    let silent = world::run(&plan, &Options::default());
    if told.story.is_empty() || !silent.story.is_empty() {
        return Err("the story is kept if it is asked for, and only then".into());
    }
    same(&told, &silent)
}
