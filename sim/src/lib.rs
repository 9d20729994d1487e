//! The simulator.
pub mod generate;
pub mod model;
mod oracle;
pub mod plan;
pub mod trace;
pub mod web;
pub mod world;
