//! Records as bytes.
//!
//! ```text
//! record := version 1 device:32 incarnation:16                         Identity
//!         | version 2 batch                                            Ready
//!         | version 3 batch                                            Parked
//!         | version 4 device:32 access:u8                              Consent
//!         | version 5 author:16 common:varint ours:32 theirs:32        Fork
//!         | version 6 author:16 after:varint                           Disown
//! ```
//! The store wrote these bytes itself. A record that does not decode is therefore the disk's fault
//! (or a newer program wrote it), never a peer's; a store reports it as
//! [`StoreError::Damaged`](crate::ports::StoreError::Damaged).

use std::sync::Arc;

use super::{ForkProof, Record};
use crate::batch::{Batch, BatchError};
use crate::codec::{DecodeError, Reader, put_varint};
use crate::hash::Hash;
use crate::id::{DeviceId, Incarnation, PeerId};

/// The version of the record format that this engine writes.
const RECORD_VERSION: u8 = 1;

const IDENTITY: u8 = 1;
const READY: u8 = 2;
const PARKED: u8 = 3;
const CONSENT: u8 = 4;
const FORK: u8 = 5;
const DISOWN: u8 = 6;

/// Bytes are no record; the fault of the disk, or of a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by a version that this one does not know.
    #[error("record format {found} is unknown; this engine reads {RECORD_VERSION}")]
    Version {
        /// The version it says it has.
        found: u8,
    },
    /// The bytes break the format.
    #[error("malformed record: {0}")]
    Malformed(#[from] DecodeError),
    /// The batch in it is none; offsets count from the batch's start.
    #[error("record: {0}")]
    Batch(#[from] BatchError),
}

impl Record {
    /// The record as bytes; see the module for the format.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![RECORD_VERSION];
        match self {
            Record::Identity { device, incarnation } => {
                out.push(IDENTITY);
                out.extend_from_slice(&device.0);
                out.extend_from_slice(&incarnation.0);
            }
            Record::Ready(batch) => {
                out.push(READY);
                batch.encode_onto(&mut out);
            }
            Record::Parked(batch) => {
                out.push(PARKED);
                batch.encode_onto(&mut out);
            }
            Record::Consent { device, access } => {
                out.push(CONSENT);
                out.extend_from_slice(&device.0);
                out.push(access.byte());
            }
            Record::Fork(ForkProof { author, common, ours, theirs }) => {
                out.push(FORK);
                out.extend_from_slice(author.0.as_bytes());
                put_varint(&mut out, *common);
                out.extend_from_slice(&ours.0);
                out.extend_from_slice(&theirs.0);
            }
            Record::Disown { author, after } => {
                out.push(DISOWN);
                out.extend_from_slice(author.0.as_bytes());
                put_varint(&mut out, *after);
            }
        }
        out
    }

    /// Reads a record. Allocates no more than a small multiple of `bytes.len()`.
    pub fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
        let mut reader = Reader::new(bytes);
        let read = &mut reader;
        let found = read.u8("a record format version")?;
        if found != RECORD_VERSION {
            return Err(RecordError::Version { found });
        }
        let tag = read.clone();
        let record = match read.u8("a record's tag")? {
            IDENTITY => Record::Identity {
                device: device(read)?,
                incarnation: Incarnation(read.array("an incarnation of 16 bytes")?),
            },
            READY => Record::Ready(Arc::new(Batch::decode(read.rest())?)),
            PARKED => Record::Parked(Arc::new(Batch::decode(read.rest())?)),
            CONSENT => Record::Consent { device: device(read)?, access: read.access()? },
            FORK => Record::Fork(ForkProof {
                author: author(read)?,
                common: read.sequence(0, "a sequence below 2^62")?,
                ours: Hash(read.array("a hash of 32 bytes")?),
                theirs: Hash(read.array("a hash of 32 bytes")?),
            }),
            DISOWN => Record::Disown {
                author: author(read)?,
                after: read.sequence(0, "a sequence below 2^62")?,
            },
            _ => return Err(tag.error("a record's tag").into()),
        };
        reader.finish("the record's end")?;
        Ok(record)
    }
}

fn device(read: &mut Reader<'_>) -> Result<DeviceId, DecodeError> {
    Ok(DeviceId(read.array("a device id of 32 bytes")?))
}

fn author(read: &mut Reader<'_>) -> Result<PeerId, DecodeError> {
    Ok(PeerId(read.uuid("an author id")?))
}

#[cfg(test)]
mod tests;
