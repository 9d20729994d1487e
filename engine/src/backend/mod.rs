//! Backends that ship with the engine.

mod no_network;

pub use no_network::NoNetwork;
