//! The simulator.
pub mod plan;
