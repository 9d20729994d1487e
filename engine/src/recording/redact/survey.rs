//! What has to be known of a whole recording before a part of it can be replaced.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::super::file::{Framed, Recording};
use super::super::mark::Mark;
use super::super::stage::{Done, Stage};
use super::super::step::Step;
use super::placeholders::Placeholders;
use crate::api::Config;
use crate::batch::Batch;
use crate::core::disguise::{disguised_batch, disguised_shared, parked_in};
use crate::core::{Core, Input, Output};
use crate::hash::Hash;
use crate::record::Record;
use crate::wire::{Request, Response, SnapshotPart};

/// What a recording says when it is played once.
#[derive(Default)]
pub(super) struct Survey {
    /// For each step what was recorded and what was found.
    pub(super) marks: Vec<(Vec<Mark>, Vec<Mark>)>,
    /// Calls of others who asked with the digest of just our own frontier.
    pub(super) in_step: Vec<u64>,
    /// The snapshots that were handed out, by the call that was answered.
    pub(super) offered: BTreeMap<u64, Hash>,
    /// The snapshots that were fetched, by their hashes: the new hash and the new bytes.
    pub(super) fetched: BTreeMap<Hash, (Hash, Vec<u8>)>,
}

/// Plays the recording and learns all entries in it. A core that panics ends it early.
pub(super) fn survey(recording: &Recording, by: &mut Placeholders) -> Survey {
    let config = recording.head().config;
    let mut survey = Survey::default();
    let mut stage = Stage::new(config);
    let mut parts = BTreeMap::new();
    let mut frames = recording.framed().peekable();
    while let Some(framed) = frames.next() {
        let step = match framed {
            Framed::Begins { gap } => {
                if gap {
                    stage.leave();
                }
                continue;
            }
            Framed::Step { step, .. } => step,
        };
        learn_step(&step, config, by);
        survey.look(&step, &stage, &mut parts);
        let recorded = take_marks(&mut frames);
        let played = catch_unwind(AssertUnwindSafe(|| {
            let gave = match stage.perform(step) {
                Done::Gave(mark) => Some(mark),
                _ => None,
            };
            stage.give(gave, &recorded)
        }));
        let Ok((found, outputs)) = played else {
            survey.marks.push((recorded, Vec::new()));
            break;
        };
        survey.marks.push((recorded, found));
        outputs.iter().for_each(|output| survey.look_at_output(output, by));
    }
    // Batches that come later may tell more of the hashes within.
    for (id, parts) in parts {
        survey.fetched.insert(id, replaced(config, id, parts, by));
    }
    survey
}

/// The marks that follow a step.
pub(super) fn take_marks<I: Iterator<Item = Framed>>(
    frames: &mut std::iter::Peekable<I>,
) -> Vec<Mark> {
    let mut all = Vec::new();
    let gave = |framed: &Framed| matches!(framed, Framed::Step { step: Step::Gave(_), .. });
    while let Some(Framed::Step { step: Step::Gave(marks), .. }) = frames.next_if(gave) {
        all.extend_from_slice(&marks);
    }
    all
}

impl Survey {
    fn look(&mut self, step: &Step<'_>, stage: &Stage, parts: &mut BTreeMap<Hash, Parts>) {
        let Step::Input(input) = step else { return };
        match &**input {
            Input::Asked { call, request: Request::Frontier(request), .. } => {
                let frontier = stage.core().map(Core::frontier);
                if frontier.is_some_and(|frontier| frontier.digest() == request.digest) {
                    self.in_step.push(*call);
                }
            }
            Input::Returned { response: Ok(Response::Snapshot(part)), .. } => {
                parts.entry(part.id).or_default().push(part.clone());
            }
            _ => {}
        }
    }

    fn look_at_output(&mut self, output: &Output, by: &mut Placeholders) {
        match output {
            Output::Append(records) => records.iter().for_each(|record| learn_record(record, by)),
            Output::Answer { call, response: Response::Snapshot(part) } => {
                self.offered.insert(*call, part.id);
            }
            _ => {}
        }
    }
}

type Parts = Vec<SnapshotPart>;

/// The new form of a snapshot that came in parts. What never was whole is of no meaning.
fn replaced(config: Config, id: Hash, parts: Parts, by: &mut Placeholders) -> (Hash, Vec<u8>) {
    let total = parts.iter().map(|part| part.total as usize).max().unwrap_or(0);
    let reach = parts.iter().map(|part| part.offset as usize + part.bytes.len()).max();
    let mut bytes = vec![0; reach.unwrap_or(0)];
    for part in &parts {
        bytes[part.offset as usize..][..part.bytes.len()].copy_from_slice(&part.bytes);
    }
    let whole = bytes.len() == total && *blake3::hash(&bytes).as_bytes() == id.0;
    if !whole {
        by.bytes(&mut bytes);
        return (by.hashes.other(id), bytes);
    }
    let bytes = disguised_shared(config, &bytes, by).unwrap_or_else(|_| {
        by.bytes(&mut bytes);
        bytes
    });
    (Hash(*blake3::hash(&bytes).as_bytes()), bytes)
}

fn learn_step(step: &Step<'_>, config: Config, by: &mut Placeholders) {
    match step {
        Step::Opened(result) => {
            let snapshots = result.iter().flat_map(|opened| [&opened.base, &opened.snapshot]);
            for snapshot in snapshots.flatten() {
                parked_in(config, snapshot).iter().for_each(|batch| learn(batch, by));
            }
        }
        Step::Read { records, .. } => {
            records.iter().flatten().for_each(|record| learn_record(record, by));
        }
        Step::Image(image) => {
            let core = Core::from_image(config, image);
            let parked = core.map_or_else(|_| Vec::new(), |core| core.parked_batches());
            parked.iter().for_each(|batch| learn(batch, by));
        }
        Step::Input(input) => match &**input {
            Input::Loaded { records: Ok(records), .. } => {
                records.iter().for_each(|record| learn_record(record, by));
            }
            Input::Returned {
                response: Ok(Response::Batch { batch: Some(batch), .. }), ..
            } => {
                learn(batch, by);
            }
            Input::Asked { request: Request::Push(push), .. } => learn(&push.batch, by),
            _ => {}
        },
        _ => {}
    }
}

fn learn_record(record: &Record, by: &mut Placeholders) {
    if let Record::Ready(batch) | Record::Parked(batch) = record {
        learn(batch, by);
    }
}

fn learn(batch: &Batch, by: &mut Placeholders) {
    let replaced = Arc::new(disguised_batch(batch, &mut Payloads(by)));
    by.hashes.learn(batch, &replaced);
}

/// Replaces texts and leaves hashes, of which not all is known yet.
struct Payloads<'a>(&'a mut Placeholders);

impl crate::core::disguise::Disguise for Payloads<'_> {
    fn url(&mut self, url: &str) -> Box<str> {
        self.0.url(url)
    }

    fn title(&mut self, title: &str) -> Box<str> {
        self.0.title(title)
    }

    fn words(&mut self, words: &str) -> String {
        self.0.words(words)
    }

    fn payload(&mut self, kind: u16, payload: &mut [u8]) {
        self.0.payload(kind, payload);
    }

    fn hash(&mut self, hash: Hash) -> Hash {
        hash
    }
}
