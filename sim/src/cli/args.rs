//! Arguments, their bounds and the help text.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand};
use graphshell_sim::generate::Shape;

const EXIT_CODES: &str = "\
Exit codes:
    0  every property held
    1  a property failed
    2  bad usage or a bad file
    3  not deterministic: the same plan ran differently twice
    4  nothing was proved: a run was invalid (no edit was made, or nothing was
       exchanged); a sweep: no seed held, or more than a tenth were invalid
  130  a sweep was interrupted; what was finished is reported
When several apply: 130, then 2, 3, 1, 4.";

/// Runs the sync engine on simulated devices: networks lose frames, devices lose power, clocks are
/// wrong, and afterwards all must agree and nothing may be lost.
///
/// A seed is a number from which a whole run follows, the same on any machine. Begin with `cargo
/// sim run`; what fails there is printed with the command that tells its story.
#[derive(Debug, Parser)]
#[command(name = "graphshell-sim", bin_name = "cargo sim", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(RunArgs),
    Replay(ReplayArgs),
    Scenario(ScenarioArgs),
}

/// Run many seeds on all cores and judge each.
///
/// The first of every twenty seeds, and each that does not hold, is run twice and compared. The
/// first five failing seeds are shown in full, the rest are named. A reader that closes the pipe
/// ends the sweep quietly.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct RunArgs {
    /// How many seeds to run.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = whole::<u64>(1, u64::MAX))]
    pub(crate) seeds: u64,
    /// The first seed, decimal or 0x hexadecimal; the others are the numbers after it.
    #[arg(long, value_name = "SEED", default_value_t = Seed(0))]
    pub(crate) first_seed: Seed,
    /// Run this seed only.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "first_seed"])]
    pub(crate) seed: Option<Seed>,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    /// How many seeds run at once [default: all cores]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1, 1_024))]
    pub(crate) threads: Option<usize>,
    /// Run every seed twice and compare the runs.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Print one JSON object per line and seed, and a last one `{"summary": …}`. Seeds are
    /// strings, 0x hexadecimal.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the seed's plan as a scenario file and run nothing.
    #[arg(long, requires = "seed", conflicts_with_all = ["json", "verify"])]
    pub(crate) print_plan: bool,
}

/// Run one seed, twice, and tell what came of it.
///
/// Pass the same --peers and --edits as the sweep that found it; the command that a failing seed
/// prints does.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ReplayArgs {
    /// The seed, decimal or 0x hexadecimal.
    pub(crate) seed: Seed,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Run scripted scenarios, each twice.
///
/// All files are read and checked before the first one runs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ScenarioArgs {
    /// Scenario files: plans in JSON, as `run --seed N --print-plan` prints them.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// How runs are told.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// Print every event with its virtual time; with --json as an array `story`.
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Print one JSON object per line and run.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a seed expands into, beside the seed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ShapeArgs {
    /// How many peers a seed has.
    #[arg(long, value_name = "N", default_value_t = Shape::default().peers, value_parser = whole::<usize>(2, 64))]
    peers: usize,
    /// How many edits the peers try together; those that turn out impossible are left out.
    #[arg(long, value_name = "N", default_value_t = Shape::default().edits, value_parser = whole::<usize>(1, 100_000))]
    edits: usize,
}

impl ShapeArgs {
    pub(crate) fn shape(self) -> Shape {
        Shape { peers: self.peers, edits: self.edits, ..Shape::default() }
    }
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

/// A seed: any 64 bits. Read as decimal or `0x` hexadecimal, always written as hexadecimal, in JSON
/// as a string because a JSON number holds only 53 of the bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None => (text, 10),
        };
        // `from_str_radix` would take a sign.
        if !digits.starts_with(|first: char| first.is_digit(radix)) {
            return Err(SeedError);
        }
        u64::from_str_radix(digits, radix).map(Seed).map_err(|_| SeedError)
    }
}

/// A text is no seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a decimal number, or 0x and hexadecimal digits, below 2^64")]
pub(crate) struct SeedError;

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
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
    fn a_seed_reads_what_it_writes() {
        for seed in [0, 7, 42, u64::MAX] {
            assert_eq!(Seed(seed).to_string().parse(), Ok(Seed(seed)));
            assert_eq!(seed.to_string().parse(), Ok(Seed(seed)));
        }
        assert_eq!("0X2A".parse(), Ok(Seed(42)));
    }

    #[test]
    fn what_is_no_seed_is_refused() {
        for text in ["", "0x", "-1", "+1", "0x+1", "2a", "18446744073709551616", " 1"] {
            assert_eq!(text.parse::<Seed>(), Err(SeedError), "{text:?}");
        }
    }

    #[test]
    fn help_fits_80_columns_of_the_exit_codes() {
        assert!(EXIT_CODES.lines().all(|line| line.len() <= 80));
    }
}
