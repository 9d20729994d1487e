//! Recordings without texts.
//!
//! Texts are hashed into entries, entries into chains, chains into frontiers and snapshots. So the texts of a
//! recording cannot simply be overwritten: the engine would see nothing but forged histories. Instead the
//! recording is played twice. First as it is, to learn every entry in it. Then, with texts replaced and
//! all hashes that depend on them worked out anew, into another core, which is recorded. What comes out is a
//! recording like any other.
//!
//! A core that gives something else than was recorded (the report may be about that) does so in the
//! redacted recording too: the mark there is made to differ.

mod hashes;
mod placeholders;
mod replace;
mod survey;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::file::{Framed, Recording, RecordingError};
use super::mark::Mark;
use super::recorder::Recorder;
use super::stage::{Done, Stage};
use super::step::Step;
use crate::core::Output;
use crate::ports::Entropy;
use crate::wire::Response;

use placeholders::Placeholders;
use replace::Replacing;
use survey::{survey, take_marks};

/// A recording was not redacted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// It cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// With placeholders the engine does something else, so the report would be of no use.
    #[error("step {step} of the recording does not go the same way without its texts")]
    Differs {
        /// Which, from 1.
        step: u64,
    },
    /// A part of it cannot be read, so it cannot be told what is a text.
    #[error("step {step} of the recording holds what cannot be read: {what}")]
    Unreadable {
        /// Which, from 1.
        step: u64,
        /// What.
        what: &'static str,
    },
}

/// A recording in which all texts are replaced; `recording` are the bytes of one, `entropy` gives
/// the key. See the [module above](super) for what it still tells.
///
/// Plays the recording twice, so it takes a while; not a thing for a browser's main thread.
///
/// # Errors
/// If the recording cannot be read, or would not go the same way.
pub fn redact(recording: &[u8], entropy: &impl Entropy) -> Result<Vec<u8>, RedactError> {
    let recording = Recording::decode(recording.to_vec())?;
    let mut key = [0; 32];
    entropy.fill(&mut key);
    let mut by = Placeholders::new(key);
    let survey = survey(&recording, &mut by);
    let config = recording.head().config;
    let recorder = Recorder::replaced(config);
    let mut replacing = Replacing::new(config, by, &survey);
    let mut stage = Stage::new(config);
    let mut steps = 0;
    let mut frames = recording.framed().peekable();
    while let Some(framed) = frames.next() {
        let (time_ms, step) = match framed {
            Framed::Begins { gap } => {
                recorder.begin_part(gap);
                if gap {
                    stage.leave();
                }
                continue;
            }
            Framed::Step { time_ms, step, .. } => (time_ms, step),
        };
        take_marks(&mut frames);
        // The core panicked here, and does so again when somebody looks into it.
        let Some((recorded, found)) = survey.marks.get(steps as usize) else { break };
        steps += 1;
        let step = replacing.step(step, stage.core());
        let step = step.map_err(|what| RedactError::Unreadable { step: steps, what })?;
        recorder.set_time(time_ms);
        recorder.step(&step);
        let played = catch_unwind(AssertUnwindSafe(|| play(&mut stage, step, recorded)));
        let Ok((marks, outputs)) = played else { break };
        if !marks.iter().map(|mark| mark.kind).eq(found.iter().map(|mark| mark.kind)) {
            return Err(RedactError::Differs { step: steps });
        }
        for output in &outputs {
            if let Output::Answer { call, response: Response::Snapshot(part) } = output {
                replacing.offers(*call, part.id);
            }
        }
        for (place, recorded) in recorded.iter().enumerate() {
            let same = found.get(place) == Some(recorded);
            let mark = marks.get(place).filter(|_| same).copied();
            recorder.mark(mark.unwrap_or_else(|| other(recorded, marks.get(place))));
        }
    }
    Ok(recorder.recording().expect("it was made just now, without a bound"))
}

fn play(stage: &mut Stage, step: Step<'static>, recorded: &[Mark]) -> (Vec<Mark>, Vec<Output>) {
    match stage.perform(step) {
        // No kind of mark is like it, so it differs.
        Done::OtherImage => (Vec::new(), Vec::new()),
        Done::Gave(mark) => stage.give(Some(mark), recorded),
        _ => stage.give(None, recorded),
    }
}

/// A mark of the recorded kind that nothing given now has.
fn other(recorded: &Mark, found: Option<&Mark>) -> Mark {
    let hash = found.map_or([0xff; 8], |found| found.hash.map(|byte| !byte));
    Mark { kind: recorded.kind, hash }
}
