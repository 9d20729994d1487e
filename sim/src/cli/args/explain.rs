//! Arguments of `explain`.

use std::path::PathBuf;

use super::{EXIT_CODES, ShapeArgs, Source};

/// Explain one run: a page that shows it as a space-time diagram.
///
/// The page is one file that opens in a browser without a network. It shows verdict and commands,
/// all peers over time with every frame, fault and edit, what led to the failure and nothing else,
/// and the graph of each peer at any moment. Of a recording it shows one device's last 2,000 steps,
/// and the others as far as it heard of them. Exits with 0 if it is written, 3 if the plan ran
/// differently twice or a recording is not what the engine does.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ExplainArgs {
    /// A seed, decimal or 0x hexadecimal, or the path of a capsule, a scenario or a recording.
    #[arg(value_name = "SEED|FILE")]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    /// Where to write the page [default: target/explained/SEED.html, or the name of the file;
    /// none with --text or --perfetto].
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write the run as a trace for ui.perfetto.dev or chrome://tracing.
    #[arg(long, value_name = "FILE")]
    pub(crate) perfetto: Option<PathBuf>,
    /// Print the run in lanes of text: of a failure what led to it.
    #[arg(long)]
    pub(crate) text: bool,
    /// With --text, print every event.
    #[arg(long, requires = "text")]
    pub(crate) all: bool,
}
