//! Standard output: written line by line, silent once nobody reads it any more.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use console::Term;

/// Columns where there is no terminal to ask.
const DEFAULT_COLUMNS: usize = 80;

/// Data cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub(crate) struct OutputError(io::Error);

/// Where data goes.
///
/// A closed pipe is no error: `| head -1` has what it wanted. After that, or after an error, writes are
/// dropped and [`is_closed`](Self::is_closed) tells long work to stop.
pub(crate) struct Output {
    sink: Box<dyn Write>,
    columns: Option<usize>,
    closed: bool,
}

impl Output {
    /// The process's own.
    pub(crate) fn stdout() -> Self {
        let size = Term::stdout().size_checked();
        // Some terminals say that they have no columns.
        let columns = size.map(|(_, columns)| usize::from(columns)).filter(|columns| *columns > 0);
        Output { sink: Box::new(io::stdout().lock()), columns, closed: false }
    }

    /// Columns for a table.
    pub(crate) fn columns(&self) -> usize {
        self.columns.unwrap_or(DEFAULT_COLUMNS)
    }

    /// Columns for running text: unbounded where a program reads it.
    pub(crate) fn text_columns(&self) -> usize {
        self.columns.unwrap_or(usize::MAX)
    }

    /// Writes `text` and ends the line.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), OutputError> {
        let written = if self.closed { Ok(()) } else { writeln!(self.sink, "{text}") };
        self.or_closed(written)
    }

    pub(crate) fn flush(&mut self) -> Result<(), OutputError> {
        let flushed = if self.closed { Ok(()) } else { self.sink.flush() };
        self.or_closed(flushed)
    }

    /// Whether the reader went away.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    fn or_closed(&mut self, done: io::Result<()>) -> Result<(), OutputError> {
        self.closed |= done.is_err();
        match done {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(OutputError(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn onto(kind: ErrorKind) -> Output {
        Output { sink: Box::new(Fails(kind)), columns: None, closed: false }
    }

    #[test]
    fn a_closed_pipe_is_quiet_and_a_full_disk_is_not() {
        let mut closed = onto(ErrorKind::BrokenPipe);
        assert!(closed.line("data").is_ok() && closed.is_closed());
        let mut full = onto(ErrorKind::StorageFull);
        assert!(full.line("data").is_err());
        assert!(full.line("said once").is_ok() && full.is_closed());
    }
}
