//! The command line: runs plans, judges them and reports in text or JSON.
//!
//! This is the only part of the simulator that may start threads, read the wall clock or see the
//! terminal. None of it reaches a run: a run sees its plan and nothing else, so results are the
//! same whatever the machine, the thread count or the output.
//!
//! Data goes to standard output, the progress bar and errors to standard error.

mod annotate;
mod args;
mod chart;
mod child;
mod determinism;
mod exit;
mod explain;
mod faults;
mod file;
mod interrupt;
mod judge;
mod junit;
mod kinds;
mod merge;
mod output;
mod progress;
mod record;
mod recording;
mod replay;
mod report;
mod run;
mod scale;
mod scenario;
mod score;
mod shrink;
mod subject;
mod sweep;
mod table;
mod tally;
mod text;
mod write;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use exit::Exit;
use output::Output;

/// Why a command could not do its work. None of these is a finding about the engine.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] file::FileError),
    /// A report cannot be used, or not with the others.
    #[error(transparent)]
    Report(#[from] report::ReportError),
    /// A second process cannot be compared.
    #[error(transparent)]
    Child(#[from] determinism::ChildError),
    /// The program does not find itself.
    #[error("cannot find the program's own file: {0}")]
    Itself(std::io::Error),
    /// Flags that say how a seed is expanded, with a file.
    #[error("found{0} with a file: expected a seed, since a file says all that is run")]
    FlagsForFile(String),
    /// A flag for recordings, with something else.
    #[error("found --until with what is no recording: expected the file of a recording")]
    NoRecording,
    /// A flag for what a world runs, with a recording.
    #[error("found --record with a recording: expected a seed, a scenario or a capsule")]
    RecordingTwice,
    /// A shard would be empty.
    #[error("found {seeds} seeds for {shards} shards: expected --seeds to be at least {shards}")]
    MoreShardsThanSeeds { seeds: u64, shards: u64 },
    /// The seeds asked for run past the last one.
    #[error(
        "{count} seeds from {first:#x} on run past the last seed: \
         expected --first-seed plus --seeds to be at most {:#x}",
        u64::MAX
    )]
    SeedsPastTheLast { first: u64, count: u64 },
    /// No seed can be measured without disks.
    #[error("found disks in every seed from {first} on: expected a smaller --seed")]
    OnlyDisks { first: args::Seed },
    /// Planted bugs cannot be tried.
    #[error(transparent)]
    Score(#[from] score::ScoreError),
    /// A picture cannot be drawn.
    #[error(transparent)]
    Chart(#[from] chart::ChartError),
    /// Results cannot be written.
    #[error(transparent)]
    Output(#[from] output::OutputError),
    /// The signal handler cannot be set.
    #[error("cannot catch the interrupt signal: {0}")]
    Interrupt(std::io::Error),
}

/// Runs the program on the process's arguments.
pub(crate) fn main() -> ExitCode {
    let args = Args::parse();
    let mut output = Output::stdout();
    let done = match &args.command {
        Command::Run(args) => run::run(args, &mut output),
        Command::Replay(args) => replay::replay(args, &mut output),
        Command::Scenario(args) => scenario::scenario(args, &mut output),
        Command::Shrink(args) => shrink::shrink(args, &mut output),
        Command::Explain(args) => explain::explain(args, &mut output),
        Command::Merge(args) => merge::merge(args, &mut output),
        Command::Determinism(args) => determinism::determinism(args, &mut output),
        Command::Scale(args) => scale::scale(args, &mut output),
        Command::Score(args) => score::score(args, &mut output),
    };
    let exit = done.unwrap_or_else(|error| complain_of([error]));
    exit.and(complain_of(output.flush().err())).into()
}

/// Says all that stands in the way, and how the program ends with it if nothing else is the matter.
fn complain_of(errors: impl IntoIterator<Item = impl Into<Error>>) -> Exit {
    errors.into_iter().fold(Exit::Held, |_, error| {
        complain(&error.into());
        Exit::BadInput
    })
}

/// Says on standard error what stands in the way. Nobody can be told if that fails.
fn complain(error: &Error) {
    let _ = writeln!(std::io::stderr(), "error: {error}");
}
