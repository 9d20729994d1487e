//! Random choices whose outcome is part of the contract: a seed means the same plan on any
//! machine and with any version of a random number library.
//!
//! Only ChaCha's key stream is taken from the library; every mapping to a range stands here.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// An independent stream for each purpose, so that a change of one leaves the others.
    pub(super) fn new(seed: u64, purpose: &'static str) -> Self {
        let context = "graphshell-sim 1 dice";
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        Dice(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// A number below `bound`, which must not be 0; biased by less than bound / 2⁶⁴.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        debug_assert!(bound > 0);
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `least` to `most`, both included.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// A place in something of this length, which must not be 0.
    pub(super) fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// True in `percent` of 100 cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of them; there must be one.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    /// One of the rows, each as often as its weight says; the weights must not all be 0.
    pub(super) fn weighted<T: Copy>(&mut self, rows: &[(u64, T)]) -> T {
        let mut left = self.below(rows.iter().map(|(weight, _)| weight).sum());
        for &(weight, row) in rows {
            if left < weight {
                return row;
            }
            left -= weight;
        }
        unreachable!("the number is below the sum of the weights");
    }
}
