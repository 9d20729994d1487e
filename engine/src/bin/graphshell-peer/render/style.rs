//! The terminal's width, and colours where they are wanted.

use console::{Style, Term};

use crate::text::{MIN_WIDTH, PROSE_WIDTH};

/// Columns that lines may take; `None` where nobody looks (a file, a pipe), and nothing is cut.
pub(super) fn width(stdout: bool) -> Option<usize> {
    let term = if stdout { Term::stdout() } else { Term::stderr() };
    let columns = term.is_term().then(|| term.size_checked()).flatten()?.1;
    Some(usize::from(columns).max(MIN_WIDTH))
}

/// Columns that prose may take.
pub(super) fn prose_width() -> Option<usize> {
    width(true).map(|width| width.min(PROSE_WIDTH))
}

pub(super) fn strong(text: &str) -> String {
    Style::new().bold().apply_to(text).to_string()
}

pub(super) fn faint(text: &str) -> String {
    Style::new().dim().apply_to(text).to_string()
}

pub(super) fn good(text: &str) -> String {
    Style::new().green().apply_to(text).to_string()
}

pub(super) fn bad(text: &str) -> String {
    Style::new().red().apply_to(text).to_string()
}

/// A line of a failure.
pub(super) fn error(line: &str) -> String {
    match line.strip_prefix("error:") {
        Some(rest) => {
            format!("{}{rest}", Style::new().for_stderr().red().bold().apply_to("error:"))
        }
        None => line.to_owned(),
    }
}
