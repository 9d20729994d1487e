//! The adapters alone.
