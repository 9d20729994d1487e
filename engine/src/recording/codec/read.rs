//! Bytes to steps.

use std::borrow::Cow;
use std::str;

use crate::codec::{DecodeError, Reader};
use crate::core::Input;
use crate::entry::{EdgeType, LogEntry};
use crate::graph::{ConflictId, Resolution};
use crate::id::{DeviceId, Dot, Incarnation, PeerId};
use crate::limits::{MAX_BATCH_BYTES, MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES};
use crate::ports::{CallError, Opened, Promise, SetAside, StoreError};
use crate::record::{Record, Snapshot};
use crate::wire::{Request, Response};

use super::super::mark::{Kind, Mark};
use super::{
    ABANDON, APPENDED, ASKED, BASE_WRITTEN, BEGAN, DRAWN, EDIT, GAVE, IMAGE, IMPORT, LOADED,
    LOOKED, NOT_OPENED, OPENED, PROMISED, READ, REBASED, RESOLVE, RETURNED, SHARE, SNAPSHOT_SAVED,
    START, Step, WANT_COMPACTION, WANT_SNAPSHOT, WITNESSED,
};

const A_RESULT: &str = "a result: 0, or 1 to 3 and a text";
const EDGE_TYPES: [EdgeType; 3] = [EdgeType::Hyperlink, EdgeType::History, EdgeType::UserGrouped];

/// Reads a step, all of `bytes`. Allocates at most in proportion to them.
pub(in crate::recording) fn read(bytes: &[u8]) -> Result<Step<'static>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let read = &mut reader;
    let step = match read.u8("a step's tag")? {
        OPENED => Step::Opened(Cow::Owned(result(read, opened)?)),
        WITNESSED => Step::Witnessed(result(read, |read| optional(read, promise))?),
        DRAWN => Step::Drawn(read.array("64 random bytes")?),
        READ => {
            let first = read.varint("a position")?;
            Step::Read { first, records: Cow::Owned(result(read, records)?) }
        }
        BASE_WRITTEN => Step::BaseWritten(done(read)?),
        BEGAN => Step::Began,
        NOT_OPENED => Step::NotOpened,
        IMAGE => Step::Image(Cow::Owned(read.rest().to_vec())),
        EDIT => {
            let now_ms = read.varint("a time")?;
            Step::Edit { now_ms, operations: Cow::Owned(operations(read)?) }
        }
        RESOLVE => {
            let now_ms = read.varint("a time")?;
            let conflict = ConflictId(read.uuid("a conflict's id")?);
            Step::Resolve { now_ms, conflict, resolution: Cow::Owned(resolution(read)?) }
        }
        SHARE => Step::Share { device: device(read)?, access: read.access()? },
        IMPORT => Step::Import(Cow::Owned(operations(read)?)),
        LOOKED => Step::Looked,
        WANT_SNAPSHOT => Step::WantSnapshot,
        WANT_COMPACTION => Step::WantCompaction,
        GAVE => Step::Gave(Cow::Owned(marks(read)?)),
        tag => Step::Input(Cow::Owned(input(read, tag)?)),
    };
    reader.finish("the end of the step")?;
    Ok(step)
}

fn input(read: &mut Reader<'_>, tag: u8) -> Result<Input, DecodeError> {
    Ok(match tag {
        APPENDED => Input::Appended(done(read)?),
        LOADED => {
            let ticket = read.varint("a load's number")?;
            Input::Loaded { ticket, records: result(read, records)? }
        }
        PROMISED => Input::Promised(done(read)?),
        SNAPSHOT_SAVED => Input::SnapshotSaved(done(read)?),
        REBASED => Input::Rebased(done(read)?),
        START => Input::Start { round: read.varint("a round")?, peer: device(read)? },
        ABANDON => Input::Abandon { round: read.varint("a round")? },
        RETURNED => {
            let call = read.varint("a call")?;
            let start = read.clone();
            let response = match read.u8("an answer: 0, 1 or 2")? {
                0 => Ok(framed(read, "a response of the protocol", |frame| {
                    Response::decode(frame).ok()
                })?),
                1 => Err(CallError::Lost(text(read)?)),
                2 => Err(CallError::Nonsense(text(read)?)),
                _ => return Err(start.error("an answer: 0, 1 or 2")),
            };
            Input::Returned { call, response }
        }
        ASKED => {
            let (call, from) = (read.varint("a call")?, device(read)?);
            let request =
                framed(read, "a request of the protocol", |frame| Request::decode(frame).ok())?;
            Input::Asked { call, from, request }
        }
        _ => return Err(DecodeError { offset: 0, expected: "a step's tag" }),
    })
}

