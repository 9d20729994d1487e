//! The simulator.
pub mod model;
pub mod plan;
pub mod web;
