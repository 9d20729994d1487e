//! Exit codes, a promise to scripts and CI.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Every property held.
    Held = 0,
    /// A property failed.
    PropertyFailed = 1,
    /// Bad usage or a bad file; clap ends with the same code.
    BadInput = 2,
    /// The same plan ran differently twice.
    NotDeterministic = 3,
    /// Nothing failed, and nothing was proved either.
    ProvedNothing = 4,
    /// Interrupted: 128 plus the number of SIGINT, as shells have it.
    Interrupted = 130,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
