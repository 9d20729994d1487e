//! Recordings of one engine, made by a browser or by a simulated peer: played, told and judged.
//!
//! A recording knows one device only. So beside whether the engine does the same again, it is
//! judged by what one device shows of itself; nothing here runs a world. What was recorded can be drawn
//! as if it were a run, with the others as far as this device heard of them.

mod drawn;
mod elapsed;
mod judge;
mod words;

use graphshell_sync::Dot;
use graphshell_sync::recording::{Head, NextStep, Output, Player, Recording, RecordingError, Step};

use crate::oracle::Finding;
use crate::plan::Plan;
use crate::trace::{Line, Trace};
use crate::world::{Run, panics};
use drawn::Drawing;
use elapsed::Elapsed;
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
    /// From the first step to the last, by the device's clock, without what it was set by and
    /// without hours in which nothing was recorded.
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
    /// The entries concerned.
    pub operations: Vec<Dot>,
    /// What was expected and what was found.
    pub detail: String,
}

/// What is known so far; outlives a panic of the engine.
#[derive(Default)]
struct Progress {
    steps: u64,
    outputs: u64,
    elapsed: Elapsed,
    modelled: bool,
}

/// Looks on while a recording is played.
trait Watch {
    /// A step is about to be done: it may be the last.
    fn before(&mut self, next: &NextStep);
    /// It is done; what the core wants.
    fn after(&mut self, outputs: &[Output], player: &Player<'_>);
}

/// Nobody looks on.
impl Watch for () {
    fn before(&mut self, _: &NextStep) {}
    fn after(&mut self, _: &[Output], _: &Player<'_>) {}
}

/// What comes in and what goes out, in words.
struct Telling {
    trace: Trace,
    elapsed: Elapsed,
}

impl Watch for Telling {
    fn before(&mut self, next: &NextStep) {
        let leap = self.elapsed.go_to(next.at_ms);
        let now_ms = self.elapsed.ms;
        if let Some(leap) = leap {
            self.trace.record(now_ms, "", format_args!("{leap}"), &[]);
        }
        let text = words::step(&next.step);
        self.trace.record(now_ms, "in", format_args!("{text}"), &[]);
    }

    fn after(&mut self, outputs: &[Output], _: &Player<'_>) {
        for output in outputs {
            let text = words::output(output);
            self.trace.record(self.elapsed.ms, "out", format_args!("{text}"), &[]);
        }
    }
}

/// Plays a recording until its end, a difference, or a property that does not hold.
///
/// # Errors
/// If the bytes are no recording, or a damaged one.
pub fn replay(bytes: Vec<u8>, options: &PlayOptions) -> Result<Replayed, RecordingError> {
    let recording = Recording::decode(bytes)?;
    if !options.keep_story {
        return Ok(play(&recording, options.until, &mut ()));
    }
    let mut telling = Telling { trace: Trace::new(true, false), elapsed: Elapsed::default() };
    let replayed = play(&recording, options.until, &mut telling);
    Ok(Replayed { story: telling.trace.take_lines(), ..replayed })
}

/// Plays a recording twice and draws the second time as a run, for an explanation: at most so many
/// steps, the last ones. The plan says who took part, and why there is not more.
///
/// # Errors
/// If the bytes are no recording, or a damaged one.
pub fn draw(bytes: Vec<u8>, most: u64) -> Result<(Replayed, Plan, Run), RecordingError> {
    let recording = Recording::decode(bytes)?;
    let steps = play(&recording, None, &mut ()).steps;
    let mut drawing = Drawing::new(recording.head().config.device, steps, most);
    let replayed = play(&recording, None, &mut drawing);
    let (plan, run) = drawing.finish(&replayed);
    Ok((replayed, plan, run))
}

fn play(recording: &Recording, until: Option<u64>, watch: &mut impl Watch) -> Replayed {
    let mut progress = Progress::default();
    let played = panics::watch(|| play_on(recording, until, &mut progress, watch));
    let verdict = played.unwrap_or_else(|panic| {
        Verdict::Failed(Failure {
            property: "no panic",
            step: progress.steps,
            operations: Vec::new(),
            detail: panic,
        })
    });
    Replayed {
        head: recording.head().clone(),
        cut: recording.cut(),
        steps: progress.steps,
        outputs: progress.outputs,
        span_ms: progress.elapsed.ms,
        verdict,
        modelled: progress.modelled,
        story: Vec::new(),
    }
}

fn play_on(
    recording: &Recording,
    until: Option<u64>,
    progress: &mut Progress,
    watch: &mut impl Watch,
) -> Verdict {
    let mut player = Player::new(recording);
    let mut judge = Judge::new(recording.head().config.device);
    while until.is_none_or(|until| progress.steps < until) {
        let Some(step) = player.next_step() else { break };
        progress.steps += 1;
        progress.elapsed.go_to(step.at_ms);
        watch.before(&step);
        judge.before(&step.step);
        let begins = matches!(step.step, Step::Began | Step::Image(_));
        let played = player.play(step);
        progress.outputs += played.outputs.len() as u64;
        watch.after(&played.outputs, &player);
        if let Some(difference) = &played.difference {
            let detail = difference.to_string();
            return Verdict::Differs { step: progress.steps, detail };
        }
        if begins {
            judge.begins(&player);
        }
        let judged = judge.outputs(&played.outputs);
        if let Err(finding) = judged.and_then(|()| judge.shown(&player)) {
            return failed(progress.steps, finding);
        }
    }
    match judge.at_end(&mut player) {
        Ok(modelled) => progress.modelled = modelled,
        Err(finding) => return failed(progress.steps, finding),
    }
    Verdict::Same
}

fn failed(step: u64, finding: Finding) -> Verdict {
    let Finding { property, operations, detail, .. } = finding;
    Verdict::Failed(Failure { property, step, operations, detail })
}
