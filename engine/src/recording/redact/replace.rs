//! Steps with their texts and hashes replaced.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::step::Step;
use super::placeholders::Placeholders;
use super::survey::Survey;
use crate::api::Config;
use crate::batch::Batch;
use crate::core::disguise::{Disguise, disguised_batch, disguised_snapshot};
use crate::core::{Core, Input};
use crate::entry::LogEntry;
use crate::hash::Hash;
use crate::ports::{CallError, Opened, StoreError};
use crate::record::{ForkProof, Record, Snapshot};
use crate::wire::{Exclusion, Frontier, FrontierRow, Reject, Request, Response};

/// Replaces step by step.
pub(super) struct Replacing<'a> {
    config: Config,
    by: Placeholders,
    survey: &'a Survey,
    /// The new hashes of snapshots that were handed out.
    offers: BTreeMap<Hash, Hash>,
}

impl<'a> Replacing<'a> {
    pub(super) fn new(config: Config, by: Placeholders, survey: &'a Survey) -> Self {
        Replacing { config, by, survey, offers: BTreeMap::new() }
    }

    /// A call was answered with a part of the snapshot `id`.
    pub(super) fn offers(&mut self, call: u64, id: Hash) {
        if let Some(&old) = self.survey.offered.get(&call) {
            self.offers.insert(old, id);
        }
    }

    /// The step in its new form. `core` is the one that it will be done to.
    ///
    /// # Errors
    /// If a part of it cannot be read; says which.
    pub(super) fn step(
        &mut self,
        step: Step<'static>,
        core: Option<&Core>,
    ) -> Result<Step<'static>, &'static str> {
        Ok(match step {
            Step::Opened(result) => {
                let result =
                    self.result(result.into_owned(), |replacing, opened| replacing.opened(opened));
                Step::Opened(Cow::Owned(turned(result)?))
            }
            Step::Witnessed(result) => Step::Witnessed(self.result(result, |_, promise| promise)),
            Step::Read { first, records } => {
                let records = self.result(records.into_owned(), Self::records);
                Step::Read { first, records: Cow::Owned(records) }
            }
            Step::BaseWritten(result) => Step::BaseWritten(self.result(result, |_, ()| ())),
            Step::Image(image) => {
                let core = Core::from_image(self.config, &image);
                let mut core = core.map_err(|_| "an image of the core")?;
                core.disguise(&mut self.by);
                Step::Image(Cow::Owned(core.image()))
            }
            Step::Edit { now_ms, operations } => {
                Step::Edit { now_ms, operations: Cow::Owned(self.operations(operations)) }
            }
            Step::Import(operations) => Step::Import(Cow::Owned(self.operations(operations))),
            Step::Input(input) => Step::Input(Cow::Owned(self.input(input.into_owned(), core))),
            step @ (Step::Drawn(_)
            | Step::Began
            | Step::NotOpened
            | Step::Resolve { .. }
            | Step::Share { .. }
            | Step::Looked
            | Step::WantSnapshot
            | Step::WantCompaction
            | Step::Gave(_)) => step,
        })
    }

    fn operations(&mut self, operations: Cow<'_, [LogEntry]>) -> Vec<LogEntry> {
        let mut operations = operations.into_owned();
        operations.iter_mut().for_each(|operation| self.by.operation(operation));
        operations
    }

