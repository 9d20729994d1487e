//! What the simulated network puts around the engine's frames.

use std::rc::Rc;

use graphshell_sync::wire::{Reject, Request, Response};

use super::image::Holdings;
use crate::plan::FaultKind;

/// A frame of the engine, addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The sender's place.
    pub(crate) from: usize,
    /// The receiver's place.
    pub(crate) to: usize,
    /// Its number on its link.
    pub(crate) nth: u64,
    /// Whether the frame answers the call, or opens it.
    pub(crate) answers: bool,
    /// The call, unique for the calling device over all of its lives.
    pub(crate) call: u64,
    /// When it was sent, in virtual milliseconds since the first instant.
    pub(crate) sent_ms: u64,
    /// How often its sender's disk had forgotten something.
    pub(crate) set_backs: u64,
    /// What the device held that hands over a snapshot, if this is a part of one.
    pub(crate) handing: Option<Rc<Holdings>>,
    /// What the engine encoded, unless it was damaged on the way.
    pub(crate) body: Vec<u8>,
    /// What damaged it.
    pub(crate) damaged: Option<FaultKind>,
}

/// What is lost with a frame that matters more than others.
pub(crate) fn rarely_lost(frame: &[u8]) -> Option<&'static str> {
    // The second byte is the tag; see the engine's `wire`.
    match frame.get(1)? {
        3 => Some("pushes lost to a partition"),
        132 => Some("acknowledgements lost to a partition"),
        135 => Some("parts of snapshots lost"),
        _ => None,
    }
}

/// A request in a word or two.
pub(crate) fn request(request: &Request) -> String {
    match request {
        Request::Frontier(_) => "Frontier".to_owned(),
        Request::Pull(_) => "Pull".to_owned(),
        Request::Snapshot(request) => format!("Snapshot from {} on", request.offset),
        Request::Push(push) => format!("Push of {} entries", push.batch.len()),
    }
}

/// A response in a word or two.
pub(crate) fn response(response: &Response) -> String {
    match response {
        Response::InStep => "InStep".to_owned(),
        Response::Frontier { frontier, excluded } if excluded.is_empty() => {
            format!("Frontier of {} authors", frontier.rows().len())
        }
        Response::Frontier { frontier, excluded } => {
            let authors = frontier.rows().len();
            format!("Frontier of {authors} authors, {} quarantined", excluded.len())
        }
        Response::Batch { batch, more } => {
            let entries = batch.as_ref().map_or(0, |batch| batch.len());
            format!("Batch of {entries} entries{}", if *more { ", more to come" } else { "" })
        }
        Response::Durable { .. } => "Durable".to_owned(),
        Response::Published => "Published".to_owned(),
        Response::Snapshot(part) => {
            let (bytes, total) = (part.bytes.len(), part.total);
            format!("Snapshot, {bytes} of {total} bytes from {} on", part.offset)
        }
        Response::Refused(Reject::Malformed(reason)) => format!("Refused: malformed: {reason}"),
        Response::Refused(reject) => format!("Refused: {reject}"),
    }
}
