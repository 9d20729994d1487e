//! Arguments, their bounds and the help text.

mod explain;
mod score;
mod values;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};
use graphshell_sim::capsule::engine_version;
use graphshell_sim::generate::{Profile, Shape};
use graphshell_sim::probe;

use super::replay::Source;
use super::subject::{Bait, Recipe};
pub(crate) use explain::ExplainArgs;
pub(crate) use score::ScoreArgs;
pub(crate) use values::{Seed, SeedError, Shard, Span};

/// Most peers of one plan.
const MOST_PEERS: usize = 1_000;

const EXIT_CODES: &str = "\
Exit codes:
    0  every property held, or what was asked for is done
    1  a property failed, or a seed came to no end: it hung, or expanding it
       panicked; a score: too few planted bugs were caught
    2  bad usage, or a file that cannot be read or written (outputs are looked
       at before the first run); a score: a patch does not apply or build
    3  not deterministic: the same plan ran differently twice, or a recording
       was not played as it was recorded
    4  nothing was proved: a run was invalid (a kind of fault in its plan had no
       effect, no edit was made, or nothing was exchanged); a sweep: no seed
       held, more than one in twenty were invalid, --demand-probes is not met,
       or a shard is missing among the reports that are merged
  130  it was interrupted, by Ctrl-C or SIGTERM; what was finished is reported
When several apply: 130, then 2, 3, 1, 4.";

/// Runs the sync engine on simulated devices: networks lose frames, devices lose power, clocks are
/// wrong, and afterwards all must agree and nothing may be lost.
///
/// A seed is a number from which a whole run follows, the same on any machine. Begin with `cargo
/// sim run`; what fails there is printed with the command that tells its story.
#[derive(Debug, Parser)]
#[command(name = "graphshell-sim", bin_name = "cargo sim", version = engine_version(), after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(RunArgs),
    Replay(ReplayArgs),
    Scenario(ScenarioArgs),
    Shrink(ShrinkArgs),
    Explain(ExplainArgs),
    Merge(MergeArgs),
    Determinism(DeterminismArgs),
    Scale(ScaleArgs),
    Score(ScoreArgs),
}

/// Run many seeds on all cores and judge each.
///
/// The first of every twenty seeds, and each that does not hold, is run twice and compared. A
/// failure ends nothing: failures are grouped by what they look like, the first of each kind is
/// shown in full and saved as a capsule, and at the end each kind has the replay command of its
/// shortest run. A reader that closes the pipe ends the sweep quietly.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct RunArgs {
    /// How many seeds to run [default: 200, or with --for any number].
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1, u64::MAX))]
    pub(crate) seeds: Option<u64>,
    /// The first seed, decimal or 0x hexadecimal; the others are the numbers after it.
    #[arg(long, value_name = "SEED", default_value_t = Seed(0))]
    pub(crate) first_seed: Seed,
    /// Run this seed only.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "first_seed", "shard", "span"])]
    pub(crate) seed: Option<Seed>,
    /// Begin no seed after so much time, such as 90s, 10m or 1h.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) span: Option<Span>,
    /// Run every N-th seed only, beginning with the I-th: shard I of N, from 1. All shards
    /// together run each seed once.
    #[arg(long, value_name = "I/N", default_value_t = Shard::default(), hide_default_value = true)]
    pub(crate) shard: Shard,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    /// How many seeds run at once [default: all cores]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1, 1_024))]
    pub(crate) threads: Option<usize>,
    /// Run every seed twice and compare the runs.
    #[arg(long)]
    pub(crate) verify: bool,
    /// End with the first seed that fails.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Print one JSON object per line and seed, and a last one `{"summary": …}`. Seeds are
    /// strings, 0x hexadecimal.
    #[arg(long)]
    pub(crate) json: bool,
    /// Save failures in this folder, of each kind the first and the shortest [default:
    /// target/capsules].
    #[arg(long, value_name = "DIR")]
    pub(crate) capsules: Option<PathBuf>,
    /// Save no failures.
    #[arg(long, conflicts_with = "capsules")]
    pub(crate) no_capsules: bool,
    /// Explain in this folder of each kind of failure the shortest run, as `explain` does, unless
    /// the sweep is interrupted.
    #[arg(long, value_name = "DIR")]
    pub(crate) explanations: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reports: ReportArgs,
    /// Run the seeds in the opposite order.
    #[arg(long, hide = true, conflicts_with = "span")]
    pub(crate) descending: bool,
    /// With --json, tell the story of this seed.
    #[arg(long, hide = true, requires = "json")]
    pub(crate) story_of: Option<Seed>,
    /// Print the seed's plan as a scenario file and run nothing.
    // What excludes `--seed` excludes this too: clap waives a requirement that cannot be met.
    #[arg(long, requires = "seed", conflicts_with_all = [
        "seeds", "first_seed", "shard", "span", "json", "verify", "report", "junit", "explanations",
    ])]
    pub(crate) print_plan: bool,
}

