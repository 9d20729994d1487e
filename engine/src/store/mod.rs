//! Stores that ship with the engine, and the exam that every store must pass.

pub mod conformance;
#[cfg(feature = "store")]
pub mod disk;
#[cfg(feature = "vault")]
pub mod medium;
#[cfg(feature = "vault")]
pub mod medium_conformance;
mod memory;
#[cfg(feature = "vault")]
pub mod vault;

pub use memory::{Leftover, MemoryStore, MemoryWitness};
