//! How far long work is, on standard error.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(250);

/// A bar of this length, or a spinner if nobody knows how much there is to do. It is hidden if
/// nobody sees it, or if a program reads the output (`quiet`).
pub(crate) fn bar(length: Option<u64>, template: &str, quiet: bool) -> ProgressBar {
    if quiet || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.enable_steady_tick(TICK);
    bar.with_style(ProgressStyle::with_template(template).expect("the template is valid"))
}