/// Run one seed or file, twice, and tell what came of it.
///
/// With a seed, pass the same --profile, --peers and --edits as the sweep that found it; the command that a
/// failing seed prints does. A capsule (a failure that was saved) also says whether the run is
/// the one that was saved.
///
/// A recording (what an engine was told, saved by the program that embeds it) is played step by step,
/// and compared with what the engine gave then. It exits with 3 if the engine does something else, and
/// with 1 if it panics or breaks a property that one device alone can break.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ReplayArgs {
    /// A seed, decimal or 0x hexadecimal, or the path of a capsule, scenario or recording. What
    /// begins with a digit is a seed, unless it has a dot or slash.
    #[arg(value_name = "SEED|FILE")]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    #[command(flatten)]
    pub(crate) story: StoryArgs,
    /// Save what the engine of each peer was told, as a recording for each of its lives, in this
    /// folder.
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    pub(crate) record: Option<PathBuf>,
    /// Stop after the N-th step of a recording.
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1, u64::MAX))]
    pub(crate) until: Option<u64>,
}

/// Run scripted scenarios, each twice.
///
/// All files are read and checked before the first one runs. One that fails does not keep the others
/// from running.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ScenarioArgs {
    /// Scenario files: plans in JSON, as `run --seed N --print-plan` prints them.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) story: StoryArgs,
    #[command(flatten)]
    pub(crate) ci: CiArgs,
}

/// Make a failing plan small while it fails in the same way, and write it as a scenario.
///
/// Takes out peers, faults, steps and edits, calms the network and shortens times. The result does
/// not depend on the number of threads, unless time runs out. An interrupt keeps the best so far.
/// Exits with 0 if a plan that fails was written, be it no smaller; with 4 if nothing fails.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ShrinkArgs {
    /// A seed, decimal or 0x hexadecimal, or the path of a capsule or scenario.
    #[arg(value_name = "SEED|FILE")]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    /// Where to write the scenario [default: target/shrunk/FINGERPRINT-SEED.json].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Take at most so much time, such as 90s or 5m.
    #[arg(long = "for", value_name = "TIME", default_value = "60s")]
    pub(crate) span: Span,
    /// Run at most so many smaller plans.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = whole::<u64>(1, u64::MAX))]
    pub(crate) runs: u64,
    /// How many plans run at once [default: all cores].
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1, 1_024))]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object; if nothing fails, the one that `replay` prints.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Add up the reports of a sweep's shards.
///
/// Refuses reports of another engine, sweep or other flags, and a shard that is there twice. Exits as
/// one sweep of all seeds would, or with 4 if a shard is missing and nothing failed in the others.
/// Rates are those of one shard, since shards run side by side.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MergeArgs {
    /// Reports that `run --report` wrote.
    #[arg(required = true, value_name = "REPORT")]
    pub(crate) files: Vec<PathBuf>,
    /// Print the sum as a JSON object `{"summary": …}`.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reports: ReportArgs,
}

/// Run seeds in two processes that differ in order, threads and time zone, and compare.
///
/// Exits with 3 and names the first event that differs, if one does.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct DeterminismArgs {
    /// How many seeds to run.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = whole::<u64>(1, u64::MAX))]
    pub(crate) seeds: u64,
    /// The first seed, decimal or 0x hexadecimal; the others are the numbers after it.
    #[arg(long, value_name = "SEED", default_value_t = Seed(0))]
    pub(crate) first_seed: Seed,
    /// The second process is this build of the simulator: of another machine, toolchain or profile.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) against: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
}

