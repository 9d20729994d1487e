//! Bytes to a well-formed batch, or a reason why not.

use super::{AuthorRow, BATCH_VERSION, Batch, Header};
use crate::codec::{DecodeError, Reader, unzigzag};
use crate::entry::FLAG_GENESIS;
use crate::hash::Hash;
use crate::id::{PeerId, WorkspaceId};
use crate::limits::{
    MAX_AUTHORS, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, MAX_PAYLOAD_BYTES, SEQUENCE_END,
};

/// Bytes are no well-formed batch; the fault of whoever made them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Longer than any batch may be.
    #[error("a batch of {bytes} bytes exceeds {MAX_BATCH_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Written by a version that this one does not know.
    #[error("batch format {found} is unknown; this engine reads {BATCH_VERSION}")]
    Version {
        /// The version it says it has.
        found: u8,
    },
    /// The bytes break the format.
    #[error("malformed batch: {0}")]
    Malformed(#[from] DecodeError),
}

/// An entry takes at least this many bytes: row, kind, time, delta count, length.
const MIN_ENTRY_BYTES: usize = 5;
/// An author takes at least this many bytes: id, base, hash.
const MIN_ROW_BYTES: usize = 16 + 1 + 32;

impl Batch {
    /// Reads a batch. Allocates at most about 16 bytes for each of `bytes`: two read bytes can name
    /// a component of a delta that takes 16 here, in a vector that doubles as it grows.
    pub fn decode(bytes: &[u8]) -> Result<Batch, BatchError> {
        if bytes.len() > MAX_BATCH_BYTES {
            return Err(BatchError::TooLong { bytes: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        let read = &mut reader;
        let found = read.u8("a batch format version")?;
        if found != BATCH_VERSION {
            return Err(BatchError::Version { found });
        }
        let workspace = WorkspaceId(read.uuid("a workspace id")?);
        let mut authors = authors(read)?;
        let most = MAX_BATCH_ENTRIES.min(read.remaining() / MIN_ENTRY_BYTES);
        let count = read.bounded(most, "an entry count within its bound")?;
        if count == 0 {
            return Err(read.error("at least one entry").into());
        }
        let mut batch = Batch {
            workspace,
            authors: Vec::new(),
            headers: Vec::with_capacity(count),
            deltas: Vec::new(),
            payloads: Vec::with_capacity(read.remaining()),
        };
        let mut time = 0u64;
        for _ in 0..count {
            entry(read, &mut authors, &mut batch, &mut time)?;
        }
        let mut relied = vec![0; authors.len()];
        for &(row, sequence) in &batch.deltas {
            let relied = &mut relied[usize::from(row)];
            *relied = sequence.max(*relied);
        }
        let idle = |(row, relied): (&AuthorRow, u64)| {
            row.count == 0 && (relied == 0 || row.base != relied)
        };
        if authors.iter().zip(relied).any(idle) {
            return Err(read.error("no author beyond those that the entries need").into());
        }
        batch.authors = authors;
        reader.finish("the batch's end")?;
        Ok(batch)
    }
}

fn authors(read: &mut Reader<'_>) -> Result<Vec<AuthorRow>, DecodeError> {
    let most = MAX_AUTHORS.min(read.remaining() / MIN_ROW_BYTES);
    let count = read.bounded(most, "an author count within its bound")?;
    let mut rows: Vec<AuthorRow> = Vec::with_capacity(count);
    for _ in 0..count {
        let peer = PeerId(read.uuid("an author id")?);
        if rows.last().is_some_and(|before| before.peer >= peer) {
            return Err(read.error("authors in ascending order"));
        }
        let base = read.sequence(0, "a sequence below 2^62")?;
        let hash = Hash(read.array("a running hash")?);
        rows.push(AuthorRow { peer, base, hash, count: 0 });
    }
    Ok(rows)
}

/// Reads one entry onto the end of `batch`; `authors` count what was read of each.
fn entry(
    read: &mut Reader<'_>,
    authors: &mut [AuthorRow],
    batch: &mut Batch,
    time: &mut u64,
) -> Result<(), DecodeError> {
    let author = row(read, authors)?;
    let tag = read.bounded(usize::from(u16::MAX) << 1 | 1, "a kind of 16 bits")?;
    let (kind, flags) = ((tag >> 1) as u16, (tag & 1) as u8);
    *time = time.wrapping_add(unzigzag(read.varint("a time")?) as u64);
    if flags & FLAG_GENESIS != 0 && *time != 0 {
        return Err(read.error("time 0 of a genesis entry"));
    }
    let delta_start = batch.deltas.len();
    let raised = read.bounded(authors.len(), "a delta no longer than the author table")?;
    for _ in 0..raised {
        let seen = row(read, authors)?;
        let ascending = batch.deltas[delta_start..].last().is_none_or(|&(before, _)| before < seen);
        if !ascending || seen == author {
            return Err(read.error("other authors, ascending"));
        }
        const EXPECTED: &str = "a dependency within the batch or up to a base";
        let sequence = read.sequence(1, EXPECTED)?;
        if sequence > authors[usize::from(seen)].last() {
            return Err(read.error(EXPECTED));
        }
        batch.deltas.push((seen, sequence));
    }
    let length = read.bounded(MAX_PAYLOAD_BYTES, "a payload length within its bound")?;
    let payload = read.bytes(length, "a payload of the given length")?;
    let payload_start = batch.payloads.len();
    batch.payloads.extend_from_slice(payload);

    let row = &mut authors[usize::from(author)];
    row.count += 1;
    if row.last() >= SEQUENCE_END {
        return Err(read.error("entries below sequence 2^62"));
    }
    batch.headers.push(Header {
        author,
        flags,
        kind,
        sequence: row.last(),
        timestamp_ms: *time,
        delta: delta_start as u32..batch.deltas.len() as u32,
        payload: payload_start as u32..batch.payloads.len() as u32,
    });
    Ok(())
}

fn row(read: &mut Reader<'_>, authors: &[AuthorRow]) -> Result<u16, DecodeError> {
    let last = authors.len().checked_sub(1).ok_or_else(|| read.error("an author table"))?;
    Ok(read.bounded(last, "a row of the author table")? as u16)
}
