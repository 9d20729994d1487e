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
    /// How it ends if both apply.
    pub(crate) fn and(self, other: Exit) -> Exit {
        let rank = |exit| match exit {
            Exit::Held => 0,
            Exit::ProvedNothing => 1,
            Exit::PropertyFailed => 2,
            Exit::NotDeterministic => 3,
            Exit::BadInput => 4,
            Exit::Interrupted => 5,
        };
        if rank(other) > rank(self) { other } else { self }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_several_apply_it_is_130_then_2_3_1_4() {
        let order = [
            Exit::Interrupted,
            Exit::BadInput,
            Exit::NotDeterministic,
            Exit::PropertyFailed,
            Exit::ProvedNothing,
            Exit::Held,
        ];
        for (n, &worse) in order.iter().enumerate() {
            for &other in &order[n..] {
                assert_eq!((worse.and(other), other.and(worse)), (worse, worse));
            }
        }
    }
}
