//! Ports of a real device: its clock and its randomness.
//!
//! The only place where the engine touches either; nothing else in this crate may call them.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::ports::{Clock, Entropy};

/// The operating system's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// A clock before 1970 reads 0.
    #[expect(clippy::disallowed_methods, reason = "this is the clock port")]
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    ///
    /// If the operating system has no randomness to give: ids and keys made without it would not
    /// be what they claim.
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system gives randomness");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_tells_this_century_and_entropy_differs() {
        let year_2020_ms = 1_577_836_800_000;
        assert!(SystemClock.now_ms() > year_2020_ms);
        let mut drawn = [[0; 16]; 2];
        drawn.iter_mut().for_each(|bytes| SystemEntropy.fill(bytes));
        assert_ne!(drawn[0], drawn[1]);
    }
}
