//! Arguments of `score`.

use std::path::PathBuf;

use super::{EXIT_CODES, whole};

/// Plant bugs in the engine, one after the other, and count those that seeds show.
///
/// The bugs are the patches in sim/planted, or in the folder that --patches names. The tracked files
/// are copied below cargo's target folder; there each patch is applied, the simulator is built, and
/// seeds from 0 on are run until one fails. That seed must hold without the patch. Needs git and
/// cargo, and a checkout around the working directory. Exits with 1 if fewer bugs are caught than --demand says, or if a seed fails
/// without the patch too; with 2 if a patch does not apply or build.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ScoreArgs {
    /// Take the patches from this folder, not from sim/planted.
    #[arg(long, value_name = "DIR")]
    pub(crate) patches: Option<PathBuf>,
    /// Plant these only, by the names of their patches without the ending.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) only: Vec<String>,
    /// How many seeds a bug may take.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = whole::<u64>(1, u64::MAX))]
    pub(crate) seeds: u64,
    /// Of a hundred bugs, how many must be caught.
    #[arg(long, value_name = "PERCENT", default_value_t = 95, value_parser = whole::<u64>(0, 100))]
    pub(crate) demand: u64,
    /// Run so many more seeds after the first that shows a bug, and count which oracles see it.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole::<u64>(0, 1_000_000))]
    pub(crate) beyond: u64,
    /// Shrink the first seed that shows a bug, for at most a minute; scenarios go to
    /// target/planted/shrunk.
    #[arg(long)]
    pub(crate) shrink: bool,
    /// How many seeds run at once [default: all cores]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1, 1_024))]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object per line and bug, and a last one `{"summary": …}`.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only check that every patch reads and applies.
    #[arg(long, conflicts_with_all = ["list", "json"])]
    pub(crate) check: bool,
    /// Only list the bugs.
    #[arg(long)]
    pub(crate) list: bool,
}
