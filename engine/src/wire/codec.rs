//! Requests and responses as bytes.
//!
//! A frame's first byte is the protocol version, whatever follows in that version. In this one:
//!
//! ```text
//! request  := version 1 workspace:16 digest:32                                     Frontier
//!           | version 2 workspace:16 frontier excluded entries:varint bytes:varint Pull
//!           | version 3 batch                                                      Push
//!           | version 4 workspace:16 begun:u8 (id:32 offset:varint)? bytes:varint  Snapshot
//! response := version 129                                                          InStep
//!           | version 130 frontier excluded                                        Frontier
//!           | version 131 present<<1|more:u8 batch?                                Batch
//!           | version 132 count (peer:16 sequence:varint)*                         Durable
//!           | version 133                                                          Published
//!           | version 134 code:u8 detail                                           Refused
//!           | version 135 id:32 total:varint offset:varint length:varint bytes     Snapshot
//! frontier := count (peer:16 sequence:varint hash:32)*
//! excluded := count (peer:16 common:varint branch:32)*
//! ```
//! Rows ascend by peer, each peer once. A value has one encoding and an encoding one value: nothing
//! is skipped, nothing may follow, and no frame is the beginning of another. A new tag or code is
//! a new protocol version.

use super::{
    Budget, Exclusion, Frontier, FrontierRequest, FrontierRow, PROTOCOL_VERSION, PullRequest,
    PushRequest, Reject, Request, Response, SnapshotPart, SnapshotRequest,
};
use crate::batch::{Batch, BatchError};
use crate::codec::{DecodeError, Reader, put_varint};
use crate::hash::Hash;
use crate::id::{PeerId, WorkspaceId};
use crate::limits::{
    MAX_AUTHORS, MAX_FRAME_BYTES, MAX_IN_STEP_BYTES, MAX_REASON_BYTES, MAX_SNAPSHOT_BYTES,
    MAX_SNAPSHOT_PART_BYTES,
};
use crate::ports::CallError;

/// Bytes are no frame of the protocol; the fault of whoever sent them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than any frame may be.
    #[error("a frame of {bytes} bytes exceeds {MAX_FRAME_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Another version of the protocol.
    #[error("protocol version {found} is unknown; this engine speaks {PROTOCOL_VERSION}")]
    Version {
        /// The version it says it has.
        found: u8,
    },
    /// The bytes break the format.
    #[error("malformed frame: {0}")]
    Malformed(#[from] DecodeError),
    /// The batch in it is none.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

impl From<FrameError> for Reject {
    /// What to answer to a request that is none.
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Version { .. } => Reject::Version(PROTOCOL_VERSION),
            other => Reject::Malformed(other.to_string()),
        }
    }
}

const REQUEST_FRONTIER: u8 = 1;
const REQUEST_PULL: u8 = 2;
const REQUEST_PUSH: u8 = 3;
const REQUEST_SNAPSHOT: u8 = 4;

const RESPONSE_IN_STEP: u8 = 129;
const RESPONSE_FRONTIER: u8 = 130;
const RESPONSE_BATCH: u8 = 131;
const RESPONSE_DURABLE: u8 = 132;
const RESPONSE_PUBLISHED: u8 = 133;
const RESPONSE_REFUSED: u8 = 134;
const RESPONSE_SNAPSHOT: u8 = 135;

const REJECT_NOT_SHARED: u8 = 1;
const REJECT_BUSY: u8 = 2;
const REJECT_UNAVAILABLE: u8 = 3;
const REJECT_MALFORMED: u8 = 4;
const REJECT_VERSION: u8 = 5;
const REJECT_TOO_MANY_AUTHORS: u8 = 6;
const REJECT_FORK: u8 = 7;
const REJECT_BEHIND: u8 = 8;
const REJECT_TOO_LONG: u8 = 9;
const REJECT_READ_ONLY: u8 = 10;

const FRONTIER_REQUEST_BYTES: usize = 2 + 16 + 32;
const IN_STEP_RESPONSE_BYTES: usize = 2;
const _: () = assert!(FRONTIER_REQUEST_BYTES + IN_STEP_RESPONSE_BYTES <= MAX_IN_STEP_BYTES);

