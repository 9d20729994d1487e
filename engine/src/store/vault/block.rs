//! Blocks: the unit of compression and sealing.
//!
//! An append is cut into blocks of consecutive records, so that many small records share one seal
//! and compress together, and a record can be read without the whole log. Each block states the
//! tag of the one before it: blocks form a chain, and one that is lost, replaced or reordered
//! breaks it.

use rkyv::rancor;

use super::seal::{Name, SealError, Sealer, Tag};
use crate::limits::{BLOCK_TARGET_BYTES, MAX_BLOCK_BYTES};
use crate::ports::{Entropy, StoreError};
use crate::record::Record;

/// What is sealed. Frozen: its layout is part of the format.
#[derive(rkyv::Archive, rkyv::Serialize)]
struct Contents {
    /// The tag of the block before this one; zeros if there never was one.
    previous: Tag,
    /// Canonical records.
    records: Vec<Vec<u8>>,
}

/// Bytes that a record takes in a block beside its own.
const RECORD_OVERHEAD: usize = 8;

/// Records as bytes, cut into groups of consecutive ones that make a block each.
pub(super) fn cut(records: &[Record]) -> Vec<Vec<Vec<u8>>> {
    let mut blocks: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut room = 0;
    for record in records {
        let bytes = record.encode();
        let needed = bytes.len() + RECORD_OVERHEAD;
        match blocks.last_mut() {
            Some(block) if needed <= room => {
                room -= needed;
                block.push(bytes);
            }
            _ => {
                room = BLOCK_TARGET_BYTES.saturating_sub(needed);
                blocks.push(vec![bytes]);
            }
        }
    }
    blocks
}

/// The block of these records, sealed.
pub(super) fn seal(
    sealer: &mut Sealer,
    entropy: &dyn Entropy,
    first: u64,
    previous: Tag,
    records: Vec<Vec<u8>>,
) -> Result<Vec<u8>, StoreError> {
    let name = Name::Block { first, records: records.len() as u32 };
    let plain = rkyv::to_bytes::<rancor::Error>(&Contents { previous, records })
        .expect("writing bytes to memory cannot fail");
    debug_assert!(plain.len() <= MAX_BLOCK_BYTES);
    sealer.pack(entropy, name, &plain)
}

/// The records of a sealed block, and the tag that it says the block before it has.
pub(super) fn open(
    sealer: &mut Sealer,
    first: u64,
    records: u32,
    sealed: Vec<u8>,
) -> Result<(Tag, Vec<Record>), SealError> {
    let plain = sealer.unpack(Name::Block { first, records }, sealed, MAX_BLOCK_BYTES)?;
    let contents = rkyv::access::<ArchivedContents, rancor::Error>(&plain)
        .map_err(|_| SealError::Malformed("a block of records"))?;
    if contents.records.len() != records as usize {
        return Err(SealError::Malformed("as many records as the block's name says"));
    }
    let decode = |bytes: &rkyv::vec::ArchivedVec<u8>| {
        Record::decode(bytes).map_err(|error| match error {
            crate::record::RecordError::Version { found } => SealError::Version(found),
            _ => SealError::Malformed("a record"),
        })
    };
    let records = contents.records.iter().map(decode).collect::<Result<_, _>>()?;
    Ok((contents.previous, records))
}
