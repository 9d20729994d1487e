//! The core, with whoever takes down what is done to it.
//!
//! Everything in this folder changes the core through this type, so that no recording lacks
//! a step. Without a recorder it is the core and nothing else.

use std::borrow::Cow;
use std::ops::Deref;

use crate::access::Access;
use crate::api::{EditError, Outcome, Receipt};
use crate::core::{Core, Input, Output, Rebuild};
use crate::entry::LogEntry;
use crate::graph::{ConflictId, Resolution};
use crate::id::DeviceId;
use crate::recording::{Mark, Recorder, Step};

/// See the module.
pub(super) struct RecordedCore {
    core: Core,
    recorder: Option<Recorder>,
}

/// What does not change the core needs no recorder.
impl Deref for RecordedCore {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl RecordedCore {
    /// A core that was just opened.
    pub(super) fn new(core: Core, recorder: Option<Recorder>) -> Self {
        let recorded = RecordedCore { core, recorder };
        recorded.begins();
        recorded
    }

    pub(super) fn recorder(&self) -> Option<Recorder> {
        self.recorder.clone()
    }

    /// What is done from here on is done at this time.
    pub(super) fn stamp(&self, now_ms: impl FnOnce() -> u64) {
        if let Some(recorder) = &self.recorder {
            recorder.set_time(now_ms());
        }
    }

    pub(super) fn handle(&mut self, input: Input) {
        // Taken down before it is done: it may be the last.
        self.step(|| Step::Input(Cow::Borrowed(&input)));
        self.core.handle(input);
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        let output = self.core.poll_output();
        if let Some(recorder) = &self.recorder {
            recorder.mark(Mark::of_output(output.as_ref()));
            if output.is_none() && recorder.wants_image() && self.core.at_rest() {
                recorder.begin_with(&self.core.image());
            }
        }
        output
    }

    pub(super) fn edit(
        &mut self,
        now_ms: u64,
        operations: &[LogEntry],
    ) -> Result<Receipt, EditError> {
        let step = || Step::Edit { now_ms, operations: Cow::Borrowed(operations) };
        let recorded = self.step_or_look(step);
        let result = self.core.edit(now_ms, operations);
        self.gave(recorded, result.as_ref().map(std::slice::from_ref));
        result
    }

    pub(super) fn import(&mut self, operations: &[LogEntry]) -> Result<Vec<Receipt>, EditError> {
        let recorded = self.step_or_look(|| Step::Import(Cow::Borrowed(operations)));
        let result = self.core.import(operations);
        self.gave(recorded, result.as_deref());
        result
    }

    pub(super) fn resolve(
        &mut self,
        now_ms: u64,
        conflict: ConflictId,
        resolution: &Resolution,
    ) -> Result<Receipt, EditError> {
        let resolved = Cow::Borrowed(resolution);
        self.step(|| Step::Resolve { now_ms, conflict, resolution: resolved });
        let result = self.core.resolve(now_ms, conflict, resolution);
        self.gave(true, result.as_ref().map(std::slice::from_ref));
        result
    }

    pub(super) fn share_with(
        &mut self,
        device: DeviceId,
        access: Access,
    ) -> Result<Receipt, EditError> {
        self.step(|| Step::Share { device, access });
        let result = self.core.share_with(device, access);
        self.gave(true, result.as_ref().map(std::slice::from_ref));
        result
    }

    pub(super) fn want_checkpoint(&mut self) {
        self.step(|| Step::WantSnapshot);
        self.core.want_checkpoint();
    }

    pub(super) fn want_compaction(&mut self) {
        self.step(|| Step::WantCompaction);
        self.core.want_compaction();
    }

    /// The core for a reader. To look may tell of edits that no event told of yet.
    pub(super) fn look(&mut self) -> &mut Core {
        if self.recorder.is_some() && self.core.settle_view() {
            self.step(|| Step::Looked);
        }
        &mut self.core
    }

    /// Puts `next` in the place of a core that ended because of `why`.
    pub(super) fn replace(&mut self, next: Core, why: &Rebuild) {
        let old = std::mem::replace(&mut self.core, next);
        self.core.succeed(old, why);
        self.begins();
    }

    /// The fates of edits that nobody was told yet.
    pub(super) fn fates(&self) -> Vec<(Receipt, Outcome)> {
        self.core.fates()
    }

    fn begins(&self) {
        self.step(|| Step::Began);
        if let Some(recorder) = &self.recorder {
            recorder.mark(Mark::of_core(&self.core));
        }
    }

    fn step<'a>(&self, step: impl FnOnce() -> Step<'a>) -> bool {
        self.recorder.as_ref().is_none_or(|recorder| recorder.step(&step()))
    }

    /// An operation beyond its bound has no bytes. It is refused and changes nothing, beside that
    /// the core may have looked at its graph.
    fn step_or_look<'a>(&mut self, step: impl FnOnce() -> Step<'a>) -> bool {
        let recorded = self.step(step);
        if !recorded {
            self.look();
        }
        recorded
    }

    fn gave(&self, recorded: bool, result: Result<&[Receipt], &EditError>) {
        if let Some(recorder) = self.recorder.as_ref().filter(|_| recorded) {
            recorder.mark(Mark::of_edit(result));
        }
    }
}