impl Request {
    /// The request as one frame, at most [`MAX_FRAME_BYTES`] long.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![PROTOCOL_VERSION];
        match self {
            Request::Frontier(FrontierRequest { workspace, digest }) => {
                out.push(REQUEST_FRONTIER);
                out.extend_from_slice(workspace.0.as_bytes());
                out.extend_from_slice(&digest.0);
            }
            Request::Pull(PullRequest { workspace, have, excluded, budget }) => {
                out.push(REQUEST_PULL);
                out.extend_from_slice(workspace.0.as_bytes());
                put_frontier(&mut out, have);
                put_excluded(&mut out, excluded);
                put_varint(&mut out, u64::from(budget.entries));
                put_varint(&mut out, u64::from(budget.bytes));
            }
            Request::Push(PushRequest { batch }) => {
                out.push(REQUEST_PUSH);
                batch.encode_onto(&mut out);
            }
            Request::Snapshot(SnapshotRequest { workspace, id, offset, bytes }) => {
                out.push(REQUEST_SNAPSHOT);
                out.extend_from_slice(workspace.0.as_bytes());
                out.push(u8::from(id.is_some()));
                if let Some(id) = id {
                    out.extend_from_slice(&id.0);
                    put_varint(&mut out, *offset);
                }
                put_varint(&mut out, u64::from(*bytes));
            }
        }
        debug_assert!(out.len() <= MAX_FRAME_BYTES);
        out
    }

    /// Reads one frame. Allocates no more than a small multiple of `frame.len()`.
    pub fn decode(frame: &[u8]) -> Result<Request, FrameError> {
        let mut reader = open(frame)?;
        let read = &mut reader;
        let tag = read.clone();
        let request = match read.u8("a request's tag")? {
            REQUEST_FRONTIER => Request::Frontier(FrontierRequest {
                workspace: WorkspaceId(read.uuid("a workspace id")?),
                digest: hash(read)?,
            }),
            REQUEST_PULL => Request::Pull(PullRequest {
                workspace: WorkspaceId(read.uuid("a workspace id")?),
                have: frontier(read)?,
                excluded: excluded(read)?,
                budget: Budget {
                    entries: bounded_u32(read, "a number of entries below 2^32")?,
                    bytes: bounded_u32(read, "a number of bytes below 2^32")?,
                },
            }),
            REQUEST_PUSH => Request::Push(PushRequest { batch: Batch::decode(read.rest())? }),
            REQUEST_SNAPSHOT => Request::Snapshot(snapshot_request(read)?),
            _ => return Err(tag.error("a request's tag").into()),
        };
        reader.finish("the frame's end")?;
        Ok(request)
    }
}

impl Response {
    /// The response as one frame, at most [`MAX_FRAME_BYTES`] long. The reason of a
    /// [`Reject::Malformed`] is cut to [`MAX_REASON_BYTES`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![PROTOCOL_VERSION];
        match self {
            Response::InStep => out.push(RESPONSE_IN_STEP),
            Response::Frontier { frontier, excluded } => {
                out.push(RESPONSE_FRONTIER);
                put_frontier(&mut out, frontier);
                put_excluded(&mut out, excluded);
            }
            Response::Batch { batch, more } => {
                out.push(RESPONSE_BATCH);
                out.push(u8::from(batch.is_some()) << 1 | u8::from(*more));
                if let Some(batch) = batch {
                    batch.encode_onto(&mut out);
                }
            }
            Response::Durable { have } => {
                out.push(RESPONSE_DURABLE);
                put_rows(&mut out, have.iter().map(|(peer, sequence)| (peer, sequence, &[][..])));
            }
            Response::Published => out.push(RESPONSE_PUBLISHED),
            Response::Refused(reject) => {
                out.push(RESPONSE_REFUSED);
                put_reject(&mut out, reject);
            }
            Response::Snapshot(SnapshotPart { id, total, offset, bytes }) => {
                out.push(RESPONSE_SNAPSHOT);
                out.extend_from_slice(&id.0);
                put_varint(&mut out, *total);
                put_varint(&mut out, *offset);
                put_varint(&mut out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
        }
        debug_assert!(out.len() <= MAX_FRAME_BYTES);
        out
    }

    /// What a backend gives back for the frame that answered a call. A peer whose answer has another
    /// version of the protocol has refused to speak ours, whatever the rest says.
    ///
    /// # Errors
    /// [`CallError::Nonsense`] if the frame breaks the format.
    pub fn from_answer(frame: &[u8]) -> Result<Response, CallError> {
        match Response::decode(frame) {
            Err(FrameError::Version { found }) => Ok(Response::Refused(Reject::Version(found))),
            Err(error) => Err(CallError::Nonsense(error.to_string())),
            Ok(response) => Ok(response),
        }
    }

    /// Reads one frame. Allocates no more than a small multiple of `frame.len()`.
    pub fn decode(frame: &[u8]) -> Result<Response, FrameError> {
        let mut reader = open(frame)?;
        let read = &mut reader;
        let tag = read.clone();
        let response = match read.u8("a response's tag")? {
            RESPONSE_IN_STEP => Response::InStep,
            RESPONSE_FRONTIER => {
                Response::Frontier { frontier: frontier(read)?, excluded: excluded(read)? }
            }
            RESPONSE_BATCH => {
                let flags = read.bounded(3, "two flags")?;
                let batch = if flags & 2 != 0 { Some(Batch::decode(read.rest())?) } else { None };
                Response::Batch { batch, more: flags & 1 != 0 }
            }
            RESPONSE_DURABLE => {
                let have = rows(read, 17, |read, peer| Ok((peer, known_sequence(read)?)))?;
                Response::Durable { have: have.into_iter().collect() }
            }
            RESPONSE_PUBLISHED => Response::Published,
            RESPONSE_REFUSED => Response::Refused(reject(read)?),
            RESPONSE_SNAPSHOT => Response::Snapshot(snapshot_part(read)?),
            _ => return Err(tag.error("a response's tag").into()),
        };
        reader.finish("the frame's end")?;
        Ok(response)
    }
}

/// A reader behind the version of a frame that is not too long.
fn open(frame: &[u8]) -> Result<Reader<'_>, FrameError> {
    if frame.len() > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong { bytes: frame.len() });
    }
    let mut reader = Reader::new(frame);
    match reader.u8("a protocol version")? {
        PROTOCOL_VERSION => Ok(reader),
        found => Err(FrameError::Version { found }),
    }
}

