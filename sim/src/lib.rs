//! The simulator: many devices with the real engine, in one thread and in virtual time.
//!
//! [`generate`] expands a seed into a [`plan`], [`world`] runs a plan and judges it. [`trace`] keeps
//! what happened, and [`ledger`] what each fault really did. [`model`] is the naive meaning of a set
//! of entries that the engine is compared with. A failure has a [`fingerprint`], is saved as a
//! [`capsule`] and made small by [`shrink`]. Bugs that are [`planted`] measure all this.
//! `ARCHITECTURE.md` beside this crate's manifest goes further.

pub mod capsule;
pub mod explain;
pub mod fingerprint;
pub mod generate;
pub mod ledger;
pub mod model;
mod oracle;
pub mod plan;
pub mod planted;
pub mod probe;
pub mod recording;
pub mod shrink;
pub mod text;
pub mod trace;
pub mod web;
pub mod world;
