//! Stores that ship with the engine.
