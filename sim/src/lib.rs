//! The simulator.
pub mod generate;
pub mod model;
pub mod plan;
pub mod web;
