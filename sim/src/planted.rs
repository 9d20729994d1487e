//! Planted bugs: patches that break the engine on purpose, to measure what the simulator catches.
//!
//! A patch file begins with a header, which `git apply` passes over: prose for people, then a
//! paragraph of fields.
//!
//! ```text
//! The newest write wins by arrival. Whoever thinks of one device appends and takes the last.
//!
//! Area: merge
//! Profile: disks
//!
//! diff --git a/engine/src/state/register.rs b/engine/src/state/register.rs
//! ```
//! `Area` is one of [`Area::ALL`]. `Profile` is the one whose seeds are run, and is left out where
//! the default one may show the bug.

use std::fmt;

use crate::generate::{Profile, ProfileError};

/// What a patch may change: the engine, and what stands in for its journal on simulated disks.
const BREAKABLE: [&str; 2] = ["engine/src/", "sim/src/world/disk/journal.rs"];

/// Which of the engine's duties a bug breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of the duties")]
pub enum Area {
    Merge,
    Causality,
    Durability,
    Resume,
    Limits,
    Conflicts,
    Privacy,
    Clocks,
    Hostile,
    Forks,
    Compaction,
}

impl Area {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Area; 11] = [
        Area::Merge,
        Area::Causality,
        Area::Durability,
        Area::Resume,
        Area::Limits,
        Area::Conflicts,
        Area::Privacy,
        Area::Clocks,
        Area::Hostile,
        Area::Forks,
        Area::Compaction,
    ];

    /// The name in a patch's header.
    pub fn name(self) -> &'static str {
        match self {
            Area::Merge => "merge",
            Area::Causality => "causality",
            Area::Durability => "durability",
            Area::Resume => "resume",
            Area::Limits => "limits",
            Area::Conflicts => "conflicts",
            Area::Privacy => "privacy",
            Area::Clocks => "clocks",
            Area::Hostile => "hostile",
            Area::Forks => "forks",
            Area::Compaction => "compaction",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A planted bug, as its patch file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bug {
    /// What is broken, and why somebody might write it; on one line.
    pub why: String,
    /// The duty that it breaks.
    pub area: Area,
    /// The profile whose seeds are to show it.
    pub profile: Profile,
    /// The files that it changes, relative to the workspace.
    pub files: Vec<String>,
}

/// A patch file's text describes no planted bug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Nothing is changed.
    #[error("found no line `diff --git a/FILE b/FILE`")]
    NoChange,
    /// The bug is not explained.
    #[error(
        "found no prose in the header; expected what is broken, and why somebody might write it"
    )]
    NoProse,
    /// The area is not named.
    #[error("found no area in the header; expected a last paragraph with `Area: NAME`")]
    NoArea,
    /// The area is none.
    #[error("found area {found:?}; expected one of {}", Area::ALL.map(Area::name).join(", "))]
    UnknownArea {
        /// What stands there.
        found: String,
    },
    /// The profile is none.
    #[error("found profile {found:?}; {expected}")]
    UnknownProfile {
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: ProfileError,
    },
    /// A line among the fields is none.
    #[error("found {0:?} in the header's last paragraph; expected `Area: NAME` or `Profile: NAME`")]
    UnknownField(String),
    /// It changes what judges the engine.
    #[error("found a change of {file}; expected changes of {}", BREAKABLE.join(" and "))]
    NotTheEngine {
        /// Where it lies.
        file: String,
    },
}

impl Bug {
    /// Reads the text of a patch file.
    ///
    /// # Errors
    /// If it describes no planted bug. Whether it applies is not looked at.
    pub fn read(text: &str) -> Result<Bug, Flaw> {
        let diff = text
            .find("diff --git ")
            .filter(|at| text[..*at].is_empty() || text[..*at].ends_with('\n'));
        let (header, diff) = text.split_at(diff.ok_or(Flaw::NoChange)?);
        let files: Vec<String> = diff
            .lines()
            .filter_map(|line| line.strip_prefix("diff --git a/")?.split(' ').next())
            .map(str::to_owned)
            .collect();
        let foreign = |file: &&String| !BREAKABLE.iter().any(|place| file.starts_with(place));
        match files.iter().find(foreign) {
            Some(file) => return Err(Flaw::NotTheEngine { file: file.clone() }),
            None if files.is_empty() => return Err(Flaw::NoChange),
            None => {}
        }
        let (prose, fields) = header.trim_end().rsplit_once("\n\n").ok_or(Flaw::NoArea)?;
        let (mut area, mut profile) = (None, Profile::default());
        for line in fields.lines() {
            match line.split_once(": ") {
                Some(("Area", name)) => {
                    let known = Area::ALL.into_iter().find(|area| area.name() == name);
                    area = Some(known.ok_or_else(|| Flaw::UnknownArea { found: name.to_owned() })?);
                }
                Some(("Profile", name)) => {
                    profile = name.parse().map_err(|expected| Flaw::UnknownProfile {
                        found: name.to_owned(),
                        expected,
                    })?;
                }
                _ => return Err(Flaw::UnknownField(line.to_owned())),
            }
        }
        let why = prose.split_whitespace().collect::<Vec<_>>().join(" ");
        if why.is_empty() {
            return Err(Flaw::NoProse);
        }
        Ok(Bug { why, area: area.ok_or(Flaw::NoArea)?, profile, files })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/engine/src/vector.rs b/engine/src/vector.rs\n--- a\n+++ b\n";

    #[test]
    fn a_header_is_prose_and_fields() {
        let text = format!("The gap\nis ignored.\n\nArea: causality\nProfile: lossy\n\n{DIFF}");
        let bug = Bug::read(&text).unwrap();
        assert_eq!(bug.why, "The gap is ignored.");
        assert_eq!((bug.area, bug.profile), (Area::Causality, Profile::Lossy));
        assert_eq!(bug.files, ["engine/src/vector.rs"]);
        let plain = format!("A bug.\n\nArea: merge\n\n{DIFF}");
        assert_eq!(Bug::read(&plain).unwrap().profile, Profile::default());
    }

    #[test]
    fn what_describes_no_bug_is_refused_with_what_was_expected() {
        let said = |header: &str, diff: &str| {
            Bug::read(&format!("{header}{diff}")).unwrap_err().to_string()
        };
        assert!(said("Prose.\n\nArea: merge\n", "").contains("no line `diff --git"));
        assert!(said("", DIFF).contains("`Area: NAME`"));
        assert!(said("Prose.\n\nProfile: disks\n\n", DIFF).contains("found no area"));
        assert!(said("\n\nArea: merge\n\n", DIFF).contains("found no prose"));
        assert!(said("Prose.\n\nArea: mirth\n\n", DIFF).contains("found area \"mirth\""));
        assert!(said("Prose.\n\nArea: merge\nProfile: odd\n\n", DIFF).contains("found profile"));
        assert!(said("Prose.\n\nArea: merge\nSize: 3\n\n", DIFF).contains("found \"Size: 3\""));
        let judge = "diff --git a/sim/src/model.rs b/sim/src/model.rs\n";
        assert!(said("Prose.\n\nArea: merge\n\n", judge).contains("a change of sim/src/model.rs"));
    }
}
