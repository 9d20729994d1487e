//! Stores that ship with the engine, and the exam that every store must pass.

pub mod conformance;
mod memory;

pub use memory::{Leftover, MemoryStore, MemoryWitness};
