//! Reads the files that runs come from.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use graphshell_sim::capsule::{Capsule, CapsuleError};
use graphshell_sim::plan::{Plan, PlanError};

use graphshell_sync::limits::MAX_RECORDING_BYTES;
use graphshell_sync::recording::{RECORDING_MAGIC, Recording, RecordingError};

use super::subject::Subject;

/// Longest text that is read, in MiB; the printed plan of 300 edits has less than one.
const LONGEST_MIB: u64 = 64;

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It cannot be read.
    #[error("{file}: cannot be read: {reason}; expected {expected}")]
    Read { file: String, reason: io::Error, expected: &'static str },
    /// It is something else.
    #[error("{file}: {found}; expected {expected} of at most {most_mib} MiB")]
    Not { file: String, found: &'static str, expected: &'static str, most_mib: u64 },
    /// Its content is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Its content is no capsule.
    #[error("{file}: {flaw}")]
    Capsule { file: String, flaw: CapsuleError },
    /// Its content is a recording that cannot be played.
    #[error("{file}: {flaw}")]
    Recording { file: String, flaw: RecordingError },
    /// It cannot be written.
    #[error("{file}: cannot be written: {reason}")]
    Write { file: String, reason: io::Error },
}

const A_SCENARIO: &str = "a scenario file, a JSON object";
/// What shrinks.
pub(crate) const A_PLAN: &str = "a scenario file or a capsule, a JSON object";
/// What is replayed and explained.
pub(crate) const A_PLAN_OR_RECORDING: &str =
    "a scenario file or a capsule, a JSON object, or a recording";

/// Reads the scenario at `path`.
pub(crate) fn read_scenario(path: &Path) -> Result<Subject, FileError> {
    let text = read_text(path, A_SCENARIO)?;
    if Capsule::is_one(&text) {
        let found = "is a capsule, which `cargo sim replay` runs";
        return Err(not(path, found, A_SCENARIO));
    }
    scenario(path, &text)
}

/// Reads the scenario or capsule at `path`; `expected` says in errors what it should be.
pub(crate) fn read_subject(path: &Path, expected: &'static str) -> Result<Subject, FileError> {
    let text = read_text(path, expected)?;
    if !Capsule::is_one(&text) {
        return scenario(path, &text);
    }
    let capsule =
        Capsule::from_json(&text).map_err(|flaw| FileError::Capsule { file: named(path), flaw })?;
    Ok(Subject::Capsule { file: path.to_owned(), capsule: Box::new(capsule) })
}

/// The bytes of the file at `path` if they are a recording, be it damaged.
pub(crate) fn read_recording(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    // Whatever else stands in the way is said by who reads the file as something else.
    let Ok(file) = File::open(path) else { return Ok(None) };
    let mut file = file.take(MAX_RECORDING_BYTES as u64 + 1);
    let mut bytes = Vec::new();
    let front = RECORDING_MAGIC.len() as u64;
    let begun = file.by_ref().take(front).read_to_end(&mut bytes);
    if begun.is_err() || !Recording::is_one(&bytes) {
        return Ok(None);
    }
    let expected = "a recording";
    file.read_to_end(&mut bytes).map_err(|reason| FileError::Read {
        file: named(path),
        reason,
        expected,
    })?;
    if bytes.len() > MAX_RECORDING_BYTES {
        return Err(FileError::Not {
            file: named(path),
            found: "is longer than any recording",
            expected,
            most_mib: MAX_RECORDING_BYTES as u64 >> 20,
        });
    }
    Ok(Some(bytes))
}

fn scenario(path: &Path, text: &str) -> Result<Subject, FileError> {
    let plan = Plan::from_json(text, &named(path))?;
    Ok(Subject::Scenario { file: path.to_owned(), plan: Box::new(plan) })
}

/// The text in the file at `path`; `expected` says in errors what it should be.
pub(crate) fn read_text(path: &Path, expected: &'static str) -> Result<String, FileError> {
    let not = |found| not(path, found, expected);
    if path.is_dir() {
        return Err(not("is a directory"));
    }
    let longest = LONGEST_MIB << 20;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|opened| opened.take(longest + 1).read_to_end(&mut bytes))
        .map_err(|reason| FileError::Read { file: named(path), reason, expected })?;
    if Recording::is_one(&bytes) {
        return Err(not("is a recording, which only `cargo sim replay` and `explain` play"));
    }
    if bytes.len() as u64 > longest {
        return Err(not("is too long"));
    }
    let text = String::from_utf8(bytes).map_err(|_| not("is not UTF-8 text"))?;
    match text.trim_start().chars().next() {
        None => Err(not("is empty")),
        Some('{') => Ok(text),
        Some(_) => Err(not("is no JSON object")),
    }
}

/// A file that should be a text is something else.
fn not(path: &Path, found: &'static str, expected: &'static str) -> FileError {
    FileError::Not { file: named(path), found, expected, most_mib: LONGEST_MIB }
}

pub(super) fn named(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_json_object_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("empty", " "), ("page", "<!DOCTYPE html>"), ("list", "[1]")] {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            let said = read_subject(&path, A_PLAN).unwrap_err().to_string();
            assert!(said.contains("; expected a scenario file or a capsule"), "{said}");
        }
    }
}
