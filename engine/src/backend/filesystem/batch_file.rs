//! One published batch as a file.
//!
//! ```text
//! file := batch hash:32        the encoded batch, then the BLAKE3 hash of its bytes
//! ```
//! The hash tells a file that was copied in part, or rotted, from one that its publisher wrote.

use std::path::Path;

use super::disk::{self, ReadError};
use crate::batch::{Batch, BatchError};
use crate::hash::Hash;
use crate::id::WorkspaceId;
use crate::limits::MAX_BATCH_FILE_BYTES;

/// What is wrong with a published file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Longer than any batch file may be.
    #[error("{bytes} bytes long, expected at most {MAX_BATCH_FILE_BYTES}")]
    TooLong {
        /// Its length.
        bytes: u64,
    },
    /// Written in part, or changed since.
    #[error("the checksum at its end does not fit: half-written or damaged")]
    Checksum,
    /// Its publisher wrote what is no batch, or one that only a newer version can read.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A batch of another workspace.
    #[error("entries of workspace {found}, expected those of {expected}")]
    Workspace {
        /// The workspace that the batch names.
        found: WorkspaceId,
        /// The one whose folder it lies in.
        expected: WorkspaceId,
    },
    /// The system did not let it be read.
    #[error("could not be read: {0}")]
    Unreadable(std::io::ErrorKind),
}

pub(super) fn encode(batch: &Batch) -> Vec<u8> {
    let mut bytes = batch.encode();
    let checksum = checksum(&bytes);
    bytes.extend_from_slice(&checksum.0);
    bytes
}

/// Reads a batch file. `None` if no file is there (any more), or only the claim of its name.
pub(super) fn read(path: &Path, workspace: WorkspaceId) -> Result<Option<Batch>, Damage> {
    let bytes = match disk::read(path, MAX_BATCH_FILE_BYTES) {
        Ok(bytes) if bytes.is_empty() => return Ok(None),
        Ok(bytes) => bytes,
        Err(ReadError::Missing | ReadError::NoFile) => return Ok(None),
        Err(ReadError::TooLong(bytes)) => return Err(Damage::TooLong { bytes }),
        Err(ReadError::Io(error)) => return Err(Damage::Unreadable(error.kind())),
    };
    let (batch, stated) = bytes.split_last_chunk().ok_or(Damage::Checksum)?;
    if checksum(batch) != Hash(*stated) {
        return Err(Damage::Checksum);
    }
    let batch = Batch::decode(batch)?;
    let found = batch.workspace();
    if found != workspace {
        return Err(Damage::Workspace { found, expected: workspace });
    }
    Ok(Some(batch))
}

fn checksum(batch: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("graphshell-sync 1 batch file");
    hasher.update(batch);
    Hash(*hasher.finalize().as_bytes())
}
