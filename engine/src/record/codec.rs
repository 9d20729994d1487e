//! Records as bytes.

/// Bytes are no record; the fault of the disk, or of a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed record")]
pub struct RecordError;
