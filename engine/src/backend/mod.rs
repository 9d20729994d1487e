//! Backends that ship with the engine.

mod filesystem;
#[cfg(feature = "iroh")]
pub mod iroh;
mod no_network;

pub use filesystem::{Damage, DamagedFile, LocalFilesystemBackend};
pub use no_network::NoNetwork;
