//! The player: does a recording again, and compares what the core gives with what it gave then.

use super::file::{Framed, Recording};
use super::mark::{Kind, Mark};
use super::stage::{Done, Stage};
use super::step::Step;
use crate::api::OpenError;
use crate::core::Output;
use crate::graph::Graph;
use crate::id::PeerId;
use crate::vector::VersionVector;
use crate::wire::Frontier;

/// Steps through a recording: [`next_step`](Self::next_step) says what is to be done,
/// [`play`](Self::play) does it.
pub struct Player<'a> {
    frames: Box<dyn Iterator<Item = Framed> + 'a>,
    /// A step that was read while marks were looked for.
    ahead: Option<Framed>,
    stage: Stage,
    steps: u64,
}

/// A step that is to be done.
#[derive(Clone, Debug)]
pub struct NextStep {
    /// Its number, from 1.
    pub number: u64,
    /// Where it stands in the file.
    pub offset: usize,
    /// When it was, in Unix milliseconds by the device's clock.
    pub at_ms: u64,
    /// What is to be done.
    pub step: Step<'static>,
    /// What the core gave then.
    recorded: Vec<Mark>,
    /// Whether nothing follows: the recording may lack what the core gave.
    last: bool,
}

/// What came of a step.
#[derive(Debug)]
pub struct Played {
    /// What the core wanted, in order.
    pub outputs: Vec<Output>,
    /// Whether it gave anything else than it gave when it was recorded.
    pub difference: Option<Difference>,
}

/// The first thing after a step that is not what was recorded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Difference {
    /// The core gave something else.
    #[error("output {place} after this step: recorded {recorded}, found {found}", recorded = named(.recorded), found = named(.found))]
    Output {
        /// Which output after the step, from 1.
        place: usize,
        /// What was recorded.
        recorded: Option<Mark>,
        /// What is given now.
        found: Option<Mark>,
    },
    /// The workspace opened then, and does not now.
    #[error("the workspace opened when this was recorded, now: {0}")]
    NotOpened(OpenError),
    /// The workspace opens now, and did not then.
    #[error("the workspace did not open when this was recorded, and does now")]
    Opened,
    /// The core is in another state than then, although it gave the same.
    #[error("what the core knows is not what was recorded, although it gave the same until here")]
    Image,
    /// The recording's steps do not follow each other.
    #[error("a step that makes no sense here: expected {0}")]
    Senseless(&'static str),
}

fn first_difference(recorded: &[Mark], found: &[Mark]) -> Option<Difference> {
    let most = recorded.len().max(found.len());
    let place = (0..most).find(|&place| recorded.get(place) != found.get(place))?;
    let (recorded, found) = (recorded.get(place).copied(), found.get(place).copied());
    Some(Difference::Output { place: place + 1, recorded, found })
}

fn named(mark: &Option<Mark>) -> String {
    match mark {
        None => "no output at all".to_owned(),
        Some(Mark { kind: Kind::Nothing, .. }) => "nothing".to_owned(),
        Some(Mark { kind, hash }) => {
            format!("{kind:?} ({})", data_encoding::HEXLOWER.encode(hash))
        }
    }
}

impl<'a> Player<'a> {
    /// A player at the recording's beginning.
    pub fn new(recording: &'a Recording) -> Player<'a> {
        let stage = Stage::new(recording.head().config);
        Player { frames: Box::new(recording.framed()), ahead: None, stage, steps: 0 }
    }

    /// The next step; `None` at the end.
    pub fn next_step(&mut self) -> Option<NextStep> {
        loop {
            match self.ahead.take().or_else(|| self.frames.next())? {
                Framed::Begins { gap: true } => self.stage.leave(),
                Framed::Begins { gap: false } => {}
                Framed::Step { time_ms: at_ms, step, offset } => {
                    self.steps += 1;
                    let recorded = self.recorded();
                    let last = self.ahead.is_none();
                    return Some(NextStep {
                        number: self.steps,
                        offset,
                        at_ms,
                        step,
                        recorded,
                        last,
                    });
                }
            }
        }
    }

    /// Does a step. After a difference the core goes its own way, and what follows means little.
    ///
    /// # Panics
    /// If the core does: then it may have done so when this was recorded.
    pub fn play(&mut self, next: NextStep) -> Played {
        let NextStep { step, recorded, last, .. } = next;
        let differs = |difference| Played { outputs: Vec::new(), difference: Some(difference) };
        let fails = matches!(step, Step::NotOpened);
        let (gave, other_image) = match self.stage.perform(step) {
            Done::Nothing => (None, false),
            Done::Gave(mark) => (Some(mark), false),
            Done::OtherImage => (None, true),
            Done::NotOpened(_) if fails => return Played { outputs: Vec::new(), difference: None },
            Done::NotOpened(error) => return differs(Difference::NotOpened(error)),
            Done::Opened => return differs(Difference::Opened),
            Done::Senseless(expected) => return differs(Difference::Senseless(expected)),
        };
        let (found, outputs) = self.stage.give(gave, &recorded);
        let told = !recorded.is_empty() || !last;
        let difference = if other_image {
            Some(Difference::Image)
        } else {
            first_difference(&recorded, &found).filter(|_| told)
        };
        Played { outputs, difference }
    }

    /// What was recorded of what the core gave after the step that was read last.
    fn recorded(&mut self) -> Vec<Mark> {
        let mut all = Vec::new();
        loop {
            match self.frames.next() {
                Some(Framed::Step { step: Step::Gave(marks), .. }) => all.extend_from_slice(&marks),
                other => {
                    self.ahead = other;
                    return all;
                }
            }
        }
    }

    /// The graph as it is now; none before the workspace is open.
    pub fn graph(&mut self) -> Option<Graph> {
        // A copy of the reader's view would tell of edits that no event told of yet.
        self.stage.core_mut().map(|core| core.graph())
    }

    /// The same; none either while it lags behind what is applied, which a look would change.
    pub fn told_graph(&self) -> Option<Graph> {
        self.stage.core().and_then(|core| core.told_graph())
    }

    /// Who authors.
    pub fn peer_id(&self) -> Option<PeerId> {
        self.stage.core().map(|core| core.peer_id())
    }

    /// All that is applied, local edits that are not yet durable included.
    pub fn version_vector(&self) -> Option<VersionVector> {
        self.stage.core().map(|core| core.applied())
    }

    /// How far the durable history goes.
    pub fn durable_frontier(&self) -> Option<Frontier> {
        self.stage.core().map(|core| core.durable())
    }

    /// The canonical bytes of the merged state, if nothing waits to be told to readers.
    pub fn state_bytes(&self) -> Option<Vec<u8>> {
        self.stage.core().map(|core| core.state_bytes())
    }
}
