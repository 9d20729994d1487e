//! What is run, and the command that runs it again.

use std::path::{Path, PathBuf};

use graphshell_sim::capsule::Capsule;
use graphshell_sim::generate::{self, Shape};
use graphshell_sim::plan::{Expectation, Fact, Plan};
use graphshell_sim::world::{self, Options, Run};

use super::args::Seed;

/// Pages that no plan shows: what a canary expects.
const CANARY_PAGES: usize = 1_000_000;

/// What a plan expects beside what always holds, so that it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bait {
    /// What is false of every plan.
    Canary,
    /// That this is never counted.
    Event(&'static str),
}

impl Bait {
    fn expectation(self) -> Fact {
        match self {
            Bait::Canary => Fact::NodeCount { count: CANARY_PAGES },
            Bait::Event(what) => {
                Fact::Counted { what: what.to_owned(), least: None, most: Some(0) }
            }
        }
    }
}

/// Where a plan comes from.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// A seed, expanded.
    Seed { seed: Seed, recipe: Recipe },
    /// A scenario file.
    Scenario { file: PathBuf, plan: Box<Plan> },
    /// A saved failure.
    Capsule { file: PathBuf, capsule: Box<Capsule> },
}

/// How a seed is expanded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub(crate) shape: Shape,
    /// What its plan expects so that it fails.
    pub(crate) bait: Option<Bait>,
}

impl Recipe {
    /// The plan of this seed.
    pub(crate) fn plan(&self, seed: Seed) -> Plan {
        let mut plan = generate::plan(seed.0, &self.shape);
        let bait = self.bait.map(Bait::expectation);
        plan.expect.extend(bait.map(|fact| Expectation { at: Vec::new(), that: vec![fact] }));
        plan
    }

    /// The arguments that make this recipe out of the default one.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let default = Shape::default();
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |words: [&str; 2]| arguments.extend(words.map(str::to_owned));
        if self.shape.profile != default.profile {
            add(["--profile", self.shape.profile.name()]);
        }
        if self.shape.peers != default.peers {
            add(["--peers", &self.shape.peers.to_string()]);
        }
        if self.shape.edits != default.edits {
            add(["--edits", &self.shape.edits.to_string()]);
        }
        match self.bait {
            None => {}
            Some(Bait::Canary) => arguments.push("--canary".to_owned()),
            Some(Bait::Event(event)) => add(["--find", event]),
        }
        arguments
    }

    /// The same as a shell reads them, each after a space.
    pub(crate) fn flags(&self) -> String {
        let words = self.arguments().into_iter();
        words.map(|word| format!(" {}", word_or_quoted(&word))).collect()
    }
}

impl Subject {
    /// Runs it once. A seed is expanded anew each time, so that a second run tests the expansion.
    pub(crate) fn run(&self, options: &Options) -> Run {
        match self {
            Subject::Seed { seed, recipe } => world::run(&recipe.plan(*seed), options),
            Subject::Scenario { plan, .. } => world::run(plan, options),
            Subject::Capsule { capsule, .. } => world::run(&capsule.plan, options),
        }
    }

    /// What is run.
    pub(crate) fn plan(&self) -> Plan {
        match self {
            Subject::Seed { seed, recipe } => recipe.plan(*seed),
            Subject::Scenario { plan, .. } => (**plan).clone(),
            Subject::Capsule { capsule, .. } => capsule.plan.clone(),
        }
    }

    /// The file that it is read from.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Subject::Seed { .. } => None,
            Subject::Scenario { file, .. } | Subject::Capsule { file, .. } => Some(file),
        }
    }

    /// Its name in a report: `seed 0x2a`, or the file's.
    pub(crate) fn title(&self) -> String {
        match self {
            Subject::Seed { seed, .. } => format!("seed {seed}"),
            Subject::Scenario { file, .. } | Subject::Capsule { file, .. } => title_of(file),
        }
    }

    /// The one line that runs exactly this again and tells its story.
    pub(crate) fn replay(&self) -> String {
        match self {
            Subject::Seed { seed, recipe } => {
                format!("cargo sim replay {seed}{} --verbose", recipe.flags())
            }
            Subject::Scenario { file, .. } => {
                format!("cargo sim scenario {} --verbose", quoted(&file.to_string_lossy()))
            }
            Subject::Capsule { file, .. } => replay_file(file),
        }
    }

    /// The one line that makes it small.
    pub(crate) fn shrink(&self) -> String {
        match self {
            Subject::Seed { seed, recipe } => format!("cargo sim shrink {seed}{}", recipe.flags()),
            Subject::Scenario { file, .. } | Subject::Capsule { file, .. } => {
                format!("cargo sim shrink {}", quoted(&file.to_string_lossy()))
            }
        }
    }
}

/// What a file is called in a report: its name without the ending.
pub(crate) fn title_of(file: &Path) -> String {
    file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

/// The one line that replays a file.
pub(crate) fn replay_file(file: &Path) -> String {
    format!("cargo sim replay {} --verbose", quoted(&file.to_string_lossy()))
}

/// A flag as it is, anything else [quoted] where it must be.
fn word_or_quoted(word: &str) -> String {
    if word.starts_with("--") { word.to_owned() } else { quoted(word) }
}

/// A word that a POSIX shell takes as `text`.
pub(crate) fn quoted(text: &str) -> String {
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
    use graphshell_sim::generate::Profile;

    use super::*;

    #[test]
    fn the_replay_command_names_the_shape_only_where_it_is_not_the_default() {
        let replay = |recipe| Subject::Seed { seed: Seed(42), recipe }.replay();
        assert_eq!(replay(Recipe::default()), "cargo sim replay 0x2a --verbose");
        let profile = Profile::Lossy;
        let shape = Shape { peers: 12, edits: 40, profile, ..Shape::default() };
        let replay = replay(Recipe { shape, bait: Some(Bait::Canary) });
        assert_eq!(
            replay,
            "cargo sim replay 0x2a --profile lossy --peers 12 --edits 40 --canary --verbose"
        );
    }

    #[test]
    fn a_path_survives_the_shell() {
        assert_eq!(quoted("scenarios/ghost-node.json"), "scenarios/ghost-node.json");
        assert_eq!(quoted("my scenarios/it's.json"), r"'my scenarios/it'\''s.json'");
        assert_eq!(quoted("-x.json"), "'./-x.json'");
    }
}
