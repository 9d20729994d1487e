//! What no compiler checks: that prose, layout and manifests agree with each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, in lines.
const MAX_LINES: usize = 500;

/// Commands that the README shows and `.ci/run` leaves out, with what stands in for them there.
const CHECKED_OTHERWISE: &[(&str, &str)] = &[
    // More is asked of it.
    ("cargo sim run", "cargo sim run --demand-probes"),
    // The same flags in fewer runs: the default sweep and the nightly shards.
    ("cargo sim run --seeds 1000 --peers 12 --json", "cargo sim run --demand-probes"),
    // Other seeds.
    ("cargo sim explain 0x2a", "cargo sim explain 0x0 --canary --text"),
    ("cargo sim run --seeds 10", "cargo sim run --demand-probes"),
    ("cargo sim replay 0x0 --verbose", "cargo sim replay 0x2a --verbose"),
    // A seed that fails without a bug in the engine.
    ("cargo sim shrink 0x0", "cargo sim shrink 0x0 --canary"),
    ("cargo sim explain 0x0", "cargo sim explain 0x0 --canary --text"),
    ("cargo sim explain 0x0 --text", "cargo sim explain 0x0 --canary --text"),
    // More features of the same package.
    (
        "cargo test --package graphshell-sync --features store",
        "cargo test --package graphshell-sync --features peer,relay-tests",
    ),
    // Its tests build it, and start it.
    (
        "cargo install --path engine --features peer",
        "cargo test --package graphshell-sync --features peer,relay-tests",
    ),
    // Compiled only: what it measures depends on the machine.
    (
        "cargo bench --package graphshell-benches",
        "cargo bench --package graphshell-benches --features store --no-run --profile sim",
    ),
    (
        "cargo sim run --find 'logs compacted'",
        "cargo sim run --find 'logs compacted' --no-capsules --annotations none",
    ),
    (
        "cargo bench --package graphshell-benches --features store --bench store",
        "cargo bench --package graphshell-benches --features store --no-run --profile sim",
    ),
];

fn root() -> PathBuf {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR"));
    engine.parent().expect("the engine lies in the workspace").to_path_buf()
}

