//! The files that other systems run sweeps from: they are what they should be, and so are the
//! commands in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use saphyr::{LoadableYamlNode, Yaml};

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The only document in the text.
fn yaml(text: &str) -> Yaml<'_> {
    let mut documents = Yaml::load_from_str(text).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// Every text below a mapping's key of this name.
fn below<'a>(node: &'a Yaml<'_>, key: &str, found: &mut Vec<&'a str>) {
    for (name, value) in node.as_mapping().into_iter().flatten() {
        match value.as_str() {
            Some(text) if name.as_str() == Some(key) => found.push(text),
            _ => below(value, key, found),
        }
    }
    node.as_sequence().into_iter().flatten().for_each(|item| below(item, key, found));
}

#[test]
fn a_pod_of_the_indexed_job_runs_its_shard() {
    let text = text("examples/sweep-job.yaml");
    let job = yaml(&text);
    assert_eq!(job["kind"].as_str(), Some("Job"));
    let spec = &job["spec"];
    assert_eq!(spec["completionMode"].as_str(), Some("Indexed"));
    let shard = &spec["template"]["spec"]["containers"][0];
    let variables = shard["env"].as_sequence().unwrap().iter();
    let mut variables: Vec<(&str, String)> = variables
        .map(|variable| {
            (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap().into())
        })
        .collect();
    let shards = spec["completions"].as_integer().unwrap();
    assert!(variables.contains(&("SHARDS", shards.to_string())), "a shard for each completion");

    let folder = tempfile::tempdir().unwrap();
    for (name, value) in &mut variables {
        match *name {
            "TIME" => *value = "1s".to_owned(),
            "RESULTS" => *value = folder.path().to_str().unwrap().to_owned(),
            _ => {}
        }
    }
    let program = PathBuf::from(env!("CARGO_BIN_EXE_graphshell-sim"));
    let path =
        std::env::join_paths([program.parent().unwrap(), Path::new("/bin"), Path::new("/usr/bin")]);
    let command: Vec<&str> =
        shard["command"].as_sequence().unwrap().iter().filter_map(Yaml::as_str).collect();
    let done = Command::new(command[0])
        .args(&command[1..])
        .arg(shard["args"][0].as_str().unwrap())
        .envs(variables)
        .env("JOB_COMPLETION_INDEX", "15")
        .env("PATH", path.unwrap())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let report = std::fs::read_to_string(folder.path().join("report-15.json")).unwrap();
    assert!(report.contains("\"first\": \"0x202601010000000f\""), "{report}");
}

/// Runs the program on the words of a shell command, with plain values for what a shell would fill in,
/// and asks for help only.
fn is_understood(command: &str) {
    let words =
        command.split_whitespace().take_while(|word| !["&&", "||", ";", "done"].contains(word));
    let plain = |word: &str| match word {
        "\"$SHARD/8\"" => "1/8".to_owned(),
        "\"0x${GITHUB_SHA:0:12}\"" | "\"$first\"" => "0x2a".to_owned(),
        _ => word.trim_matches(['"', ';']).to_owned(),
    };
    let words: Vec<String> = words.map(plain).chain(["--help".to_owned()]).collect();
    let done = Command::new(env!("CARGO_BIN_EXE_graphshell-sim")).args(&words).output().unwrap();
    assert!(done.status.success(), "{words:?}: {done:?}");
}

#[test]
fn the_workflow_is_yaml_and_its_sweeps_are_understood() {
    let text = text("../.github/workflows/ci.yml");
    let workflow = yaml(&text);
    let mut scripts = Vec::new();
    below(&workflow, "run", &mut scripts);
    let joined: Vec<String> = scripts.iter().map(|script| script.replace("\\\n", " ")).collect();
    let lines = joined.iter().flat_map(|script| script.lines());
    let commands: Vec<&str> =
        lines.filter_map(|line| line.split_once("cargo sim ")).map(|(_, words)| words).collect();
    for command in ["run ", "scenario ", "determinism ", "shrink ", "merge "] {
        assert!(commands.iter().any(|line| line.starts_with(command)), "{command}: {commands:?}");
    }
    commands.into_iter().for_each(is_understood);
    let shards = &workflow["jobs"]["sweep"]["strategy"]["matrix"]["shard"];
    let shards: Vec<i64> =
        shards.as_sequence().unwrap().iter().filter_map(Yaml::as_integer).collect();
    assert_eq!(shards, (1..=8).collect::<Vec<i64>>(), "as many as the command says");
}
