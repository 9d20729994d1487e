//! A failure in a file: the plan itself, what came of it, and with which engine.
//!
//! A seed is short, but what it expands into changes with the generator. A capsule carries the plan,
//! so it runs the same as long as the plan's format is read, and says whether the engine still does
//! what it did.

use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::plan::{Flaw, Plan, pretty};
use crate::world::Failure;

/// The format that is written; older ones are read.
const FORMAT: u64 = 1;

/// A saved failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capsule {
    /// The format's version.
    capsule: u64,
    /// The build of engine and simulator that failed; see [`engine_version`].
    pub engine: String,
    /// The command that ran it.
    pub command: String,
    /// The hash over every event of the run.
    pub trace_hash: String,
    /// What did not hold; `None` if the plan ran differently twice.
    pub failure: Option<Finding>,
    /// What the failure looks like.
    pub fingerprint: Fingerprint,
    /// What was run.
    pub plan: Plan,
}

/// What did not hold, as it was saved; see [`Failure`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is the field of the same name of a failure")]
pub struct Finding {
    pub property: String,
    pub peers: Vec<String>,
    pub operations: Vec<String>,
    pub virtual_ms: u64,
    pub detail: String,
}

impl From<&Failure> for Finding {
    fn from(failure: &Failure) -> Self {
        Finding {
            property: failure.property.to_owned(),
            peers: failure.peers.clone(),
            operations: failure.operations.clone(),
            virtual_ms: failure.virtual_ms,
            detail: failure.detail.clone(),
        }
    }
}

/// The build of engine and simulator, which are built together: the version, and behind a plus sign the
/// begin of a hash of the sources that decide what a run does. Dependencies and the toolchain are not in
/// it.
pub fn engine_version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), "+", env!("SOURCES_HASH"))
}

/// A file is no capsule that this version can replay.
#[derive(Debug, thiserror::Error)]
pub enum CapsuleError {
    /// The text is not JSON, or not of a capsule's shape.
    #[error("{0}; expected a capsule of format {FORMAT}")]
    Json(#[from] serde_json::Error),
    /// A later version wrote it.
    #[error(
        "capsule: found format {found}, written by engine {engine}; expected at most {FORMAT}, \
         or a simulator that is as new"
    )]
    Newer {
        /// The format's version.
        found: u64,
        /// Who wrote it.
        engine: String,
    },
    /// Its plan cannot run.
    #[error("plan: {0}")]
    Plan(#[from] Flaw),
}

/// What tells a capsule from a scenario file, in any format to come.
#[derive(Deserialize)]
struct Head {
    capsule: Option<u64>,
    engine: Option<String>,
}

impl Capsule {
    /// Saves a failure of `plan`; `failure` is `None` if the plan ran differently twice.
    pub fn new(plan: Plan, command: String, trace_hash: String, failure: Option<&Failure>) -> Self {
        Capsule {
            capsule: FORMAT,
            engine: engine_version().to_owned(),
            command,
            trace_hash,
            failure: failure.map(Finding::from),
            fingerprint: failure.map_or_else(Fingerprint::not_deterministic, Fingerprint::of),
            plan,
        }
    }

    /// Whether the text says of itself that it is a capsule, be it damaged or of another format.
    pub fn is_one(text: &str) -> bool {
        let begins = text.trim_start().strip_prefix('{').map(str::trim_start);
        begins.is_some_and(|text| text.starts_with("\"capsule\""))
            || serde_json::from_str::<Head>(text).is_ok_and(|head| head.capsule.is_some())
    }

    /// Reads a capsule and validates its plan.
    pub fn from_json(text: &str) -> Result<Capsule, CapsuleError> {
        let head: Head = serde_json::from_str(text)?;
        if let Some(found) = head.capsule.filter(|&format| format > FORMAT) {
            let engine = head.engine.unwrap_or_else(|| "unknown".to_owned());
            return Err(CapsuleError::Newer { found, engine });
        }
        let capsule: Capsule = serde_json::from_str(text)?;
        capsule.plan.validate()?;
        Ok(capsule)
    }

    /// The capsule as JSON text that [`from_json`](Self::from_json) reads back, a step per line.
    pub fn to_json(&self) -> String {
        pretty(&serde_json::to_value(self).expect("a capsule's keys are strings"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{self, Shape};

    fn capsule() -> Capsule {
        let plan = generate::plan(7, &Shape { peers: 2, edits: 9, ..Shape::default() });
        let failure = Failure {
            property: "convergence",
            peers: vec!["ada".into()],
            operations: vec!["ada#1".into()],
            virtual_ms: 12,
            detail: "their graphs differ".into(),
        };
        Capsule::new(plan, "cargo sim run".into(), "aa".into(), Some(&failure))
    }

    #[test]
    fn a_capsule_reads_what_it_writes() {
        let capsule = capsule();
        let text = capsule.to_json();
        assert!(Capsule::is_one(&text) && !Capsule::is_one(&capsule.plan.to_json_pretty()));
        assert_eq!(Capsule::from_json(&text).unwrap(), capsule);
    }

    #[test]
    fn a_build_is_named_by_version_and_sources() {
        let (version, sources) = engine_version().split_once('+').unwrap();
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
        assert!(sources.len() == 8 && sources.chars().all(|c| c.is_ascii_hexdigit()));
        let other = capsule().to_json().replace(engine_version(), "0.0.1");
        assert_eq!(Capsule::from_json(&other).unwrap().engine, "0.0.1", "any build's is read");
    }

    #[test]
    fn a_newer_or_damaged_capsule_is_refused_with_what_was_expected() {
        let text = capsule().to_json();
        let newer = text.replace("\"capsule\": 1", "\"capsule\": 9, \"more\": 1");
        let said = Capsule::from_json(&newer).unwrap_err().to_string();
        assert!(said.contains("found format 9") && said.contains("at most 1"), "{said}");
        let cut = &text[..text.len() / 2];
        let said = Capsule::from_json(cut).unwrap_err().to_string();
        assert!(said.contains("line") && said.contains("expected a capsule"), "{said}");
        let flawed = text.replace("\"peer\": \"ada\"", "\"peer\": \"eve\"");
        let said = Capsule::from_json(&flawed).unwrap_err().to_string();
        assert!(said.starts_with("plan: step ") && said.contains("one of ada, ben"), "{said}");
    }
}