    fn opened(&mut self, opened: Opened) -> Result<Opened, &'static str> {
        let Opened { base, snapshot, first, end, watermark, mut set_aside } = opened;
        let base = base.map(|base| self.snapshot(&base)).transpose()?;
        let snapshot = snapshot.map(|snapshot| self.snapshot(&snapshot)).transpose()?;
        for file in &mut set_aside {
            (file.name, file.why) = (self.text(&file.name), self.text(&file.why));
        }
        Ok(Opened { base, snapshot, first, end, watermark, set_aside })
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<Snapshot, &'static str> {
        disguised_snapshot(self.config, snapshot, &mut self.by).map_err(|_| "a snapshot")
    }

    fn input(&mut self, input: Input, core: Option<&Core>) -> Input {
        match input {
            Input::Appended(result) => Input::Appended(self.result(result, |_, ()| ())),
            Input::Loaded { ticket, records } => {
                Input::Loaded { ticket, records: self.result(records, Self::records) }
            }
            Input::Promised(result) => Input::Promised(self.result(result, |_, ()| ())),
            Input::SnapshotSaved(result) => Input::SnapshotSaved(self.result(result, |_, ()| ())),
            Input::Rebased(result) => Input::Rebased(self.result(result, |_, ()| ())),
            Input::Returned { call, response } => {
                let response = match response {
                    Ok(response) => Ok(self.response(response)),
                    Err(CallError::Lost(why)) => Err(CallError::Lost(self.text(&why))),
                    Err(CallError::Nonsense(why)) => Err(CallError::Nonsense(self.text(&why))),
                };
                Input::Returned { call, response }
            }
            Input::Asked { call, from, request } => {
                Input::Asked { call, from, request: self.request(call, request, core) }
            }
            input @ (Input::Start { .. } | Input::Abandon { .. }) => input,
        }
    }

    fn request(&mut self, call: u64, mut request: Request, core: Option<&Core>) -> Request {
        match &mut request {
            Request::Frontier(frontier) => {
                let ours = core.filter(|_| self.survey.in_step.contains(&call));
                frontier.digest = match ours {
                    Some(core) => core.frontier().digest(),
                    None => self.by.hashes.other(frontier.digest),
                };
            }
            Request::Pull(pull) => {
                pull.have = self.frontier(&pull.have);
                self.exclusions(&mut pull.excluded);
            }
            Request::Push(push) => push.batch = disguised_batch(&push.batch, &mut self.by),
            Request::Snapshot(snapshot) => {
                let new = |id| self.offers.get(&id).copied();
                snapshot.id =
                    snapshot.id.map(|id| new(id).unwrap_or_else(|| self.by.hashes.other(id)));
            }
        }
        request
    }

    fn response(&mut self, mut response: Response) -> Response {
        match &mut response {
            Response::Frontier { frontier, excluded } => {
                *frontier = self.frontier(frontier);
                self.exclusions(excluded);
            }
            Response::Batch { batch: Some(batch), .. } => {
                *batch = disguised_batch(batch, &mut self.by);
            }
            Response::Snapshot(part) => {
                if let Some((id, bytes)) = self.survey.fetched.get(&part.id) {
                    let from = part.offset as usize;
                    part.bytes = bytes[from..from + part.bytes.len()].to_vec();
                    part.id = *id;
                }
            }
            Response::Refused(Reject::Malformed(why)) => *why = self.text(why),
            Response::Batch { batch: None, .. }
            | Response::InStep
            | Response::Durable { .. }
            | Response::Published
            | Response::Refused(_) => {}
        }
        response
    }

    fn frontier(&mut self, frontier: &Frontier) -> Frontier {
        let rows = frontier.rows().iter();
        let new = rows.map(|&row| FrontierRow { hash: self.by.hash(row.hash), ..row });
        Frontier::new(new.collect())
    }

    fn exclusions(&mut self, rows: &mut [Exclusion]) {
        rows.iter_mut().for_each(|row| row.branch = self.by.hash(row.branch));
    }

    fn records(&mut self, records: Vec<Record>) -> Vec<Record> {
        let replaced = records.into_iter().map(|record| match record {
            Record::Ready(batch) => Record::Ready(self.batch(&batch)),
            Record::Parked(batch) => Record::Parked(self.batch(&batch)),
            Record::Fork(proof) => {
                let (ours, theirs) = (self.by.hash(proof.ours), self.by.hash(proof.theirs));
                Record::Fork(ForkProof { ours, theirs, ..proof })
            }
            record @ (Record::Identity { .. } | Record::Consent { .. } | Record::Disown { .. }) => {
                record
            }
        });
        replaced.collect()
    }

    fn batch(&mut self, batch: &Batch) -> Arc<Batch> {
        Arc::new(disguised_batch(batch, &mut self.by))
    }

    fn result<T, U>(
        &mut self,
        result: Result<T, StoreError>,
        replace: impl FnOnce(&mut Self, T) -> U,
    ) -> Result<U, StoreError> {
        Err(match result {
            Ok(value) => return Ok(replace(self, value)),
            Err(StoreError::Refused(why)) => StoreError::Refused(self.text(&why)),
            Err(StoreError::Failed(why)) => StoreError::Failed(self.text(&why)),
            Err(StoreError::Damaged(why)) => StoreError::Damaged(self.text(&why)),
        })
    }

    fn text(&mut self, text: &str) -> String {
        self.by.words(text)
    }
}

/// A result of a result, the other way round.
fn turned<T>(
    result: Result<Result<T, &'static str>, StoreError>,
) -> Result<Result<T, StoreError>, &'static str> {
    match result {
        Ok(value) => value.map(Ok),
        Err(error) => Ok(Err(error)),
    }
}
