//! Backends that ship with the engine.
