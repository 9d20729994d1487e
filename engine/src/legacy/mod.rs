//! Logs from before sync.
