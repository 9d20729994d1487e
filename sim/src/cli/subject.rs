//! What is run, and the command that runs it again.

use std::path::PathBuf;

use graphshell_sim::generate::{self, Shape};
use graphshell_sim::plan::Plan;
use graphshell_sim::world::{self, Options, Run};

use super::args::Seed;

/// Where a plan comes from.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// A seed, expanded.
    Seed { seed: Seed, shape: Shape },
    /// A scenario file.
    Scenario { file: PathBuf, plan: Box<Plan> },
}

impl Subject {
    /// Runs it once. A seed is expanded anew each time, so that a second run tests the expansion.
    pub(crate) fn run(&self, options: &Options) -> Run {
        match self {
            Subject::Seed { seed, shape } => world::run(&generate::plan(seed.0, shape), options),
            Subject::Scenario { plan, .. } => world::run(plan, options),
        }
    }

    /// Its name in a report: `seed 0x2a`, or the scenario's.
    pub(crate) fn title(&self) -> String {
        match self {
            Subject::Seed { seed, .. } => format!("seed {seed}"),
            Subject::Scenario { file, .. } => {
                file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
            }
        }
    }

    /// The one line that runs exactly this again and tells its story.
    pub(crate) fn replay(&self) -> String {
        match self {
            Subject::Seed { seed, shape } => {
                format!("cargo sim replay {seed}{} --verbose", shape_flags(shape))
            }
            Subject::Scenario { file, .. } => {
                format!("cargo sim scenario {} --verbose", quoted(&file.to_string_lossy()))
            }
        }
    }
}

/// The flags, each after a space, that make this shape out of the default one.
pub(crate) fn shape_flags(shape: &Shape) -> String {
    let default = Shape::default();
    let mut flags = String::new();
    if shape.peers != default.peers {
        flags += &format!(" --peers {}", shape.peers);
    }
    if shape.edits != default.edits {
        flags += &format!(" --edits {}", shape.edits);
    }
    flags
}

/// A word that a POSIX shell takes as `text`.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    // A leading dash would be a flag, in quotes too.
    let prefix = if text.starts_with('-') { "./" } else { "" };
    format!("'{prefix}{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replay_command_names_the_shape_only_where_it_is_not_the_default() {
        let replay = |shape| Subject::Seed { seed: Seed(42), shape }.replay();
        assert_eq!(replay(Shape::default()), "cargo sim replay 0x2a --verbose");
        let shape = Shape { peers: 12, edits: 40, ..Shape::default() };
        assert_eq!(replay(shape), "cargo sim replay 0x2a --peers 12 --edits 40 --verbose");
    }

    #[test]
    fn a_path_survives_the_shell() {
        assert_eq!(quoted("scenarios/ghost-node.json"), "scenarios/ghost-node.json");
        assert_eq!(quoted("my scenarios/it's.json"), r"'my scenarios/it'\''s.json'");
        assert_eq!(quoted("-x.json"), "'./-x.json'");
    }
}
