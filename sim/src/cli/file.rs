//! Reads the files that runs come from, each once: it may be a pipe.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use graphshell_sim::capsule::{Capsule, CapsuleError};
use graphshell_sim::plan::{Plan, PlanError};

use graphshell_sync::limits::MAX_RECORDING_BYTES;
use graphshell_sync::recording::{RECORDING_MAGIC, Recording, RecordingError};

use super::report::Report;
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
    /// Its content is no plan that can run.
    #[error(transparent)]
    Plan(PlanError),
    /// Its content is no JSON, or of another shape.
    #[error("{flaw}; expected {expected}")]
    Json { flaw: PlanError, expected: &'static str },
    /// Its content is no capsule.
    #[error("{file}: {flaw}")]
    Capsule { file: String, flaw: CapsuleError },
    /// Its content is a recording that cannot be played.
    #[error("{file}: {flaw}")]
    Recording { file: String, flaw: RecordingError },
    /// It cannot be written.
    #[error("{file}: cannot be written: {reason}")]
    Write { file: String, reason: io::Error },
    /// One output would take the place of another.
    #[error("{file}: found for two outputs; expected a file for each")]
    Shared { file: String },
}

const A_SCENARIO: &str = "a scenario file, a JSON object";
/// What shrinks.
pub(crate) const A_PLAN: &str = "a scenario file or a capsule, a JSON object";
/// What is replayed and explained.
pub(crate) const A_PLAN_OR_RECORDING: &str =
    "a scenario file or a capsule, a JSON object, or a recording";

/// What a file holds.
pub(crate) enum Content {
    /// The text of a JSON object.
    Text(String),
    /// A recording, be it damaged.
    Recording(Vec<u8>),
}

/// Reads the scenario at `path`.
pub(crate) fn read_scenario(path: &Path) -> Result<Subject, FileError> {
    let text = read_text(path, A_SCENARIO)?;
    if Capsule::is_one(&text) {
        let found = "is a capsule, which `cargo sim replay` runs";
        return Err(not(path, found, A_SCENARIO));
    }
    subject(path, &text, A_SCENARIO)
}

/// The scenario or capsule in `text`, which was read from `path`; `expected` says in errors what it
/// should be.
pub(crate) fn subject(
    path: &Path,
    text: &str,
    expected: &'static str,
) -> Result<Subject, FileError> {
    if Report::is_one(text) {
        let found = "is the report of a sweep, which `cargo sim merge` adds up; what can be run are \
                     the capsules that it names";
        return Err(not(path, found, expected));
    }
    if Capsule::is_one(text) {
        let capsule = Capsule::from_json(text)
            .map_err(|flaw| FileError::Capsule { file: named(path), flaw })?;
        return Ok(Subject::Capsule { file: path.to_owned(), capsule: Box::new(capsule) });
    }
    let plan = Plan::from_json(text, &named(path)).map_err(|flaw| match flaw {
        PlanError::Json { .. } => FileError::Json { flaw, expected },
        PlanError::Flaw { .. } => FileError::Plan(flaw),
    })?;
    Ok(Subject::Scenario { file: path.to_owned(), plan: Box::new(plan) })
}

/// The text in the file at `path`; `expected` says in errors what it should be.
pub(crate) fn read_text(path: &Path, expected: &'static str) -> Result<String, FileError> {
    match read(path, expected)? {
        Content::Text(text) => Ok(text),
        Content::Recording(_) => {
            let found = "is a recording, which only `cargo sim replay` and `explain` play";
            Err(not(path, found, expected))
        }
    }
}

/// What the file at `path` holds; `expected` says in errors what it should be.
pub(crate) fn read(path: &Path, expected: &'static str) -> Result<Content, FileError> {
    let not = |found| not(path, found, expected);
    if path.is_dir() {
        return Err(not("is a directory"));
    }
    let cannot = |reason| FileError::Read { file: named(path), reason, expected };
    let mut file = File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    let front = RECORDING_MAGIC.len() as u64;
    file.by_ref().take(front).read_to_end(&mut bytes).map_err(cannot)?;
    let is_recording = Recording::is_one(&bytes);
    let longest = if is_recording { MAX_RECORDING_BYTES as u64 } else { LONGEST_MIB << 20 };
    let more = longest + 1 - bytes.len() as u64;
    file.take(more).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > longest {
        let (found, expected) = match is_recording {
            true => ("is longer than any recording", "a recording"),
            false => ("is too long", expected),
        };
        return Err(FileError::Not { file: named(path), found, expected, most_mib: longest >> 20 });
    }
    if is_recording {
        return Ok(Content::Recording(bytes));
    }
    let text = String::from_utf8(bytes).map_err(|_| not("is not UTF-8 text"))?;
    match text.trim_start().chars().next() {
        None => Err(not("is empty")),
        Some('{') => Ok(Content::Text(text)),
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
            let said = read_text(&path, A_PLAN).unwrap_err().to_string();
            assert!(said.contains("; expected a scenario file or a capsule"), "{said}");
        }
    }
}