/// Measure what a run costs with few and with many peers, and draw it.
///
/// For each count one seed is expanded, without disks, and run on one thread. Costs are processor
/// time, which is real time on an idle core.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ScaleArgs {
    /// How many peers, separated by commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = whole::<usize>(2, MOST_PEERS), default_values_t = [2, 3, 5, 10, 20, 50, 100, 200])]
    pub(crate) peers: Vec<usize>,
    /// How many edits the peers try together.
    #[arg(long, value_name = "N", default_value_t = Shape::default().edits, value_parser = whole::<usize>(1, 100_000))]
    pub(crate) edits: usize,
    /// The seed, decimal or 0x hexadecimal; the next one that has no disks is taken.
    #[arg(long, value_name = "SEED", default_value_t = Seed(0))]
    pub(crate) seed: Seed,
    /// Draw the costs into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Print one JSON object per line and count.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How runs are told.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct StoryArgs {
    /// Print every event with its virtual time; with --json as an array `story`.
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Print one JSON object per line and run.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a sweep is reported, beside standard output.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// Write the whole sweep to this file, for `merge`.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) ci: CiArgs,
    /// Exit with 4 if a rare event happened in none of the seeds. 200 seeds are expected to reach
    /// them; those that are rarer still are demanded of sweeps of 20 000 seeds and more.
    #[arg(long)]
    pub(crate) demand_probes: bool,
}

impl ReportArgs {
    /// The files that are asked for.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.report.iter().chain(&self.ci.junit)
    }
}

/// How a CI server is told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CiArgs {
    /// Write JUnit XML to this file: a test case for each kind of failure, or for each scenario.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write failures, and why too little was proved, to standard error as annotations of a CI server.
    #[arg(long, value_name = "SERVER", value_enum, default_value_t = Annotations::Auto)]
    pub(crate) annotations: Annotations,
}

/// For whom failures are annotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Annotations {
    /// For GitHub if GITHUB_ACTIONS is `true`.
    Auto,
    /// For GitHub.
    Github,
    /// For nobody.
    None,
}

/// What a seed expands into, beside the seed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ShapeArgs {
    /// How many peers a seed has.
    #[arg(long, value_name = "N", default_value_t = Shape::default().peers, value_parser = whole::<usize>(2, MOST_PEERS))]
    peers: usize,
    /// Which faults seeds may have; each seed has some of them. Calm: none. Lossy: frames and
    /// links. Partitions: links that are cut, devices that die. Disks: real stores on bad disks.
    /// Clocks: wrong times, weeks offline. Hostile: peers that break the protocol. Everything: any.
    #[arg(long, value_name = "NAME", default_value_t, value_parser = profiles())]
    profile: Profile,
    /// How many edits the peers try together; those that turn out impossible are left out.
    #[arg(long, value_name = "N", default_value_t = Shape::default().edits, value_parser = whole::<usize>(1, 100_000))]
    edits: usize,
    /// Expect of each seed what is false: it must fail, or failures do not reach the exit code.
    #[arg(long)]
    canary: bool,
    /// Expect of each seed that this event never happens: a seed in which it does fails, and can be
    /// replayed, explained and shrunk. For instance 'logs compacted'; a wrong name lists all.
    #[arg(long, value_name = "EVENT", value_parser = events(), hide_possible_values = true, conflicts_with = "canary")]
    find: Option<&'static str>,
}

impl ShapeArgs {
    pub(crate) fn recipe(self) -> Recipe {
        let ShapeArgs { peers, edits, profile, .. } = self;
        let shape = Shape { peers, edits, profile, ..Shape::default() };
        let bait = if self.canary { Some(Bait::Canary) } else { self.find.map(Bait::Event) };
        Recipe { shape, bait }
    }
}

/// Reads what a run may count.
fn events() -> impl TypedValueParser<Value = &'static str> {
    PossibleValuesParser::new(probe::all())
        .map(|name| probe::all().find(|&event| event == name).expect("only these are possible"))
}

/// Reads a profile by its name.
fn profiles() -> impl TypedValueParser<Value = Profile> {
    PossibleValuesParser::new(Profile::ALL.map(Profile::name))
        .map(|name| name.parse().expect("only names of profiles are possible"))
}

/// Reads a whole number within bounds, both inclusive.
fn whole<T>(least: T, most: T) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: Copy + PartialOrd + FromStr + fmt::Display + Send + Sync + 'static,
{
    move |text| match text.parse() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(format!("expected a whole number from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn help_fits_80_columns_of_the_exit_codes() {
        assert!(EXIT_CODES.lines().all(|line| line.len() <= 80));
    }
}
