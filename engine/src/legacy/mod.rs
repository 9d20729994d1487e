//! Logs from before sync.
//!
//! Such a log knows neither authors nor causes: it is one device's history in one order. So it is
//! not merged but folded to its live state, whose operations the local peer authors anew as
//! *genesis* entries (timestamp 0). Two devices that carry the same profile fold it to the same
//! operations on the same ids.
//!
//! Nothing here writes a legacy log for use; [`encode_legacy`] serves tests and the simulator.

mod entry;
mod fold;

pub use entry::{LegacyEdgeType, LegacyError, LegacyLogEntry, decode_legacy, encode_legacy};
pub use fold::{Adjusted, Adjustment, Folded, fold};