/// Every file of the workspace relative to its root, with `/`, in a fixed order. What version
/// control is told to leave out stays out.
fn files() -> Vec<String> {
    let ignored = read(".gitignore");
    let ignored: BTreeSet<&str> =
        ignored.lines().filter_map(|line| line.strip_prefix('/')).chain([".git"]).collect();
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("the workspace can be listed") {
            let entry = entry.expect("the workspace can be listed");
            let name = entry.file_name().into_string().expect("file names are UTF-8");
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if ignored.contains(path.as_str()) {
                continue;
            }
            match entry.file_type().expect("a file has a type").is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The file's text; `None` if it is not text.
fn text(path: &str) -> Option<String> {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8(bytes).ok()
}

fn assert_none(problems: Vec<String>, rule: &str) {
    assert!(problems.is_empty(), "{rule}:\n  {}", problems.join("\n  "));
}

#[test]
fn no_source_file_is_too_long() {
    let sources = files().into_iter().filter(|path| path.ends_with(".rs"));
    let long = sources.filter_map(|path| {
        let lines = read(&path).lines().count();
        (lines > MAX_LINES).then(|| format!("{path} has {lines} lines"))
    });
    assert_none(long.collect(), "at most 500 lines, one idea per file");
}

#[test]
fn architecture_names_only_what_exists() {
    let files = files();
    for package in ["engine", "sim"] {
        let document = format!("{package}/ARCHITECTURE.md");
        let named = paths_named_in(&read(&document));
        assert!(!named.is_empty(), "{document} names no file and no folder");
        let missing =
            named.into_iter().filter(|name| !files.iter().any(|path| lies_at(path, name)));
        assert_none(
            missing.map(|name| format!("{document} names {name}")).collect(),
            "an architecture document names only files and folders that exist",
        );
    }
}

/// Words that end like a source file (`.rs`) or a folder (`/`).
fn paths_named_in(prose: &str) -> BTreeSet<String> {
    let part_of_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let words = prose.split(|c: char| !(part_of_path(c) || c == ':'));
    let words = words.filter(|word| !word.contains("//") && !word.starts_with('/'));
    let words = words.map(|word| word.trim_end_matches(['.', ':']));
    let paths =
        words.filter(|word| word.len() > 1 && (word.ends_with(".rs") || word.ends_with('/')));
    paths.map(|path| path.trim_start_matches("./").to_owned()).collect()
}

/// Whether the file `path` is what `name` names, or lies in it: `name` is an end of its path, or
/// of the path of a folder that holds it.
fn lies_at(path: &str, name: &str) -> bool {
    match name.ends_with('/') {
        true => path.starts_with(name) || path.contains(&format!("/{name}")),
        false => path == name || path.ends_with(&format!("/{name}")),
    }
}

#[test]
fn every_command_in_the_readme_is_checked() {
    let script = read(".ci/run");
    let run: BTreeSet<&str> =
        script.lines().filter_map(|line| Some(&line[line.find("cargo ")?..])).collect();
    for (shown, instead) in CHECKED_OTHERWISE {
        assert!(run.contains(instead), ".ci/run lacks {instead:?}, which stands in for {shown:?}");
    }
    let readme = read("README.md");
    let shown = commands_in(&readme);
    for promised in ["cargo test", "cargo sim run"] {
        assert!(shown.contains(promised), "README.md shows no {promised:?}");
    }
    let known = |command: &&str| {
        run.contains(command) || CHECKED_OTHERWISE.iter().any(|(shown, _)| shown == command)
    };
    assert_none(
        shown.into_iter().filter(|command| !known(command)).map(str::to_owned).collect(),
        "every command that the README shows is run by .ci/run",
    );
}

/// The cargo commands in the code blocks of a document, without prompts and comments.
fn commands_in(document: &str) -> BTreeSet<&str> {
    let mut commands = BTreeSet::new();
    let mut fenced = false;
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            let line = line.split(" #").next().unwrap_or(line).trim();
            let line = line.strip_prefix("$ ").unwrap_or(line);
            commands.extend(line.starts_with("cargo ").then_some(line));
        }
    }
    commands
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    let roots = ["home", "Users", "root", "work", "tmp", "mnt"].map(|root| format!("/{root}/"));
    let mut problems = Vec::new();
    for path in files() {
        let Some(text) = text(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let named = roots.iter().any(|root| {
                // Within an address or a longer path it is no root.
                let begins = |at: usize| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}/".contains(c))
                };
                line.match_indices(root.as_str()).any(|(at, _)| begins(at))
            });
            if named || line.contains(":\\Users\\") {
                problems.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none(problems, "no absolute path of a machine");
}

#[test]
fn every_dependency_says_why() {
    let mut problems = Vec::new();
    for manifest in files().into_iter().filter(|path| path.ends_with("Cargo.toml")) {
        let (mut among_dependencies, mut before) = (false, "");
        let text = read(&manifest);
        for line in text.lines() {
            if line.starts_with('[') {
                // Those of the workspace's table are its own packages.
                among_dependencies =
                    line.ends_with("dependencies]") && line != "[workspace.dependencies]";
            }
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            let depends = among_dependencies
                && line.contains('=')
                && name.starts_with(|c: char| c.is_ascii_alphabetic())
                && !name.starts_with("graphshell-");
            if depends && !before.starts_with('#') {
                problems.push(format!("{manifest}: {name}"));
            }
            before = line;
        }
    }
    assert_none(problems, "the line before a dependency is a comment that says why it is needed");
}

#[test]
fn paths_and_commands_are_found_in_prose() {
    let prose = "`state/` and (state/merge.rs), src/lib.rs. Not https://a.b/c/ and /etc/ or a/b.";
    let expected = ["src/lib.rs", "state/", "state/merge.rs"];
    assert_eq!(paths_named_in(prose), expected.map(str::to_owned).into());
    assert!(lies_at("engine/src/state/merge.rs", "state/merge.rs"));
    assert!(lies_at("engine/src/state/merge.rs", "state/"));
    assert!(!lies_at("engine/src/state/merge.rs", "tate/"));
    assert!(!lies_at("engine/src/estate/merge.rs", "state/merge.rs"));
    let document = "cargo no\n```sh\n$ cargo one  # why\ncargo two -x\n```\n    cargo three\n";
    assert_eq!(commands_in(document), ["cargo one", "cargo three", "cargo two -x"].into());
}
