//! What the network does, on stderr, for whoever looks for a fault.

use std::io::IsTerminal;

use tracing_subscriber::filter::EnvFilter;

/// Begins to write records; nothing with 0.
pub(crate) fn start(verbose: u8) {
    let filter = match verbose {
        0 => return,
        1 => "graphshell_sync=debug,iroh=info,warn",
        2 => "graphshell_sync=trace,iroh=debug,info",
        _ => "trace",
    };
    let colours = std::io::stderr().is_terminal() && console::colors_enabled_stderr();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .try_init();
}
