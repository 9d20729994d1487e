//! Workloads for the benchmarks, and the stopwatch that they share.
//!
//! Everything is driven through the public interface of the engine, on one thread and in memory,
//! so that what is measured is the engine and not a disk, a network or an executor.

mod device;
mod race;
mod workload;

pub use device::Device;
pub use race::{Entrant, race, suite, timed};
pub use workload::{Workload, browse};

/// How many operations the bars are about.
pub const OPERATIONS: usize = 100_000;
