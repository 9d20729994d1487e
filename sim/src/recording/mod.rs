//! Recordings of one engine, made by a browser or by a simulated peer: played, told and judged.
//!
//! A recording knows one device only. So beside whether the engine does the same again, it is
//! judged by what one device shows of itself; nothing here runs a world.

mod judge;
mod words;

use graphshell_sync::recording::{Head, Player, Recording, RecordingError, Step};

use crate::oracle::Finding;
use crate::trace::Line;
use crate::world::panics;
use judge::Judge;

/// How to play a recording.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlayOptions {
    /// Whether the story is kept.
    pub keep_story: bool,
    /// Stop after so many steps.
    pub until: Option<u64>,
}

/// What came of a recording.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What stands at its front.
    pub head: Head,
    /// Bytes behind the last whole step of a file that was cut.
    pub cut: Option<usize>,
    /// Steps that were done.
    pub steps: u64,
    /// Outputs of the engine that were compared.
    pub outputs: u64,
    /// From the first step to the last, by the device's clock, which may have been set.
    pub span_ms: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the graph at the end was compared with the reference model: it is if the recording
    /// holds the whole history.
    pub modelled: bool,
    /// What happened, if it was to be kept.
    pub story: Vec<Line>,
}

/// Whether a recording was played as it was recorded, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The engine did the same, and every property held.
    Same,
    /// A property did not hold.
    Failed(Failure),
    /// The engine did something else than was recorded.
    Differs {
        /// After which step, from 1.
        step: u64,
        /// What differs.
        detail: String,
    },
}

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub property: &'static str,
    /// After which step, from 1.
    pub step: u64,
    /// The entries concerned, as their names.
    pub operations: Vec<String>,
    /// What was expected and what was found.
    pub detail: String,
}

/// What is known so far; outlives a panic of the engine.
#[derive(Default)]
struct Progress {
    steps: u64,
    outputs: u64,
    from_ms: Option<u64>,
    to_ms: u64,
    modelled: bool,
    story: Vec<Line>,
}

impl Progress {
    fn tell(&mut self, at_ms: u64, who: &str, text: String) {
        let virtual_ms = at_ms.saturating_sub(self.from_ms.unwrap_or(at_ms));
        self.story.push(Line { virtual_ms, peer: who.to_owned(), text });
    }
}

/// Plays a recording until its end, a difference, or a property that does not hold.
///
/// # Errors
/// If the bytes are no recording, or a damaged one.
pub fn replay(bytes: Vec<u8>, options: &PlayOptions) -> Result<Replayed, RecordingError> {
    let recording = Recording::decode(bytes)?;
    let mut progress = Progress::default();
    let played = panics::watch(|| play(&recording, options, &mut progress));
    let verdict = played.unwrap_or_else(|panic| {
        Verdict::Failed(Failure {
            property: "no panic",
            step: progress.steps,
            operations: Vec::new(),
            detail: panic,
        })
    });
    let Progress { steps, outputs, from_ms, to_ms, modelled, story } = progress;
    Ok(Replayed {
        head: recording.head().clone(),
        cut: recording.cut(),
        steps,
        outputs,
        span_ms: to_ms.saturating_sub(from_ms.unwrap_or(to_ms)),
        verdict,
        modelled,
        story,
    })
}

fn play(recording: &Recording, options: &PlayOptions, progress: &mut Progress) -> Verdict {
    let mut player = Player::new(recording);
    let mut judge = Judge::new(recording.head().config.device);
    while options.until.is_none_or(|until| progress.steps < until) {
        let Some(step) = player.next_step() else { break };
        progress.steps += 1;
        progress.from_ms.get_or_insert(step.at_ms);
        progress.to_ms = step.at_ms;
        // Before it is done: it may be the last.
        if options.keep_story {
            progress.tell(step.at_ms, "in", words::step(&step.step));
        }
        judge.before(&step.step);
        let (at_ms, done) = (step.at_ms, matches!(step.step, Step::Began | Step::Image(_)));
        let played = player.play(step);
        for output in &played.outputs {
            progress.outputs += 1;
            if options.keep_story {
                progress.tell(at_ms, "out", words::output(output));
            }
        }
        if let Some(difference) = &played.difference {
            let detail = difference.to_string();
            return Verdict::Differs { step: progress.steps, detail };
        }
        if done {
            judge.begins(&player);
        }
        let judged = judge.outputs(&played.outputs);
        if let Err(finding) = judged.and_then(|()| judge.shown(&player)) {
            return failed(progress.steps, &finding);
        }
    }
    match judge.at_end(&mut player) {
        Ok(modelled) => progress.modelled = modelled,
        Err(finding) => return failed(progress.steps, &finding),
    }
    Verdict::Same
}

fn failed(step: u64, finding: &Finding) -> Verdict {
    Verdict::Failed(Failure {
        property: finding.property,
        step,
        operations: finding.operations.iter().map(ToString::to_string).collect(),
        detail: finding.detail.clone(),
    })
}