fn put_reject(out: &mut Vec<u8>, reject: &Reject) {
    match reject {
        Reject::NotShared => out.push(REJECT_NOT_SHARED),
        Reject::Busy => out.push(REJECT_BUSY),
        Reject::Unavailable => out.push(REJECT_UNAVAILABLE),
        Reject::Malformed(reason) => {
            out.push(REJECT_MALFORMED);
            let length = reason.floor_char_boundary(MAX_REASON_BYTES);
            put_varint(out, length as u64);
            out.extend_from_slice(&reason.as_bytes()[..length]);
        }
        Reject::Version(version) => out.extend_from_slice(&[REJECT_VERSION, *version]),
        Reject::TooManyAuthors => out.push(REJECT_TOO_MANY_AUTHORS),
        Reject::Fork { author, common } => {
            out.push(REJECT_FORK);
            out.extend_from_slice(author.0.as_bytes());
            put_varint(out, *common);
        }
        Reject::Behind => out.push(REJECT_BEHIND),
        Reject::TooLong => out.push(REJECT_TOO_LONG),
        Reject::ReadOnly => out.push(REJECT_READ_ONLY),
    }
}

fn reject(read: &mut Reader<'_>) -> Result<Reject, DecodeError> {
    let code = read.clone();
    Ok(match read.u8("a refusal's code")? {
        REJECT_NOT_SHARED => Reject::NotShared,
        REJECT_BUSY => Reject::Busy,
        REJECT_UNAVAILABLE => Reject::Unavailable,
        REJECT_MALFORMED => {
            let length = read.bounded(MAX_REASON_BYTES, "a reason's length within its bound")?;
            let start = read.clone();
            let reason = std::str::from_utf8(read.bytes(length, "a reason")?)
                .map_err(|_| start.error("a reason in UTF-8"))?;
            Reject::Malformed(reason.to_owned())
        }
        REJECT_VERSION => Reject::Version(read.u8("a protocol version")?),
        REJECT_TOO_MANY_AUTHORS => Reject::TooManyAuthors,
        REJECT_FORK => Reject::Fork {
            author: PeerId(read.uuid("an author id")?),
            common: read.sequence(0, "a sequence below 2^62")?,
        },
        REJECT_BEHIND => Reject::Behind,
        REJECT_TOO_LONG => Reject::TooLong,
        REJECT_READ_ONLY => Reject::ReadOnly,
        _ => return Err(code.error("a refusal's code")),
    })
}

