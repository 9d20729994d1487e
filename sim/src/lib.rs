//! The simulator.
pub mod model;
mod oracle;
pub mod plan;
pub mod trace;
pub mod world;
