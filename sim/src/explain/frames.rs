//! Frames on their way: what they carry, when they left, and what became of them.

use std::collections::BTreeMap;

use graphshell_sync::wire::{Request, Response};
use graphshell_sync::{Batch, Dot, VersionVector};
use serde::Serialize;

use crate::world::frame;

/// One frame. Events are places in the list of events.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Frame {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Its number on its link.
    pub(super) nth: u64,
    pub(super) kind: FrameKind,
    /// What it is, in words.
    pub(super) what: String,
    pub(super) bytes: usize,
    /// The entries that it carries, as places in the list of entries.
    pub(super) entries: Vec<usize>,
    /// How far its sender says to have what, by author.
    pub(super) told: Vec<(String, u64)>,
    pub(super) sent: usize,
    pub(super) arrived: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lost: Option<usize>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) too_late: bool,
    #[serde(skip)]
    pub(super) call: u64,
    #[serde(skip)]
    pub(super) answers: bool,
}

/// What a frame is for, for colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FrameKind {
    Frontier,
    Pull,
    Entries,
    Durable,
    Snapshot,
    Refused,
}

/// What a frame says.
pub(super) struct Content {
    pub(super) kind: FrameKind,
    pub(super) what: String,
    pub(super) dots: Vec<Dot>,
    pub(super) told: VersionVector,
}

impl Content {
    /// Reads the engine's frame; one that does not decode is named as such.
    pub(super) fn of(answers: bool, body: &[u8]) -> Self {
        let read = if answers {
            Response::decode(body).map(|response| Content::of_response(&response))
        } else {
            Request::decode(body).map(|request| Content::of_request(&request))
        };
        read.unwrap_or_else(|error| Content {
            kind: FrameKind::Refused,
            what: format!("a frame that does not decode: {error}"),
            dots: Vec::new(),
            told: VersionVector::new(),
        })
    }

    fn of_request(request: &Request) -> Self {
        let (kind, dots, told) = match request {
            Request::Frontier(_) => (FrameKind::Frontier, Vec::new(), VersionVector::new()),
            Request::Pull(pull) => (FrameKind::Pull, Vec::new(), pull.have.vector()),
            Request::Push(push) => (FrameKind::Entries, dots_of(&push.batch), VersionVector::new()),
            Request::Snapshot(_) => (FrameKind::Snapshot, Vec::new(), VersionVector::new()),
        };
        Content { kind, what: frame::request(request), dots, told }
    }

    fn of_response(response: &Response) -> Self {
        let nothing = VersionVector::new;
        let (kind, dots, told) = match response {
            Response::InStep => (FrameKind::Frontier, Vec::new(), nothing()),
            Response::Frontier { frontier, .. } => {
                (FrameKind::Frontier, Vec::new(), frontier.vector())
            }
            Response::Batch { batch: Some(batch), .. } => {
                (FrameKind::Entries, dots_of(batch), nothing())
            }
            Response::Batch { batch: None, .. } => (FrameKind::Pull, Vec::new(), nothing()),
            Response::Durable { have } => (FrameKind::Durable, Vec::new(), have.clone()),
            Response::Published => (FrameKind::Durable, Vec::new(), nothing()),
            Response::Snapshot(_) => (FrameKind::Snapshot, Vec::new(), nothing()),
            Response::Refused(_) => (FrameKind::Refused, Vec::new(), nothing()),
        };
        Content { kind, what: frame::response(response), dots, told }
    }
}

fn dots_of(batch: &Batch) -> Vec<Dot> {
    batch.dots().collect()
}

/// Frames by what the two ends call them.
#[derive(Default)]
pub(super) struct Frames {
    pub(super) all: Vec<Frame>,
    /// By sender, receiver and number.
    by_number: BTreeMap<(usize, usize, u64), usize>,
    /// The request of a call, by the calling peer and the call.
    requests: BTreeMap<(usize, u64), usize>,
}

impl Frames {
    /// A frame leaves; returns its place.
    pub(super) fn add(&mut self, frame: Frame) -> usize {
        let place = self.all.len();
        self.by_number.insert((frame.from, frame.to, frame.nth), place);
        if !frame.answers {
            self.requests.insert((frame.from, frame.call), place);
        }
        self.all.push(frame);
        place
    }

    pub(super) fn find(&self, from: usize, to: usize, nth: u64) -> Option<usize> {
        self.by_number.get(&(from, to, nth)).copied()
    }

    /// The request that a call of `asking` began with.
    pub(super) fn request(&self, asking: usize, call: u64) -> Option<&Frame> {
        self.requests.get(&(asking, call)).map(|&place| &self.all[place])
    }
}