fn snapshot_request(read: &mut Reader<'_>) -> Result<SnapshotRequest, DecodeError> {
    let workspace = WorkspaceId(read.uuid("a workspace id")?);
    let begun = read.bounded(1, "0 or 1")? == 1;
    let (id, offset) = if begun {
        let id = hash(read)?;
        (Some(id), read.bounded(MAX_SNAPSHOT_BYTES, "an offset within a snapshot")? as u64)
    } else {
        (None, 0)
    };
    let bytes = bounded_u32(read, "a number of bytes below 2^32")?;
    Ok(SnapshotRequest { workspace, id, offset, bytes })
}

fn snapshot_part(read: &mut Reader<'_>) -> Result<SnapshotPart, DecodeError> {
    let id = hash(read)?;
    let total = read.bounded(MAX_SNAPSHOT_BYTES, "a snapshot's length within its bound")?;
    let offset = read.bounded(total, "an offset within the snapshot")?;
    let most = MAX_SNAPSHOT_PART_BYTES.min(total - offset);
    let start = read.clone();
    let length = read.bounded(most, "a part's length within the snapshot and its bound")?;
    if length == 0 {
        return Err(start.error("a part of at least one byte"));
    }
    let bytes = read.bytes(length, "a part of a snapshot")?.to_vec();
    Ok(SnapshotPart { id, total: total as u64, offset: offset as u64, bytes })
}

fn put_frontier(out: &mut Vec<u8>, frontier: &Frontier) {
    put_rows(out, frontier.rows.iter().map(|row| (row.peer, row.sequence, &row.hash.0[..])));
}

fn frontier(read: &mut Reader<'_>) -> Result<Frontier, DecodeError> {
    let rows = rows(read, 49, |read, peer| {
        Ok(FrontierRow { peer, sequence: known_sequence(read)?, hash: hash(read)? })
    })?;
    Ok(Frontier { rows })
}

fn put_excluded(out: &mut Vec<u8>, excluded: &[Exclusion]) {
    put_rows(out, excluded.iter().map(|row| (row.peer, row.common, &row.branch.0[..])));
}

fn excluded(read: &mut Reader<'_>) -> Result<Vec<Exclusion>, DecodeError> {
    rows(read, 49, |read, peer| {
        let common = read.sequence(0, "a sequence below 2^62")?;
        Ok(Exclusion { peer, common, branch: hash(read)? })
    })
}

/// Appends a table of peers, a sequence and a hash (if any) of each. Rows must ascend by peer, at
/// most [`MAX_AUTHORS`] of them.
fn put_rows<'a>(out: &mut Vec<u8>, rows: impl ExactSizeIterator<Item = (PeerId, u64, &'a [u8])>) {
    debug_assert!(rows.len() <= MAX_AUTHORS);
    put_varint(out, rows.len() as u64);
    let mut before = None;
    for (peer, sequence, hash) in rows {
        debug_assert!(before < Some(peer), "rows ascend by peer");
        before = Some(peer);
        out.extend_from_slice(peer.0.as_bytes());
        put_varint(out, sequence);
        out.extend_from_slice(hash);
    }
}

/// Reads a table of rows that take at least `row_bytes` each; `rest` reads what follows the peer.
fn rows<T>(
    read: &mut Reader<'_>,
    row_bytes: usize,
    mut rest: impl FnMut(&mut Reader<'_>, PeerId) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let most = MAX_AUTHORS.min(read.remaining() / row_bytes);
    let count = read.bounded(most, "a number of rows within its bound and the frame")?;
    let mut rows = Vec::with_capacity(count);
    let mut before = None;
    for _ in 0..count {
        let start = read.clone();
        let peer = PeerId(read.uuid("an author id")?);
        if before >= Some(peer) {
            return Err(start.error("authors in ascending order"));
        }
        before = Some(peer);
        rows.push(rest(read, peer)?);
    }
    Ok(rows)
}

fn known_sequence(read: &mut Reader<'_>) -> Result<u64, DecodeError> {
    read.sequence(1, "a sequence from 1, below 2^62")
}

fn hash(read: &mut Reader<'_>) -> Result<Hash, DecodeError> {
    Ok(Hash(read.array("a hash of 32 bytes")?))
}

fn bounded_u32(read: &mut Reader<'_>, expected: &'static str) -> Result<u32, DecodeError> {
    Ok(read.bounded(u32::MAX as usize, expected)? as u32)
}

#[cfg(test)]
mod tests;
