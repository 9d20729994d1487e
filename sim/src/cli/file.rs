//! Reads scenario files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use graphshell_sim::plan::{Plan, PlanError};

/// Longest scenario file, in MiB; the printed plan of 300 edits has less than one.
const LONGEST_MIB: u64 = 64;

/// A scenario file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It cannot be read.
    #[error("{file}: cannot be read: {reason}; expected a scenario file")]
    Read { file: String, reason: io::Error },
    /// It is something else.
    #[error(
        "{file}: {found}; expected a scenario file, a JSON object of at most {LONGEST_MIB} MiB"
    )]
    NotAScenario { file: String, found: &'static str },
    /// Its content is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Reads the plan in the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Plan, FileError> {
    let file = path.display().to_string();
    let not = |found| FileError::NotAScenario { file: file.clone(), found };
    if path.is_dir() {
        return Err(not("is a directory"));
    }
    let longest = LONGEST_MIB << 20;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|opened| opened.take(longest + 1).read_to_end(&mut bytes))
        .map_err(|reason| FileError::Read { file: file.clone(), reason })?;
    if bytes.len() as u64 > longest {
        return Err(not("is too long"));
    }
    let text = String::from_utf8(bytes).map_err(|_| not("is not UTF-8 text"))?;
    if text.trim().is_empty() {
        return Err(not("is empty"));
    }
    Ok(Plan::from_json(&text, &file)?)
}
