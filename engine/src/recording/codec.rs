//! Steps as bytes.
//!
//! ```text
//! step       := tag:u8 what
//! 1 Opened   := result (optional-snapshot optional-snapshot first end watermark count (name why)*)
//! 2 Witnessed:= result (0 | 1 incarnation:16 sequence)
//! 3 Drawn    := 64 bytes
//! 4 Read     := first result (count (length record)*)
//! 5 BaseWritten := result ()
//! 6 Began    7 NotOpened    13 Looked    14 WantSnapshot    15 WantCompaction     nothing
//! 8 Image    := the image
//! 9 Edit     := now operations             12 Import := operations
//! 10 Resolve := now conflict:16 (0 | 1 count dot* | 2 | 3 type)
//! 11 Share   := device:32 access:u8
//! 16 Gave    := count (kind:u8 hash:8)*
//! 20 Appended := result ()     21 Loaded := ticket result (count (length record)*)
//! 22 Promised, 23 SnapshotSaved, 24 Rebased := result ()
//! 25 Start   := round device:32            26 Abandon := round
//! 27 Returned := call (0 length response | 1 text | 2 text)
//! 28 Asked   := call device:32 length request
//! operations := count (kind<<1|opaque length payload)*
//! result(x)  := 0 x | (1 refused | 2 failed | 3 damaged) text
//! text       := length utf-8
//! ```
//! Numbers are shortest LEB128. Records, requests, responses and payloads are what they are in the
//! log and on the wire.

mod read;

use super::step::Step;
use crate::codec::put_varint;
use crate::core::Input;
use crate::entry::{LogEntry, PayloadError};
use crate::graph::Resolution;
use crate::ports::{CallError, Opened, StoreError};
use crate::record::{Record, Snapshot};

pub(super) use read::read;

const OPENED: u8 = 1;
const WITNESSED: u8 = 2;
const DRAWN: u8 = 3;
const READ: u8 = 4;
const BASE_WRITTEN: u8 = 5;
const BEGAN: u8 = 6;
const NOT_OPENED: u8 = 7;
const IMAGE: u8 = 8;
const EDIT: u8 = 9;
const RESOLVE: u8 = 10;
const SHARE: u8 = 11;
const IMPORT: u8 = 12;
const LOOKED: u8 = 13;
const WANT_SNAPSHOT: u8 = 14;
const WANT_COMPACTION: u8 = 15;
const GAVE: u8 = 16;
const APPENDED: u8 = 20;
const LOADED: u8 = 21;
const PROMISED: u8 = 22;
const SNAPSHOT_SAVED: u8 = 23;
const REBASED: u8 = 24;
const START: u8 = 25;
const ABANDON: u8 = 26;
const RETURNED: u8 = 27;
const ASKED: u8 = 28;

/// Appends a step to `out`.
///
/// # Errors
/// If an operation exceeds its bound; then `out` holds a part of the step.
pub(super) fn put(out: &mut Vec<u8>, step: &Step<'_>) -> Result<(), PayloadError> {
    match step {
        Step::Opened(result) => {
            out.push(OPENED);
            put_result(out, result, put_opened);
        }
        Step::Witnessed(result) => {
            out.push(WITNESSED);
            put_result(out, result, |out, promise| match promise {
                None => out.push(0),
                Some(promise) => {
                    out.push(1);
                    out.extend_from_slice(&promise.incarnation.0);
                    put_varint(out, promise.sequence);
                }
            });
        }
        Step::Drawn(bytes) => {
            out.push(DRAWN);
            out.extend_from_slice(bytes);
        }
        Step::Read { first, records } => {
            out.push(READ);
            put_varint(out, *first);
            put_result(out, records, |out, records| put_records(out, records));
        }
        Step::BaseWritten(result) => put_done(out, BASE_WRITTEN, result),
        Step::Began => out.push(BEGAN),
        Step::NotOpened => out.push(NOT_OPENED),
        Step::Image(image) => {
            out.push(IMAGE);
            out.extend_from_slice(image);
        }
        Step::Edit { now_ms, operations } => {
            out.push(EDIT);
            put_varint(out, *now_ms);
            put_operations(out, operations)?;
        }
        Step::Resolve { now_ms, conflict, resolution } => {
            out.push(RESOLVE);
            put_varint(out, *now_ms);
            out.extend_from_slice(conflict.0.as_bytes());
            put_resolution(out, resolution);
        }
        Step::Share { device, access } => {
            out.push(SHARE);
            out.extend_from_slice(&device.0);
            out.push(access.byte());
        }
        Step::Import(operations) => {
            out.push(IMPORT);
            put_operations(out, operations)?;
        }
        Step::Input(input) => put_input(out, input),
        Step::Looked => out.push(LOOKED),
        Step::WantSnapshot => out.push(WANT_SNAPSHOT),
        Step::WantCompaction => out.push(WANT_COMPACTION),
        Step::Gave(marks) => {
            out.push(GAVE);
            put_varint(out, marks.len() as u64);
            for mark in marks.iter() {
                out.push(mark.kind as u8);
                out.extend_from_slice(&mark.hash);
            }
        }
    }
    Ok(())
}