fn framed<T>(
    read: &mut Reader<'_>,
    expected: &'static str,
    decode: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, DecodeError> {
    let start = read.clone();
    let length = read.bounded(MAX_FRAME_BYTES, "a frame's length within its bound")?;
    decode(read.bytes(length, expected)?).ok_or_else(|| start.error(expected))
}

fn done(read: &mut Reader<'_>) -> Result<Result<(), StoreError>, DecodeError> {
    result(read, |_| Ok(()))
}

fn result<T>(
    read: &mut Reader<'_>,
    value: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Result<T, StoreError>, DecodeError> {
    let start = read.clone();
    Ok(match read.u8(A_RESULT)? {
        0 => Ok(value(read)?),
        1 => Err(StoreError::Refused(text(read)?)),
        2 => Err(StoreError::Failed(text(read)?)),
        3 => Err(StoreError::Damaged(text(read)?)),
        _ => return Err(start.error(A_RESULT)),
    })
}

fn optional<T>(
    read: &mut Reader<'_>,
    value: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if flag(read)? { value(read).map(Some) } else { Ok(None) }
}

fn flag(read: &mut Reader<'_>) -> Result<bool, DecodeError> {
    Ok(read.bounded(1, "0 or 1")? == 1)
}

fn text(read: &mut Reader<'_>) -> Result<String, DecodeError> {
    let start = read.clone();
    let length = read.bounded(usize::MAX, "a text's length")?;
    let bytes = read.bytes(length, "a text of the given length")?;
    str::from_utf8(bytes).map(str::to_owned).map_err(|_| start.error("a text in UTF-8"))
}

fn device(read: &mut Reader<'_>) -> Result<DeviceId, DecodeError> {
    Ok(DeviceId(read.array("a device id of 32 bytes")?))
}

fn promise(read: &mut Reader<'_>) -> Result<Promise, DecodeError> {
    let incarnation = Incarnation(read.array("an incarnation of 16 bytes")?);
    Ok(Promise { incarnation, sequence: read.varint("a sequence")? })
}

fn opened(read: &mut Reader<'_>) -> Result<Opened, DecodeError> {
    let base = optional(read, snapshot)?;
    let snapshot = optional(read, snapshot)?;
    let (first, end) = (read.varint("a position")?, read.varint("a position")?);
    let watermark = read.varint("a position")?;
    let mut set_aside = Vec::new();
    for _ in 0..read.varint("a number of files")? {
        set_aside.push(SetAside { name: text(read)?, why: text(read)? });
    }
    Ok(Opened { base, snapshot, first, end, watermark, set_aside })
}

fn snapshot(read: &mut Reader<'_>) -> Result<Snapshot, DecodeError> {
    let position = read.varint("a position")?;
    let length = read.bounded(usize::MAX, "a snapshot's length")?;
    let bytes = read.bytes(length, "a snapshot of the given length")?.to_vec();
    Ok(Snapshot { position, bytes, ..Snapshot::default() })
}

fn records(read: &mut Reader<'_>) -> Result<Vec<Record>, DecodeError> {
    let mut records = Vec::new();
    for _ in 0..read.varint("a number of records")? {
        let start = read.clone();
        let length = read.bounded(MAX_BATCH_BYTES + 64, "a record's length within its bound")?;
        let bytes = read.bytes(length, "a record of the given length")?;
        records.push(Record::decode(bytes).map_err(|_| start.error("a record of the log"))?);
    }
    Ok(records)
}

fn operations(read: &mut Reader<'_>) -> Result<Vec<LogEntry>, DecodeError> {
    let mut operations = Vec::new();
    for _ in 0..read.varint("a number of operations")? {
        let start = read.clone();
        let tag = read.bounded(usize::from(u16::MAX) << 1 | 1, "a kind of 16 bits")?;
        let (kind, opaque) = ((tag >> 1) as u16, tag & 1 == 1);
        let length = read.bounded(MAX_PAYLOAD_BYTES, "a payload length within its bound")?;
        let payload = read.bytes(length, "a payload of the given length")?;
        operations.push(if opaque {
            LogEntry::Opaque { kind, payload: payload.to_vec() }
        } else {
            match LogEntry::decode(kind, payload) {
                LogEntry::Opaque { .. } => return Err(start.error("an operation that is known")),
                operation => operation.to_owned(),
            }
        });
    }
    Ok(operations)
}

fn resolution(read: &mut Reader<'_>) -> Result<Resolution, DecodeError> {
    let start = read.clone();
    Ok(match read.u8("a resolution: 0 to 3")? {
        0 => Resolution::KeepDeleted,
        1 => {
            let mut chosen = Vec::new();
            for _ in 0..read.varint("a number of writes")? {
                let peer = PeerId(read.uuid("an author id")?);
                chosen.push(Dot { peer, sequence: read.varint("a sequence")? });
            }
            Resolution::Restore { chosen }
        }
        2 => Resolution::KeepBoth,
        3 => {
            let edge_type = EDGE_TYPES[read.bounded(EDGE_TYPES.len() - 1, "an edge type")?];
            Resolution::KeepEdge { edge_type }
        }
        _ => return Err(start.error("a resolution: 0 to 3")),
    })
}

fn marks(read: &mut Reader<'_>) -> Result<Vec<Mark>, DecodeError> {
    let mut marks = Vec::new();
    for _ in 0..read.varint("a number of outputs")? {
        let start = read.clone();
        let kind = Kind::from_number(read.u8("an output's kind")?);
        let kind = kind.ok_or_else(|| start.error("an output's kind"))?;
        marks.push(Mark { kind, hash: read.array("a hash of 8 bytes")? });
    }
    Ok(marks)
}
