//! The recorder: takes down, in memory, what is done to a core, and keeps the latest part of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use super::file::{Head, Part, engine_version};
use super::mark::Mark;
use super::step::Step;
use crate::api::Config;
use crate::limits::{MAX_RECORDING_BYTES, MIN_RECORDING_BYTES};

/// Marks that are kept before they are written down as one step.
const MARKS: usize = 256;

/// Records one workspace; clones share what is recorded. See the [module](super).
#[derive(Clone, Debug)]
pub struct Recorder {
    tape: Arc<Mutex<Tape>>,
}

/// There is no recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// No workspace was opened with the recorder.
    #[error("nothing was recorded: no workspace was opened with this recorder")]
    NotOpened,
    /// Too much happened at once for the bound, so it was dropped; recording goes on at the next
    /// moment in which nothing is under way.
    #[error("too much happened for the {most} bytes of this recorder, and it is busy since")]
    Busy {
        /// The recorder's bound.
        most: usize,
    },
    /// The workspace is too large for the bound.
    #[error("a recording of this workspace needs at least {least} bytes, this recorder has {most}")]
    TooSmall {
        /// The least bound with which it can be recorded now.
        least: usize,
        /// The recorder's bound.
        most: usize,
    },
}

#[derive(Debug)]
struct Tape {
    most: usize,
    config: Option<Config>,
    head: Vec<u8>,
    /// The oldest first. Empty while nothing can be recorded.
    parts: VecDeque<Part>,
    time_ms: u64,
    /// What the core gave since the last step.
    marks: Vec<Mark>,
    /// The image that did not fit, in bytes.
    too_large: Option<usize>,
}

impl Recorder {
    /// A recorder that keeps at most about `most` bytes in memory, and makes recordings of at most
    /// that length. It is brought within [`MIN_RECORDING_BYTES`] and [`MAX_RECORDING_BYTES`].
    ///
    /// A quarter of it must hold the workspace's state, of about 100 bytes for each entry ever made.
    pub fn new(most: usize) -> Recorder {
        let tape = Tape {
            most: most.clamp(MIN_RECORDING_BYTES, MAX_RECORDING_BYTES),
            config: None,
            head: Vec::new(),
            parts: VecDeque::new(),
            time_ms: 0,
            marks: Vec::new(),
            too_large: None,
        };
        Recorder { tape: Arc::new(Mutex::new(tape)) }
    }

    /// What is recorded so far, as bytes for [`Recording::decode`](super::Recording::decode). It
    /// holds urls and titles; [`redact`](super::redact) replaces them.
    ///
    /// # Errors
    /// If there is nothing.
    pub fn recording(&self) -> Result<Vec<u8>, NotRecorded> {
        let mut tape = self.tape();
        tape.put_marks();
        let most = tape.most;
        let Some(last) = tape.parts.back() else {
            return Err(match tape.too_large {
                _ if tape.config.is_none() => NotRecorded::NotOpened,
                Some(bytes) => NotRecorded::TooSmall { least: 4 * bytes, most },
                None => NotRecorded::Busy { most },
            });
        };
        let mut out = tape.head.clone();
        tape.parts.iter().for_each(|part| out.extend_from_slice(part.bytes()));
        out.extend_from_slice(&last.end());
        Ok(out)
    }

    /// A workspace is about to be opened; what was recorded of another one is dropped.
    pub(crate) fn open(&self, config: Config) {
        let mut tape = self.tape();
        tape.put_marks();
        if tape.config.replace(config) != Some(config) {
            tape.parts.clear();
        }
        let engine = engine_version().to_owned();
        tape.head = Head { engine, config, replaced: false }.encode();
        tape.too_large = None;
        tape.begin_part(true);
    }

    /// A recording with the texts replaced is about to be made, as long as need be.
    pub(super) fn replaced(config: Config) -> Recorder {
        let recorder = Recorder::new(MAX_RECORDING_BYTES);
        let head = Head { engine: engine_version().to_owned(), config, replaced: true };
        recorder.tape().head = head.encode();
        recorder.tape().config = Some(config);
        recorder
    }

    /// A part begins with the next step.
    pub(super) fn begin_part(&self, gap: bool) {
        let mut tape = self.tape();
        tape.put_marks();
        tape.begin_part(gap);
    }

    /// The wall clock, for the steps that follow.
    pub(crate) fn set_time(&self, now_ms: u64) {
        self.tape().time_ms = now_ms;
    }

    /// Takes down a step; false if an operation in it exceeds its bound.
    pub(crate) fn step(&self, step: &Step<'_>) -> bool {
        let mut tape = self.tape();
        tape.put_marks();
        tape.put(step)
    }

    /// Takes down what the core gave.
    pub(crate) fn mark(&self, mark: Mark) {
        let mut tape = self.tape();
        if tape.parts.is_empty() {
            return;
        }
        tape.marks.push(mark);
        if tape.marks.len() >= MARKS {
            tape.put_marks();
        }
    }

    /// Whether it is time for a new part, which begins with an image of the core.
    pub(crate) fn wants_image(&self) -> bool {
        let tape = self.tape();
        let full = tape.parts.back().is_none_or(|part| part.len() >= tape.most / 2);
        full && tape.too_large.is_none()
    }

    /// Begins a new part with an image of the core.
    pub(crate) fn begin_with(&self, image: &[u8]) {
        let mut tape = self.tape();
        tape.put_marks();
        if image.len() > tape.most / 4 {
            tape.too_large = Some(image.len());
            return;
        }
        let gap = tape.parts.is_empty();
        tape.begin_part(gap);
        tape.put(&Step::Image(image.into()));
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().expect("no code that holds this lock panics")
    }
}

impl Tape {
    fn begin_part(&mut self, gap: bool) {
        self.parts.push_back(Part::new(&self.head, gap, self.time_ms));
    }

    fn put_marks(&mut self) {
        if !self.marks.is_empty() {
            let marks = std::mem::take(&mut self.marks);
            self.put(&Step::Gave((&marks).into()));
            // Their memory serves again.
            self.marks = marks;
            self.marks.clear();
        }
    }

    fn put(&mut self, step: &Step<'_>) -> bool {
        let Some(part) = self.parts.back_mut() else { return true };
        if bulk(step) > self.most {
            // Not even for a moment.
            self.parts.clear();
            return true;
        }
        if part.push(self.time_ms, step).is_err() {
            return false;
        }
        let mut bytes: usize = self.parts.iter().map(Part::len).sum();
        while bytes > self.most - self.head.len() {
            let Some(dropped) = self.parts.pop_front() else { break };
            bytes -= dropped.len();
        }
        true
    }
}

/// The bytes of what alone can be longer than many frames.
fn bulk(step: &Step<'_>) -> usize {
    match step {
        Step::Opened(result) => {
            let opened = result.as_ref().as_ref().ok();
            let snapshots = opened.into_iter().flat_map(|opened| [&opened.base, &opened.snapshot]);
            snapshots.flatten().map(|snapshot| snapshot.bytes.len()).sum()
        }
        _ => 0,
    }
}