fn put_input(out: &mut Vec<u8>, input: &Input) {
    match input {
        Input::Appended(result) => put_done(out, APPENDED, result),
        Input::Loaded { ticket, records } => {
            out.push(LOADED);
            put_varint(out, *ticket);
            put_result(out, records, |out, records| put_records(out, records));
        }
        Input::Promised(result) => put_done(out, PROMISED, result),
        Input::SnapshotSaved(result) => put_done(out, SNAPSHOT_SAVED, result),
        Input::Rebased(result) => put_done(out, REBASED, result),
        Input::Start { round, peer } => {
            out.push(START);
            put_varint(out, *round);
            out.extend_from_slice(&peer.0);
        }
        Input::Abandon { round } => {
            out.push(ABANDON);
            put_varint(out, *round);
        }
        Input::Returned { call, response } => {
            out.push(RETURNED);
            put_varint(out, *call);
            match response {
                Ok(response) => {
                    out.push(0);
                    put_bytes(out, &response.encode());
                }
                Err(CallError::Lost(why)) => put_tagged(out, 1, why),
                Err(CallError::Nonsense(why)) => put_tagged(out, 2, why),
            }
        }
        Input::Asked { call, from, request } => {
            out.push(ASKED);
            put_varint(out, *call);
            out.extend_from_slice(&from.0);
            put_bytes(out, &request.encode());
        }
    }
}

fn put_done(out: &mut Vec<u8>, tag: u8, result: &Result<(), StoreError>) {
    out.push(tag);
    put_result(out, result, |_, ()| {});
}

fn put_result<T>(
    out: &mut Vec<u8>,
    result: &Result<T, StoreError>,
    put: impl FnOnce(&mut Vec<u8>, &T),
) {
    match result {
        Ok(value) => {
            out.push(0);
            put(out, value);
        }
        Err(StoreError::Refused(why)) => put_tagged(out, 1, why),
        Err(StoreError::Failed(why)) => put_tagged(out, 2, why),
        Err(StoreError::Damaged(why)) => put_tagged(out, 3, why),
    }
}

fn put_tagged(out: &mut Vec<u8>, tag: u8, text: &str) {
    out.push(tag);
    put_bytes(out, text.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_opened(out: &mut Vec<u8>, opened: &Opened) {
    put_snapshot(out, opened.base.as_ref());
    put_snapshot(out, opened.snapshot.as_ref());
    for number in [opened.first, opened.end, opened.watermark, opened.set_aside.len() as u64] {
        put_varint(out, number);
    }
    for file in &opened.set_aside {
        put_bytes(out, file.name.as_bytes());
        put_bytes(out, file.why.as_bytes());
    }
}

/// Vector and conflicts stay out: nobody who opens a store reads them.
fn put_snapshot(out: &mut Vec<u8>, snapshot: Option<&Snapshot>) {
    match snapshot {
        None => out.push(0),
        Some(snapshot) => {
            out.push(1);
            put_varint(out, snapshot.position);
            put_bytes(out, &snapshot.bytes);
        }
    }
}

fn put_records(out: &mut Vec<u8>, records: &[Record]) {
    put_varint(out, records.len() as u64);
    records.iter().for_each(|record| put_bytes(out, &record.encode()));
}

fn put_operations(out: &mut Vec<u8>, operations: &[LogEntry]) -> Result<(), PayloadError> {
    put_varint(out, operations.len() as u64);
    let mut payload = Vec::new();
    for operation in operations {
        payload.clear();
        operation.encode_payload(&mut payload)?;
        let opaque = matches!(operation, LogEntry::Opaque { .. });
        put_varint(out, u64::from(operation.kind()) << 1 | u64::from(opaque));
        put_bytes(out, &payload);
    }
    Ok(())
}

fn put_resolution(out: &mut Vec<u8>, resolution: &Resolution) {
    match resolution {
        Resolution::KeepDeleted => out.push(0),
        Resolution::Restore { chosen } => {
            out.push(1);
            put_varint(out, chosen.len() as u64);
            for dot in chosen {
                out.extend_from_slice(dot.peer.0.as_bytes());
                put_varint(out, dot.sequence);
            }
        }
        Resolution::KeepBoth => out.push(2),
        Resolution::KeepEdge { edge_type } => out.extend_from_slice(&[3, *edge_type as u8]),
    }
}

#[cfg(test)]
mod tests;
